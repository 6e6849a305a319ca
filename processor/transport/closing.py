"""The end of aiokafka's consumers and clients, which may cancel whoever waits for it."""

import asyncio
from collections.abc import Awaitable

from aiokafka import AIOKafkaConsumer


async def stop_quietly(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer that belongs to no group.

    aiokafka 0.14.0: just after the start, and while a fetch waits to be tried again, this raises a CancelledError of
    its own making and leaves the rest open. Let out, it would end Faust's recovery without a word: the worker would
    stay in the group and process nothing.
    """
    if not await ends_quietly(consumer.stop()):
        await ends_quietly(consumer._fetcher.close())
        await ends_quietly(consumer._client.close())


async def ends_quietly(closing: Awaitable[None]) -> bool:
    """False if it was cancelled, and not by whoever waits for it."""
    try:
        await closing
    except asyncio.CancelledError:
        if is_cancelled():
            raise
        return False
    return True


def is_cancelled() -> bool:
    """Whether somebody has cancelled the task that runs: otherwise a CancelledError is a library's own."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0

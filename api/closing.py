"""Letting go of a Kafka consumer, whatever the library does meanwhile.

Owns nothing but the end: what is read, and what follows from an end, is the readers'. Private names used (aiokafka
0.14.0): `AIOKafkaConsumer._client`, `._fetcher`.
"""

import asyncio

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

log = structlog.get_logger("api")


async def stop_quietly(consumer: AIOKafkaConsumer) -> None:
    """Let go of a consumer and of its connections, whatever it raises.

    aiokafka 0.14.0: while a fetch waits to be tried again, `stop` raises a CancelledError of its own making before it
    has closed the rest. Let out, it ended the task that reads: the view stood still for good, and nobody knew.
    """
    closings = [consumer.stop, consumer._client.close]
    if consumer._fetcher is not None:
        closings.insert(1, consumer._fetcher.close)
    for close in closings:
        try:
            await close()
        except asyncio.CancelledError:
            if is_cancelled():
                raise
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("view.close_failed", reason=type(error).__name__)


def is_cancelled() -> bool:
    """Whether somebody has cancelled the task that runs: otherwise a CancelledError is a library's own."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0

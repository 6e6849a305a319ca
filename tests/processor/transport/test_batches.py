"""The loop that delivers batches, and how it ends."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from processor.transport.batches import BatchConsumer


class IdleConsumer(BatchConsumer):
    """Has nothing to deliver."""

    should_stop = False

    def __init__(self, *, app_should_stop: bool) -> None:
        self.transport: Any = SimpleNamespace(app=SimpleNamespace(should_stop=app_should_stop))

    async def _deliver(self) -> None:
        await asyncio.sleep(3600)


async def cancelled(consumer: IdleConsumer) -> None:
    fetcher: Any = SimpleNamespace(should_stop=False)
    delivering = asyncio.create_task(consumer._drain_messages(fetcher))
    await asyncio.sleep(0.01)
    delivering.cancel()
    await delivering


async def test_an_end_in_a_rebalance_is_in_order() -> None:
    # Let out, Faust would take it for a crash of its fetcher: the worker would end with 1.
    await cancelled(IdleConsumer(app_should_stop=True))


async def test_a_cancellation_for_a_rebalance_reaches_faust() -> None:
    with pytest.raises(asyncio.CancelledError):
        await cancelled(IdleConsumer(app_should_stop=False))

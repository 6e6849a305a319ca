"""What is done again and again beside the batches: it goes on, or the process ends; it never stops in silence."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from processor.transport import worker
from processor.transport.fail_stop import FAILED
from tests.processor.transport.test_shards import DiedError, raise_instead


class FakeApp:
    """Keeps the loop that it is given; sleeps no time."""

    should_stop = False
    die = staticmethod(raise_instead)

    def __init__(self) -> None:
        self.loops: list[Callable[[], Awaitable[None]]] = []

    def task(self, loop: Callable[[], Awaitable[None]]) -> None:
        self.loops.append(loop)

    async def sleep(self, _seconds: float) -> None:
        await asyncio.sleep(0)


@pytest.mark.parametrize("error", [RuntimeError("a bug"), asyncio.CancelledError()])
async def test_work_that_fails_ends_the_process_also_by_a_cancellation_that_nobody_asked_for(
    error: BaseException,
) -> None:
    app: Any = FakeApp()
    rounds = 0

    async def work() -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 3:
            raise error

    worker._every(app, 1.0, work, "tick")
    with pytest.raises(DiedError, match=f"{FAILED}: tick failed"):
        await app.loops[0]()

    assert rounds == 3


async def test_who_is_cancelled_goes_without_ending_the_process() -> None:
    app: Any = FakeApp()
    working = asyncio.Event()

    async def work() -> None:
        working.set()
        await asyncio.sleep(60)

    worker._every(app, 1.0, work, "tick")
    task = asyncio.ensure_future(app.loops[0]())
    await working.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task

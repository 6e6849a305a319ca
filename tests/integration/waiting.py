"""Waiting for what a running floorcast will show: asked again and again, with an end.

Two cores serve all that is asked, and what asks. So what takes long is asked for less often.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 0.4


def pauses() -> Iterator[float]:
    """Seconds between one look and the next, without end: each a half longer than the one before."""
    pause = _FIRST_PAUSE_SECONDS
    while True:
        yield pause
        pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)


async def eventually(look: Callable[[], Awaitable[Any]], what: str, seconds: float = 120.0) -> Any:
    """Give what `look` found as soon as it finds something; fail with `what` if it never does."""
    deadline, pause = time.monotonic() + seconds, pauses()
    while not (found := await look()):
        assert time.monotonic() < deadline, f"after {seconds:g} s: not {what}"
        await asyncio.sleep(next(pause))
    return found


async def comes_to(look: Callable[[], Awaitable[Any]], wanted: Any, seconds: float = 120.0) -> None:
    """Wait until `look` finds that: who is told by one process may ask another that hears of it a moment later."""
    deadline, pause = time.monotonic() + seconds, pauses()
    while (found := await look()) != wanted and time.monotonic() < deadline:
        await asyncio.sleep(next(pause))
    assert found == wanted


async def until_true(asked: Callable[[], Awaitable[bool]], seconds: float = 240.0) -> None:
    """Wait until it is so."""
    pause = pauses()
    async with asyncio.timeout(seconds):
        while not await asked():
            await asyncio.sleep(next(pause))


async def until_seen(asked: Callable[[], Awaitable[bool]], seconds: float = 240.0) -> None:
    """Wait until it is so, where it is so for a moment only: looks as often in the end as in the beginning."""
    async with asyncio.timeout(seconds):
        while not await asked():
            await asyncio.sleep(_FIRST_PAUSE_SECONDS)

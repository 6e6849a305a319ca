"""Waiting for what a running floorcast will show: asked again and again, with an end."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

_BETWEEN_LOOKS_SECONDS = 0.05


async def eventually(look: Callable[[], Awaitable[Any]], what: str, seconds: float = 30.0) -> Any:
    """Give what `look` found as soon as it finds something; fail with `what` if it never does."""
    deadline = time.monotonic() + seconds
    while not (found := await look()):
        assert time.monotonic() < deadline, f"after {seconds:g} s: not {what}"
        await asyncio.sleep(_BETWEEN_LOOKS_SECONDS)
    return found


async def comes_to(look: Callable[[], Awaitable[Any]], wanted: Any, seconds: float = 30.0) -> None:
    """Wait until `look` finds that: who is told by one process may ask another that hears of it a moment later."""
    deadline = time.monotonic() + seconds
    while (found := await look()) != wanted and time.monotonic() < deadline:
        await asyncio.sleep(_BETWEEN_LOOKS_SECONDS)
    assert found == wanted


async def until_true(asked: Callable[[], Awaitable[bool]], seconds: float = 240.0) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(seconds):
        while not await asked():
            await asyncio.sleep(_BETWEEN_LOOKS_SECONDS)

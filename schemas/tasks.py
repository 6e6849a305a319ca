"""Tasks of asyncio that last as long as their process, and the end of one."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NoReturn

import structlog

PAUSE_SECONDS = 1.0

log = structlog.get_logger(__name__)


async def end(tasks: Iterable["asyncio.Task[Any] | None"]) -> None:
    """Cancel these, and wait until they have come to an end, whatever they raise; None: there is no such task."""
    running = [task for task in tasks if task is not None]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def without_end(work: Callable[[], Awaitable[object]], what: str, *, pause: float = PAUSE_SECONDS) -> NoReturn:
    """Do what a process does all the time, until cancelled: once more after a pause, whatever it raised.

    For a task that nobody awaits. Of what was not foreseen the log says where it was; without this nobody would do the
    work any more, and nobody would know. `what`: its name.
    """
    while True:
        try:
            await work()
        except Exception:
            log.exception("task.failed", task=what)
        await asyncio.sleep(pause)

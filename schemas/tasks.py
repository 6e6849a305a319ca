"""Ending a task of asyncio."""

import asyncio
from collections.abc import Iterable
from typing import Any


async def end(tasks: Iterable["asyncio.Task[Any] | None"]) -> None:
    """Cancel these, and wait until they have come to an end, whatever they raise; None: there is no such task."""
    running = [task for task in tasks if task is not None]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)

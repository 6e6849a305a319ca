"""The pulse of a process that listens nowhere: a file that its event loop touches, so that a probe sees it turn.

    python -m deploy.pulse    0: one of the pulses in the folder FLOORCAST_DATA is fresh; 1: none is

Owns the file, how often it is touched and when it is too old. A loop that hangs touches nothing more; whether the work
itself goes on says the api.
"""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

import structlog

log = structlog.get_logger(__name__)

EVERY_SECONDS = 10.0
OLD_SECONDS = 60.0
"""A batch of a long log, or a machine that is busy, may hold a loop for a while."""
_NAME = "pulse"

T = TypeVar("T")


async def with_pulse(folder: Path, work: Awaitable[T]) -> T:
    """What the work gives. Until it ends, the pulse in that folder is touched every ten seconds.

    `folder`: the process's own, in that of data. One that cannot be written to is said once, and the work goes on: a
    probe ends it if nothing changes.
    """
    beating = asyncio.create_task(_beat(folder / _NAME), name="pulse")
    try:
        return await work
    finally:
        beating.cancel()


async def _beat(file: Path) -> None:
    is_told = False
    while True:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        except OSError as error:
            if not is_told:
                log.warning("pulse.not_written", why=error.strerror or type(error).__name__)
            is_told = True
        else:
            is_told = False
        await asyncio.sleep(EVERY_SECONDS)


def is_fresh(data: Path, now: float) -> bool:
    """Whether a process whose folder lies in `data` has lately touched its pulse. `now`: seconds since 1970."""
    return any(now - file.stat().st_mtime <= OLD_SECONDS for file in data.glob(f"*/{_NAME}"))


if __name__ == "__main__":
    sys.exit(0 if is_fresh(Path(os.environ["FLOORCAST_DATA"]), time.time()) else 1)

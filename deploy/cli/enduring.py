"""A stderr that outlives a full disk, and a reader that is gone.

What cannot be said must not end who wanted to say it. A log line that raised would end the task that wrote it, or keep
a worker that has to end at once from ending, so that Faust commits what was not done.
"""

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, cast

from schemas.instants import format_instant
from schemas.machine_clock import machine_clock

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class EnduringFile(io.FileIO):
    """An open file in which nothing fails: what cannot be written is counted, and the next line that can be says so."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._lost = 0
        """Writes that failed since the last one that did not."""

    def write(self, data: "ReadableBuffer") -> int:
        """Write all of it, or as much as can be; its length in any case."""
        try:
            if self._lost:
                self._write(_line_of_lost(self._lost))
                self._lost = 0
            self._write(bytes(data))
        except (OSError, ValueError):  # closed
            self._lost += 1
        return len(memoryview(data))

    def _write(self, data: bytes) -> None:
        while data:
            written = super().write(data)
            if not written:
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            data = data[written:]


def _line_of_lost(count: int) -> bytes:
    """As log lines are. The line before it may have been cut off anywhere."""
    at = format_instant(machine_clock())
    return f'\n{{"writes": {count}, "event": "log.lost", "level": "warning", "timestamp": "{at}"}}\n'.encode()


def outlive_lost_stderr() -> None:
    """Let nothing that is written to stderr raise from here on. Called once, before anything is set up to log."""
    stderr = sys.stderr
    if stderr is None:  # closed by whoever started us
        return
    sys.stderr = io.TextIOWrapper(
        cast(io.BufferedWriter, EnduringFile(stderr.fileno())),
        encoding=stderr.encoding, errors=stderr.errors, line_buffering=True,
    )  # fmt: skip

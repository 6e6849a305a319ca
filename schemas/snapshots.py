"""When a snapshot is written to a folder, and whether the one that lies there is taken at a start.

Owns both decisions and what the log says of them. The frame of the file is snapshot_files.py's, the doubts are
snapshot_doubts.py's. A folder that is missing, empty or cannot be written changes nothing but how long a start takes.
"""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

import structlog

from schemas.instants import HOUR, SECOND
from schemas.kafka_facts import KafkaError
from schemas.log_marks import Place
from schemas.snapshot_doubts import Asking, Source, Wanted, doubt_of, marks_of
from schemas.snapshot_files import BadSnapshotError

log = structlog.get_logger("snapshots")

_SAME_AT_MOST = HOUR
"""What has not changed is written again after so long, so that it does not grow too old."""


class Sourced(Protocol):
    """What was read from a file."""

    @property
    def source(self) -> Source: ...


S = TypeVar("S", bound=Sourced)


class SnapshotFile:
    """One file, of one process."""

    def __init__(self, path: Path, asking: Asking, clock: Callable[[], int]) -> None:
        self._path = path
        self._asking = asking
        self._clock = clock
        self._written: tuple[int, Mapping[Place, int]] | None = None
        """When one was written last, and up to where it goes."""
        self._writing = asyncio.Lock()
        self._has_told = False

    async def find(self, read: Callable[[Path], S], wanted: Wanted, begins: Mapping[Place, int]) -> S | None:
        """What lies there, if nothing speaks against it; None: there is nothing.

        `begins`: where each place that it must have read begins. Raises KafkaError, OSError, TimeoutError where Kafka
        cannot be asked.
        """
        try:
            found = await asyncio.to_thread(read, self._path)
        except FileNotFoundError:
            return None
        except (OSError, BadSnapshotError) as error:
            self.throw_away(str(error) if isinstance(error, BadSnapshotError) else type(error).__name__)
            return None
        doubt = await doubt_of(found.source, wanted, begins, self._clock(), self._asking)
        if doubt is not None:
            self.throw_away(doubt)
            return None
        seconds_old = round((self._clock() - found.source.made_at) / SECOND)
        log.info("snapshot.restored", file=self._path.name, seconds_old=seconds_old)
        return found

    def throw_away(self, why: str) -> None:
        """Let what lies there go, and say why."""
        log.warning("snapshot.thrown_away", file=self._path.name, why=why)
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("snapshot.not_removed", file=self._path.name, error=type(error).__name__)

    def is_due(self, positions: Mapping[Place, int], *, every: int = 0) -> bool:
        """Whether what was read up to these positions is to be written: at most `every` so many microseconds.

        What has not changed only so that it does not grow too old.
        """
        if self._written is None:
            return True
        at, written = self._written
        return self._clock() - at >= (_SAME_AT_MOST if positions == written else every)

    async def keep(self, wanted: Wanted, positions: Mapping[Place, int], write: Callable[[Path, Source], int]) -> None:
        """Write what was read up to these positions; `write` does, in a thread."""
        async with self._writing:
            now = self._clock()
            try:
                marks = await marks_of(positions, self._asking)
                if marks is None:
                    why = "Kafka does not tell enough of its log, or contradicts it"
                    log.info("snapshot.left_out", file=self._path.name, why=why)
                    return
                size = await asyncio.to_thread(write, self._path, Source(wanted, now, marks))
            except (KafkaError, OSError, TimeoutError) as error:
                # Some folders are not to be written: who runs it hears of it once.
                tell = log.debug if self._has_told else log.warning
                tell("snapshot.not_written", file=self._path.name, error=type(error).__name__)
                self._has_told = True
                return
            self._written, self._has_told = (now, positions), False
            log.info("snapshot.written", file=self._path.name, bytes=size)

"""When a snapshot is written to a folder, and whether the one that lies there is taken at a start.

Owns both decisions and what the log says of them. The frame of the file is snapshot_files.py's, the doubts are
snapshot_doubts.py's. A folder that is missing, empty or cannot be written changes nothing but how long a start takes.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

import structlog

from schemas.instants import HOUR, SECOND
from schemas.kafka_facts import KafkaError
from schemas.log_marks import Asking, Place
from schemas.snapshot_doubts import SnapshotSource, WantedSnapshot, doubt_of, marks_of
from schemas.snapshot_files import IsStopped, in_words

log = structlog.get_logger("snapshots")

_SAME_AT_MOST = HOUR
"""What is true longer than the file says is written again after so long, so that it does not grow too old."""
_LAGGING = 0.05
"""A file is left as it is while fewer messages than this part of what is held have come since."""


class Sourced(Protocol):
    """What was read from a file."""

    @property
    def source(self) -> SnapshotSource: ...


S = TypeVar("S", bound=Sourced)


class SnapshotFile:
    """One file, of one process."""

    def __init__(self, path: Path, asking: Asking, clock: Callable[[], int]) -> None:
        self._path = path
        self._asking = asking
        self._clock = clock
        self._tried_at: int | None = None
        """When one was to be written last, whatever came of it."""
        self._lying: tuple[int, Mapping[Place, int]] | None = None
        """Of what lies there: as of when, and up to where it goes."""
        self._writing = asyncio.Lock()
        self._has_told = False

    async def find(self, read: Callable[[Path], S], wanted: WantedSnapshot, begins: Mapping[Place, int]) -> S | None:
        """What lies there, if nothing speaks against it; None: there is nothing.

        `begins`: where each place that it must have read begins. Raises KafkaError, OSError, TimeoutError where Kafka
        cannot be asked.
        """
        found = await self.read(read)
        return None if found is None else await self.judged(found, wanted, begins)

    async def read(self, read: Callable[[Path], S]) -> S | None:
        """What lies there, of which nothing may be believed before it is judged; None: there is nothing whole."""
        try:
            return await asyncio.to_thread(read, self._path)
        except FileNotFoundError:
            return None
        except Exception as error:  # noqa: BLE001 - whatever it is, the next start would meet it again
            self.throw_away(in_words(error))
            return None

    async def judged(self, found: S, wanted: WantedSnapshot, begins: Mapping[Place, int]) -> S | None:
        """What was read, if nothing speaks against it; as `find`."""
        doubt = await doubt_of(found.source, wanted, begins, self._clock(), self._asking)
        if doubt is not None:
            self.throw_away(doubt)
            return None
        self._lying = found.source.made_at, {place: mark.offset for place, mark in found.source.places.items()}
        seconds_old = round((self._clock() - found.source.made_at) / SECOND)
        log.info("snapshot.restored", file=self._path.name, seconds_old=seconds_old)
        return found

    def throw_away(self, why: str) -> None:
        """Let what lies there go, and say why."""
        log.warning("snapshot.thrown_away", file=self._path.name, why=why)
        self._lying = None
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("snapshot.not_removed", file=self._path.name, error=in_words(error))

    def is_due(self, positions: Mapping[Place, int], as_of: int, *, held: int = 0, every: int = 0) -> bool:
        """Whether what was read up to these positions is to be written: at most `every` so many microseconds.

        `as_of`: when they were known to be the newest. `held`: of how many rows and panes; where few messages have come
        since, a start reads these sooner than all of it is written again and again.
        """
        if self._tried_at is not None and self._clock() - self._tried_at < every:
            return False
        if self._lying is None:
            return True
        made_at, lying = self._lying
        since = sum(position - lying.get(place, 0) for place, position in positions.items())
        return since > held * _LAGGING or as_of - made_at >= _SAME_AT_MOST

    async def keep(
        self,
        wanted: WantedSnapshot,
        positions: Mapping[Place, int],
        as_of: int,
        write: Callable[[Path, SnapshotSource, IsStopped], int],
        *,
        held: int = 0,
    ) -> None:
        """Write what was read up to these positions; `write` does, in a thread that ends soon once this is cancelled.

        `as_of`, `held`: see `is_due`. What has become needless while another one was written is left out.
        """
        async with self._writing:
            if not self.is_due(positions, as_of, held=held):
                return
            self._tried_at, stop = self._clock(), threading.Event()
            try:
                marks = await marks_of(positions, self._asking)
                if marks is None:
                    why = "Kafka does not tell enough of its log, or contradicts it"
                    log.info("snapshot.left_out", file=self._path.name, why=why)
                    return
                size = await asyncio.to_thread(write, self._path, SnapshotSource(wanted, as_of, marks), stop.is_set)
            except (KafkaError, OSError, TimeoutError) as error:
                # Some folders are not to be written: who runs it hears of it once.
                tell = log.debug if self._has_told else log.warning
                tell("snapshot.not_written", file=self._path.name, error=in_words(error))
                self._has_told = True
                return
            finally:
                stop.set()
            self._lying, self._has_told = (as_of, positions), False
            log.info("snapshot.written", file=self._path.name, bytes=size)

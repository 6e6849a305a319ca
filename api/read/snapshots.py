"""When the view's panes are written to the data folder, and whether those that lie there are taken at a start.

Owns both decisions and what the log says of them. The file is snapshot.py's, the doubts are restoring.py's. A folder
that is missing, empty or cannot be written changes nothing but how long a start takes.
"""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog
from aiokafka.errors import KafkaError

from api.read.log_check import Asking
from api.read.restoring import doubt_of, marks_of
from api.read.snapshot import BadSnapshotError, Snapshot, read_snapshot, write_snapshot
from api.read.view import View
from schemas.generations import Served
from schemas.instants import HOUR, SECOND

log = structlog.get_logger("api")

_SAME_AT_MOST = HOUR
"""What has not changed is written again after so long, so that it does not grow too old."""


class Snapshots:
    """Those of one api, in one file."""

    def __init__(self, path: Path, asking: Asking, clock: Callable[[], int]) -> None:
        self._path = path
        self._asking = asking
        self._clock = clock
        self._written: tuple[int, Mapping[int, int]] | None = None
        """When one was written last, and up to where it goes."""
        self._writing = asyncio.Lock()
        self._has_told = False

    async def restore(
        self, view: View, served: Served, topic: str, begins: Mapping[int, int]
    ) -> Mapping[int, int] | None:  # fmt: skip
        """Put what lies there into an empty view; gives the offsets that it goes up to. None: there was nothing.

        Raises KafkaError, OSError, TimeoutError where Kafka cannot be asked.
        """
        try:
            found = await asyncio.to_thread(read_snapshot, self._path)
        except FileNotFoundError:
            return None
        except (OSError, BadSnapshotError) as error:
            self._throw_away(str(error) if isinstance(error, BadSnapshotError) else type(error).__name__)
            return None
        doubt = await doubt_of(
            found,
            definitions=view.definitions,
            served=served,
            now=self._clock(),
            topic=topic,
            begins=begins,
            asking=self._asking,
        )
        if doubt is not None:
            self._throw_away(doubt)
            return None
        view.restore(found.contents)
        log.info("snapshot.restored", seconds_old=round((self._clock() - found.made_at) / SECOND))
        return {number: mark.offset for number, mark in enumerate(found.marks)}

    def _throw_away(self, why: str) -> None:
        log.warning("snapshot.thrown_away", why=why)
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("snapshot.not_removed", error=type(error).__name__)

    async def keep(self, view: View, served: Served, topic: str, positions: Mapping[int, int]) -> None:
        """Write what the view holds, read up to these offsets."""
        async with self._writing:
            now = self._clock()
            if self._written is not None and self._written[1] == positions and now - self._written[0] < _SAME_AT_MOST:
                return
            # As of this moment; what comes while Kafka is asked and the file is written is no part of it.
            contents, positions = view.store.contents(), dict(positions)
            try:
                marks = await marks_of(topic, positions, self._asking)
                if marks is None:
                    log.info("snapshot.left_out", why="Kafka does not tell enough of its log, or contradicts it")
                    return
                snapshot = Snapshot(view.definitions, served, now, marks, contents)
                size = await asyncio.to_thread(write_snapshot, self._path, snapshot)
            except (KafkaError, OSError, TimeoutError) as error:
                # Some folders are not to be written: who runs it hears of it once.
                tell = log.debug if self._has_told else log.warning
                tell("snapshot.not_written", error=type(error).__name__)
                self._has_told = True
                return
            self._written, self._has_told = (now, positions), False
            log.info("snapshot.written", bytes=size)

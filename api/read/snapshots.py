"""The view's snapshot: what it has to be of, and how it gets into an empty view.

When it is written and whether it is believed is schemas/snapshots.py's.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from api.read.snapshot import read_snapshot, write_snapshot
from api.read.view import View
from schemas.generations import Served
from schemas.log_marks import Asking
from schemas.snapshot_doubts import WantedSnapshot
from schemas.snapshots import SnapshotFile


class Snapshots:
    """Those of one api, in one file."""

    def __init__(self, path: Path, asking: Asking, clock: Callable[[], int]) -> None:
        self._file = SnapshotFile(path, asking, clock)

    async def restore(
        self, view: View, served: Served, topic: str, begins: Mapping[int, int]
    ) -> Mapping[int, int] | None:  # fmt: skip
        """Put what lies there into an empty view; gives the offsets that it goes up to. None: there was nothing.

        Raises KafkaError, OSError, TimeoutError where Kafka cannot be asked.
        """
        places = {(topic, number): begin for number, begin in begins.items()}
        found = await self._file.find(read_snapshot, _wanted(view, served, topic), places)
        if found is None:
            return None
        try:
            view.restore(found.contents)
        except Exception as error:  # it would be met again
            self._file.throw_away(f"it cannot be taken in: {type(error).__name__}")
            raise
        return {number: mark.offset for number, mark in found.source.marks[topic].items()}

    async def keep(self, view: View, served: Served, topic: str, positions: Mapping[int, int], as_of: int) -> None:
        """Write what the view holds, read up to these offsets; `as_of`: when they were known to be the newest."""
        places = {(topic, number): offset for number, offset in positions.items()}
        held = len(view.store)
        if self._file.is_due(places, as_of, held=held):
            # As of this moment; what comes while the file is written is no part of it.
            write = partial(write_snapshot, contents=view.store.contents())
            await self._file.keep(_wanted(view, served, topic), places, as_of, write, held=held)


def _wanted(view: View, served: Served, topic: str) -> WantedSnapshot:
    return WantedSnapshot(view.definitions, served.generation, {topic: served.partitions})

"""What was fetched and not handed on yet, of all partitions.

Owns the hand-over from the thread that fetches to the loop that works, and its bound. Knows neither Kafka nor Faust.

A partition's records wait here while its last batch is at work, and are one batch afterwards: so batches grow with the
load, and each costs one produce request for all its outputs.
"""

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping

from faust.types import TP

from processor.transport.fetched import Fetched

FETCHES = 4
"""So many fetches of a partition wait at most: what more there is stays in Kafka."""


class Drained:
    """Filled in one thread, emptied in another; any of the two may clear it."""

    def __init__(self, *, on_arrival: Callable[[], None], on_room: Callable[[], None]) -> None:
        """`on_arrival` is called in the thread that fills, `on_room` in the one that empties."""
        self._on_arrival = on_arrival
        self._on_room = on_room
        self._lock = threading.Lock()
        self._waiting: dict[TP, deque[list[Fetched]]] = {}

    def with_room(self, partitions: Iterable[TP]) -> set[TP]:
        """Those of which more may be put in."""
        waiting = self._waiting
        return {tp for tp in partitions if len(waiting.get(tp, ())) < FETCHES}

    def put(self, fetched: Mapping[TP, list[Fetched]]) -> None:
        """Add one fetch."""
        with self._lock:
            for tp, records in fetched.items():
                self._waiting.setdefault(TP(*tp), deque()).append(records)
        self._on_arrival()

    def take(self, partitions: Collection[TP], most: int) -> dict[TP, list[Fetched]]:
        """Of each of these partitions what waits, in order and at most `most` records; none where nothing does."""
        taken: dict[TP, list[Fetched]] = {}
        was_full = False
        with self._lock:
            for tp in [tp for tp in self._waiting if tp in partitions]:
                fetches = self._waiting[tp]
                was_full = was_full or len(fetches) >= FETCHES
                records = fetches.popleft()
                while fetches and len(records) < most:
                    records += fetches.popleft()
                if len(records) > most:
                    fetches.appendleft(records[most:])
                    del records[most:]
                if not fetches:
                    del self._waiting[tp]
                taken[tp] = records
        if was_full:
            self._on_room()
        return taken

    def clear(self) -> None:
        """Forget everything, for what comes now begins elsewhere."""
        with self._lock:
            self._waiting.clear()

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

FETCH_BYTES = 4 * 1024 * 1024
"""Per partition and fetch: twice the largest message. A batch of records is not larger than this or one message: while
a shard works on it, nothing else of this worker goes on."""


class Drained:
    """Filled in one thread, emptied in another; any of the two may clear it."""

    def __init__(self, *, on_arrival: Callable[[], None], on_room: Callable[[], None]) -> None:
        """`on_arrival` is called in the thread that fills, `on_room` in the one that empties."""
        self._on_arrival = on_arrival
        self._on_room = on_room
        self._lock = threading.Lock()
        self._waiting: dict[TP, deque[tuple[list[Fetched], int]]] = {}
        """The fetches of a partition, each with the bytes of its values."""

    def with_room(self, partitions: Iterable[TP]) -> set[TP]:
        """Those of which more may be put in."""
        waiting = self._waiting
        return {tp for tp in partitions if len(waiting.get(tp, ())) < FETCHES}

    def put(self, fetched: Mapping[TP, list[Fetched]]) -> None:
        """Add one fetch."""
        sized = {TP(*tp): (records, _bytes_of(records)) for tp, records in fetched.items()}
        with self._lock:
            for tp, part in sized.items():
                self._waiting.setdefault(tp, deque()).append(part)
        self._on_arrival()

    def take(self, partitions: Collection[TP], most: int) -> dict[TP, list[Fetched]]:
        """Of each of these partitions what waits, in order; none where nothing does.

        At most `most` records, and of several fetches no more than fits into one.
        """
        taken: dict[TP, list[Fetched]] = {}
        was_full = False
        with self._lock:
            for tp in [tp for tp in self._waiting if tp in partitions]:
                fetches = self._waiting[tp]
                was_full = was_full or len(fetches) >= FETCHES
                records, size = fetches.popleft()
                while fetches and len(records) < most and size + fetches[0][1] <= FETCH_BYTES:
                    more, its_size = fetches.popleft()
                    records += more
                    size += its_size
                if len(records) > most:
                    rest = records[most:]
                    fetches.appendleft((rest, _bytes_of(rest)))
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


def _bytes_of(records: list[Fetched]) -> int:
    return sum([len(record.value or b"") for record in records])

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

WAITING_BYTES = 64 * 1024 * 1024
"""Of all partitions together: a worker that was away has all of them full at once. Beyond it only those may put more in
of which nothing waits, so that each goes on whatever holds the others up."""

LEAST_FETCH_BYTES = 1280 * 1024
"""Per partition and fetch, however many partitions there are: a delivery or a frame with what lies around it."""


class Drained:
    """Filled in one thread, emptied in another; any of the two may clear it."""

    def __init__(self, *, on_arrival: Callable[[], None], on_room: Callable[[], None]) -> None:
        """`on_arrival` is called in the thread that fills, `on_room` in the one that empties."""
        self._on_arrival = on_arrival
        self._on_room = on_room
        self._lock = threading.Lock()
        self._waiting: dict[TP, deque[tuple[list[Fetched], int]]] = {}
        """The fetches of a partition, each with the bytes of its values."""
        self._bytes = 0
        """Of all that waits."""

    def with_room(self, partitions: Iterable[TP]) -> set[TP]:
        """Those of which more may be put in."""
        waiting, most = self._waiting, FETCHES if self._bytes < WAITING_BYTES else 1
        return {tp for tp in partitions if len(waiting.get(tp, ())) < most}

    def put(self, fetched: Mapping[TP, list[Fetched]]) -> None:
        """Add one fetch."""
        sized = {TP(*tp): (records, _bytes_of(records)) for tp, records in fetched.items()}
        with self._lock:
            for tp, part in sized.items():
                self._waiting.setdefault(tp, deque()).append(part)
                self._bytes += part[1]
        self._on_arrival()

    def take(self, partitions: Collection[TP], most: int) -> dict[TP, list[Fetched]]:
        """Of each of these partitions what waits, in order; none where nothing does.

        At most `most` records, and of several fetches no more than fits into one.
        """
        taken: dict[TP, list[Fetched]] = {}
        with self._lock:
            was_full = self._bytes >= WAITING_BYTES
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
                    left = _bytes_of(rest)
                    fetches.appendleft((rest, left))
                    size -= left
                    del records[most:]
                self._bytes -= size
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
            self._bytes = 0


def fetch_bytes(partitions: int) -> int:
    """How much of each partition one fetch may bring: aiokafka holds that of all of them beside what waits here."""
    return max(LEAST_FETCH_BYTES, min(FETCH_BYTES, WAITING_BYTES // max(partitions, 1)))


def _bytes_of(records: list[Fetched]) -> int:
    return sum([len(record.value or b"") for record in records])

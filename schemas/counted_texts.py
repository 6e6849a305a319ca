"""Texts of deliveries counted by connection, for whoever looks after it: a bounded number of each connection's.

Owns the names of such counters of stage normalise, and how many are kept: of each connection the 64 whose digests are
the smallest. So the same texts are kept whatever the order in which they come, each with its whole count, and a sender
of ever new ones takes no more room.
"""

from collections.abc import Iterable, Mapping, MutableMapping
from hashlib import blake2b

import msgspec

MAX_TEXTS = 64


class CountedTexts:
    """All counters whose names begin with `prefix`: each of a connection and some texts."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def count(
        self, counters: MutableMapping[str, int], connection: str, found: Iterable[tuple[tuple[str, ...], int]]
    ) -> None:
        """Add to the counters of a partition what deliveries of a connection said."""
        for texts, count in found:
            counter = self._counter(connection, *texts)
            counters[counter] = counters.get(counter, 0) + count
        own = self._counter(connection).removesuffix("]") + ","
        held = [counter for counter in counters if counter.startswith(own)]
        for counter in sorted(held, key=_digest)[MAX_TEXTS:]:
            del counters[counter]

    def by_connection(self, partitions: Iterable[Mapping[str, int]]) -> dict[str, list[tuple[list[str], int]]]:
        """Texts and count by connection, most frequent first: the counters of all partitions together."""
        summed: dict[str, dict[str, int]] = {}
        for counters in partitions:
            for counter, count in counters.items():
                if counter.startswith(self.prefix):
                    counts = summed.setdefault(self._texts(counter)[0], {})
                    counts[counter] = counts.get(counter, 0) + count
        return {
            connection: sorted(
                ((self._texts(counter)[1:], count) for counter, count in counts.items()),
                key=lambda each: (-each[1], each[0]),
            )
            for connection, counts in sorted(summed.items())
        }

    def _counter(self, *texts: str) -> str:
        return self.prefix + msgspec.json.encode(texts).decode()

    def _texts(self, counter: str) -> list[str]:
        return msgspec.json.decode(counter.removeprefix(self.prefix), type=list[str])


def _digest(counter: str) -> bytes:
    return blake2b(counter.encode(), digest_size=8).digest()

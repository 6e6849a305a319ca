"""How many records a group takes, and which.

Owns the bound: those whose keys have the smallest hashes. It does not depend on what was heard first, and survives
edits and deletions, for a key never changes.
"""

from collections.abc import Iterable
from hashlib import blake2b
from heapq import heapify, heappushpop

GROUP_LIMIT = 16_384
"""Records of one group, beside the lead whose group it is; so many again that merged leads hand on."""

SEPARATOR = "\0"
"""In keys of rows: between a group and a record, and between a merged lead and the record that it hands on."""


def rank_of(key: str) -> int:
    """Of a row by its key: that of its record."""
    return int.from_bytes(blake2b(key.rpartition(SEPARATOR)[2].encode()).digest()[:16], "big")


def smallest(keys: Iterable[str], most: int) -> set[str]:
    """So many of the keys: those of the smallest ranks, and of equal ranks the greater keys."""
    return set(sorted(keys, key=lambda key: (-rank_of(key), key))[-most:])


class Smallest:
    """The keys that a full group holds. Each new one costs no more than a look at the greatest rank."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._heap = [(-rank_of(key), key) for key in keys]
        heapify(self._heap)

    def offer(self, key: str) -> str:
        """The key that has no place: this one, or that of the one which it displaces."""
        return heappushpop(self._heap, (-rank_of(key), key))[1]

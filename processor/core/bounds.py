"""How many records a group takes, and which.

Owns the bound: those whose keys have the smallest hashes. It does not depend on what was heard first, and survives
edits and deletions, for a key never changes.
"""

from collections.abc import Callable, Iterable, Mapping
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


Full = dict[bool, Smallest]
"""Of a group that holds as many as it takes: its own records (False), and those handed on."""


def take_members(
    rows: Mapping[str, bytes], news: Iterable[str], full: Full, is_exempt: Callable[[str], bool]
) -> tuple[list[str], list[str], int]:
    """The keys of what a group takes of news, those of what it lets go for it, and how many have found no place.

    `is_exempt`: keys that are always taken, and take no place.
    """
    keys = sorted(news)
    taken = dict.fromkeys(key for key in keys if key in rows or is_exempt(key))
    held = [key for key in rows if not is_exempt(key)]
    counts = {is_handed: sum(1 for key in held if (SEPARATOR in key) == is_handed) for is_handed in (False, True)}
    gone: list[str] = []
    refused = 0
    for key in keys:
        if key in taken:
            continue
        is_handed = SEPARATOR in key
        if counts[is_handed] < GROUP_LIMIT:
            counts[is_handed] += 1
            taken[key] = None
            continue
        if is_handed not in full:
            alike = {one for one in {*rows, *taken} if (SEPARATOR in one) == is_handed and not is_exempt(one)}
            full[is_handed] = Smallest(alike)
        over = full[is_handed].offer(key)
        refused += 1
        if over != key:
            taken[key] = None
            taken.pop(over, None)
            if over in rows:
                gone.append(over)
    return sorted(taken), gone, refused

"""Words of a CRM that have no counterpart here, counted by connection: for whoever is to say what they mean.

Owns the names of these counters of stage normalise, and how many are kept: as with unknown names, of each connection
the 64 whose digests are the smallest, so the order in which they come makes no difference. All of them together are
counted in `ignored.unmapped_value`.
"""

from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from hashlib import blake2b

import msgspec

PREFIX = "unmapped."
MAX_WORDS = 64


@dataclass(frozen=True, slots=True)
class UnmappedWord:
    """A word that a field of such a record was said by."""

    record: str
    field: str
    word: str
    count: int


def count_unmapped(
    counters: MutableMapping[str, int], connection: str, found: Mapping[tuple[str, str, str], int]
) -> None:
    """Add to the counters of a partition what deliveries of a connection said that means nothing here."""
    for named, count in found.items():
        counter = _counter(connection, *named)
        counters[counter] = counters.get(counter, 0) + count
    held = [counter for counter in counters if counter.startswith(_counter(connection))]
    for counter in sorted(held, key=_digest)[MAX_WORDS:]:
        del counters[counter]


def unmapped_words(counters: Iterable[Mapping[str, int]]) -> dict[str, list[UnmappedWord]]:
    """By connection, most frequent first: the counters of all partitions together."""
    summed: dict[str, dict[tuple[str, str, str], int]] = {}
    for partition in counters:
        for counter, count in partition.items():
            if counter.startswith(PREFIX):
                connection, *named = _parts(counter)
                words = summed.setdefault(connection, {})
                words[named[0], named[1], named[2]] = words.get((named[0], named[1], named[2]), 0) + count
    return {
        connection: sorted(
            (UnmappedWord(*named, count) for named, count in words.items()),
            key=lambda each: (-each.count, each.record, each.field, each.word),
        )
        for connection, words in sorted(summed.items())
    }


def _counter(connection: str, *named: str) -> str:
    written = msgspec.json.encode([connection, *named]).decode()
    return PREFIX + (written if named else written.removesuffix("]") + ",")


def _parts(counter: str) -> tuple[str, str, str, str]:
    return msgspec.json.decode(counter.removeprefix(PREFIX), type=tuple[str, str, str, str])


def _digest(counter: str) -> bytes:
    return blake2b(counter.encode(), digest_size=8).digest()

"""Names that nobody here knows, of fields and of kinds of records, counted by connection: for whoever misspelt one.

Owns the names of these counters of stage normalise, and how many are kept: of each connection the 64 whose digests are
the smallest. So the same names are kept whatever the order in which they come, each with its whole count, and a sender
of ever new names takes no more room. All of them together are counted in `ignored.unknown_field` and
`ignored.unknown_kind`.
"""

from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from hashlib import blake2b

import msgspec

PREFIX = "unknown."
MAX_NAMES = 64


@dataclass(frozen=True, slots=True)
class UnknownName:
    """A field that records of that kind do not have, or with `record` as its name a kind that there is not."""

    record: str
    name: str
    count: int


def count_unknown(counters: MutableMapping[str, int], connection: str, found: Mapping[tuple[str, str], int]) -> None:
    """Add to the counters of a partition what deliveries of a connection said that is not known."""
    for (record, name), count in found.items():
        counter = _counter(connection, record, name)
        counters[counter] = counters.get(counter, 0) + count
    held = [counter for counter in counters if counter.startswith(_counter(connection))]
    for counter in sorted(held, key=_digest)[MAX_NAMES:]:
        del counters[counter]


def unknown_names(counters: Iterable[Mapping[str, int]]) -> dict[str, list[UnknownName]]:
    """By connection, most frequent first: the counters of all partitions together."""
    summed: dict[str, dict[str, int]] = {}
    for partition in counters:
        for counter, count in partition.items():
            if counter.startswith(PREFIX):
                connection = _parts(counter)[0]
                names = summed.setdefault(connection, {})
                names[counter] = names.get(counter, 0) + count
    return {
        connection: sorted(
            (UnknownName(*_parts(counter)[1:], count) for counter, count in names.items()),
            key=lambda each: (-each.count, each.record, each.name),
        )
        for connection, names in sorted(summed.items())
    }


def _counter(connection: str, *names: str) -> str:
    written = msgspec.json.encode([connection, *names]).decode()
    return PREFIX + (written if names else written.removesuffix("]") + ",")


def _parts(counter: str) -> tuple[str, str, str]:
    return msgspec.json.decode(counter.removeprefix(PREFIX), type=tuple[str, str, str])


def _digest(counter: str) -> bytes:
    return blake2b(counter.encode(), digest_size=8).digest()

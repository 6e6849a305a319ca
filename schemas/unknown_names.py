"""Names that nobody here knows, of fields and of kinds of records, counted by connection: for whoever misspelt one.

All of them together are counted in `ignored.unknown_field` and `ignored.unknown_kind`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from schemas.counted_texts import CountedTexts

UNKNOWN = CountedTexts("unknown.")


@dataclass(frozen=True, slots=True)
class UnknownName:
    """A field that records of that kind do not have, or with `record` as its name a kind that there is not."""

    record: str
    name: str
    count: int


def unknown_names(counters: Iterable[Mapping[str, int]]) -> dict[str, list[UnknownName]]:
    """By connection, most frequent first: the counters of all partitions together."""
    return {
        connection: [UnknownName(record, name, count) for (record, name), count in found]
        for connection, found in UNKNOWN.by_connection(counters).items()
    }

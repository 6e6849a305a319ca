"""Words of a CRM that have no counterpart here, counted by connection: for whoever is to say what they mean.

All of them together are counted in `ignored.unmapped_value`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from schemas.counted_texts import CountedTexts

UNMAPPED = CountedTexts("unmapped.")


@dataclass(frozen=True, slots=True)
class UnmappedWord:
    """A word that a field of such a record was said by."""

    record: str
    field: str
    word: str
    count: int


def unmapped_words(counters: Iterable[Mapping[str, int]]) -> dict[str, list[UnmappedWord]]:
    """By connection, most frequent first: the counters of all partitions together."""
    return {
        connection: [UnmappedWord(record, field, word, count) for (record, field, word), count in found]
        for connection, found in UNMAPPED.by_connection(counters).items()
    }

"""Texts of deliveries counted by connection, for whoever looks after it: a bounded number of each connection's.

These are names that nobody here knows, for whoever misspelt one (all together in `ignored.unknown_field` and
`ignored.unknown_kind`), and words of a CRM without a counterpart, for whoever is to say what they mean (all together in
`ignored.unmapped_value`).

Owns the names of such counters of stage normalise, and how many are kept: of each connection the 64 whose digests are
the smallest. So the same texts are kept whatever the order in which they come, each with its whole count, and a sender
of ever new ones takes no more room.
"""

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Generic, TypeVar

import msgspec

MAX_TEXTS = 64
_Counted = TypeVar("_Counted")


@dataclass(frozen=True, slots=True)
class UnknownName:
    """A field that records of that kind do not have, or with `record` as its name a kind that there is not."""

    record: str
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class UnmappedWord:
    """A word that a field of such a record was said by."""

    record: str
    field: str
    word: str
    count: int


class CountedTexts(Generic[_Counted]):
    """All counters whose names begin with `prefix`: each of a connection and some texts."""

    def __init__(self, prefix: str, made: Callable[..., _Counted]) -> None:
        """`made`: what is made of the texts and their count."""
        self.prefix = prefix
        self._made = made

    def count(
        self, counters: MutableMapping[str, int], connection: str, found: Iterable[tuple[tuple[str, ...], int]]
    ) -> None:
        """Add to the counters of a partition what deliveries of a connection said."""
        for texts, count in found:
            counter = self._counter(connection, *texts)
            counters[counter] = counters.get(counter, 0) + count
        own = self._counter(connection).removesuffix("]") + ","
        held = [counter for counter in counters if counter.startswith(own)]
        for counter in sorted(held, key=lambda counter: blake2b(counter.encode(), digest_size=8).digest())[MAX_TEXTS:]:
            del counters[counter]

    def by_connection(self, partitions: Iterable[Mapping[str, int]]) -> dict[str, list[_Counted]]:
        """By connection, most frequent first: the counters of all partitions together."""
        summed: dict[str, dict[str, int]] = {}
        for counters in partitions:
            for counter, count in counters.items():
                if counter.startswith(self.prefix):
                    counts = summed.setdefault(self._texts(counter)[0], {})
                    counts[counter] = counts.get(counter, 0) + count
        return {
            connection: [
                self._made(*texts, -less)
                for less, texts in sorted((-count, self._texts(counter)[1:]) for counter, count in counts.items())
            ]
            for connection, counts in sorted(summed.items())
        }

    def _counter(self, *texts: str) -> str:
        return self.prefix + msgspec.json.encode(texts).decode()

    def _texts(self, counter: str) -> list[str]:
        return msgspec.json.decode(counter.removeprefix(self.prefix), type=list[str])


UNKNOWN = CountedTexts("unknown.", UnknownName)
UNMAPPED = CountedTexts("unmapped.", UnmappedWord)

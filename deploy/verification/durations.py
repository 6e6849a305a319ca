"""Metrics of type `duration`: how long it took from one instant of a fact to another. Percentiles, exactly."""

import math
from array import array
from collections.abc import Iterator, Sequence
from datetime import date
from fractions import Fraction

from deploy.verification.conditions import Fact, first_set
from deploy.verification.definitions import Entry, names
from deploy.verification.measures import Counted, Exact, Measure, Sum
from deploy.verification.shapes import DAY, SECOND
from deploy.verification.spans import Span
from deploy.verification.terms import Terms


class Duration(Measure):
    """A sample for each fact, at its end unless the entry says otherwise."""

    def __init__(self, entry: Entry, terms: Terms, *, since: date = date.min, until: date = date.max) -> None:
        super().__init__(entry, terms, since=since, until=until)
        self._start, self._end = names(entry["start"]), names(entry["end"])
        self._at = self._at or self._end
        self._office = terms.office if entry.get("clock") == "business" else None

    def _of(self, fact: Fact) -> Iterator[Counted]:
        start, end, when = first_set(fact, self._start), first_set(fact, self._end), self.moment(fact)
        if when is None or start is None or end is None or end < start or not self.meets(fact, when[1]):
            return
        took = end - start if self._office is None else self._office.between(start, end)
        for rep in self.credited(fact):
            yield Counted(self, rep, *when, took, fact)

    def empty(self, span: Span) -> Sum:
        return Samples(self.entry["stat"], DAY if self.entry.get("unit") == "days" else SECOND)


class Samples(Sum):
    """Lengths of time, and what is asked of them."""

    def __init__(self, stat: str, unit: int) -> None:
        self._stat = stat
        self._unit = unit
        self._lengths = array("q")

    def add(self, counted: Counted) -> None:
        self._lengths.append(counted.what)

    def value(self) -> Exact:
        share = share_of(self._stat)
        if self._stat == "sum":
            return Fraction(sum(self._lengths), self._unit)
        if not self._lengths:
            return None
        if share is None:
            return Fraction(sum(self._lengths), self._unit * len(self._lengths))
        return percentile(sorted(self._lengths), share) / self._unit


def share_of(stat: str) -> Fraction | None:
    """`p50` is a half; None of what is no percentile."""
    return Fraction(int(stat[1:]), 100) if stat[:1] == "p" and stat[1:].isdigit() else None


def percentile(ascending: Sequence[int | Fraction], share: Fraction) -> Fraction:
    """PERCENTILE_CONT: linear between the two ranks around share · (n - 1), counted from 0."""
    rank = share * (len(ascending) - 1)
    low, high = ascending[math.floor(rank)], ascending[math.ceil(rank)]
    return low + (rank - math.floor(rank)) * (high - low)

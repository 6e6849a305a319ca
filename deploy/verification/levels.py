"""Metrics of type `level`: how much there is at the end of a window."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any, NamedTuple

from deploy.verification.conditions import Fact, first_set
from deploy.verification.definitions import Definitions, Entry, names
from deploy.verification.measures import Aggregate, Counted, Different, Exact, Sum, Total
from deploy.verification.spans import DayOf, Span
from deploy.verification.terms import Terms


class Stay(NamedTuple):
    """What was there from an instant to another: None stands for always and for still."""

    start: int | None
    end: int | None
    what: Any


class Level(Aggregate):
    """A fact is there from its start until its end."""

    def __init__(self, entry: Entry, terms: Terms) -> None:
        super().__init__(entry, terms)
        self._start, self._end = names(entry.get("start")), names(entry.get("end"))

    def _of(self, fact: Fact) -> Iterator[Counted]:
        start, end = first_set(fact, self._start), first_set(fact, self._end)
        if start is not None and end is not None and end <= start:
            return
        began = start if start is not None else end
        on = date.min if began is None else self.terms.people.day_of(began)
        what = self._what(fact, on) if self.meets(fact, on) else None
        if what is not None:
            for rep in self.credited(fact):
                yield Counted(self, rep, None, None, Stay(start, end, what), fact)

    def empty(self, span: Span) -> Sum:
        day_of = self.terms.people.day_of
        if self.entry.get("stat") == "kept":
            return Kept(span, day_of)
        return AtEnd(Different(1) if self._agg == "distinct" else Total(), span, day_of)


def levels_of(definitions: Definitions) -> Definitions:
    """The levels alone, and of each only whether there is something of it: whatever that is worth, it stands."""
    own = {name: entry for name, entry in definitions.metrics.items() if entry.get("type") == "level"}
    plain = {name: {**entry, "agg": "count"} if entry["agg"] == "sum" else entry for name, entry in own.items()}
    return replace(definitions, metrics=plain)


def lasts(counted: Counted) -> bool:
    """Whether something has no end; who is counted by different ids has to have some."""
    stay: Stay = counted.what
    return stay.end is None and stay.what != ()


def _is_there_at_end(span: Span, stay: Stay, day_of: DayOf) -> bool:
    has_begun = stay.start is None or span.has_come(stay.start, day_of)
    return has_begun and (stay.end is None or not span.has_come(stay.end, day_of))


def _was_there_before(span: Span, stay: Stay, day_of: DayOf) -> bool:
    had_begun = stay.start is None or span.was_before(stay.start, day_of)
    return had_begun and (stay.end is None or not span.was_before(stay.end, day_of))


class AtEnd(Sum):
    """What is there at the end, summed up."""

    def __init__(self, those: Sum, span: Span, day_of: DayOf) -> None:
        self._those, self._span, self._day_of = those, span, day_of

    def add(self, counted: Counted) -> None:
        if _is_there_at_end(self._span, counted.what, self._day_of):
            self._those.add(replace(counted, what=counted.what.what))

    def value(self) -> Exact:
        return self._those.value()


class Kept(Sum):
    """Of those that were there at the beginning, the share that is there at the end."""

    def __init__(self, span: Span, day_of: DayOf) -> None:
        self._span, self._day_of = span, day_of
        self._before: set[Any] = set()
        self._after: set[Any] = set()

    def add(self, counted: Counted) -> None:
        if _was_there_before(self._span, counted.what, self._day_of):
            self._before.update(counted.what.what)
        if _is_there_at_end(self._span, counted.what, self._day_of):
            self._after.update(counted.what.what)

    def value(self) -> Exact:
        return Fraction(len(self._before & self._after), len(self._before)) if self._before else None

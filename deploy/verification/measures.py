"""What is counted, one by one: a definition applied to facts gives entries, and entries of a window give a value.

Owns what all types have in common, and `simple`. `durations`, `levels`, `conversions` and `responses` have one other
type each; `formulas` makes ratios and derived metrics of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from deploy.verification.conditions import Fact, condition, elements, first_set, number_in
from deploy.verification.definitions import Entry, duration, mentions, names
from deploy.verification.shapes import DAY, SECOND
from deploy.verification.spans import Span
from deploy.verification.terms import Terms

Exact = int | Fraction | None
REP_DAYS = "rep.days"
"""The one fact that nothing is said of: people and days, made when somebody asks for a window."""


_WAYS = ("type", "agg", "stat", "at_least", "keep", "open", "within")


@dataclass(frozen=True, slots=True)
class Counted:
    """Something that counts for a measure, and whose it is."""

    measure: Measure
    rep: str | None
    at: int | None
    day: date | None
    """None: it lasts, and counts in every window (`level`)."""
    what: Any
    fact: Fact
    begins: int | None = None
    """From when on it is true; None: always. Before the first touch of a lead has come, the lead is its owner's."""
    ends: int | None = None

    def holds(self, now: int) -> bool:
        """Whether it is true at `now`."""
        return (self.begins is None or self.begins <= now) and (self.ends is None or now < self.ends)


class Sum(ABC):
    """What has been counted for one measure, scope and window."""

    @abstractmethod
    def add(self, counted: Counted) -> None:
        """Take in one more."""

    @abstractmethod
    def value(self) -> Exact:
        """What it comes to."""

    def bound(self) -> Exact:
        """What a value that nobody knows yet is at least."""
        return None


class Measure:
    """One thing that is counted. Types are subclasses: `_of` says what a fact counts, `empty` how it is summed up."""

    def __init__(self, entry: Entry, terms: Terms, *, since: date = date.min, until: date = date.max) -> None:
        """Counts what happens on days from `since` on, before `until`."""
        self.entry = entry
        self.terms = terms
        self.sources = names(entry.get("from"))
        self.way = tuple(str(entry.get(key)) for key in _WAYS)
        """How it is summed up: versions of an entry that differ in that are summed up apart."""
        self.since, self.until = since, until
        self._where = condition(entry.get("where"))
        self._asks_whether_valued = mentions(entry.get("where"), "valued")
        self._takes_internal = mentions(entry.get("where"), "internal")
        self._at = names(entry.get("at"))
        self._credit = names(entry.get("credit"))

    def of(self, fact: Fact) -> Iterator[Counted]:
        """What a fact of one of the sources counts."""
        if fact.get("internal") is True and not self._takes_internal and fact.get("record") in ("call", "meeting"):
            return
        yield from self._of(fact)

    def _of(self, fact: Fact) -> Iterator[Counted]:
        raise NotImplementedError

    def empty(self, span: Span) -> Sum:
        """Nothing counted so far, in a window."""
        raise NotImplementedError

    def lacks(self, span: Span) -> bool:
        """Whether the window begins before what is kept for this measure."""
        del span
        return False

    def moment(self, fact: Fact) -> tuple[int | None, date] | None:
        """When a fact counts; None if never, or not on the days of this version."""
        at = first_set(fact, self._at)
        if at is None:
            return None
        on = at if isinstance(at, date) else self.terms.people.day_of(at)
        return (None if isinstance(at, date) else at, on) if self.since <= on < self.until else None

    def meets(self, fact: Fact, on: date) -> bool:
        """Whether a fact meets `where`; rates are those of the day."""
        if self._asks_whether_valued:
            fact = {**fact, "valued": self.terms.rate(fact.get("currency"), on) is not None}
        return self._where(fact)

    def credited(self, fact: Fact) -> list[str | None]:
        """For whom it counts: for the organisation alone where nobody is named."""
        return elements(first_set(fact, self._credit)) or [None]

    def in_money(self, fact: Fact, number: Fraction, on: date) -> Fraction | None:
        """An amount in the organisation's currency; None without a rate."""
        rate = self.terms.rate(fact.get("currency"), on)
        return None if rate is None else number * rate


def difference_of(written: Any) -> Callable[[Fact], Fraction]:
    """`a` or `a - b`: what a field, or the difference of two, comes to; what is not set is 0."""
    first, _, second = (part.strip() for part in str(written).partition(" - "))
    if not second:
        return lambda fact: number_in(fact, first) or Fraction(0)
    return lambda fact: (number_in(fact, first) or Fraction(0)) - (number_in(fact, second) or Fraction(0))


class Aggregate(Measure):
    """What a fact comes to, by the `agg` of an entry: one, an amount, or ids."""

    def __init__(self, entry: Entry, terms: Terms, *, since: date = date.min, until: date = date.max) -> None:
        super().__init__(entry, terms, since=since, until=until)
        self._agg = entry["agg"]
        self._of_what = names(entry.get("of"))
        self._value = difference_of(entry["value"]) if self._agg == "sum" else None
        self._per_unit = Fraction(DAY, SECOND) if entry.get("unit") == "days" else Fraction(1)

    def _what(self, fact: Fact, on: date) -> Any:
        if self._agg == "distinct":
            return tuple(elements(first_set(fact, self._of_what)))
        if self._value is None:
            return 1
        amount = self._value(fact)
        return self.in_money(fact, amount, on) if self.entry.get("unit") == "money" else amount / self._per_unit


class Simple(Aggregate):
    """How many, how much, how many different ones, on how many days."""

    def __init__(self, entry: Entry, terms: Terms, *, since: date = date.min, until: date = date.max) -> None:
        super().__init__(entry, terms, since=since, until=until)
        self._at_least = int(entry.get("at_least", 1))
        self._keep = duration(entry.get("keep", "35d"))

    def _of(self, fact: Fact) -> Iterator[Counted]:
        if not (self._asks_whether_valued or self._where(fact)):
            return
        when = self.moment(fact)
        if when is None or (self._asks_whether_valued and not self.meets(fact, when[1])):
            return
        what = self._what(fact, when[1])
        if what is None:
            return
        for rep in self.credited(fact):
            if self._agg != "days" or rep is not None:
                yield Counted(self, rep, *when, ((rep, when[1]),) if self._agg == "days" else what, fact)

    def empty(self, span: Span) -> Sum:
        if self._agg == "distinct":
            return Different(self._at_least)
        return Different(1) if self._agg == "days" else Total()

    def lacks(self, span: Span) -> bool:
        is_bounded = self._agg == "distinct" and REP_DAYS not in self.sources
        return is_bounded and span.first < span.today - timedelta(microseconds=self._keep)


class Total(Sum):
    """A number that grows."""

    def __init__(self) -> None:
        self._total: int | Fraction = 0

    def add(self, counted: Counted) -> None:
        self._total += counted.what

    def value(self) -> Exact:
        return self._total


class Different(Sum):
    """How many different ids, or pairs of person and day, there are that occur so often."""

    def __init__(self, at_least: int) -> None:
        self._at_least = at_least
        self._seen: Counter[Any] = Counter()

    def add(self, counted: Counted) -> None:
        self._seen.update(counted.what)

    def value(self) -> Exact:
        return sum(times >= self._at_least for times in self._seen.values())


def limit_of(entry: Mapping[str, Any], name: str) -> int | None:
    """A duration of an entry, in microseconds."""
    return None if entry.get(name) is None else duration(entry[name])

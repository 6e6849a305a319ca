"""Metrics of type `conversion`: what became of those that a simple metric counts."""

from collections.abc import Iterator, Mapping
from datetime import date
from fractions import Fraction
from typing import Any, NamedTuple

from deploy.verification.conditions import Fact, condition, first_set
from deploy.verification.definitions import Entry, names
from deploy.verification.measures import Counted, Exact, Measure, Simple, Sum, limit_of
from deploy.verification.spans import Span
from deploy.verification.terms import Terms

_FAILED: Mapping[str, Mapping[str, Any]] = {
    "deal": {"status": "lost"},
    "lead.deals": {"status": "lost"},
    "lead": {"status": "disqualified"},
}


class Fate(NamedTuple):
    """What became of one, and when that is decided by time alone."""

    has_succeeded: bool
    has_failed: bool
    over_at: int | None


class Conversion(Measure):
    """Each member of the base, at its instant."""

    def __init__(
        self, entry: Entry, base: Entry, terms: Terms, *, since: date = date.min, until: date = date.max
    ) -> None:
        super().__init__(entry, terms, since=since, until=until)
        self._base = Simple(base, terms, since=since, until=until)
        self.sources = self._base.sources
        self._to = condition(entry["to"])
        self._at_to = names(entry.get("at_to"))
        self._within = limit_of(entry, "within")
        own = entry.get("failed")
        said = map(_FAILED.get, self.sources) if own is None else [own]  # an empty one: only time ends it
        self._fails = [condition(wanted) for wanted in said if wanted]

    def of(self, fact: Fact) -> Iterator[Counted]:
        for member in self._base.of(fact):
            over_at = None if self._within is None or member.at is None else member.at + self._within
            succeeded_at = first_set(fact, self._at_to)
            is_in_time = over_at is None or (succeeded_at is not None and succeeded_at <= over_at)
            has_succeeded = self._to(fact) and is_in_time
            has_failed = not has_succeeded and any(fails(fact) for fails in self._fails)
            fate = Fate(has_succeeded, has_failed, over_at)
            yield Counted(self, member.rep, member.at, member.day, fate, fact)

    def empty(self, span: Span) -> Sum:
        return Fates(span.now, self.entry.get("open") == "due")


class Fates(Sum):
    """Succeeded ÷ those that have succeeded or failed by now, or ÷ all."""

    def __init__(self, now: int, is_due: bool) -> None:
        self._now, self._is_due = now, is_due
        self._succeeded = self._all = 0

    def add(self, counted: Counted) -> None:
        fate: Fate = counted.what
        is_over = fate.over_at is not None and fate.over_at <= self._now
        self._succeeded += fate.has_succeeded
        self._all += fate.has_succeeded or fate.has_failed or is_over or not self._is_due

    def value(self) -> Exact:
        return Fraction(self._succeeded, self._all) if self._all else None

"""Kinds `due`, `due_share` and `response_percentile`: what depends on the reader's clock.

A lead without an answer is due once the reader's clock has passed its due instant. It then counts as longer than any
answered one: where a percentile falls on such a lead its value is unknown, and the bound says what it is at least.
"""

from dataclasses import dataclass

from schemas.catalogue.base import Entry, Reading, Result, in_unit, overdue, total
from schemas.catalogue.percentiles import between, rank
from schemas.panes import Pane


@dataclass(frozen=True, slots=True)
class Due:
    """Leads answered, and those whose SLA has run out without an answer."""

    entry: Entry

    def result(self, pane: Pane, reading: Reading) -> Result:
        return Result(total(pane, self.entry.of) + len(overdue(pane, reading.now)))


@dataclass(frozen=True, slots=True)
class DueShare:
    """`of` divided by the leads due, of which `by` are answered. None due: None."""

    entry: Entry

    def result(self, pane: Pane, reading: Reading) -> Result:
        due = total(pane, self.entry.by) + len(overdue(pane, reading.now))
        return Result(total(pane, self.entry.of) / due if due else None)


@dataclass(frozen=True, slots=True)
class ResponsePercentile:
    """A percentile over due leads, answered or not."""

    entry: Entry

    def result(self, pane: Pane, reading: Reading) -> Result:
        answered = pane.get(self.entry.of[0], [])
        waiting = overdue(pane, reading.now)
        size = len(answered) + len(waiting)
        if not size:
            return Result(None)
        unit = self.entry.unit
        lower, weight = rank(size, self.entry.percentile or 0.5)
        if lower + (weight > 0) < len(answered):
            return Result(in_unit(between(answered, lower, weight), unit))
        longest = answered[-1] if answered else 0
        least = [*answered, *sorted(max(reading.now - start, longest) for start, _ in waiting)]
        return Result(None, in_unit(between(least, lower, weight), unit))

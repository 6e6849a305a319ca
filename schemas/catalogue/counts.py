"""Kinds `count` and `duration`: sums of what the panes hold. Nothing happened: 0."""

from dataclasses import dataclass

from schemas.catalogue.base import Entry, Reading, Result, in_unit, total
from schemas.panes import Pane


@dataclass(frozen=True, slots=True)
class Count:
    """A number of things."""

    entry: Entry

    def result(self, pane: Pane, reading: Reading) -> Result:
        return Result(total(pane, self.entry.of))


@dataclass(frozen=True, slots=True)
class Duration:
    """Microseconds of the panes, in the unit of the metric."""

    entry: Entry

    def result(self, pane: Pane, reading: Reading) -> Result:
        return Result(in_unit(total(pane, self.entry.of), self.entry.unit))

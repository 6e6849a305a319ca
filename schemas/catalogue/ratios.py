"""Kind `ratio`: merged sums divided, never a mean of ratios. Divisor 0: None."""

from dataclasses import dataclass

from schemas.catalogue.base import Entry, Reading, Result, total
from schemas.panes import Pane


@dataclass(frozen=True, slots=True)
class Ratio:
    """`of` divided by `by`."""

    entry: Entry

    def result(self, pane: Pane, reading: Reading) -> Result:
        divisor = total(pane, self.entry.by)
        return Result(total(pane, self.entry.of) / divisor if divisor else None)

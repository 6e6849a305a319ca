"""Kind `percentile`: linear between ranks (PERCENTILE_CONT) over a merged, sorted sample. Empty sample: None."""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.catalogue.base import Entry, Reading, Result, in_unit
from schemas.panes import Pane


@dataclass(frozen=True, slots=True)
class Percentile:
    """A percentile of a sample of microseconds, in the unit of the metric."""

    entry: Entry

    def result(self, pane: Pane, reading: Reading) -> Result:
        sample = pane.get(self.entry.of[0], [])
        if not sample:
            return Result(None)
        return Result(in_unit(between(sample, *rank(len(sample), self.entry.percentile or 0.5)), self.entry.unit))


def rank(size: int, percentile: float) -> tuple[int, float]:
    """The lower of the two places between which the percentile lies, and how far it is to the next."""
    place = percentile * (size - 1)
    lower = int(place)
    return lower, place - lower


def between(sample: Sequence[int], lower: int, weight: float) -> float:
    """The value at a rank of a sorted sample."""
    return sample[lower] + (sample[lower + 1] - sample[lower]) * weight if weight else sample[lower]

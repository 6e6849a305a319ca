"""Type `ratio`: merged sums divided, never a mean of ratios. Divisor 0: None."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Tag

from schemas.catalogue.base import (
    Entry,
    Exact,
    LacksDimensionError,
    MetricReader,
    Reading,
    References,
    Result,
    RoughReader,
    shown,
)
from schemas.catalogue.plan import Measure
from schemas.catalogue.rough import Rough, TotalsOf, rough_ratio
from schemas.catalogue.simple import Inner, Simple, reader_of
from schemas.catalogue.where import EntryError
from schemas.documents.values import Model
from schemas.panes import Pane


class Narrowed(Model):
    """Another metric's rows that meet one more condition."""

    metric: str
    where: dict[str, Any]

    def narrow(self, entry: Entry) -> Entry:
        """An entry of that metric with the condition added. Raises EntryError."""
        if not isinstance(entry, Simple):
            raise EntryError(("metric",), f"{self.metric} is not of type simple")
        return entry.narrowed(self.where)


RatioPart = str | Narrowed | Inner


def _way_of(part: object) -> str:
    """How a part is written. What is wrong with it is said in the words of that way alone."""
    if isinstance(part, str):
        return "by name"
    is_narrowed = "metric" in part if isinstance(part, Mapping) else isinstance(part, Narrowed)
    return "narrowed" if is_narrowed else "in place"


_Part = Annotated[
    Annotated[str, Tag("by name")] | Annotated[Narrowed, Tag("narrowed")] | Annotated[Inner, Tag("in place")],
    Discriminator(_way_of),
]


class Ratio(Entry):
    """`numerator` divided by `denominator`."""

    type: Literal["ratio"]
    numerator: _Part
    denominator: _Part

    def bind(self, catalogue: References) -> "RatioReader":
        """Raises EntryError."""
        return RatioReader(
            self.unit,
            _reader_of(self.numerator, "numerator", catalogue),
            _reader_of(self.denominator, "denominator", catalogue),
        )


def _reader_of(part: RatioPart, setting: str, catalogue: References) -> MetricReader:
    if isinstance(part, str):
        return catalogue.reader(part, (setting,))
    try:
        if isinstance(part, Inner):
            return reader_of(part, part.unit, catalogue, setting)
        return catalogue.entry(part.metric, ("metric",)).each(part.narrow).bind(catalogue)
    except LacksDimensionError as error:
        name = setting if isinstance(part, Inner) else part.metric
        raise LacksDimensionError(name, error.dimension) from None
    except EntryError as error:
        error.path = (setting, *error.path)
        raise


@dataclass(frozen=True, slots=True)
class RatioReader:
    """Divides what two others say."""

    unit: str
    numerator: MetricReader
    denominator: MetricReader

    @property
    def measures(self) -> Sequence[Measure]:
        return (*self.numerator.measures, *self.denominator.measures)

    def exact(self, pane: Pane, reading: Reading) -> Exact:
        part, whole = self.numerator.exact(pane, reading), self.denominator.exact(pane, reading)
        return Fraction(part) / whole if whole and part is not None else None

    def rough(self, totals: TotalsOf, size: int) -> Rough | None:
        if not isinstance(self.numerator, RoughReader) or not isinstance(self.denominator, RoughReader):
            return None
        part, whole = self.numerator.rough(totals, size), self.denominator.rough(totals, size)
        return None if part is None or whole is None else rough_ratio(part, whole)

    def sample(self, pane: Pane, reading: Reading) -> Exact:
        return self.denominator.exact(pane, reading)

    def result(self, pane: Pane, reading: Reading) -> Result:
        part, whole = self.numerator.exact(pane, reading), self.denominator.exact(pane, reading)
        if not whole or part is None:
            return Result(None)
        if self.unit != "money" and isinstance(part, int) and isinstance(whole, int):
            return Result(part / whole)  # of whole numbers this is the nearest double too
        return Result(shown(Fraction(part) / whole, self.unit, reading))

"""What every type of metric is: an entry of `metrics.yaml`, made into what it counts and how it is read.

Owns the entry and the protocol. Each type is one file beside this one.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from pydantic import Field

from schemas.catalogue.examples import Benchmark, Example
from schemas.catalogue.narrowing import Narrowing
from schemas.catalogue.plan import Measure
from schemas.catalogue.rough import Rough, TotalsOf
from schemas.catalogue.rules import Rules
from schemas.catalogue.where import EntryError
from schemas.documents.values import Model
from schemas.instants import DAY, SECOND
from schemas.panes import Pane

MetricValue = int | float | str | None
"""A count, a share or duration, money as a decimal string; None: nothing happened that a value could be made of."""

Exact = int | Fraction | None
"""A value before it is shown, in the unit of its metric."""

JsonText = str | int | None

Unit = Literal["count", "number", "ratio", "seconds", "days", "money"]


class Result(NamedTuple):
    """The value, and where it is None because the rank falls on a lead without an answer, what it is at least."""

    value: MetricValue
    bound: float | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a metric may look at besides the pane."""

    now: int
    """The reader's clock (microseconds): leads without an answer count once it has passed their due instant."""
    money_digits: int
    """Digits after the point of the organisation's currency."""


class MetricReader(Protocol):
    """A metric under the rules of a configuration: what it has counted, and what it makes of merged panes.

    Ratios and percentiles are made here, never merged.
    """

    @property
    def measures(self) -> Sequence[Measure]:
        """What has to be counted for it."""

    def exact(self, pane: Pane, reading: Reading) -> Exact:
        """The value, in the metric's unit, as others are made of it."""

    def result(self, pane: Pane, reading: Reading) -> Result:
        """The value as it is shown."""


@dataclass(frozen=True, slots=True)
class ShownReader(ABC):
    """A reader whose values are shown in the unit of its metric."""

    unit: str

    @abstractmethod
    def exact(self, pane: Pane, reading: Reading) -> Exact: ...

    def result(self, pane: Pane, reading: Reading) -> Result:
        return Result(shown(self.exact(pane, reading), self.unit, reading))


@runtime_checkable
class Sampled(Protocol):
    """A reader that can say of how many cases its value is made, so that whoever sees it can judge it."""

    def sample(self, pane: Pane, reading: Reading) -> Exact:
        """The divisor of a share or mean, or how many cases there are; None: there is no saying."""


@runtime_checkable
class RoughReader(Protocol):
    """A reader that can say about how large a metric of everybody is, without looking at each."""

    def rough(self, totals: TotalsOf, size: int) -> Rough | None:
        """Of so many people. None: there is no saying."""


def sample_of(reader: MetricReader, pane: Pane, reading: Reading) -> Exact:
    """How many cases a value is made of; of counts and sums it is the value itself."""
    return reader.sample(pane, reading) if isinstance(reader, Sampled) else reader.exact(pane, reading)


def value_of_nothing(reader: MetricReader) -> Exact:
    """What it is where nothing has happened: 0 for counts and sums, none for shares, any number for a formula."""
    return reader.exact({}, Reading(now=0, money_digits=0))


class References(Protocol):
    """What an entry may ask of the catalogue that it stands in. Raises EntryError for what there is not."""

    rules: Rules
    narrowing: Narrowing
    """Which part of the metric is meant that is bound."""

    def entry(self, name: str, path: tuple[str | int, ...]) -> "Entry":
        """Another entry."""

    def reader(self, name: str, path: tuple[str | int, ...]) -> MetricReader:
        """Another metric, as much of it as is meant."""

    def narrowed(self, narrowing: Narrowing) -> "References":
        """The same catalogue, of which something else is meant."""


class LacksDimensionError(EntryError):
    """A metric, or a part of one, is not counted by a dimension."""

    def __init__(self, metric: str, dimension: str, *, is_named: bool = False) -> None:
        """`is_named`: the metric is called by its name, and not by what it is a part of."""
        self.metric = metric
        self.dimension = dimension
        self.is_named = is_named
        super().__init__(("by",), f"{metric} is not counted by {dimension}")


def check_dimension(narrowing: Narrowing, by: Sequence[str], what: str) -> None:
    """Raise LacksDimensionError unless the dimension that is meant, if any, is among those of `what`."""
    if narrowing.name is not None and narrowing.name not in by:
        raise LacksDimensionError(what, narrowing.name)


def check_share(unit: str, what: str) -> None:
    """Raise EntryError where a share is not called one."""
    if unit not in {"ratio", "number"}:
        raise EntryError(("unit",), f"must be ratio: {what} is a share")


class Entry(Model):
    """What all entries of `metrics.yaml` hold."""

    type: str
    label: str = Field(min_length=1, max_length=60)
    description: str = Field(min_length=1, max_length=600)
    unit: Unit
    better: Literal["higher", "lower"] = "higher"
    owner: str | None = Field(default=None, max_length=200)
    """Whom to ask about it."""
    tags: list[str] = Field(default_factory=list, max_length=20)
    benchmark: Benchmark | None = None
    """What others reach, and who says so."""
    examples: list[Example] = Field(default_factory=list, max_length=50)
    """What a CRM would send, and the number that comes of it."""

    @property
    def is_additive(self) -> bool:
        """Whether the numbers of several teams may be added up."""
        return False

    def each(self, make: "Callable[[Entry], Entry]") -> "Entry":
        """What is made of it; of one with versions, what is made of each, in the same days."""
        return make(self)

    def version_on(self, day: date) -> int:
        """Which of its versions is in force on a day, from 1."""
        return 1

    def versions_between(self, first: date, last: date) -> list[int]:
        """Those in force on any of these days, both included."""
        return [1]

    def versions_json(self) -> list[dict[str, JsonText]]:
        """Since when each of its versions counts, and why; one that says nothing of them has counted for ever."""
        return [{"version": 1, "since": None, "note": None}]

    def bind(self, catalogue: References) -> MetricReader:
        """The metric under the rules of the catalogue. Raises EntryError."""
        raise NotImplementedError


UNIT_SIZES: Mapping[str, int] = {"seconds": SECOND, "days": DAY}
"""Microseconds in a unit of a duration metric."""


def in_unit(microseconds: int, unit: str) -> int | Fraction:
    """Microseconds in days, or in seconds where the unit is another one, exactly."""
    size = UNIT_SIZES.get(unit, SECOND)
    whole, rest = divmod(microseconds, size)
    return Fraction(microseconds, size) if rest else whole


def shown(value: Exact, unit: str, reading: Reading) -> MetricValue:
    """A value as it is shown: money rounded half to even, all else to the nearest double; whole numbers stay so."""
    if value is None:
        return None
    if unit == "money":
        return write_money(value, reading.money_digits)
    if isinstance(value, int):
        return float(value) if unit == "ratio" else value
    return float(value)


def write_money(amount: int | Fraction, digits: int) -> str:
    """A decimal string with the currency's digits; zero has no sign."""
    units = round(amount * 10**digits)  # of a fraction halves go to even
    text = str(abs(units)).rjust(digits + 1, "0")
    sign = "-" if units < 0 else ""
    return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else f"{sign}{text}"

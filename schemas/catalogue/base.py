"""What every kind of aggregation is: merged panes in, the value that people see out.

Owns the protocol and the entry of `metrics.yaml`. Each kind is one file beside this one.
"""

from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict, Field

from schemas.instants import DAY, SECOND
from schemas.panes import Pane

MetricValue = int | float | str | None
"""A count, a share or duration, money as a decimal string; None: nothing happened that a value could be made of."""


class Result(NamedTuple):
    """The value, and where it is None because the rank falls on a lead without an answer, what it is at least."""

    value: MetricValue
    bound: float | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What an aggregation may look at besides the pane."""

    now: int
    """The reader's clock (microseconds): leads without an answer count once it has passed their due instant."""
    money_digits: int
    """Digits after the point of the organisation's currency."""


class Entry(BaseModel):
    """One metric of `metrics.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str = Field(min_length=1, max_length=60)
    unit: str = Field(pattern="^(count|ratio|seconds|days|money)$")
    better: Literal["higher", "lower"] = "higher"
    """Which values rank first."""
    definition: str = Field(min_length=1, max_length=600)
    version: int = Field(ge=1)
    kind: str
    of: list[str] = Field(min_length=1)
    """Measures of the pane that are added up, or the sample."""
    by: list[str] = Field(default_factory=list)
    """Measures of the divisor."""
    percentile: Annotated[float, Field(gt=0, lt=1)] | None = None


class Aggregation(Protocol):
    """Makes a metric of merged panes. Ratios and percentiles are made here, never merged."""

    def result(self, pane: Pane, reading: Reading) -> Result:
        """The value of the metric for this pane."""
        ...


UNIT_SIZES = {"seconds": SECOND, "days": DAY}
"""Microseconds in a unit of a duration metric."""


def total(pane: Pane, measures: list[str]) -> int:
    """The sum of sums; what is absent is 0."""
    return sum(pane.get(measure, 0) for measure in measures)


def overdue(pane: Pane, now: int) -> list[tuple[int, int]]:
    """(start, due) of leads without an answer whose SLA has run out."""
    return [lead for lead in pane.get("pending", ()) if lead[1] <= now]


def in_unit(microseconds: float, unit: str) -> int | float:
    """Microseconds in seconds or days; a whole number stays one."""
    value = microseconds / UNIT_SIZES[unit]
    return int(value) if value == int(value) else value

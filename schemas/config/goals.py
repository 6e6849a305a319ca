"""Goals: how much of a metric, for whom, in which period, and how that is spread over its days.

Owns what each of them says alone; what one says of metrics, teams and reps is checked in references.py. Computes
nothing: schemas/goals does.
"""

import itertools
import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from schemas.documents.errors import wrong
from schemas.documents.values import Model, Name, Number

PERIODS = ("day", "week", "month", "quarter", "fiscal_quarter", "year", "fiscal_year")
"""What a goal may be for, the shortest first."""

PeriodName = Literal["day", "week", "month", "quarter", "year", "fiscal_quarter", "fiscal_year"]

_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)
_MONTHS = re.compile(r"(\d{1,3})mo\Z", re.ASCII)


def _not_negative(value: Decimal) -> Decimal:
    if value < 0:
        raise wrong("must be a number that is not negative")
    return value


def _date(value: Any) -> date:
    if isinstance(value, date):
        return value
    if isinstance(value, str) and _DATE.match(value):
        try:
            found = date.fromisoformat(value)
        except ValueError:
            msg = f"{value} is a day that does not exist"
            raise wrong(msg) from None
        if 1970 <= found.year <= 2241:
            return found
    raise wrong("must be a date such as 2026-03-18")


def _year_starts(value: Any) -> Any:
    found = re.fullmatch(r"(\d\d)-(\d\d)", value, re.ASCII) if isinstance(value, str) else None
    if found is None or not 1 <= int(found[1]) <= 12 or not 1 <= int(found[2]) <= 28:
        msg = "must be a month and a day that every month has (01 to 28), such as 02-01"
        raise wrong(msg)
    return value


def _ramp(value: Any) -> Any:
    if not isinstance(value, dict):
        return value  # what it is instead, is told by its type
    steps: dict[int, Any] = {}
    for key, share in value.items():
        found = _MONTHS.match(str(key)) if not isinstance(key, int) else None
        months = key if isinstance(key, int) else int(found[1]) if found is not None else None
        if months is None:
            msg = f"{key} is not a number of months such as 3mo"
            raise wrong(msg)
        if months in steps:
            msg = f"{key} is there twice"
            raise wrong(msg)
        steps[months] = share
    if steps and 0 not in steps:
        raise wrong("needs 0mo: the share of the first months")
    return dict(sorted(steps.items()))


def _ascending(values: list[Decimal]) -> list[Decimal]:
    if any(one >= other for one, other in itertools.pairwise(values)):
        raise ValueError("must ascend")
    return values


Amount = Annotated[Number, AfterValidator(_not_negative)]
ShareAmount = Annotated[Amount, Field(le=100)]
Date = Annotated[date, BeforeValidator(_date)]
YearStarts = Annotated[str, BeforeValidator(_year_starts)]
Ramp = Annotated[dict[int, ShareAmount], BeforeValidator(_ramp)]


class Fiscal(Model):
    """The fiscal year, for goals of `fiscal_quarter` and `fiscal_year`."""

    year_starts: YearStarts = "01-01"
    """Month and day, such as `02-01`; its quarters begin three, six and nine months later."""


class GoalAmount(Model):
    """How much, for whom, from which day on: one of `each` and `amount`."""

    since: Date | None = None
    """The first day on which it holds, until a newer one does. None: it always held."""
    each: Amount | None = None
    """Of everybody, or of everybody in `team`. Money is written in the organisation's currency."""
    amount: Amount | None = None
    """Of `rep`; or the own amount of `team`; of neither: the organisation's own."""
    team: Name | None = None
    """One of `teams`."""
    rep: str | None = Field(default=None, min_length=1, max_length=256)
    """A person's id in the roster."""

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        if (self.each is None) == (self.amount is None):
            msg = "needs one of each and amount" + (", not both" if self.each is not None else "")
            raise ValueError(msg)
        if self.rep is not None and self.each is not None:
            raise ValueError("each is of everybody: of one rep write amount")
        if self.rep is not None and self.team is not None:
            raise ValueError("is of a rep or of a team, not of both")
        return self


class Bands(Model):
    """By pace: less is `behind`, as much or more is `ahead`, between them it is `on_track`."""

    behind: Amount = Decimal("0.9")
    """Below this share of what should be reached by now."""
    ahead: Amount = Decimal("1.05")
    """From this share on."""

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.behind > self.ahead:
            raise ValueError("behind must not be more than ahead")
        return self


class Goal(Model):
    """An entry of `goals`: a weight on the days of each period."""

    metric: str
    """One of [the metrics](metrics.md)."""
    period: PeriodName
    """In which the amount is to be reached; the next one begins at nothing."""
    amounts: list[GoalAmount] = Field(default_factory=list, max_length=20_000)
    """The most specific holds (a rep's, a team's, everybody's), of these the newest `since`.

    Records of kind `goal` say more of them.
    """
    ramp: Ramp = Field(default_factory=dict)
    """Whole months since the rep's `since`, such as `3mo`, and the share of the amount from then on."""
    join: Literal["prorate", "full", "next_period"] = "prorate"
    """Who comes within a period. `full`: its whole amount; `next_period`: nothing before the first whole one."""
    absence: Literal["prorate", "none"] = "prorate"
    """Whether days away carry less."""
    elapsed: Literal["working", "calendar"] = "working"
    """`working`: days weigh as much as the calendar schedules on them; `calendar`: all days alike."""
    bands: Bands = Bands()
    fit: Annotated[list[Amount], AfterValidator(_ascending)] = Field(
        default=[Decimal("0.6"), Decimal("0.9")], min_length=2, max_length=2
    )
    """Share of people at their goal: below the first the goal is too high, from the second on too low."""
    milestones: Annotated[list[Amount], AfterValidator(_ascending)] = Field(default_factory=list, max_length=20)
    """Attainments that are told the first time in a period: alerts of kind `goal`."""

    @model_validator(mode="after")
    def _above_zero(self) -> Self:
        if any(not milestone for milestone in self.milestones):
            raise ValueError("milestones must be above 0")
        return self

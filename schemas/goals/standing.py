"""How far somebody is with a goal: target and actual compared, as of an instant.

Owns the formulas: attainment, gap, expected, pace, projection, what is needed a day, state, fit, and the deals and
leads that are missing. In exact numbers; how they are written is told by whoever shows them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Literal

from schemas.catalogue.base import Exact
from schemas.config.goals import Bands
from schemas.goals.people import Employment
from schemas.goals.periods import Days
from schemas.goals.work import Work
from schemas.windows import Day

State = Literal["reached", "missed", "ahead", "on_track", "behind"]
Fit = Literal["too_high", "fits", "too_low"]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where somebody is. None: there is no such number."""

    target: Exact
    actual: Exact
    attainment: Exact
    gap: Exact
    expected: Exact
    pace: Exact
    projection: Exact
    needed_per_day: Exact
    state: State | None
    """None: what was reached is not known any more."""

    @property
    def is_reached(self) -> bool:
        """Whether it is as much as was to be reached."""
        return self.state == "reached"


def standing(
    target: Fraction, expected: Fraction, actual: Exact, per_day: Fraction | None, bands: Bands, *, is_over: bool
) -> Standing:
    """Of a goal that is spread over days.

    `actual`: None where not all of the days are kept any more. `per_day`: the share of what is missing that an average
    working day has to bring; None: nothing is scheduled any more. `is_over`: the last day is.
    """
    if actual is None:
        return Standing(target, None, None, None, expected, None, None, None, None)
    missing = target - actual
    is_reached = missing <= 0
    pace = Fraction(actual) / expected if expected else None
    return Standing(
        target=target,
        actual=actual,
        attainment=Fraction(actual) / target if target else None,
        gap=-missing,
        expected=expected,
        pace=pace,
        projection=actual * target / expected if expected else None,
        needed_per_day=Fraction(0) if is_reached else None if per_day is None else missing * per_day,
        state="reached" if is_reached else "missed" if is_over else _state_of(pace, bands),
    )


def _state_of(pace: Fraction | None, bands: Bands) -> State:
    if pace is None:
        return "on_track"
    return "ahead" if pace >= bands.ahead else "behind" if pace < bands.behind else "on_track"


def unspread(
    target: Fraction, actual: Exact, *, is_lower_better: bool, is_over: bool, is_kept: bool = True
) -> Standing:  # fmt: skip
    """Of a goal without weight on days: the amount as it stands, in one period or within it."""
    if not is_kept:
        return Standing(target, None, None, None, None, None, None, None, None)
    attainment: Exact = None
    is_reached = False
    if actual is not None:
        is_reached = actual <= target if is_lower_better else actual >= target
        if is_lower_better:
            attainment = target / actual if actual else None
        else:
            attainment = Fraction(actual) / target if target else None
    state: State = "reached" if is_reached else "missed" if is_over else "behind"
    return Standing(target, actual, attainment, None, None, None, None, None, state)


def needed_share(work: Work, days: Days, today: Day, now: int, person: Employment | None = None) -> Fraction | None:
    """What an average working day is of the work that is left in these days; None: none is left.

    `person`: what is left for them, without the days on which they are away or not here.
    """
    left = remaining_work(work, days, today, now, person)
    working_days = work.working_days(days)
    return Fraction(work.total(days), working_days) / left if left and working_days else None


def remaining_work(work: Work, days: Days, today: Day, now: int, person: Employment | None = None) -> Fraction:
    """The work of these days that is still to come."""
    ahead = Days(max(days.first, today), days.last)
    if person is not None:
        ahead = person.within(ahead)
    if ahead.last < ahead.first:
        return Fraction(0)
    left = Fraction(work.total(ahead))
    if ahead.first == today:
        left -= work.passed(today, now) * (Fraction(1) if person is None else person.absences.presence(today))
    if person is not None:
        for first, last, presence in person.absences.away(*ahead):
            left -= work.total(Days(first, last)) * (1 - presence)
    return left


def fit_of(share: Fraction | None, limits: Sequence[Decimal]) -> Fit | None:
    """What the share of people at their goal says of the goal."""
    if share is None:
        return None
    return "too_high" if share < limits[0] else "too_low" if share >= limits[1] else "fits"


def deals_needed(missing: Exact, average: Exact, conversion: Exact) -> tuple[int | None, int | None]:
    """How many deals and how many leads are missing; None where the divisor is."""
    if missing is None:
        return None, None
    if missing <= 0:
        return 0, 0
    if average is None or average <= 0:
        return None, None
    deals = Fraction(missing) / average
    return ceil(deals), None if conversion is None or conversion <= 0 else ceil(deals / conversion)

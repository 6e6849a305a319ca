"""The periods of goals: days, weeks, months, quarters, years, of the calendar or of the fiscal year.

Owns which days a period has, and which days a window means to a goal.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

from schemas.windows import Day, Span, date_of, day_from

_MONTHS_IN = {"month": 1, "quarter": 3, "year": 12, "fiscal_quarter": 3, "fiscal_year": 12}
_OF_WINDOWS = {"today": "day", "week": "week", "month": "month", "quarter": "quarter", "year": "year"}
"""Window -> the period that it is the beginning of."""


class Days(NamedTuple):
    """Days of the organisation, both included."""

    first: Day
    last: Day

    def holds(self, other: "Days") -> bool:
        """Whether all of the other's days are among them."""
        return self.first <= other.first and other.last <= self.last


class Periods:
    """The periods of an organisation."""

    def __init__(self, first_weekday: int, year_starts: str) -> None:
        """`year_starts`: month and day of the fiscal year, such as `02-01`."""
        month, _, day = year_starts.partition("-")
        self._first_weekday = first_weekday
        self._fiscal = int(month), int(day)

    def holding(self, name: str, day: Day) -> Days:
        """The period of that name (`schemas.config.goals.PERIODS`) in which a day lies."""
        if name == "day":
            return Days(day, day)
        when = date_of(day)
        if name == "week":
            first = when - timedelta(days=(when.weekday() - self._first_weekday) % 7)
            return Days(day_from(first), day_from(first) + 6)
        months = _MONTHS_IN[name]
        month, first_day = self._fiscal if name.startswith("fiscal") else (1, 1)
        # Months are counted from the one in which a year begins.
        number = when.year * 12 + when.month - month - (when.day < first_day)
        begun = number // months * months + month - 1
        return Days(_day(begun, first_day), _day(begun + months, first_day) - 1)

    def before(self, name: str, period: Days) -> Days:
        """The period before that one."""
        return self.holding(name, period.first - 1)

    def touching(self, name: str, days: Days) -> Iterator[Days]:
        """The periods of which at least one day is among these, the earliest first."""
        period = self.holding(name, days.first)
        while period.first <= days.last:
            yield period
            period = self.holding(name, period.last + 1)

    def of_window(self, span: Span) -> Days | None:
        """The days of a window, those to come included. None: it is one of minutes."""
        if not span.days:
            return None
        name = _OF_WINDOWS.get(span.name)
        return Days(span.first, span.last) if name is None else self.holding(name, span.last)


def period_of_window(name: str) -> str | None:
    """The period whose beginning a window is; None: of none."""
    return _OF_WINDOWS.get(name)


def _day(months: int, day: int) -> Day:
    return day_from(date(months // 12, months % 12 + 1, day))

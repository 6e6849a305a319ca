"""How much work is scheduled on the days of an organisation, by one calendar or by none.

Owns the measure: microseconds of the calendar's hours as far as they lie in the organisation's day; without a calendar
each day is one of 24 hours.
"""

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

from schemas.calendars import BusinessCalendar
from schemas.config import Config
from schemas.goals.periods import Days
from schemas.instants import DAY
from schemas.windows import Calendar, Day

_MOST_KEPT = 50_000


def works_of(config: Config, days: Calendar) -> tuple[dict[str, "Work"], "Work"]:
    """By team, of those that have a calendar of their own; and of everybody else."""
    works = {name: Work(days, hours) for name, hours in config.business_calendars().items()}
    of_teams = {team: works[entry.calendar] for team, entry in config.teams.items() if entry.calendar is not None}
    return of_teams, works.get(config.organisation.calendar or "", Work(days, None))


class Work:
    """The work of days by one calendar. Pure but for what it remembers."""

    def __init__(self, days: Calendar, hours: BusinessCalendar | None) -> None:
        """`hours`: None where no calendar says when people work."""
        self._hours = hours
        self.start: Callable[[Day], int] = lru_cache(_MOST_KEPT)(days.day_start)
        """The first instant of a day."""
        self._scheduled = lru_cache(_MOST_KEPT)(self._count)
        self._worked = lru_cache(_MOST_KEPT)(self._count_days)

    def of(self, day: Day) -> int:
        """The work of one day."""
        return self.total(Days(day, day))

    def total(self, days: Days) -> int:
        """The work of these days; 0 of none."""
        if days.last < days.first:
            return 0
        if self._hours is None:
            return (days.last - days.first + 1) * DAY
        return self._scheduled(days)

    def _count(self, days: Days) -> int:
        return 0 if self._hours is None else self._hours.between(self.start(days.first), self.start(days.last + 1))

    def working_days(self, days: Days) -> int:
        """How many of these days have any work."""
        if self._hours is None:
            return max(0, days.last - days.first + 1)
        return self._worked(days)

    def _count_days(self, days: Days) -> int:
        return sum(1 for day in range(days.first, days.last + 1) if self.of(day))

    def passed(self, day: Day, now: int) -> int:
        """How much of the work of a day has passed."""
        start, end = self.start(day), self.start(day + 1)
        if now >= end:
            return self.of(day)
        if now <= start:
            return 0
        return min(DAY, now - start) if self._hours is None else self._hours.between(start, now)

    def share_passed(self, day: Day, now: int) -> Fraction:
        """The same as a share of the day's work; 0 where it has none."""
        whole = self.of(day)
        return Fraction(self.passed(day, now), whole) if whole else Fraction(0)

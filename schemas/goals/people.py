"""Who was there on which days, in which team, and away from what share of them.

Owns what of a person matters to a goal. The roster says it (schemas/people.py).
"""

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from schemas.goals.periods import Days
from schemas.roster import Membership
from schemas.windows import Day, date_of, day_from

_NO_TEAM = Membership()


@dataclass(frozen=True, slots=True)
class Absence:
    """Days on which somebody is away, wholly or for a share of them."""

    first: Day
    last: Day
    share: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class Employment:
    """One person: since when, until when (both included), the teams, the absences."""

    rep: str
    since: Day | None = None
    until: Day | None = None
    membership: Membership = _NO_TEAM
    absences: tuple[Absence, ...] = ()

    def within(self, days: Days) -> Days:
        """Those of the days on which they are there; none of them: the last one before the first."""
        first = days.first if self.since is None else max(days.first, self.since)
        return Days(first, days.last if self.until is None else min(days.last, self.until))

    def presence(self, day: Day) -> Fraction:
        """The share of a day on which they are not away."""
        away = sum((absence.share for absence in self.absences if absence.first <= day <= absence.last), Fraction(0))
        return max(Fraction(0), 1 - away)

    def teams_in(self, days: Days) -> list[str | None]:
        """The teams of these days, in their order."""
        if not self.membership.teams:
            return [None]
        first, last = (max(0, bisect_right(self.membership.days, day) - 1) for day in days)
        return list(self.membership.teams[first : last + 1])

    def turns(self) -> Iterator[Day]:
        """Days on which team or presence may be others than on the day before."""
        yield from self.membership.days
        yield from self.absence_turns()

    def absence_turns(self) -> Iterator[Day]:
        """The same of the presence alone."""
        for absence in self.absences:
            yield absence.first
            yield absence.last + 1


def months_after(day: Day, months: int) -> Day:
    """The same day of the month so many months later, else the last one of that month."""
    when = date_of(day)
    year, month = divmod(when.year * 12 + when.month - 1 + months, 12)
    return day_from(date(year, month + 1, min(when.day, monthrange(year, month + 1)[1])))

"""Who was there on which days, in which team, and away from what share of them.

Owns what of a person matters to a goal. The roster says it (schemas/people.py).
"""

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from schemas.absences import NEVER_AWAY, Absences
from schemas.goals.periods import Days
from schemas.people import Person
from schemas.roster import Membership
from schemas.windows import Day, date_of, day_from

_NO_TEAM = Membership()


@dataclass(frozen=True, slots=True)
class Employment:
    """One person: since when, until when (both included), the teams, the absences."""

    rep: str
    since: Day | None = None
    until: Day | None = None
    membership: Membership = _NO_TEAM
    absences: Absences = NEVER_AWAY

    def within(self, days: Days) -> Days:
        """Those of the days on which they are there; none of them: the last one before the first."""
        first = days.first if self.since is None else max(days.first, self.since)
        return Days(first, days.last if self.until is None else min(days.last, self.until))

    def moves_in(self, days: Days) -> tuple[tuple[str | None, ...], tuple[Day, ...]]:
        """The teams of these days in their order, and the days on which each but the first begins."""
        teams, begins = self.membership.teams, self.membership.days
        if len(teams) < 2:
            return teams or (None,), ()
        first, last = (max(0, bisect_right(begins, day) - 1) for day in days)
        return teams[first : last + 1], begins[first + 1 : last + 1]

    def absence_turns(self) -> Iterator[Day]:
        """Days on which the presence may be another one than on the day before."""
        for absence in self.absences:
            yield absence.first
            yield absence.last + 1


def employment_of(person: Person) -> Employment | None:
    """What of a person of the roster matters to goals; None: they have no goals."""
    if not person.has_goals:
        return None
    return Employment(person.rep, person.since, person.last_day, person.membership, person.absences)


def months_after(day: Day, months: int) -> Day:
    """The same day of the month so many months later, else the last one of that month."""
    when = date_of(day)
    year, month = divmod(when.year * 12 + when.month - 1 + months, 12)
    return day_from(date(year, month + 1, min(when.day, monthrange(year, month + 1)[1])))

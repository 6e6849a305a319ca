"""What each day of a goal carries for whom: amounts, hours of work and people, day by day and person by person.

Owns the recount's own reading of targets. No two days are taken together, and nobody shares anything with anybody else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from deploy.verification.books import BoundDefinitions
from deploy.verification.definitions import is_sum
from deploy.verification.records import Record
from deploy.verification.shapes import DAY
from deploy.verification.spans import WEEKDAYS, day_months_later

if TYPE_CHECKING:
    from schemas.config.goals import Goal

_ONE_DAY = timedelta(days=1)
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
OF_WINDOWS = {"today": "day", "week": "week", "month": "month", "quarter": "quarter", "year": "year"}
"""Window -> the period that it is the beginning of."""


class Whose(NamedTuple):
    """`organisation`, `team` or `rep`, and which one."""

    scope: str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Dates:
    """Days of the organisation, both included."""

    first: date
    last: date

    def __iter__(self) -> Iterator[date]:
        day = self.first
        while day <= self.last:
            yield day
            day += _ONE_DAY


CalendarName = str | None
"""The name of one; None: every day is like every other."""


@dataclass(frozen=True, slots=True)
class _Amount:
    """What somebody is to reach in a period, from a day on."""

    since: date
    order: tuple[Any, ...]
    """Of those of one day the greatest holds."""
    value: Fraction


class GoalDays:
    """All goals of a configuration, as records of kind `goal` and `absence` change them."""

    def __init__(self, reading: BoundDefinitions, records: Iterable[Record]) -> None:
        """`records`: those of kind `goal`, deleted ones left out."""
        self.reading, self.terms, self.people = reading, reading.terms, reading.people
        self._config = reading.config
        self.goals: Mapping[str, Goal] = {
            name: goal for name, goal in self._config.goals.items() if goal.metric in self.terms.definitions.metrics
        }
        self._amounts: dict[tuple[str, str, str | None], list[_Amount]] = defaultdict(list)
        for record in records:
            self._take_record(record)
        for name, goal in self.goals.items():
            self._take_file(name, goal)
        self._work = cache(self._work_of)
        self._periods: dict[tuple[str, date], Dates] = {}
        self._whole = cache(lambda calendar, days: sum(self._work(calendar, day) for day in days))
        self._of_all = cache(self._sums_of)
        """What a day carries for the people of each team together."""

    # --- amounts

    def _take_record(self, record: Record) -> None:
        said, since = record.get("amount"), self.people.as_day(record.get("since"))
        if said is None or Fraction(said) < 0:
            return
        rep, team = self.people.rep(record.get("rep")), record.get("team")
        key = ("rep", rep) if rep is not None else ("own", team)
        at, digest = record.version_of("amount")
        amount = _Amount(since or date.min, (0, at, digest, record.id), Fraction(said))
        self._amounts[str(record.get("goal")), *key].append(amount)

    def _take_file(self, name: str, goal: Goal) -> None:
        for place, entry in enumerate(goal.amounts):
            value = entry.each if entry.amount is None else entry.amount
            kind = "rep" if entry.rep is not None else "own" if entry.each is None else "each"
            key = kind, entry.rep or entry.team
            self._amounts[name, *key].append(_Amount(entry.since or date.min, (1, place), Fraction(str(value))))

    def held(self, name: str, kind: str, id: str | None, day: date) -> Fraction | None:
        begun = [each for each in self._amounts.get((name, kind, id), ()) if each.since <= day]
        return max(begun, key=lambda each: (each.since, each.order)).value if begun else None

    def of_person(self, name: str, rep: str, team: str | None, day: date) -> Fraction:
        for kind, id in (("rep", rep), *((("each", team),) if team is not None else ()), ("each", None)):
            found = self.held(name, kind, id, day)
            if found is not None:
                return found
        return Fraction(0)

    # --- days

    def period(self, name: str, day: date) -> Dates:
        """The period of a goal that holds a day."""
        return self.period_of(self.goals[name].period, day)

    def period_of(self, kind: str, day: date) -> Dates:
        """The week, month, … that holds a day."""
        key = kind, day
        if key not in self._periods:
            first, after = day, day + _ONE_DAY
            while not self._begins(kind, first):
                first -= _ONE_DAY
            while not self._begins(kind, after):
                after += _ONE_DAY
            found = Dates(first, after - _ONE_DAY)
            self._periods |= {(kind, each): found for each in found}
        return self._periods[key]

    def _begins(self, kind: str, day: date) -> bool:
        if kind == "day":
            return True
        if kind == "week":
            return day.weekday() == WEEKDAYS.index(self._config.organisation.week_starts)
        starts = "01-01"
        if kind.startswith("fiscal_"):
            kind, starts = kind.removeprefix("fiscal_"), self._config.fiscal.year_starts
        month, first = map(int, starts.split("-"))
        return day.day == first and (day.month - month) % _MONTHS[kind] == 0

    def _calendar(self, name: str, team: str | None) -> CalendarName:
        return None if self.goals[name].elapsed == "calendar" else self.terms.calendar_of(team)

    def _work_of(self, calendar: CalendarName, day: date) -> int:
        if calendar is None:
            return DAY
        return self.terms.offices[calendar].between(self.people.start_of(day), self.people.start_of(day + _ONE_DAY))

    def _passed(self, calendar: CalendarName, day: date, now: int) -> Fraction:
        """The share of a day's work that is over."""
        start, end = self.people.start_of(day), self.people.start_of(day + _ONE_DAY)
        if now >= end or now <= start:
            return Fraction(now >= end)
        if calendar is None:
            return Fraction(min(now - start, DAY), DAY)
        work = self._work(calendar, day)
        return Fraction(self.terms.offices[calendar].between(start, now), work) if work else Fraction(0)

    # --- targets

    def weight(self, name: str, rep: str, day: date) -> tuple[Fraction, CalendarName]:
        """What a day carries for somebody, and by whose hours."""
        goal, team = self.goals[name], self.people.team_of(rep, day)
        calendar, since = self._calendar(name, team), self.people.here[rep][0]
        period = self.period(name, day)
        came_later = since is not None and since > period.first
        if not self.people.is_employed(rep, day) or (goal.join == "next_period" and came_later):
            return Fraction(0), calendar
        amount = self.of_person(name, rep, team, day)
        if not amount:
            return Fraction(0), calendar
        carrying = period
        if goal.join == "full" and since is not None and since > period.first:
            carrying = Dates(since, period.last)
        whole = self._whole(calendar, carrying)
        if not whole:
            return Fraction(0), calendar
        present = self.reading.rep_days.presence(rep, day) if goal.absence == "prorate" else Fraction(1)
        return amount * self._ramp(goal, since, day) * present * self._work(calendar, day) / whole, calendar

    @staticmethod
    def _ramp(goal: Goal, since: date | None, day: date) -> Fraction:
        if since is None or not goal.ramp:
            return Fraction(1)
        steps = [share for months, share in sorted(goal.ramp.items()) if day_months_later(since, months) <= day]
        return Fraction(str(steps[-1] if steps else goal.ramp[min(goal.ramp)]))

    def target(self, name: str, whose: Whose, days: Dates, now: int) -> tuple[Fraction, Fraction]:
        """What is to be reached in these days, and what of it by now."""
        target = expected = Fraction(0)
        for day in days:
            for weight, calendar in self._weights(name, whose, day):
                target += weight
                expected += weight * self._passed(calendar, day, now) if weight else 0
        return target, expected

    def _weights(self, name: str, whose: Whose, day: date) -> Iterator[tuple[Fraction, CalendarName]]:
        if whose.scope == "rep":
            yield self.weight(name, whose.id or "", day)
            return
        own = self.held(name, "own", whose.id, day)
        if own is None:
            for (team, calendar), weight in self._of_all(name, day).items():
                if whose.id in (None, team):
                    yield weight, calendar
            return
        calendar, period = self._calendar(name, None), self.period(name, day)
        whole = self._whole(calendar, period)
        yield (own * self._work(calendar, day) / whole if whole else Fraction(0)), calendar

    def _sums_of(self, name: str, day: date) -> Mapping[tuple[str | None, CalendarName], Fraction]:
        found: dict[tuple[str | None, CalendarName], Fraction] = defaultdict(Fraction)
        for rep in self.people.roster:
            weight, calendar = self.weight(name, rep, day)
            found[self.people.team_of(rep, day), calendar] += weight
        return found

    def needed_share(self, name: str, whose: Whose, days: Dates, now: int) -> Fraction | None:
        """What an average working day is of the work that is left."""
        today = self.people.day_of(now)
        rep = whose.id if whose.scope == "rep" else None
        calendar = self._calendar(name, None if rep is None else self.people.team_of(rep, today))
        left = Fraction(0)
        for day in days:
            if day < today or (rep is not None and not self.people.is_employed(rep, day)):
                continue
            part = Fraction(self._work(calendar, day))
            if day == today:
                part *= 1 - self._passed(calendar, day, now)
            if rep is not None and self.goals[name].absence == "prorate":
                part *= self.reading.rep_days.presence(rep, day)
            left += part
        working = [work for work in (self._work(calendar, day) for day in days) if work]
        return Fraction(sum(working), len(working)) / left if working and left else None

    def is_spread(self, name: str) -> bool:
        """Whether it has a weight on days."""
        definitions, metric = self.terms.definitions, self.goals[name].metric
        return definitions.metrics[metric].get("better", "higher") == "higher" and is_sum(definitions, metric)

    def unspread_target(self, name: str, whose: Whose, days: Dates, now: int) -> Fraction | None:
        day = min(days.last, self.people.day_of(now))
        period = self.period(name, days.first)
        if days.last > period.last:
            return None
        if whose.scope != "rep":
            return self.held(name, "own", whose.id, day)
        rep = whose.id or ""
        if not any(self.people.is_employed(rep, each) for each in days):
            return None
        return self.of_person(name, rep, self.people.team_of(rep, day), day)

"""The fact `rep.days`: people of the roster and the days on which they are here, made for who reads a span.

Owns which rows there are and what they add to a merged pane. Nothing of it is stored: the roster says who is here, and
the calendars who is to work.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any

from schemas.catalogue.conditions import All, AtLeast, Condition, First, Flag, Is, IsSet, Not, fields_in
from schemas.catalogue.facts import REP_DAYS
from schemas.catalogue.plan import Form, Kind, Line, Plan
from schemas.config import Config
from schemas.goals.people import Employment, employment_of
from schemas.goals.periods import Days
from schemas.goals.work import works_of
from schemas.panes import Pane
from schemas.people import Person
from schemas.windows import Calendar, Day

LabelOn = Callable[[str | None, Day], Hashable]
"""What somebody belongs to on a day, or nobody."""


class RepDays:
    """What a plan counts of people and days."""

    def __init__(self, config: Config, plan: Plan, calendar: Calendar) -> None:
        program = plan.programs.get(REP_DAYS)
        sites = () if program is None else program.sites
        self._lines = tuple((line, bool(site.credit)) for site in sites for line in site.lines)
        self._calendar = calendar
        self._works, self._else = works_of(config, calendar)
        self._pairs = plan.of_kind(Kind.DAYS)
        self.cells = frozenset(line.cell for line, _ in self._lines)
        self._is_daily = any("day" in fields_in(line.when) or line.cell in self._pairs for line, _ in self._lines)
        """Whether it matters which days they are, and not only how many."""

    def panes(
        self, people: Iterable[Person], first: Day, last: Day, label_on: LabelOn, *, is_daily: bool = False
    ) -> dict[Any, Pane]:
        """What these people's days count for, both included, by label.

        `is_daily`: the label depends on the day, not on the team alone.
        """
        found: dict[Any, Pane] = {}
        for person in people:
            employment = employment_of(person)
            if employment is not None:
                for days, team in _runs(employment, Days(first, last), is_daily=is_daily or self._is_daily):
                    # What is credited to nobody is the organisation's alone.
                    theirs, nobodys = (found.setdefault(label_on(who, days.first), {}) for who in (person.rep, None))
                    number, scheduled = days.last - days.first + 1, self._scheduled(employment, days, team)
                    self._add(theirs, nobodys, person.rep, days.first, scheduled, is_scheduled=True)
                    self._add(theirs, nobodys, person.rep, days.first, number - scheduled, is_scheduled=False)
        return found

    def _scheduled(self, employment: Employment, days: Days, team: str | None) -> int:
        """On how many of these days of one team somebody is to work, and not away for all of the day."""
        work = self._else if team is None else self._works.get(team, self._else)
        away = sum(
            work.working_days(Days(first, last))
            for first, last, presence in employment.absences.away(*days)
            if not presence
        )
        return work.working_days(days) - away

    def _add(self, theirs: Pane, nobodys: Pane, rep: str, day: Day, number: int, *, is_scheduled: bool) -> None:
        if not number:
            return
        row = {"rep": rep, "day": self._calendar.day_start(day), "scheduled": is_scheduled}
        for line, is_credited in self._lines:
            is_pair = line.cell in self._pairs
            if _holds(line.when, row) and (is_credited or not is_pair):
                _put(theirs if is_credited else nobodys, line, (rep, day) if is_pair else rep, number, self._pairs)


def _runs(employment: Employment, days: Days, *, is_daily: bool) -> Iterator[tuple[Days, str | None]]:
    """The days on which somebody is employed, in pieces of one team each."""
    there = employment.within(days)
    if there.last < there.first:
        return
    teams, begins = employment.moves_in(there)
    ends = (*(day - 1 for day in begins), there.last)
    for team, first, last in zip(teams, (there.first, *begins), ends, strict=True):
        if is_daily:
            yield from ((Days(day, day), team) for day in range(first, last + 1))
        elif first <= last:
            yield Days(first, last), team


def _put(pane: Pane, line: Line, key: Any, number: int, pairs: frozenset[int]) -> None:
    if line.form is Form.COUNT and line.cell not in pairs:
        pane[line.cell] = pane.get(line.cell, 0) + number
        return
    held = pane.setdefault(line.cell, {})
    held[key] = held.get(key, 0) + number


def _holds(condition: Condition, row: dict[str, Any]) -> bool:  # noqa: PLR0911 - a table
    """Whether a condition holds; the fields of this fact take no others."""
    match condition:
        case Not(part):
            return not _holds(part, row)
        case All(parts):
            return all(_holds(part, row) for part in parts)
        case Is(name, text):
            return bool(row[name] == text)
        case Flag(name):
            return row[name] is True
        case IsSet(names):
            return any(row[name] is not None for name in names)
        case AtLeast(First((name,)), number):
            return bool(row[name] >= number)
        case bool():
            return condition
    msg = f"{condition} says nothing of people and days"
    raise ValueError(msg)

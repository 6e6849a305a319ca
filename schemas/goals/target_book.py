"""What everybody is to reach, remembered until a person or an amount changes: people for whom all is the same share it.

Owns what is remembered of targets. How a goal is spread over days is targets.py's; pure.
"""

from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import NamedTuple

from schemas.absences import NEVER_AWAY
from schemas.config.goals import Goal
from schemas.floor import Floor, Scope
from schemas.goals.amounts import Amounts, Recorded, recorded_of
from schemas.goals.people import Employment, employment_of
from schemas.goals.periods import Days, Periods
from schemas.goals.remembering import let_go
from schemas.goals.standing import needed_share
from schemas.goals.targets import Calendars, Spread, Target
from schemas.people import Person
from schemas.records import Version
from schemas.windows import Day

_NOBODY = Employment("")
TargetParts = Mapping[str | None, Target]
"""What a person is to reach, by team."""


class Shared(NamedTuple):
    """What people are to reach for whom all is the same."""

    parts: TargetParts
    whole: Fraction
    teams: frozenset[str | None]
    """Those in which there is something to reach, and None, for the organisation."""


class _Held(NamedTuple):
    """The same of one person, as they were then."""

    person: Person
    target: Shared


NO_TEAMS: frozenset[str | None] = frozenset()
_NOTHING = Shared({}, Fraction(0), NO_TEAMS)
_NO_TARGET = Target()


@dataclass
class _Table:
    """What is remembered of one goal in certain days, seen from one day."""

    today: Day
    people: dict[str, "_Held"] = field(default_factory=dict)
    alike: dict[tuple[object, ...], "Shared"] = field(default_factory=dict)
    """Of people for whom all is the same, so that it is found once."""
    sums: dict[str | None, Target] = field(default_factory=dict)
    """What the people of a team (None: all) are to reach; of the roster at `revision`."""
    revision: int = -1


class TargetBook:
    """The targets of all goals over a floor."""

    def __init__(self, floor: Floor, goals: Mapping[str, Goal], periods: Periods, calendars: Calendars) -> None:
        self._floor = floor
        self._goals = goals
        self._periods = periods
        self._calendars = calendars
        self._spreads: dict[str, Spread] = {}
        self._said_at = -1
        """The revision of the records of goals that the amounts are of."""
        self._tables: OrderedDict[tuple[str, Days], _Table] = OrderedDict()

    def _spread(self, name: str) -> Spread:
        """A goal with the amounts of file and records as they are now."""
        if self._said_at != self._floor.roster.goals_revision:
            self._said_at = self._floor.roster.goals_revision
            self._read_amounts()
        return self._spreads[name]

    def _read_amounts(self) -> None:
        roster = self._floor.roster
        recorded: dict[str, list[tuple[Version, str, Recorded]]] = {}
        for id, record in roster.goal_records.items():
            said, goal = recorded_of(record, roster.served_id), record.get("goal")
            if said is not None and goal in self._goals:
                at, digest, _ = record.fields["amount"]
                recorded.setdefault(goal, []).append(((at, digest), id, said))
        for name, goal in self._goals.items():
            # Of two records of one day the one whose amount was said last holds.
            amounts = Amounts(goal, [said for *_, said in sorted(recorded.get(name, ()), key=lambda each: each[:2])])
            before = self._spreads.get(name)
            self._spreads[name] = Spread(goal, amounts, self._periods, self._calendars)
            is_same = before is not None and before.amounts.says_the_same_of_others(amounts)
            for (of, _), table in self._tables.items():
                if of == name:
                    table.people.clear()
                    table.revision = -1
                    if not is_same:
                        table.alike.clear()

    def _table(self, name: str, days: Days, today: Day) -> _Table:
        self._spread(name)  # before anything is looked at: what was remembered of other amounts goes
        # From any day after them, or before, they look the same.
        seen_from = min(max(today, days.first - 1), days.last + 1)
        key = name, days
        table = self._tables.get(key)
        if table is None or table.today != seen_from:
            table = self._tables[key] = _Table(seen_from)
            let_go(self._tables)
        else:
            self._tables.move_to_end(key)
        return table

    def of_scope(self, name: str, scope: Scope, days: Days, today: Day) -> Target:
        """What somebody is to reach in these days."""
        found = Target()
        if scope.kind == "rep":
            person = self._floor.roster.people.get(scope.id or "")
            if person is not None:
                for part in self.of_person(name, person, days, today).parts.values():
                    found.add(part)
            return found
        spread = self._spread(name)
        found.add(spread.own(scope.id, days, today))
        of_people = spread.days_of_people(scope.id, days)
        if of_people.last >= of_people.first:
            found.add(self._sums(name, of_people, today).get(scope.id, _NO_TARGET))
        return found

    def of_person(self, name: str, person: Person, days: Days, today: Day) -> Shared:
        """The same of a person, by team."""
        return self._of_person(name, person, days, self._table(name, days, today))

    def _of_person(self, name: str, person: Person, days: Days, table: _Table) -> Shared:
        held = table.people.get(person.rep)
        if held is not None and held.person is person:
            return held.target
        employment, spread, found = employment_of(person), self._spread(name), _NOTHING
        if employment is not None:
            key = spread.likeness(employment, days)
            known = table.alike.get(key)
            if known is None:
                parts = spread.of_person(employment, days, table.today)
                wholes = {team: part.whole for team, part in parts.items()}
                teams = frozenset({None, *(team for team, whole in wholes.items() if whole)})
                known = table.alike[key] = Shared(parts, sum(wholes.values(), Fraction(0)), teams)
            found = known
        table.people[person.rep] = _Held(person, found)
        return found

    def _sums(self, name: str, days: Days, today: Day) -> Mapping[str | None, Target]:
        """What the people of each team, and all (None), are to reach in these days."""
        table, revision = self._table(name, days, today), self._floor.roster_revision
        if table.revision != revision:
            counts: Counter[int] = Counter()
            targets: dict[int, Shared] = {}
            for person in self._floor.roster.people.values():
                target = self._of_person(name, person, days, table)
                counts[id(target)] += 1
                targets[id(target)] = target
            everybody = Target()
            sums: dict[str | None, Target] = {None: everybody}
            for which, count in counts.items():
                for team, part in targets[which].parts.items():
                    times = part.times(count)
                    everybody.add(times)
                    if team is not None:
                        sums.setdefault(team, Target()).add(times)
            table.sums, table.revision = sums, revision
        return table.sums

    def amount(self, name: str, scope: Scope, days: Days, today: Day) -> Fraction | None:
        """What is not spread over days: the newest amount, in force on the last day or today."""
        amounts, day = self._spread(name).amounts, min(days.last, today)
        if not self._periods.holding(self._goals[name].period, days.first).holds(days):
            return None
        if scope.kind != "rep":
            return amounts.own(scope.id, day)
        person = self._floor.roster.people.get(scope.id or "")
        employment = None if person is None else employment_of(person)
        if employment is None:
            return None
        there = employment.within(days)
        if there.last < there.first:
            return None
        return amounts.of_person(employment.rep, employment.membership.team_on(day), day)

    def per_day(self, name: str, scope: Scope, days: Days, today: Day, now: int) -> Fraction | None:
        """The share of what is missing that an average working day has to bring; None: no work is left."""
        spread = self._spread(name)
        if scope.kind != "rep":
            return needed_share(spread.work_of(None), days, today, now)
        person = self._floor.roster.people[scope.id or ""]
        employment = employment_of(person) or _NOBODY
        if spread.goal.absence == "none":
            employment = replace(employment, absences=NEVER_AWAY)
        return needed_share(spread.work_of(employment.membership.team_on(today)), days, today, now, employment)

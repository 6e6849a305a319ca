"""What is to be reached in which days: amounts, work and people together.

Owns the spreading of a goal over days: ramp, joining, leaving, moves between teams, absences, own amounts. Gives what
lies before today, today, and after it apart, so that what is expected by now can be told without spreading it anew.

Days of which nothing changes are taken together: a run is as long as amount, team, presence, ramp and period stay.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from schemas.config.goals import Goal
from schemas.goals.amounts import Amounts
from schemas.goals.people import Employment, months_after
from schemas.goals.periods import Days, Periods
from schemas.goals.work import Work
from schemas.windows import Day

_ZERO = Fraction(0)


@dataclass(slots=True)
class Target:
    """What is to be reached, in exact numbers."""

    before: Fraction = _ZERO
    """On the days before today."""
    today: dict[Work, Fraction] = field(default_factory=dict)
    """On today, by whose hours say how much of it has passed."""
    after: Fraction = _ZERO

    @property
    def whole(self) -> Fraction:
        """On all days."""
        return self.before + sum(self.today.values(), _ZERO) + self.after

    def expected(self, today: Day, now: int) -> Fraction:
        """What of it is due by now."""
        return self.before + sum((part * work.share_passed(today, now) for work, part in self.today.items()), _ZERO)

    def add(self, other: "Target") -> None:
        """Take another one in."""
        self.before += other.before
        self.after += other.after
        for work, part in other.today.items():
            self.today[work] = self.today.get(work, _ZERO) + part

    def times(self, number: int) -> "Target":
        """That of so many people for whom it is the same."""
        today = {work: part * number for work, part in self.today.items()}
        return Target(self.before * number, today, self.after * number)

    def put(self, days: Days, weight: Fraction, work: Work, today: Day) -> None:
        """So much for each unit of work on these days, which lie all on one side of today, or are it."""
        part = weight * work.total(days)
        if not part:
            return
        if days.last < today:
            self.before += part
        elif days.first > today:
            self.after += part
        else:
            self.today[work] = self.today.get(work, _ZERO) + part


@dataclass(frozen=True)
class Calendars:
    """By whose hours days weigh."""

    organisation: Work
    teams: Mapping[str, Work]
    """Those that have a calendar of their own."""
    alike: Work
    """All days alike."""

    def of(self, team: str | None) -> Work:
        """Those of a team, else of the organisation."""
        return self.organisation if team is None else self.teams.get(team, self.organisation)


class Spread:
    """One goal, spread over days."""

    def __init__(self, goal: Goal, amounts: Amounts, periods: Periods, calendars: Calendars) -> None:
        self.goal = goal
        self.amounts = amounts
        self._periods = periods
        self._calendars = calendars
        self._ramp_months = tuple(goal.ramp)
        self._ramp = tuple(Fraction(share) for share in goal.ramp.values())

    def work_of(self, team: str | None) -> Work:
        """The hours of a team (None: of the organisation) as this goal goes by them."""
        return self._calendars.alike if self.goal.elapsed == "calendar" else self._calendars.of(team)

    # ---------------------------------------------------------------- people

    def of_person(self, person: Employment, days: Days, today: Day) -> dict[str | None, Target]:
        """What a person is to reach in these days, by the team that they were in (None: in none)."""
        found: dict[str | None, Target] = {}
        for period in self._periods.touching(self.goal.period, days):
            there = person.within(Days(max(period.first, days.first), min(period.last, days.last)))
            if there.last < there.first or self._is_before_first_whole(person, period):
                continue
            for run in _runs(there, self._turns(person, there), today):
                team = person.membership.team_on(run.first)
                amount = self.amounts.of_person(person.rep, team, run.first)
                if not amount:
                    continue
                work = self.work_of(team)
                whole = work.total(self._carrying(person, period))
                if not whole:
                    continue
                weight = amount / whole * self._ramp_share(person, run.first)
                if self.goal.absence == "prorate" and person.absences:
                    weight *= person.absences.presence(run.first)
                found.setdefault(team, Target()).put(run, weight, work, today)
        return found

    def likeness(self, person: Employment, days: Days) -> tuple[object, ...]:
        """All that decides what a person is to reach in these days: of two with the same it is the same."""
        goal, absences = self.goal, person.absences
        depends_on_since = goal.ramp or goal.join != "prorate"
        return (
            self.amounts.of_person_alone(person.rep),
            person.moves_in(days),
            person.within(days),
            person.since if depends_on_since else None,
            tuple(each for each in absences if each.first <= days.last and days.first <= each.last)
            if absences and goal.absence == "prorate"
            else (),
        )

    def _is_before_first_whole(self, person: Employment, period: Days) -> bool:
        return self.goal.join == "next_period" and person.since is not None and person.since > period.first

    def _carrying(self, person: Employment, period: Days) -> Days:
        """The days over which the amount of a period is spread."""
        if self.goal.join == "full" and person.since is not None:
            return Days(max(period.first, person.since), period.last)
        return period

    def _turns(self, person: Employment, there: Days) -> Iterator[Day]:
        teams, moves = person.moves_in(there)
        yield from moves
        yield from self.amounts.turns(person.rep, teams)
        if self.goal.absence == "prorate":
            yield from person.absence_turns()
        if person.since is not None:
            for months in self._ramp_months:
                yield months_after(person.since, months)

    def _ramp_share(self, person: Employment, day: Day) -> Fraction:
        if person.since is None or not self._ramp:
            return Fraction(1)
        begun = [months_after(person.since, months) for months in self._ramp_months]
        return self._ramp[max(0, bisect_right(begun, day) - 1)]

    # ---------------------------------------------------------------- teams and the organisation

    def own(self, team: str | None, days: Days, today: Day) -> Target:
        """What the own amount of a team (None: of the organisation) says of those days on which there is one."""
        found, work = Target(), self.work_of(None)
        since = self.amounts.own_since(team)
        if since is None:
            return found
        for period in self._periods.touching(self.goal.period, days):
            held = Days(max(period.first, days.first, since), min(period.last, days.last))
            whole = work.total(period)
            if held.last < held.first or not whole:
                continue
            for run in _runs(held, self.amounts.own_turns(team), today):
                amount = self.amounts.own(team, run.first)
                if amount:
                    found.put(run, amount / whole, work, today)
        return found

    def days_of_people(self, team: str | None, days: Days) -> Days:
        """The days on which the people's sum counts for a team (None: the organisation): before its own amount."""
        since = self.amounts.own_since(team)
        return days if since is None else Days(days.first, min(days.last, since - 1))


def _runs(days: Days, turns: Iterable[Day], today: Day) -> Iterator[Days]:
    """The days, cut before each turn, before today and after it."""
    first = days.first
    for turn in sorted({turn for turn in (*turns, today, today + 1) if days.first < turn <= days.last}):
        yield Days(first, turn - 1)
        first = turn
    yield Days(first, days.last)

"""Goals counted day by day and quarter by quarter of an hour: slow, and nothing in it is shared with schemas/goals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

QUARTER = timedelta(minutes=15)


@dataclass(frozen=True)
class Hours:
    """When people work: spans of hours by weekday, in a zone, but on free days."""

    zone: str
    spans: Mapping[int, tuple[tuple[time, time | None], ...]]
    """Weekday -> (from, to); to None: midnight."""
    free: frozenset[date] = frozenset()
    name: str = ""

    def __hash__(self) -> int:
        return hash(self.name)

    def are_open(self, moment: datetime) -> bool:
        local = moment.astimezone(ZoneInfo(self.zone))
        if local.date() in self.free:
            return False
        return any(
            first <= local.time() and (last is None or local.time() < last)
            for first, last in self.spans.get(local.weekday(), ())
        )


def start_of(zone: str, day: date) -> datetime:
    """The first quarter of an hour of a day there."""
    moment = datetime.combine(day, time(), UTC) - timedelta(hours=15)
    while moment.astimezone(ZoneInfo(zone)).date() < day:
        moment += QUARTER
    return moment


@cache
def quarters(zone: str, hours: Hours | None, day: date, until: datetime | None = None) -> int:
    """How many quarters of an hour are worked on that day of the zone, before `until`. No hours: 96 of each day."""
    start, end = start_of(zone, day), start_of(zone, day + timedelta(days=1))
    if until is not None:
        end = min(end, until)
    if hours is None:
        whole = until is None or until >= start_of(zone, day + timedelta(days=1))
        return 96 if whole else max(0, min(96, (end - start) // QUARTER))
    found, moment = 0, start
    while moment < end:
        found += hours.are_open(moment)
        moment += QUARTER
    return found


@dataclass
class Somebody:
    """A person, as the test says it."""

    rep: str
    since: date | None = None
    until: date | None = None
    moves: Sequence[tuple[date, str | None]] = ()
    """The first one holds backwards too."""
    away: Sequence[tuple[date, date, Fraction]] = ()

    def team(self, day: date) -> str | None:
        found = self.moves[0][1] if self.moves else None
        for moved, team in self.moves:
            if moved <= day:
                found = team
        return found

    def is_there(self, day: date) -> bool:
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)


@dataclass
class Rules:
    """A goal, as the test says it."""

    zone: str
    period: str
    amounts: Sequence[Mapping[str, Any]]
    ramp: Mapping[int, Decimal] = field(default_factory=dict)
    join: str = "prorate"
    absence: str = "prorate"
    elapsed: str = "working"
    hours: Hours | None = None
    """The organisation's."""
    teams: Mapping[str, Hours | None] = field(default_factory=dict)
    fiscal: date = date(2000, 1, 1)
    first_weekday: int = 0

    def hours_of(self, team: str | None) -> Hours | None:
        if self.elapsed == "calendar":
            return None
        found = self.teams.get(team) if team is not None else None
        return found if found is not None else self.hours

    def period_of(self, day: date) -> tuple[date, date]:
        first = day
        while not self.begins(first):
            first -= timedelta(days=1)
        last = day
        while not self.begins(last + timedelta(days=1)):
            last += timedelta(days=1)
        return first, last

    def begins(self, day: date) -> bool:
        if self.period == "day":
            return True
        if self.period == "week":
            return day.weekday() == self.first_weekday
        fiscal = self.period.startswith("fiscal")
        start = self.fiscal if fiscal else date(2000, 1, 1)
        months = {"month": 1, "quarter": 3, "year": 12}[self.period.removeprefix("fiscal_")]
        return day.day == start.day and (day.month - start.month) % months == 0

    def amount(self, rep: str, team: str | None, day: date) -> Fraction:
        for wanted in (
            lambda entry: entry.get("rep") == rep,
            lambda entry: "each" in entry and team is not None and entry.get("team") == team,
            lambda entry: "each" in entry and "team" not in entry,
        ):
            held = [
                (entry["since"], place, entry)
                for place, entry in enumerate(self.amounts)
                if wanted(entry) and entry["since"] <= day
            ]
            if held:
                newest = max(held, key=lambda each: each[:2])[2]
                return Fraction(newest.get("each", newest.get("amount", 0)))
        return Fraction(0)

    def own(self, team: str | None, day: date) -> Fraction | None:
        held = [
            (entry["since"], place, entry)
            for place, entry in enumerate(self.amounts)
            if "amount" in entry and "rep" not in entry and entry.get("team") == team and entry["since"] <= day
        ]
        return Fraction(max(held, key=lambda each: each[:2])[2]["amount"]) if held else None

    def ramp_share(self, since: date | None, day: date) -> Fraction:
        if since is None or not self.ramp:
            return Fraction(1)
        found = Fraction(0)
        for months, share in sorted(self.ramp.items()):
            year, month = since.year + (since.month - 1 + months) // 12, (since.month - 1 + months) % 12 + 1
            last = (date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)).day
            if date(year, month, min(since.day, last)) <= day:
                found = Fraction(share)
        return found

    def weight(self, person: Somebody, day: date) -> tuple[Fraction, Hours | None]:
        """What one day carries for a person, and by whose hours."""
        first, last = self.period_of(day)
        hours = self.hours_of(person.team(day))
        since = person.since
        if not person.is_there(day) or (self.join == "next_period" and since is not None and first < since):
            return Fraction(0), hours
        begin = max(first, since) if self.join == "full" and since is not None else first
        whole = sum(quarters(self.zone, hours, each) for each in dates(begin, last))
        if not whole:
            return Fraction(0), hours
        here = Fraction(1)
        if self.absence == "prorate":
            here = 1 - min(Fraction(1), sum((share for a, b, share in person.away if a <= day <= b), Fraction(0)))
        amount = self.amount(person.rep, person.team(day), day) * self.ramp_share(since, day) * here
        return amount * quarters(self.zone, hours, day) / whole, hours

    def of_people(self, people: Sequence[Somebody], team: str | None, day: date, now: datetime) -> tuple[Any, Any]:
        """(target, expected by now) of one day; team "": of all of them."""
        target = expected = Fraction(0)
        for person in people:
            if team == "" or person.team(day) == team:
                weight, hours = self.weight(person, day)
                target += weight
                expected += weight * self.passed(hours, day, now)
        return target, expected

    def passed(self, hours: Hours | None, day: date, now: datetime) -> Fraction:
        whole = quarters(self.zone, hours, day)
        return Fraction(quarters(self.zone, hours, day, now), whole) if whole else Fraction(0)

    def of_scope(
        self, people: Sequence[Somebody], team: str | None, days: tuple[date, date], now: datetime
    ) -> tuple[Fraction, Fraction]:
        """(target, expected by now) of a team or the organisation ("")."""
        target = expected = Fraction(0)
        for day in dates(*days):
            own = self.own(None if team == "" else team, day)
            if own is None:
                more, by_now = self.of_people(people, team, day, now)
            else:
                hours = self.hours_of(None)
                first, last = self.period_of(day)
                whole = sum(quarters(self.zone, hours, each) for each in dates(first, last))
                more = own * quarters(self.zone, hours, day) / whole if whole else Fraction(0)
                by_now = more * self.passed(hours, day, now)
            target += more
            expected += by_now
        return target, expected


def dates(first: date, last: date) -> list[date]:
    """Both included."""
    return [first + timedelta(days=step) for step in range((last - first).days + 1)]

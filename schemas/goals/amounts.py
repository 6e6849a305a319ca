"""How much, for whom, since when: the amounts of one goal, out of `floorcast.yaml` and of records of kind `goal`.

Owns which amount holds on a day: the most specific one (the rep's, the team's, everybody's), of these the newest
`since`; of one `since` the file's before a record's, of two in the file the later one.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import NamedTuple

from schemas.config.goals import Goal, GoalAmount
from schemas.instants import parse_date
from schemas.records import Record
from schemas.windows import Day, day_from

EVER: Day = -(2**31)
"""Before all days."""


class Recorded(NamedTuple):
    """What a record of kind `goal` says: of a rep, of a team, or of the organisation (neither)."""

    rep: str | None
    team: str | None
    since: Day | None
    amount: Fraction


def recorded_of(record: Record, served_id: Callable[[str], str]) -> Recorded | None:
    """What a record says of an amount; None while it says none that can be one. `served_id`: of the id of a person."""
    rep, team, since, amount = (record.get(name) for name in ("rep", "team", "since", "amount"))
    if amount is None or (value := Fraction(amount)) < 0:
        return None
    rep = None if rep is None else served_id(rep)
    return Recorded(
        rep, None if rep is not None else team, None if since is None else day_from(parse_date(since)), value
    )


class _Timeline:
    """The amounts of one scope by the day from which on they hold."""

    def __init__(self) -> None:
        self.days: list[Day] = []
        self.amounts: list[Fraction] = []

    def add(self, since: Day, amount: Fraction) -> None:
        """Later calls win over earlier ones of the same day."""
        place = bisect_right(self.days, since)
        self.days.insert(place, since)
        self.amounts.insert(place, amount)

    @property
    def content(self) -> tuple[tuple[Day, Fraction], ...]:
        """All that it says."""
        return tuple(zip(self.days, self.amounts, strict=True))

    def on(self, day: Day) -> Fraction | None:
        place = bisect_right(self.days, day) - 1
        return None if place < 0 else self.amounts[place]


_NONE = _Timeline()


class Amounts:
    """The amounts of one goal."""

    def __init__(self, goal: Goal, recorded: Iterable[Recorded] = ()) -> None:
        """`recorded`: what records say of it, in any order that is always the same."""
        self._reps: dict[str, _Timeline] = {}
        self._each: dict[str | None, _Timeline] = {}
        """Of everybody in a team; None: of everybody."""
        self._own: dict[str | None, _Timeline] = {}
        """The own ones of teams; None: the organisation's."""
        for record in recorded:
            timeline = self._own_of(record.team) if record.rep is None else self._rep(record.rep)
            timeline.add(EVER if record.since is None else record.since, record.amount)
        for entry in goal.amounts:
            self._file(entry)

    def _file(self, entry: GoalAmount) -> None:
        since = EVER if entry.since is None else day_from(entry.since)
        if entry.each is not None:
            self._each.setdefault(entry.team, _Timeline()).add(since, Fraction(entry.each))
        elif entry.amount is not None:
            timeline = self._own_of(entry.team) if entry.rep is None else self._rep(entry.rep)
            timeline.add(since, Fraction(entry.amount))

    def _rep(self, rep: str) -> _Timeline:
        return self._reps.setdefault(rep, _Timeline())

    def _own_of(self, team: str | None) -> _Timeline:
        return self._own.setdefault(team, _Timeline())

    def of_person(self, rep: str, team: str | None, day: Day) -> Fraction | None:
        """What somebody who is in that team on that day has for its period; None: nothing is said."""
        found = self._reps.get(rep, _NONE).on(day)
        if found is None and team is not None:
            found = self._each.get(team, _NONE).on(day)
        return self._each.get(None, _NONE).on(day) if found is None else found

    def own(self, team: str | None, day: Day) -> Fraction | None:
        """The own amount of a team (None: of the organisation) that holds on a day; None: there is none."""
        return self._own.get(team, _NONE).on(day)

    def own_since(self, team: str | None) -> Day | None:
        """From which day on a team (None: the organisation) has an amount of its own; None: never."""
        days = self._own.get(team, _NONE).days
        return days[0] if days else None

    def turns(self, rep: str | None, teams: Iterable[str | None]) -> Iterable[Day]:
        """Days on which the amount of a person of these teams may be another one than on the day before."""
        yield from self._reps.get(rep or "", _NONE).days
        yield from self._each.get(None, _NONE).days
        for team in teams:
            if team is not None:
                yield from self._each.get(team, _NONE).days

    def own_turns(self, team: str | None) -> Iterable[Day]:
        """The same of the own amount of a team; None: of the organisation."""
        return self._own.get(team, _NONE).days

    def of_person_alone(self, rep: str) -> tuple[tuple[Day, Fraction], ...]:
        """What is said of this person, and of nobody else."""
        timeline = self._reps.get(rep)
        return () if timeline is None else timeline.content

    def says_the_same_of_others(self, other: "Amounts") -> bool:
        """Whether only what is said of single people differs."""
        return _contents(self._each) == _contents(other._each) and _contents(self._own) == _contents(other._own)


def _contents(timelines: Mapping[str | None, _Timeline]) -> dict[str | None, tuple[tuple[Day, Fraction], ...]]:
    return {scope: timeline.content for scope, timeline in timelines.items()}

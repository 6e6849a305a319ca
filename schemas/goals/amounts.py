"""How much, for whom, since when: the amounts of one goal, out of `floorcast.yaml` and of records of kind `goal`.

Owns which amount holds on a day: the most specific one (the rep's, the team's, everybody's), of these the newest
`since`; of one `since` the file's before a record's, of two in the file the later one.
"""

from bisect import bisect_right
from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

from schemas.config.goals import Goal, GoalAmount
from schemas.windows import Day, day_from

EVER: Day = -(2**31)
"""Before all days."""


class Recorded(NamedTuple):
    """What a record of kind `goal` says: of a rep, of a team, or of the organisation (neither)."""

    rep: str | None
    team: str | None
    since: Day | None
    amount: Fraction


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

    @property
    def is_empty(self) -> bool:
        """Whether nothing is said of anybody."""
        return not (self._reps or self._each or self._own)

    @property
    def reaches_everybody(self) -> bool:
        """Whether people have an amount who are named nowhere."""
        return bool(self._each)

"""The roster as the api serves it: who is there, under which name, in which team on which day.

Owns the join of `floorcast.yaml` with `rep` records (the file wins, field by field) and the rule of moves: a move counts
from the start of the organisation's day in which it happened, the first known team extends backwards. Pure.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

from schemas.config import Config
from schemas.records import Record, decode_record
from schemas.windows import Calendar, Day


@dataclass(frozen=True, slots=True)
class Person:
    """One rep of the roster."""

    rep: str
    name: str
    email: str | None
    active: bool
    since: int | None
    until: int | None
    team_days: tuple[Day, ...]
    """From which day on each of `teams` holds; the first one extends backwards."""
    teams: tuple[str | None, ...]

    def team_on(self, day: Day) -> str | None:
        """The team of that day."""
        if not self.teams:
            return None
        return self.teams[max(0, bisect_right(self.team_days, day) - 1)]


class Roster:
    """All reps and teams that are known."""

    def __init__(self, config: Config, calendar: Calendar) -> None:
        self._config = config
        self._calendar = calendar
        self._aliases = config.aliases()
        self._records: dict[str, dict[str, Record]] = {}
        self.people: dict[str, Person] = {}
        self.team_names: dict[str, str] = {}
        for rep in config.reps:
            self._refresh(rep)
        self._refresh_teams()

    def apply(self, key: bytes, row: bytes | None) -> str:
        """Take a `rep` record in (None: it is gone). The rep's id, as served."""
        id = key.decode().partition("|")[2]
        rep = self._aliases.get(id, id)
        records = self._records.setdefault(rep, {})
        if row is None:
            records.pop(id, None)
        else:
            records[id] = decode_record(row)
        self._refresh(rep)
        self._refresh_teams()
        return rep

    def team_on(self, rep: str | None, day: Day) -> str | None:
        """The team of a rep on a day; None for somebody who is not in the roster."""
        person = self.people.get(rep) if rep is not None else None
        return None if person is None else person.team_on(day)

    def name_of(self, rep: str) -> str:
        """What to call somebody; the id where there is no name."""
        person = self.people.get(rep)
        return rep if person is None else person.name

    def _refresh(self, rep: str) -> None:
        entry = self._config.reps.get(rep)
        joined = _join({id: record for id, record in self._records.get(rep, {}).items() if not record.is_deleted})
        if entry is None and joined is None:
            self.people.pop(rep, None)
            return
        days, teams = self._moves(joined)
        if entry is not None and entry.team is not None:
            days, teams = (0,), (entry.team,)
        name, email, active, since, until = (
            (None,) * 5 if joined is None else tuple(joined.get(field) for field in _FIELDS)
        )
        if entry is not None:
            name = entry.name or name
            email = entry.email or email
            active = entry.active if entry.active is not None else active
        self.people[rep] = Person(
            rep=rep, name=name or rep, email=email, active=active is not False, since=since, until=until,
            team_days=days, teams=teams,
        )  # fmt: skip

    def _moves(self, joined: Record | None) -> tuple[tuple[Day, ...], tuple[str | None, ...]]:
        moves: dict[Day, str | None] = {}
        for changed_at, _, team in joined.history("team") if joined is not None else ():
            moves[self._calendar.day_of(changed_at)] = None if team is None else str(team)
        return tuple(moves), tuple(moves.values())

    def _refresh_teams(self) -> None:
        names = {team: team for person in self.people.values() for team in person.teams if team is not None}
        names |= {team: entry.name or team for team, entry in self._config.teams.items()}
        # A team of the history counts even if the file has the rep elsewhere now: it has nobody then, and shows 0.
        for records in self._records.values():
            for record in records.values():
                if not record.is_deleted:
                    for _, _, team in record.history("team"):
                        if team is not None:
                            names.setdefault(str(team), str(team))
        self.team_names = dict(sorted(names.items()))


_FIELDS = ("name", "email", "active", "since", "until")


def _join(records: Mapping[str, Record]) -> Record | None:
    """Several records that are aliases of one person speak together: field by field the newer word wins."""
    if not records:
        return None
    joined = Record("rep")
    moves = []
    for _, record in sorted(records.items()):
        joined.merge(record)
        moves += record.history("team")
    if moves:
        joined.histories["team"] = sorted(moves, key=lambda move: move[:2])
    return joined

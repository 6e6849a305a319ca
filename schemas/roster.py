"""Who is in which team on which day: the join of `floorcast.yaml` with `rep` records.

Owns the rules: the file wins; records that are aliases of one person speak together, field by field the newer word
wins; a move counts from the start of the organisation's day in which it happened, the first known team extends
backwards. Does not know names of people as they are served (schemas/people.py).
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

from schemas.records import Record, decode_record
from schemas.windows import Calendar, Day


@dataclass(frozen=True, slots=True)
class Membership:
    """The teams of one person."""

    days: tuple[Day, ...] = ()
    """From which day on each of `teams` holds; the first one extends backwards."""
    teams: tuple[str | None, ...] = ()

    def team_on(self, day: Day) -> str | None:
        """The team of that day."""
        if not self.teams:
            return None
        return self.teams[max(0, bisect_right(self.days, day) - 1)]


_NO_TEAM = Membership()
_ALWAYS: Day = -(2**31)


def join_records(records: Mapping[str, Record]) -> Record | None:
    """What the `rep` records of one person, by id, say together; deleted ones say nothing. None: nobody speaks."""
    living = [record for _, record in sorted(records.items()) if not record.is_deleted]
    if not living:
        return None
    joined = Record("rep")
    moves = []
    for record in living:
        joined.merge(record)
        moves += record.history("team")
    if moves:
        joined.histories["team"] = sorted(moves, key=lambda move: move[:2])
    return joined


def membership_of(file_team: str | None, joined: Record | None, calendar: Calendar) -> Membership:
    """The teams of somebody of whom the file says this team (None: nothing) and the records say that."""
    if file_team is not None:
        return Membership((0,), (file_team,))
    history = joined.history("team") if joined is not None else []
    moves: dict[Day, str | None] = {}
    for changed_at, _, team in history:
        # The first team also stands for itself: of several moves in one day only the last one holds on that day.
        moves.setdefault(_ALWAYS, None if team is None else str(team))
        moves[calendar.day_of(changed_at)] = None if team is None else str(team)
    return Membership(tuple(moves), tuple(moves.values()))


class Teams:
    """The teams of everybody, from what the file and all `rep` records say."""

    def __init__(self, file_teams: Mapping[str, str], aliases: Mapping[str, str], calendar: Calendar) -> None:
        self._file_teams = file_teams
        self._aliases = aliases
        self._calendar = calendar
        self._records: dict[str, dict[str, Record]] = {}
        self._members = {rep: membership_of(team, None, calendar) for rep, team in file_teams.items()}

    def apply(self, key: str, row: bytes) -> str | None:
        """Take a `rep` record in, under its key `rep|id`. The rep whose teams have changed by it, if anybody's have."""
        id = key.partition("|")[2]
        rep = self._aliases.get(id, id)
        records = self._records.setdefault(rep, {})
        records[id] = decode_record(row)
        members = membership_of(self._file_teams.get(rep), join_records(records), self._calendar)
        if members == self._members.get(rep, _NO_TEAM):
            return None
        self._members[rep] = members
        return rep

    def name_of(self, rep: str) -> str | None:
        """What `rep` records call somebody; None: they do not."""
        joined = join_records(self._records.get(rep, {}))
        return None if joined is None else joined.get("name")

    def team_on(self, rep: str | None, day: Day) -> str | None:
        """The team of a rep on a day; None for somebody who is not in the roster."""
        return None if rep is None else self._members.get(rep, _NO_TEAM).team_on(day)

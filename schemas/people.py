"""The roster as it is served: who is there, under which name, in which team on which day.

Owns the join of `floorcast.yaml` with `rep` records (the file wins, field by field); which team somebody is in on a day
is the rule of schemas/roster.py. Pure.
"""

from dataclasses import dataclass

from schemas.config import Config
from schemas.records import Record, decode_record
from schemas.roster import Membership, join_records, membership_of
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
    membership: Membership

    def team_on(self, day: Day) -> str | None:
        """The team of that day."""
        return self.membership.team_on(day)


class Roster:
    """All reps and teams that are known."""

    def __init__(self, config: Config, calendar: Calendar) -> None:
        self._config = config
        self._calendar = calendar
        self._aliases = config.aliases()
        self._records: dict[str, dict[str, Record]] = {}
        self.people: dict[str, Person] = {}
        self._team_names: dict[str, str] | None = None
        for rep in config.reps:
            self._refresh(rep)

    @property
    def team_names(self) -> dict[str, str]:
        """Id -> name of every team, by id. Made when it is asked for: while a roster loads it changes with each rep."""
        if self._team_names is None:
            self._team_names = self._find_teams()
        return self._team_names

    def apply(self, key: bytes, row: bytes | None) -> tuple[str, bool]:
        """Take a `rep` record in (None: it is gone). The rep's id as served; whether any day has another team now."""
        id = key.decode().partition("|")[2]
        rep = self._aliases.get(id, id)
        records = self._records.setdefault(rep, {})
        if row is None:
            records.pop(id, None)
        else:
            records[id] = decode_record(row)
        if not records:
            del self._records[rep]
        before = self.people.get(rep)
        self._refresh(rep)
        self._team_names = None
        return rep, _membership_of(before) != _membership_of(self.people.get(rep))

    def team_on(self, rep: str | None, day: Day) -> str | None:
        """The team of a rep on a day; None for somebody who is not in the roster."""
        person = self.people.get(rep) if rep is not None else None
        return None if person is None else person.team_on(day)

    def name_of(self, rep: str) -> str:
        """What to call somebody; the id where there is no name."""
        person = self.people.get(rep)
        return rep if person is None else person.name

    def field_of(self, rep: str, name: str) -> object:
        """What the file, else the records, say of somebody now; None for nobody, or where nobody says it."""
        entry = self._config.reps.get(rep)
        said = None if entry is None else getattr(entry, name, None)
        joined = None if said is not None else join_records(self._records.get(rep, {}))
        return said if joined is None else joined.get(name)

    def _refresh(self, rep: str) -> None:
        entry = self._config.reps.get(rep)
        joined = join_records(self._records.get(rep, {}))
        if entry is None and joined is None:
            self.people.pop(rep, None)
            return
        name, email, active, since, until = (
            (None,) * 5 if joined is None else tuple(joined.get(field) for field in _FIELDS)
        )
        if entry is not None:
            name = entry.name or name
            email = entry.email or email
            active = entry.active if entry.active is not None else active
        self.people[rep] = Person(
            rep=rep, name=name or rep, email=email, active=active is not False, since=since, until=until,
            membership=membership_of(None if entry is None else entry.team, joined, self._calendar),
        )  # fmt: skip

    def _find_teams(self) -> dict[str, str]:
        names = {team: team for person in self.people.values() for team in person.membership.teams if team is not None}
        names |= {team: entry.name or team for team, entry in self._config.teams.items()}
        # A team of the history counts even if the file has the rep elsewhere now: it has nobody then, and shows 0.
        for records in self._records.values():
            for record in records.values():
                if not record.is_deleted:
                    for _, _, team in record.history("team"):
                        if team is not None:
                            names.setdefault(str(team), str(team))
        return dict(sorted(names.items()))


def _membership_of(person: Person | None) -> Membership:
    return Membership() if person is None else person.membership


_FIELDS = ("name", "email", "active", "since", "until")

"""The roster as it is served: who is there, under which name, in which team on which day.

Owns the join of `floorcast.yaml` with `rep` records (the file wins, field by field), and whose absences are whose.
Which team somebody is in on a day is the rule of schemas/roster.py; what records say of goals is kept, and not read.
Pure.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from schemas.absences import NEVER_AWAY, Absence, Absences, Away, absence_of
from schemas.config import Config
from schemas.instants import parse_date
from schemas.records import Record, attribute_text, decode_record
from schemas.roster import Membership, join_records, membership_of
from schemas.scopes import Scope
from schemas.windows import Calendar, Day, day_from


@dataclass(frozen=True, slots=True)
class Person:
    """One rep of the roster."""

    rep: str
    name: str
    email: str | None
    active: bool
    since: Day | None
    until: Day | None
    """The last day on which they are there."""
    region: str | None
    role: str | None
    photo: str | None
    attributes: Mapping[str, Any]
    """Whatever else is said of them, by name."""
    membership: Membership
    absences: Absences = NEVER_AWAY
    left_on: Day | None = None
    """The day on which a record said that they are not active any more."""

    @property
    def last_day(self) -> Day | None:
        """The last day on which they are there: as is said, else that on which they were said to be gone."""
        return self.until if self.until is not None or self.active else self.left_on

    @property
    def has_goals(self) -> bool:
        """Whether they may have any: whom the file calls inactive, without a last day, has none."""
        return self.active or self.last_day is not None

    def is_employed_on(self, day: Day) -> bool:
        """Whether they are there on that day: between their first and their last one, as far as those are said."""
        last = self.last_day
        return self.has_goals and (self.since is None or self.since <= day) and (last is None or day <= last)

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
        self._absences: dict[str, tuple[str, Absence]] = {}
        """Id of the record -> whose, and when."""
        self._away: dict[str, Away] = defaultdict(Away)
        self.goal_records: dict[str, Record] = {}
        """What records say of the amounts of goals, by id."""
        self.goals_revision = 0
        """Grows with every change of them."""
        self.people: dict[str, Person] = {}
        self._teams_of: dict[str, tuple[str, ...]] = {}
        """Rep -> the teams that are known because of them."""
        self._known_by: Counter[str] = Counter()
        """Team -> of how many that is so."""
        self._team_names: dict[str, str] | None = None
        self._ever_in: dict[str | None, list[str]] | None = None
        for rep in config.reps:
            self._refresh(rep)
            self._note_teams(rep)

    @property
    def team_names(self) -> dict[str, str]:
        """Id -> name of every team, by id."""
        if self._team_names is None:
            names = {team: team for team in self._known_by}
            names |= {team: entry.name or team for team, entry in self._config.teams.items()}
            self._team_names = dict(sorted(names.items()))
        return self._team_names

    def ever_in(self, team: str | None) -> Sequence[str]:
        """Who is in a team on any day, or was."""
        if self._ever_in is None:
            self._ever_in = {}
            for rep, person in self.people.items():
                for each in {*person.membership.teams}:
                    self._ever_in.setdefault(each, []).append(rep)
        return self._ever_in.get(team, ())

    def people_of(self, scope: Scope) -> Collection[Person]:
        """All who are in a scope on any day, or were."""
        if scope.kind == "team":
            return [self.people[rep] for rep in self.ever_in(scope.id)]
        if scope.kind != "rep":
            return self.people.values()
        return [self.people[scope.id]] if scope.id is not None and scope.id in self.people else []

    def apply(self, key: bytes, row: bytes | None) -> tuple[str | None, bool]:
        """Take a record in (None: it is gone): of a rep, an absence, a goal.

        Gives the id, as served, of whom it is about, if it is about a person; and whether any day has another team now.
        """
        kind, _, id = key.decode().partition("|")
        if kind == "absence":
            return self._apply_absence(id, None if row is None else absence_of(decode_record(row))), False
        if kind == "goal":
            return self._apply_goal(id, None if row is None else decode_record(row)), False
        rep = self.served_id(id)
        records = self._records.setdefault(rep, {})
        if row is None:
            records.pop(id, None)
        else:
            records[id] = decode_record(row)
        if not records:
            del self._records[rep]
        before = self.people.get(rep)
        self._refresh(rep)
        self._note_teams(rep)
        after = self.people.get(rep)
        has_moved = _membership_of(before) != _membership_of(after)
        if has_moved or before is None or after is None:
            self._ever_in = None
        return rep, has_moved

    def _apply_absence(self, id: str, said: tuple[str, Absence] | None) -> str | None:
        before = self._absences.pop(id, None)
        if before is not None:
            self._away[before[0]].drop(id)
        now = None
        if said is not None:
            now = self._absences[id] = self.served_id(said[0]), said[1]
            self._away[now[0]].put(id, now[1])
        about = [each[0] for each in (before, now) if each is not None]
        for rep in about:
            self._refresh(rep)
        return about[-1] if about else None

    def _apply_goal(self, id: str, record: Record | None) -> str | None:
        self.goals_revision += 1
        before = self.goal_records.pop(id, None)
        if record is not None and not record.is_deleted:
            self.goal_records[id] = record
        rep = None if record is None and before is None else (record or before or Record("goal")).get("rep")
        return None if rep is None else self.served_id(rep)

    def served_id(self, id: str) -> str:
        """The id of a person as it is served, of one that a record names."""
        return self._aliases.get(id, id)

    def team_on(self, rep: str | None, day: Day) -> str | None:
        """The team of a rep on a day; None for somebody who is not in the roster."""
        person = self.people.get(rep) if rep is not None else None
        return None if person is None else person.team_on(day)

    def name_of(self, rep: str) -> str:
        """What to call somebody; the id where there is no name."""
        person = self.people.get(rep)
        return rep if person is None else person.name

    def field_of(self, rep: str, name: str) -> object:
        """What the file, else the records, say of somebody now; None for nobody, or where nobody says it.

        `attributes.NAME` is one of the texts that the organisation has for itself.
        """
        head, is_own, key = name.partition("attributes.")
        if is_own and not head:
            said: Any = self.field_of(rep, "attributes")
            return attribute_text(_object(said).get(key))
        entry = self._config.reps.get(rep)
        own = None if entry is None else getattr(entry, name, None)
        joined = None if own is not None else join_records(self._records.get(rep, {}))
        return own if joined is None else joined.get(name)

    def _refresh(self, rep: str) -> None:
        entry = self._config.reps.get(rep)
        joined = join_records(self._records.get(rep, {}))
        if entry is None and joined is None:
            self.people.pop(rep, None)
            return
        said = dict.fromkeys(_FIELDS) if joined is None else {name: joined.get(name) for name in _FIELDS}
        if entry is not None:
            said |= {name: value for name in _FIELDS if (value := getattr(entry, name)) is not None}
        self.people[rep] = Person(
            rep=rep, name=said["name"] or rep, email=said["email"], active=said["active"] is not False,
            since=self._day(said["since"]), until=self._day(said["until"]), region=said["region"], role=said["role"],
            photo=said["photo"], attributes=_object(said["attributes"]),
            membership=membership_of(None if entry is None else entry.team, joined, self._calendar),
            absences=self._away[rep].all() if rep in self._away else NEVER_AWAY,
            left_on=None if entry is not None and entry.active is False else self._left_on(joined),
        )  # fmt: skip

    def _left_on(self, joined: Record | None) -> Day | None:
        said = None if joined is None else joined.entry("active")
        return self._calendar.day_of(said[0]) if said is not None and said[2] is False else None

    def _day(self, said: str | int | None) -> Day | None:
        """The day of the organisation that a file or a record names, as a day or by an instant of it."""
        if said is None:
            return None
        if isinstance(said, int):
            return self._calendar.day_of(said)
        return day_from(parse_date(said))

    def _note_teams(self, rep: str) -> None:
        """Know the teams of a rep. One of the history counts even if the file has them elsewhere now: it shows 0."""
        teams = {team for team in _membership_of(self.people.get(rep)).teams if team is not None}
        for record in self._records.get(rep, {}).values():
            if not record.is_deleted:
                teams |= {str(team) for _, _, team in record.history("team") if team is not None}
        before, now = self._teams_of.get(rep, ()), tuple(sorted(teams))
        if before == now:
            return
        self._known_by.update(now)
        self._known_by.subtract(before)
        for team in before:
            if not self._known_by[team]:
                del self._known_by[team]
        self._team_names = None
        if now:
            self._teams_of[rep] = now
        else:
            del self._teams_of[rep]


def _object(said: str | Mapping[str, Any] | None) -> Mapping[str, Any]:
    if isinstance(said, str):
        found: Mapping[str, Any] = msgspec.json.decode(said)
        return found
    return said or {}


def _membership_of(person: Person | None) -> Membership:
    return Membership() if person is None else person.membership


_FIELDS = ("name", "email", "active", "since", "until", "region", "role", "photo", "attributes")

"""Who did something and in which team they were that day, for the recount."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from deploy.verification.conditions import attribute
from deploy.verification.records import Record
from deploy.verification.spans import local_time, start_of

if TYPE_CHECKING:
    from schemas.config import Config


_REMEMBERED = 500
_ATTRIBUTES = "attributes."


class People:
    """The reps as the configuration and the `rep` records name them, and the organisation's days."""

    def __init__(self, config: Config, reps: Iterable[Record]) -> None:
        self._config = config
        self._zone = config.organisation.zone
        self._aliases = config.aliases()
        # What is remembered has an end: a recount in pieces asks for every instant of a log.
        self.day_of: Callable[[int], date] = lru_cache(_REMEMBERED)(self._organisation_day)
        """The day of the organisation in which an instant lies."""
        self.team_of: Callable[[str | None, date], str | None] = lru_cache(_REMEMBERED)(self._team_on)
        """The team of a rep on a day of the organisation."""
        self._said: dict[str, list[Record]] = defaultdict(list)
        for record in reps:
            self._said[self._aliases.get(record.id, record.id)].append(record)
        self.moves = self._histories()
        """Rep -> (day of the move, team), oldest version first. A rep whose record names no team has no moves."""

    def rep(self, person: str | None) -> str | None:
        return None if person is None else self._aliases.get(person, person)

    def _organisation_day(self, instant: int) -> date:
        return local_time(instant, self._zone).date()

    def _histories(self) -> dict[str, list[tuple[date, str | None]]]:
        """Rep -> (day of the move, team), oldest version first. A rep whose record names no team has no moves."""
        return {
            rep: [
                (self.day_of(at), team)
                for at, _, team in sorted(
                    (entry for record in records for entry in record.history("team")), key=lambda entry: entry[:2]
                )
            ]
            for rep, records in self._said.items()
        }

    @cached_property
    def roster(self) -> list[str]:
        """Everybody whom the file or a `rep` record names."""
        return sorted({*self._config.reps, *self._said})

    @cached_property
    def here(self) -> dict[str, tuple[date | None, date | None]]:
        """Of each of the roster the first and the last day here, where there is one."""
        return {rep: (self.since(rep), self.until(rep)) for rep in self.roster}

    def of(self, rep: str | None, name: str) -> Any:
        """What is said of a person now: by the file, else by the newest word of their records."""
        if name.startswith(_ATTRIBUTES):
            return attribute(self.of(rep, "attributes"), name.removeprefix(_ATTRIBUTES))
        entry = self._config.reps.get(rep) if rep is not None else None
        own = getattr(entry, name, None)
        if own is not None or rep is None:
            return own
        records = [record for record in self._said.get(rep, ()) if name in record.fields]
        return max(records, key=lambda record: record.version_of(name)).get(name) if records else None

    def is_employed(self, rep: str, day: date) -> bool:
        """Whether a day lies in the time of a person of the roster here."""
        since, until = self.here[rep]
        return (since is None or since <= day) and (until is None or day <= until)

    def since(self, rep: str | None) -> date | None:
        """The first day of a person here, if anybody said it."""
        return self.as_day(self.of(rep, "since"))

    def until(self, rep: str) -> date | None:
        """The last day of a person here; one before all days: they are not here at all."""
        until = self.as_day(self.of(rep, "until"))
        if until is not None or self.of(rep, "active") is not False:
            return until
        said = [record for record in self._said.get(rep, ()) if record.get("active") is False]
        entry = self._config.reps.get(rep)
        if not said or (entry is not None and entry.active is False):
            return date.min
        return self.day_of(max(record.version_of("active") for record in said)[0])

    def as_day(self, said: Any) -> date | None:
        """A day of the organisation, however it was said: as a date, or by an instant in it."""
        if said is None or isinstance(said, date):
            return said
        return date.fromisoformat(said[:10]) if isinstance(said, str) else self.day_of(said)

    def start_of(self, day: date) -> int:
        """The first instant of a day of the organisation."""
        return start_of(day, self._zone)

    def _team_on(self, rep: str | None, day: date) -> str | None:
        if rep is None:
            return None
        entry = self._config.reps.get(rep)
        if entry is not None and entry.team is not None:
            return entry.team
        moves = self.moves.get(rep, [])
        so_far = [team for moved_on, team in moves if moved_on <= day]
        if so_far:
            return so_far[-1]
        return moves[0][1] if moves else None

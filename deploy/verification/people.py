"""Who did something and in which team they were that day, for the recount."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from typing import TYPE_CHECKING

from deploy.verification.records import Record
from deploy.verification.shapes import EPOCH

if TYPE_CHECKING:
    from schemas.config import Config


class People:
    """The reps as the configuration and the `rep` records name them, and the organisation's days."""

    def __init__(self, config: Config, reps: Iterable[Record]) -> None:
        self._config = config
        self._zone = config.organisation.zone
        self._aliases = config.aliases()
        # Not functools.cache of our own methods: that would be a cycle, and a recount in pieces makes many of us.
        self._days: dict[int, date] = {}
        self._teams: dict[tuple[str | None, date], str | None] = {}
        self.moves = self._histories(reps)
        """Rep -> (day of the move, team), oldest version first. A rep whose record names no team has no moves."""

    def rep(self, person: str | None) -> str | None:
        return None if person is None else self._aliases.get(person, person)

    def day_of(self, instant: int) -> date:
        """Find the day of the organisation."""
        day = self._days.get(instant)
        if day is None:
            day = self._days[instant] = self._organisation_day(instant)
        return day

    def team_of(self, rep: str | None, day: date) -> str | None:
        """Find the team of a rep on a day of the organisation."""
        key = (rep, day)
        if key not in self._teams:
            self._teams[key] = self._team_on(rep, day)
        return self._teams[key]

    def _organisation_day(self, instant: int) -> date:
        return (EPOCH + timedelta(microseconds=instant)).astimezone(self._zone).date()

    def _histories(self, reps: Iterable[Record]) -> dict[str, list[tuple[date, str | None]]]:
        """Rep -> (day of the move, team), oldest version first. A rep whose record names no team has no moves."""
        entries: dict[str, list[tuple[int, int, str | None]]] = defaultdict(list)
        for record in reps:
            entries[self._aliases.get(record.id, record.id)] += record.history("team")
        return {
            rep: [(self.day_of(at), team) for at, _, team in sorted(past, key=lambda entry: entry[:2])]
            for rep, past in entries.items()
        }

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

"""Which groups depend on the team of which rep: when a rep moves to another team, only those are derived again.

Owns this list, by rep and by group. groups.py asks it after a move and derives them.
"""

from collections.abc import Callable, Collection, Mapping

from schemas.windows import Day

TeamsOnDays = Mapping[tuple[str, Day], str | None]
"""(rep, day) -> team."""

_NONE: TeamsOnDays = {}


class TeamDependents:
    """Reps by the groups that depend on their teams, and groups by rep."""

    def __init__(self) -> None:
        self._groups_of: dict[str, set[str]] = {}
        self._reps_of: dict[str, tuple[str, ...]] = {}
        self._teams_of: dict[str, TeamsOnDays] = {}

    def groups_of(self, rep: str) -> Collection[str]:
        """The groups whose result depends on the rep's team."""
        return self._groups_of.get(rep, ())

    def is_moved(self, group: str, team_on: Callable[[str, Day], str | None]) -> bool:
        """Whether one of the teams that its other clocks go by is another one now."""
        return any(team_on(rep, day) != team for (rep, day), team in self._teams_of.get(group, _NONE).items())

    def note(self, group: str, reps: tuple[str, ...], teams: TeamsOnDays = _NONE) -> None:
        """Note on whose teams the group's result depends, and by which teams its other clocks go."""
        if teams:
            self._teams_of[group] = teams
        else:
            self._teams_of.pop(group, None)
        before = self._reps_of.pop(group, ())
        if reps:
            self._reps_of[group] = before if reps == before else reps
        if reps == before:
            return
        for rep in before:
            groups = self._groups_of[rep]
            groups.discard(group)
            if not groups:
                del self._groups_of[rep]
        for rep in reps:
            self._groups_of.setdefault(rep, set()).add(group)

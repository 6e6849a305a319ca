"""What Prometheus gets where not every rep has series: every team, and who is first on a leaderboard.

Owns who that is. Their values are made when they are scraped, in pieces; where every rep is exported the broadcaster
has all values at hand.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from api.read.leaderboards import LeaderboardAsked, Leaderboards
from api.read.piecemeal import Piecemeal
from api.read.view import Scope, ScopeValues, View, rep_scope, team_scope
from schemas.config import Config
from schemas.windows import span_of

_MERGED_AT_ONCE = 100
"""Reps that are merged into their teams in one step."""


def is_part(config: Config) -> bool:
    """Whether some reps have no series."""
    return config.prometheus.reps != "all"


def windows_in_whole(config: Config) -> tuple[str, ...]:
    """The windows that are exported with everybody in them."""
    return () if is_part(config) else tuple(config.prometheus.windows)


class ExportedPart(NamedTuple):
    """Of each exported window the values of these."""

    windows: Mapping[str, Mapping[Scope, ScopeValues]]
    teams: Sequence[str]
    reps: Mapping[str, str | None]
    """With their teams of today."""


def exported_part(view: View, now: int, leaderboards: Leaderboards) -> Piecemeal[ExportedPart]:
    """All of it, in pieces of some milliseconds at most."""
    chosen, today = view.config.prometheus.reps, view.calendar.day_of(now)
    teams = [*map(team_scope, view.roster.team_names)]
    windows: dict[str, dict[Scope, ScopeValues]] = {}
    reps: dict[str, str | None] = {}
    for window in view.config.prometheus.windows:
        span = span_of(window, now, view.calendar)
        first: list[str] = []
        if not isinstance(chosen, str):
            asked = LeaderboardAsked(chosen.by, span, None, by_goal=False, today=today)
            yield from leaderboards.ahead(asked, now)
            first = [entry["rep"] for entry in leaderboards.top(asked, chosen.top, now)]
            reps |= {rep: view.roster.team_on(rep, today) for rep in first}
            yield
        while view.merge_ahead(teams, span, _MERGED_AT_ONCE) == _MERGED_AT_ONCE:
            yield
        values = windows[window] = {}
        for scope in (*teams, *map(rep_scope, first)):
            values[scope] = view.values(scope, span, now)
            yield
    return ExportedPart(windows, tuple(view.roster.team_names), reps)

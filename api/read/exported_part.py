"""What Prometheus gets where not every rep has series: every team, and who is first on a leaderboard.

Owns who that is. Their values are made when they are scraped, in pieces; where every rep is exported the broadcaster
has all values at hand.
"""

from collections.abc import Iterator
from itertools import islice

from api.read.leaderboards import Asked, Leaderboards
from api.read.view import Scope, Values, View, rep_scope, team_scope
from schemas.config import Config
from schemas.windows import Span, span_of


def is_part(config: Config) -> bool:
    """Whether some reps have no series."""
    return config.prometheus.reps != "all"


def windows_in_whole(config: Config) -> tuple[str, ...]:
    """The windows that are exported with everybody in them."""
    return () if is_part(config) else tuple(config.prometheus.windows)


class ExportedPart:
    """Of each exported window the values of these, looked at in pieces."""

    def __init__(self, view: View, leaderboards: Leaderboards, now: int) -> None:
        self._view, self._now = view, now
        self.windows: dict[str, dict[Scope, Values]] = {}
        self.teams = tuple(view.roster.team_names)
        self.reps: dict[str, str | None] = {}
        """With their teams of today."""
        self._left = self._scopes(leaderboards)

    def _scopes(self, leaderboards: Leaderboards) -> Iterator[tuple[str, Span, Scope]]:
        view, chosen, today = self._view, self._view.config.prometheus.reps, self._view.calendar.day_of(self._now)
        for window in view.config.prometheus.windows:
            span = span_of(window, self._now, view.calendar)
            self.windows[window] = {}
            scopes = [*map(team_scope, self.teams)]
            if not isinstance(chosen, str):
                asked = Asked(chosen.by, span, None, by_goal=False, today=today)
                first = [entry["rep"] for entry in leaderboards.top(asked, chosen.top, self._now)]
                self.reps |= {rep: view.roster.team_on(rep, today) for rep in first}
                scopes += map(rep_scope, first)
            yield from ((window, span, scope) for scope in scopes)

    def look_at(self, most: int | None = None) -> bool:
        """Make the values of so many more of them; whether that were all."""
        made = 0
        for window, span, scope in islice(self._left, most):
            made += 1
            self.windows[window][scope] = self._view.values(scope, span, self._now)
        return most is None or made < most

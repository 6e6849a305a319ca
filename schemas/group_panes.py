"""Panes of teams and of the organisation, made of the panes of people.

Owns how they are made: of one team from its people alone, of all of them at once. What is remembered of them, and kept
up to date, is for merged_panes.py.
"""

from collections.abc import Callable, Collection, Iterable
from itertools import islice

from schemas.bulk_panes import BulkPanes
from schemas.pane_store import PaneStore
from schemas.panes import Pane, merge
from schemas.people import Roster
from schemas.scopes import ORGANISATION, Scope, team_scope
from schemas.windows import Day, Window, day_window

_MANY = 4
"""Teams that are made of their people alone."""
_EMPTY: Pane = {}


class GroupPanes:
    """Makes them of what lies in a store, by the teams of a roster."""

    def __init__(
        self, store: PaneStore, roster: Roster, bulk: BulkPanes, day_of: Callable[[Window], Day]
    ) -> None:  # fmt: skip
        self._store, self._roster, self._bulk, self._day_of = store, roster, bulk, day_of

    def merge(self, window: Window, held: dict[Scope, Pane], scopes: Collection[Scope]) -> None:
        """Put the panes of these scopes in a window, and perhaps of others, into those that are held.

        Where everybody is looked at anyway, or one team after the other is asked for, all are made at once.
        """
        if ORGANISATION not in scopes and not has_many(held):
            held |= {scope: self.of_team(scope, window, window) for scope in scopes}
            return
        day, teams = self._day_of(window), [*map(team_scope, self._roster.team_names)]
        numbers = {scope.id: number for number, scope in enumerate(teams)}
        # The last group is of those without a team.
        group_of = {
            place: numbers.get(self._roster.team_on(name, day), len(teams))
            for place, name in enumerate(self._store.names)
        }
        panes = self._bulk.of_groups(window, window, group_of, len(teams) + 1, self._day_of)
        held |= dict.fromkeys(scopes, _EMPTY) | {ORGANISATION: merge(panes)}
        held |= {team: pane or _EMPTY for team, pane in zip(teams, panes, strict=False)}

    def of_team(self, scope: Scope, first: Window, last: Window) -> Pane:
        """The pane of a team in a window, or over a stretch of days: of its people alone."""
        people = {
            self._store.places[rep]: self._roster.people[rep].membership
            for rep in self._roster.ever_in(scope.id)
            if rep in self._store.places
        }
        days = range(self._day_of(first), self._day_of(last) + 1)
        moves = sorted({day for membership in people.values() for day in membership.days if day in days[1:]})
        panes = []
        for begin, end in zip([days[0], *moves], [*moves, days[-1] + 1], strict=True):
            group_of = {place: 0 for place, membership in people.items() if membership.team_on(begin) == scope.id}
            # A single window, which may be a minute, is one piece.
            stretch = (day_window(begin), day_window(end - 1)) if moves else (first, last)
            panes += self._bulk.of_groups(*stretch, group_of, 1, self._day_of)
        return panes[0] if len(panes) == 1 else merge(panes)


def has_many(held: Iterable[Scope]) -> bool:
    """Whether there are so many teams that all others are likely to be asked for as well."""
    return sum(1 for _ in islice((scope for scope in held if scope.kind == "team"), _MANY)) == _MANY

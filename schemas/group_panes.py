"""Panes of teams and of the organisation in single windows, made of the panes of people.

Owns how they are made: of one team from its people alone, of all of them at once; and keeps them up to date by those
whose panes have changed. What they are over many windows is for merged_panes.py.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import islice

from schemas.bulk_panes import BulkPanes
from schemas.pane_store import PaneStore
from schemas.panes import Pane, exchange, merge
from schemas.people import Roster
from schemas.scopes import ORGANISATION, Scope, team_scope
from schemas.windows import Day, Window, day_window

_MANY = 4
"""Teams that are made of their people alone."""
_EMPTY: Pane = {}


class GroupPanes:
    """Makes them of what lies in a store, by the teams of a roster."""

    def __init__(
        self,
        store: PaneStore,
        roster: Roster,
        bulk: BulkPanes,
        day_of: Callable[[Window], Day],
        rep_pane: Callable[[Window, str | None], Pane],
    ) -> None:  # fmt: skip
        self._store, self._roster, self._bulk, self._day_of, self._rep_pane = store, roster, bulk, day_of, rep_pane
        self.held: dict[Window, dict[Scope, Pane]] = {}
        self._exchanged: dict[Window, dict[str | None, Pane]] = {}
        """Panes of reps that lie in those that are held of the window, and are others by now."""

    def note(self, window: Window, rep: str | None) -> None:
        """Called before somebody's pane changes."""
        if window in self.held and rep not in self._exchanged.setdefault(window, {}):
            self._exchanged[window][rep] = self._rep_pane(window, rep)

    def forget(self, window: Window | None = None) -> None:
        """There is nothing in that window any more; None: everybody may be in another team."""
        if window is None:
            self.held.clear()
            self._exchanged.clear()
        else:
            self.held.pop(window, None)
            self._exchanged.pop(window, None)

    def pane(self, window: Window, scope: Scope) -> Pane:
        """Of that team, or of the organisation, in a window that has panes."""
        held = self.held.setdefault(window, {})
        exchanged = self._exchanged.pop(window, None)
        if exchanged and 2 * len(exchanged) > self._store.size(window):
            held.clear()
        elif exchanged:
            self._exchange(held, window, exchanged)
        if scope not in held:
            self._merge(window, held, [scope])
        return held[scope]

    def merge_ahead(self, window: Window, scopes: Collection[Scope], most: int) -> int:
        """Bring the panes of these up to date by so many reps at most, before `pane` is asked for them.

        Gives how many reps there were; none: all is merged.
        """
        held, exchanged = self.held.get(window), self._exchanged.get(window)
        is_fresh = exchanged and _EMPTY not in exchanged.values()
        is_outdated = is_fresh and 2 * len(exchanged or ()) > self._store.size(window)
        if held is None or is_outdated or not held.keys() >= {*scopes}:
            wanted = {*scopes, *(held or ())}
            held = self.held[window] = {}
            if self._store.blocks(window):
                self._merge(window, held, wanted)
                self._exchanged.pop(window, None)
                return most
            held |= dict.fromkeys(wanted, _EMPTY)
            everybody = [self._store.names[place] for place in self._store.places_in(window)]
            exchanged = self._exchanged[window] = dict.fromkeys(everybody, _EMPTY)
        if not exchanged:
            return 0
        some = dict(exchanged.popitem() for _ in range(min(most, len(exchanged))))
        if not exchanged:
            del self._exchanged[window]
        self._add(held, window, [rep for rep, before in some.items() if not before])
        self._exchange(held, window, {rep: before for rep, before in some.items() if before})
        return len(some)

    def scopes_of(self, window: Window, rep: str | None) -> list[Scope]:
        """Whose numbers a pane is part of, beside the rep's own."""
        team = None if rep is None else self._roster.team_on(rep, self._day_of(window))
        return [ORGANISATION] if team is None else [ORGANISATION, team_scope(team)]

    def _exchange(self, held: dict[Scope, Pane], window: Window, exchanged: Mapping[str | None, Pane]) -> None:
        """Bring panes up to date by the few reps that have changed, instead of by everybody."""
        made: dict[Scope, Pane] = {}
        for rep, before in exchanged.items():
            after = self._rep_pane(window, rep)
            for scope in held.keys() & {*self.scopes_of(window, rep)}:
                if scope not in made:
                    # Somebody may hold the one that was given out.
                    made[scope] = dict(held[scope])
                exchange(made[scope], before, after)
        held |= made

    def _add(self, held: dict[Scope, Pane], window: Window, reps: Iterable[str | None]) -> None:
        """Merge the panes of reps that are in none of these yet into them."""
        parts: dict[Scope, list[Pane]] = {}
        for rep in reps:
            for scope in held.keys() & {*self.scopes_of(window, rep)}:
                parts.setdefault(scope, []).append(self._rep_pane(window, rep))
        for scope, panes in parts.items():
            held[scope] = merge([held[scope], *panes])

    def _merge(self, window: Window, held: dict[Scope, Pane], scopes: Collection[Scope]) -> None:
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

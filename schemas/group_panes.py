"""Panes of teams and of the organisation in single windows, made of the panes of people.

Owns how they are made: of one team from its people alone, of all of them at once; and keeps them up to date by those
whose panes have changed. What they are over many windows is for merged_panes.py.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from schemas.bulk_panes import BulkPanes
from schemas.pane_store import PaneStore
from schemas.panes import Pane, exchange, merge
from schemas.people import Roster
from schemas.scopes import ORGANISATION, Scope, team_scope
from schemas.windows import Day, Window, day_window

_MANY = 4
"""Teams that are made of their people alone."""
_TOGETHER = 512
"""Places whose people, where they are in no team, are one part of the organisation."""
_FEW = 8
"""One of so many people: they are looked for, and not all others with them."""
_PART = "places"
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
        self._begun: set[Window] = set()
        """Windows of which these are still nobody's, of some people."""

    def note(self, window: Window, rep: str | None) -> None:
        """Called before somebody's pane changes."""
        if window in self.held and rep not in self._exchanged.setdefault(window, {}):
            self._exchanged[window][rep] = self._rep_pane(window, rep)

    def forget(self, window: Window | None = None) -> None:
        """There is nothing in that window any more; None: everybody may be in another team."""
        if window is None:
            self.held.clear()
            self._exchanged.clear()
            self._begun.clear()
        else:
            self.held.pop(window, None)
            self._exchanged.pop(window, None)

    def pane(self, window: Window, scope: Scope) -> Pane:
        """Of that team, or of the organisation, in a window that has panes."""
        held = self._held(window)
        if scope not in held and self._is_sparse(window):
            self._begin(window, held, [scope])
        exchanged = self._exchanged.pop(window, None)
        if exchanged:
            self._exchange(held, window, exchanged)
        if scope not in held:
            day = self._day_of(window)
            self._make(window, held, {part: self._places_of(part, day) for part in self._lacking(held, [scope])})
            self._join(held, [scope])
        return held[scope]

    def merge_ahead(self, window: Window, scopes: Collection[Scope], most: int) -> int:
        """Bring the panes of these up to date by so many reps at most, before `pane` is asked for them.

        Gives how many reps there were; none: all is merged.
        """
        held = self._held(window)
        if not held.keys() >= {*scopes} and self._is_sparse(window):
            self._begin(window, held, scopes)
        exchanged = self._exchanged.get(window)
        if exchanged:
            some = dict(exchanged.popitem() for _ in range(min(most, len(exchanged))))
            self._exchange(held, window, some)
            return len(some)
        day, parts = self._day_of(window), dict[Scope, list[int]]()
        for part in self._lacking(held, scopes):
            people = self._places_of(part, day)
            if parts and sum(map(len, parts.values())) + len(people) > most:
                break
            parts[part] = people
        if not parts:
            return min(most, self._join(held, scopes))
        found = sum(map(len, parts.values()))
        if found > most and ORGANISATION not in held:
            # Of so large a team the people are merged in pieces: it has none of them yet.
            held |= dict.fromkeys(parts, _EMPTY)
            self._exchanged[window] = {
                self._store.names[place]: _EMPTY for people in parts.values() for place in people
            }
            self._begun.add(window)
            return self.merge_ahead(window, scopes, most)
        self._make(window, held, parts)
        return max(1, min(found, most))

    def _held(self, window: Window) -> dict[Scope, Pane]:
        """What is held of a window; nothing any more where most of it is outdated."""
        held, exchanged = self.held.setdefault(window, {}), self._exchanged.get(window)
        if not exchanged:
            self._begun.discard(window)
        elif window not in self._begun and 2 * len(exchanged) > self._store.size(window):
            held.clear()
            del self._exchanged[window]
        return held

    def _is_sparse(self, window: Window) -> bool:
        """Whether few of all people have anything there: most parts would be made of nobody."""
        return _FEW * self._store.size(window) < len(self._store.names)

    def _begin(self, window: Window, held: dict[Scope, Pane], scopes: Collection[Scope]) -> None:
        """Take it that what is held of a window, and these, lack all who have anything there."""
        wanted = {*scopes, *(scope for scope in held if scope.kind != _PART)}
        if has_many(wanted):
            wanted |= {*map(team_scope, self._roster.team_names)}
        held.clear()
        held |= dict.fromkeys(wanted, _EMPTY)
        self._exchanged[window] = {self._store.names[place]: _EMPTY for place in self._store.places_in(window)}
        self._begun.add(window)

    def scopes_of(self, window: Window, rep: str | None) -> list[Scope]:
        """Whose numbers a pane is part of, beside the rep's own."""
        team = None if rep is None else self._roster.team_on(rep, self._day_of(window))
        return [ORGANISATION] if team is None else [ORGANISATION, team_scope(team)]

    def _exchange(self, held: dict[Scope, Pane], window: Window, exchanged: Mapping[str | None, Pane]) -> None:
        """Bring panes up to date by the few reps that have changed, instead of by everybody."""
        made: dict[Scope, Pane] = {}
        added: dict[Scope, list[Pane]] = {}
        day = self._day_of(window)
        for rep, before in exchanged.items():
            scopes = held.keys() & self._in_groups(rep, day)
            after = self._rep_pane(window, rep) if scopes else _EMPTY
            for scope in scopes:
                if not before:
                    added.setdefault(scope, []).append(after)
                    continue
                if scope not in made:
                    # Somebody may hold the one that was given out.
                    made[scope] = dict(held[scope])
                exchange(made[scope], before, after)
        held |= made
        held |= {scope: merge([held[scope], *panes]) for scope, panes in added.items()}

    def _in_groups(self, rep: str | None, day: Day) -> set[Scope]:
        """Whose panes a person's lies in: of a team or of a part that is none, and of the organisation."""
        team = self._roster.team_on(rep, day)
        found = {ORGANISATION} if team is None else {ORGANISATION, team_scope(team)}
        if team not in self._roster.team_names:
            found.add(_places_scope(self._store.places[rep]))
        return found

    def _lacking(self, held: dict[Scope, Pane], scopes: Collection[Scope]) -> Sequence[Scope]:
        """The parts that are still to be made for these; where one team after the other is asked for, all teams."""
        wanted: Collection[Scope] = [scope for scope in scopes if scope not in held]
        if ORGANISATION in wanted:
            wanted = dict.fromkeys([*self._all_parts(), *wanted])
        elif wanted and has_many(held):
            wanted = dict.fromkeys([*map(team_scope, self._roster.team_names), *wanted])
        return [scope for scope in wanted if scope != ORGANISATION and scope not in held]

    def _all_parts(self) -> Iterator[Scope]:
        """Everybody is in one of them."""
        yield from map(team_scope, self._roster.team_names)
        yield from map(_places_scope, range(0, len(self._store.names), _TOGETHER))

    def _join(self, held: dict[Scope, Pane], scopes: Collection[Scope]) -> int:
        """Make the organisation's pane of its parts, all of which are there, if it is asked for and not held.

        Gives how many parts there were.
        """
        if ORGANISATION not in scopes or ORGANISATION in held:
            return 0
        parts = [*self._all_parts()]
        held[ORGANISATION] = merge(held[part] for part in parts)
        return len(parts)

    def _make(self, window: Window, held: dict[Scope, Pane], parts: Mapping[Scope, Collection[int]]) -> None:
        """Put the panes of these parts into those that are held."""
        group_of = {place: number for number, people in enumerate(parts.values()) for place in people}
        panes = self._bulk.of_groups(window, window, group_of, len(parts), self._day_of)
        held |= {part: pane or _EMPTY for part, pane in zip(parts, panes, strict=True)}

    def _places_of(self, part: Scope, day: Day) -> list[int]:
        """The people of a part on a day."""
        places, names, roster = self._store.places, self._store.names, self._roster
        if part.kind == "team":
            reps = roster.ever_in(part.id)
            return [places[rep] for rep in reps if rep in places and roster.team_on(rep, day) == part.id]
        first = int(part.id or 0)
        there = range(first, min(first + _TOGETHER, len(names)))
        return [place for place in there if roster.team_on(names[place], day) not in roster.team_names]

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


def _places_scope(place: int) -> Scope:
    """Who is in no team that there is, among those whose places are near that one."""
    return Scope(_PART, str(place - place % _TOGETHER))

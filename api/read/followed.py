"""The windows that clients look at: whose values were told last, whose may be others now, and what to tell of them.

Owns the comparison of a window with what was last told of it, a few scopes at a time. Who is told, and by which
events: broadcast.py.
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby, islice
from operator import itemgetter

from api.read.goal_news import ToldGoals, first_told, goal_news
from api.read.heads import Heads
from api.read.remembered import REMEMBERED_FOR
from api.read.rows import row_maker, scope_fields
from api.read.subscriptions import EVERYBODY, Selection
from api.read.unfinished_snapshot import RowPlace
from api.read.view import ORGANISATION, Scope, ScopeValues, View, ViewChanges, rep_scope, team_scope
from schemas.instants import MINUTE
from schemas.json_object import Json
from schemas.panes import Pane
from schemas.windows import Span, Window, span_of

CHEAPER = 4
"""So many reps are looked at, or merged into their teams, in the time in which the values of one are made anew."""
_MANY = 5_000
_TOGETHER = 16
"""As many scopes are merged together as are worth it."""
_MANY_CHANGES = 10_000
"""Changes that are written down for a window, before it is taken that everything has changed."""

_NO_HEAD: Json = {}

RowNews = list[tuple[Scope, Json]]
"""Rows with what has changed of them."""
WatchedRows = Mapping[str, Container[Selection]]
"""Whose rows are looked at, by window."""


@dataclass(slots=True)
class Untold:
    """Changes that a window has not told yet."""

    panes: set[tuple[Window, str | None]] = field(default_factory=set)
    heads: set[Scope] = field(default_factory=set)
    reps: set[str] = field(default_factory=set)
    roster: bool = False
    everything: bool = False

    def note(self, changes: ViewChanges, heads: set[Scope]) -> None:
        """Add what has changed since."""
        if not self.everything:
            self.panes |= changes.panes
        self.heads |= heads
        self.reps |= changes.reps
        self.roster |= bool(changes.reps) or changes.goals
        self.everything |= changes.everything or len(self.panes) > _MANY_CHANGES
        if self.everything:
            self.panes.clear()


_NOBODY = Selection(frozenset(), frozenset())


@dataclass(slots=True)
class ShownPart:
    """That clients look at a part of a window."""

    since: int
    """Number of the event from which on changes of it are told."""
    used_at: int


@dataclass(slots=True)
class FollowedWindow:
    """A window that clients look at: the values last sent, by scope, of all that one of them shows."""

    flushed_at: int
    span: Span
    shown: dict[Selection, ShownPart] = field(default_factory=dict)
    _all: Selection = _NOBODY
    """What all of them show together."""
    values: dict[Scope, ScopeValues] = field(default_factory=dict)
    panes: dict[Scope, Pane] = field(default_factory=dict)
    """What the values were made of: only metrics of measures that are others now are made again."""
    goals: ToldGoals = field(default_factory=dict)
    untold: Untold = field(default_factory=Untold)
    """What has changed while nobody looked."""
    is_due: bool = False
    """Whether somebody asks for it, and it is not up to date yet."""
    left: dict[Scope, bool] = field(default_factory=dict)
    """Whose values are still to be made anew, and whether a client gets all of them: what one call did not get to."""
    groups: dict[Scope, None] = field(default_factory=dict)
    """Teams and the organisation among those, where their panes are not merged ahead yet."""
    blank: tuple[Span, int, ScopeValues] | None = None
    """The values of an empty pane over a span at an instant, of which those of others differ little."""

    def has(self, scope: Scope, team: str | None) -> bool:
        """Whether somebody looks at rows of this scope. `team`: the rep's own, today."""
        return self._all.has(scope, team)

    def show(self, selection: Selection, number: int, now: int) -> bool:
        """Somebody looks at that from now on; whether nobody did."""
        held = self.shown.get(selection)
        if held is not None:
            held.used_at = now
            return False
        self.shown[selection] = ShownPart(number, now)
        self._join()
        return True

    def hide(self, selection: Selection) -> None:
        """Nobody looks at that any more."""
        del self.shown[selection]
        self._join()

    def forget(self, scope: Scope) -> None:
        """Nothing was told of this scope."""
        for held in (self.values, self.panes, self.left, self.groups, self.goals):
            held.pop(scope, None)

    def _join(self) -> None:
        if EVERYBODY in self.shown:
            self._all = EVERYBODY
        else:
            self._all = Selection(
                frozenset().union(*(each.teams or () for each in self.shown)),
                frozenset().union(*(each.reps or () for each in self.shown)),
            )


class FollowedWindows:
    """Of one view: another one begins anew."""

    def __init__(self, view: View) -> None:
        self._view = view
        self.heads = Heads()
        self.windows: dict[str, FollowedWindow] = {}
        self.pinned: frozenset[str] = frozenset()
        """Those that are followed as a whole whoever looks at them: they are exported."""

    @property
    def is_all_told(self) -> bool:
        """Whether nothing is left for the next call of `news`."""
        return self.heads.is_all_seen and not any(followed.is_due for followed in self.windows.values())

    def follow(self, window: str, selection: Selection, number: int, now: int) -> bool:
        """Somebody looks at that part of a window, from the event of that number on; whether nobody did."""
        followed = self.windows.get(window)
        if followed is None:
            span = span_of(window, now, self._view.calendar)
            followed = self.windows[window] = FollowedWindow(flushed_at=now, span=span)
        return followed.show(selection, number, now)

    def since(self, window: str, selection: Selection) -> int:
        """From which event on it is told what changes there."""
        return self.windows[window].shown[selection].since

    def values(self, window: str) -> dict[Scope, ScopeValues]:
        """As last told. The dict is a copy, what is in it is never changed."""
        followed = self.windows.get(window)
        return {} if followed is None else dict(followed.values)

    def scopes(self, selection: Selection) -> list[Scope]:
        """Of whom there are rows in such a part; whoever is not known yet is told of as somebody new."""
        known, roster = self.heads.known, self._view.roster
        there: Iterable[Scope] = self._view.scopes()
        if selection != EVERYBODY:
            teams = selection.teams or frozenset()
            reps = {*(selection.reps or ()), *(rep for team in teams for rep in roster.ever_in(team))}
            there = [*map(team_scope, sorted(teams)), *map(rep_scope, sorted(reps))]
        return [scope for scope in there if scope in known and selection.has(scope, known[scope].get("team"))]

    def rows_of(self, places: Iterable[RowPlace], now: int) -> Iterator[tuple[RowPlace, Json]]:
        """Whole rows of windows that are followed, as they were last told; whoever was never told of is now."""
        for window, group in groupby(places, itemgetter(0)):
            scopes = [scope for _, scope in group]
            followed = self.windows[window]
            unknown = [scope for scope in scopes if scope not in followed.values]
            for scope, pane in self._view.merged_by_scope(unknown, followed.span, now):
                followed.panes[scope] = pane
                followed.values[scope] = self._made(followed, pane, now)
            make_row = row_maker(self._view, followed.span, now)
            for scope in scopes:
                head = self.heads.known.get(scope)
                row = make_row(scope_fields(self._view, scope, now) if head is None else head, followed.values[scope])
                if goals := first_told(self._view, followed.goals, scope, followed.span, now):
                    row["goals"] = goals
                yield (window, scope), row

    def news(
        self,
        changes: ViewChanges,
        heads: set[Scope],
        watched: WatchedRows,
        now: int,
        *,
        unwatched: bool,
        room: int | None,
    ) -> Iterator[tuple[str, RowNews]]:
        """What has changed, window by window; see `Broadcaster.flush`. `heads`: who is new or called otherwise."""
        for window, followed in list(self.windows.items()):
            if not self._is_still_followed(followed, watched.get(window, ()), now):
                del self.windows[window]
                continue
            followed.untold.note(changes, heads)
            followed.is_due = unwatched or window in watched
            if not 0 <= now - followed.flushed_at <= REMEMBERED_FOR:
                # Minutes that have passed unseen may not be kept any more; or the clock was set back.
                followed.untold.everything = True
            if followed.is_due and room != 0:
                rows, room = self._news_of(followed, now, room)
                if followed.is_due:
                    # The next time the others come first.
                    self.windows[window] = self.windows.pop(window)
                if rows:
                    yield window, rows

    def forget(self, gone: Iterable[Scope]) -> None:
        """There are no such scopes any more."""
        for scope in gone:
            for followed in self.windows.values():
                followed.forget(scope)

    def _news_of(self, followed: FollowedWindow, now: int, room: int | None) -> tuple[RowNews, int | None]:
        """What there is room for of one window; how much room that leaves (None: there is no limit)."""
        view = self._view
        span = span_of(followed.span.name, now, view.calendar)
        # Once a day every row is sent whole: it is of another day now, also where the values are the same.
        is_new_day = span.days and span != followed.span
        scopes = self._shown_of(followed, self.heads.known if is_new_day else self._touched(followed, span, now))
        whole = scopes if is_new_day else followed.untold.heads
        for scope in followed.untold.heads - scopes:
            # Whoever has left what is looked at comes back as somebody new.
            followed.forget(scope)
        followed.span, followed.flushed_at, followed.untold = span, now, Untold()
        # This is called once for each piece of what is left: only what is new of it is looked at.
        left = followed.left
        for scope in scopes:
            left.setdefault(scope, False)
        left |= dict.fromkeys(whole & scopes, True)
        followed.groups |= dict.fromkeys(scope for scope in scopes if scope.kind != "rep")
        if room is not None and followed.groups:
            # What is of everybody is merged ahead: at once it would take as long as all reps together.
            room -= -(-view.merge_ahead([*followed.groups], span, CHEAPER * room) // CHEAPER)
            if room <= 0:
                return [], 0
            followed.groups.clear()
        make_row = row_maker(view, span, now)
        rows = []
        count = len(left) if room is None else min(room, len(left))
        some = {scope: left.pop(scope) for scope in [*islice(left, count)]}  # who has waited longest
        is_many = len(some) >= _TOGETHER
        one_by_one = ((scope, view.merged(scope, span, now)) for scope in some)
        for scope, pane in view.merged_by_scope([*some], span, now) if is_many else one_by_one:
            is_whole = some[scope]
            told = self._refresh(followed, scope, pane, now, is_whole=is_whole)
            goals = goal_news(view, followed.goals, scope, span, now, is_whole=is_whole)
            if told.metrics or goals:
                row = make_row(self.heads.known[scope], told)
                rows.append((scope, row | {"goals": goals} if goals else row))
        followed.is_due = bool(left)
        return rows, None if room is None else room - count

    def _is_still_followed(self, followed: FollowedWindow, watched: Container[Selection], now: int) -> bool:
        """Let go of what nobody has looked at for so long that whoever comes back is given all of it.

        Gives whether anything is left.
        """
        for selection, shown in list(followed.shown.items()):
            if selection in watched or (selection == EVERYBODY and followed.span.name in self.pinned):
                shown.used_at = now
            elif now - shown.used_at > REMEMBERED_FOR:
                followed.hide(selection)
                for scope in [scope for scope in followed.values if not self._shown_of(followed, [scope])]:
                    followed.forget(scope)
        return bool(followed.shown)

    def _shown_of(self, followed: FollowedWindow, scopes: Iterable[Scope]) -> set[Scope]:
        """Those of whom somebody sees a row."""
        return {scope for scope in scopes if followed.has(scope, self.heads.known.get(scope, _NO_HEAD).get("team"))}

    def _refresh(self, followed: FollowedWindow, scope: Scope, pane: Pane, now: int, *, is_whole: bool) -> ScopeValues:
        """Make the values of a scope anew; what a client does not have yet (`is_whole`: all of them)."""
        view, span = self._view, followed.span
        before, held = followed.panes.get(scope), followed.values.get(scope)
        followed.panes[scope] = pane
        if held is None or before is None:
            values = told = self._made(followed, pane, now)
        else:
            # Most changes are of one or two measures: the other metrics are what they were.
            made = view.result(pane, now, view.metrics_of(before, pane), span)
            told = made.since(held)
            values = held.replaced_by(told) if told.metrics else held
        followed.values[scope] = values
        return values if is_whole else told

    def _made(self, followed: FollowedWindow, pane: Pane, now: int) -> ScopeValues:
        """All values of a pane that nothing is known of: of most metrics what they are of an empty one."""
        view, span = self._view, followed.span
        if followed.blank is None or followed.blank[:2] != (span, now):
            blank = view.result({}, now, span=span)
            if followed.blank is not None and followed.blank[2] == blank:
                blank = followed.blank[2]  # what is shared of it lies in memory once
            followed.blank = span, now, blank
        return view.result_on(followed.blank[2], pane, now, span)

    def _touched(self, followed: FollowedWindow, span: Span, now: int) -> set[Scope]:
        """Whose values may be others now: only of those they are made again."""
        view, untold = self._view, followed.untold
        if untold.everything:
            return set(self.heads.known)
        if view.has_rep_days and (span != followed.span or untold.roster):
            return set(self.heads.known)
        inside = span.windows()
        panes = {pane for pane in untold.panes if pane[0] in inside or view.is_in_levels(pane[0], span, now)}
        if span != followed.span:
            for number in set(inside) ^ set(followed.span.windows()):
                window = Window(number)
                panes |= {(window, rep) for rep in view.reps_in(window)}
        if len(panes) > _MANY:
            return set(self.heads.known)  # to find out who they are would take longer than it saves
        touched = {scope for window, rep in panes for scope in view.scopes_of(window, rep)} | untold.heads
        if untold.roster:
            # A past move changes what was done for which team.
            touched |= {team_scope(team) for team in view.roster.team_names}
            touched |= {ORGANISATION, *map(rep_scope, untold.reps)} if view.goals.goals else set()
        if now // MINUTE != followed.flushed_at // MINUTE:
            # What a value is at least grows with the clock; a screen gets it once a minute.
            touched |= {scope for scope, values in followed.values.items() if values.bounds}
            since = followed.flushed_at
            touched |= {scope for scope, pane in followed.panes.items() if view.comes_due(pane, since, now)}
            touched |= view.levels_moved(since, now)
            touched |= followed.goals.keys()
        return touched & self.heads.known.keys()

"""What changes, pushed: rows of metrics, leads, wins and freshness as server-sent events.

Owns the diff against what was last sent, the numbering of events, and the queues of clients. An event is encoded once
for all clients that ask for the same; a client that is too slow gets a new snapshot instead of a longer queue, and so
does one for whom something has gone that no later event would take away. Does no HTTP, and reads no clock: `now` is an
argument.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from api.read.discretion import Discretion, Told
from api.read.encoding import chosen, encoded, encoded_for, needs_snapshot, payload_for
from api.read.events import Event, Followed, Untold
from api.read.goal_news import first_told, goal_news
from api.read.heads import Heads
from api.read.making import AT_ONCE, Clock, Making, Pieces, Place, at_once
from api.read.owned_news import OwnedTeller
from api.read.remembered import REMEMBERED_FOR, RememberedEvents
from api.read.rows import Json, open_alerts, row_maker, scope_fields, waiting_leads
from api.read.subscriptions import EVERYBODY, Filter, Selection, Subscription
from api.read.view import ORGANISATION, Scope, Values, View, rep_scope, team_scope
from api.read.win_news import IN_SNAPSHOT, WinTeller
from schemas.instants import MINUTE, SECOND, format_instant
from schemas.panes import Pane
from schemas.windows import Span, Window, span_of

UNWATCHED_EVERY = 5 * SECOND
"""A window without a client is brought up to date this often, and whenever somebody asks for it."""
FRESHNESS_EVERY = 5 * SECOND
FRESHNESS_AT_MOST_EVERY = SECOND

_CHEAPER = 4
"""So many reps are looked at, or merged into their teams, in the time in which the values of one are made anew."""
_MANY = 5_000
_TOGETHER = 16
"""As many scopes are merged together as are worth it."""

_NO_HEAD: Json = {}
_EVENT_ID = re.compile(r"([0-9a-zA-Z_-]{1,64}):([0-9]{1,15})")


class Broadcaster:
    """Tells clients what changes. `flush` is called when the view or the time has moved."""

    def __init__(self, view: View, *, instance: str, build: str, freshness: Callable[[int], Json]) -> None:
        self._view = view
        self._instance = instance
        self._build = build
        self._freshness = freshness
        self._number = 0
        self._events = RememberedEvents()
        self._followed: dict[str, Followed] = {}
        self._subscriptions: dict[Filter, set[Subscription]] = {}
        self._told: dict[Filter, Told] = {}
        """What screens were told of people, where something is kept from them."""
        self._pinned: frozenset[str] = frozenset()
        self._heads = Heads()
        self._owned = OwnedTeller()
        self._wins = WinTeller()
        self._freshness_sent_at = 0
        self._progress_waits = False
        self._in_the_making: list[Making] = []
        """Snapshots."""

    @property
    def clients(self) -> int:
        """How many are connected."""
        return sum(len(found) for found in self._subscriptions.values())

    # ---------------------------------------------------------------- clients

    def subscribing(
        self, wanted: Filter, last_event_id: str | None, clock: Clock
    ) -> Pieces[tuple[Subscription, bytes]]:
        """A new client, and what it gets first: what it missed, or a snapshot as of the last piece."""
        yield from self.flushing(clock)
        now = clock()
        for window in wanted.windows:
            self._follow(window, wanted.selection, now)
        first = self._missed(wanted, last_event_id, now)
        if first is None:
            first = yield from self._making(wanted, clock)
        subscription = Subscription(wanted)
        self._subscriptions.setdefault(wanted, set()).add(subscription)
        return subscription, first

    def subscribe(self, wanted: Filter, last_event_id: str | None, now: int) -> tuple[Subscription, bytes]:
        """The same at once."""
        return at_once(self.subscribing(wanted, last_event_id, lambda: now))

    def unsubscribe(self, subscription: Subscription) -> None:
        """The client has gone."""
        found = self._subscriptions.get(subscription.wanted, set())
        found.discard(subscription)
        if not found:
            self._subscriptions.pop(subscription.wanted, None)
            self._told.pop(subscription.wanted, None)

    def snapshot(self, wanted: Filter, clock: Clock) -> Pieces[bytes]:
        """Everything that is asked for, as the event `snapshot`. Brings a lagging client up to date."""
        yield from self.flushing(clock)
        return (yield from self._making(wanted, clock))

    def flushing(self, clock: Clock, *, unwatched: bool = True) -> Pieces[int]:
        """Send everyone what differs (see `flush`); as of when that is all."""
        while not self.flush(now := clock(), unwatched=unwatched, most=AT_ONCE):
            yield
        return now

    def _snapshot(self, wanted: Filter, now: int) -> bytes:
        return at_once(self._making(wanted, lambda: now))

    def _making(self, wanted: Filter, clock: Clock) -> Pieces[bytes]:
        """A snapshot: what changes after its row was made, until all are, is made anew."""
        if (told := self._keeps_back(wanted)) is not None:
            return self._with_all(wanted, self._discreet_rows(wanted, told, clock()), clock())
        making = Making(wanted)
        self._in_the_making.append(making)
        try:
            while making.is_void or making.left:
                now = clock()
                if making.is_void:
                    making.begin(self._places(wanted, now))
                self._make_rows(wanted, making, now)
                if making.left:
                    yield
            return self._with_all(wanted, [*making.rows.values()], clock())
        finally:
            self._in_the_making.remove(making)

    def _places(self, wanted: Filter, now: int) -> Iterator[Place]:
        """Of which windows and of whom there are rows."""
        known = self._heads.known  # whoever is not there yet is told of as somebody new
        there = (scope for scope in self._view.scopes() if scope in known)
        scopes = [scope for scope in there if wanted.wants(scope, known[scope].get("team"))]
        for window in wanted.windows:
            self._follow(window, wanted.selection, now)
            yield from ((window, scope) for scope in scopes)

    def _make_rows(self, wanted: Filter, making: Making, now: int) -> None:
        """Some of the rows that are left."""
        for window, scopes in making.take(AT_ONCE).items():
            for scope, row in self._rows_of(wanted, window, scopes, now):
                making.rows[window, scope] = orjson.Fragment(orjson.dumps(row))

    def _discreet_rows(self, wanted: Filter, told: Told, now: int) -> list[Json]:
        rows: list[Json] = []
        for window in wanted.windows:
            found = self._rows(wanted, window, now)
            told.take(window, found)
            rows += [row for row in found if "rep" not in row] + list(told.rows[window].values())
        return rows

    def _with_all(self, wanted: Filter, rows: Sequence[Json | orjson.Fragment], now: int) -> bytes:
        """The snapshot with these rows."""
        told = self._keeps_back(wanted)
        leads = [lead for lead in waiting_leads(self._view, now) if wanted.wants_lead(lead["rep"], lead["team"])]
        alerts = [alert for alert in open_alerts(self._view) if wanted.wants_lead(alert["rep"], alert["team"])]
        if told is not None:
            shown = told.shown()
            leads = [told.discretion.lead(lead, shown) for lead in leads]
            alerts = [told.discretion.lead(alert, shown) for alert in alerts]
        payload: Json = {
            "rows": rows,
            "leads": leads,
            "alerts": alerts,
            "freshness": self._freshness(now),
            "server_time": format_instant(now),
            "organisation": {
                "name": self._view.config.organisation.name,
                "timezone": self._view.config.organisation.timezone,
                "currency": self._view.config.organisation.currency,
            },
            "build": self._build,
        }
        if wanted.wins:
            wins = [win for win in self._wins.of_today(self._view, now) if wanted.wants_win(win)][:IN_SNAPSHOT]
            payload["wins"] = wins if told is None else [told.discretion.win(win) for win in wins]
            gone = [win for win in self._wins.taken_back() if wanted.wants_win(win)]
            payload["taken_back"] = gone if told is None else [told.discretion.win(win) for win in gone]
        return self._encode("snapshot", payload)

    def _rows(self, wanted: Filter, asked: str, now: int) -> list[Json]:
        """All rows of a window that a client asks for."""
        scopes = [scope for window, scope in self._places(wanted, now) if window == asked]
        return [row for _, row in self._rows_of(wanted, asked, scopes, now)]

    def _rows_of(self, wanted: Filter, window: str, scopes: Sequence[Scope], now: int) -> Iterator[tuple[Scope, Json]]:
        """Of a window that is followed, as it was last told; whoever was never told of is now."""
        followed = self._follow(window, wanted.selection, now)
        unknown = [scope for scope in scopes if scope not in followed.values]
        for scope, pane in self._view.merged_by_scope(unknown, followed.span, now):
            followed.panes[scope] = pane
            followed.values[scope] = self._made(followed, pane, now)
        make_row = row_maker(self._view, followed.span, now)
        for scope in scopes:
            row = make_row(self._head(scope, now), followed.values[scope])
            if goals := first_told(self._view, followed.goals, scope, followed.span, now):
                row["goals"] = goals
            yield scope, chosen(self._view, row, wanted.metrics)

    def shown_to(self, wanted: Filter, now: int) -> set[str]:
        """The reps whom a screen shows, from whom something is kept."""
        told = Told(wanted.discretion or Discretion(""))
        told.rows = {name: told.discretion.rows(name, self._rows(wanted, name, now)) for name in wanted.windows}
        return told.shown()

    def _keeps_back(self, wanted: Filter) -> Told | None:
        """What such clients were told of people; None: nothing is kept from them."""
        found = wanted.discretion
        return None if found is None or found.tells_all else self._told.setdefault(wanted, Told(found))

    def _missed(self, wanted: Filter, last_event_id: str | None, now: int) -> bytes | None:
        """What came after that event, for this filter; None where only a snapshot helps."""
        found = _EVENT_ID.fullmatch(last_event_id or "")
        # Whom a screen may be shown depends on the moment: events of before say too much.
        if found is None or found[1] != self._instance or self._keeps_back(wanted) is not None:
            return None
        last = int(found[2])
        events = self._events.after(last)
        if events is None or last > self._number:
            return None
        if any(self._followed[window].shown[wanted.selection].since > last for window in wanted.windows):
            return None
        if any(needs_snapshot(wanted, event) for event in events):
            return None
        pieces = [self._for(wanted, event) for event in events]
        # Freshness is not remembered: only the newest means anything.
        pieces.append(self._encode("freshness", self._freshness(now)))
        return b"".join(piece for piece in pieces if piece is not None)

    def pin(self, windows: Iterable[str], now: int) -> None:
        """Follow these windows always: they are exported."""
        self._pinned = frozenset(windows)
        for window in self._pinned:
            self._follow(window, EVERYBODY, now)

    def turn_to(self, view: View, pinned: Iterable[str], now: int) -> None:
        """Tell of another view from now on: every client gets a snapshot of it, which makes all before it void."""
        shown = {
            (window, selection)
            for window, followed in self._followed.items()
            for selection in followed.shown
            if self._is_watched(window, selection)
        }
        self._view = view
        self._followed, self._heads = {}, Heads()
        self._owned = OwnedTeller()
        self._wins = WinTeller()
        view.advance(now)
        view.forget_changes()
        self._pinned = frozenset(pinned)
        for window, selection in shown | {(window, EVERYBODY) for window in self._pinned}:
            self._follow(window, selection, now)
        # So that what is in the snapshots is known as told; the events of it are nobody's.
        subscriptions, self._subscriptions = self._subscriptions, {}
        self.flush(now, unwatched=True)
        self._subscriptions = subscriptions
        self._number += 1
        self._events.forget(self._number)
        for making in self._in_the_making:
            making.is_void = True
        for wanted, clients in subscriptions.items():
            snapshot = self._snapshot(wanted, now)
            for client in clients:
                client.restart(snapshot)

    def followed_values(self, window: str) -> dict[Scope, Values]:
        """The values last sent of a followed window. The dict is a copy, what is in it is never changed."""
        followed = self._followed.get(window)
        return {} if followed is None else dict(followed.values)

    def command(self, device: str, data: Json) -> None:
        """Tell a screen on the wall what to do; nobody else."""
        event = self._encode("screen", data)
        for wanted, clients in self._subscriptions.items():
            for client in clients if wanted.device == device else ():
                client.put(event)

    def has_device(self, device: str) -> bool:
        """Whether this screen has a stream open here."""
        return any(wanted.device == device for wanted in self._subscriptions)

    # ---------------------------------------------------------------- what changes

    def next_flush(self, now: int) -> int:
        """When something may change by time alone (microseconds)."""
        pause = FRESHNESS_AT_MOST_EVERY if self._progress_waits else FRESHNESS_EVERY
        instants = [(now // MINUTE + 1) * MINUTE, self._freshness_sent_at + pause]
        upcoming = self._view.next_instant(), self._wins.next_instant()
        instants += [at for at in upcoming if at is not None]
        return max(now, min(instants))

    def flush(self, now: int, *, unwatched: bool = False, most: int | None = None) -> bool:
        """Send everyone what differs from what was last sent; gives whether that is all of it.

        A window that no client looks at costs as much as one on every screen: it waits, unless `unwatched`. With
        `most`, the values of so many scopes are made anew, and little else is done: who shares an event loop calls
        again until all is sent.
        """
        view = self._view
        view.advance(now)
        changes = view.take_changes()
        changed_heads, departures = self._heads.look(view, changes, now, None if most is None else _CHEAPER * most)
        room = most
        gone = {departure.scope for departure in departures if departure.is_gone}
        for window, followed in list(self._followed.items()):
            is_watched = self._is_watched(window)
            if not self._is_still_followed(window, followed, now):
                del self._followed[window]
                continue
            for scope in gone:
                followed.forget(scope)
            followed.untold.note(changes, changed_heads)
            # The clock may have been set back.
            followed.is_due |= is_watched or unwatched or not 0 <= now - followed.flushed_at < UNWATCHED_EVERY
            if followed.is_due and room != 0:
                room = self._flush_window(window, followed, now, room)
        for lead in self._owned.leads(view, changes, changed_heads, now):
            self._emit("lead", None, lead, now)
        for alert in self._owned.alerts(view, changes):
            self._emit("alert", None, alert, now)
        for news in self._wins.news(view, changes, now):
            self._emit("win", None, news, now)
        if departures:
            self._emit("departure", None, departures, now, weight=len(departures))
        self._progress_waits |= changes.progress
        pause = FRESHNESS_AT_MOST_EVERY if self._progress_waits else FRESHNESS_EVERY
        if now - self._freshness_sent_at >= pause:
            self._freshness_sent_at = now
            self._progress_waits = False
            self._emit("freshness", None, self._freshness(now), now)
        return not self._heads.unseen and not any(followed.is_due for followed in self._followed.values())

    def _flush_window(self, window: str, followed: Followed, now: int, room: int | None) -> int | None:
        """Tell of a window what there is room for; how much room that leaves (None: there is no limit)."""
        view = self._view
        span = span_of(window, now, view.calendar)
        # Once a day every row is sent whole: it is of another day now, also where the values are the same.
        is_new_day = span.days and span != followed.span
        scopes = self._shown_of(followed, self._heads.known if is_new_day else self._touched(followed, span, now))
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
            for number in span.windows():
                room -= -(-view.merge_ahead(Window(number), [*followed.groups], _CHEAPER * room) // _CHEAPER)
                if room <= 0:
                    return 0
            followed.groups.clear()
        make_row = row_maker(view, span, now)
        rows = []
        count = len(left) if room is None else min(room, len(left))
        some = dict(left.popitem() for _ in range(count))
        is_many = len(some) >= _TOGETHER
        one_by_one = ((scope, view.merged(scope, span, now)) for scope in some)
        for scope, pane in view.merged_by_scope([*some], span, now) if is_many else one_by_one:
            is_whole = some[scope]
            told = self._refresh(followed, scope, pane, now, is_whole=is_whole)
            goals = goal_news(view, followed.goals, scope, span, now, is_whole=is_whole)
            if told.metrics or goals:
                row = make_row(self._heads.known[scope], told)
                rows.append((scope, row | {"goals": goals} if goals else row))
        if rows:
            self._emit("metrics", window, rows, now, weight=len(rows))
        followed.is_due = bool(left)
        return None if room is None else room - count

    def _is_still_followed(self, window: str, followed: Followed, now: int) -> bool:
        """Let go of what nobody has looked at for so long that whoever comes back is given all of it.

        Gives whether anything is left.
        """
        for selection, shown in list(followed.shown.items()):
            is_pinned = selection == EVERYBODY and window in self._pinned
            if now - shown.used_at > REMEMBERED_FOR and not is_pinned and not self._is_watched(window, selection):
                followed.hide(selection)
                for scope in [scope for scope in followed.values if not self._shown_of(followed, [scope])]:
                    followed.forget(scope)
        return bool(followed.shown)

    def _shown_of(self, followed: Followed, scopes: Iterable[Scope]) -> set[Scope]:
        """Those of whom somebody sees a row."""
        return {scope for scope in scopes if followed.has(scope, self._heads.known.get(scope, _NO_HEAD).get("team"))}

    def _refresh(self, followed: Followed, scope: Scope, pane: Pane, now: int, *, is_whole: bool) -> Values:
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

    def _made(self, followed: Followed, pane: Pane, now: int) -> Values:
        """All values of a pane that nothing is known of: of most metrics what they are of an empty one."""
        view, span = self._view, followed.span
        if followed.blank is None or followed.blank[:2] != (span, now):
            blank = view.result({}, now, span=span)
            if followed.blank is not None and followed.blank[2] == blank:
                blank = followed.blank[2]  # what is shared of it lies in memory once
            followed.blank = span, now, blank
        return followed.blank[2].replaced_by(view.result(pane, now, view.metrics_of({}, pane), span))

    def _touched(self, followed: Followed, span: Span, now: int) -> set[Scope]:
        """Whose values may be others now: only of those they are made again."""
        view, untold = self._view, followed.untold
        if untold.everything:
            return set(self._heads.known)
        if view.has_rep_days and (span != followed.span or untold.roster):
            return set(self._heads.known)
        inside = span.windows()
        panes = {pane for pane in untold.panes if pane[0] in inside or view.is_in_levels(pane[0], span, now)}
        if span != followed.span:
            for number in set(inside) ^ set(followed.span.windows()):
                window = Window(number)
                panes |= {(window, rep) for rep in view.reps_in(window)}
        if len(panes) > _MANY:
            return set(self._heads.known)  # to find out who they are would take longer than it saves
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
        return touched & self._heads.known.keys()

    def _emit(self, kind: str, window: str | None, payload: Any, now: int, *, weight: int = 1) -> None:
        self._number += 1
        event = Event(self._number, kind, window, payload, weight)
        if kind != "freshness":
            self._events.add(event, now)
        for making in self._in_the_making:
            making.note(event)
        for wanted, clients in self._subscriptions.items():
            if needs_snapshot(wanted, event):
                snapshot = self._snapshot(wanted, now)
                for client in clients:
                    client.restart(snapshot)
                continue
            told = self._keeps_back(wanted)
            piece = self._for(wanted, event) if told is None else self._discreetly(wanted, told, event, now)
            if piece is not None:
                for client in clients:
                    client.put(piece)

    def _discreetly(self, wanted: Filter, told: Told, event: Event, now: int) -> bytes | None:
        """The event as a screen gets it that is not told everything."""
        if event.kind == "metrics" and event.window in wanted.windows:
            news = told.news(event.window, self._rows(wanted, event.window, now))
            if news is None:
                return self._snapshot(wanted, now)
            common = [
                row for scope, row in event.payload if scope.kind != "rep" and wanted.wants(scope, row.get("team"))
            ]
            news += [chosen(self._view, row, wanted.metrics) for row in common]
            return encoded(self._instance, "metrics", event.number, {"rows": news}) if news else None
        payload = payload_for(self._view, wanted, event)
        if payload is not None and event.kind in {"lead", "alert"}:
            payload = told.discretion.lead(payload, told.shown())
        elif payload is not None and event.kind == "win":
            payload = told.discretion.win(payload)
        return None if payload is None else encoded(self._instance, event.kind, event.number, payload)

    def _follow(self, window: str, selection: Selection, now: int) -> Followed:
        followed = self._followed.get(window)
        if followed is None:
            span = span_of(window, now, self._view.calendar)
            followed = self._followed[window] = Followed(flushed_at=now, span=span)
        # A number of its own: nobody who saw an earlier one has seen this part of the window since.
        if followed.show(selection, self._number + 1, now):
            self._number += 1
        return followed

    def _is_watched(self, window: str, selection: Selection | None = None) -> bool:
        looking = [*self._subscriptions, *(making.wanted for making in self._in_the_making)]
        return any(window in wanted.windows and selection in (None, wanted.selection) for wanted in looking)

    def _head(self, scope: Scope, now: int) -> Json:
        head = self._heads.known.get(scope)
        return scope_fields(self._view, scope, now) if head is None else head

    def _encode(self, kind: str, payload: Mapping[str, Any]) -> bytes:
        return encoded(self._instance, kind, self._number, payload)

    def _for(self, wanted: Filter, event: Event) -> bytes | None:
        return encoded_for(self._view, self._instance, wanted, event)

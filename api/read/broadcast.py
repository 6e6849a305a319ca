"""What changes, pushed: rows of metrics, leads, wins and freshness as server-sent events.

Owns the diff against what was last sent, the numbering of events, and the queues of clients. An event is encoded once
for all clients that ask for the same; a client that is too slow gets a new snapshot instead of a longer queue, and so
does one for whom something has gone that no later event would take away. Does no HTTP, and reads no clock: `now` is an
argument.
"""

import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any

import orjson

from api.read.discretion import Discretion, Moves, ScreenAudience
from api.read.encoding import chosen, encoded, encoded_for, needs_snapshot, payload_for
from api.read.events import StreamEvent
from api.read.followed import CHEAPER, FollowedWindows
from api.read.owned_news import OwnedNews
from api.read.piecemeal import Piecemeal
from api.read.remembered import RememberedEvents
from api.read.rows import open_alerts, waiting_leads
from api.read.subscriptions import EVERYBODY, Filter, Selection, Subscription
from api.read.unfinished_snapshot import AT_ONCE, RowPlace, UnfinishedSnapshot
from api.read.view import Scope, ScopeValues, View, rep_scope
from api.read.win_news import IN_SNAPSHOT, ToldWins
from schemas.config import Config
from schemas.instants import MINUTE, SECOND, format_instant
from schemas.json_object import Json

FRESHNESS_EVERY = 5 * SECOND
FRESHNESS_AT_MOST_EVERY = SECOND
BROUGHT_UP_WITHIN = SECOND
"""Before a snapshot is begun."""

_EVENT_ID = re.compile(r"([0-9a-zA-Z_-]{1,64}):([0-9]{1,15})")


class Broadcaster:
    """Tells clients what changes. `flush` is called when the view or the time has moved."""

    def __init__(
        self, view: View, *, instance: str, build: Callable[[Config], str], freshness: Callable[[int], Json]
    ) -> None:
        self._view = view
        self._instance = instance
        self._build_by = build
        self._build = build(view.config)
        self._freshness = freshness
        self._number = 0
        self._events = RememberedEvents()
        self._windows = FollowedWindows(view)
        self._subscriptions: dict[Filter, set[Subscription]] = {}
        self._told: dict[Filter, ScreenAudience] = {}
        """What screens were told of people, where something is kept from them."""
        self._owned = OwnedNews()
        self._wins = ToldWins()
        self._freshness_sent_at = 0
        self._progress_waits = False
        self._in_the_making: dict[Filter, UnfinishedSnapshot] = {}
        """Snapshots."""

    @property
    def clients(self) -> int:
        """How many are connected."""
        return sum(len(found) for found in self._subscriptions.values())

    # ---------------------------------------------------------------- clients

    def subscribing(
        self, wanted: Filter, last_event_id: str | None, clock: Callable[[], int]
    ) -> Piecemeal[tuple[Subscription, bytes]]:
        """A new client, and what it gets first: what it missed, or a snapshot as of the last piece."""
        yield from self._bringing_up(clock)
        now = clock()
        for window in wanted.windows:
            self._follow(window, wanted.selection, now)
        first = self._missed(wanted, last_event_id, now)
        if first is None:
            first = yield from self._making(wanted, clock)
        subscription = Subscription(wanted)
        self._subscriptions.setdefault(wanted, set()).add(subscription)
        return subscription, first

    def unsubscribe(self, subscription: Subscription) -> None:
        """The client has gone."""
        found = self._subscriptions.get(subscription.wanted, set())
        found.discard(subscription)
        if not found:
            self._subscriptions.pop(subscription.wanted, None)

    def snapshot(self, wanted: Filter, clock: Callable[[], int]) -> Piecemeal[bytes]:
        """Everything that is asked for, as the event `snapshot`. Brings a lagging client up to date."""
        yield from self._bringing_up(clock)
        return (yield from self._making(wanted, clock))

    def flushing(self, clock: Callable[[], int], *, unwatched: bool = True) -> Piecemeal[int]:
        """Send everyone what differs (see `flush`); as of when that is all."""
        while not self.flush(now := clock(), unwatched=unwatched, most=AT_ONCE):
            yield
        return now

    def _bringing_up(self, clock: Callable[[], int]) -> Piecemeal[None]:
        """Tell what is untold. A floor that never rests is told of the rest later, as everybody is."""
        until = clock() + BROUGHT_UP_WITHIN
        while not self.flush(now := clock(), unwatched=True, most=AT_ONCE) and now < until:
            yield

    def _making(self, wanted: Filter, clock: Callable[[], int]) -> Piecemeal[bytes]:
        """A snapshot. What is told of a row after it was made is made anew right then: so there is an end."""
        making = self._in_the_making.get(wanted)
        if making is None:
            making = self._in_the_making[wanted] = UnfinishedSnapshot()
            making.begin(self._places(wanted, clock()))
        making.askers += 1
        try:
            while making.left:
                now = clock()
                self._make_rows(wanted, making, making.take(AT_ONCE), now)
                if not making.left:
                    self._make_moved(wanted, making, self._settled(wanted), now)
                if making.left:
                    yield
            return self._with_all(wanted, [*making.rows.values()], clock())
        finally:
            making.askers -= 1
            if not making.askers:
                del self._in_the_making[wanted]

    def _make_rows(self, wanted: Filter, making: UnfinishedSnapshot, places: Iterable[RowPlace], now: int) -> None:
        """The rows of these places, as they are; those that the client is not shown go."""
        told = self._keeps_back(wanted)
        for place, whole in self._windows.rows_of(places, now):
            row: Json | None = whole
            if told is not None and place[1].kind == "rep":
                told.take(place[0], whole)
                row = told.row(place[0], whole)
            if row is None:
                making.drop([place])
            else:
                making.rows[place] = orjson.Fragment(orjson.dumps(chosen(self._view, row, wanted.metrics)))

    def _make_moved(self, wanted: Filter, making: UnfinishedSnapshot, moves: Moves, now: int) -> None:
        """The rows of who is shown otherwise: now, if they are few."""
        places = [(window, rep_scope(rep)) for window, rep in sorted(moves.whole)]
        if len(places) > AT_ONCE:
            making.left |= dict.fromkeys(places)
        else:
            self._make_rows(wanted, making, places, now)

    def _keep_up(self, wanted: Filter, making: UnfinishedSnapshot, event: StreamEvent, moves: Moves, now: int) -> None:
        """A snapshot in the making says what is told meanwhile: nobody else tells it to who gets it."""
        if event.kind == "departure":
            left = [departure.scope for departure in event.payload if departure.leaves(wanted)]
            making.drop((window, scope) for window in wanted.windows for scope in left)
        elif event.kind == "metrics" and event.window in wanted.windows:
            places = [(event.window, scope) for scope, row in event.payload if wanted.wants(scope, row.get("team"))]
            self._make_rows(wanted, making, [place for place in places if place not in making.left], now)
        self._make_moved(wanted, making, moves, now)

    def _with_all(self, wanted: Filter, rows: Sequence[Json | orjson.Fragment], now: int) -> bytes:
        """The snapshot with these rows."""
        told = self._keeps_back(wanted)
        leads = [lead for lead in waiting_leads(self._view, now) if wanted.wants_lead(lead["rep"], lead["team"])]
        alerts = [alert for alert in open_alerts(self._view) if wanted.wants_lead(alert["rep"], alert["team"])]
        if told is not None:
            leads = [told.discretion.lead(lead, told) for lead in leads]
            alerts = [told.discretion.lead(alert, told) for alert in alerts]
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

    def showing(self, wanted: Filter, clock: Callable[[], int]) -> Piecemeal[Container[str]]:
        """The reps whom a screen shows, from whom something is kept."""
        held = self._told.get(wanted)
        if held is not None and wanted in self._subscriptions:
            return held
        told = ScreenAudience(wanted.discretion or Discretion(""))
        if told.discretion.leaves_out:
            yield from self._bringing_up(clock)
            making = UnfinishedSnapshot()
            making.begin(place for place in self._places(wanted, clock()) if place[1].kind == "rep")
            while making.left:
                for window in wanted.windows:
                    self._follow(window, wanted.selection, clock())  # of another view by now, perhaps
                for (window, _), row in self._windows.rows_of(making.take(AT_ONCE), clock()):
                    told.take(window, row)
                yield
            told.settle()
        return told

    def _keeps_back(self, wanted: Filter) -> ScreenAudience | None:
        """What such clients are shown of people; None: nothing is kept from them."""
        found = wanted.discretion
        return None if found is None or found.tells_all else self._told.setdefault(wanted, ScreenAudience(found))

    def _settled(self, wanted: Filter) -> Moves:
        told = self._keeps_back(wanted)
        return Moves() if told is None else told.settle()

    def _moves(self, wanted: Filter, event: StreamEvent, now: int) -> Moves:
        """Whom such clients are shown otherwise after this event."""
        told = self._keeps_back(wanted)
        if told is None or not told.discretion.leaves_out:
            return Moves()
        if event.kind == "departure":
            for departure in event.payload:
                if departure.scope.kind == "rep" and departure.leaves(wanted):
                    told.forget(departure.scope.id)
        elif event.kind == "metrics" and event.window in wanted.windows:
            reps = [
                (event.window, scope)
                for scope, row in event.payload
                if scope.kind == "rep" and wanted.wants(scope, row.get("team"))
            ]
            for (window, _), row in self._windows.rows_of(reps, now):
                told.take(window, row)
        return told.settle()

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
        if any(self._windows.since(window, wanted.selection) > last for window in wanted.windows):
            return None
        if any(needs_snapshot(wanted, event) for event in events):
            return None
        pieces = [self._for(wanted, event) for event in events]
        # Freshness is not remembered: only the newest means anything.
        pieces.append(self._encode("freshness", self._freshness(now)))
        return b"".join(piece for piece in pieces if piece is not None)

    def pin(self, windows: Iterable[str], now: int) -> None:
        """Follow these windows always: they are exported."""
        self._windows.pinned = frozenset(windows)
        for window in self._windows.pinned:
            self._follow(window, EVERYBODY, now)

    def turn_to(self, view: View, pinned: Iterable[str], now: int) -> None:
        """Tell of another view from now on: every client gets a snapshot of it, which makes all before it void."""
        shown = {(window, selection) for window, selections in self._watched().items() for selection in selections}
        self._view, self._build = view, self._build_by(view.config)
        self._windows, self._told = FollowedWindows(view), {}
        self._owned = OwnedNews()
        self._wins = ToldWins()
        view.advance(now)
        view.forget_changes()
        self.pin(pinned, now)
        for window, selection in shown:
            self._follow(window, selection, now)
        # So that what is in the snapshots is known as told; the events of it are nobody's.
        subscriptions, self._subscriptions = self._subscriptions, {}
        makings, self._in_the_making = self._in_the_making, {}
        self.flush(now, unwatched=True)
        self._subscriptions, self._in_the_making = subscriptions, makings
        self._number += 1
        self._events.forget(self._number)
        for wanted, making in makings.items():
            making.begin(self._places(wanted, now))
        for clients in subscriptions.values():
            for client in clients:
                client.fall_behind()

    def followed_values(self, window: str) -> dict[Scope, ScopeValues]:
        """The values last sent of a followed window. The dict is a copy, what is in it is never changed."""
        return self._windows.values(window)

    def command(self, device: str, data: Json) -> None:
        """Tell a screen on the wall what to do; nobody else."""
        event = self._encode("screen", data)
        for wanted, clients in self._subscriptions.items():
            for client in clients if wanted.device == device else ():
                client.command(event)

    def wake(self) -> None:
        """Let each client be looked at: of some, what they may see has changed."""
        for clients in self._subscriptions.values():
            for client in clients:
                client.wake()

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

        A window that no client looks at costs as much as one on every screen: it waits, unless `unwatched`, and with
        nobody there at all so does who is new or has gone. With `most`, the values of so many scopes are made anew, and
        little else is done: who shares an event loop calls again until all is sent.
        """
        view = self._view
        view.advance(now)
        changes = view.take_changes()
        windows, watched = self._windows, self._watched()
        is_asked = unwatched or bool(watched)
        heads, departures = windows.heads.look(
            view, changes, now, 0 if not is_asked else None if most is None else CHEAPER * most
        )
        windows.forget(departure.scope for departure in departures if departure.is_gone)
        asked_for = {*self._subscriptions, *self._in_the_making}
        self._told = {wanted: told for wanted, told in self._told.items() if wanted in asked_for}
        for window, rows in windows.news(changes, heads, watched, now, unwatched=unwatched, room=most):
            self._emit("metrics", window, rows, now, weight=len(rows))
        for lead in self._owned.leads(view, changes, heads, now):
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
        return not is_asked or windows.is_all_told

    def _emit(self, kind: str, window: str | None, payload: Any, now: int, *, weight: int = 1) -> None:
        self._number += 1
        event = StreamEvent(self._number, kind, window, payload, weight)
        if kind != "freshness":
            self._events.add(event, now)
        for wanted in {**self._subscriptions, **self._in_the_making}:
            moves = self._moves(wanted, event, now)
            if (making := self._in_the_making.get(wanted)) is not None:
                self._keep_up(wanted, making, event, moves, now)
            if clients := self._subscriptions.get(wanted):
                self._tell(wanted, clients, event, moves, now)

    def _tell(
        self, wanted: Filter, clients: Iterable[Subscription], event: StreamEvent, moves: Moves, now: int
    ) -> None:
        """Those who ask for the same."""
        if moves.is_less or len(moves.whole) > AT_ONCE or needs_snapshot(wanted, event):
            for client in clients:
                client.fall_behind()
            return
        told = self._keeps_back(wanted)
        piece = self._for(wanted, event) if told is None else self._discreetly(wanted, told, event, moves, now)
        if piece is not None:
            for client in clients:
                client.put(piece)

    def _discreetly(
        self, wanted: Filter, told: ScreenAudience, event: StreamEvent, moves: Moves, now: int
    ) -> bytes | None:
        """The event as a screen gets it that is not told everything."""
        payload = payload_for(self._view, wanted, event)
        if event.kind == "metrics":
            places = [(window, rep_scope(rep)) for window, rep in sorted(moves.whole)]
            whole = dict(self._windows.rows_of(places, now))
            changed = [] if payload is None else payload["rows"]
            news = [row for row in changed if "rep" not in row or (event.window, rep_scope(row["rep"])) not in whole]
            shown = [
                chosen(self._view, only, wanted.metrics)
                for row in [*news, *whole.values()]
                if (only := told.row(row["window"]["name"], row) if "rep" in row else row) is not None
            ]
            rows = [row for row in shown if row["metrics"] or row.get("goals")]
            return encoded(self._instance, "metrics", event.number, {"rows": rows}) if rows else None
        if payload is not None and event.kind in {"lead", "alert"}:
            payload = told.discretion.lead(payload, told)
        elif payload is not None and event.kind == "win":
            payload = told.discretion.win(payload)
        return None if payload is None else encoded(self._instance, event.kind, event.number, payload)

    def _follow(self, window: str, selection: Selection, now: int) -> None:
        # A number of its own: nobody who saw an earlier one has seen this part of the window since.
        if self._windows.follow(window, selection, self._number + 1, now):
            self._number += 1

    def _places(self, wanted: Filter, now: int) -> list[RowPlace]:
        """Of which windows and of whom there are rows."""
        scopes = self._windows.scopes(wanted.selection)
        for window in wanted.windows:
            self._follow(window, wanted.selection, now)
        return [(window, scope) for window in wanted.windows for scope in scopes]

    def _watched(self) -> dict[str, set[Selection]]:
        """Whose rows of which windows a client looks at, or is about to."""
        found: dict[str, set[Selection]] = {}
        for wanted in {**self._subscriptions, **self._in_the_making}:
            for window in wanted.windows:
                found.setdefault(window, set()).add(wanted.selection)
        return found

    def _encode(self, kind: str, payload: Mapping[str, Any]) -> bytes:
        return encoded(self._instance, kind, self._number, payload)

    def _for(self, wanted: Filter, event: StreamEvent) -> bytes | None:
        return encoded_for(self._view, self._instance, wanted, event)

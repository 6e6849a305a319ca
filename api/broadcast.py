"""What changes, pushed: rows of metrics, leads and freshness as server-sent events.

Owns the diff against what was last sent, the numbering of events, and the queues of clients. An event is encoded once
for all clients that ask for the same; a client that is too slow gets a new snapshot instead of a longer queue. Does no
HTTP, and reads no clock: `now` is an argument.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from api.rows import Json, metrics_row, waiting_lead, waiting_leads
from api.view import Scope, Values, View
from schemas.instants import MINUTE, SECOND, format_instant
from schemas.windows import Span, Window, span_of

REMEMBERED = 2_000
"""Events kept for clients that come back."""

QUEUE = 256
"""Events that a client may be behind before it gets a snapshot instead."""

KEPT_WINDOW = 300 * SECOND
"""A window stays followed this long after its last client has gone, so that one who reconnects misses nothing."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What a client asks for. None: everything of it."""

    windows: tuple[str, ...] = ("today",)
    teams: frozenset[str] | None = None
    reps: frozenset[str] | None = None
    metrics: tuple[str, ...] | None = None

    def wants(self, scope: Scope, team: str | None) -> bool:
        """Whether rows of this scope are asked for. `team`: the rep's own, today."""
        if self.teams is None and self.reps is None:
            return True
        if scope.kind == "rep":
            return (self.reps is not None and scope.id in self.reps) or (
                self.teams is not None and team is not None and team in self.teams
            )
        return scope.kind == "team" and self.teams is not None and scope.id in self.teams

    def wants_lead(self, lead: Json) -> bool:
        """Whether this lead's row is asked for."""
        if self.teams is None and self.reps is None:
            return True
        return (self.teams is not None and lead["team"] in self.teams) or (
            self.reps is not None and lead["rep"] in self.reps
        )


@dataclass(slots=True)
class _Event:
    number: int
    kind: str
    """`metrics`, `lead`, `freshness`."""
    window: str | None
    payload: Any
    """Rows of the event with their scope, or one lead, or the freshness."""


@dataclass(slots=True)
class _Followed:
    """A window that clients look at: the values last sent, by scope."""

    since: int
    """Number of the event from which on changes of this window are told."""
    used_at: int
    span: Span
    values: dict[Scope, Values] = field(default_factory=dict)


class Subscription:
    """One client's queue of encoded events."""

    def __init__(self, wanted: Filter) -> None:
        self.wanted = wanted
        self.is_lagging = False
        self._queue: deque[bytes] = deque()
        self._ready = asyncio.Event()

    def put(self, event: bytes) -> None:
        """Queue an event; too many, and the client is marked as lagging and its queue dropped."""
        if len(self._queue) >= QUEUE:
            self._queue.clear()
            self.is_lagging = True
        if not self.is_lagging:
            self._queue.append(event)
        self._ready.set()

    async def take(self) -> bytes:
        """Everything queued, in one piece; waits until there is something. Empty: see `is_lagging`."""
        await self._ready.wait()
        self._ready.clear()
        events = b"".join(self._queue)
        self._queue.clear()
        return events


class Broadcaster:
    """Tells clients what changes. `flush` is called when the view or the time has moved."""

    def __init__(self, view: View, *, instance: str, build: str, freshness: Callable[[int], Json]) -> None:
        self._view = view
        self._instance = instance
        self._build = build
        self._freshness = freshness
        self._number = 0
        self._events: deque[_Event] = deque(maxlen=REMEMBERED)
        self._followed: dict[str, _Followed] = {}
        self._subscriptions: dict[Filter, set[Subscription]] = {}
        self._pinned: frozenset[str] = frozenset()
        self._freshness_sent_at = 0

    @property
    def clients(self) -> int:
        """How many are connected."""
        return sum(len(found) for found in self._subscriptions.values())

    # ---------------------------------------------------------------- clients

    def subscribe(self, wanted: Filter, last_event_id: str | None, now: int) -> tuple[Subscription, bytes]:
        """A new client, and what it gets first: what it missed, or a snapshot."""
        for window in wanted.windows:
            self._follow(window, now)
        subscription = Subscription(wanted)
        missed = self._missed(wanted, last_event_id)
        first = self.snapshot(wanted, now) if missed is None else missed
        self._subscriptions.setdefault(wanted, set()).add(subscription)
        return subscription, first

    def unsubscribe(self, subscription: Subscription) -> None:
        """The client has gone."""
        found = self._subscriptions.get(subscription.wanted, set())
        found.discard(subscription)
        if not found:
            self._subscriptions.pop(subscription.wanted, None)

    def snapshot(self, wanted: Filter, now: int) -> bytes:
        """Everything that is asked for, as the event `snapshot`. Brings a lagging client up to date."""
        rows = [
            self._row(scope, followed.span, values, now)
            for window in wanted.windows
            for followed in (self._follow(window, now),)
            for scope, values in followed.values.items()
            if wanted.wants(scope, self._team(scope, now))
        ]
        payload = {
            "rows": [_only(row, wanted.metrics) for row in rows],
            "leads": [lead for lead in waiting_leads(self._view, now) if wanted.wants_lead(lead)],
            "alerts": [],
            "freshness": self._freshness(now),
            "server_time": format_instant(now),
            "organisation": {
                "name": self._view.config.organisation.name,
                "timezone": self._view.config.organisation.timezone,
                "currency": self._view.config.organisation.currency,
            },
            "build": self._build,
        }
        return self._encode("snapshot", self._number, payload)

    def _missed(self, wanted: Filter, last_event_id: str | None) -> bytes | None:
        instance, _, number = (last_event_id or "").rpartition(":")
        if instance != self._instance or not number.isdigit() or int(number) > self._number:
            return None
        last = int(number)
        if self._events and last < self._events[0].number - 1:
            return None
        if any(self._followed[window].since > last for window in wanted.windows):
            return None
        return b"".join(
            encoded
            for event in self._events
            if event.number > last and (encoded := self._for(wanted, event)) is not None
        )

    def pin(self, windows: Iterable[str], now: int) -> None:
        """Follow these windows always: they are exported."""
        self._pinned = frozenset(windows)
        for window in self._pinned:
            self._follow(window, now)

    def followed_values(self, window: str) -> dict[Scope, Values]:
        """The values last sent of a followed window. The dict is a copy, what is in it is never changed."""
        followed = self._followed.get(window)
        return {} if followed is None else dict(followed.values)

    # ---------------------------------------------------------------- what changes

    def next_flush(self, now: int) -> int:
        """When something may change by time alone (microseconds)."""
        instants = [(now // MINUTE + 1) * MINUTE, self._freshness_sent_at + 5 * SECOND]
        upcoming = self._view.next_instant()
        if upcoming is not None:
            instants.append(upcoming)
        return max(now, min(instants))

    def flush(self, now: int) -> None:
        """Send everyone what differs from what was last sent."""
        view = self._view
        view.advance(now)
        changes = view.take_changes()
        for window, followed in list(self._followed.items()):
            if now - followed.used_at > KEPT_WINDOW and not self._is_used(window):
                del self._followed[window]
                continue
            self._flush_window(window, followed, changes.panes, everything=changes.roster, now=now)
        for lead in sorted(changes.leads):
            self._emit("lead", None, self._lead(lead, now))
        if now - self._freshness_sent_at >= 5 * SECOND or (
            changes.progress and now - self._freshness_sent_at >= SECOND
        ):
            self._freshness_sent_at = now
            self._emit("freshness", None, self._freshness(now))

    def _flush_window(
        self, window: str, followed: _Followed, panes: Iterable[tuple[Window, str | None]], *, everything: bool, now: int
    ) -> None:
        view = self._view
        span = span_of(window, now, view.calendar)
        scopes: Iterable[Scope]
        if everything or span != followed.span:
            followed.span = span
            scopes = list(view.scopes())
        else:
            inside = span.windows()
            scopes = {scope for pane, rep in panes if pane in inside for scope in view.scopes_of(pane, rep)}
        rows = []
        for scope in scopes:
            values, held = view.values(scope, span, now), followed.values.get(scope)
            if held is None or everything:
                changed = values.metrics
            else:
                changed = {name: value for name, value in values.metrics.items() if held.metrics[name] != value}
            followed.values[scope] = values
            if changed:
                rows.append((scope, self._row(scope, span, Values(changed, values.bounds), now)))
        if everything:
            followed.values = {scope: followed.values[scope] for scope in scopes}
        if rows:
            self._emit("metrics", window, rows)

    def _emit(self, kind: str, window: str | None, payload: Any) -> None:
        self._number += 1
        event = _Event(self._number, kind, window, payload)
        self._events.append(event)
        for wanted, clients in self._subscriptions.items():
            encoded = self._for(wanted, event)
            if encoded is not None:
                for client in clients:
                    client.put(encoded)

    def _for(self, wanted: Filter, event: _Event) -> bytes | None:
        """The event as a client with this filter gets it; None if there is nothing in it for them."""
        if event.kind == "metrics":
            if event.window not in wanted.windows:
                return None
            rows = [
                only
                for scope, row in event.payload
                if wanted.wants(scope, row.get("team"))
                and (only := _only(row, wanted.metrics))["metrics"]
            ]
            return self._encode("metrics", event.number, {"rows": rows}) if rows else None
        if event.kind == "lead" and not wanted.wants_lead(event.payload):
            return None
        return self._encode(event.kind, event.number, event.payload)

    def _follow(self, window: str, now: int) -> _Followed:
        followed = self._followed.get(window)
        if followed is None:
            span = span_of(window, now, self._view.calendar)
            followed = self._followed[window] = _Followed(since=self._number, used_at=now, span=span)
            for scope in self._view.scopes():
                followed.values[scope] = self._view.values(scope, span, now)
        followed.used_at = now
        return followed

    def _is_used(self, window: str) -> bool:
        return window in self._pinned or any(window in wanted.windows for wanted in self._subscriptions)

    def _lead(self, lead: str, now: int) -> Json:
        clock = self._view.clocks.get(lead)
        if clock is None:
            return {"lead": lead, "rep": None, "team": None, "state": "deleted"}
        return waiting_lead(self._view, clock, now)

    def _row(self, scope: Scope, span: Span, values: Values, now: int) -> Json:
        return metrics_row(self._view, scope, span, values, now)

    def _team(self, scope: Scope, now: int) -> str | None:
        return self._view.roster.team_on(scope.id, self._view.calendar.day_of(now)) if scope.kind == "rep" else None

    def _encode(self, kind: str, number: int, payload: Mapping[str, Any]) -> bytes:
        return b"id: %b:%d\nevent: %b\ndata: %b\n\n" % (
            self._instance.encode(),
            number,
            kind.encode(),
            orjson.dumps(payload),
        )


def _only(row: Json, metrics: tuple[str, ...] | None) -> Json:
    if metrics is None:
        return row
    return row | {"metrics": {name: row["metrics"][name] for name in metrics if name in row["metrics"]}}




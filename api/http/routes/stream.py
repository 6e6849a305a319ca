"""`GET /v1/stream`: what changes, as server-sent events."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated

from fastapi import Header, Query, Request
from sse_starlette import EventSourceResponse
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.http.description import NOT_FOUND, READ_PROBLEMS, problems
from api.http.errors import InvalidParameterError, TooManyRequestsError, UnauthenticatedError
from api.http.identity import Access, authenticate
from api.http.open_streams import OpenStreams
from api.http.parameters import (
    ReadRequest,
    known_metrics,
    known_rep,
    known_team,
    named_span,
    now_of,
    read_names,
    read_router,
    screen_filter,
)
from api.read.broadcast import Broadcaster
from api.read.piecemeal import spread
from api.read.subscriptions import Filter
from api.read.view import View
from schemas.instants import SECOND

router = read_router("stream")

HEARTBEAT_SECONDS = 5

WriteBytes = Callable[[bytes], Awaitable[None]]
"""Sends a piece of an answer; returns once the client's connection takes more."""

_COME_BACK = b"retry: 100\n\n"
"""A browser waits for three seconds before it asks again, and is told only then that its key is refused."""

_EXAMPLE = (
    "id: 3f2a91c0:7\nevent: metrics\n"
    'data: {"rows": [{"rep": "r-17", "name": "Ana Lim", "team": "north", "window": {"name": "today", '
    '"from": "2026-03-17T16:00:00.000Z", "to": "2026-03-18T16:00:00.000Z"}, "as_of": "2026-03-18T09:41:30.344Z", '
    '"metrics": {"calls_made": 38}, "bounds": {}}]}\n\n'
)


@router.get(
    "/stream",
    summary="Live changes (server-sent events)",
    response_class=Response,
    responses=READ_PROBLEMS
    | NOT_FOUND
    | problems(TooManyRequestsError)
    | {200: {"content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}}}},
)
async def stream(
    request: ReadRequest,
    teams: Annotated[str | None, Query(description="Ids, with commas.")] = None,
    reps: Annotated[str | None, Query(description="Ids, with commas; beside those of `teams`.")] = None,
    metrics: Annotated[str | None, Query(description="Names, with commas; all if left out.")] = None,
    windows: Annotated[str | None, Query(description="Names, with commas; `today`, or those of the screen.")] = None,
    last_event_id: Annotated[str | None, Header(description="`id` of the last event that was seen.")] = None,
    also_last_event_id: Annotated[
        str | None, Query(alias="lastEventId", description="The same, of a client that cannot set headers.")
    ] = None,
) -> Response:  # fmt: skip
    """First `snapshot`, then `metrics`, `lead`, `alert`, `win`, `freshness`; a heartbeat comment every 5 s.

    A later `snapshot` replaces all that came before it. A `lead` in a state other than `waiting`, `warned` and
    `breached` does not wait any more. A `win` that is told again takes the place of the one of that name; `withdrawn`:
    it is taken back. `Last-Event-ID` is meant for a client that asks for the same as before.
    """
    access, view, now = request.access, request.view, request.now
    broadcaster: Broadcaster = request.app.state.read_side.broadcaster
    if access.screen is not None:
        wanted = screen_filter(request)
    else:
        wanted = _filter(
            view, access, now, teams=teams, reps=reps, metrics=metrics, windows="today" if windows is None else windows
        )

    async def tell(write: WriteBytes) -> None:
        # Not before the answer begins: of a client that has gone by then nothing must stay.
        subscription, first = await spread(
            broadcaster.subscribing(wanted, last_event_id or also_last_event_id, lambda: now_of(request))
        )
        allowed_at = now
        try:
            await write(first)
            while not request.app.state.stopping.is_set():
                piece = await subscription.take()
                current = now_of(request)
                if not piece or abs(current - allowed_at) >= SECOND:
                    if not _is_allowed_still(request, access):
                        await write(_COME_BACK)
                        return
                    allowed_at = current
                if subscription.is_lagging:
                    snapshot = spread(broadcaster.snapshot(wanted, lambda: now_of(request)))
                    piece = await subscription.caught_up(snapshot) + piece
                if piece:
                    await write(piece)
        finally:
            broadcaster.unsubscribe(subscription)

    return _EventStream(tell, request.app.state.streams, access.key)


class _EventStream(EventSourceResponse):
    """Of sse-starlette: heartbeats, and an end when the client or the server goes away. Events go a shorter way.

    Theirs leads through a generator, a lock and a time limit for each event of each client.
    """

    def __init__(self, tell: Callable[[WriteBytes], Awaitable[None]], streams: OpenStreams, key: str | None) -> None:
        super().__init__(_nothing(), ping=HEARTBEAT_SECONDS, headers={"cache-control": "no-store"})
        self._tell = tell
        self._streams = streams
        self._key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Not when it is asked for: then many that are asked for at once would all find room.
        with self._streams.one_of(self._key):
            await super().__call__(scope, receive, send)

    async def _stream_response(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})

        async def write(piece: bytes) -> None:
            await send({"type": "http.response.body", "body": piece, "more_body": True})

        await self._tell(write)
        async with self._send_lock:
            # No heartbeat after the end.
            self.active = False
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


def _is_allowed_still(request: Request, access: Access) -> bool:
    """A screen hangs for months; a key that was revoked or has expired ends what it opened."""
    try:
        return authenticate(request) == access
    except UnauthenticatedError:
        return False


def _filter(
    view: View, access: Access, now: int, *, teams: str | None, reps: str | None, metrics: str | None, windows: str
) -> Filter:
    asked = read_names("windows", windows)
    if not asked:
        raise InvalidParameterError(field="windows", detail="is empty")
    for window in asked:
        named_span(view, window, now, "windows")
    wanted_teams = read_names("teams", teams)
    wanted_reps = read_names("reps", reps)
    if access.rep is not None:
        wanted_reps = wanted_reps or (access.rep,)
    if access.team is not None:
        if wanted_reps:
            # They may move to another team while the stream is open.
            raise InvalidParameterError(field="reps", detail="this key is limited to a team; ask for teams")
        wanted_teams = wanted_teams or (access.team,)
    for team in wanted_teams or ():
        known_team(view, team, access)
    for rep in wanted_reps or ():
        known_rep(view, rep, access, now)
    return Filter(
        windows=tuple(sorted(asked)),
        teams=frozenset(wanted_teams) if wanted_teams else None,
        reps=frozenset(wanted_reps) if wanted_reps else None,
        metrics=known_metrics(view, metrics),
        device=access.device,
    )

"""`GET /v1/stream`: what changes, as server-sent events."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from sse_starlette import EventSourceResponse
from starlette.responses import Response

from api.broadcast import Broadcaster, Filter
from api.errors import InvalidParameterError, UnavailableError
from api.routes.queries import BoardReader, CurrentView, Now, known_metrics, known_team, named_span
from api.security import Access
from api.view import View

router = APIRouter(prefix="/v1", tags=["stream"])

HEARTBEAT_SECONDS = 5
MAX_CLIENTS = 2_000
MAX_NAMES = 500


@router.get(
    "/stream",
    summary="Live changes (server-sent events)",
    response_class=Response,
    responses={200: {"content": {"text/event-stream": {"example": "id: 3f2a:7\nevent: metrics\ndata: {…}\n\n"}}}},
)
async def stream(
    request: Request, view: CurrentView, now: Now, access: BoardReader,
    teams: Annotated[str | None, Query(description="Names, with commas.")] = None,
    reps: Annotated[str | None, Query(description="Ids, with commas.")] = None,
    metrics: Annotated[str | None, Query(description="Names, with commas.")] = None,
    windows: Annotated[str, Query(description="Names, with commas.")] = "today",
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:  # fmt: skip
    """First `snapshot`, then `metrics`, `lead`, `alert`, `freshness`; a heartbeat comment every 5 s."""
    broadcaster: Broadcaster = request.app.state.read_side.broadcaster
    if broadcaster.clients >= MAX_CLIENTS:
        msg = "too many streams are open"
        raise UnavailableError(msg, retry_after=5)
    wanted = _filter(view, access, now, teams=teams, reps=reps, metrics=metrics, windows=windows)
    subscription, first = broadcaster.subscribe(wanted, last_event_id, now)

    async def events() -> AsyncIterator[bytes]:
        try:
            yield first
            while not request.app.state.stopping.is_set():
                piece = await subscription.take()
                if subscription.is_lagging:
                    subscription.is_lagging = False
                    piece = broadcaster.snapshot(wanted, request.app.state.clock())
                if piece:
                    yield piece
        finally:
            broadcaster.unsubscribe(subscription)

    # sse-starlette: heartbeats, and an end when the client or the server goes away.
    return EventSourceResponse(events(), ping=HEARTBEAT_SECONDS, headers={"cache-control": "no-store"})


def _filter(
    view: View, access: Access, now: int, *, teams: str | None, reps: str | None, metrics: str | None, windows: str
) -> Filter:
    asked = [name for name in (part.strip() for part in windows.split(",")) if name]
    for window in asked:
        named_span(view, window, now)
    if not asked:
        msg = "windows: is empty"
        raise InvalidParameterError(msg, field="windows")
    wanted_teams = _names("teams", teams)
    if access.team is not None and wanted_teams is None:
        wanted_teams = frozenset({access.team})
    for team in wanted_teams or ():
        known_team(view, team, access)
    wanted_reps = _names("reps", reps)
    if access.team is not None and wanted_reps:
        msg = "reps: this key is limited to a team; ask for teams"
        raise InvalidParameterError(msg, field="reps")
    return Filter(
        windows=tuple(sorted(set(asked))),
        teams=wanted_teams,
        reps=wanted_reps,
        metrics=None if not metrics else known_metrics(view, metrics),
    )


def _names(parameter: str, text: str | None) -> frozenset[str] | None:
    if text is None:
        return None
    names = frozenset(name.strip() for name in text.split(",") if name.strip())
    if len(names) > MAX_NAMES:
        msg = f"{parameter}: more than {MAX_NAMES} names"
        raise InvalidParameterError(msg, field=parameter)
    return names

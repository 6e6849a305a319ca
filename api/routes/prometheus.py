"""`GET /metrics`: what Prometheus scrapes. Rendered in a thread, from a picture taken on the event loop."""

import asyncio

from fastapi import APIRouter, Request
from prometheus_client import generate_latest
from starlette.responses import Response

from api.errors import ForbiddenError, UnauthenticatedError
from api.exposition import Picture
from api.read_side import ReadSide
from api.routes.queries import BoardReader, Now, operation_id, organisation_allowed, problems

router = APIRouter(tags=["prometheus"], generate_unique_id_function=operation_id)

ingest_router = APIRouter(tags=["prometheus"], include_in_schema=False)
"""For a process that only takes webhooks: it has no view, but its deliveries are counted nowhere else."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_EXAMPLE = 'floorcast_calls_made{rep="r-17",team="north",window="today"} 37\n'


@router.get(
    "/metrics",
    summary="Prometheus exposition",
    response_class=Response,
    responses=problems(UnauthenticatedError, ForbiddenError)
    | {200: {"content": {"text/plain": {"schema": {"type": "string"}, "example": _EXAMPLE}}}},
)
async def prometheus(request: Request, access: BoardReader, now: Now) -> Response:
    """Gauges per rep and window, waiting leads, the pipeline's counters. While the view loads only the pipeline's."""
    organisation_allowed(access)
    read_side: ReadSide = request.app.state.read_side
    picture = read_side.picture(now)
    registry = request.app.state.registry

    def text(picture: Picture) -> bytes:
        return read_side.exposition.render(picture) + generate_latest(registry)

    return Response(await asyncio.to_thread(text, picture), headers={"content-type": CONTENT_TYPE})


@ingest_router.get("/metrics")
async def ingest_metrics(request: Request, access: BoardReader) -> Response:
    """The counters of deliveries."""
    organisation_allowed(access)
    return Response(generate_latest(request.app.state.registry), headers={"content-type": CONTENT_TYPE})

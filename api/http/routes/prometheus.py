"""`GET /metrics`: what Prometheus scrapes. Made and sent piece by piece: the event loop is free between two of them."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from prometheus_client import generate_latest
from starlette.responses import Response, StreamingResponse

from api.http.description import operation_id, problems
from api.http.errors import ForbiddenError, UnauthenticatedError
from api.http.identity import access_of
from api.http.parameters import organisation_allowed
from api.read.read_side import ReadSide

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
async def prometheus(request: Request) -> Response:
    """Gauges per rep and window, waiting leads, the pipeline's counters. While the view loads only the pipeline's."""
    organisation_allowed(access_of(request))
    read_side: ReadSide = request.app.state.read_side
    picture = await read_side.picture_in_pieces()

    async def pieces() -> AsyncIterator[bytes]:
        for piece in read_side.exposition.pieces(picture):
            await asyncio.sleep(0)
            if piece:
                yield piece
        yield generate_latest(request.app.state.registry)

    # Whoever takes it compressed has it compressed in these pieces too.
    return StreamingResponse(pieces(), headers={"content-type": CONTENT_TYPE})


@ingest_router.get("/metrics")
async def ingest_metrics(request: Request) -> Response:
    """The counters of deliveries."""
    organisation_allowed(access_of(request))
    return Response(generate_latest(request.app.state.registry), headers={"content-type": CONTENT_TYPE})

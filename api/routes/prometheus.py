"""`GET /metrics`: what Prometheus scrapes. Rendered in a thread, from a picture taken on the event loop."""

import asyncio

from fastapi import APIRouter, Request
from prometheus_client import generate_latest
from starlette.responses import Response

from api.exposition import Picture, render
from api.read_side import ReadSide
from api.routes.queries import BoardReader, Now

router = APIRouter(tags=["prometheus"])

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/metrics", summary="Prometheus exposition", response_class=Response)
async def metrics(request: Request, now: Now, access: BoardReader) -> Response:
    """Gauges per rep and window, waiting leads, the pipeline's counters."""
    read_side: ReadSide = request.app.state.read_side
    picture = read_side.picture(now)
    registry = request.app.state.registry

    def text(picture: Picture) -> bytes:
        return render(picture) + generate_latest(registry)

    return Response(await asyncio.to_thread(text, picture), media_type=CONTENT_TYPE)

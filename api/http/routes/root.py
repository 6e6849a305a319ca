"""`/`: who types the address alone is led to what there is to see."""

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from api.http.routes.boards import screen_names
from api.settings import Settings

router = APIRouter(include_in_schema=False)


@router.get("/")
async def root(request: Request) -> Response:
    """To the wallboard; to the documentation where this process has none."""
    settings: Settings = request.app.state.settings
    if settings.role == "ingest":
        return RedirectResponse("/docs")
    return RedirectResponse(f"/board/{screen_names(request.app.state.config)[0]}")

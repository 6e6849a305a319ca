"""`/`: who types the address alone is led to what there is to see."""

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from api.http.scopes import PAGES
from api.http.served import config_of
from api.settings import Settings
from schemas.keys import KeyStore

router = APIRouter(include_in_schema=False)


@router.get("/")
async def root(request: Request) -> Response:
    """To the floor, which asks for a key; where there are none to the wallboard, else to the documentation."""
    settings: Settings = request.app.state.settings
    if settings.role == "ingest":
        return RedirectResponse("/docs")
    keys: KeyStore = request.app.state.keys
    if keys.is_open:
        return RedirectResponse(f"/board/{config_of(request.scope).screen_names[0]}")
    cookies = [page for page, cookie in PAGES.items() if cookie in request.cookies]
    return RedirectResponse("/me" if cookies == ["me"] else "/floor")

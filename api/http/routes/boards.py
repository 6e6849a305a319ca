"""The wallboard: one page for each screen, and its static files."""

from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from api.http.board_page import board_page, screen_settings, unknown_name, usual_metrics
from api.http.description import operation_id, problems
from api.http.errors import InvalidParameterError, NotFoundError, UnauthenticatedError
from api.http.headers import framed_by
from api.http.identity import access_of, cookie_of, redirect_without_token
from api.http.parameters import shown_name
from api.http.scopes import BOARD
from api.http.served import config_of
from schemas.config import Config
from schemas.config.screens import ScreenConfig

router = APIRouter(tags=["board"], generate_unique_id_function=operation_id)

STATIC = Path(__file__).parents[2] / "static"
TEMPLATES = Path(__file__).parents[2] / "templates"


class _Fresh(StaticFiles):
    """Screens hang for months: they must ask each time whether a file is still the same."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["cache-control"] = "no-cache"
        return response


def static_files() -> StaticFiles:
    """Scripts, styles and pictures of the wallboard."""
    return _Fresh(directory=STATIC)


def board_build(config: Config) -> str:
    """Name of what is served: a screen that shows another one reloads itself. What the file says of screens is part."""
    digest = blake2b(digest_size=8)
    for folder in (STATIC, TEMPLATES):
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                digest.update(file.read_bytes())
    for name in config.screen_names:
        screen = config.screens.get(name)
        settings = None if screen is None else _settings(config, name, screen, screen.teams)
        digest.update(board_page(settings, usual=usual_metrics(config.catalogue)).encode())
    return digest.hexdigest()


@router.get(
    "/board/{screen}",
    summary="The wallboard",
    response_class=Response,
    responses=problems(UnauthenticatedError, NotFoundError, InvalidParameterError)
    | {
        200: {"content": {"text/html": {"schema": {"type": "string"}, "example": "<!doctype html>…"}}},
        303: {"description": "With `?token=…`: the token is kept in a cookie, and taken out of the address."},
    },
)
async def board(
    request: Request,
    screen: str,
    scene: Annotated[str | None, Query(description="Hold this scene.", max_length=200)] = None,
    tile: Annotated[int | None, Query(description="Show this tile of it alone, counted from 1.")] = None,
) -> Response:
    """The page; `?token=…` is kept in a cookie and taken out of the address."""
    config = config_of(request.scope)
    if screen not in config.screen_names:
        raise NotFoundError(detail=f"there is no screen {shown_name(screen)}", field="screen")
    redirect = redirect_without_token(request, f"{BOARD}{quote(screen, safe='')}", cookie_of(screen), needs_key=True)
    if redirect is not None:
        return redirect
    configured = config.screens.get(screen)
    if configured is not None:
        _check_part(configured, scene, tile)
        unknown = unknown_name(request)
        if unknown is not None:
            field, name = unknown
            raise NotFoundError(detail=f"there is no {field} {shown_name(name)}", field=field)
    settings = None
    if configured is not None:
        team = access_of(request).team
        teams = configured.teams if team is None else [team]
        settings = _settings(config, screen, configured, teams, origin=str(request.base_url).rstrip("/"))
    page = board_page(settings, access_of(request).device, usual=usual_metrics(config.catalogue))
    ancestors = [*config.frame_ancestors, *(configured.frame_ancestors if configured is not None else ())]
    etag = f'"{blake2b(page.encode(), digest_size=12).hexdigest()}"'
    return HTMLResponse(page, headers={"cache-control": "no-cache", "etag": etag, **framed_by(ancestors)})


def _check_part(screen: ScreenConfig, scene: str | None, tile: int | None) -> None:
    held = screen.scenes[0] if scene is None else screen.scene(scene)
    if held is None:
        scenes = ", ".join(each.name for each in screen.scenes)
        raise NotFoundError(
            detail=f"this screen has no scene {shown_name(scene or '')}; there are {scenes}", field="scene"
        )
    if tile is not None and not 1 <= tile <= len(held.tiles):
        raise NotFoundError(
            detail=f"the scene {shown_name(held.name)} has no tile {tile}; it has {len(held.tiles)}", field="tile"
        )


def _settings(config: Config, name: str, screen: ScreenConfig, teams: list[str], *, origin: str = "") -> dict[str, Any]:
    return screen_settings(name, screen, teams=teams, calendars=calendars_of(config, teams), origin=origin)


def calendars_of(config: Config, teams: list[str]) -> list[str]:
    """The calendars by which these teams work; of nobody's in particular: of all of them."""
    default = config.organisation.calendar
    found = [config.teams[team].calendar or default for team in teams or config.teams if team in config.teams]
    names = dict.fromkeys(name for name in (found or [default]) if name is not None)
    # Somebody who goes by no calendar may work at any time.
    return [] if None in found else list(names)

"""The wallboard: one page and its static files."""

from hashlib import blake2b
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

from api.http.description import operation_id, problems
from api.http.errors import InvalidParameterError, NotFoundError, UnauthenticatedError
from api.http.identity import redirect_with_cookie
from api.http.parameters import shown

router = APIRouter(tags=["board"], generate_unique_id_function=operation_id)

STATIC = Path(__file__).parents[2] / "static"
SCREENS = ("floor",)


class _Fresh(StaticFiles):
    """Screens hang for months: they must ask each time whether a file is still the same."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["cache-control"] = "no-cache"
        return response


def static_files() -> StaticFiles:
    """Scripts, styles and pictures of the wallboard."""
    return _Fresh(directory=STATIC)


def build() -> str:
    """Name of what is served: a screen that shows another one reloads itself."""
    digest = blake2b(digest_size=8)
    for file in sorted(STATIC.rglob("*")):
        if file.is_file():
            digest.update(file.read_bytes())
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
async def board(request: Request, screen: str) -> Response:
    """The page; `?token=…` is kept in a cookie and taken out of the address."""
    if screen not in SCREENS:
        msg = f"there is no screen {shown(screen)}"
        raise NotFoundError(msg, field="screen")
    redirect = redirect_with_cookie(request, screen)
    if redirect is not None:
        return redirect
    return FileResponse(STATIC / "board.html", headers={"cache-control": "no-cache"})

"""Files of your own: pictures of people, and the sounds of screens. For pages, so no description of REST has them."""

import asyncio
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import Response

from api.http.errors import NotFoundError
from api.http.parameters import ReadRequest, ReadRoute, shown_name, team_today
from schemas.config.media_files import MediaError, read_picture, read_sound
from schemas.naming import id_told

router = APIRouter(route_class=ReadRoute)

_NAMELESS = frozenset({"alias", "none"})


@router.get("/photos/{rep:text}", include_in_schema=False)
async def photo(request: ReadRequest, rep: str) -> Response:
    """As `reps.NAME.photo` or the CRM names it, below `media/`. A screen that names nobody shows nobody."""
    name = _photo_of(request, rep)
    if name is None:
        raise NotFoundError(detail=f"there is no picture of {shown_name(rep)}", field="rep")
    return await _file(request, "rep", name, read_picture)


def _photo_of(request: ReadRequest, rep: str) -> str | None:
    view, discretion = request.view, request.discretion
    found: str | None = rep
    if discretion is not None and discretion.names in _NAMELESS:
        return None
    if discretion is not None and discretion.names != "full":
        # It knows people by other ids, and may ask by no others.
        found = next((each for each in view.roster.people if id_told(discretion.names, each) == rep), None)
    person = None if found is None else view.roster.people.get(found)
    if person is None or not request.access.allows(person.rep, team_today(view, person.rep, request.now)):
        return None
    return person.photo


@router.get("/media/{name:path}", include_in_schema=False)
async def media(request: ReadRequest, name: str) -> Response:
    """One of `sound.files`; nothing else of the folder is served."""
    screens = request.view.config.screens
    asked = [request.access.screen] if request.access.screen is not None else [*screens]
    if not any(name in screens[screen].sound.files.values() for screen in asked):
        raise NotFoundError(detail=f"no screen plays {shown_name(name)}", field="name")
    return await _file(request, "name", name, read_sound)


async def _file(
    request: ReadRequest, field: str, name: str, read: Callable[[Path, str], tuple[bytes, str]]
) -> Response:  # fmt: skip
    try:
        content, kind = await asyncio.to_thread(read, request.app.state.settings.config, name)
    except MediaError as error:
        raise NotFoundError(str(error), field=field) from None
    tag = blake2b(content, digest_size=12).hexdigest()
    return Response(content, media_type=kind, headers={"etag": f'"{tag}"', "cache-control": "private, no-cache"})

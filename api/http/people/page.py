"""What both pages are made of: who looks, at what, in which language; and the door with its key.

Owns the route class of these pages, the cookie of a page, and whether a form was sent from the page itself.
"""

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import RedirectResponse, Response

from api.http.bodies import bounded
from api.http.errors import ForbiddenError, UnauthenticatedError
from api.http.identity import NO_KEY, keep_token
from api.http.parameters import ReadRequest
from api.http.people.asked import NAMES
from api.http.people.rendering import reader_words
from api.http.scopes import PAGES
from api.read.view import View
from api.words.texts import ReaderWords
from schemas.formats import Formats
from schemas.keys import ApiScope

SEE_OTHER = 303


class PeopleRoute(APIRoute):
    """A route of a page: what it needs is found as for the routes under `/v1`; a parameter too many does no harm."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The framework's own, with our request."""
        handle = super().get_route_handler()

        async def handle_read(request: Request) -> Response:
            return await handle(ReadRequest(request.scope, request.receive))

        return handle_read


def look_of(request: Request, view: View) -> tuple[ReaderWords, Formats]:
    """The words for whoever asks, and how values are written for them."""
    words = reader_words(request, view.config)
    return words, Formats(words.locale, ZoneInfo(view.config.organisation.timezone))


def redirect_to(address: str) -> Response:
    """Another address, to be asked for with GET."""
    return RedirectResponse(address, status_code=SEE_OTHER, headers={"cache-control": "no-store"})


async def take_key(request: Request, page: str) -> Response:
    """Let whoever has typed a valid key in: to the page that the key is for. Raises UnauthenticatedError, Forbidden."""
    form = await read_form(request)
    require_own(request)
    token = form.get("token", "").strip()
    key = request.app.state.keys.find(token, request.app.state.clock())
    if key is None:
        raise UnauthenticatedError(detail=NO_KEY, field="token")
    if key.scope is ApiScope.BOARD:
        raise UnauthenticatedError(
            detail="this key is for wallboards: a page needs one of scope read, rep or admin", field="scope"
        )
    meant = "me" if key.scope is ApiScope.REP else "floor"
    answer = redirect_to(address_of(form.get("next", ""), meant) if meant == page else f"/{meant}")
    keep_token(answer, request, PAGES[meant], token, expires_at=key.expires_at)
    return answer


def address_of(given: str, page: str) -> str:
    """An address of the page that a form gave; whatever else it says is not followed."""
    parts = urlsplit(given)
    if parts.scheme or parts.netloc or parts.path != f"/{page}":
        return f"/{page}"
    query = urlencode([(name, value) for name, value in parse_qsl(parts.query) if name in NAMES])
    return f"/{page}?{query}" if query else f"/{page}"


async def read_form(request: Request) -> dict[str, str]:
    """What a form of ours sent."""
    body = await Request(request.scope, bounded(request.scope, request.receive)).body()
    return dict(parse_qsl(body.decode("latin-1"), keep_blank_values=True, max_num_fields=50, encoding="utf-8"))


def require_own(request: Request) -> None:
    """Refuse a form that a page of another site sent (403): the browser adds our cookie to that as well.

    A program that shows its key in a header is asked nothing: no page can do that for it.
    """
    if "authorization" in request.headers:
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        is_own = site == "same-origin"
    else:
        is_own = origin is not None and urlsplit(origin).netloc == request.headers.get("host")
    if not is_own:
        raise ForbiddenError(detail="this was not sent from the page itself", field="origin")

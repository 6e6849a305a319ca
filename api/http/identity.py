"""Who asks, and what they may see: by API key, by a wallboard's cookie, or because the api is open.

Owns the dependency `require(scope)` and the cookie. What a route does with a team limit is the route's. Deliveries of
CRMs are not authenticated here but by their connector.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.responses import RedirectResponse, Response

from api.http.errors import ForbiddenError, UnauthenticatedError
from api.http.keys import ApiScope, KeyStore
from api.settings import is_loopback
from schemas.instants import SECOND

BOARD_COOKIE = "floorcast_board"
# Browsers keep no cookie longer than 400 days.
_COOKIE_SECONDS = 400 * 86_400


@dataclass(frozen=True, slots=True)
class Access:
    """What a request may see."""

    scope: ApiScope
    team: str | None = None
    """If set, only what belongs to this team may be shown."""
    key: str | None = None
    """Id of the key; None where the api is open."""
    expires_at: int | None = None

    def allows_team(self, team: str | None) -> bool:
        """Whether rows of `team` may be shown (None: of nobody's or of the whole organisation)."""
        return self.team is None or self.team == team


_bearer = HTTPBearer(bearerFormat="fc_<id>.<secret>", auto_error=False, description="An API key")


def require(scope: ApiScope | str) -> Callable[..., Awaitable[Access]]:
    """A FastAPI dependency: what the request may see, if it may `scope` at all (401, 403 else)."""
    wanted = ApiScope(scope)

    # The second parameter only tells OpenAPI. Async, because FastAPI would run a plain function in a thread.
    async def dependency(
        request: Request, _key: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
    ) -> Access:
        return authorize(request, wanted)

    return dependency


def authorize(request: Request, wanted: ApiScope) -> Access:
    """What the request may see, if it may `wanted` at all. Raises UnauthenticatedError, ForbiddenError."""
    access = authenticate(request)
    if not access.scope.includes(wanted):
        msg = f"this needs a key of scope {wanted}"
        raise ForbiddenError(msg)
    return access


def authenticate(request: Request) -> Access:
    """What the request may see. Raises UnauthenticatedError."""
    store: KeyStore = request.app.state.keys
    now: int = request.app.state.clock()
    authorization = request.headers.get("authorization")
    if authorization is not None:
        scheme, _, token = authorization.partition(" ")
        key = store.find(token.strip(), now) if scheme.lower() == "bearer" else None
        if key is None:
            msg = "the API key is not valid"
            raise UnauthenticatedError(msg, field="authorization")
        return Access(key.scope, key.team, key.id, key.expires_at)
    cookie = request.cookies.get(BOARD_COOKIE)
    if cookie is not None and (key := store.find(cookie, now)) is not None:
        # A browser sends a cookie by itself: it never carries more than a board needs.
        return Access(ApiScope.BOARD, key.team, key.id, key.expires_at)
    if store.is_open:
        # A page of another site may point its own host name at this machine (DNS rebinding); it cannot forge Host.
        if not is_loopback(_host_name(request.headers.get("host", ""))):
            msg = "without API keys only local addresses such as 127.0.0.1 are served; see `floorcast keys create`"
            raise UnauthenticatedError(msg, field="host")
        return Access(ApiScope.ADMIN)
    msg = "an API key is needed: Authorization: Bearer fc_…"
    raise UnauthenticatedError(msg, field="authorization")


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0].strip("[]")
    return host.partition(":")[0]


def redirect_with_cookie(request: Request) -> Response | None:
    """For `/board/{screen}?token=…`: keep the token in a cookie and go to the address without it.

    None if the address has no token. Raises UnauthenticatedError for one that is not valid.
    """
    token = request.query_params.get("token")
    if token is None:
        return None
    now: int = request.app.state.clock()
    key = request.app.state.keys.find(token, now)
    if key is None:
        msg = "the token is not valid"
        raise UnauthenticatedError(msg, field="token")
    rest = urlencode([(name, value) for name, value in request.query_params.multi_items() if name != "token"])
    # A path only, with one leading slash: `//host` would lead to another site.
    path = "/" + request.url.path.lstrip("/")
    response = RedirectResponse(f"{path}?{rest}" if rest else path, status_code=303)
    age = _COOKIE_SECONDS if key.expires_at is None else min(_COOKIE_SECONDS, (key.expires_at - now) // SECOND)
    response.set_cookie(
        BOARD_COOKIE,
        token,
        max_age=age,
        path="/",
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    response.headers["cache-control"] = "no-store"
    return response


def system_clock() -> int:
    """The machine's clock, in microseconds."""
    return time.time_ns() // 1000

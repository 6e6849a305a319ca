"""Who asks, and what they may see: by API key, by the cookie of a page, or because the api is open.

Owns the middleware that finds it once for a request, and the cookies. Which scope an address needs stands in scopes.py;
what a route does with a team limit is the route's. Deliveries of CRMs prove themselves to their connector instead.
"""

import re
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, urlencode

from fastapi import Request
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.errors import ForbiddenError, NotFoundError, UnauthenticatedError, UnavailableError
from api.http.scopes import (
    BOARD,
    PAGES,
    UnnamedAddressError,
    is_closed_to_screens,
    is_no_board,
    is_open_to_reps,
    scope_of,
)
from api.http.served import config_of
from schemas.addresses import is_loopback
from schemas.instants import SECOND
from schemas.keys import ApiKey, ApiScope, KeyStore

# Browsers keep no cookie longer than 400 days.
_COOKIE_SECONDS = 400 * 86_400
_COOKIE_PREFIX = "floorcast_board_"
_SCREEN = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_ACCESS = "floorcast.access"
"""Where a request's scope holds what it may see."""
NO_KEY = "this key is not valid: it has expired, was revoked, or was never one of this floorcast"
_FORWARDED = (b"x-forwarded-", b"forwarded", b"via", b"x-real-ip")
"""Headers that begin so come from a proxy."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a request may see."""

    scope: ApiScope
    team: str | None = None
    """If set, only what belongs to this team may be shown."""
    key: str | None = None
    """Id of the key; None where the api is open."""
    expires_at: int | None = None
    screen: str | None = None
    """The screen of the configuration that asks: its privacy holds for whatever is answered."""
    device: str | None = None
    """The screen on the wall, where it was paired."""
    rep: str | None = None
    """If set, only what is about this person may be shown."""
    teams: frozenset[str] | None = None
    """If set, only what belongs to one of these teams may be shown: of a screen for several."""

    def allows(self, rep: str | None, team: str | None) -> bool:
        """Whether what belongs to this person, who is of this team, may be shown."""
        return self.rep in {None, rep} and self.allows_team(team)

    def allows_team(self, team: str | None) -> bool:
        """Whether rows of `team` may be shown (None: of nobody's or of the whole organisation)."""
        return self.team in {None, team} and (self.teams is None or team in self.teams)


class Identity:
    """Lets a request through to an address that it may ask.

    Raises NotFoundError, UnauthenticatedError, ForbiddenError.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Find who asks, if the address needs it."""
        if scope["type"] == "http":
            try:
                wanted = scope_of(scope["method"], scope["path"])
            except UnnamedAddressError:
                raise NotFoundError(detail="Not Found") from None
            if wanted is not None and not is_no_board(scope["path"], config_of(scope).screen_names):
                access = authenticate(HTTPConnection(scope))
                is_own = access.rep is not None and is_open_to_reps(scope["method"], scope["path"])
                if not is_own and not access.scope.includes(wanted):
                    raise ForbiddenError(detail=f"this needs a key of scope {wanted}")
                if access.screen is not None and is_closed_to_screens(scope["path"]):
                    raise ForbiddenError(detail="a screen reads what it shows, and no metrics of everybody")
                scope[_ACCESS] = access
        return self.app(scope, receive, send)


def access_of(request: HTTPConnection) -> Access:
    """What the middleware found that a request may see."""
    access: Access = request.scope[_ACCESS]
    return access


def authenticate(request: HTTPConnection) -> Access:
    """What the request may see now. Raises UnauthenticatedError.

    Who asks for a screen of the configuration sees what that screen may show, whoever they are: of its teams alone.
    """
    access = _find(request)
    if access.rep is not None:
        # What one person may see is less than any screen shows.
        return access
    asked = access.screen or _screen_asked(request)
    config = config_of(request.scope)
    if asked is None or asked not in config.screens:
        return replace(access, screen=None)
    teams = config.screens[asked].teams if access.team is None else [access.team]
    one, several = (teams[0], None) if len(teams) == 1 else (None, frozenset(teams) or None)
    return replace(access, scope=ApiScope.BOARD, screen=asked, team=one, teams=several)


def _find(request: HTTPConnection) -> Access:
    store: KeyStore = request.app.state.keys
    now: int = request.app.state.clock()
    if not store.is_known:
        raise UnavailableError(detail="the API keys have not been read from Kafka yet", retry_after=1)
    authorization = request.headers.get("authorization")
    if authorization is not None:
        scheme, _, token = authorization.partition(" ")
        key = store.find(token.strip(), now) if scheme.lower() == "bearer" else None
        if key is None:
            raise UnauthenticatedError(detail="the API key is not valid", field="authorization")
        return _access(key, key.scope)
    page = _page_asked(request)
    if page is not None:
        key = _page_key(request, page, store, now)
        if key is not None:
            # Beyond its own address a page reads: a browser sends a cookie by itself, also for a page of another site.
            is_here = request.scope["path"].removeprefix("/").partition("/")[0] == page
            return _access(key, key.scope if is_here or key.scope is not ApiScope.ADMIN else ApiScope.READ)
    else:
        key = _board_key(request, store, now)
        if key is not None:
            # A browser sends a cookie by itself: it never carries more than a board needs.
            return _access(key, ApiScope.REP if key.scope is ApiScope.REP else ApiScope.BOARD)
    if store.is_open:
        _require_direct(request)
        return Access(ApiScope.ADMIN)
    raise UnauthenticatedError(detail="an API key is needed: Authorization: Bearer fc_…", field="authorization")


def _access(key: ApiKey, scope: ApiScope) -> Access:
    device = key.id if key.screen is not None else None
    return Access(scope, key.team, key.id, key.expires_at, key.screen, device, key.rep)


def _page_asked(request: HTTPConnection) -> str | None:
    """The page of people whose address this is, else the one that asks; None: neither."""
    first, _, _ = request.scope["path"].removeprefix("/").partition("/")
    if first in PAGES:
        return str(first)
    asked = _asked(request, "page")
    return asked if asked in PAGES else None


def _asked(request: HTTPConnection, name: str) -> str | None:
    """A parameter of the address; most have none, and are not read for it."""
    raw: bytes = request.scope["query_string"]
    return parse_qs(raw.decode("latin-1")).get(name, [None])[-1] if f"{name}=".encode() in raw else None


def _page_key(request: HTTPConnection, page: str, store: KeyStore, now: int) -> ApiKey | None:
    """The key in the address of the page, else in its cookie. No other cookie counts. Raises UnauthenticatedError."""
    token = token_asked(request) if request.scope["path"] == f"/{page}" else None
    token = token or request.cookies.get(PAGES[page])
    if token is None:
        return None
    key = store.find(token, now)
    if key is None and not store.is_open:
        raise UnauthenticatedError(detail=NO_KEY, field="token")
    return key


def token_asked(request: HTTPConnection) -> str | None:
    """The key in the address, if there is one."""
    return _asked(request, "token")


def _screen_asked(request: HTTPConnection) -> str | None:
    """The screen in the address of a board, else the one that a page of a board names."""
    path: str = request.scope["path"]
    return path.removeprefix(BOARD) if path.startswith(BOARD) else _asked(request, "screen")


def _board_key(request: HTTPConnection, store: KeyStore, now: int) -> ApiKey | None:
    """The key in the address of a board, else in the cookie of the board that asks. No other board's cookie counts."""
    token = token_asked(request) if request.scope["path"].startswith(BOARD) else None
    if token is not None:
        key = store.find(token, now)
        if key is None:
            raise UnauthenticatedError(detail="the token is not valid", field="token")
        return key
    screen = _screen_asked(request) or ""
    if not _SCREEN.fullmatch(screen):
        return None
    cookie = request.cookies.get(cookie_of(screen))
    key = None if cookie is None else store.find(cookie, now)
    return key if key is None or key.screen in {None, screen} else None


def _require_direct(request: HTTPConnection) -> None:
    """Refuse who only seems to be on this machine, where no key is asked for."""
    if is_forwarded(request.scope["headers"]):
        raise UnauthenticatedError(
            detail="without API keys nothing is served through a proxy; see `floorcast keys create`",
            field="authorization",
        )
    # A page of another site may point its own host name at this machine (DNS rebinding); it cannot forge Host.
    client = request.client
    is_here = is_loopback(_host_name(request.headers.get("host", "")))
    if not is_here or (client is not None and not is_loopback(client.host)):
        raise UnauthenticatedError(
            detail="without API keys only local addresses such as 127.0.0.1 are served; see `floorcast keys create`",
            field="host",
        )


def is_forwarded(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether a proxy says that it passed the request on."""
    return any(name.startswith(_FORWARDED) for name, _ in headers)


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0].strip("[]")
    return host.partition(":")[0]


def cookie_of(screen: str) -> str:
    """Name of the cookie that holds the token of a screen."""
    return f"{_COOKIE_PREFIX}{screen}"


def redirect_without_token(request: Request, path: str, cookie: str, *, needs_key: bool = False) -> Response | None:
    """For `…?token=…`: keep the token in this cookie, if there is such a key, and go to the address without it.

    None if the address has no token. `needs_key`: UnauthenticatedError where there is no such key.
    """
    token = token_asked(request)
    if token is None:
        return None
    key = request.app.state.keys.find(token, request.app.state.clock())
    if key is None and needs_key:
        raise UnauthenticatedError(detail="the token is not valid", field="token")
    rest = urlencode([(name, value) for name, value in request.query_params.multi_items() if name != "token"])
    response = RedirectResponse(
        f"{path}?{rest}" if rest else path, status_code=303, headers={"cache-control": "no-store"}
    )
    if key is not None:
        keep_token(response, request, cookie, token, expires_at=key.expires_at)
    return response


def keep_token(response: Response, request: Request, cookie: str, token: str, *, expires_at: int | None) -> None:
    """Let the browser keep a token in this cookie, which scripts cannot read."""
    now: int = request.app.state.clock()
    age = _COOKIE_SECONDS if expires_at is None else min(_COOKIE_SECONDS, (expires_at - now) // SECOND)
    response.set_cookie(
        cookie,
        token,
        max_age=age,
        path="/",
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )

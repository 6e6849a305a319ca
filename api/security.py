"""Who may read: API keys, their scopes and teams, the wallboard's cookie, security headers.

Owns the file of hashed keys and the dependency `require(scope)`. What a route does with a team limit is the route's.
Deliveries of CRMs are not authenticated here but by their connector.
"""

import hashlib
import hmac
import os
import secrets
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

import msgspec
import structlog
from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from filelock import FileLock
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import ForbiddenError, UnauthenticatedError
from api.settings import is_loopback
from schemas.instants import SECOND

log = structlog.get_logger("api")

BOARD_COOKIE = "floorcast_board"
# Browsers keep no cookie longer than 400 days.
_COOKIE_SECONDS = 400 * 86_400
_MAX_FILE = 4 << 20
_MAX_TOKEN = 256


class ApiScope(StrEnum):
    """What a key may do. `admin` may all, `read` may also show boards."""

    BOARD = "board"
    READ = "read"
    ADMIN = "admin"

    def includes(self, wanted: "ApiScope") -> bool:
        """Whether a key of this scope may do what `wanted` asks for."""
        return _RANKS[self] >= _RANKS[wanted]


_RANKS = {ApiScope.BOARD: 0, ApiScope.READ: 1, ApiScope.ADMIN: 2}


class ApiKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key as it is stored: its secret only as a hash."""

    id: str
    sha256: str
    scope: ApiScope
    created_at: int
    team: str | None = None
    expires_at: int | None = None

    def is_expired(self, now: int) -> bool:
        """Whether its time has passed at `now`."""
        return self.expires_at is not None and now >= self.expires_at


class _KeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    keys: list[ApiKey]


class KeyFileError(Exception):
    """The file of keys cannot be read or written. Nobody is let in by it."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        super().__init__(f"{path}: {reason}")


class UnknownKeyError(Exception):
    """There is no key of that id."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"there is no key {key_id!r}")


def create_key(path: Path, scope: ApiScope, *, now: int, team: str | None = None, expires_at: int | None = None) -> str:
    """Add a key and give its token, which is shown this once and never stored. Raises KeyFileError."""
    key_id = secrets.token_hex(6)
    token = f"fc_{key_id}.{secrets.token_urlsafe(32)}"
    key = ApiKey(key_id, _hash(token), scope, now, team, expires_at)
    with _locked(path):
        _write(path, [*list_keys(path), key])
    return token


VERIFIER = "verifier"
"""Id of the key that a process is started with, beside those in the file."""


def passing_key() -> tuple[str, str]:
    """Give a token, and the hash by which an api that is started with it knows it (`verifier_key_sha256`)."""
    token = f"fc_{VERIFIER}.{secrets.token_urlsafe(32)}"
    return token, _hash(token)


def list_keys(path: Path) -> list[ApiKey]:
    """All keys, the expired ones too, oldest first. Raises KeyFileError."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise KeyFileError(path, f"cannot be read: {error.strerror}") from None
    if len(content) > _MAX_FILE:
        raise KeyFileError(path, f"is larger than {_MAX_FILE} bytes")
    try:
        return msgspec.json.decode(content, type=_KeyFile).keys
    except msgspec.DecodeError:
        raise KeyFileError(path, "is not a file of API keys") from None


def revoke_key(path: Path, key_id: str) -> None:
    """Take a key away; a running api refuses it from its next request on. Raises UnknownKeyError, KeyFileError."""
    with _locked(path):
        keys = list_keys(path)
        kept = [key for key in keys if key.id != key_id]
        if len(kept) == len(keys):
            raise UnknownKeyError(key_id)
        _write(path, kept)


def has_keys(path: Path) -> bool:
    """Whether any key was made (an expired one counts: its owner wanted a closed door). Raises KeyFileError."""
    return bool(list_keys(path))


def _locked(path: Path) -> FileLock:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(path.with_suffix(".lock"), timeout=10, mode=0o600)
    except OSError as error:
        raise KeyFileError(path, f"cannot be written: {error.strerror}") from None


def _write(path: Path, keys: list[ApiKey]) -> None:
    """Whole or not at all: a reader never sees half a file."""
    content = msgspec.json.format(msgspec.json.encode(_KeyFile(keys)), indent=2) + b"\n"
    try:
        # mkstemp makes it readable for its owner only (0600).
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".keys-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise KeyFileError(path, f"cannot be written: {error.strerror}") from None


def _hash(token: str) -> str:
    # 32 random bytes cannot be guessed, so a fast hash is enough; a slow one would cost each request 100 ms.
    return hashlib.sha256(token.encode()).hexdigest()


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


class KeyStore:
    """The keys of a running api; reads the file again as soon as it has changed.

    `verifier_sha256`: of one more key of scope read, which is in no file and closes no door that is open without it.
    """

    def __init__(self, path: Path, *, loopback: bool, verifier_sha256: str | None = None) -> None:
        self._path = path
        self._loopback = loopback
        self._seen: tuple[int, int, int] | None = None
        self._loaded = False
        self._broken = False
        self._by_id: dict[str, ApiKey] = {}
        self._passing = (
            {}
            if verifier_sha256 is None
            else {VERIFIER: ApiKey(VERIFIER, verifier_sha256, ApiScope.READ, created_at=0)}
        )

    @property
    def is_open(self) -> bool:
        """Whether everyone on this machine may do all: listening on loopback, and no key was ever made."""
        self._refresh()
        return self._loopback and not self._by_id and not self._broken

    def find(self, token: str, now: int) -> ApiKey | None:
        """The valid key that `token` is, if any."""
        self._refresh()
        if len(token) > _MAX_TOKEN or not token.startswith("fc_") or not token.isascii():
            return None
        key_id = token[3:].partition(".")[0]
        key = self._by_id.get(key_id) or self._passing.get(key_id)
        # Hash also for an unknown id, so that the time taken does not tell which ids exist.
        matches = hmac.compare_digest(_hash(token), key.sha256 if key else "0" * 64)
        return key if key is not None and matches and not key.is_expired(now) else None

    def _refresh(self) -> None:
        try:
            stat = self._path.stat()
            seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        except FileNotFoundError:
            seen = None
        except OSError:
            seen = (0, 0, 0)
        if self._loaded and seen == self._seen:
            return
        self._loaded, self._seen = True, seen
        try:
            self._by_id, self._broken = {key.id: key for key in list_keys(self._path)}, False
        except KeyFileError as error:
            # Closed for all until it is mended: an unreadable file must not open the door.
            self._by_id, self._broken = {}, True
            log.error("keys.load_failed", reason=str(error))


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


CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)

_SECURITY_HEADERS = {
    b"content-security-policy": CONTENT_SECURITY_POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"x-frame-options": b"DENY",
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
}

SECURITY_HEADERS = tuple(_SECURITY_HEADERS.items())
"""What every answer carries."""


class SecurityHeaders:
    """Sets the security headers of every answer; one that a route has set stays."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and add what is missing to the head of the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                present = {name for name, _ in headers}
                # Starlette writes names in lower case; only then nothing has to be looked at twice.
                if present.isdisjoint(_SECURITY_HEADERS):
                    message["headers"] = [*headers, *SECURITY_HEADERS]
                else:
                    message["headers"] = [*headers, *(pair for pair in SECURITY_HEADERS if pair[0] not in present)]
            await send(message)

        await self.app(scope, receive, send_with_headers)


def system_clock() -> int:
    """The machine's clock, in microseconds."""
    return time.time_ns() // 1000

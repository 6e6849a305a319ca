"""Each request has an id, which its answer and every line of the log about it carry; refusals and readings are logged.

The id is that of `x-request-id`, where the request brings one. A delivery keeps it: lines and dead letters of workers
name it too.

Owns the id and the line. A line names the route, never the path, the query or an address: those hold ids, secrets and
personal data. What comes many times a second and is counted elsewhere (deliveries that were taken, scrapes, probes,
files) has a line only when it was refused.
"""

import re
import secrets
import time
from contextvars import ContextVar
from itertools import count
from typing import Any, Literal

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.headers import answer_of
from api.write.limits import TokenBucket

log = structlog.get_logger("api")

LoggedRequests = Literal["all", "refused", "none"]
"""Which requests have a line."""

_QUIET = ("/webhooks", "/metrics", "/livez", "/readyz", "/static/", "/docs")
_LINES_PER_SECOND = 20
_LINES_AT_ONCE = 200
"""Anybody can ask for what there is not, and as often as they like."""

_GIVEN = re.compile(rb"[A-Za-z0-9._-]{1,64}")
"""An id that somebody before us gave, such as a proxy. It gets into the log: nothing else is taken for one."""

_request: ContextVar[str | None] = ContextVar("request", default=None)


def add_request(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Of structlog: every line that is written while a request is answered names it."""
    request = _request.get()
    if request is not None:
        event.setdefault("request", request)
    return event


def current_request() -> str | None:
    """The id of the request that is being answered."""
    return _request.get()


class RequestLog:
    """Names requests, and writes what became of them."""

    def __init__(self, app: ASGIApp, kept: LoggedRequests) -> None:
        self.app = app
        self._kept = kept
        self._prefix = secrets.token_hex(4)
        self._numbers = count(1)
        self._lines = TokenBucket(per_second=_LINES_PER_SECOND, burst=_LINES_AT_ONCE)
        self._left_out = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on under a new id, and write a line at the end."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        id = _given(scope) or f"{self._prefix}-{next(self._numbers):x}"
        answer = answer_of(scope)
        answer.added = ((b"x-request-id", id.encode()),)
        _request.set(id)
        begun = time.perf_counter()
        try:
            await self.app(scope, receive, send)
        finally:
            if self._is_kept(answer.status, scope["path"]):
                self._write(scope, answer.status, time.perf_counter() - begun)

    def _is_kept(self, status: int, path: str) -> bool:
        if status >= 400 or status == 0:
            return self._kept != "none"
        return self._kept == "all" and not path.startswith(_QUIET)

    def _write(self, scope: Scope, status: int, seconds: float) -> None:
        if self._lines.take(time.monotonic_ns() // 1000):
            self._left_out += 1
            return
        more = {"left_out": self._left_out} if self._left_out else {}
        self._left_out = 0
        log.info(
            "request.answered",
            method=scope["method"],
            route=getattr(scope.get("route"), "path", None),
            # 0: the client had gone before there was an answer.
            status=status,
            seconds=round(seconds, 6),
            **more,
        )


def _given(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            return value.decode("ascii") if _GIVEN.fullmatch(value) else None
    return None

"""`Accept-Encoding: gzip`: answers of some size are compressed. Streams are not: each of their events is small."""

import re
from collections.abc import Awaitable

from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

_SMALLEST = 1_000
# Further levels take twice the time for a twentieth less.
_LEVEL = 4
_GZIP = re.compile(rb"(?:^|,)\s*gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[0-9.]+\s*)?(?=,|$)", re.IGNORECASE)
"""Taken, unless `q=0` says that it is not."""


class Compression:
    """Compresses for who takes it. Starlette's does the work; who asks for nothing does not pass it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._compressed = GZipMiddleware(app, minimum_size=_SMALLEST, compresslevel=_LEVEL)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Choose by what the client takes."""
        if scope["type"] == "http":
            for name, value in scope["headers"]:
                if name == b"accept-encoding" and _GZIP.search(value):
                    return self._compressed(scope, receive, send)
        return self.app(scope, receive, send)

"""What a request passes on its way to its route, in this order. Each is plain ASGI and does one thing.

A delivery leaves after the first part (`middleware`): it proves itself, and its receipt is neither compressed nor
compared. All else passes the second (`reading`) as well. What lies below ASGI (deadlines, sizes, what is not HTTP at
all) is server.py's.
"""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from api.http.compression import Compression
from api.http.conditional import Conditional, HeadAsGet
from api.http.errors import CatchErrors, problem
from api.http.headers import Answers
from api.http.identity import Identity
from api.http.proxies import TrustedProxies
from api.http.request_log import RequestLog
from api.settings import Settings


def middleware(settings: Settings, cors: Sequence[str]) -> list[Middleware]:
    """What every request passes, the outermost first. `cors`: the sites whose pages may ask."""
    proxies = [Middleware(TrustedProxies, networks=settings.proxies)] if settings.proxies else []
    others = [_cors(cors)] if cors else []
    return [
        *proxies,
        Middleware(Answers),
        Middleware(RequestLog, kept=settings.access_log),
        *others,
        Middleware(CatchErrors),
    ]


def reading() -> list[Middleware]:
    """What whatever is no delivery passes beyond that, the outermost first."""
    return [
        Middleware(HeadAsGet),
        Middleware(Compression),
        Middleware(Conditional),
        Middleware(Identity),
    ]


def layered(app: ASGIApp, layers: Sequence[Middleware]) -> ASGIApp:
    """An application behind these layers."""
    for cls, args, kwargs in reversed(layers):
        app = cls(app, *args, **kwargs)
    return app


def _cors(origins: Sequence[str]) -> Middleware:
    """No cookie travels with these requests: a page of another site needs a key."""
    return Middleware(
        _Cors,
        allow_origins=list(origins),
        allow_methods=["GET", "HEAD", "POST"],
        allow_headers=["authorization", "content-type", "if-none-match", "last-event-id"],
        expose_headers=["etag", "retry-after", "x-request-id"],
        max_age=600,
    )


class _Cors(CORSMiddleware):
    """Starlette's, but that it refuses as everything else here does."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """What a browser is told that asks whether a page may ask."""
        answer = super().preflight_response(request_headers)
        if answer.status_code < 400:
            return answer
        headers = {name: value for name, value in answer.headers.items() if not name.startswith("content-")}
        return problem(answer.status_code, bytes(answer.body).decode(), headers=headers)

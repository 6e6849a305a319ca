"""The head of every answer: headers that keep a browser from doing what a page must not, and what a layer adds.

Owns the one look at what is sent: what else the middleware wants to know of an answer, it asks here.
"""

from collections.abc import Awaitable, Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_FRAMED_BY_NOBODY = "frame-ancestors 'none'"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; media-src 'self'; "
    f"{_FRAMED_BY_NOBODY}; base-uri 'none'; form-action 'none'"
)
_X_FRAME_OPTIONS = "x-frame-options"

_SECURITY_HEADERS = {
    b"content-security-policy": CONTENT_SECURITY_POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    _X_FRAME_OPTIONS.encode(): b"DENY",
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
}

SECURITY_HEADERS = tuple(_SECURITY_HEADERS.items())
"""What every answer carries."""


def framed_by(origins: Sequence[str]) -> dict[str, str]:
    """Headers of a page that these sites may hold in a frame; none: as every page, in nobody's."""
    if not origins:
        return {}
    allowed = f"frame-ancestors 'self' {' '.join(origins)}"
    return {
        "content-security-policy": CONTENT_SECURITY_POLICY.replace(_FRAMED_BY_NOBODY, allowed),
        # The older header knows no list of sites: this value says nothing to browsers, which go by the policy then.
        _X_FRAME_OPTIONS: "ALLOWALL",
    }


_ANSWER = "floorcast.answer"
"""Where a request's scope holds its answer."""


class ResponseHead:
    """What is sent in answer to one request, on its way out: completes the head, and remembers what it said."""

    __slots__ = ("_send", "added", "status")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0
        """0 as long as nothing was sent."""
        self.added: tuple[tuple[bytes, bytes], ...] = ()
        """Headers of this answer, by a layer; to be set before it begins."""

    def __call__(self, message: Message) -> Awaitable[None]:
        """Send. Names are in lower case (ASGI); a security header that a route has set stays."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message["headers"]
            missing = SECURITY_HEADERS
            for name, _ in headers:
                if name in _SECURITY_HEADERS:
                    present = {name for name, _ in headers}
                    missing = tuple(pair for pair in SECURITY_HEADERS if pair[0] not in present)
                    break
            message["headers"] = [*headers, *missing, *self.added]
        return self._send(message)


class Answers:
    """Gives every request its `ResponseHead`, for the layers below."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass on, with the answer as `send` and in the scope."""
        if scope["type"] == "http":
            send = scope[_ANSWER] = ResponseHead(send)
        return self.app(scope, receive, send)


def answer_of(scope: Scope) -> ResponseHead:
    """The answer to a request, as far as it has been sent."""
    answer: ResponseHead = scope[_ANSWER]
    return answer

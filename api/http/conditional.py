"""`If-None-Match`: who has these values already is told so. `HEAD`: what `GET` would say, without its body.

Which values an answer has, its route says, with an ETag.
"""

from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_GONE = frozenset({b"content-length", b"content-type"})
STREAMS = frozenset({"/v1/stream"})
"""What does not end: there is no head of it to ask for."""


class Conditional:
    """Answers 304 in the place of a 200 whose ETag the client names."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass on; look at the head of the answer if the client named any ETag."""
        known = _named(scope) if scope["type"] == "http" else None
        if known is None:
            return self.app(scope, receive, send)
        is_known = False

        async def send_news(message: Message) -> None:
            nonlocal is_known
            if message["type"] == "http.response.start" and message["status"] == 200:
                tag = next((value for name, value in message["headers"] if name == b"etag"), None)
                is_known = tag is not None and is_among(tag.decode("latin-1"), known)
                if is_known:
                    kept = [pair for pair in message["headers"] if pair[0] not in _GONE]
                    message = {"type": "http.response.start", "status": 304, "headers": kept}
            elif is_known and message["type"] == "http.response.body":
                if message.get("more_body", False):
                    return
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        return self.app(scope, receive, send_news)


class HeadAsGet:
    """`HEAD` wherever there is `GET`, but on streams."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass on what asks for the whole."""
        if scope["type"] != "http" or scope["method"] != "HEAD" or scope["path"] in STREAMS:
            return self.app(scope, receive, send)
        return self._send_head(scope, receive, send)

    async def _send_head(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask for the whole and send its head."""

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.body":
                if message.get("more_body", False):
                    return
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        asked = {**scope, "method": "GET"}
        try:
            await self.app(asked, receive, send_head)
        finally:
            # For the log. The server itself must go on to see HEAD in its scope.
            scope["route"] = asked.get("route")


def is_among(tag: str, known: str) -> bool:
    """Whether an ETag is one of those that a client named."""
    bare = tag.removeprefix("W/")
    return known.strip() == "*" or bare in {part.strip().removeprefix("W/") for part in known.split(",")}


def _named(scope: Scope) -> str | None:
    found = [value for name, value in scope["headers"] if name == b"if-none-match"]
    return b",".join(found).decode("latin-1") if found else None

"""The headers of every answer that keep a browser from doing what a page must not."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

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

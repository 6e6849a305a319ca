"""One request and its answer on a connection. An answer that is known as a whole leaves in one write."""

import asyncio
from collections.abc import MutableMapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from uvicorn._types import HTTPScope
from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    HEADER_VALUE_RE,
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from api.http.headers import SECURITY_HEADERS


class Cycle(RequestResponseCycle):
    """One request and its answer, in the place of uvicorn's.

    uvicorn writes head and body apart, which is a system call and a packet more, and searches each header of each
    answer for forbidden characters.
    """

    # What is so when a request begins.
    disconnected = False
    more_body = True
    response_started = False
    response_complete = False
    chunked_encoding = None
    expected_content_length = 0
    held: MutableMapping[str, Any] | None = None
    """The start of an answer: by ASGI nothing of it may leave before the first piece of its body is there."""
    _is_read = False
    """Whether the application has all of the body."""
    _event: asyncio.Event | None = None

    def __init__(
        self, connection: HttpToolsProtocol, scope: HTTPScope, *, expects_continue: bool, keep_alive: bool
    ) -> None:
        # Not uvicorn's own, which makes an event that hardly any request waits for.
        self.scope = scope
        self.transport = connection.transport
        self.flow = connection.flow
        self.logger = connection.logger
        self.access_logger = connection.access_logger
        self.access_log = connection.access_log
        self.default_headers = connection.server_state.default_headers
        self.on_response = connection.on_response_complete
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = expects_continue
        self.body = bytearray()

    @property
    def message_event(self) -> asyncio.Event:  # type: ignore[override]
        """What uvicorn waits for until there is more of the request; made when it does."""
        if self._event is None:
            self._event = asyncio.Event()
            if self.body or not (self.more_body or self._is_read):
                self._event.set()
        return self._event

    def wake(self) -> None:
        """Something has come, or come to an end: whoever waits for it looks again."""
        if self._event is not None:
            self._event.set()

    async def receive(self) -> Any:
        """Give a piece of the request."""
        if (
            self.more_body
            or self._is_read
            or self.disconnected
            or self.response_complete
            or self.waiting_for_100_continue
        ):
            message = await super().receive()
            self._is_read = not self.more_body
            return message
        # All that was left of it is there: nothing to wait for, and nothing more of it to read.
        self._is_read = True
        if self._event is not None:
            self._event.clear()
        body, self.body = bytes(self.body), bytearray()
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: MutableMapping[str, Any]) -> None:  # type: ignore[override]
        """Take a piece of the answer."""
        if self.transport.is_closing():
            # Of a connection that was hung up on nobody is told until the loop comes round; a write to it is an error.
            self.disconnected = True
        if not self.response_started:
            if message["type"] == "http.response.start":
                self.held = message
                return
            start, self.held = self.held, None
            if start is not None:
                if self._wrote_whole(start, message):
                    return
                await super().send(start)  # type: ignore[arg-type]
        await super().send(message)  # type: ignore[arg-type]

    def _wrote_whole(self, start: MutableMapping[str, Any], message: MutableMapping[str, Any]) -> bool:
        """Answer, if this is all of it and there is nothing about it that uvicorn should look at."""
        if message.get("more_body", False) or not self.keep_alive or self.disconnected or self.flow.write_paused:
            return False
        if self.scope["method"] == "HEAD":
            return False
        head = whole_head(start["status"], (*self.default_headers, *start.get("headers", ())))
        body: bytes = message.get("body", b"")
        if head is None or head.length != len(body):
            return False
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        # The scope holds what sends its answer, which is this: a ring that only the collector would find, each request.
        self.scope = _OVER
        self.transport.write(head.content + body)
        self.wake()
        self.on_response()
        return True


_OVER: Any = {}
"""In the place of a request that is answered."""


class Head(NamedTuple):
    """The head of an answer as it goes over the wire, and the length of the body that it announces."""

    content: bytes
    length: int


def whole_head(status: int, headers: Sequence[tuple[bytes, bytes]]) -> Head | None:
    """The head of an answer, which has its length.

    None where there is something about it that uvicorn should look at.
    """
    recurring: list[tuple[bytes, bytes]] = []
    own = b""
    for pair in headers:
        if pair[0] in _RECURRING:
            recurring.append(pair)
            continue
        line = _line(*pair)
        if line is None:
            return None
        own += line
    head = _recurring(status, tuple(recurring))
    return None if head is None else Head(b"%b%b\r\n" % (head.content, own), head.length)


@lru_cache(maxsize=256)
def _recurring(status: int, headers: tuple[tuple[bytes, bytes], ...]) -> Head | None:
    """As much of a head as most answers have the same, without its end; made once a second, since it has the date."""
    content = [STATUS_LINE[status]]
    length = 0 if status in _BODILESS else None
    for name, value in headers:
        line = _line(name, value)
        if line is None:
            return None
        if name == b"content-length":
            length = int(value)
        content.append(line)
    return None if length is None else Head(b"".join(content), length)


def _line(raw_name: bytes, value: bytes) -> bytes | None:
    """A header as it goes over the wire."""
    name = raw_name.lower()
    if name in _NOT_HELD or HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
        return None
    return b"%b: %b\r\n" % (name, value)


_BODILESS = frozenset({204, 304})
_NOT_HELD = frozenset({b"connection", b"transfer-encoding", b"set-cookie"})
_RECURRING = frozenset(
    {b"date", b"content-type", b"content-length", b"cache-control", *(name for name, _ in SECURITY_HEADERS)}
)

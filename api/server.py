"""HTTP/1.1 below ASGI: absolute deadlines, a cap on the head, dead clients dropped; an answer in one write.

A subclass of uvicorn's httptools protocol, which has none of these: without the limits a client that sends a byte now
and then holds a connection for ever, and one that sends headers without end fills the memory. The deadline is one for
the whole request, head and body, from its first byte (or from the connection's start, or the end of the answer before),
so that no way of dribbling prolongs it.
"""

import asyncio
import socket
from collections.abc import MutableMapping
from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn

from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    HEADER_VALUE_RE,
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from api.http.errors import PROBLEM_JSON, problem, problem_body
from api.settings import Settings

# What a header costs beside its bytes (as HTTP/2 counts): it also bounds their number.
_HEADER_OVERHEAD = 32


class _Phase(Enum):
    BETWEEN = "between requests"
    HEAD = "head"
    BODY = "body"


class _HeadTooLargeError(Exception):
    """Raised in a callback of the parser, which then stops."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection. Made by `bounded_protocol`, which binds the settings."""

    settings: Settings

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._deadline: asyncio.TimerHandle | None = None
        self._is_due = False
        self._write_deadline: asyncio.TimerHandle | None = None
        self._phase = _Phase.BETWEEN
        self._requests = 0
        self._head_bytes = 0
        self._raw_head_bytes = 0
        self._head_too_large = False
        self._max_head_bytes = self.settings.max_head_bytes
        self.is_refused = False

    # Connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client that connects and says nothing is under the deadline too."""
        super().connection_made(transport)
        _drop_when_peer_vanishes(transport, self.settings.write_deadline_seconds)
        if len(self.connections) > self.settings.max_connections:
            self.is_refused = True
            self.app = _refuse_for_number
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave no timer behind."""
        self._disarm()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Whatever arrives outside of a whole request (also line breaks before one) starts the clock."""
        self._is_due = True
        was_in_head, request = self._phase is _Phase.HEAD, self._requests
        super().data_received(data)
        # Only now: a request that came whole needs no timer.
        if self._is_due and self._deadline is None:
            self._arm()
        if was_in_head and self._phase is _Phase.HEAD and self._requests == request:
            # All of it head. A header without an end lies in the parser, which tells nothing of it.
            self._raw_head_bytes += len(data)
            if self._raw_head_bytes > self.settings.max_head_bytes:
                self._refuse(431, "the request line and headers are too large")

    # Parser callbacks

    def on_message_begin(self) -> None:
        """A request begins; also the next one in the same packet."""
        self._phase = _Phase.HEAD
        self._requests += 1
        self._head_bytes = self._raw_head_bytes = 0
        self._is_due = True
        self.begin_request()

    def begin_request(self) -> None:
        """Forget the request before."""
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Count and keep."""
        self._head_bytes += len(url)
        if self._head_bytes > self._max_head_bytes:
            self._refuse_head()
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count and keep; the trailers of a chunked body come here as well."""
        # Neither a call to count nor one to the class above: there are ten of these in a request.
        self._head_bytes += len(name) + len(value) + _HEADER_OVERHEAD
        if self._head_bytes > self._max_head_bytes:
            self._refuse_head()
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head has an end."""
        self.note_head()
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:
            # uvicorn makes its own kind and leaves no place to name another; nothing has been sent by it yet.
            self.cycle.__class__ = _Cycle

    def on_message_complete(self) -> None:
        """The request is there: from now on only we are slow."""
        self.note_end()
        super().on_message_complete()

    def note_head(self) -> None:
        """What comes now is body."""
        self._phase = _Phase.BODY

    def note_end(self) -> None:
        """What comes now is another request."""
        self._disarm()
        self._phase = _Phase.BETWEEN

    # Writing

    def pause_writing(self) -> None:
        """The client takes nothing; not for ever."""
        super().pause_writing()
        if self._write_deadline is None:
            self._write_deadline = self.loop.call_later(self.settings.write_deadline_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """The client takes again."""
        if self._write_deadline is not None:
            self._write_deadline.cancel()
            self._write_deadline = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """What cannot be parsed, as a problem document."""
        if self._head_too_large:
            self._refuse(431, "the request line and headers are too large")
        else:
            self._refuse(400, "this is not an HTTP/1.1 request")

    # Deadline

    def _refuse_head(self) -> NoReturn:
        self._head_too_large = True
        raise _HeadTooLargeError

    def _arm(self) -> None:
        self._deadline = self.loop.call_later(self.settings.request_deadline_seconds, self._on_deadline)

    def _disarm(self) -> None:
        self._is_due = False
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _on_deadline(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        if self._phase is _Phase.BETWEEN:
            self.transport.close()
        else:
            self._refuse(408, "the request did not arrive in time")

    def _refuse(self, status: int, detail: str) -> None:
        """Answer below ASGI and close. Nothing is written into an answer that has begun."""
        self._disarm()
        if self.transport.is_closing():
            return
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            begun = cycle.response_started
            # The application hears that its client is gone, and whatever it still sends is dropped.
            cycle.disconnected = True
            cycle.message_event.set()
            if begun or self.pipeline or self._phase is not _Phase.BODY:
                # An answer is half written, or this is a request behind one that is not answered yet.
                self.transport.close()
                return
        body = problem_body(status, detail)
        head = [
            STATUS_LINE[status],
            *(name + b": " + value + b"\r\n" for name, value in self.server_state.default_headers),
            b"content-type: ", PROBLEM_JSON.encode(), b"\r\n",
            b"content-length: ", str(len(body)).encode(), b"\r\n",
            b"x-content-type-options: nosniff\r\ncache-control: no-store\r\nconnection: close\r\n\r\n",
        ]  # fmt: skip
        self.transport.write(b"".join(head) + body)
        self.transport.close()


class _Cycle(RequestResponseCycle):
    """One request and its answer. An answer that is known as a whole leaves in one write.

    uvicorn writes head and body apart, which is a system call and a packet more, and searches each header of each
    answer for forbidden characters: a delivery took 151 µs of CPU, and takes 114 (bench.ingest).
    """

    held: MutableMapping[str, Any] | None = None
    """The start of an answer: by ASGI nothing of it may leave before the first piece of its body is there."""

    async def send(self, message: MutableMapping[str, Any]) -> None:  # type: ignore[override]
        """Take a piece of the answer."""
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
        self.transport.write(head.content + body)
        self.message_event.set()
        self.on_response()
        return True


class Head(NamedTuple):
    """The head of an answer as it goes over the wire, and the length of the body that it announces."""

    content: bytes
    length: int


# Most answers of a second have the same head.
@lru_cache(maxsize=256)
def whole_head(status: int, headers: tuple[tuple[bytes, bytes], ...]) -> Head | None:
    """The head of an answer, which has its length.

    None where there is something about it that uvicorn should look at, or nobody should remember.
    """
    content = [STATUS_LINE[status]]
    length = 0 if status in _BODILESS else None
    for raw_name, value in headers:
        name = raw_name.lower()
        if name in _NOT_HELD or HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
            return None
        if name == b"content-length":
            length = int(value)
        content += [name, b": ", value, b"\r\n"]
    return None if length is None else Head(b"".join([*content, b"\r\n"]), length)


_BODILESS = frozenset({204, 304})
_NOT_HELD = frozenset({b"connection", b"transfer-encoding", b"set-cookie"})


async def _refuse_for_number(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer on a connection beyond `max_connections`, in the place of the application."""
    answer = problem(
        503, "too many connections", slug="overloaded", headers={"retry-after": "1", "connection": "close"}
    )
    await answer(scope, receive, send)


def bounded_protocol(settings: Settings) -> type[BoundedProtocol]:
    """The protocol class for uvicorn with these limits: uvicorn makes one for each connection, without arguments."""
    return type("BoundedProtocol", (BoundedProtocol,), {"settings": settings})


def _drop_when_peer_vanishes(transport: asyncio.Transport, seconds: float) -> None:
    """Let the kernel give up a peer that acknowledges nothing (a pulled plug), else it tries for 15 minutes."""
    peer: socket.socket | None = transport.get_extra_info("socket")
    option: int | None = getattr(socket, "TCP_USER_TIMEOUT", None)
    if peer is not None and option is not None and peer.family in (socket.AF_INET, socket.AF_INET6):
        peer.setsockopt(socket.IPPROTO_TCP, option, int(seconds * 1000))

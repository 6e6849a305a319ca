"""HTTP/1.1 below ASGI: deadlines, bounds on what is held of a client, nothing that two readers could read two ways.

A subclass of uvicorn's httptools protocol, which has none of these: without the limits a client that sends a byte now
and then holds a connection for ever, and one that sends headers, or requests behind one another, without end fills the
memory. The deadline is one for the whole request, head and body, from its first byte (or from the connection's start,
or the end of the answer before), so that no way of dribbling prolongs it. What is not understood is refused with 400
and the connection closed: what follows on it would be read by guess.
"""

import asyncio
import resource
import socket
from enum import Enum
from typing import Any, NamedTuple, NoReturn

import httptools
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from api.cycle import Cycle
from api.framing import AmbiguousError, check_framing
from api.http.errors import PROBLEM_JSON, problem, problem_body
from api.settings import Settings
from api.targets import requested_target

# What a header costs beside its bytes (as HTTP/2 counts): it also bounds their number.
_HEADER_OVERHEAD = 32

MAX_PIPELINED = 16
"""Requests of one connection that may wait for the answer to an earlier one. Hardly a client sends any so; those that
are left over are sent again by it, on another connection (RFC 9112, 9.3.2)."""

_KEPT_DESCRIPTORS = 128
"""Of those that the process may open, so many (or half) are left for Kafka, files, and for answering that there are
too many connections."""


class Connections(NamedTuple):
    """How many are served at once, and how many more are told that there are too many."""

    served: int
    refused: int


class _Phase(Enum):
    BETWEEN = "between requests"
    HEAD = "head"
    BODY = "body"


_HEAD = _Phase.HEAD
_HEAD_TOO_LARGE = 431, "the request line and headers are too large"


class _HeadTooLargeError(Exception):
    """Raised in a callback of the parser, which then stops."""


class _EnoughError(Exception):
    """Raised in a callback of the parser: as many requests wait as may."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection. Made by `bounded_protocol`, which binds the settings."""

    settings: Settings
    allowed: Connections
    cycle: Cycle

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
        self._refusal: tuple[int, str] | None = None
        self._max_head_bytes = self.settings.max_head_bytes
        self._is_full = False
        self._idle_since: float | None = None
        """Since when nothing has been asked here, once something was answered."""
        self.url = b""
        self.headers = []

    # Connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client that connects and says nothing is under the deadline too."""
        super().connection_made(transport)
        self.flow = _Flow(self)
        _drop_when_peer_vanishes(transport, self.settings.write_deadline_seconds)
        excess = len(self.connections) - self.allowed.served
        if excess > self.allowed.refused:
            # Not even the request is waited for: each that waits holds a descriptor.
            self._refuse(503, "too many connections")
            return
        if excess > 0:
            self.app = _refuse_for_number
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave no timer behind."""
        self._disarm()
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Whatever arrives outside of a whole request (also line breaks before one) starts the clock."""
        if self._is_full:
            return
        self._is_due = True
        was_in_head, request = self._phase is _Phase.HEAD, self._requests
        self._unset_keepalive_if_required()
        self._parse(data)
        # Only now: a request that came whole needs no timer.
        if self._is_due and self._deadline is None and not self._is_full:
            self._arm()
        if self._phase is _HEAD and not self._is_full:
            if was_in_head and self._requests == request:
                # All of it head. A header without an end lies in the parser, which tells nothing of it.
                self._raw_head_bytes += len(data)
            if max(self._raw_head_bytes, self._size_of_head()) > self._max_head_bytes:
                self._refuse(*_HEAD_TOO_LARGE)

    def _parse(self, data: bytes) -> None:
        """Feed the parser; what follows a request that asked for another protocol is its next request."""
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
            except httptools.HttpParserError:
                if self._is_full:
                    return
                self._refuse(*(self._refusal or (400, "this is not an HTTP/1.1 request")))
                return
            else:
                return

    # Parser callbacks

    def on_message_begin(self) -> None:
        """A request begins; also the next one in the same packet."""
        if len(self.pipeline) >= MAX_PIPELINED:
            self._stop_reading()
        self._phase = _Phase.HEAD
        self._requests += 1
        self._head_bytes = self._raw_head_bytes = 0
        self._is_due = True
        self.url = b""
        self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep. The trailers of a chunked body come here as well: they are counted, and are no headers."""
        # No more than that, and no call to the class above: there are ten of these in a request.
        if self._phase is _HEAD:
            self.headers.append((name.lower(), value))
            return
        self._head_bytes += len(name) + len(value) + _HEADER_OVERHEAD
        if self._head_bytes > self._max_head_bytes:
            self._refuse_head()

    def on_headers_complete(self) -> None:
        """The head has an end: the application begins. In the place of uvicorn's, which makes a cycle of its own."""
        version = self.parser.get_http_version()
        self._head_bytes = self._size_of_head()
        if self._head_bytes > self._max_head_bytes:
            self._refuse_head()
        try:
            expects_continue = check_framing(
                version, self.url, self.headers, is_for_another_protocol=self.parser.should_upgrade()
            )
        except AmbiguousError as error:
            self._refusal = 400, str(error)
            raise
        # What comes now is body.
        self._phase = _Phase.BODY
        target = requested_target(self.url)
        scope: Any = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": "",
            "headers": self.headers,
            "state": self.app_state.copy(),
            "method": self.parser.get_method().decode("ascii"),
            "path": target.path,
            "raw_path": target.raw_path,
            "query_string": target.query,
        }
        earlier = self.cycle
        self.scope = scope
        self.cycle = cycle = Cycle(
            self,
            scope,
            expects_continue=expects_continue,
            keep_alive=version != "1.0" and self.parser.should_keep_alive(),
        )
        if earlier is None or earlier.response_complete:
            self._start_asgi_task(cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))

    def on_body(self, body: bytes) -> None:
        """A piece of the body; most have one."""
        cycle = self.cycle
        if cycle.response_complete:
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.wake()

    def on_message_complete(self) -> None:
        """The request is there: from now on only we are slow."""
        self._disarm()
        # What comes now is another request.
        self._phase = _Phase.BETWEEN
        cycle = self.cycle
        if not cycle.response_complete:
            cycle.more_body = False
            cycle.wake()

    def on_response_complete(self) -> None:
        """The next request of this connection may begin; where there is none, it need not wait for ever."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._wait_for_a_request(self.timeout_keep_alive)

    def _unset_keepalive_if_required(self) -> None:
        self._idle_since = None

    def _wait_for_a_request(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def timeout_keep_alive_handler(self) -> None:
        """Close, if nothing has come for so long: one timer for a connection, not for each of its answers."""
        self.timeout_keep_alive_task = None
        if self._idle_since is None:
            return
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._wait_for_a_request(left)
        else:
            super().timeout_keep_alive_handler()

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

    # Deadline

    def _size_of_head(self) -> int:
        """What is kept of it so far."""
        size = sum([len(name) + len(value) for name, value in self.headers])
        return len(self.url) + size + _HEADER_OVERHEAD * len(self.headers)

    def _refuse_head(self) -> NoReturn:
        self._refusal = _HEAD_TOO_LARGE
        raise _HeadTooLargeError

    def _stop_reading(self) -> NoReturn:
        """Answer those that wait, and take no more on this connection."""
        self._is_full = True
        self._disarm()
        self.cycle.keep_alive = False
        raise _EnoughError

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
            cycle.wake()
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
            b"retry-after: 1\r\n" if status == 503 else b"",
            b"x-content-type-options: nosniff\r\ncache-control: no-store\r\nconnection: close\r\n\r\n",
        ]  # fmt: skip
        self.transport.write(b"".join(head) + body)
        self.transport.close()


class _Flow(FlowControl):
    """Reading stays paused while a request waits for the answer to an earlier one, whoever asks to go on."""

    def __init__(self, protocol: BoundedProtocol) -> None:
        super().__init__(protocol.transport)
        self._protocol = protocol

    def resume_reading(self) -> None:
        """Go on, if nothing waits: what is read meanwhile would wait too, without end."""
        if not self._protocol.pipeline:
            super().resume_reading()


async def _refuse_for_number(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer on a connection beyond `max_connections`, in the place of the application."""
    answer = problem(
        503, "too many connections", slug="overloaded", headers={"retry-after": "1", "connection": "close"}
    )
    await answer(scope, receive, send)


def bounded_protocol(settings: Settings) -> type[BoundedProtocol]:
    """The protocol class for uvicorn with these limits: uvicorn makes one for each connection, without arguments."""
    names = {"settings": settings, "allowed": connections_allowed(settings.max_connections)}
    return type("BoundedProtocol", (BoundedProtocol,), names)


def connections_allowed(wanted: int) -> Connections:
    """As many connections as are wanted, and as this process may have open (`ulimit -n`) beside all else."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return Connections(wanted, _KEPT_DESCRIPTORS // 4)
    kept = min(_KEPT_DESCRIPTORS, limit // 2)
    return Connections(max(1, min(wanted, limit - kept)), kept // 4)


def _drop_when_peer_vanishes(transport: asyncio.Transport, seconds: float) -> None:
    """Let the kernel give up a peer that acknowledges nothing (a pulled plug), else it tries for 15 minutes."""
    peer: socket.socket | None = transport.get_extra_info("socket")
    option: int | None = getattr(socket, "TCP_USER_TIMEOUT", None)
    if peer is not None and option is not None and peer.family in (socket.AF_INET, socket.AF_INET6):
        peer.setsockopt(socket.IPPROTO_TCP, option, int(seconds * 1000))

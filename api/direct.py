"""Deliveries that lie whole in what the socket gave, straight from the parser to their endpoint.

Owns the shortcut and its conditions. It saves what ASGI costs such a request: a scope, an event, a task, two queued
messages each way. Whatever is not plain (a body that comes later, another method, a query, HTTP/1.0, `Expect`, a
request behind another, a client that does not read) goes through ASGI as ever: uvicorn has not been told of a request
before it is known which way it goes.
See docs/decisions/0026-whole-deliveries-skip-asgi.md.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from api.server import BoundedProtocol, whole_head
from api.settings import Settings


class Answer(NamedTuple):
    """An answer that is known as a whole; one header is its length."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


Respond = Callable[[Answer], None]
"""Writes an answer to the client that waits for it, if it still does."""


class WholeDeliveries(Protocol):
    """Who takes deliveries without ASGI."""

    @property
    def addresses(self) -> Mapping[bytes, str]:
        """The target of a plain request to each connection, as it stands in the request, and the connection's name."""
        ...

    def take_whole(
        self, name: str, scheme: str, headers: Sequence[tuple[bytes, bytes]], body: bytes, respond: Respond
    ) -> None:
        """Call `respond` once, now or later. Raises nothing."""
        ...


class DirectProtocol(BoundedProtocol):
    """One connection. Made by `direct_protocol`, which binds settings and endpoint."""

    deliveries: WholeDeliveries
    addresses: Mapping[bytes, str]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # Of the request that is being parsed, while it may still be taken whole; the pieces of its body.
        self._delivery: str | None = None
        self._pieces: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        """What has not come whole is the application's."""
        super().data_received(data)
        if self._delivery is not None:
            self._hand_to_application()

    # Parser callbacks

    def begin_request(self) -> None:
        """Without uvicorn, which would make the scope."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_headers_complete(self) -> None:
        """Choose the way. Until the body is there the request has not begun for uvicorn."""
        name = self.addresses.get(self.url)
        if name is not None and self._is_plain():
            self.note_head()
            self._delivery = name
        else:
            self._begin_for_application()

    def on_body(self, body: bytes) -> None:
        """Keep."""
        if self._delivery is None:
            super().on_body(body)
        else:
            self._pieces.append(body)

    def on_message_complete(self) -> None:
        """The delivery is there: its endpoint answers it."""
        if self._delivery is None:
            super().on_message_complete()
            return
        self.note_end()
        name, self._delivery = self._delivery, None
        pieces, self._pieces = self._pieces, []
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self.cycle = waiting = _Waiting(self)  # type: ignore[assignment]
        self.deliveries.take_whole(name, self.scheme or "http", self.headers, body, waiting.respond)

    def send_400_response(self, msg: str) -> None:
        """The application hears of a request that breaks off within its body."""
        if self._delivery is not None:
            self._hand_to_application()
        super().send_400_response(msg)

    def _is_plain(self) -> bool:
        """Whether nothing about connection and request needs more than body and answer."""
        parser = self.parser
        return (
            (self.cycle is None or self.cycle.response_complete)
            and not self.is_refused
            and not self.expect_100_continue
            and not self.flow.write_paused
            and parser.get_method() == b"POST"
            and parser.get_http_version() == "1.1"
            and parser.should_keep_alive()
            and not parser.should_upgrade()
        )

    def _hand_to_application(self) -> None:
        self._delivery = None
        pieces, self._pieces = self._pieces, []
        self._begin_for_application()
        for piece in pieces:
            super().on_body(piece)

    def _begin_for_application(self) -> None:
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        HttpToolsProtocol.on_message_begin(self)
        self.url, self.headers, self.expect_100_continue = url, headers, expects
        self.scope["headers"] = headers
        super().on_headers_complete()


class _Event:
    """Nobody waits for it."""

    def set(self) -> None:
        """Do nothing."""


_NOBODY_WAITS = _Event()


class _Waiting:
    """A delivery that has not been answered, in the place of uvicorn's cycle: what uvicorn looks at has its names."""

    __slots__ = ("_protocol", "disconnected", "keep_alive", "response_complete")

    response_started = False
    message_event = _NOBODY_WAITS

    def __init__(self, protocol: DirectProtocol) -> None:
        self._protocol = protocol
        self.disconnected = False
        self.keep_alive = True
        self.response_complete = False

    def respond(self, answer: Answer) -> None:
        """Write it, and let the connection go on."""
        self.response_complete = True
        protocol = self._protocol
        transport = protocol.transport
        if self.disconnected or transport.is_closing():
            return
        head = whole_head(answer.status, (*protocol.server_state.default_headers, *answer.headers))
        if head is None:
            transport.close()
            return
        if self.keep_alive:
            transport.write(head.content + answer.body)
        else:
            # The process is asked to end.
            transport.write(head.content[:-2] + b"connection: close\r\n\r\n" + answer.body)
            transport.close()
        protocol.on_response_complete()


def direct_protocol(settings: Settings, deliveries: WholeDeliveries) -> type[DirectProtocol]:
    """The protocol class for uvicorn with these limits and this endpoint."""
    names = {"settings": settings, "deliveries": deliveries, "addresses": dict(deliveries.addresses)}
    return type("DirectProtocol", (DirectProtocol,), names)

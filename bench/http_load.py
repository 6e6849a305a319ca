"""A cheap HTTP client that keeps some connections busy: the next request leaves when the answer has come.

Closed loop, so the rate is what the server can do at that concurrency. Requests are bytes made before; of an answer
only status and length are read (about 10 µs each, a fraction of what any ASGI server needs), and the last body of each
connection is kept for the bench to check. One core is the server's, the other this client's and Kafka's.
"""

import asyncio
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import cast

import uvloop

from bench.processes import BenchError

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
_END_OF_HEAD = b"\r\n\r\n"


@dataclass(slots=True)
class Load:
    """What came of it."""

    seconds: float = 0.0
    answers: int = 0
    """All of them, with the status that was expected."""
    bodies: list[bytes] = field(default_factory=list)
    """The last of each connection."""

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds


def request(method: str, path: str, body: bytes = b"", headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """A request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers)]
    if body:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def load(url: str, requests: Sequence[bytes], *, connections: int, seconds: float, status: int) -> Load:
    """Send for so long, in a loop of its own. BenchError if an answer has another status."""
    return uvloop.run(_load(url, requests, connections, seconds, status))


async def _load(url: str, requests: Sequence[bytes], connections: int, seconds: float, status: int) -> Load:
    loop = asyncio.get_running_loop()
    result = Load()
    endless = cycle(requests)
    begun = time.monotonic()
    clients = [_Client(endless, b"%d" % status, begun + seconds, loop.create_future()) for _ in range(connections)]
    for client in clients:
        await connect(url, client)
    await asyncio.gather(*(client.done for client in clients))
    result.seconds = time.monotonic() - begun
    result.answers = sum(client.answers for client in clients)
    result.bodies = [client.last for client in clients]
    for client in clients:
        client.transport.close()
    return result


async def connect(url: str, protocol: asyncio.Protocol) -> None:
    """Open a connection for this protocol."""
    host, _, port = url.removeprefix("http://").partition(":")
    await asyncio.get_running_loop().create_connection(lambda: protocol, host, int(port))


class _Client(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, requests: Iterator[bytes], status: bytes, until: float, done: "asyncio.Future[None]") -> None:
        self.answers = 0
        self.last = b""
        self.done = done
        self._requests = requests
        self._status = status
        self._until = until
        self._pieces: list[bytes] = []
        self._missing = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        self._pieces.append(data)
        if self._missing == 0:
            head = b"".join(self._pieces)
            end = head.find(_END_OF_HEAD)
            if end < 0:
                return
            length = _LENGTH.search(head, 0, end)
            if head[9:12] != self._status or length is None:
                self._fail(f"an answer was not {self._status.decode()}: {head[:500]!r}")
                return
            self._missing = end + len(_END_OF_HEAD) + int(length[1]) - len(head)
            self._body_at = end + len(_END_OF_HEAD)
        else:
            self._missing -= len(data)
        if self._missing == 0:
            self._next()

    def _next(self) -> None:
        self.answers += 1
        if time.monotonic() < self._until:
            self._pieces.clear()
            self.transport.write(next(self._requests))
        elif not self.done.done():
            self.last = b"".join(self._pieces)[self._body_at :]
            self.done.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(f"the connection was lost: {error}")

    def _fail(self, why: str) -> None:
        if not self.done.done():
            self.done.set_exception(BenchError(why))

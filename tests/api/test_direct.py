"""Deliveries that skip ASGI: whatever is sent, however it is cut, the answers are those of the application.

The protocol with the shortcut and the one without it get the same bytes, on a transport in memory and one event loop:
what happens between two of them is the test's to say.
"""

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from uvicorn.server import ServerState

from api.direct import DirectProtocol, direct_protocol
from api.http.errors import ApiError, NotStoredError
from api.server import BoundedProtocol, bounded_protocol
from api.write.ingest import Answered
from schemas.deliveries import Delivery
from tests.api.fakes import PASSWORD, FakeConnector, FakeIngest
from tests.api.live import make_app, make_settings, serving
from tests.api.test_server import connect, read_answer, read_to_end

NOW = 1_773_850_890_344_000
_TURNS = 30
_MAX_BODY = 100_000


class FakeTransport(asyncio.Transport):
    """Keeps what is written; full when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_paused = False
        self._is_closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._is_closing:
            self.written += data

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        self._is_closing = True

    def abort(self) -> None:
        self._is_closing = True

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False


class SlowIngest(FakeIngest):
    """Its acknowledgements are the test's to give."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Answered] = []

    def hand_over(self, delivery: Delivery, answered: Answered) -> None:
        self.accepted.append(delivery)
        self.waiting.append(answered)

    def tell(self, outcome: str | ApiError) -> None:
        for answered in self.waiting:
            answered(outcome)
        self.waiting.clear()


@dataclass
class Connection:
    """One connection to an api of its own."""

    protocol: BoundedProtocol
    state: ServerState
    transport: FakeTransport
    ingest: FakeIngest
    connector: FakeConnector
    registry: CollectorRegistry
    seen: dict[str, object] = field(default_factory=dict)

    async def send(self, *pieces: bytes, turns: int = _TURNS) -> None:
        """Hand in piece after piece, each when it would be read."""
        for piece in pieces:
            for _ in range(_TURNS):
                if not self.transport.is_paused:
                    break
                await asyncio.sleep(0)
            if self.transport.is_closing():
                return
            self.protocol.data_received(piece)
            for _ in range(turns):
                await asyncio.sleep(0)

    async def outcome(self) -> tuple[object, ...]:
        """Everything that can be told of it from outside."""
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        counted = {
            tuple(sample.labels.values()): sample.value
            for metric in self.registry.collect()
            for sample in metric.samples
            if sample.name == "floorcast_deliveries_total" and sample.value
        }
        return (
            self.transport.written,
            self.transport.is_closing(),
            self.ingest.accepted,
            [(request.method, request.url, dict(request.headers), request.body) for request in self.connector.seen],
            counted,
        )


def open_connection(data: Path, *, direct: bool, ingest: FakeIngest | None = None, **limits: Any) -> Connection:
    """Open a connection; with the shortcut or without."""
    settings = make_settings(data, max_body_bytes=_MAX_BODY, **limits)
    ingest, connector, registry = ingest or FakeIngest(), FakeConnector(), CollectorRegistry()
    app = make_app(settings, ingest, connector=connector, registry=registry, clock=lambda: NOW)
    kind = direct_protocol(settings, app.state.webhooks) if direct else bounded_protocol(settings)
    config = uvicorn.Config(app, http=kind, ws="none", log_config=None, access_log=False)
    config.load()
    state = ServerState()
    state.default_headers = [(b"date", b"Wed, 18 Mar 2026 16:21:30 GMT")]
    transport = FakeTransport()
    protocol = kind(config, state, {}, asyncio.get_running_loop())
    protocol.connection_made(transport)
    return Connection(protocol, state, transport, ingest, connector, registry)


def close(connection: Connection) -> None:
    """Hang up, and leave no timer behind."""
    connection.protocol.connection_lost(None)


def post(
    target: str = "/webhooks/feed",
    body: bytes = b'{"a": 1}',
    *headers: str,
    signed: bool = True,
    method: str = "POST",
    version: str = "1.1",
) -> bytes:
    """Make a request with its length."""
    lines = [f"{method} {target} HTTP/{version}", "Host: floor.example", f"Content-Length: {len(body)}", *headers]
    if signed:
        lines.append(f"X-Password: {PASSWORD}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """Make a request whose body comes in chunks."""
    head = f"POST /webhooks/feed HTTP/1.1\r\nHost: f\r\nTransfer-Encoding: chunked\r\nX-Password: {PASSWORD}\r\n\r\n"
    return head.encode() + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + end


_AGAIN = {
    "plain": post(),
    "no body": post(body=b""),
    "large": post(body=b"x" * 90_000),
    "kept and repeated headers": post("/webhooks/crm", b"{}", "Content-Type: a/b", "X-Kept: \xe4", "x-kept: 2"),
    "forged": post(signed=False),
    "wrong type": post("/webhooks/feed", b"{}", "Content-Type: text/plain"),
    "compressed": post("/webhooks/feed", b"{}", "Content-Encoding: gzip"),
    "too large": post(body=b"x" * (_MAX_BODY + 1)),
    "length with zeros": post(body=b"").replace(b"Content-Length: 0", b"Content-Length: " + b"0" * 20),
    "unknown connection": post("/webhooks/nobody"),
    "no connection": post("/webhooks/"),
    "query": post("/webhooks/feed?a=%2F"),
    "escaped": post("/webhooks/%66eed"),
    "absolute": post("http://floor.example/webhooks/feed"),
    "other method": post(method="PUT"),
    "other place": post("/livez", b"", method="GET"),
    "waits for 100": post("/webhooks/feed", b"{}", "Expect: 100-continue"),
    "chunked": chunked(b"{", b'"a"', b": 1}"),
}
"""After these the connection stays open."""
_LAST = {
    "close": post("/webhooks/feed", b"{}", "Connection: close"),
    "old": post(version="1.0"),
    "old that stays": post("/webhooks/feed", b"{}", "Connection: keep-alive", version="1.0"),
    "head": post(body=b"", method="HEAD") + b"",
    "broken off": post()[:-3],
    "nothing": b"",
}
_ALONE = {
    "upgrade": post("/webhooks/feed", b"{}", "Connection: upgrade", "Upgrade: h2c"),
    "chunked with trailers": chunked(b"{}", end=b"0\r\nX-Kept: late\r\n\r\n"),
    "bad chunk": chunked(b"{}", end=b"zz\r\n"),
    "trailers without end": chunked(b"{}", end=b"0\r\n" + b"X-A: b\r\n" * 3_000 + b"\r\n"),
    "two lengths": post("/webhooks/feed", b"{}", "Content-Length: 3"),
    "large head": post("/webhooks/feed", b"{}", "X-Long: " + "a" * 40_000),
    "nonsense": b"\x16\x03\x01\x02",
}
"""What breaks, or comes late: behind a request that waits, chance says which is heard of first."""


async def both_ways(data: Path, pieces: Sequence[bytes], turns: int) -> list[tuple[object, ...]]:
    """Send the same to an api with the shortcut and to one without."""
    outcomes = []
    for direct in (True, False):
        connection = open_connection(data, direct=direct)
        await connection.send(*pieces, turns=turns)
        outcomes.append(await connection.outcome())
        close(connection)
        await asyncio.sleep(0)
    return outcomes


def cut(content: bytes, places: Sequence[int]) -> Iterator[bytes]:
    """Cut at places, each a place of the content or beyond it."""
    edges = sorted({0, len(content), *(place % (len(content) + 1) for place in places)})
    return (content[start:end] for start, end in pairwise(edges))


# Each makes two apis.
@settings(deadline=None, max_examples=40)
@given(
    requests=st.lists(st.sampled_from(sorted(_AGAIN)), min_size=1, max_size=3),
    last=st.sampled_from(sorted(_LAST)),
    places=st.lists(st.integers(0, 400) | st.integers(0, 100_000), max_size=4),
    turns=st.sampled_from([0, 1, _TURNS]),
)
@example(requests=["plain", "plain", "plain"], last="close", places=[], turns=0)
@example(requests=["plain"], last="broken off", places=[300], turns=0)
def test_answers_are_those_of_the_application_wherever_the_bytes_are_cut(
    tmp_path_factory: pytest.TempPathFactory, requests: list[str], last: str, places: list[int], turns: int
) -> None:
    content = b"".join(_AGAIN[name] for name in requests) + _LAST[last]

    direct, plain = asyncio.run(both_ways(tmp_path_factory.getbasetemp(), list(cut(content, places)), turns))

    assert direct == plain


@pytest.mark.parametrize("name", _AGAIN | _LAST | _ALONE)
async def test_request_that_comes_whole_is_answered_as_by_the_application(tmp_path: Path, name: str) -> None:
    direct, plain = await both_ways(tmp_path, [(_AGAIN | _LAST | _ALONE)[name]], _TURNS)

    assert direct == plain


@pytest.mark.parametrize("name", _ALONE)
async def test_request_that_breaks_at_any_byte_is_answered_as_by_the_application(tmp_path: Path, name: str) -> None:
    content = _ALONE[name]
    for place in range(1, min(len(content), 200), 23):
        direct, plain = await both_ways(tmp_path, [content[:place], content[place:]], _TURNS)

        assert direct == plain


@pytest.mark.parametrize("failure", [NotStoredError("away", retry_after=2), RuntimeError("canary")])
@pytest.mark.parametrize("limits", [{}, {"deliveries_burst": 1}, {"max_connections": 1}], ids=str)
async def test_failure_is_answered_as_by_the_application(
    tmp_path: Path, failure: Exception, limits: dict[str, Any]
) -> None:
    outcomes = []
    for direct in (True, False):
        connection = open_connection(tmp_path, direct=direct, **limits)
        if limits.get("max_connections"):
            connection.state.connections.add(connection.protocol)
            connection.state.connections.add(object())  # type: ignore[arg-type]
            connection.protocol.connection_made(connection.transport)
        for raised in (None, failure, failure):
            connection.ingest.failure = raised
            await connection.send(post())
        outcomes.append(await connection.outcome())
        close(connection)

    assert outcomes[0] == outcomes[1]
    assert b"canary" not in outcomes[0][0]  # type: ignore[operator]


async def opened(data: Path, ask: bytes = b"") -> tuple[Connection, SlowIngest]:
    """Open a connection with the shortcut, and send this."""
    ingest = SlowIngest()
    connection = open_connection(data, direct=True, ingest=ingest)
    await connection.send(ask)
    return connection, ingest


async def test_whole_delivery_needs_no_task(tmp_path: Path) -> None:
    connection, ingest = await opened(tmp_path, post())

    assert len(ingest.waiting) == 1
    assert not connection.state.tasks
    close(connection)


async def test_nothing_is_answered_before_the_acknowledgement(tmp_path: Path) -> None:
    connection, ingest = await opened(tmp_path, post())
    before = connection.transport.written
    ingest.tell("3-17")

    assert before == b""
    assert connection.transport.written.startswith(b"HTTP/1.1 202 ")
    assert connection.transport.written.endswith(b'\r\n\r\n{"delivery":"3-17"}')
    close(connection)


async def test_late_refusal_is_a_503_that_says_when_to_come_back(tmp_path: Path) -> None:
    connection, ingest = await opened(tmp_path, post())
    ingest.tell(NotStoredError("Kafka is away", retry_after=2))

    assert connection.transport.written.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nretry-after: 2\r\n" in connection.transport.written
    close(connection)


async def test_request_behind_a_delivery_that_waits_is_answered_after_it(tmp_path: Path) -> None:
    connection, ingest = await opened(tmp_path, post() + post("/livez", b"", method="GET"))
    assert connection.transport.is_paused
    assert connection.transport.written == b""
    ingest.tell("0-0")
    await connection.outcome()

    statuses = re.findall(rb"HTTP/1.1 (\d+)", connection.transport.written)
    assert statuses == [b"202", b"200"]
    assert not connection.transport.is_paused
    close(connection)


async def test_delivery_that_waits_when_the_process_ends_is_answered_and_hung_up(tmp_path: Path) -> None:
    connection, ingest = await opened(tmp_path, post())
    connection.protocol.shutdown()
    assert not connection.transport.is_closing()
    ingest.tell("0-0")

    head, _, body = connection.transport.written.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 202 ")
    assert head.endswith(b"\r\nconnection: close")
    assert body == b'{"delivery":"0-0"}'
    assert connection.transport.is_closing()
    close(connection)


async def test_acknowledgement_for_a_client_that_has_gone_is_written_nowhere(tmp_path: Path) -> None:
    connection, ingest = await opened(tmp_path, post())
    close(connection)
    ingest.tell("0-0")

    assert connection.transport.written == b""


async def test_client_that_takes_no_answers_sends_no_more_deliveries(tmp_path: Path) -> None:
    connection, ingest = await opened(tmp_path, post())
    ingest.tell("0-0")
    connection.protocol.pause_writing()
    await connection.send(post())
    ingest.tell("0-1")
    await connection.send(post())
    assert connection.transport.is_paused
    statuses = re.findall(rb"HTTP/1.1 (\d+)", connection.transport.written)
    assert statuses == [b"202"]
    connection.protocol.resume_writing()
    await connection.outcome()
    ingest.tell("0-2")
    await connection.outcome()

    statuses = re.findall(rb"HTTP/1.1 (\d+)", connection.transport.written)
    assert statuses == [b"202"] * 3
    close(connection)


async def test_broken_request_behind_a_delivery_that_waits_closes_the_connection(tmp_path: Path) -> None:
    connection, ingest = await opened(tmp_path, post() + b"\x16\x03\x01")
    ingest.tell("0-0")

    assert connection.transport.is_closing()
    assert connection.transport.written == b""
    assert len(ingest.accepted) == 1
    close(connection)


def test_server_takes_whole_deliveries_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, ingest = make_settings(tmp_path), FakeIngest()
    whole: list[str] = []
    take: Callable[..., None] = DirectProtocol.on_message_complete

    def note(protocol: DirectProtocol) -> None:
        whole.append(str(protocol._delivery))
        take(protocol)

    monkeypatch.setattr(DirectProtocol, "on_message_complete", note)
    with serving(make_app(settings, ingest), settings) as address, connect(address) as client:
        client.sendall(post())
        assert read_answer(client).startswith(b"HTTP/1.1 202 ")
        client.sendall(post("/livez", b"", "Connection: close", method="GET"))
        assert read_to_end(client).startswith(b"HTTP/1.1 200 ")

    assert whole == ["feed", "None"]

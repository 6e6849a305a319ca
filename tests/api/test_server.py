"""The limits below ASGI, against a real server: whoever is slow, endless or broken is answered and cut off."""

import asyncio
import resource
import select
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import aiohttp
import orjson
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from api.server import MAX_PIPELINED, connections_allowed
from api.settings import Settings
from schemas.connectors.generic import Generic
from schemas.connectors.standard_webhooks import read_key, sign
from tests.api.fakes import PASSWORD, FakeIngest
from tests.api.live import make_app, make_settings, serving, serving_by

_PATIENCE_SECONDS = 20.0
_PACE_SECONDS = 0.02
_MAX_DRIBBLED = 1_000
_IDLE_SECONDS = 1
_HEAD = f"POST /webhooks/feed HTTP/1.1\r\nHost: floor\r\nX-Password: {PASSWORD}\r\n".encode()
Address = tuple[str, int]


@pytest.fixture
def settings(tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    """Give limits that a test can reach. The deadline is one that a busy machine meets too, but where it is awaited."""
    deadline = 0.4 if request.node.get_closest_marker("cut_off") else _PATIENCE_SECONDS
    return make_settings(tmp_path, request_deadline_seconds=deadline, max_head_bytes=8_192, max_body_bytes=100_000)


@pytest.fixture
def ingest() -> FakeIngest:
    return FakeIngest()


@pytest.fixture
def address(settings: Settings, ingest: FakeIngest) -> Iterator[Address]:
    app = make_app(settings, ingest)

    # Below /docs no key is needed, and what no rule names is 404.
    @app.get("/docs/slow")
    async def slow(request: Request) -> Response:
        async def events() -> AsyncIterator[str]:
            yield "first\n"
            await request.app.state.stopping.wait()
            yield "last\n"

        return StreamingResponse(events(), media_type="text/plain")

    @app.get("/docs/fails")
    async def fails() -> Response:
        class Broken(Response):
            async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                raise ValueError

        return Broken()

    @app.get("/docs/echo")
    async def echo(n: int) -> Response:
        await asyncio.sleep(0)
        return PlainTextResponse(str(n))

    @app.get("/docs/headers")
    async def headers(request: Request) -> Response:
        return PlainTextResponse(str(len(request.headers)))

    with serving(app, settings) as address:
        yield address


def connect(address: Address) -> socket.socket:
    return socket.create_connection(address, timeout=_PATIENCE_SECONDS)


def read_to_end(client: socket.socket) -> bytes:
    received = b""
    while True:
        try:
            chunk = client.recv(65_536)
        except ConnectionResetError:
            return received
        if not chunk:
            return received
        received += chunk


def read_answer(client: socket.socket) -> bytes:
    """One answer with a Content-Length, on a connection that stays open."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += client.recv(1)
    head = received.partition(b"\r\n\r\n")[0].lower()
    left = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while left:
        chunk = client.recv(left)
        assert chunk, "the connection was closed within an answer"
        received, left = received + chunk, left - len(chunk)
    return received


def dribble(client: socket.socket, head: bytes, drop: bytes) -> bytes:
    """Send `head`, then `drop` again and again until the server answers or closes; give what it said."""
    client.sendall(head)
    for _ in range(_MAX_DRIBBLED):
        readable, _, _ = select.select([client], [], [], _PACE_SECONDS)
        if readable:
            return read_to_end(client)
        try:
            client.sendall(drop)
        except (BrokenPipeError, ConnectionResetError):
            return read_to_end(client)
    pytest.fail("the connection was never closed")


def problem_of(answer: bytes) -> dict[str, object]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower()
    document: dict[str, object] = orjson.loads(body)
    return document


@pytest.mark.cut_off
def test_connection_that_says_nothing_is_closed(address: Address) -> None:
    with connect(address) as client:
        assert read_to_end(client) == b""


@pytest.mark.cut_off
@pytest.mark.parametrize(
    ("head", "drop"),
    [
        (b"P", b"O"),
        (_HEAD, b"X-A: b\r\n"),
        (_HEAD + b"X-Long: ", b"a"),
        (_HEAD + b"Content-Length: 5000\r\n\r\n", b"a"),
        (_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
        (_HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x"),
    ],
    ids=["method", "headers", "one header", "body", "chunked body", "chunk extension"],
)
def test_dribbled_request_is_cut_off_at_the_deadline(
    address: Address, ingest: FakeIngest, head: bytes, drop: bytes
) -> None:
    with connect(address) as client:
        answer = dribble(client, head, drop)

    assert not ingest.accepted
    assert answer.startswith((b"HTTP/1.1 408 ", b"HTTP/1.1 400 ")) or answer == b""


@pytest.mark.cut_off
def test_dribbled_body_is_answered_408_as_a_problem(address: Address) -> None:
    with connect(address) as client:
        answer = dribble(client, _HEAD + b"Content-Length: 5000\r\n\r\n", b"a")

    assert problem_of(answer)["status"] == 408


@pytest.mark.cut_off
def test_empty_lines_do_not_keep_a_connection_open(address: Address) -> None:
    with connect(address) as client:
        answer = dribble(client, b"", b"\r\n")

    assert b"200" not in answer


@pytest.mark.cut_off
def test_second_request_of_a_connection_is_under_the_deadline_too(address: Address) -> None:
    with connect(address) as client:
        client.sendall(_HEAD + b"Content-Length: 2\r\n\r\n{}")
        assert read_answer(client).startswith(b"HTTP/1.1 202 ")
        answer = dribble(client, _HEAD, b"X-A: b\r\n")

    assert problem_of(answer)["status"] == 408


@pytest.mark.cut_off
def test_answer_that_lasts_longer_than_the_deadline_is_not_cut_off(address: Address) -> None:
    with connect(address) as client:
        client.sendall(b"GET /docs/slow HTTP/1.1\r\nHost: floor\r\n\r\n")
        received = b""
        while b"first" not in received:
            received += client.recv(4096)
        with connect(address) as silent:
            # Closed at the same deadline that the stream would have, had it one.
            assert read_to_end(silent) == b""
        readable, _, _ = select.select([client], [], [], 0)

        assert not readable


def test_many_requests_on_one_connection_are_all_answered(address: Address, ingest: FakeIngest) -> None:
    with connect(address) as client:
        for _ in range(50):
            client.sendall(_HEAD + b"Content-Length: 2\r\n\r\n{}")
            assert read_answer(client).startswith(b"HTTP/1.1 202 ")

    assert len(ingest.accepted) == 50


def test_body_larger_than_the_cap_of_the_head_is_taken(address: Address, ingest: FakeIngest) -> None:
    body = b"a" * 50_000
    with connect(address) as client:
        for _ in range(20):
            client.sendall(_HEAD + b"Content-Length: 50000\r\n\r\n" + body)
            assert read_answer(client).startswith(b"HTTP/1.1 202 ")

    assert {delivery.body for delivery in ingest.accepted} == {body}


def test_pipelined_requests_are_all_answered(address: Address, ingest: FakeIngest) -> None:
    with connect(address) as client:
        client.sendall((_HEAD + b"Content-Length: 2\r\n\r\n{}") * 5)
        answers = [read_answer(client) for _ in range(5)]

    assert all(answer.startswith(b"HTTP/1.1 202 ") for answer in answers)


@pytest.mark.parametrize(
    "flood",
    [
        _HEAD + b"X-Long: " + b"a" * 200_000,
        _HEAD + b"X-Long: " + b"a" * 20_000 + b"\r\n\r\n",
        _HEAD + b"".join(b"X-%d: b\r\n" % number for number in range(1_000)) + b"\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: floor\r\n\r\n",
    ],
    ids=["endless header", "long header", "many headers", "long address"],
)
def test_head_over_the_cap_is_answered_431(address: Address, flood: bytes) -> None:
    with connect(address) as client:
        with suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(flood)
        answer = read_to_end(client)

    assert answer == b"" or problem_of(answer)["status"] == 431


def test_head_under_the_cap_is_taken(address: Address) -> None:
    with connect(address) as client:
        client.sendall(b"GET /docs/headers HTTP/1.1\r\nHost: floor\r\nX-Long: " + b"a" * 7_000 + b"\r\n\r\n")

        assert read_answer(client).endswith(b"2")


@pytest.mark.parametrize(
    "request_",
    [
        _HEAD + b"Content-Length: 100001\r\n\r\n",
        _HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join([b"8000\r\n" + b"a" * 0x8000 + b"\r\n"] * 4),
    ],
    ids=["declared", "chunked"],
)
def test_body_over_the_limit_is_answered_413(address: Address, ingest: FakeIngest, request_: bytes) -> None:
    with connect(address) as client:
        client.sendall(request_)
        answer = read_answer(client)

    assert problem_of(answer)["status"] == 413
    assert not ingest.accepted


def test_chunked_body_within_the_limit_is_taken_whole(address: Address, ingest: FakeIngest) -> None:
    with connect(address) as client:
        client.sendall(_HEAD + b'Transfer-Encoding: chunked\r\n\r\n3\r\n{"a\r\n3\r\n":1\r\n1\r\n}\r\n0\r\n\r\n')
        assert read_answer(client).startswith(b"HTTP/1.1 202 ")

    assert [delivery.body for delivery in ingest.accepted] == [b'{"a":1}']


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        _HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        _HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        _HEAD + b"Content-Length: -2\r\n\r\n{}",
        b"GET /livez HTTP/1.1\r\nBad Header: x\r\n\r\n",
        _HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        _HEAD + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        _HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        _HEAD.replace(b"HTTP/1.1", b"HTTP/1.0") + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: floor\r\nHost: other\r\n\r\n",
        _HEAD + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n{}",
        _HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"CONNECT floor:80 HTTP/1.1\r\nHost: floor\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: floor other\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: floor/x@other\r\n\r\n",
        b"GET http://other/livez HTTP/1.1\r\nHost: floor\r\n\r\n",
        b"GET http://floor:81/livez HTTP/1.1\r\nHost: floor\r\n\r\n",
        b"GET http://ana:x@floor/livez HTTP/1.1\r\nHost: floor\r\n\r\n",
        b"GET ftp://floor/livez HTTP/1.1\r\nHost: floor\r\n\r\n",
    ],
    ids=[
        "TLS",
        "HTTP/2",
        "length and chunks",
        "two lengths",
        "negative length",
        "space in a name",
        "gzip, chunked",
        "gzip and chunked",
        "chunked twice",
        "chunks in HTTP/1.0",
        "two hosts",
        "upgrade with a body",
        "upgrade with chunks",
        "CONNECT",
        "a host of two words",
        "a host with a path",
        "for another host",
        "for another port",
        "for somebody",
        "for another protocol",
    ],
)
def test_what_is_not_http_is_answered_400(address: Address, ingest: FakeIngest, nonsense: bytes) -> None:
    with connect(address) as client:
        client.sendall(nonsense)
        answer = read_to_end(client)

    assert problem_of(answer)["status"] == 400
    assert not ingest.accepted


@pytest.mark.parametrize(
    ("target", "host"),
    [
        (b"http://Floor/livez", b"floor"),
        (b"http://floor:8080/livez?a=b", b"floor:8080"),
        (b"https://[::1]:8080/livez", b"[::1]:8080"),
        (b"/livez", b"[::1]"),
        (b"/livez", b""),
    ],
)
def test_the_whole_address_may_be_asked_for_where_it_is_that_of_the_host(
    address: Address, target: bytes, host: bytes
) -> None:
    with connect(address) as client:
        client.sendall(b"GET %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (target, host))
        answer = read_answer(client)

    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "request_line",
    [b"GET /livez HTTP/1.1\r\n\r\n", b"GET /livez\r\n\r\n", b"GET /livez HTTP/1.2\r\nHost: floor\r\n\r\n"],
    ids=["no host", "HTTP/0.9", "HTTP/1.2"],
)
def test_request_that_does_not_say_for_whom_it_is_or_how_it_is_meant_is_refused(
    address: Address, request_line: bytes
) -> None:
    with connect(address) as client:
        client.sendall(request_line)
        answer = read_to_end(client)

    assert answer.startswith(b"HTTP/1.1 400 ")


_SMUGGLED = b"GET /livez HTTP/1.1\r\nHost: floor\r\n\r\n"


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c", b"TLS/1.0", b"nonsense"])
def test_body_of_a_request_for_another_protocol_is_never_read_as_a_request(
    address: Address, ingest: FakeIngest, protocol: bytes
) -> None:
    with connect(address) as client:
        client.sendall(
            _HEAD + b"Connection: Upgrade\r\nUpgrade: %b\r\nContent-Length: %d\r\n\r\n" % (protocol, len(_SMUGGLED))
        )
        time.sleep(_PACE_SECONDS)
        with suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(_SMUGGLED)
        answer = read_to_end(client)

    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert not ingest.accepted


def test_another_protocol_that_nobody_speaks_is_left_aside_where_there_is_no_body(address: Address) -> None:
    asked = b"GET /livez HTTP/1.1\r\nHost: floor\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n"

    with connect(address) as client:
        client.sendall(asked + _SMUGGLED)
        answers = [read_answer(client), read_answer(client)]

    assert [answer.partition(b"\r\n")[0] for answer in answers] == [b"HTTP/1.1 200 OK"] * 2


def test_trailers_are_no_headers(address: Address, ingest: FakeIngest) -> None:
    head = b"POST /webhooks/feed HTTP/1.1\r\nHost: floor\r\nTransfer-Encoding: chunked\r\n\r\n"
    trailers = f"X-Password: {PASSWORD}\r\nX-Other: a\r\n\r\n".encode()

    with connect(address) as client:
        client.sendall(head + b"2\r\n{}\r\n0\r\n" + trailers)
        assert read_answer(client).startswith(b"HTTP/1.1 401 ")
        client.sendall(b"GET /docs/headers HTTP/1.1\r\nHost: floor\r\n\r\n")
        assert read_answer(client).endswith(b"\r\n\r\n1")

    assert not ingest.accepted


def test_trailers_without_end_are_cut_off(address: Address) -> None:
    with connect(address) as client:
        client.sendall(_HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X-A: b\r\n" * 1_000)

        assert read_to_end(client).startswith(b"HTTP/1.1 431 ")


def test_what_is_read_while_answers_wait_is_bounded(address: Address) -> None:
    asked = b"GET /livez HTTP/1.1\r\nHost: floor\r\nX-Pad: %b\r\n\r\n" % (b"a" * 400)
    sent = 0

    with connect(address) as client:
        client.sendall(b"GET /docs/slow HTTP/1.1\r\nHost: floor\r\n\r\n")
        received = b""
        while b"first" not in received:
            received += client.recv(4096)
        client.setblocking(False)
        for _ in range(200):
            try:
                sent += client.send(asked * 1_000)
            except BlockingIOError:
                time.sleep(_PACE_SECONDS / 4)

    # What the system holds of a connection, both ways, and one piece that was read.
    assert sent < 16 << 20


def test_requests_behind_one_another_are_answered_in_order_as_far_as_they_may_wait(address: Address) -> None:
    number = MAX_PIPELINED * 3

    with connect(address) as client:
        client.sendall(b"".join(b"GET /docs/echo?n=%d HTTP/1.1\r\nHost: floor\r\n\r\n" % n for n in range(number)))
        answer = read_to_end(client)

    bodies = [int(part.partition(b"\r\n\r\n")[2]) for part in answer.split(b"HTTP/1.1 200 OK\r\n")[1:]]
    assert MAX_PIPELINED <= len(bodies) < number
    assert bodies == list(range(len(bodies)))
    assert b"connection: close" in answer.rpartition(b"HTTP/1.1 200 OK")[2]


def test_few_requests_behind_one_another_are_all_answered(address: Address) -> None:
    with connect(address) as client:
        for _ in range(3):
            client.sendall(_SMUGGLED * 5)
            for _ in range(5):
                assert read_answer(client).startswith(b"HTTP/1.1 200 ")


def test_unknown_connection_is_answered_before_the_body_is_sent(address: Address) -> None:
    with connect(address) as client:
        client.sendall(
            b"POST /webhooks/nobody HTTP/1.1\r\nHost: floor\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
        )

        assert read_answer(client).startswith(b"HTTP/1.1 404 ")


def test_client_that_waits_to_be_told_to_go_on_is_told(address: Address, ingest: FakeIngest) -> None:
    with connect(address) as client:
        client.sendall(_HEAD + b"Content-Length: 2\r\nExpect: 100-Continue\r\n\r\n")
        assert client.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"{}")

        assert read_answer(client).startswith(b"HTTP/1.1 202 ")
    assert [delivery.body for delivery in ingest.accepted] == [b"{}"]


def test_idle_connection_is_closed_so_long_after_its_last_answer(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    with serving_by(make_app(settings, FakeIngest()), settings) as (server, address):
        server.config.timeout_keep_alive = _IDLE_SECONDS
        with connect(address) as client:
            began = asked = time.monotonic()
            while asked < began + 0.8 * _IDLE_SECONDS:
                asked = time.monotonic()
                client.sendall(_HEAD + b"Content-Length: 2\r\n\r\n{}")
                assert read_answer(client).startswith(b"HTTP/1.1 202 ")

            assert read_to_end(client) == b""
        closed = time.monotonic()

    assert closed >= asked + _IDLE_SECONDS


def test_answer_comes_in_one_piece(address: Address) -> None:
    with connect(address) as client:
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: floor\r\n\r\n")

        answer = client.recv(65_536)

    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-length: %d" % len(body) in head
    assert body


def test_head_of_an_answer_has_no_body(address: Address) -> None:
    with connect(address) as client:
        client.sendall(b"HEAD /webhooks/feed HTTP/1.1\r\nHost: floor\r\nConnection: close\r\n\r\n")

        answer = read_to_end(client)

    assert answer.startswith(b"HTTP/1.1 405 ")
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "head", [b"GET /livez HTTP/1.1\r\nConnection: close\r\n", b"GET /livez HTTP/1.0\r\n"], ids=["close", "HTTP/1.0"]
)
def test_client_that_wants_no_more_is_hung_up_on(address: Address, head: bytes) -> None:
    with connect(address) as client:
        client.sendall(head + b"Host: floor\r\n\r\n")

        answer = read_to_end(client)

    assert b"\r\nconnection: close\r\n" in answer
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_answer_that_fails_before_its_body_is_a_500(address: Address) -> None:
    with connect(address) as client:
        client.sendall(b"GET /docs/fails HTTP/1.1\r\nHost: floor\r\n\r\n")

        assert read_to_end(client).startswith(b"HTTP/1.1 500 ")


def test_connection_beyond_the_number_allowed_is_answered_503(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, max_connections=1)

    with serving(make_app(settings, FakeIngest()), settings) as address, connect(address) as first:
        first.sendall(b"GET /livez HTTP/1.1\r\nHost: floor\r\n\r\n")
        assert read_answer(first).startswith(b"HTTP/1.1 200 ")
        with connect(address) as second:
            second.sendall(b"GET /livez HTTP/1.1\r\nHost: floor\r\n\r\n")
            answer = read_answer(second)

    assert b"retry-after: 1" in answer
    assert problem_of(answer)["status"] == 503


def test_connections_far_beyond_the_number_allowed_are_answered_503_unasked(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, max_connections=1)

    with serving(make_app(settings, FakeIngest()), settings) as address, ExitStack() as open_ones:
        clients = [open_ones.enter_context(connect(address)) for _ in range(60)]
        answer = read_to_end(clients[-1])

    assert problem_of(answer)["status"] == 503
    assert b"retry-after: 1" in answer


def test_open_files_of_the_process_bound_its_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    def allowed(wanted: int, limit: int) -> tuple[int, int]:
        monkeypatch.setattr("api.server.resource.getrlimit", lambda _which: (limit, limit))
        return connections_allowed(wanted)

    assert allowed(4096, 1 << 20) == (4096, 32)
    assert allowed(4096, 1024) == (896, 32)
    assert allowed(100, 1024) == (100, 32)
    assert allowed(4096, 64) == (32, 8)
    assert allowed(4096, resource.RLIM_INFINITY) == (4096, 32)


_OPEN_FILES = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (160, 160))
from pathlib import Path
from tests.api.fakes import FakeIngest
from tests.api.live import make_app, make_settings, serving
settings = make_settings(Path(sys.argv[1]))
with serving(make_app(settings, FakeIngest()), settings) as address:
    print(address[1], flush=True)
    sys.stdin.read()
"""


def test_a_process_with_few_open_files_answers_503_to_those_that_are_too_many(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _OPEN_FILES, str(tmp_path)]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process,
        ExitStack() as open_ones,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        address = ("127.0.0.1", int(process.stdout.readline()))
        first = open_ones.enter_context(connect(address))
        clients = [open_ones.enter_context(connect(address)) for _ in range(200)]
        refused = read_to_end(clients[-1])
        first.sendall(_SMUGGLED)
        served = read_answer(first)
        process.stdin.close()

    assert problem_of(refused)["status"] == 503
    assert served.startswith(b"HTTP/1.1 200 ")
    assert process.returncode == 0


_KEY = read_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "secret")
_CONNECTIONS = 24
_ROUNDS = 8


def signed_body(number: int) -> tuple[dict[str, str], bytes]:
    """A delivery of 35 to 40 KiB, as a CRM sends its history, signed now."""
    event = {"record": "activity", "id": f"a-{number}", "fields": {"note": "n" * (35 * 1024 + 211 * (number % 24))}}
    body = orjson.dumps([event])
    timestamp, message_id = str(int(time.time())), f"d-{number}"
    signature = sign(_KEY, message_id=message_id, timestamp=timestamp, body=body)
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": signature,
    }, body


async def test_large_signed_deliveries_at_once_on_connections_that_stay_open_are_all_taken(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    ingest = FakeIngest()
    app = make_app(settings, ingest, connector=Generic(keys=[_KEY]))

    with serving(app, settings) as (host, port):
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_CONNECTIONS)) as client:

            async def post(number: int) -> int:
                headers, body = signed_body(number)
                url = f"http://{host}:{port}/webhooks/feed"
                async with client.post(url, data=body, headers=headers) as answer:
                    return answer.status

            statuses = await asyncio.gather(*(post(number) for number in range(_CONNECTIONS * _ROUNDS)))

    assert set(statuses) == {202}
    assert len({delivery.headers["webhook-id"] for delivery in ingest.accepted}) == _CONNECTIONS * _ROUNDS
    assert all(35 * 1024 < len(delivery.body) < 41 * 1024 for delivery in ingest.accepted)


def test_large_body_that_comes_in_pieces_on_a_used_connection_is_taken(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    ingest = FakeIngest()

    with (
        serving(make_app(settings, ingest, connector=Generic(keys=[_KEY])), settings) as address,
        connect(address) as client,
    ):
        for number in range(20):
            headers, body = signed_body(number)
            lines = [f"{name}: {value}" for name, value in headers.items()]
            head = f"POST /webhooks/feed HTTP/1.1\r\nHost: floor\r\nContent-Length: {len(body)}\r\n" + "\r\n".join(
                lines
            )
            client.sendall(head.encode())
            client.sendall(b"\r\n\r\n")
            for start in range(0, len(body), 1448):
                client.sendall(body[start : start + 1448])
            assert read_answer(client).startswith(b"HTTP/1.1 202 ")

    assert len(ingest.accepted) == 20

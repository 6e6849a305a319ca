"""What comes from outside: bodies of webhooks, requests below ASGI, and the file that a user writes."""

import json
import logging
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from threading import Thread

import h11

from schemas.config import ConfigError, parse_config
from schemas.connectors import Connector, build_connector
from schemas.connectors.base import ContentTypeError, SignatureError, SignedRequest
from schemas.deliveries import Delivery
from schemas.frames import change_frames, decode_changes
from tests.api.fakes import PASSWORD, FakeIngest
from tests.api.live import make_app, make_settings, serving
from tests.fuzz.reading import plain_and_careful_agree
from tests.fuzz.target import Target
from tests.schemas.connectors.cases import CASES, dump
from tests.strategies import NOW

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
_CONFIG = """\
organisation: {name: Acme, timezone: Asia/Kuala_Lumpur, currency: USD}
connections:
  feed: {kind: generic, secrets: ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}
  crm:
    kind: hubspot
    secrets: ["0b1c2d3e-4f50-4617-8899-aabbccddeeff"]
    public_url: https://floor.example
    namespace: hs
  close:
    kind: close
    secrets: [b9260244ef33625f9b4b26a27db08758cdd39478b852c73f2d33ab042eb8abb4]
    outcomes: {vm-left: no_answer, out_1: held}
    statuses: {Potential: new}
    stages: {stat_won: {status: won}}
    owner_field: cf_owner
  air: {kind: aircall, secrets: [45XXYYZZa08example], outcomes: {bad number: wrong_number}}
  pd:
    kind: pipedrive
    secrets: ["user:password"]
    types: {demo: meeting, cold: call}
    outcomes: {"3": connected}
    statuses: {archived: disqualified}
    stages: {"4": {status: won}}
  sf:
    kind: salesforce
    secrets: [path-secret-4711]
    organization: 00D5f000004XyZa
    outcomes_field: Outcome__c
    outcomes: {Talked: connected, Came: held}
    statuses: {Warm: qualified}
    stages: {Signed: {status: won}}
  zoho:
    kind: zoho
    secrets: [tok_9f2c_sales_metrics_zoho]
    api: {region: eu, client_id: id, client_secret: secret, refresh_token: token}
    outcomes_field: Outcome
    outcomes: {Interested: connected, Came: held}
    stages: {Signed: {status: won}}
teams: {north: {name: North}}
reps:
  r-1: {name: Ana Lim, team: north, aliases: {crm: ["r-1", "52530071"]}}
lead_response:
  stop: contact
  rules:
    - {when: {source: demo_request}, sla: 5m}
    - {sla: 1h}
currency_rates: {EUR: "1.08"}
retention: {minutes: 48h, records: 400d}
alerts:
  channels:
    floor: {kind: webhook, url: "https://example.com/hook", secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}
  routes:
    - {levels: [breach], teams: [north], to: [floor]}
  thresholds:
    few: {metric: calls_made, per: rep, below: 10, at: "17:00"}
"""


# --- Webhooks ---------------------------------------------------------------------------------------------------------


_SETTINGS = parse_config(_CONFIG, {}).connections
CONNECTIONS = {name: build_connector(connection) for name, connection in _SETTINGS.items()}
_ADDRESS = "https://floor.example/webhooks/sf/path-secret-4711"
_TYPES = (
    "application/json",
    "text/xml",
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
    "text/plain",
    "",
)


def connection_of(kind: str) -> Connector:
    """The connector of the connection of a kind."""
    return next(CONNECTIONS[name] for name, connection in _SETTINGS.items() if connection.kind == kind)


def a_body_gives_changes_or_dead_letters(data: bytes) -> None:
    """Of any connection, under any content type; what it gives can be put into frames, and is read from them."""
    for name, connector in CONNECTIONS.items():
        for kind in _TYPES:
            headers = {
                "content-type": kind,
                "webhook-id": "1",
                "webhook-timestamp": "1",
                "webhook-signature": "v1,eA==",
            }
            with suppress(SignatureError, ContentTypeError):
                connector.verify(SignedRequest("POST", _ADDRESS, headers, data), NOW)
            parsed = connector.parse(Delivery(name, NOW, {"content-type": kind}, data))
            assert all("\n" not in problem.detail and problem.reason != "unreadable" for problem in parsed.problems)
            read = [one for frame in change_frames(parsed.changes) for one in decode_changes(frame).changes]
            assert read == list(parsed.changes)


def _bodies() -> list[bytes]:
    found = [*FIXTURES.rglob("*.json"), *FIXTURES.rglob("*.xml")]
    return [path.read_bytes() for path in sorted(found) if path.stat().st_size < 20_000]


# --- The configuration ------------------------------------------------------------------------------------------------


def a_file_is_a_configuration_or_an_error_with_its_line(data: bytes) -> None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    problems = ["none"]
    try:
        parse_config(text, {"HUBSPOT_SECRET": "x"})
    except ConfigError as error:
        problems = str(error).splitlines()
    assert problems
    assert all(problems)


# --- Requests ---------------------------------------------------------------------------------------------------------


@dataclass
class _Server:
    """One for the process: started with the first request, ended with the process."""

    address: tuple[str, int] | None = None
    ingest: FakeIngest | None = None

    def start(self) -> tuple[tuple[str, int], FakeIngest]:
        if self.address is None or self.ingest is None:
            self.ingest = FakeIngest()
            settings = make_settings(
                Path(mkdtemp(prefix="floorcast-fuzz-")), request_deadline_seconds=0.2, max_body_bytes=100_000
            )
            self._serving = serving(make_app(settings, self.ingest), settings)
            self.address = self._serving.__enter__()
            logging.getLogger("uvicorn.error").addHandler(COMPLAINTS)
        return self.address, self.ingest

    def stop(self) -> None:
        if self.address is not None:
            self.address = None
            self._serving.__exit__(None, None, None)
            logging.getLogger("uvicorn.error").removeHandler(COMPLAINTS)


class _Complaints(logging.Handler):
    """What uvicorn logs as an error: an application that failed."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(f"{record.getMessage()} {record.exc_info and record.exc_info[1]!r}")


SERVER = _Server()
COMPLAINTS = _Complaints()
_PATIENCE_SECONDS = 20.0


def _ask(address: tuple[str, int], data: bytes) -> bytes:
    """All that is answered to these bytes, until the server hangs up."""
    with socket.create_connection(address, timeout=_PATIENCE_SECONDS) as client:
        sending = Thread(target=_send, args=(client, data))
        sending.start()
        answered = b""
        with suppress(ConnectionResetError):
            while piece := client.recv(65_536):
                answered += piece
        sending.join()
    return answered


def _send(client: socket.socket, data: bytes) -> None:
    with suppress(OSError):
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)


def _requests(data: bytes) -> tuple[list[bytes], bool]:
    """The bodies of the requests in these bytes as h11 reads them, and whether it read them to their end."""
    reader = h11.Connection(h11.SERVER)
    reader.receive_data(data)
    reader.receive_data(b"")
    bodies: list[bytes] = []
    body = b""
    try:
        while True:
            match reader.next_event():
                case h11.Data(data=piece):
                    body += bytes(piece)
                case h11.EndOfMessage():
                    bodies.append(body)
                    body = b""
                    reader.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                    reader.send(h11.EndOfMessage())
                    if reader.our_state is not h11.DONE or reader.their_state is not h11.DONE:
                        return bodies, reader.their_state is h11.DONE
                    reader.start_next_cycle()
                case h11.ConnectionClosed() | h11.NEED_DATA | h11.PAUSED:
                    return bodies, True
                case _:
                    continue
    except h11.ProtocolError:
        return bodies, False


def a_request_is_answered_and_nothing_is_smuggled(data: bytes) -> None:
    """No answer says that we failed, nothing is taken that another parser does not see, and the next one is served."""
    address, ingest = SERVER.start()
    ingest.accepted.clear()
    COMPLAINTS.said.clear()
    answered = _ask(address, data)
    taken = [delivery.body for delivery in ingest.accepted]
    statuses = [line.split(b" ")[1] for line in answered.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
    assert not any(status.startswith(b"5") for status in statuses), answered[:500]
    bodies, is_whole = _requests(data)
    if is_whole:
        left = iter(bodies)
        assert all(body in left for body in taken), f"taken {taken!r}, sent {bodies!r}"
    live = _ask(address, b"GET /livez HTTP/1.1\r\nHost: floor\r\nConnection: close\r\n\r\n")
    assert live.startswith(b"HTTP/1.1 200 "), live[:200]
    assert COMPLAINTS.said == []


_POST = (
    f"POST /webhooks/feed HTTP/1.1\r\nHost: floor\r\nX-Password: {PASSWORD}\r\nContent-Type: application/json\r\n"
).encode()
_BODY = json.dumps({"record": "call", "id": "c-1"}).encode()
_SENT = [
    b"GET /livez HTTP/1.1\r\nHost: floor\r\n\r\n",
    _POST + b"Content-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY),
    _POST + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(_BODY), _BODY),
    _POST + b"Transfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n1\r\n{\r\n1;a=b\r\n}\r\n0\r\nX-T: 1\r\n\r\n",
    (_POST + b"Content-Length: 2\r\n\r\n{}") * 3 + b"GET /v1/reps HTTP/1.1\r\nHost: floor\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: floor\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 3\r\n\r\nabc",
    b"OPTIONS * HTTP/1.1\r\nHost: floor\r\nExpect: 100-continue\r\n\r\n",
]
TARGETS = (
    Target("webhooks", _bodies(), a_body_gives_changes_or_dead_letters),
    Target("plain", [dump(event) for case in CASES for event in (case.good, case.good[0])], plain_and_careful_agree),
    Target("configuration", [_CONFIG.encode()], a_file_is_a_configuration_or_an_error_with_its_line),
    Target("requests", _SENT, a_request_is_answered_and_nothing_is_smuggled),
)

"""What a CRM is answered, with a log that is a list."""

import gzip
import socket
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

import httpx
import orjson
import pytest
import structlog
from prometheus_client import CollectorRegistry

from api.http.headers import SECURITY_HEADERS
from api.write.refusals import UnacknowledgedError
from schemas.connectors.generic import Generic
from schemas.connectors.standard_webhooks import read_key, sign
from schemas.deliveries import Delivery
from schemas.instants import MINUTE
from schemas.tracing import start_tracing
from tests.api.fakes import PASSWORD, FakeConnector, FakeIngest
from tests.api.live import make_app, make_settings, serving
from tests.collector import Collector

NOW = 1_773_850_890_344_000
FIELD = Path(__file__).parents[3] / "fixtures" / "field" / "15-webhook-address-with-trailing-slash.json"
SIGNED = {"x-password": PASSWORD, "content-type": "application/json"}


@pytest.fixture
def ingest() -> FakeIngest:
    return FakeIngest()


@pytest.fixture
def connector() -> FakeConnector:
    return FakeConnector()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def limits() -> dict[str, Any]:
    return {}


@pytest.fixture
async def client(
    tmp_path: Path,
    ingest: FakeIngest,
    connector: FakeConnector,
    registry: CollectorRegistry,
    limits: dict[str, Any],
) -> AsyncIterator[httpx.AsyncClient]:
    app = make_app(make_settings(tmp_path, **limits), ingest, connector=connector, registry=registry, clock=lambda: NOW)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8080") as client:
        yield client


def counted(registry: CollectorRegistry, connection: str, outcome: str) -> float | None:
    return registry.get_sample_value("floorcast_deliveries_total", {"connection": connection, "outcome": outcome})


async def test_authentic_delivery_is_stored_raw_with_the_kept_headers_only(
    client: httpx.AsyncClient, ingest: FakeIngest, registry: CollectorRegistry
) -> None:
    headers = {**SIGNED, "X-Kept": "yes", "Authorization": "Bearer canary", "Cookie": "a=canary"}

    answer = await client.post("/webhooks/feed", content=b'{"a": 1}', headers=headers)

    assert answer.status_code == 202
    assert answer.json() == {"delivery": "0-0"}
    request = answer.headers["x-request-id"]
    kept = {"content-type": "application/json", "x-kept": "yes", "floorcast-request": request}
    assert ingest.accepted == [Delivery("feed", NOW, kept, b'{"a": 1}')]
    assert counted(registry, "feed", "accepted") == 1


@pytest.mark.parametrize(
    ("given", "is_taken"),
    [("b7ad6b71-0920.a_1", True), ("a" * 64, True), ("a" * 65, False), ("a b", False), ("a=1", False), ("", False)],
)
async def test_a_delivery_keeps_the_id_of_its_request(
    client: httpx.AsyncClient, ingest: FakeIngest, given: str, is_taken: bool
) -> None:
    forged = {"X-Request-ID": given, "Floorcast-Request": "forged"}

    answer = await client.post("/webhooks/feed", content=b"{}", headers={**SIGNED, **forged})

    assert (answer.headers["x-request-id"] == given) == is_taken
    assert [stored.headers["floorcast-request"] for stored in ingest.accepted] == [answer.headers["x-request-id"]]


async def test_receipts_and_refusals_carry_the_security_headers(client: httpx.AsyncClient) -> None:
    for headers, status in ((SIGNED, 202), ({}, 401)):
        answer = await client.post("/webhooks/feed", headers=headers)

        assert answer.status_code == status
        assert [pair for pair in answer.headers.raw if pair in SECURITY_HEADERS] == [*SECURITY_HEADERS]


async def test_empty_body_is_left_to_the_connector(client: httpx.AsyncClient, connector: FakeConnector) -> None:
    await client.post("/webhooks/feed", headers=SIGNED)

    assert [request.body for request in connector.seen] == [b""]


@pytest.mark.parametrize(
    ("path", "signed"),
    [
        ("/webhooks/feed?b=%2F&a=1", "http://127.0.0.1:8080/webhooks/feed?b=%2F&a=1"),
        ("/webhooks/crm?x=%20y", "https://floor.example/in/webhooks/crm?x=%20y"),
        ("/webhooks/%63rm", "https://floor.example/in/webhooks/%63rm"),
    ],
    ids=["as requested", "public", "path stays raw"],
)
async def test_signed_address_is_the_public_one_with_path_and_query_as_sent(
    client: httpx.AsyncClient, connector: FakeConnector, path: str, signed: str
) -> None:
    await client.post(httpx.URL("http://127.0.0.1:8080").copy_with(raw_path=path.encode()), headers=SIGNED)

    assert [request.url for request in connector.seen] == [signed]


async def test_repeated_header_reaches_the_connector_joined(
    client: httpx.AsyncClient, connector: FakeConnector
) -> None:
    await client.post("/webhooks/feed", headers=[*SIGNED.items(), ("X-Kept", "a"), ("x-kept", "b")])

    assert connector.seen[0].headers["x-kept"] == "a, b"


@pytest.mark.parametrize(
    ("path", "headers", "status", "slug", "field"),
    [
        ("/webhooks/nobody", SIGNED, 404, "not-found", "connection"),
        ("/webhooks/feed", {"x-password": "wrong"}, 401, "bad-signature", None),
        ("/webhooks/feed", {**SIGNED, "content-type": "text/plain"}, 415, "content-type-refused", "content-type"),
        ("/webhooks/feed", {**SIGNED, "content-encoding": "br"}, 415, "content-type-refused", "content-encoding"),
        ("/webhooks/feed", {**SIGNED, "content-encoding": "gzip"}, 415, "content-type-refused", "content-encoding"),
        ("/webhooks/feed/secret", SIGNED, 404, "not-found", "connection"),
        ("/webhooks/feed", {**SIGNED, "content-length": "1048577"}, 413, "body-too-large", None),
    ],
    ids=[
        "unknown connection",
        "signature",
        "content type",
        "other compression",
        "no gzip",
        "below",
        "declared size",
    ],
)
async def test_refusal_is_a_problem_document(
    client: httpx.AsyncClient,
    ingest: FakeIngest,
    *,
    path: str,
    headers: dict[str, str],
    status: int,
    slug: str,
    field: str | None,
) -> None:
    answer = await client.post(path, content=b"{}", headers=headers)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["type"] == f"urn:floorcast:problem:{slug}"
    assert document["status"] == status
    assert document.get("field") == field
    assert not ingest.accepted


async def test_other_methods_are_answered_405_with_the_one_allowed(client: httpx.AsyncClient) -> None:
    answer = await client.get("/webhooks/feed")

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_signature_refusal_carries_a_challenge(client: httpx.AsyncClient) -> None:
    answer = await client.post("/webhooks/feed")

    assert answer.status_code == 401
    assert "www-authenticate" in answer.headers


async def test_streamed_body_is_refused_as_soon_as_it_exceeds_the_limit(
    client: httpx.AsyncClient, connector: FakeConnector
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b"a" * 65_536

    answer = await client.post("/webhooks/feed", content=endless(), headers=SIGNED)

    assert answer.status_code == 413
    assert not connector.seen


async def test_delivery_that_kafka_does_not_take_is_answered_503_with_retry_after(
    client: httpx.AsyncClient, ingest: FakeIngest, registry: CollectorRegistry
) -> None:
    ingest.failure = UnacknowledgedError("the delivery was not stored", retry_after=2)

    answer = await client.post("/webhooks/feed", content=b"{}", headers=SIGNED)

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert counted(registry, "feed", "not_stored") == 1
    assert counted(registry, "feed", "accepted") == 0


async def test_unexpected_error_is_a_500_without_internals_and_with_security_headers(
    client: httpx.AsyncClient, ingest: FakeIngest, registry: CollectorRegistry
) -> None:
    ingest.failure = RuntimeError("canary")

    answer = await client.post("/webhooks/feed", content=b"{}", headers=SIGNED)

    assert answer.status_code == 500
    assert "canary" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert counted(registry, "feed", "internal") == 1


async def test_invented_connections_share_one_label(client: httpx.AsyncClient, registry: CollectorRegistry) -> None:
    for number in range(3):
        await client.post(f"/webhooks/invented-{number}")

    assert counted(registry, "_unknown", "not_found") == 3
    names = {sample.labels.get("connection") for metric in registry.collect() for sample in metric.samples}
    assert names == {"feed", "crm", "_unknown"}


async def test_address_with_a_slash_at_its_end_is_the_same(
    client: httpx.AsyncClient, ingest: FakeIngest, connector: FakeConnector, registry: CollectorRegistry
) -> None:
    case = orjson.loads(FIELD.read_bytes())
    (delivery,) = case["deliveries"]

    answer = await client.post(delivery["path"], json=delivery["body"], headers=SIGNED)

    assert answer.status_code == case["expected"]["status"]
    assert [each.connection for each in ingest.accepted] == ["feed"]
    assert connector.seen[0].url == "http://127.0.0.1:8080/webhooks/feed/"
    assert counted(registry, "feed", "accepted") == 1


@pytest.mark.parametrize(
    "path", ["//webhooks/feed", "///webhooks/feed", "/webhooks//feed", "/webhooks/feed//", "//webhooks//feed/"]
)
async def test_slashes_too_many_make_no_other_address(
    client: httpx.AsyncClient, ingest: FakeIngest, connector: FakeConnector, path: str
) -> None:
    """As of an address that ends in a slash and a path that begins with one. What is signed is what was written."""
    answer = await client.post(f"http://127.0.0.1:8080{path}", content=b"{}", headers=SIGNED)

    assert answer.status_code == 202
    assert [each.connection for each in ingest.accepted] == ["feed"]
    assert connector.seen[0].url == f"http://127.0.0.1:8080{path}"


@pytest.mark.parametrize(
    "path", ["/webhooks", "/webhooks/", "/webhooks/nobody/", "/webhooks//nobody", "/webhooks/nobody/x"]
)
@pytest.mark.parametrize("method", ["POST", "GET", "HEAD", "PUT"])
async def test_what_finds_no_connection_is_counted(
    client: httpx.AsyncClient, registry: CollectorRegistry, path: str, method: str
) -> None:
    assert (await client.request(method, path)).status_code == 404
    assert counted(registry, "_unknown", "not_found") == 1


async def test_a_receipt_is_the_same_whatever_a_reader_might_ask_for(client: httpx.AsyncClient) -> None:
    asked = {**SIGNED, "accept-encoding": "gzip", "if-none-match": "*"}

    answer = await client.post("/webhooks/feed", content=b"{}", headers=asked)

    assert (answer.status_code, answer.json()) == (202, {"delivery": "0-0"})
    assert "content-encoding" not in answer.headers
    assert {name for name, _ in SECURITY_HEADERS} <= {name for name, _ in answer.headers.raw}


@pytest.mark.parametrize(("path", "status"), [("/webhooks/feed", 405), ("/webhooks/nobody", 404)])
def test_a_head_has_no_body_and_the_connection_goes_on(
    tmp_path: Path, registry: CollectorRegistry, path: str, status: int
) -> None:
    settings = make_settings(tmp_path)
    app = make_app(settings, FakeIngest(), registry=registry)
    with serving(app, settings) as address, socket.create_connection(address, timeout=20) as connection:
        head = b"HEAD %b HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n" % path.encode()
        connection.sendall(head + b"GET /livez HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
        said = b"".join(iter(lambda: connection.recv(65536), b""))

    first, _, rest = said.partition(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 %d " % status)
    assert rest.startswith(b"HTTP/1.1 200 ")


async def test_what_finds_no_connection_is_logged_once_a_minute_by_its_name_alone(
    tmp_path: Path, registry: CollectorRegistry
) -> None:
    now = [NOW]
    app = make_app(make_settings(tmp_path), FakeIngest(), registry=registry, clock=lambda: now[0])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
        with structlog.testing.capture_logs() as lines:
            for _ in range(5):
                await client.post("/webhooks/nobody/canary?canary=canary", headers={"x-canary": "canary"})
            await client.post("/webhooks/feed/canary")
            now[0] += MINUTE
            for number in range(60):
                await client.post("/webhooks/nobody/canary")
                await client.post(f"/webhooks/invented-{number}")

    found = [line for line in lines if line["event"] == "webhooks.no_such_connection"]
    assert [(line["connection"], line["minute_before"]) for line in found[:3]] == [
        ("nobody", 0),
        ("feed", 0),
        ("nobody", 5),
    ]
    assert len(found) < 30
    assert "canary" not in str(lines)


class TestGzip:
    GZIP: ClassVar = {**SIGNED, "content-encoding": "gzip"}

    @pytest.mark.parametrize("coding", ["gzip", "GZIP", "x-gzip"])
    async def test_what_is_stored_is_what_was_compressed(
        self, client: httpx.AsyncClient, ingest: FakeIngest, connector: FakeConnector, coding: str
    ) -> None:
        answer = await client.post(
            "/webhooks/feed", content=gzip.compress(b'{"a": 1}'), headers={**SIGNED, "content-encoding": coding}
        )

        assert answer.status_code == 202
        assert [delivery.body for delivery in ingest.accepted] == [b'{"a": 1}']
        assert connector.seen[0].body == b'{"a": 1}'

    async def test_either_may_have_been_signed(self, tmp_path: Path, ingest: FakeIngest) -> None:
        key = read_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "secret")
        app = make_app(make_settings(tmp_path), ingest, connector=Generic(keys=[key]), clock=lambda: NOW)
        body, packed = b'{"a": 1}', gzip.compress(b'{"a": 1}')
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
            for signed, status in ((body, 202), (packed, 202), (b"other", 401)):
                stamp = str(NOW // 1_000_000)
                headers = {
                    "content-type": "application/json", "content-encoding": "gzip", "webhook-id": "m",
                    "webhook-timestamp": stamp,
                    "webhook-signature": sign(key, message_id="m", timestamp=stamp, body=signed),
                }  # fmt: skip
                assert (await client.post("/webhooks/feed", content=packed, headers=headers)).status_code == status

        assert [delivery.body for delivery in ingest.accepted] == [body, body]

    async def test_it_holds_as_much_as_a_body_may_and_no_more(
        self, client: httpx.AsyncClient, ingest: FakeIngest
    ) -> None:
        for size, status in ((1 << 20, 202), ((1 << 20) + 1, 413), (1 << 30, 413)):
            packer = zlib.compressobj(9, zlib.DEFLATED, 31)
            content = b"".join(packer.compress(bytes(min(size, 1 << 20))) for _ in range(max(1, size >> 20)))
            if size == (1 << 20) + 1:
                content += packer.compress(b"a")
            answer = await client.post("/webhooks/feed", content=content + packer.flush(), headers=self.GZIP)
            assert answer.status_code == status, size

        assert [len(delivery.body) for delivery in ingest.accepted] == [1 << 20]

    @pytest.mark.parametrize(
        "content",
        [
            b"{}", gzip.compress(b"{}")[:-1], gzip.compress(b"{}") + b"x", gzip.compress(b"") * 50_000,
            zlib.compress(b"{}"), gzip.compress(b"{}")[:-4] + b"0000",
        ],
        ids=["plain", "cut off", "something behind", "many members", "zlib", "wrong length"],
    )  # fmt: skip
    async def test_what_is_not_whole_gzip_is_refused(
        self, client: httpx.AsyncClient, ingest: FakeIngest, content: bytes
    ) -> None:
        answer = await client.post("/webhooks/feed", content=content, headers=self.GZIP)

        assert (answer.status_code, answer.json()["field"]) == (415, "content-encoding")
        assert not ingest.accepted

    async def test_members_behind_one_another_are_one_body(self, client: httpx.AsyncClient, ingest: FakeIngest) -> None:
        content = gzip.compress(b'{"a"') + gzip.compress(b": 1}")

        assert (await client.post("/webhooks/feed", content=content, headers=self.GZIP)).status_code == 202
        assert ingest.accepted[0].body == b'{"a": 1}'


class TestRateLimit:
    @pytest.fixture
    def limits(self) -> dict[str, Any]:
        return {"deliveries_per_second": 0.5, "deliveries_burst": 2}

    async def test_connection_that_sends_too_fast_is_answered_429(self, client: httpx.AsyncClient) -> None:
        answers = [await client.post("/webhooks/feed", headers=SIGNED) for _ in range(3)]

        assert [answer.status_code for answer in answers] == [202, 202, 429]
        assert answers[2].headers["retry-after"] == "2"

    async def test_one_connection_does_not_use_up_what_another_may_send(self, client: httpx.AsyncClient) -> None:
        for _ in range(3):
            await client.post("/webhooks/feed", headers=SIGNED)

        assert (await client.post("/webhooks/crm", headers=SIGNED)).status_code == 202

    async def test_forged_deliveries_use_up_nothing(self, client: httpx.AsyncClient) -> None:
        for _ in range(5):
            await client.post("/webhooks/feed")

        assert (await client.post("/webhooks/feed", headers=SIGNED)).status_code == 202


class TestMemory:
    @pytest.fixture
    def limits(self) -> dict[str, Any]:
        return {"max_in_flight_bytes": 1 << 20}

    async def test_what_was_read_is_free_again_afterwards(self, client: httpx.AsyncClient) -> None:
        statuses = [
            (await client.post("/webhooks/feed", content=b"a" * 700_000, headers=SIGNED)).status_code for _ in range(3)
        ]

        assert statuses == [202, 202, 202]


async def test_who_is_not_proven_to_be_the_crm_chooses_no_trace(
    tmp_path: Path, ingest: FakeIngest, connector: FakeConnector, registry: CollectorRegistry
) -> None:
    theirs = f"00-{'1' * 32}-{'2' * 16}-01"
    with Collector() as collector:
        tracing = start_tracing(collector.url, "floorcast-api")
        settings = make_settings(tmp_path)
        app = make_app(
            settings, ingest, connector=connector, registry=registry, clock=lambda: NOW, tracing=tracing
        )  # fmt: skip
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8080") as client:
            for headers in ({}, SIGNED):
                answer = await client.post(
                    "/webhooks/feed", content=b"{}", headers=headers | {"traceparent": theirs, "x-request-id": "r-1"}
                )
                assert answer.status_code == (202 if headers else 401)
        tracing.close()

        refused, taken = collector.spans
    assert (refused.facts["http.response.status_code"], refused.parent, refused.links) == ("401", "", ())
    assert refused.trace != "1" * 32
    assert (taken.facts["http.response.status_code"], taken.parent, taken.trace) == ("202", "2" * 16, "1" * 32)
    assert taken.facts["floorcast.request"] == "r-1"

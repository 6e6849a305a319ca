"""What a CRM is answered, with a log that is a list."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from api.http.headers import SECURITY_HEADERS
from api.write.refusals import UnacknowledgedError
from schemas.deliveries import Delivery
from tests.api.fakes import PASSWORD, FakeConnector, FakeIngest
from tests.api.live import make_app, make_settings

NOW = 1_773_850_890_344_000
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
    kept = {"content-type": "application/json", "x-kept": "yes"}
    assert ingest.accepted == [Delivery("feed", NOW, kept, b'{"a": 1}')]
    assert counted(registry, "feed", "accepted") == 1


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
        ("/webhooks/feed", {**SIGNED, "content-encoding": "gzip"}, 415, "content-type-refused", "content-encoding"),
        ("/webhooks/feed", {**SIGNED, "content-length": "1048577"}, 413, "body-too-large", None),
    ],
    ids=["unknown connection", "signature", "content type", "compressed", "declared size"],
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

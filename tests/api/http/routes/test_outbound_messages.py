"""What Salesforce is answered: its Ack after the broker's acknowledgement, and nothing of its path in any log."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import structlog
from prometheus_client import CollectorRegistry

from api.app import build_connectors, create_app
from api.write.refusals import UnacknowledgedError
from schemas.config import parse_config
from tests.api.fakes import FakeIngest
from tests.api.live import make_settings

FIXTURES = Path(__file__).parents[3] / "fixtures" / "crm" / "salesforce"
SECRET = "path-secret-4711"  # noqa: S105 - of a stand-in
NOW = 1_773_850_890_344_000
XML = {"content-type": "text/xml; charset=UTF-8", "soapaction": '""'}
CONFIG = f"""
organisation: {{name: Acme, timezone: UTC, currency: USD}}
connections:
  sf: {{kind: salesforce, organization: 00D5f000004XyZa, secrets: [{SECRET}, another-path-4712]}}
  feed: {{kind: generic, secrets: ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}}
"""


@pytest.fixture
def ingest() -> FakeIngest:
    return FakeIngest()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
async def client(tmp_path: Path, ingest: FakeIngest, registry: CollectorRegistry) -> AsyncIterator[httpx.AsyncClient]:
    config = parse_config(CONFIG, {})
    app = create_app(
        make_settings(tmp_path), config, ingest=ingest, connectors=build_connectors(config), registry=registry,
        clock=lambda: NOW,
    )  # fmt: skip
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8080") as client:
        yield client


@pytest.mark.parametrize("name", ["opportunity_won", "opportunity_batch", "opportunity_batch_100", "task_call"])
@pytest.mark.parametrize("secret", [SECRET, "another-path-4712", f"{SECRET}/"])
async def test_a_message_is_stored_raw_and_acknowledged_as_a_whole(
    client: httpx.AsyncClient, ingest: FakeIngest, name: str, secret: str
) -> None:
    body = (FIXTURES / f"outbound_{name}.xml").read_bytes()

    answer = await client.post(f"/webhooks/sf/{secret}", content=body, headers=XML)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    assert answer.content == (FIXTURES / "ack_true.xml").read_bytes()
    assert [(each.connection, each.body) for each in ingest.accepted] == [("sf", body)]


async def test_there_is_no_ack_before_the_broker_has_it(client: httpx.AsyncClient, ingest: FakeIngest) -> None:
    ingest.failure = UnacknowledgedError("Kafka does not acknowledge", retry_after=1)
    body = (FIXTURES / "outbound_opportunity_won.xml").read_bytes()

    answer = await client.post(f"/webhooks/sf/{SECRET}", content=body, headers=XML)

    assert answer.status_code == 503
    assert b"Ack" not in answer.content


@pytest.mark.parametrize("path", ["/webhooks/sf", "/webhooks/sf/", "/webhooks/sf/wrong", f"/webhooks/sf/{SECRET}/more"])
async def test_a_wrong_path_is_401(
    client: httpx.AsyncClient, ingest: FakeIngest, registry: CollectorRegistry, path: str
) -> None:
    body = (FIXTURES / "outbound_opportunity_won.xml").read_bytes()

    answer = await client.post(path, content=body, headers=XML)

    assert answer.status_code == 401
    assert ingest.accepted == []
    counted = registry.get_sample_value("floorcast_deliveries_total", {"connection": "sf", "outcome": "bad_signature"})
    assert counted == 1


async def test_another_organisation_is_401(client: httpx.AsyncClient, ingest: FakeIngest) -> None:
    body = (
        (FIXTURES / "outbound_opportunity_won.xml").read_bytes().replace(b"00D5f000004XyZaEAK", b"00D5f000004XyZbEAK")
    )

    answer = await client.post(f"/webhooks/sf/{SECRET}", content=body, headers=XML)

    assert (answer.status_code, ingest.accepted) == (401, [])


async def test_a_body_of_another_type_is_415_to_who_knows_the_path(client: httpx.AsyncClient) -> None:
    body = (FIXTURES / "outbound_opportunity_won.xml").read_bytes()

    answers = [
        await client.post(f"/webhooks/sf/{path}", content=body, headers={"content-type": "application/json"})
        for path in (SECRET, "wrong")
    ]

    assert [answer.status_code for answer in answers] == [415, 401]


async def test_what_stands_behind_another_kind_of_connection_is_404(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"/webhooks/feed/{SECRET}", content=b"{}")

    assert answer.status_code == 404


async def test_the_secret_of_the_path_is_in_no_log_and_no_answer(
    client: httpx.AsyncClient, ingest: FakeIngest, caplog: pytest.LogCaptureFixture
) -> None:
    body = (FIXTURES / "outbound_opportunity_won.xml").read_bytes()
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as lines:
        answers = [
            await client.post(f"/webhooks/sf/{SECRET}", content=body, headers=XML),
            await client.post(f"/webhooks/sf/{SECRET}/more", content=body, headers=XML),
            await client.post(f"/webhooks/sf/{SECRET}", content=b"<x/>", headers=XML),
            await client.post(f"/webhooks/sf/{SECRET}", content=body, headers={"content-type": "text/plain"}),
            await client.get(f"/webhooks/sf/{SECRET}", headers={"accept": "text/html"}),
            await client.post(f"/webhooks/gone/{SECRET}", content=body, headers=XML),
        ]
        ingest.failure = RuntimeError("unforeseen")
        answers.append(await client.post(f"/webhooks/sf/{SECRET}", content=body, headers=XML))

    said = [line for record in caplog.records if not record.name.startswith("httpx") for line in [record.getMessage()]]
    assert [answer.status_code for answer in answers] == [200, 401, 401, 415, 405, 404, 500]
    assert SECRET not in repr(lines)
    assert not [line for line in said if SECRET in line]
    assert not [answer for answer in answers if SECRET in answer.text]

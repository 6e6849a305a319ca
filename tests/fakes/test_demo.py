"""The demo's CRMs tell of the floor's work in the vendor's own words, and all of it can be read."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from deploy.simulator.floor import SimulatedFloor
from schemas.config import Config, load_config
from schemas.connectors import build_connector, read_connection
from schemas.connectors.base import Parsed
from schemas.deliveries import Delivery
from schemas.instants import HOUR, SECOND, parse_instant
from schemas.records import Record
from tests.fakes.demo.__main__ import _MIX, _configured
from tests.fakes.demo.hubspot import CONNECTION, HubSpotDemo, HubSpotFloor
from tests.fakes.demo.salesforce import SCHEMAS, SalesforceDemo, SalesforceFloor
from tests.fakes.hubspot import FakeHubSpot
from tests.fakes.salesforce import FakeSalesforce
from tests.fakes.salesforce_events import encoded

START = parse_instant("2026-03-18T08:00:00Z")
KIND = {"content-type": "application/json"}


def day() -> list[dict[str, Any]]:
    """Six hours of a floor, with what follows from them."""
    floor = SimulatedFloor(7, mix=_MIX)
    return [floor.next(START + number * 10 * SECOND) for number in range(2000)]


@pytest.mark.parametrize("make", [HubSpotDemo, SalesforceDemo])
def test_the_demo_over_a_crm_is_configured_as_the_demo_is(make: type[Any], tmp_path: Path) -> None:
    demo = make(7)
    with demo.serving():
        config = load_config(_configured(demo, tmp_path), {})

    assert set(config.connections) == set(demo.connection())
    assert set(config.pipelines) == {"sales"}
    assert [scene.name for scene in config.screens["floor"].scenes] == ["Today", "Deals"]


def folded(parsed: Iterable[Parsed]) -> dict[tuple[str, str], Record]:
    found: dict[tuple[str, str], Record] = {}
    for each in parsed:
        assert each.problems == []
        for change in each.changes:
            found.setdefault((change.kind, change.id), Record(change.kind)).fold(change)
    return found


def outbound(records: dict[tuple[str, str], Record]) -> int:
    return sum(
        kind == "call"
        and record.get("direction") == "outbound"
        and not record.is_deleted
        and not record.get("internal")
        for (kind, _), record in records.items()
    )


def calls(events: list[dict[str, Any]], *, is_logged_when_over: bool) -> int:
    """Outbound calls of the floor that the vendor would know."""
    known: dict[str, dict[str, Any]] = {}
    for event in events:
        if event["record"] == "call":
            call = known.setdefault(event["id"], {})
            call |= event["fields"]
            call["deleted"] = event.get("deleted", call.get("deleted"))
    return sum(
        call.get("direction") == "outbound"
        and not call["deleted"]
        and not call.get("internal")
        and bool(not is_logged_when_over or call.get("outcome") or call.get("ended_at"))
        for call in known.values()
    )


def test_every_event_of_salesforce_fits_its_schema_and_is_read() -> None:
    crm = FakeSalesforce(lambda: START / 1e6)
    crm.stages = SalesforceDemo(1).stages
    floor, events = SalesforceFloor(crm), day()
    payloads = [payload for event in events if (payload := floor.does(event)) is not None]
    for payload in payloads:
        encoded(payload, SCHEMAS[payload["ChangeEventHeader"]["entityName"]])
    settings = {
        "kind": "salesforce", "organization": "00D5g000004XYZaEAO", "secrets": ["a-word-of-the-demo-4711"],
    }  # fmt: skip
    connector = build_connector(read_connection(settings))
    parsed = [
        connector.parse(Delivery("sf", START + 12 * HOUR, KIND, json.dumps({"payload": payload}).encode()))
        for payload in payloads
    ]
    records = folded(parsed)
    assert {kind for kind, _ in records} == {"rep", "lead", "call", "email", "meeting", "deal"}
    assert abs(outbound(records) - calls(events, is_logged_when_over=True)) <= 3
    there = {row.id for rows in crm.rows.values() for row in rows.values() if row.deleted_at is None}
    assert there == {id for (_, id), record in records.items() if not record.is_deleted}


def test_every_webhook_of_hubspot_is_read() -> None:
    clock = [START / 1e6]
    crm = FakeHubSpot(lambda: clock[0])
    floor, events = HubSpotFloor(crm), day()
    demo = HubSpotDemo(1)
    connector = build_connector(read_connection(demo.connection()[CONNECTION] | {"api": None}))
    parsed = []
    for event in events:
        clock[0] = parse_instant(event["changed_at"]) / 1e6
        told = floor.does(event)
        parsed.append(connector.parse(Delivery("hub", START + 12 * HOUR, KIND, json.dumps(told).encode())))
    records = folded(parsed)
    assert {kind for kind, _ in records} >= {"lead", "call", "email", "meeting", "deal"}
    assert len(crm.owners) == 12
    wanted = calls(events, is_logged_when_over=False)
    internal = sum(event["record"] == "call" and bool(event["fields"].get("internal")) for event in events)
    assert abs(outbound(records) - wanted) <= internal + 3


@pytest.mark.parametrize("demo", [HubSpotDemo(1), SalesforceDemo(1)], ids=lambda demo: demo.name)
def test_what_it_writes_into_the_configuration_can_be_used(demo: HubSpotDemo | SalesforceDemo) -> None:
    with demo.serving():
        found = Config.model_validate(
            {
                "organisation": {"name": "A", "timezone": "UTC", "currency": "USD"},
                "connections": demo.connection(),
            }
        )
    assert [connection.kind for connection in found.connections.values()] == [demo.name.lower()]

"""What the Pub/Sub API answers becomes deliveries that the connector reads as it reads the documented events."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from deploy.streaming import events as streaming
from deploy.streaming.events import Received, Schemas, channel_objects, event_deliveries, lost_since, mark_of
from schemas.connectors.base import Parsed
from schemas.deliveries import Delivery
from schemas.instants import DAY
from tests.deploy.streaming.payloads import CHANNEL, CONNECTOR, fixture, won
from tests.fakes.salesforce_events import encoded, schema_of

NOW = 1_774_200_000_000_000
EVENTS = sorted(path.name for path in (Path(__file__).parents[2] / "fixtures/crm/salesforce").glob("cdc_pubsub_*.json"))


def received(payload: dict[str, Any], schemas: Schemas, mark: bytes = b"m1") -> Received:
    schema = schema_of(payload)
    text = json.dumps(schema)
    schemas.add(text, text)
    return Received(mark, text, encoded(payload, schema))


def stored(events: list[Received], schemas: Schemas) -> list[Delivery]:
    return event_deliveries(events, schemas, connection="sf", channel=CHANNEL, received_at=NOW)


def said(parsed: Parsed) -> list[Any]:
    return [(each.kind, each.id, each.changed_at, each.fields) for each in parsed.changes]


def payloads(name: str) -> list[dict[str, Any]]:
    found: Any = fixture(name)
    return [each["payload"] for each in (found if isinstance(found, list) else [found])]


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_in_avro_says_what_the_documented_one_says(name: str) -> None:
    schemas = Schemas()
    for payload in payloads(name):
        (delivery,) = stored([received(payload, schemas)], schemas)
        body = json.dumps({"payload": payload}).encode()
        plain = Delivery("sf", NOW, {"content-type": "application/json"}, body)
        one, other = CONNECTOR.parse(delivery), CONNECTOR.parse(plain)
        assert said(one) == said(other)
        assert (one.problems, one.ignored, one.lookups) == (other.problems, other.ignored, other.lookups)
        assert one.changes or one.lookups or one.ignored


def test_every_documented_event_was_tried() -> None:
    assert len(EVENTS) >= 8
    assert sum(len(payloads(name)) for name in EVENTS) >= len(EVENTS)


def test_a_delivery_holds_the_order_and_the_mark_of_its_last_event() -> None:
    schemas = Schemas()
    events = [received(won(number), schemas, b"m%d" % number) for number in range(3)]
    (delivery,) = stored(events, schemas)
    assert mark_of(delivery, "sf", CHANNEL) == b"m2"
    assert mark_of(delivery, "other", CHANNEL) is None
    assert mark_of(delivery, "sf", "/data/LeadChangeEvent") is None
    ids = [change.id for change in CONNECTOR.parse(delivery).changes]
    assert sorted(set(ids), key=ids.index) == [won(number)["ChangeEventHeader"]["recordIds"][0] for number in range(3)]


def test_what_is_too_much_for_one_delivery_is_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "MOST_BYTES", 3_000)
    schemas = Schemas()
    events = [received(won(number), schemas, b"m%d" % number) for number in range(10)]
    deliveries = stored(events, schemas)
    assert len(deliveries) > 2
    marks = [mark_of(delivery, "sf", CHANNEL) for delivery in deliveries]
    assert marks == sorted(marks, key=lambda mark: int((mark or b"m")[1:]))
    assert marks[-1] == b"m9"
    ids = {change.id for delivery in deliveries for change in CONNECTOR.parse(delivery).changes}
    assert len(ids) == 10


def test_an_event_that_its_schema_does_not_fit_is_a_dead_letter_and_loses_no_other() -> None:
    schemas = Schemas()
    good = received(won(1), schemas, b"m1")
    bad = Received(b"m2", good.schema_id, good.payload[:-3] + b"\xff\xff\xff\xff\xff")
    (delivery,) = stored([good, bad, good], schemas)
    parsed = CONNECTOR.parse(delivery)
    assert len({change.id for change in parsed.changes}) == 1
    assert [(problem.reason, problem.index) for problem in parsed.problems] == [("bad_shape", 1)]
    assert base64.b64decode(json.loads(delivery.body)[1]["avro"]) == bad.payload


def test_an_event_that_is_too_large_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "MOST_EVENT_BYTES", 2_000)
    schemas = Schemas()
    payload = won(1) | {"Description": "x" * 5_000}
    (delivery,) = stored([received(payload, schemas)], schemas)
    parsed = CONNECTOR.parse(delivery)
    assert parsed.lookups == [("Opportunity", payload["ChangeEventHeader"]["recordIds"][0])]
    assert not parsed.changes
    assert b"xxxx" not in delivery.body


def test_dates_stay_the_numbers_they_are() -> None:
    schemas = Schemas()
    payload = won(1)
    (delivery,) = stored([received(payload, schemas)], schemas)
    assert json.loads(delivery.body)[0]["payload"] == payload


def test_a_schema_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="s-1"):
        Schemas().add("s-1", '{"type": "nothing"}')
    with pytest.raises(ValueError, match="s-2"):
        Schemas().add("s-2", "{")


def test_schemas_used_long_ago_are_forgotten() -> None:
    schemas = Schemas()
    for number in range(Schemas.MOST + 1):
        schemas.add(f"s-{number}", '{"type": "record", "name": "R", "fields": []}')
    assert "s-0" not in schemas
    assert f"s-{Schemas.MOST}" in schemas


def test_what_was_lost_is_asked_for_whole() -> None:
    delivery = lost_since(NOW - DAY, connection="sf", channel=CHANNEL, received_at=NOW)
    parsed = CONNECTOR.parse(delivery)
    assert {"Opportunity", "Lead", "Task", "Event", "EmailMessage", "User"} <= {kind for kind, _ in parsed.lookups}
    assert {id for _, id in parsed.lookups} == {"*"}
    assert not parsed.changes
    assert not parsed.problems
    assert mark_of(delivery, "sf", CHANNEL) is None


def test_a_channel_of_one_object_brings_that_alone() -> None:
    assert channel_objects("/data/OpportunityChangeEvent") == ["Opportunity"]
    assert len(channel_objects("/data/Sales__chn")) > 5

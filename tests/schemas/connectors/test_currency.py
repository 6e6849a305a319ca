"""The currency of a connection: what the CRM names wins, in any order; without a word of it the connection's holds."""

import itertools
from random import Random
from typing import Any

import msgspec
import pytest

from processor.core.normalise import parse_delivery
from schemas.connectors import build_connector, read_connection
from schemas.connectors.asking import Envelope, encode_envelope
from schemas.deliveries import ASKED_AT, BROUGHT_BY, FILE, LOOKUP, Delivery
from schemas.records import Record
from tests.builders import instant, make_config
from tests.oracle import differences, recount
from tests.pipeline import Pipeline, served

NOW = instant("2026-03-18T12:00Z")
GENERIC = {"kind": "generic", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}
HUBSPOT = {"kind": "hubspot", "secrets": ["a-secret-of-hubspot"], "public_url": "https://f.example"}
PIPEDRIVE = {"kind": "pipedrive", "secrets": ["user:password"]}


def delivery(body: Any, *, source: str | None = None) -> Delivery:
    headers = {"content-type": "application/json"}
    if source is not None:
        headers |= {BROUGHT_BY: source, ASKED_AT: str(NOW)}
    encoded = encode_envelope(body) if isinstance(body, Envelope) else msgspec.json.encode(body)
    return Delivery("crm", NOW, headers, encoded)


def currency(settings: dict[str, Any], *deliveries: Delivery) -> set[Any]:
    """What a deal's is after these, in whichever order they come."""
    connectors = {"crm": build_connector(read_connection(settings | {"currency": "GBP"}))}
    found = set()
    for order in itertools.permutations(deliveries):
        record = Record("deal")
        for each in order:
            parsed = parse_delivery(each, connectors)
            assert parsed.problems == []
            for change in parsed.changes:
                if change.kind == "deal":
                    record.fold(change)
        found.add(record.get("currency"))
    return found


def event(at: str, **fields: Any) -> dict[str, Any]:
    return {"record": "deal", "id": "d1", "changed_at": f"2026-03-18T{at}:00Z", "fields": fields}


MADE = event("09:00", status="open", created_at="2026-03-18T09:00:00Z", amount=5)


def test_a_record_that_is_made_without_a_currency_has_the_connections() -> None:
    assert currency(GENERIC, delivery(MADE)) == {"GBP"}


def test_an_amount_that_is_edited_alone_keeps_what_stands_beside_it() -> None:
    named = event("09:00", status="open", created_at="2026-03-18T09:00:00Z", amount=5, currency="USD")

    assert currency(GENERIC, delivery(named), delivery(event("10:00", amount=7))) == {"USD"}
    assert currency(GENERIC, delivery(MADE), delivery(event("10:00", amount=7))) == {"GBP"}


def test_an_amount_that_arrives_alone_has_the_connections_until_the_crm_names_one() -> None:
    alone = event("10:00", amount=7)

    assert currency(GENERIC, delivery(alone)) == {"GBP"}
    assert currency(HUBSPOT, delivery([hubspot("amount", "9", -1000)])) == {"GBP"}
    assert currency(GENERIC, delivery(alone), delivery(event("08:00", currency="USD"))) == {"USD"}
    assert currency(GENERIC, delivery(alone), delivery(event("11:00", currency="USD"))) == {"USD"}
    assert currency(GENERIC, delivery(event("10:00", amount=None))) == {None}


@pytest.mark.parametrize("at", ["08:00", "09:00", "10:00"])
def test_what_the_crm_names_earlier_or_later_or_at_that_instant_wins(at: str) -> None:
    assert currency(GENERIC, delivery(MADE), delivery(event(at, currency="USD"))) == {"USD"}


def test_a_correction_of_when_it_was_made_takes_no_currency_away() -> None:
    named = event("09:00", amount=100, currency="USD")
    corrected = event("10:00", created_at="2026-03-17T09:00:00Z")

    assert currency(GENERIC, delivery(named), delivery(corrected)) == {"USD"}


def test_a_file_without_a_currency_takes_none_away() -> None:
    named, row = event("09:00", amount=5, currency="USD"), event("10:00", amount="7")

    assert currency(GENERIC, delivery(named), delivery([row], source=FILE)) == {"USD"}


def test_how_deliveries_are_cut_decides_nothing() -> None:
    """HubSpot sends each property by itself, some milliseconds apart, and puts together what it likes."""
    said = [
        _hubspot("object.creation", -9000), hubspot("deal_currency_code", "USD", -9000), hubspot("amount", "5", -8998),
        hubspot("createdate", str(NOW // 1000 - 9000), -8995),
    ]  # fmt: skip

    for cut in range(len(said)):
        parts = [part for part in (said[:cut], said[cut:]) if part]
        assert currency(HUBSPOT, *map(delivery, parts)) == {"USD"}
    assert currency(HUBSPOT, *(delivery([each]) for each in said)) == {"USD"}


def test_a_currency_that_is_cleared_is_the_connections_again() -> None:
    steps = [MADE, event("09:30", currency="USD"), event("10:00", currency=None)]

    assert currency(GENERIC, *map(delivery, steps)) == {"GBP"}


def test_what_a_file_says_without_a_currency_has_the_connections() -> None:
    row = event("09:00", status="won", amount="5", closed_at="2026-03-18T09:00:00Z")

    assert currency(GENERIC, delivery([row], source=FILE)) == {"GBP"}
    assert currency(GENERIC, delivery([row | {"fields": row["fields"] | {"currency": "USD"}}], source=FILE)) == {"USD"}


def hubspot(name: str, value: str, at: int) -> dict[str, Any]:
    return _hubspot("object.propertyChange", at) | {"propertyName": name, "propertyValue": value}


def _hubspot(kind: str, at: int) -> dict[str, Any]:
    return {"subscriptionType": kind, "objectTypeId": "0-3", "objectId": 7, "occurredAt": NOW // 1000 + at}


def test_hubspots_creation_and_properties_come_in_any_order() -> None:
    made, amount = delivery([_hubspot("object.creation", -9000)]), delivery([hubspot("amount", "5", -9000)])
    more = delivery([hubspot("amount", "9", -1000)])

    assert currency(HUBSPOT, made, amount, more) == {"GBP"}
    assert currency(HUBSPOT, made, amount, delivery([hubspot("deal_currency_code", "USD", -9000)]), more) == {"USD"}


@pytest.mark.parametrize(("code", "expected"), [(None, "GBP"), ("USD", "USD")])
def test_what_an_api_tells_as_a_whole(code: str | None, expected: str) -> None:
    deal = {
        "id": 7, "owner_id": 1, "creator_user_id": 1, "stage_id": 1, "pipeline_id": 1, "status": "open", "value": 5,
        "currency": code, "add_time": "2026-03-18T09:00:00Z", "update_time": "2026-03-18T09:30:00Z",
    }  # fmt: skip
    asked = Envelope(object="deals", records=[deal])

    assert currency(PIPEDRIVE, delivery(asked, source=LOOKUP)) == {expected}


def test_a_connection_without_a_currency_adds_nothing() -> None:
    connectors = {"crm": build_connector(read_connection(GENERIC))}

    (change,) = parse_delivery(delivery(MADE), connectors).changes

    assert "currency" not in change.fields


@pytest.mark.parametrize(("rates", "expected"), [({}, 1), ({"GBP": "1.15"}, 0)])
def test_a_currency_without_a_rate_is_remarked(rates: dict[str, str], expected: int) -> None:
    config = make_config(connections={"crm": GENERIC | {"currency": "GBP"}}, currency_rates=rates)

    found = [remark for remark in config.remarks() if remark.startswith("connections.crm.currency: ")]

    assert len(found) == expected


@pytest.mark.parametrize("seed", range(4))
def test_revenue_is_what_a_recount_says_whoever_named_the_currency_first(seed: int) -> None:
    """Also of a connection where one record in two has a currency of the CRM's own."""
    config = make_config(connections={"crm": GENERIC | {"currency": "GBP"}}, currency_rates={"GBP": "2", "EUR": "3"})
    connectors = {"crm": build_connector(config.connections["crm"])}
    won = {"status": "won", "rep": "r1", "closed_at": "2026-03-18T11:00:00Z"}
    said = [
        event("09:00", **won, amount=100, currency="EUR"),
        event("10:00", created_at="2026-03-17T09:00:00Z"),
        event("09:30", **won, amount=10, created_at="2026-03-18T09:30:00Z") | {"id": "d2"},
        event("10:30", amount=20) | {"id": "d2"},
        event("09:00", **won, amount=1, created_at="2026-03-18T09:00:00Z") | {"id": "d3"},
        event("09:40", currency="EUR") | {"id": "d3"},
        event("09:50", currency=None) | {"id": "d3"},
    ]
    deliveries = [delivery(each) for each in said]
    Random(seed).shuffle(deliveries)
    changes = [change for each in deliveries for change in parse_delivery(each, connectors).changes]
    pipeline = Pipeline(config)
    for change in changes:
        pipeline.take([change])

    rows = served(pipeline.view(), now=NOW, window="today")
    assert differences(recount(changes, config).rows(now=NOW, window="today"), rows) == []
    assert str(rows["organisation"]["metrics"]["revenue_won"]) == "342.00"  # 100 EUR, 20 GBP and 1 GBP

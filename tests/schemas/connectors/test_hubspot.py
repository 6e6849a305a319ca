"""HubSpot's signatures, and what its events say of our records."""

import contextlib
import itertools
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from deploy.verification.records import fold as recount
from schemas.connectors import read_connection
from schemas.connectors.base import Parsed, SignatureError, SignedRequest
from schemas.connectors.hubspot.object_types import BY_TYPE_ID
from schemas.connectors.hubspot.signatures import sign_v1, sign_v2, sign_v3, signed_uri
from schemas.instants import DAY, MINUTE, parse_instant
from schemas.records import Record, RecordChange, decode_record, decode_values, fold_all
from tests.schemas.connectors.cases import GENERIC, HUBSPOT, NOW, connect, fixture, parse

CONNECTOR = connect("hubspot", HUBSPOT.secrets[:1], leads="both")
LEGACY = connect("hubspot", HUBSPOT.secrets[:1], legacy_signatures=True)
VECTORS = [vector for vector in fixture("vectors.json")["vectors"] if vector["scheme"].startswith("hubspot")]
T = 1773155144301
CONNECTED = "f240bbac-87c9-4f6e-bf70-924b57d47db7"
CONTACT, DEAL, MEETING, CALL, EMAIL, LEAD = "0-1", "0-3", "0-47", "0-48", "0-49", "0-136"
KINDS = {CONTACT: "lead", DEAL: "deal", MEETING: "meeting", CALL: "call", EMAIL: "email", LEAD: "lead"}

# --- Signatures -------------------------------------------------------------------------------------------------------


def _request(vector: dict[str, Any]) -> tuple[SignedRequest, int]:
    headers = {name.lower(): value for name, value in vector["headers"].items()}
    request = SignedRequest(vector["method"], vector["url"] or "", headers, vector["body"].encode())
    return request, int(vector["timestamp"]) * 1000 if vector["timestamp"] else NOW


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vectors_are_taken_or_refused(vector: dict[str, Any]) -> None:
    request, now = _request(vector)
    connector = connect("hubspot", [vector["secret"]], legacy_signatures=True)
    if vector["accept"]:
        connector.verify(request, now)
    else:
        with pytest.raises(SignatureError):
            connector.verify(request, now)


@pytest.mark.parametrize(
    "vector", [vector for vector in VECTORS if vector["accept"]], ids=lambda vector: vector["name"]
)
def test_vectors_are_bound_to_body_method_and_address(vector: dict[str, Any]) -> None:
    request, now = _request(vector)
    connector = connect("hubspot", [vector["secret"]], legacy_signatures=True)
    others = [replace(request, body=request.body + b" ")]
    if vector["scheme"] != "hubspot-v1":
        others += [replace(request, method="PUT"), replace(request, url=request.url + "/")]

    for other in others:
        with pytest.raises(SignatureError):
            connector.verify(other, now)


@pytest.mark.parametrize(
    "vector",
    [vector for vector in VECTORS if vector["accept"] and vector["scheme"] != "hubspot-v3"],
    ids=lambda vector: vector["name"],
)
def test_versions_1_and_2_are_taken_only_where_the_connection_says_so(vector: dict[str, Any]) -> None:
    request, now = _request(vector)

    with pytest.raises(SignatureError, match=r"^x-hubspot-signature-v3: is missing \(.*legacy_signatures: true\)$"):
        connect("hubspot", [vector["secret"]]).verify(request, now)


@pytest.mark.parametrize("takes_legacy", [False, True])
def test_cutting_the_newest_signature_off_gains_nothing(takes_legacy: bool) -> None:
    request = HUBSPOT.request()
    connector = connect("hubspot", HUBSPOT.secrets[:1], legacy_signatures=takes_legacy)
    connector.verify(request, NOW)
    cut = {name: value for name, value in request.headers.items() if name != "x-hubspot-signature-v3"}

    with pytest.raises(SignatureError, match=r"^x-hubspot-signature-v3: is missing"):
        connector.verify(replace(request, headers=cut), NOW)


def test_what_legacy_signatures_are_worth_is_remarked_and_that_merged_deals_need_a_look_up() -> None:
    entry = {"kind": "hubspot", "secrets": HUBSPOT.secrets[:1], "public_url": "https://floor.example.com"}

    plain = read_connection(entry).remarks()
    assert plain.keys() == {"kind"}
    assert plain["kind"].startswith("merged deals need a look-up")
    match = {"match": {"calls": {"with": "air", "within": "90s"}}}
    assert read_connection(entry | match).remarks().keys() == {"kind", "match"}
    assert read_connection(entry | match | {"api": {"token": "t"}}).remarks() == {}
    assert read_connection(entry | {"legacy_signatures": True}).remarks().keys() == {"kind", "legacy_signatures"}


@pytest.mark.parametrize(
    ("url", "signed"),
    [
        ("https://x.example/hook", "https://x.example/hook"),
        ("https://x.example/%3A%2F%3F%40%21%24%27%28%29%2A%2C%3B", "https://x.example/:/?@!$'()*,;"),
        ("https://x.example/?a=%3a%2f", "https://x.example/?a=:/"),
        ("https://x.example/?a=%20%26%3D%25%2B%22", "https://x.example/?a=%20%26%3D%25%2B%22"),
        ("https://x.example/%253A", "https://x.example/%253A"),
        ("https://x.example/%2%3A", "https://x.example/%2:"),
    ],
)
def test_only_the_listed_escapes_are_decoded_once(url: str, signed: str) -> None:
    assert signed_uri(url) == signed


def test_version_3_signs_the_decoded_address_and_version_2_the_one_it_was_sent_to() -> None:
    plain, escaped = "https://x.example/hook?to=a/b", "https://x.example/hook?to=a%2Fb"
    common: dict[str, Any] = {"method": "POST", "body": b"[]"}

    assert sign_v3(b"secret", url=escaped, timestamp="1", **common) == sign_v3(
        b"secret", url=plain, timestamp="1", **common
    )
    assert sign_v2(b"secret", url=escaped, **common) != sign_v2(b"secret", url=plain, **common)


def test_the_newest_signature_decides_although_the_version_header_says_v1() -> None:
    request = HUBSPOT.request()
    assert request.headers["x-hubspot-signature-version"] == "v1"
    CONNECTOR.verify(replace(request, headers={**request.headers, "x-hubspot-signature": "wrong"}), NOW)

    for wrong in ("", "wrong", "\u043a\u043b\u044e\u0447"):
        with pytest.raises(SignatureError, match="x-hubspot-signature-v3"):
            CONNECTOR.verify(replace(request, headers={**request.headers, "x-hubspot-signature-v3": wrong}), NOW)


@pytest.mark.parametrize("timestamp", ["", "-1", "1773852090.5", "now", "1e12", "\u0661" * 13, "9" * 20])
def test_a_timestamp_is_whole_milliseconds_and_nothing_else(timestamp: str) -> None:
    request = HUBSPOT.request()
    headers = {**request.headers, "x-hubspot-request-timestamp": timestamp}

    with pytest.raises(SignatureError, match="x-hubspot-request-timestamp"):
        CONNECTOR.verify(replace(request, headers=headers), NOW)


def test_a_timestamp_in_seconds_is_stale() -> None:
    request = HUBSPOT.request(at=NOW // 1000)

    with pytest.raises(SignatureError, match="5 minutes"):
        CONNECTOR.verify(request, NOW)


@pytest.mark.parametrize("version", ["", "v3", "v4", "1"])
def test_an_older_signature_says_which_version_it_is(version: str) -> None:
    body = b"[]"
    headers = {"x-hubspot-signature": sign_v1(HUBSPOT.secrets[0].encode(), body=body)}
    request = SignedRequest("POST", "https://x.example/", {**headers, "x-hubspot-signature-version": version}, body)

    with pytest.raises(SignatureError, match="x-hubspot-signature-version"):
        LEGACY.verify(request, NOW)


def test_a_signature_of_one_version_is_none_of_another() -> None:
    secret, body = HUBSPOT.secrets[0].encode(), b"[]"
    common: dict[str, Any] = {"method": "POST", "url": "https://x.example/"}
    v2 = sign_v2(secret, body=body, **common)
    request = SignedRequest("POST", "https://x.example/", {"x-hubspot-signature-version": "v1"}, body)

    with pytest.raises(SignatureError, match="fits no secret"):
        LEGACY.verify(replace(request, headers={**request.headers, "x-hubspot-signature": v2}), NOW)


def test_a_blank_secret_is_refused_by_name() -> None:
    with pytest.raises(ValidationError) as refusal:
        connect("hubspot", [HUBSPOT.secrets[0], " " * 8])

    assert [problem["loc"][-2:] for problem in refusal.value.errors()] == [("secrets", 1)]


# --- Events -----------------------------------------------------------------------------------------------------------


def _event(
    action: str, type_id: str = CALL, *, object_id: Any = 80911223344, at: int = T, **more: Any
) -> dict[str, Any]:
    return {
        "eventId": 2910044149,
        "subscriptionId": 3300201,
        "portalId": 44120987,
        "appId": 5123456,
        "occurredAt": at,
        "subscriptionType": f"object.{action}",
        "attemptNumber": 0,
        "objectId": object_id,
        "objectTypeId": type_id,
        "changeSource": "CRM_UI",
        "sourceId": "userId:61290017",
        **more,
    }


def _set(type_id: str, name: str, value: Any, *, at: int = T, **more: Any) -> dict[str, Any]:
    return _event("propertyChange", type_id, at=at, propertyName=name, propertyValue=value, isSensitive=False, **more)


def _parse(*events: Any, received_at: int = NOW) -> Parsed:
    parsed = parse(CONNECTOR, list(events), received_at=received_at)
    assert parsed.problems == []
    return parsed


def _changes(*events: Any) -> list[RecordChange]:
    return _parse(*events).changes


def _fold(changes: list[RecordChange]) -> Record:
    return fold_all(changes[0].kind, changes)


def _known(record: Record) -> dict[str, Any]:
    """What the record says, without who said it."""
    return {field: record.get(field) for field in dict.fromkeys(name.partition("#")[0] for name in record.fields)}


def _fixture(*names: str) -> list[dict[str, Any]]:
    return [event for name in names for event in fixture(f"hubspot/{name}.json")]


@pytest.mark.parametrize(
    ("name", "kind", "record_id", "fields"),
    [
        ("contact_creation", "lead", "151200348811", {"received_at": 1773151331214000}),
        ("contact_owner_assigned", "lead", "151200348811", {"rep": "910901", "assigned_at": 1773151332077000}),
        ("deal_creation", "deal", "38277100452", {"created_at": 1773152405000000}),
        (
            "deal_stage_change",
            "deal",
            "38277100452",
            {
                "stage": "closedwon",
                "entered_stage_at": 1773852090512000,
                "status": "won",
                "closed_at": 1773852090512000,
            },
        ),
        ("deal_deletion", "deal", "38277100461", {"deleted": True}),
        ("deal_association_change", "deal", "38277100452", {"lead": "151200348811"}),
        ("object_call_disposition", "call", "80911223344", {"outcome": "connected"}),
        ("object_call_duration", "call", "80911223344", {"talk_seconds": 187_000_000}),
        ("object_creation_meeting", "meeting", "80911223501", {"booked_at": 1773156600000000}),
    ],
)
def test_fixtures_are_read(name: str, kind: str, record_id: str, fields: dict[str, Any]) -> None:
    changes = _parse(*_fixture(name), received_at=NOW + DAY).changes
    record = fold_all(kind, changes)

    assert {(change.kind, change.id) for change in changes} == {(kind, record_id)}
    assert _known(record) == fields


@pytest.mark.parametrize("name", ["object_creation_call", "object_creation_email_reply"])
def test_the_creation_of_a_call_or_mail_says_nothing_of_when_it_happened(name: str) -> None:
    parsed = _parse(*_fixture(name))

    assert parsed.changes == []
    assert parsed.ignored == {"no_fields": 1}


def test_a_merge_points_its_losers_and_the_former_primary_to_the_new_record() -> None:
    changes = _parse(*_fixture("contact_merge"), received_at=NOW + 9 * DAY).changes

    assert {change.id: change.fields for change in changes} == {
        loser: {"merged_into": "151200388811"} for loser in ("151200348501", "151200348299", "151200348811")
    }
    # The values of the primary one are those of the new record: it is merged before the others.
    assert min(changes, key=lambda change: change.changed_at).id == "151200348811"


def test_a_merge_into_a_record_that_was_there_leaves_that_one_alone() -> None:
    merge = _event("merge", CONTACT, object_id=1, primaryObjectId=1, mergedObjectIds=[2, "3", 1])

    changes = _changes(merge, merge | {"newObjectId": 1})

    assert [(change.id, change.fields) for change in changes] == 2 * [
        ("2", {"merged_into": "1"}),
        ("3", {"merged_into": "1"}),
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [("hs_merged_object_ids", "101; 102;103"), ("hs_calculated_merged_vids", "101:1774091700000;102:1774091700001")],
)
def test_what_a_record_lists_as_merged_into_it_points_to_it(name: str, value: str) -> None:
    changes = _changes(_event("propertyChange", CONTACT, object_id=103, propertyName=name, propertyValue=value))

    assert [(change.id, change.fields) for change in changes] == [
        ("101", {"merged_into": "103"}),
        ("102", {"merged_into": "103"}),
    ]
    merge = _event("merge", CONTACT, object_id=103, primaryObjectId=101, mergedObjectIds=[102], newObjectId=103)
    assert min(change.changed_at for change in _changes(merge)) > max(change.changed_at for change in changes)


def test_deals_merged_away_point_to_the_one_that_stays() -> None:
    (change,) = _changes(_event("merge", DEAL, object_id=1, primaryObjectId=1, mergedObjectIds=[2]))

    assert (change.kind, change.id, change.fields) == ("deal", "2", {"merged_into": "1"})


def test_the_largest_batch_is_read_whole() -> None:
    batch = fixture("hubspot/batch_100_import.json")

    changes = _parse(*batch, received_at=NOW + 9 * DAY).changes

    assert [change.id for change in changes] == [str(event["objectId"]) for event in batch]


@pytest.mark.parametrize(
    ("name", "type_id", "expected"),
    [
        (
            "enrich_call",
            CALL,
            {
                "dialed_at": parse_instant("2026-03-10T15:01:30Z"),
                "direction": "outbound",
                "outcome": "connected",
                "talk_seconds": 187_000_000,
                "logged_at": parse_instant("2026-03-10T15:05:44.301Z"),
                "rep": "910901",
            },
        ),
        (
            "enrich_email_sent",
            EMAIL,
            {
                "sent_at": parse_instant("2026-03-10T15:20:00Z"),
                "direction": "outbound",
                "thread": "77110920",
                "logged_at": parse_instant("2026-03-10T15:20:02.000Z"),
                "rep": "910901",
            },
        ),
        (
            "enrich_email_reply",
            EMAIL,
            {
                "sent_at": parse_instant("2026-03-11T08:12:31Z"),
                "direction": "inbound",
                "thread": "77110920",
                "logged_at": parse_instant("2026-03-11T08:12:40.650Z"),
                "rep": "910901",
            },
        ),
        (
            "enrich_meeting",
            MEETING,
            {
                "booked_at": parse_instant("2026-03-10T15:30:00Z"),
                "starts_at": parse_instant("2026-03-12T17:00:00Z"),
                "ends_at": parse_instant("2026-03-12T17:30:00Z"),
                "outcome": "no_show",
                "rep": "910901",
            },
        ),
        (
            "enrich_deal_won",
            DEAL,
            {
                "name": "Northwind - 120 seats",
                "amount": "48500",
                "currency": "EUR",
                "closed_at": parse_instant("2026-03-18T16:41:30.512Z"),
                "created_at": parse_instant("2026-03-10T14:20:05Z"),
                "stage": "closedwon",
                "entered_stage_at": 1000 * T,
                "status": "won",
                "pipeline": "default",
                "rep": "910901",
            },
        ),
    ],
)
def test_the_properties_of_whole_records_are_read_in_any_order(
    name: str, type_id: str, expected: dict[str, Any]
) -> None:
    properties = fixture(f"hubspot/{name}.json")["properties"]
    events = [_set(type_id, key, value) for key, value in properties.items()]
    if type_id == CALL:
        events = [event for event in events if event["propertyValue"] is not None]
    rows = set()
    for seed in range(20):
        random.Random(seed).shuffle(events)
        record = _fold(_changes(_event("creation", type_id), *events))
        rows.add(record.encode())

        assert _known(record) == expected
    assert len(rows) == 1


@pytest.mark.parametrize(
    ("type_id", "name", "value", "fields"),
    [
        (CALL, "hs_timestamp", "1773155144301", {"dialed_at": 1773155144301000}),
        (CALL, "hs_timestamp", 1773155144301, {"dialed_at": 1773155144301000}),
        (CALL, "hs_timestamp", "2026-03-10T15:05:44.301Z", {"dialed_at": 1773155144301000}),
        (CALL, "hs_call_direction", "INBOUND", {"direction": "inbound"}),
        (CALL, "hs_call_disposition", "73a0d17f-1163-4015-bdd5-ec830791da20", {"outcome": "no_answer"}),
        (CALL, "hs_call_disposition", "B2CF5968-551E-4856-9783-52B3DA59A7D0", {"outcome": "voicemail"}),
        (CALL, "hs_call_disposition", "9d9162e7-6cf3-4944-bf63-4dff82258764", {"outcome": "busy"}),
        (CALL, "hs_call_disposition", "17b47fee-58de-441e-a44c-c6300d46f273", {"outcome": "wrong_number"}),
        (CALL, "hs_call_disposition", "a4c4c377-d246-4b32-a13b-75a56a4cd0ff", {"outcome": "no_answer"}),
        (CALL, "hs_call_disposition", "", {"outcome": None}),
        (CALL, "hs_call_status", "FAILED", {"outcome": "failed"}),
        (CALL, "hs_call_duration", "1500", {"talk_seconds": 1_500_000}),
        (CALL, "hs_call_duration", None, {"talk_seconds": None}),
        (EMAIL, "hs_email_direction", "EMAIL", {"direction": "outbound"}),
        (EMAIL, "hs_email_direction", "INCOMING_EMAIL", {"direction": "inbound"}),
        (MEETING, "hs_meeting_outcome", "SCHEDULED", {"outcome": "scheduled"}),
        (MEETING, "hs_meeting_outcome", "rescheduled", {"outcome": "scheduled"}),
        (MEETING, "hs_meeting_outcome", "Completed", {"outcome": "held"}),
        (MEETING, "hs_meeting_outcome", "no show", {"outcome": "no_show"}),
        (MEETING, "hs_meeting_outcome", "CANCELED", {"outcome": "cancelled"}),
        (MEETING, "hs_activity_type", "Demo", {"kind": "Demo"}),
        (CONTACT, "hubspot_owner_id", "", {"rep": None, "assigned_at": None}),
        (CONTACT, "createdate", "1773155144301", {"received_at": 1773155144301000}),
        (CONTACT, "hubspot_owner_assigneddate", "1773155144301", {"assigned_at": 1773155144301000}),
        (CONTACT, "lifecyclestage", "salesqualifiedlead", {"status": "qualified"}),
        (CONTACT, "lifecyclestage", "marketingqualifiedlead", {"status": "new"}),
        (CONTACT, "lifecyclestage", "customer", {"status": "customer"}),
        (CONTACT, "hs_lead_status", "UNQUALIFIED", {"status": "disqualified"}),
        (CONTACT, "hs_lead_status", "NEW", {"status": "new"}),
        (CONTACT, "hs_analytics_source", "PAID_SEARCH", {"source": "PAID_SEARCH"}),
        (
            DEAL,
            "dealstage",
            "1029384756",
            {"stage": "1029384756", "entered_stage_at": 1000 * T, "status": None},
        ),
        (DEAL, "hs_is_closed", "true", {"status": None}),
        (DEAL, "hs_is_closed_won", "false", {"status": None}),
        (CONTACT, "hs_lead_status", "", {"status": None}),
        (CONTACT, "lifecyclestage", "", {"status": None}),
        (
            DEAL,
            "dealstage",
            "contractsent",
            {"stage": "contractsent", "entered_stage_at": 1000 * T, "status": "open"},
        ),
        (DEAL, "hs_is_closed_won", "true", {"status": "won", "closed_at": 1000 * T}),
        (DEAL, "hs_is_closed_lost", True, {"status": "lost", "closed_at": 1000 * T}),
        (DEAL, "hs_is_closed", "false", {"status": "open"}),
        (DEAL, "amount", "1000.50", {"amount": "1000.5"}),
        (DEAL, "amount", "", {"amount": None}),
        (DEAL, "dealtype", "newbusiness", {"kind": "new"}),
        (DEAL, "dealtype", "existingbusiness", {"kind": "expansion"}),
        (DEAL, "dealname", " Northwind - 120 seats ", {"name": "Northwind - 120 seats"}),
        (DEAL, "closed_lost_reason", "x" * 5000, {"lost_reason": "x" * 1024}),
        (CONTACT, "company", "Northwind", {"company": "Northwind"}),
        (LEAD, "hs_lead_name", "Northwind", {"name": "Northwind"}),
    ],
)
def test_a_property_sets_its_fields_and_no_other(type_id: str, name: str, value: Any, fields: dict[str, Any]) -> None:
    parsed = _parse(_set(type_id, name, value))
    record = fold_all(KINDS[type_id], parsed.changes)

    assert _known(record) == fields
    assert parsed.ignored == {}


@pytest.mark.parametrize(
    ("type_id", "name", "value", "fields"),
    [
        (CALL, "hs_call_disposition", "11111111-2222-3333-4444-555555555555", {"outcome": None}),
        (MEETING, "hs_meeting_outcome", "FOLLOW_UP_NEEDED", {"outcome": None}),
        (EMAIL, "hs_email_direction", "FORWARDED_EMAIL", {"direction": None}),
        (DEAL, "dealtype", "renewal-1", {"kind": None}),
        (CALL, "hs_call_status", "COMPLETED", {"outcome#1": None}),
        (CALL, "hs_call_status", "NO_ANSWER", {"outcome#1": None}),
        (CONTACT, "hs_lead_status", "IN_PROGRESS", {"status#1": None}),
        (CONTACT, "lifecyclestage", "778899", {"status": None}),
    ],
)
def test_a_word_without_a_counterpart_clears_only_what_its_property_has_said(
    type_id: str, name: str, value: str, fields: dict[str, Any]
) -> None:
    parsed = _parse(_set(type_id, name, value))

    assert [change.fields for change in parsed.changes] == ([fields] if fields else [])
    assert parsed.ignored == {"unmapped_value": 1}


@pytest.mark.parametrize(
    ("type_id", "inferred", "said", "outcome"),
    [
        (CALL, ("hs_call_status", "FAILED"), ("hs_call_disposition", CONNECTED), ("outcome", "connected")),
        (DEAL, ("dealstage", "closedwon"), ("closedate", "1700000000000"), ("closed_at", 1700000000000000)),
        (DEAL, ("hs_is_closed_won", "true"), ("closedate", "1700000000000"), ("closed_at", 1700000000000000)),
        (CONTACT, ("hs_object_source_label", "IMPORT"), ("hs_analytics_source", "OFFLINE"), ("source", "OFFLINE")),
    ],
)
@pytest.mark.parametrize("later", [0, 1, 60_000], ids=["same instant", "a millisecond later", "a minute later"])
def test_what_is_inferred_yields_to_what_is_said(
    type_id: str, inferred: tuple[str, str], said: tuple[str, str], outcome: tuple[str, Any], later: int
) -> None:
    events = [_set(type_id, *inferred, at=T + later), _set(type_id, *said)]

    for order in itertools.permutations(events):
        assert _fold(_changes(*order)).get(outcome[0]) == outcome[1]


@pytest.mark.parametrize(
    ("type_id", "name", "field"),
    [
        (CONTACT, "createdate", "received_at"),
        (DEAL, "createdate", "created_at"),
        (MEETING, "hs_createdate", "booked_at"),
    ],
)
def test_a_backdated_creation_wins_over_the_instant_of_the_event(type_id: str, name: str, field: str) -> None:
    events = [_event("creation", type_id), _set(type_id, name, "1700000000000")]

    for order in itertools.permutations(events):
        assert _fold(_changes(*order)).get(field) == 1700000000000000


def test_a_deal_won_again_is_closed_at_its_last_closing() -> None:
    stages = [("closedwon", T), ("contractsent", T + 60_000), ("closedwon", T + 120_000)]
    events = [_set(DEAL, "dealstage", stage, at=at) for stage, at in stages]

    for order in itertools.permutations(events):
        record = _fold(_changes(*order))
        assert (record.get("status"), record.get("closed_at")) == ("won", 1000 * (T + 120_000))


def test_a_reopened_deal_is_open_whatever_order_its_events_come_in() -> None:
    events = [
        _set(DEAL, "dealstage", "closedwon"),
        _set(DEAL, "hs_is_closed", "true", at=T + 5),
        _set(DEAL, "hs_is_closed_won", "true", at=T + 5),
        _set(DEAL, "dealstage", "contractsent", at=T + 60_000),
        _set(DEAL, "hs_is_closed", "false", at=T + 60_005),
        _set(DEAL, "hs_is_closed_won", "false", at=T + 60_005),
    ]

    assert {_fold(_changes(*order)).get("status") for order in itertools.permutations(events)} == {"open"}


_VOICED = [
    (CONTACT, [("lifecyclestage", "lead"), ("hs_lead_status", "NEW")], "new"),
    (CONTACT, [("hs_lead_status", "UNQUALIFIED"), ("hs_lead_status", "OPEN")], None),
    (CONTACT, [("hs_lead_status", "UNQUALIFIED"), ("hs_lead_status", "")], None),
    (CONTACT, [("lifecyclestage", "customer"), ("lifecyclestage", "")], None),
    (
        CONTACT,
        [("lifecyclestage", "customer"), ("hs_lead_status", "UNQUALIFIED"), ("hs_lead_status", "")],
        "customer",
    ),
    (
        CONTACT,
        [("hs_lead_status", "UNQUALIFIED"), ("lifecyclestage", "customer"), ("lifecyclestage", "")],
        "disqualified",
    ),
    (
        CONTACT,
        [("lifecyclestage", "lead"), ("hs_lead_status", "UNQUALIFIED"), ("hs_lead_status", "IN_PROGRESS")],
        "new",
    ),
    (DEAL, [("dealstage", "closedwon"), ("dealstage", "4711")], None),
    (DEAL, [("hs_is_closed_won", "true"), ("dealstage", "4711"), ("hs_is_closed_won", "false")], None),
    (
        DEAL,
        [("dealstage", "contractsent"), ("hs_is_closed_lost", "true"), ("hs_is_closed_lost", "")],
        "open",
    ),
    (
        DEAL,
        [("hs_is_closed", "false"), ("hs_is_closed_won", "true"), ("hs_is_closed", "true"), ("dealstage", "99")],
        "won",
    ),
]


@pytest.mark.parametrize(("type_id", "words", "status"), _VOICED, ids=str)
def test_a_property_that_says_nothing_more_lets_the_others_decide(
    type_id: str, words: list[tuple[str, str]], status: str | None
) -> None:
    events = [_set(type_id, name, value, at=T + 1000 * place) for place, (name, value) in enumerate(words)]
    rows = set()

    for order in itertools.permutations(events):
        changes = _changes(*order, order[0])
        record = _fold(changes)
        halves = [_fold(changes[:1]), _fold(changes[1:])]
        halves[1].merge(decode_record(halves[0].encode()))
        rows |= {record.encode(), halves[1].encode()}
        assert record.get("status") == decode_record(record.encode()).get("status") == status
        assert decode_values(record.encode())[2]["status"] == status
        (recounted,) = recount(changes)[KINDS[type_id]].values()
        assert recounted.get("status") == status
        if type_id == CONTACT:
            assert recounted.history("status") == record.history("status")
    assert len(rows) == 1


AT = 1700000000000000
_OTHERS_DECIDE = [
    (CALL, [("hs_call_status", "FAILED"), ("hs_call_disposition", CONNECTED), ("hs_call_disposition", "")], "failed"),
    (CALL, [("hs_call_disposition", CONNECTED), ("hs_call_status", "FAILED"), ("hs_call_status", "")], "connected"),
    (CALL, [("hs_call_status", "FAILED"), ("hs_call_status", "COMPLETED")], None),
    (
        CONTACT,
        [("hs_object_source_label", "FORM"), ("hs_analytics_source", "SEA"), ("hs_analytics_source", "")],
        "FORM",
    ),
    (
        CONTACT,
        [("hs_analytics_source", "SEA"), ("hs_object_source_label", "FORM"), ("hs_object_source_label", "")],
        "SEA",
    ),
    (CONTACT, [("createdate", "1700000000000"), ("hs_createdate", "1600000000000"), ("hs_createdate", "")], AT),
    (CONTACT, [("hs_createdate", "1700000000000"), ("createdate", "1600000000000"), ("createdate", "")], AT),
    (CONTACT, [("hubspot_owner_id", "1"), ("hubspot_owner_assigneddate", "1700000000000")], AT),
    (
        CONTACT,
        [
            ("hubspot_owner_id", "1"),
            ("hubspot_owner_assigneddate", "1700000000000"),
            ("hubspot_owner_assigneddate", ""),
        ],
        1000 * T,
    ),
    # Whoever has no owner is assigned to nobody: here the date that HubSpot keeps decides nothing.
    (
        CONTACT,
        [("hubspot_owner_assigneddate", "1700000000000"), ("hubspot_owner_id", "1"), ("hubspot_owner_id", "")],
        None,
    ),
    (DEAL, [("createdate", "1700000000000"), ("hs_createdate", "1600000000000"), ("hs_createdate", "")], AT),
    (DEAL, [("hs_createdate", "1700000000000"), ("createdate", "1600000000000"), ("createdate", "")], AT),
    (DEAL, [("dealstage", "closedwon"), ("closedate", "1700000000000"), ("closedate", "")], 1000 * T),
    (DEAL, [("closedate", "1700000000000"), ("hs_is_closed_won", "true"), ("closedate", "")], 1000 * (T + 1000)),
]
_FIELD = {
    "hs_call_disposition": "outcome", "hs_call_status": "outcome", "hs_analytics_source": "source",
    "hs_object_source_label": "source", "hubspot_owner_assigneddate": "assigned_at", "hubspot_owner_id": "assigned_at",
    "closedate": "closed_at",
}  # fmt: skip


@pytest.mark.parametrize(("type_id", "words", "expected"), _OTHERS_DECIDE, ids=str)
def test_of_two_properties_of_one_field_a_cleared_one_lets_the_other_decide(
    type_id: str, words: list[tuple[str, str]], expected: object
) -> None:
    events = [_set(type_id, name, value, at=T + 1000 * place) for place, (name, value) in enumerate(words)]
    field = _FIELD.get(words[-1][0], "received_at" if type_id == CONTACT else "created_at")
    rows = set()

    for order in itertools.permutations(events):
        changes = _changes(*order, order[0])
        record = _fold(changes)
        rows.add(record.encode())
        (recounted,) = recount(changes)[KINDS[type_id]].values()
        assert record.get(field) == decode_values(record.encode())[2][field] == recounted.get(field) == expected
    assert len(rows) == 1


@pytest.mark.parametrize(
    ("type_id", "name", "field"),
    [
        (CONTACT, "createdate", "received_at"),
        (CONTACT, "hs_createdate", "received_at"),
        (DEAL, "createdate", "created_at"),
        (MEETING, "hs_createdate", "booked_at"),
    ],
)
def test_a_cleared_creation_date_lets_the_creation_decide(type_id: str, name: str, field: str) -> None:
    events = [
        _event("creation", type_id), _set(type_id, name, "1600000000000"), _set(type_id, name, "", at=T + 1000),
    ]  # fmt: skip

    for order in itertools.permutations(events):
        assert _fold(_changes(*order)).get(field) == 1000 * T


@pytest.mark.parametrize("type_id", sorted(KINDS))
def test_no_two_properties_share_a_voice(type_id: str) -> None:
    """What a stage or a claim lets one conclude (`closed_at#1`) is never taken back, so these may share one.

    Whoever has no owner is assigned to nobody, so the owner clears what the date of it has said.
    """
    setters: dict[str, set[str]] = {}
    for name, reading in BY_TYPE_ID[type_id].properties.items():
        for value in ("true", "false", "1", "closedwon", "FAILED", None):
            with contextlib.suppress(ValueError):
                facts = reading(value, 1000 * T)
                for voice in {**facts.said, **facts.inferred}:
                    setters.setdefault(voice, set()).add(name)

    created, shared = BY_TYPE_ID[type_id].created, {"closed_at#1", "assigned_at#1"}
    assert {voice: names for voice, names in setters.items() if len(names) > 1 and voice not in shared} == {}
    assert created not in setters


def test_the_history_of_a_field_is_what_all_voices_said_together() -> None:
    words = [
        ("lifecyclestage", "lead"),
        ("hs_lead_status", "UNQUALIFIED"),
        ("lifecyclestage", "customer"),
        ("lifecyclestage", ""),
        ("hs_lead_status", ""),
    ]
    events = [_set(CONTACT, name, value, at=T + place) for place, (name, value) in enumerate(words)]

    for order in itertools.permutations(events):
        history = _fold(_changes(*order)).history("status")
        assert [value for _, _, value in history] == ["new", "disqualified", "customer", "disqualified", None]
        assert [at // 1000 - T for at, _, _ in history] == [0, 1, 2, 3, 4]


def test_no_event_from_outside_sets_a_voice() -> None:
    event = {"record": "lead", "id": "1", "changed_at": "2026-03-18T16:00:00Z", "fields": {"status#1": "new"}}

    parsed = parse(connect("generic", GENERIC.secrets[:1]), event)

    assert parsed == Parsed(ignored={"unknown_field": 1, "no_fields": 1}, unknown={("lead", "status#1"): 1})


def test_any_order_of_a_sequence_with_any_repetition_gives_the_same_record() -> None:
    events = [
        *_fixture("deal_creation", "deal_stage_change", "deal_association_change"),
        _set(DEAL, "amount", "48500.00", object_id=38277100452),
        _set(DEAL, "hubspot_owner_id", "910901", object_id=38277100452),
    ]
    rows = set()
    for order in itertools.permutations(events):
        changes = _parse(*order, order[0], received_at=NOW + DAY).changes
        rows.add(_fold(changes).encode())

    assert len(rows) == 1


def test_each_change_of_owner_moves_the_assignment() -> None:
    events = [_set(CONTACT, "hubspot_owner_id", "1"), _set(CONTACT, "hubspot_owner_id", "2", at=T + 1000)]

    for order in itertools.permutations(events):
        record = _fold(_changes(*order))
        assert (record.get("rep"), record.get("assigned_at")) == ("2", 1000 * (T + 1000))


def test_a_deletion_can_be_taken_back_and_privacy_deletes_too() -> None:
    deleted, restored, forgotten = _changes(
        _event("deletion", CONTACT),
        _event("restore", CONTACT, at=T + 1),
        _event("x", at=T + 2) | {"subscriptionType": "contact.privacyDeletion"},
    )

    assert [change.fields["deleted"] for change in (deleted, restored, forgotten)] == [True, False, True]
    assert {change.id for change in (deleted, restored, forgotten)} == {"80911223344"}


def test_leads_and_contacts_count_their_ids_apart() -> None:
    contact, lead = _changes(_event("creation", CONTACT), _event("creation", LEAD))

    assert (contact.kind, contact.id) == ("lead", "80911223344")
    assert (lead.kind, lead.id) == ("lead", "lead-80911223344")


def _association(name: str, one: int, other: int, **more: Any) -> dict[str, Any]:
    event = _event("associationChange", at=T, associationType=name, fromObjectId=one, toObjectId=other, **more)
    del event["objectTypeId"]
    return event | {"associationRemoved": more.get("associationRemoved", False)}


@pytest.mark.parametrize(
    ("name", "kind", "fields"),
    [
        ("CALL_TO_CONTACT", "call", {"lead": "2"}),
        ("EMAIL_TO_CONTACT", "email", {"lead": "2"}),
        ("MEETING_EVENT_TO_CONTACT", "meeting", {"lead": "2"}),
        ("DEAL_TO_CONTACT", "deal", {"lead": "2"}),
        ("CALL_TO_DEAL", "call", {"deal": "2"}),
        ("MEETING_EVENT_TO_DEAL", "meeting", {"deal": "2"}),
        ("CALL_TO_LEAD", "call", {"lead": "lead-2"}),
    ],
)
def test_an_association_points_the_record_to_its_lead_or_deal_from_either_side(
    name: str, kind: str, fields: dict[str, str]
) -> None:
    holder, _, pointed = name.partition("_TO_")
    there, back = _changes(_association(name, 1, 2), _association(f"{pointed}_TO_{holder}", 2, 1))

    assert (there.kind, there.id, there.fields) == (kind, "1", fields)
    assert there.version == back.version


def test_an_association_may_name_the_types_of_its_ends() -> None:
    event = _association("", 1, 2, fromObjectTypeId=CALL, toObjectTypeId=CONTACT)

    (change,) = _changes(event)

    assert (change.kind, change.id, change.fields) == ("call", "1", {"lead": "2"})


def test_a_contact_put_on_a_call_wins_over_one_taken_off_in_the_same_save() -> None:
    events = [
        _association("CALL_TO_CONTACT", 1, 2, associationRemoved=True),
        _association("CALL_TO_CONTACT", 1, 3),
    ]

    for order in itertools.permutations(events):
        assert _fold(_changes(*order)).get("lead") == "3"


@pytest.mark.parametrize(
    ("name", "pointer"), [("CALL_TO_CONTACT", "lead"), ("EMAIL_TO_CONTACT", "lead"), ("MEETING_TO_DEAL", "deal"),
                          ("DEAL_TO_CONTACT", "lead")]
)  # fmt: skip
def test_of_two_that_are_associated_only_the_one_that_is_taken_off_goes(name: str, pointer: str) -> None:
    """Nothing is looked up: the one associated last counts, and taking off the other says nothing of it."""

    def at(second: int, other: int, *, removed: bool = False) -> dict[str, Any]:
        return _association(name, 1, other, associationRemoved=removed) | {"occurredAt": T + second * 1000}

    one, two, off_one, off_two = at(1, 51), at(2, 52), at(3, 51, removed=True), at(3, 52, removed=True)
    again = at(4, 52)
    for told, left in (
        ([one, off_one], None),
        ([one, two, off_one], "52"),
        ([one, two, off_two], None),
        ([one, two, off_one, off_two], None),
        ([one, two, off_two, again], "52"),
        ([one, two, off_two, at(5, 51)], "51"),
    ):
        states = {_fold(_changes(*order)).encode() for order in itertools.permutations(told)}
        assert len(states) == 1
        assert _fold(_changes(*told)).get(pointer) == left


@pytest.mark.parametrize("name", ["CONTACT_TO_COMPANY", "EMAIL_TO_DEAL", "CONTACT_TO_LEAD", "nonsense"])
def test_associations_that_no_record_holds_are_ignored(name: str) -> None:
    assert _parse(_association(name, 1, 2)) == Parsed(ignored={"unknown_type": 1})


def test_the_type_of_an_event_stands_under_either_key() -> None:
    event = _event("deletion", DEAL)
    event["eventType"] = event.pop("subscriptionType")

    (change,) = _changes(event)

    assert change.fields == {"deleted": True}


def test_one_event_may_come_without_an_array() -> None:
    assert len(parse(CONNECTOR, _event("deletion", DEAL)).changes) == 1


@pytest.mark.parametrize("event_id", [1, 100])
def test_events_of_the_test_button_are_ignored(event_id: int) -> None:
    event = _event("creation", CONTACT, object_id=123, eventId=event_id)

    assert _parse(event) == Parsed(ignored={"test_event": 1})
    assert _parse(event | {"objectId": 124}).changes


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (_event("creation", "0-2"), "unknown_type"),
        (_event("creation", "2-12345"), "unknown_type"),
        (_event("explosion"), "unknown_type"),
        (_event("x") | {"subscriptionType": "company.creation"}, "unknown_type"),
        (_event("x") | {"subscriptionType": "conversation.newMessage"}, "unknown_type"),
        (_event("x") | {"subscriptionType": "company.associationChange"}, "unknown_type"),
        (_event("merge", CALL, primaryObjectId=1, mergedObjectIds=[2]), "unknown_type"),
        (_set(DEAL, "amount", "REDACTED"), "redacted"),
        (_set(DEAL, "amount", "100") | {"isSensitive": True}, "redacted"),
    ],
)
def test_what_we_do_not_keep_is_ignored_and_counted(event: dict[str, Any], reason: str) -> None:
    assert _parse(event) == Parsed(ignored={reason: 1})


def test_a_property_that_says_nothing_of_ours_is_counted_by_name() -> None:
    parsed = _parse(_set(CONTACT, "firstname", "Dana"), _set(MEETING, "hs_timestamp", "1773155144301"))

    assert parsed == Parsed(
        ignored={"unknown_field": 2}, unknown={("lead", "firstname"): 1, ("meeting", "hs_timestamp"): 1}
    )


@pytest.mark.parametrize(
    ("changed", "reason", "named"),
    [
        ({"occurredAt": None}, "bad_shape", "occurredAt"),
        ({"occurredAt": "yesterday"}, "bad_shape", "occurredAt"),
        ({"occurredAt": [True]}, "bad_shape", "occurredAt"),
        ({"occurredAt": T * 1000}, "bad_shape", "occurredAt"),
        ({"objectId": None}, "bad_shape", "objectId"),
        ({"objectId": -5}, "bad_shape", "objectId"),
        ({"objectId": 1.5}, "bad_shape", "objectId"),
        ({"objectId": 2**70}, "bad_shape", "objectId"),
        ({"objectId": [1]}, "bad_shape", "objectId"),
        ({"objectTypeId": None}, "bad_shape", "objectTypeId"),
        ({"subscriptionType": None}, "bad_shape", "subscriptionType"),
        ({"propertyName": 5}, "bad_shape", "propertyName"),
        ({"eventId": [1]}, None, ""),
        ({"propertyValue": "much"}, "bad_field", "amount"),
        ({"propertyValue": {"value": 5}}, "bad_field", "amount"),
        ({"propertyName": "closedate", "propertyValue": "soon"}, "bad_field", "closedate"),
        ({"propertyName": "closedate", "propertyValue": "999999999999999"}, "bad_field", "closedate"),
        ({"propertyName": "deal_currency_code", "propertyValue": "dollars"}, "bad_field", "deal_currency_code"),
    ],
    ids=str,
)
def test_a_bad_event_is_a_problem_that_names_the_member_and_not_its_value(
    changed: dict[str, Any], reason: str | None, named: str
) -> None:
    event = _set(DEAL, "amount", "100") | changed
    event = {name: value for name, value in event.items() if value is not None}

    parsed = parse(CONNECTOR, [event, _event("deletion", DEAL)])

    assert [problem.reason for problem in parsed.problems] == ([] if reason is None else [reason])
    assert all(problem.detail.startswith(f"{named}: ") and problem.index == 0 for problem in parsed.problems)
    values = [str(value) for member, value in changed.items() if member != "propertyName"]
    assert not any(value in problem.detail for problem in parsed.problems for value in values)
    assert {"deleted": True} in [change.fields for change in parsed.changes]


def test_a_missing_value_is_not_a_cleared_one() -> None:
    event = _set(DEAL, "amount", "100")
    del event["propertyValue"]

    (problem,) = parse(CONNECTOR, [event]).problems

    assert (problem.reason, problem.detail) == ("bad_shape", "propertyValue: is missing")


@pytest.mark.parametrize("action", ["creation", "deletion"])
def test_a_clock_more_than_a_day_ahead_is_a_problem(action: str) -> None:
    limit = (NOW + DAY) // 1000

    parsed = parse(CONNECTOR, [_event(action, DEAL, at=limit), _event(action, DEAL, at=limit + 1)])

    assert len(parsed.changes) == 1
    assert [(problem.reason, problem.index) for problem in parsed.problems] == [("clock_ahead", 1)]
    assert parsed.problems[0].detail.startswith("occurredAt: ")


def test_a_namespace_stands_before_people_and_pointers_too() -> None:
    connector = connect("hubspot", HUBSPOT.secrets[:1], "hs", leads="both")

    owner, association = parse(
        connector, [_set(CALL, "hubspot_owner_id", "910901"), _association("CALL_TO_LEAD", 1, 2)]
    ).changes

    assert owner.fields == {"rep": "hs:910901"}
    assert (association.id, association.fields) == ("hs:1", {"lead": "hs:lead-2"})


_PROPERTIES = (
    "hs_timestamp", "hs_call_direction", "hs_call_disposition", "hs_call_status", "hs_call_duration",
    "hs_email_direction", "hs_email_thread_id", "hs_meeting_start_time", "hs_meeting_outcome", "createdate",
    "hubspot_owner_id", "lifecyclestage", "hs_lead_status", "hs_analytics_source", "dealstage", "hs_is_closed",
    "hs_is_closed_won", "amount", "deal_currency_code", "closedate", "dealtype", "pipeline",
)  # fmt: skip


@given(
    type_id=st.sampled_from(sorted(KINDS)),
    name=st.sampled_from(_PROPERTIES),
    value=st.none() | st.text(max_size=20) | st.integers(-(2**63), 2**63) | st.booleans() | st.decimals().map(str),
)
def test_parse_never_raises_whatever_a_property_holds(type_id: str, name: str, value: Any) -> None:
    parsed = parse(CONNECTOR, [_set(type_id, name, value)])

    assert len(parsed.problems) <= 1


@given(ids=st.lists(st.none() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2), max_size=5))
def test_parse_never_raises_whatever_a_merge_or_association_names(ids: list[Any]) -> None:
    one, other = [*ids, None, None][:2]
    parse(
        CONNECTOR,
        [
            _event("merge", CONTACT, primaryObjectId=one, newObjectId=other, mergedObjectIds=ids),
            _association("CALL_TO_CONTACT", one, other),
        ],
    )


def test_a_signature_older_than_five_minutes_is_of_no_use() -> None:
    request = HUBSPOT.request(at=NOW)

    CONNECTOR.verify(request, NOW + 5 * MINUTE)
    with pytest.raises(SignatureError):
        CONNECTOR.verify(request, NOW + 5 * MINUTE + 1)


@pytest.mark.parametrize(
    ("direction", "statuses", "counts_as"),
    [
        ("EMAIL", ["SENDING", "SENT"], "outbound"),
        ("EMAIL", ["SCHEDULED", "SENDING", "BOUNCED"], "outbound"),
        ("EMAIL", ["SCHEDULED", "FAILED"], None),
        ("EMAIL", ["SENT"], "outbound"),
        ("EMAIL", [], "outbound"),
        ("INCOMING_EMAIL", ["SENT"], "inbound"),
        ("FORWARDED_EMAIL", ["SENT"], None),
    ],
)
def test_a_mail_counts_once_it_is_sent_where_there_is_no_api_to_ask(
    direction: str, statuses: list[str], counts_as: str | None
) -> None:
    """What a mail is made with comes in events of one instant, in any order; what becomes of it comes later."""
    events = [_set("0-49", "hs_email_direction", direction)]
    events += [_set("0-49", "hs_email_status", word, at=T + place * 4000) for place, word in enumerate(statuses)]

    for order in itertools.permutations(events):
        assert _fold([change for event in order for change in _changes(event)]).get("direction") == counts_as

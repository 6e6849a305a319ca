"""What proves an Outbound Message, and what messages and change events say of our records."""

import itertools
import re
from copy import deepcopy
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from pydantic import ValidationError

from schemas.connectors import build_connector, read_connection
from schemas.connectors.base import Connector, ContentTypeError, Parsed, SignatureError
from schemas.connectors.salesforce.changes import named_fields
from schemas.connectors.salesforce.ids import whole_id
from schemas.connectors.salesforce.soap import MAX_DEPTH, SoapError, read_message
from schemas.deliveries import Delivery
from schemas.instants import DAY, parse_instant
from schemas.records import FIELDS, Record, RecordChange, fold_all, with_places
from tests.schemas.connectors.cases import FIXTURES, NOW, SALESFORCE, connect, fixture, parse

LATER = NOW + 30 * DAY
VECTORS = fixture("vectors.json")["vectors"]
XML = {"content-type": "text/xml; charset=UTF-8"}
REP, DEAL = "0055f000005mc66AAA", "0065f00000QwErTAAV"


def _at(text: str) -> int:
    return parse_instant(text)


def _connector(**more: Any) -> Connector:
    return connect("salesforce", SALESFORCE.secrets[:1], **{**SALESFORCE.settings, **more})


def _message(name: str, *replaced: tuple[str, str]) -> bytes:
    text = (FIXTURES / "salesforce" / f"outbound_{name}.xml").read_text(encoding="utf-8")
    for old, new in replaced:
        assert old in text
        text = text.replace(old, new)
    return text.encode()


def _of_message(body: bytes, *, received_at: int = LATER, connector: Connector | None = None) -> Parsed:
    parsed = parse(connector or _connector(), body, headers=XML, received_at=received_at)
    assert parsed.problems == []
    return parsed


def _change(
    entity: str, fields: dict[str, Any], *, type: str = "CREATE", at: str = "2026-03-10T14:20:05Z", id: str = DEAL,
    sequence: int = 1, nulled: tuple[str, ...] = (),
) -> dict[str, Any]:  # fmt: skip
    order = ["ChangeEventHeader", *fields]
    header = {
        "entityName": entity, "recordIds": [id], "changeType": type, "commitTimestamp": _at(at) // 1000,
        "sequenceNumber": sequence, "changedFields": [],
        "nulledFields": [hex(sum(1 << order.index(name) for name in nulled))] if nulled else [],
    }  # fmt: skip
    return {"payload": {"ChangeEventHeader": header, **fields}}


def _parse(*events: Any, connector: Connector | None = None) -> Parsed:
    parsed = parse(connector or _connector(), list(events), received_at=LATER)
    assert parsed.problems == []
    return parsed


def _record(*events: Any, kind: str | None = None, connector: Connector | None = None) -> Record:
    """Their record, whatever the order in which they come."""
    deliveries = [with_places(_parse(event, connector=connector).changes) for event in events]
    wanted = kind or deliveries[0][0].kind
    orders = itertools.islice(itertools.permutations(deliveries), 24)
    records = [fold_all(wanted, [each for one in order for each in one if each.kind == wanted]) for order in orders]
    assert len({record.encode() for record in records}) == 1
    return records[0]


def _fold(changes: list[RecordChange]) -> Record:
    return fold_all(changes[0].kind, with_places(changes))


# --- Ids and bitmaps --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "vector", [each for each in VECTORS if each["scheme"] == "salesforce-id-15-to-18"], ids=lambda each: each["id15"]
)
def test_ids_are_completed(vector: dict[str, Any]) -> None:
    expected = None if vector["signature"] == "000000000000000AAA" else vector["signature"]

    assert whole_id(vector["id15"]) == expected
    assert whole_id(vector["signature"]) == expected


@pytest.mark.parametrize("id", ["0065f", "0065f00000QwEr!", "0065f00000QwErTA", 5, {}])
def test_what_is_no_id_is_refused(id: Any) -> None:
    with pytest.raises(ValueError, match="must be an id"):
        whole_id(id)


@pytest.mark.parametrize(
    "vector", [each for each in VECTORS if each["scheme"] == "salesforce-pubsub-bitmap"], ids=lambda each: each["name"]
)
def test_bitmaps_name_fields_of_the_events_own_schema(vector: dict[str, Any]) -> None:
    found = named_fields(vector["changedFields"], vector["schema_field_order"], vector["nested"])

    assert found == vector["signature"]


@pytest.mark.parametrize("bitmap", ["", "0x", "x", "0xzz", "99-0x01", "4-0x", "0x" + "f" * 300, "-1-0x1"])
def test_a_bitmap_that_is_none_names_nothing(bitmap: str) -> None:
    assert named_fields([bitmap], ["ChangeEventHeader", "Name"]) == []


# --- What proves a message --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/path-secret",
        "/path-secret-4711/more",
        "/more/path-secret-4711",
        "?s=path-secret-4711",
        "/Path-secret-4711",
    ],
)
def test_a_wrong_path_is_refused_and_not_repeated(path: str) -> None:
    request = SALESFORCE.request()
    url = request.url.removesuffix("/path-secret-4711") + path

    with pytest.raises(SignatureError, match=r"^path: fits no secret of this connection$"):
        SALESFORCE.connector().verify(replace(request, url=url), NOW)


@pytest.mark.parametrize(
    "path", ["/path-secret-4711", "/path-secret-4711/", "/path%2Dsecret-4711", "/path-secret-4711?a=b"]
)
def test_the_path_is_read_as_addresses_are(path: str) -> None:
    request = SALESFORCE.request()
    url = request.url.removesuffix("/path-secret-4711") + path

    SALESFORCE.connector().verify(replace(request, url=url), NOW)


@pytest.mark.parametrize("organization", ["00D5f000004XyZa", "00D5f000004XyZaEAK"])
def test_the_organisation_is_the_same_in_15_and_18_characters(organization: str) -> None:
    request = SALESFORCE.request()
    named = _message("opportunity_won", ("00D5f000004XyZaEAK", "00D5f000004XyZa"))

    for body in (request.body, named):
        _connector(organization=organization).verify(replace(request, body=body), NOW)


@pytest.mark.parametrize("organization", ["00D5f000004XyZbEAK", "00D5f000004xyza", "", "nonsense"])
def test_another_organisation_is_refused(organization: str) -> None:
    body = _message("opportunity_won", ("00D5f000004XyZaEAK", organization))

    with pytest.raises(SignatureError, match=r"^OrganizationId: "):
        SALESFORCE.connector().verify(replace(SALESFORCE.request(), body=body), NOW)


@pytest.mark.parametrize("body", [b"", b"<a/>", b"{}", b"<notifications/>", b"<?xml version='1.0'?><x"])
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(SignatureError, match=r"^body: "):
        SALESFORCE.connector().verify(replace(SALESFORCE.request(), body=body), NOW)


def test_json_is_never_posted() -> None:
    request = SALESFORCE.request()

    with pytest.raises(ContentTypeError):
        SALESFORCE.connector().verify(replace(request, headers={"content-type": "application/json"}), NOW)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({}, "organization"),
        ({"organization": "0065f00000QwErT"}, "organization"),
        ({"organization": "00D5f000004XyZa", "secrets": ["short"]}, "secrets"),
        ({"organization": "00D5f000004XyZa", "stream": {}}, "salesforce"),
        ({"organization": "00D5f000004XyZa", "outcomes_field": "Not a name"}, "outcomes_field"),
        ({"organization": "00D5f000004XyZa", "api": {"client_id": "x"}}, "client_secret"),
        ({"organization": "00D5f000004XyZa", "stream": {"endpoint": "10.0.0.1:7443", "tls": False}}, "stream"),
        ({"organization": "00D5f000004XyZa", "stream": {"topics": ["Opportunity"]}}, "topics"),
        ({"organization": "00D5f000004XyZa", "stream": {"endpoint": "no-port"}}, "endpoint"),
    ],
)
def test_what_is_wrong_with_the_settings_is_told_by_its_field(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        read_connection({"kind": "salesforce", "secrets": ["path-secret-4711"], **settings})

    assert field in refusal.value.errors()[0]["loc"]


def test_an_api_without_an_address_is_named() -> None:
    api = {"client_id": "x", "client_secret": "y"}
    with pytest.raises(ValidationError, match=r"api\.url: must be the address of the organisation"):
        read_connection(
            {"kind": "salesforce", "organization": "00D5f000004XyZa", "secrets": ["path-secret-4711"], "api": api}
        )


def test_a_stream_on_this_machine_may_be_plain() -> None:
    connection = read_connection(
        {
            "kind": "salesforce", "organization": "00D5f000004XyZa", "secrets": ["path-secret-4711"],
            "api": {"url": "http://127.0.0.1:1234", "client_id": "x", "client_secret": "y"},
            "stream": {"endpoint": "127.0.0.1:7443", "tls": False},
        }
    )  # fmt: skip

    assert getattr(connection, "stream").tls is False  # noqa: B009 - of this kind alone


# --- XML --------------------------------------------------------------------------------------------------------------

BOMB = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>"""
OUTSIDE = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>"""


@pytest.mark.parametrize(
    "body", [BOMB, OUTSIDE, b"<!DOCTYPE x><x/>", b"<!DOCTYPE x SYSTEM 'http://x.example/x.dtd'><x/>"]
)
def test_a_document_type_is_refused(body: bytes) -> None:
    with pytest.raises(SoapError, match="must have no document type"):
        read_message(body)


def test_a_message_that_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(SoapError, match="nested too deeply"):
        read_message(b"<a>" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1))


@pytest.mark.parametrize("encoding", ["nonsense", "utf-7", "shift-jis", "utf-32", "idna"])
def test_an_encoding_that_is_not_taken_is_told(encoding: str) -> None:
    body = f"<?xml version='1.0' encoding='{encoding}'?><x/>".encode()

    with pytest.raises(SoapError):
        read_message(body)


@pytest.mark.parametrize(
    "odd",
    [
        b"&#xD83D;",
        b"&#55357;",
        b"&#0;",
        b"&#x1F;",
        b"&#x110000;",
        b"\x0b",
        b"\x1b",
        b"\xf0\x9f",
        b"\xff",
        b"\xed\xa0\xbd",
    ],
)
def test_what_is_no_character_of_xml_costs_no_notification(odd: bytes) -> None:
    """A name that was cut in the middle of an emoji, or pasted from elsewhere; the others of its message are read."""
    body = _message("opportunity_won", ("<sf:Name>", "<sf:Name>A@B")).replace(b"A@B", b"A" + odd + b"B")
    whole = read_message(_message("opportunity_won"))

    read = read_message(body)

    assert read.organization == whole.organization
    assert [note.id for note in read.notifications] == [note.id for note in whole.notifications]
    said = read.notifications[0].fields
    assert str(said.pop("Name")).startswith("A\ufffd")
    assert said == {name: value for name, value in whole.notifications[0].fields.items() if name != "Name"}


def test_a_body_that_is_no_xml_stays_none() -> None:
    for body in (b"\x00", b"&#0;", b"<a>\x0b", b"\xff\xfe", b"<a \x0b/>"):
        with pytest.raises(SoapError):
            read_message(body)


def test_a_field_of_another_place_is_none_of_a_record() -> None:
    body = _message(
        "opportunity_won", ("<sf:Name>", "<sf:Account><sf:StageName>Elsewhere</sf:StageName></sf:Account><sf:Name>")
    )

    (notification,) = read_message(body).notifications

    assert notification.fields["StageName"] == "Closed Won"
    assert notification.fields["Name"] == "Northwind & Sons - 120 seats"
    assert notification.type == "Opportunity"


# --- Outbound Messages ------------------------------------------------------------------------------------------------


def test_a_won_opportunity() -> None:
    record = _fold(_of_message(_message("opportunity_won")).changes)

    assert {name: record.get(name) for name in ("rep", "stage", "status", "amount", "currency", "closed_at")} == {
        "rep": REP, "stage": "Closed Won", "status": "won", "amount": "48500", "currency": "EUR", "closed_at": None,
    }  # fmt: skip
    assert {change.changed_at for change in _of_message(_message("opportunity_won")).changes} == {
        _at("2026-03-18T16:41:30Z")
    }


def test_a_message_without_a_notification_is_told_of() -> None:
    body = _message("opportunity_won", ("<Notification>", "\0tification>"), ("</Notification>", "\0Notification>"))

    parsed = parse(_connector(), body, headers=XML, received_at=LATER)

    assert [(problem.reason, problem.detail) for problem in parsed.problems] == [
        ("bad_shape", "body: holds no Notification")
    ]


def test_a_deal_closed_when_it_last_entered_a_closed_stage_not_at_its_close_date() -> None:
    body = _message(
        "opportunity_won",
        ("<sf:Name>", "<sf:LastStageChangeDate>2026-03-17T10:00:00.000Z</sf:LastStageChangeDate><sf:Name>"),
    )

    record = _fold(_of_message(body).changes)

    assert record.get("closed_at") == record.get("entered_stage_at") == _at("2026-03-17T10:00:00Z")


@pytest.mark.parametrize(("name", "count"), [("opportunity_batch", 3), ("opportunity_batch_100", 100)])
def test_all_notifications_are_read_at_the_instant_they_came(name: str, count: int) -> None:
    changes = _of_message(_message(name)).changes

    assert len({change.id for change in changes}) == count
    assert {change.changed_at for change in changes} == {LATER}
    assert {change.fields["status"] for change in changes} <= {"open", "won", "lost"}


def test_a_call_began_its_duration_before_it_was_logged_never_at_its_day() -> None:
    record = _fold(_of_message(_message("task_call")).changes)

    assert {name: record.get(name) for name in ("rep", "lead", "deal", "direction", "outcome", "talk_seconds")} == {
        "rep": REP, "lead": None, "deal": DEAL, "direction": "outbound", "outcome": "connected",
        "talk_seconds": 187_000_000,
    }  # fmt: skip
    assert record.get("dialed_at") == _at("2026-03-10T15:05:44Z") - 187_000_000
    completed = (
        "<sf:OwnerId>",
        "<sf:CompletedDateTime>2026-03-10T15:03:00.000+0000</sf:CompletedDateTime><sf:OwnerId>",
    )
    record = _fold(_of_message(_message("task_call", completed)).changes)
    assert record.get("dialed_at") == _at("2026-03-10T15:03:00Z") - 187_000_000


def test_a_call_that_is_planned_has_not_happened() -> None:
    record = _fold(_of_message(_message("task_call", (">Completed<", ">Not Started<"))).changes)

    assert [record.get(name) for name in ("direction", "dialed_at")] == [None, None]


@pytest.mark.parametrize(("subtype", "reason"), [("Email", "unknown_type"), ("Task", "unknown_type")])
def test_a_task_that_is_no_call_is_left_out(subtype: str, reason: str) -> None:
    parsed = _of_message(_message("task_call", (">Call</sf:TaskSubtype>", f">{subtype}</sf:TaskSubtype>")))

    assert (parsed.changes, parsed.ignored) == ([], {reason: 1})


def test_free_text_dispositions_are_what_the_connection_says_and_else_counted_by_word() -> None:
    odd = _message("task_call", (">Connected<", ">Sprach mit Einkauf<"))
    connector = _connector(outcomes={"sprach mit einkauf": "connected"})

    assert _fold(_of_message(odd, connector=connector).changes).get("outcome") == "connected"
    parsed = _of_message(odd)
    assert _fold(parsed.changes).get("outcome") is None
    assert parsed.unmapped == {("call", "outcome", "Sprach mit Einkauf"): 1}


def test_a_nil_clears_and_what_is_not_there_says_nothing() -> None:
    body = _message("opportunity_won", ("<sf:Amount>48500.0</sf:Amount>", '<sf:Amount xsi:nil="true"/>'))
    absent = _message("opportunity_won", ("<sf:Amount>48500.0</sf:Amount>", ""))

    assert _of_message(body).changes[0].fields["amount"] is None
    assert "amount" not in _of_message(absent).changes[0].fields


def test_one_bad_notification_does_not_spoil_the_others() -> None:
    body = _message("opportunity_batch", (">2000.0<", ">much<"))

    parsed = parse(_connector(), body, headers=XML, received_at=LATER)

    assert [(problem.reason, problem.index) for problem in parsed.problems] == [("bad_field", 1)]
    assert len({change.id for change in parsed.changes}) == 2


def test_a_record_that_was_gone_before_it_was_sent_says_nothing() -> None:
    body = _message("opportunity_batch")
    start, end = body.index(b"<sf:Amount>"), body.index(b"</sObject>")

    parsed = _of_message(body[:start] + body[end:])

    assert parsed.ignored == {"no_fields": 1}


# --- Change events ----------------------------------------------------------------------------------------------------


def _events(name: str) -> list[dict[str, Any]]:
    found = fixture(f"salesforce/cdc_{name}.json")
    return deepcopy(found if isinstance(found, list) else [found])


def test_an_opportunity_is_made_moved_and_won() -> None:
    events = [
        *_events("pubsub_opportunity_create"),
        *_events("cometd_opportunity_update"),
        *_events("pubsub_opportunity_won"),
    ]

    record = _record(*events)

    assert {name: record.get(name) for name in ("rep", "creator", "status", "amount", "closed_at", "created_at")} == {
        "rep": REP, "creator": REP, "status": "won", "amount": "48500", "closed_at": _at("2026-03-18T16:41:30Z"),
        "created_at": _at("2026-03-10T14:20:05Z"),
    }  # fmt: skip
    assert [entry[3] for entry in record.entries("stage")] == ["Prospecting", "Negotiation/Review", "Closed Won"]


def test_an_opportunity_that_is_reopened_was_closed_never_and_may_be_lost_then() -> None:
    won = _events("pubsub_opportunity_won")[0]
    back = _change(
        "Opportunity", {"StageName": "Proposal/Price Quote", "IsClosed": False, "IsWon": False}, type="UPDATE",
        at="2026-03-19T10:00:00Z",
    )  # fmt: skip
    lost = _change(
        "Opportunity", {"StageName": "Closed Lost", "IsClosed": True}, type="UPDATE", at="2026-03-20T10:00:00Z"
    )
    after_all = _change("Opportunity", {"IsWon": False}, type="UPDATE", at="2026-03-20T10:00:00Z")

    assert [_record(won, back).get(name) for name in ("status", "closed_at")] == ["open", None]
    assert _record(won, back, lost).get("status") == "lost"
    assert _record(won, after_all).get("status") == "lost"


def test_null_is_unchanged_unless_the_event_says_that_it_was_cleared() -> None:
    fields = {"Amount": None, "CurrencyIsoCode": None, "StageName": None}
    untouched = _change("Opportunity", fields, type="UPDATE", at="2026-03-12T00:00:00Z")
    cleared = _change("Opportunity", fields, type="UPDATE", at="2026-03-12T00:00:00Z", nulled=("Amount",))

    assert _parse(untouched).changes == []
    (change,) = _parse(cleared).changes
    assert change.fields == {"amount": None}


def test_one_event_may_be_of_many_records() -> None:
    changes = _parse(*_events("pubsub_merged_owner_change")).changes

    assert [change.id for change in changes] == [f"0065f000200000{place}AAA" for place in range(4)]
    assert {change.fields["rep"] for change in changes} == {"0055f00000GBZR4AAP"}


def test_of_one_commit_the_later_in_its_transaction_wins() -> None:
    first = _change("Opportunity", {"StageName": "Qualification"}, sequence=1)
    second = _change("Opportunity", {"StageName": "Needs Analysis"}, type="UPDATE", sequence=2)

    assert _record(first, second).get("stage") == "Needs Analysis"


def test_a_deletion_and_its_undoing() -> None:
    (gone,) = _events("pubsub_delete")
    id = gone["payload"]["ChangeEventHeader"]["recordIds"][0]
    back = _change("Opportunity", {"StageName": "Prospecting"}, type="UNDELETE", id=id, at="2026-04-01T00:00:00Z")

    assert _record(gone).is_deleted
    assert not _record(gone, back).is_deleted


def test_a_gap_is_a_record_to_be_looked_up() -> None:
    gap = _parse(*_events("pubsub_gap_update"))
    deleted = _parse(_change("Opportunity", {}, type="GAP_DELETE"))
    overflow = _parse(_change("Lead", {}, type="GAP_OVERFLOW", id="000000000000000AAA"))

    assert (gap.changes, gap.lookups, gap.ignored) == ([], [("Opportunity", DEAL)], {"needs_lookup": 1})
    assert deleted.changes[0].fields == {"deleted": True}
    assert overflow.lookups == [("Lead", "*")]


def test_a_converted_lead_is_the_lead_of_its_opportunity() -> None:
    events = _events("pubsub_lead_conversion")

    parsed = _parse(*events)
    lead = fold_all("lead", [change for change in parsed.changes if change.kind == "lead"])
    deal = fold_all("deal", [change for change in parsed.changes if change.kind == "deal"])

    assert lead.get("status") == "converted"
    assert deal.get("lead") == "00Q5f00000ZxYwVEAV"
    assert parsed.ignored["unknown_type"] == 2


def test_a_lead_is_assigned_by_the_commit_and_a_queue_is_nobody() -> None:
    lead = "00Q5f00000ZxYwVEAV"
    made = {"OwnerId": REP, "CreatedDate": _at("2026-03-10T14:00:00Z") // 1000, "Status": "Open - Not Contacted"}
    created = _change("Lead", made, id=lead)
    given = _change("Lead", {"OwnerId": "0055f00000GBZR4AAP"}, type="UPDATE", id=lead, at="2026-03-11T00:00:00Z")
    queued = _change("Lead", {"OwnerId": "00G5f000004XyZaEAK"}, type="UPDATE", id=lead, at="2026-03-12T00:00:00Z")

    assert _record(created).get("assigned_at") == _at("2026-03-10T14:00:00Z")
    assert _record(created, given).get("assigned_at") == _at("2026-03-11T00:00:00Z")
    third = _record(created, given, queued)
    assert [third.get(name) for name in ("rep", "assigned_at", "status")] == [None, None, "new"]


def test_a_lead_that_is_no_more_converted_is_what_its_status_says() -> None:
    lead = "00Q5f00000ZxYwVEAV"
    converted = _change("Lead", {"IsConverted": True, "Status": "Working"}, id=lead)
    undone = _change("Lead", {"IsConverted": False}, type="UPDATE", id=lead, at="2026-03-11T00:00:00Z")
    connector = _connector(statuses={"Working": "qualified"})

    assert _record(converted).get("status") == "converted"
    assert _record(converted, connector=connector).get("status") == "converted"
    assert _record(converted, undone, connector=connector).get("status") == "qualified"


def test_a_merged_lead_points_to_the_one_that_stays() -> None:
    lead, stays = "00Q5f00000ZxYwVEAV", "00Q5f00000ZxYwWEAV"

    merged = _change("Lead", {"MasterRecordId": stays[:15]}, type="UPDATE", id=lead, at="2026-03-11T00:00:00Z")

    assert _record(merged).get("merged_into") == whole_id(stays[:15])


def test_a_call_of_change_events() -> None:
    record = _record(*_events("pubsub_task_call_create"))

    assert record.get("dialed_at") == _at("2026-03-10T15:05:44Z") - 187_000_000
    assert [record.get(name) for name in ("direction", "outcome")] == ["outbound", "connected"]


def test_an_update_of_a_task_that_does_not_say_what_it_is_is_looked_up() -> None:
    parsed = _parse(_change("Task", {"Subject": "x", "OwnerId": REP}, type="UPDATE", id="00T5f00000AbCdEEAV"))

    assert parsed.lookups == [("Task", "00T5f00000AbCdEEAV")]


def test_a_voice_call_and_its_task_are_one_call_and_it_says_when() -> None:
    (task,) = _events("pubsub_task_call_create")
    voice = _change(
        "VoiceCall",
        {
            "ActivityId": "00T5f00000AbCdE", "CallStartDateTime": _at("2026-03-10T15:02:00Z") // 1000,
            "CallConnectDateTime": _at("2026-03-10T15:02:20Z") // 1000,
            "CallEndDateTime": _at("2026-03-10T15:05:27Z") // 1000, "CallType": "Outbound", "OwnerId": REP,
            "ToPhoneNumber": "+1 415 555 0100", "FromPhoneNumber": "+49 30 111",
        },
        id="0LQ5f000004XyZaGAK", at="2026-03-10T15:05:40Z",
    )  # fmt: skip

    record = _record(task, voice)

    assert record.get("dialed_at") == _at("2026-03-10T15:02:00Z")
    assert record.get("answered_at") == _at("2026-03-10T15:02:20Z")
    assert record.get("number") == "14155550100"


def test_a_mail_and_its_answer_are_one_thread() -> None:
    events = _events("pubsub_emailmessage_sent_and_reply")
    parsed = _parse(*events)
    sent, reply = (
        fold_all("email", [change for change in parsed.changes if change.id == id])
        for id in ("02s5f00000HjKlMAAV", "02s5f00000HjKlNAAV")
    )

    assert [mail.get("direction") for mail in (sent, reply)] == ["outbound", "inbound"]
    assert sent.get("sent_at") == _at("2026-03-10T15:20:00Z")
    assert sent.get("thread") == reply.get("thread")
    assert sent.get("rep") == REP
    assert [kind for kind, _ in parsed.lookups] == ["EmailMessage", "EmailMessage"]


def test_without_a_thread_a_mail_is_in_that_of_the_one_it_answers() -> None:
    events = _events("pubsub_emailmessage_sent_and_reply")
    for event in events:
        event["payload"]["ThreadIdentifier"] = None
        event["payload"]["ChangeEventHeader"]["changedFields"] = ["Incoming"]  # by name, so null is said
    parsed = _parse(*events)

    threads = {change.fields["thread"] for change in parsed.changes if "thread" in change.fields}

    assert threads == {"02s5f00000HjKlMAAV"}


def test_a_draft_is_no_mail() -> None:
    (event, _) = _events("pubsub_emailmessage_sent_and_reply")
    event["payload"]["Status"] = "5"

    assert [_record(event).get(name) for name in ("direction", "sent_at")] == [None, None]


MEETING = {
    "StartDateTime": _at("2026-03-12T17:00:00Z") // 1000, "DurationInMinutes": 30, "OwnerId": REP, "CreatedById": REP,
    "CreatedDate": _at("2026-03-10T15:30:00Z") // 1000, "IsChild": False, "GroupEventType": "1", "WhatId": DEAL,
}  # fmt: skip
EVENT_ID = "00U5f00000AbCdEEAV"


def test_a_meeting_is_scheduled_until_it_is_over() -> None:
    booked = _change("Event", MEETING, id=EVENT_ID, at="2026-03-10T15:30:00Z")
    edited = _change("Event", {**MEETING, "Subject": "x"}, id=EVENT_ID, type="UPDATE", at="2026-03-12T17:31:00Z")

    record = _record(booked)

    assert [record.get(name) for name in ("outcome", "starts_at", "ends_at", "booked_at", "deal", "booked_by")] == [
        "scheduled", _at("2026-03-12T17:00:00Z"), _at("2026-03-12T17:30:00Z"), _at("2026-03-10T15:30:00Z"), DEAL, REP,
    ]  # fmt: skip
    assert _record(booked, edited).get("outcome") == "held"


def _in_zone(zone: str) -> Connector:
    connection = read_connection({"kind": "salesforce", "secrets": list(SALESFORCE.secrets[:1]), **SALESFORCE.settings})
    connection.knows([], ZoneInfo(zone))
    return build_connector(connection)


@pytest.mark.parametrize(
    ("zone", "length", "begin", "end"),
    [
        ("America/Los_Angeles", {"DurationInMinutes": 1440}, "2026-03-12T07:00:00Z", "2026-03-13T07:00:00Z"),
        ("America/Los_Angeles", {"EndDateTime": "2026-03-12"}, "2026-03-12T07:00:00Z", "2026-03-13T07:00:00Z"),
        ("Asia/Tokyo", {"EndDateTime": "2026-03-13"}, "2026-03-11T15:00:00Z", "2026-03-13T15:00:00Z"),
        ("UTC", {}, "2026-03-12T00:00:00Z", "2026-03-13T00:00:00Z"),
    ],
)
def test_a_meeting_of_whole_days_is_of_days_of_the_organisation(
    zone: str, length: dict[str, Any], begin: str, end: str
) -> None:
    length = {name: _at(f"{day}T00:00:00Z") // 1000 if isinstance(day, str) else day for name, day in length.items()}
    told = {**MEETING, "StartDateTime": _at("2026-03-12T00:00:00Z") // 1000, "IsAllDayEvent": True}
    del told["DurationInMinutes"]
    event = _change("Event", told | length, id=EVENT_ID, at="2026-03-12T12:00:00Z")

    record = _record(event, connector=_in_zone(zone))

    assert [record.get(name) for name in ("starts_at", "ends_at", "outcome")] == [_at(begin), _at(end), "scheduled"]


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({"StartDateTime": _at("2026-03-12T00:00:00Z") // 1000}, [("Event", EVENT_ID)]),
        ({"IsAllDayEvent": False}, [("Event", EVENT_ID)]),
        ({"StartDateTime": _at("2026-03-12T17:00:00Z") // 1000}, []),
    ],
)
def test_an_edit_that_may_be_of_a_day_is_looked_up(changed: dict[str, Any], wanted: list[tuple[str, str]]) -> None:
    parsed = _parse(_change("Event", changed, id=EVENT_ID, type="UPDATE"))

    assert parsed.lookups == wanted


def test_the_field_that_the_connection_names_says_what_became_of_a_meeting() -> None:
    connector = _connector(outcomes_field="Outcome__c", outcomes={"Came": "held", "Stayed away": "no_show"})
    at = "2026-03-13T00:00:00Z"

    def outcome(word: str | None) -> Any:
        event = _change(
            "Event", {**MEETING, "Outcome__c": word}, id=EVENT_ID, at=at, nulled=() if word else ("Outcome__c",)
        )
        return _record(event, connector=connector).get("outcome")

    assert [outcome(word) for word in ("Came", "stayed away", "Other", None)] == [
        "held",
        "no_show",
        "scheduled",
        "scheduled",
    ]


@pytest.mark.parametrize("copy", [{"IsChild": True}, {"GroupEventType": "3"}])
def test_copies_and_series_are_no_meetings(copy: dict[str, Any]) -> None:
    assert _record(_change("Event", {**MEETING, **copy}, id=EVENT_ID)).is_deleted


def test_a_user_is_a_rep() -> None:
    record = _record(_change("User", {"Name": "Dana Okafor", "Email": "d@example.com", "IsActive": False}, id=REP))

    assert [record.get(name) for name in ("name", "email", "active")] == ["Dana Okafor", "d@example.com", False]


def test_fixtures_say_fields_of_ours() -> None:
    for path in sorted((FIXTURES / "salesforce").glob("cdc_*.json")):
        for change in _parse(*_events(path.stem.removeprefix("cdc_"))).changes:
            assert {name.partition("#")[0] for name in change.fields} <= {*FIELDS[change.kind], "deleted"}


@pytest.mark.parametrize(
    ("event", "detail"),
    [
        ({"payload": {}}, "ChangeEventHeader: is missing or not an object"),
        (_change("Opportunity", {}, id="x"), "recordIds: must be an id"),
        (_change("Opportunity", {"OwnerId": "x"}), "OwnerId: must be an id"),
        (_change("Opportunity", {"IsClosed": "maybe"}), "Opportunity: must be true or false"),
        (
            _change("Task", {"TaskSubtype": "Call", "CreatedDate": 5, "CallDurationInSeconds": "x"}),
            "Task: must be a number",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_read_is_told_by_its_member(event: Any, detail: str) -> None:
    (problem,) = parse(_connector(), [event], received_at=LATER).problems

    assert problem.detail.startswith(detail)


# --- Names in parts ---------------------------------------------------------------------------------------------------

PERSON_ID = "0055f000005mc66AAA"


def _person_event(type: str, name: Any, **header: list[str]) -> Parsed:
    payload = {
        "ChangeEventHeader": {
            "entityName": "User", "recordIds": [PERSON_ID], "changeType": type, "commitTimestamp": 1_773_852_090_000,
            "sequenceNumber": 1, "changedFields": [], "nulledFields": [], "diffFields": [], **header,
        },
        "Name": name,
        "Email": "ana@example.com",
    }  # fmt: skip
    body = orjson.dumps({"payload": payload})
    return SALESFORCE.connector().parse(Delivery("sf", NOW, {"content-type": "application/json"}, body))


def test_a_name_in_parts_is_one_name() -> None:
    parsed = _person_event("CREATE", {"Salutation": "Dr", "FirstName": "Ana", "MiddleName": None, "LastName": "Lim"})

    assert [change.fields["name"] for change in parsed.changes] == ["Ana Lim"]
    assert not parsed.problems


def test_a_part_of_a_name_alone_is_looked_up_and_the_rest_is_taken() -> None:
    parsed = _person_event("UPDATE", {"FirstName": None, "LastName": "Lim-Berg"}, changedFields=["0x4", "1-0x2"])

    assert parsed.lookups == [("User", PERSON_ID)]
    assert [dict(change.fields) for change in parsed.changes] == [{"email": "ana@example.com"}]


def test_a_part_of_a_name_that_was_cleared_is_looked_up() -> None:
    parsed = _person_event("UPDATE", None, changedFields=["0x4", "1-0x1"], nulledFields=["1-0x1"])

    assert parsed.lookups == [("User", PERSON_ID)]


def test_a_whole_new_name_is_taken() -> None:
    parsed = _person_event("UPDATE", {"FirstName": "Ana", "LastName": "Berg"}, changedFields=["0x4", "1-0x3"])

    assert [change.fields["name"] for change in parsed.changes] == ["Ana Berg"]
    assert not parsed.lookups


def test_a_name_that_was_cleared_is_cleared() -> None:
    parsed = _person_event("UPDATE", None, changedFields=["0x6"], nulledFields=["0x2"])

    assert [dict(change.fields) for change in parsed.changes] == [{"name": None, "email": "ana@example.com"}]


def test_a_message_that_says_a_record_is_not_deleted_brings_it_back() -> None:
    def saying(word: str, modified: str) -> list[RecordChange]:
        body = _message("opportunity_won", ("</sf:Id>", f"</sf:Id><sf:IsDeleted>{word}</sf:IsDeleted>"))
        stamped = re.sub(rb"(<sf:LastModifiedDate>)[^<]*", rb"\g<1>" + modified.encode(), body)
        return _of_message(stamped).changes

    gone, back = saying("true", "2026-03-19T10:00:00.000Z"), saying("false", "2026-03-20T10:00:00.000Z")

    assert _fold(gone).is_deleted
    assert not _fold([*back, *gone]).is_deleted
    assert _fold([*back, *gone]).get("status") == "won"


def test_a_planned_call_that_is_made_is_looked_up_for_its_direction() -> None:
    """It had none while it was planned, and an update says only what has changed."""
    (created,) = _events("pubsub_task_call_create")
    header = created["payload"]["ChangeEventHeader"]
    task = {"Status": "Completed", "CallDurationInSeconds": 60, "CallDisposition": "Connected"}

    def updated(**more: Any) -> list[tuple[str, str]]:
        return _parse({"payload": {"ChangeEventHeader": header | {"changeType": "UPDATE"}, **task, **more}}).lookups

    assert updated() == [("Task", header["recordIds"][0])]
    assert updated(CallType="Outbound") == []
    assert updated(Status="In Progress") == []


def test_a_message_of_a_lead_that_was_merged_away_says_into_which_one_though_it_is_deleted() -> None:
    gone = "<sf:IsDeleted>true</sf:IsDeleted>"
    merged = f"{gone}<sf:MasterRecordId>00Q5f00000AAAAAEA4</sf:MasterRecordId>"

    def of_lead(said: str) -> list[RecordChange]:
        named = ("sf:Opportunity", "sf:Lead")
        return _of_message(_message("opportunity_won", named, ("</sf:Id>", f"</sf:Id>{said}"))).changes

    for said, root in ((gone, None), (merged, "00Q5f00000AAAAAEA4")):
        record = fold_all("lead", of_lead(said))
        assert (record.is_deleted, record.get("merged_into")) == (True, root)

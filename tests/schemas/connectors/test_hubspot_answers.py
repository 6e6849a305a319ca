"""What an answer of HubSpot's API says of our records, and that it is what webhooks would have said."""

import json
from typing import Any

import pytest

from schemas.connectors import build_source, read_connection
from schemas.connectors.asking import Envelope, encode_envelope
from schemas.connectors.base import Parsed
from schemas.deliveries import ASKED_AT, BROUGHT_BY, LOOKUP
from schemas.instants import parse_instant
from schemas.records import Record, fold_all
from tests.schemas.connectors.cases import HUBSPOT, NOW, connect, fixture, parse

SECRET = HUBSPOT.secrets[:1]
API = {"token": "pat-token-1"}


def answer(object: str, *records: dict[str, Any], words: dict[str, str] | None = None, **settings: Any) -> Parsed:
    envelope = Envelope(object=object, records=records, words=words or {})
    headers = {BROUGHT_BY: LOOKUP, ASKED_AT: str(NOW)}
    connector = connect("hubspot", SECRET, api=API, **settings)
    return parse(connector, encode_envelope(envelope), headers=headers)


def told(kind: str, parsed: Parsed) -> Record:
    assert parsed.problems == []
    return fold_all(kind, parsed.changes)


def past(name: str, *entries: tuple[str, str]) -> dict[str, Any]:
    return {name: [{"value": value, "timestamp": at} for value, at in reversed(entries)]}


def test_a_deal_of_the_documents_is_read_with_its_past() -> None:
    deal = told("deal", answer("deals", fixture("hubspot/enrich_deal_won.json")))

    assert [(entry[0], entry[3]) for entry in deal.entries("stage")] == [
        (parse_instant("2026-03-17T09:10:00Z"), "contractsent"),
        (parse_instant("2026-03-18T16:41:30.512Z"), "closedwon"),
    ]
    assert (deal.get("status"), deal.get("amount"), deal.get("currency")) == ("won", "48500", "EUR")


def test_an_owner_is_a_rep_of_the_primary_team() -> None:
    rep = told("rep", answer("owners", fixture("hubspot/enrich_owner.json")))

    assert {name: rep.get(name) for name in ("name", "email", "team", "active")} == {
        "name": "Dana Okafor", "email": "dana.okafor@example.com", "team": "EMEA Mid-Market", "active": True,
    }  # fmt: skip


def test_an_owner_who_left_keeps_name_and_team() -> None:
    owner = fixture("hubspot/enrich_owner.json")
    parsed = answer("owners", owner)
    left = answer("owners", {**owner, "archived": True, "teams": [], "updatedAt": "2026-02-01T00:00:00Z"})
    rep = fold_all("rep", parsed.changes + left.changes)

    assert (rep.get("name"), rep.get("team"), rep.get("active")) == ("Dana Okafor", "EMEA Mid-Market", False)


def test_a_history_gives_the_changes_that_webhooks_give() -> None:
    history = past("dealstage", ("appointmentscheduled", "2026-03-10T08:00:00Z"), ("closedwon", "2026-03-11T08:00:00Z"))
    asked = answer("deals", {"id": "7", "propertiesWithHistory": history})
    events = [
        {"eventId": 5, "objectId": 7, "objectTypeId": "0-3", "subscriptionType": "object.propertyChange",
         "occurredAt": parse_instant(entry["timestamp"]) // 1000, "propertyName": "dealstage",
         "propertyValue": entry["value"]}
        for entry in history["dealstage"]
    ]  # fmt: skip

    assert {change.version for change in asked.changes} == {
        change.version for change in parse(connect("hubspot", SECRET), events).changes
    }


@pytest.mark.parametrize(("meaning", "status"), [("won", "won"), ("lost", "lost"), ("open", "open")])
def test_what_an_own_stage_is_the_pipeline_says(meaning: str, status: str) -> None:
    history = past("dealstage", ("77", "2026-03-10T08:00:00Z"))
    deal = told("deal", answer("deals", {"id": "7", "propertiesWithHistory": history}, words={"77": meaning}))

    assert deal.get("status") == status


def test_the_file_wins_over_what_the_pipeline_says() -> None:
    history = past("dealstage", ("77", "2026-03-10T08:00:00Z"))
    record = {"id": "7", "propertiesWithHistory": history}
    deal = told("deal", answer("deals", record, words={"77": "lost"}, stages={"77": {"status": "won"}}))

    assert deal.get("status") == "won"


def test_a_mail_that_was_sent_late_counts_from_then_on() -> None:
    def mail(*statuses: tuple[str, str]) -> dict[str, Any]:
        direction = past("hs_email_direction", ("EMAIL", "2026-03-10T08:00:00Z"))
        return {"id": "7", "propertiesWithHistory": {**direction, **past("hs_email_status", *statuses)}}

    planned, sent = ("SCHEDULED", "2026-03-10T08:00:00Z"), ("SENT", "2026-03-10T09:00:00Z")
    record = mail(planned, sent)

    assert told("email", answer("emails", record)).get("direction") == "outbound"
    assert told("email", answer("emails", mail(planned))).get("direction") is None


@pytest.mark.parametrize("more", [{"hs_sequence_id": "12"}, {"hs_object_source": "AUTOMATION_PLATFORM"}])
def test_what_nobody_sent_is_automated(more: dict[str, str]) -> None:
    record = {"id": "7", "properties": {"hs_email_direction": "EMAIL", **more}, "updatedAt": "2026-03-10T08:00:00Z"}

    assert told("email", answer("emails", record)).get("automated") is True


def test_every_contact_of_a_mail_is_told() -> None:
    record = {"id": "7", "associations": {"contacts": [{"id": "90", "types": [198]}, {"id": "8", "types": [198]}]}}
    mail = told("email", answer("emails", record, namespace="hs"))

    assert (mail.get("lead"), mail.get("contacts")) == ("hs:8", ["hs:8", "hs:90"])


def test_merges_are_known_from_what_the_record_that_stays_says() -> None:
    history = past("hs_merged_object_ids", ("5", "2026-03-10T08:00:00Z"), ("5;6", "2026-03-11T08:00:00Z"))
    parsed = answer("contacts", {"id": "7", "propertiesWithHistory": history})

    assert {(change.id, change.fields.get("merged_into")) for change in parsed.changes} == {("5", "7"), ("6", "7")}


def test_own_words_mean_what_the_file_says() -> None:
    record = {
        "id": "7",
        "updatedAt": "2026-03-10T08:00:00Z",
        "properties": {"hs_call_disposition": "OUR-own-guid", "hs_call_direction": "OUTBOUND"},
    }
    call = told("call", answer("calls", record, outcomes={"our-own-guid": "voicemail"}))

    assert call.get("outcome") == "voicemail"


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"object": 7}', b'{"object": "deals", "records": [{}]}', b'{"object": "deals", "records": [7]}',
     b'{"object":"deals","records":[{"id":"1","properties":{},"createdAt":"yesterday"}]}'],
)  # fmt: skip
def test_an_answer_that_cannot_be_read_is_a_problem_and_no_exception(body: bytes) -> None:
    connector = connect("hubspot", SECRET, api=API)
    parsed = parse(connector, body, headers={BROUGHT_BY: LOOKUP, ASKED_AT: "x" if not body else str(NOW)})

    assert parsed.changes == []
    assert parsed.problems


def test_who_posts_cannot_pass_for_an_answer() -> None:
    assert BROUGHT_BY not in connect("hubspot", SECRET, api=API).kept_headers


def test_without_an_api_nothing_is_asked_and_with_one_its_secret_is_never_shown() -> None:
    entry = {"kind": "hubspot", "secrets": list(SECRET), "public_url": "https://floor.example.com"}
    connection = read_connection({**entry, "api": API})

    assert build_source(read_connection(entry)) is None
    assert build_source(connection) is not None
    assert API["token"] not in repr(connection)


def test_lead_objects_are_leads_only_where_the_connection_says_so() -> None:
    event = {
        "eventId": 5, "objectId": 7, "objectTypeId": "0-136", "subscriptionType": "object.creation", "occurredAt": 1
    }  # fmt: skip

    assert parse(connect("hubspot", SECRET), [event]).ignored == {"unknown_type": 1}
    assert "needs_lookup" in parse(connect("hubspot", SECRET, api=API, leads="both"), [event]).ignored


@pytest.mark.parametrize(("direction", "number"), [("OUTBOUND", "4930111"), ("inbound", "4940222"), (None, None)])
def test_the_number_of_a_call_is_the_other_partys(direction: str | None, number: str | None) -> None:
    properties = {
        "hs_call_direction": direction,
        "hs_call_to_number": "+49 (30) 111",
        "hs_call_from_number": "0049 40 222",
        "hs_lastmodifieddate": "2026-03-18T09:00:00Z",
    }

    call = told("call", answer("calls", {"id": "71", "properties": properties}))

    assert call.get("number") == number


def test_an_event_of_a_number_is_looked_up_for_only_the_direction_says_whose_it_is() -> None:
    event = {
        "eventId": 7, "subscriptionType": "object.propertyChange", "objectTypeId": "0-48", "objectId": 71,
        "propertyName": "hs_call_to_number", "propertyValue": "+4930111", "occurredAt": NOW // 1000,
    }  # fmt: skip
    body = json.dumps([event]).encode()

    assert parse(connect("hubspot", SECRET, api=API), body).lookups == [("calls", "71")]
    assert parse(connect("hubspot", SECRET), body).changes == []


def test_a_contact_is_named_by_both_its_names_and_keeps_the_one_that_is_left() -> None:
    contact = {"id": "51", "createdAt": "2026-03-01T09:00:00Z", "updatedAt": "2026-03-02T09:00:00Z"}
    first = past("firstname", ("Ana", "2026-03-01T09:00:00Z"))
    last = past("lastname", ("Li", "2026-03-01T09:00:00Z"), ("Lim", "2026-03-02T09:00:00Z"))
    cleared = past("lastname", ("Lim", "2026-03-02T09:00:00Z"), ("", "2026-03-03T09:00:00Z"))

    whole = answer("contacts", contact | {"propertiesWithHistory": first | last})
    half = answer("contacts", contact | {"propertiesWithHistory": first | cleared})

    assert told("lead", whole).get("name") == "Ana Lim"
    assert fold_all("lead", half.changes + whole.changes).get("name") == "Ana"


def test_an_event_of_a_part_of_a_name_is_looked_up() -> None:
    event = {
        "eventId": 7, "subscriptionType": "contact.propertyChange", "objectId": 51, "propertyName": "firstname",
        "propertyValue": "Ana", "occurredAt": NOW // 1000,
    }  # fmt: skip

    assert parse(connect("hubspot", SECRET, api=API), [event]).lookups == [("contacts", "51")]
    assert parse(connect("hubspot", SECRET), [event]).unknown == {("lead", "firstname"): 1}

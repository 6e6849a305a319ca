"""Pipedrive's basic auth, and what its events say of our records."""

import base64
import itertools
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.connectors import read_connection
from schemas.connectors.base import Connector, Parsed, SignatureError
from schemas.instants import DAY, parse_instant
from schemas.records import FIELDS, Record, fold_all, with_places
from tests.schemas.connectors.cases import NOW, PIPEDRIVE, connect, fixture, parse

LATER = NOW + 30 * DAY
BASIC = next(vector for vector in fixture("vectors.json")["vectors"] if vector["scheme"] == "http-basic")


def _at(text: str) -> int:
    return parse_instant(text)


def _event(
    name: str, *, data: dict[str, Any] | None = None, before: dict[str, Any] | None = None, at: str | None = None,
    **meta: Any,
) -> dict[str, Any]:  # fmt: skip
    found: dict[str, Any] = deepcopy(fixture(f"pipedrive/{name}.json"))
    if data is not None:
        found["data"] |= data
    if before is not None:
        found["previous"] = before
    found["meta"] |= meta | ({} if at is None else {"timestamp": at})
    return found


def _parse(*events: Any, connector: Connector | None = None) -> Parsed:
    parsed = parse(connector or PIPEDRIVE.connector(), list(events), received_at=LATER)
    assert parsed.problems == []
    return parsed


def _records(*events: Any, connector: Connector | None = None) -> dict[str, Record]:
    """Their records by kind, whatever the order in which they come."""
    deliveries = [with_places(_parse(event, connector=connector).changes) for event in events]
    found: list[dict[str, Record]] = []
    for order in itertools.islice(itertools.permutations(deliveries), 24):
        changes = [change for one in order for change in one]
        kinds = sorted({change.kind for change in changes})
        found.append({kind: fold_all(kind, [each for each in changes if each.kind == kind]) for kind in kinds})
    assert len({tuple(record.encode() for record in records.values()) for records in found}) == 1
    return found[0]


def _record(*events: Any, connector: Connector | None = None) -> Record:
    (record,) = _records(*events, connector=connector).values()
    return record


# --- Basic auth -------------------------------------------------------------------------------------------------------


def test_the_vector_of_basic_auth_is_taken() -> None:
    secret = f"{BASIC['user']}:{BASIC['password']}"
    request = PIPEDRIVE.request()
    headers = {**request.headers, "authorization": BASIC["signature"]}

    connect("pipedrive", [secret]).verify(replace(request, headers=headers), NOW)


@pytest.mark.parametrize(
    "given",
    ["", "Basic", "Basic !", "Bearer " + base64.b64encode(b"u:p").decode(), "Basic \u20ac", "Basic dTpw", "u:password"],
)
def test_anything_else_is_refused(given: str) -> None:
    request = PIPEDRIVE.request()

    with pytest.raises(SignatureError, match=r"^authorization: "):
        PIPEDRIVE.connector().verify(replace(request, headers={**request.headers, "authorization": given}), NOW)


@pytest.mark.parametrize("secret", ["password-alone", ":password", "user:", "user:short"])
def test_a_secret_is_user_and_password(secret: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        read_connection({"kind": "pipedrive", "secrets": [secret]})

    assert refusal.value.errors()[0]["loc"][-2:] == ("secrets", 0)


def test_the_header_is_not_kept() -> None:
    assert PIPEDRIVE.connector().kept_headers == {"content-type"}


# --- Deals ------------------------------------------------------------------------------------------------------------


def test_a_deal_is_made_moved_and_won() -> None:
    record = _record(_event("v2_deal_create"), _event("v2_deal_stage_change"), _event("v2_deal_won"))

    assert {name: record.get(name) for name in ("rep", "creator", "pipeline", "status", "amount", "currency")} == {
        "rep": "12415231", "creator": "12415231", "pipeline": "1", "status": "won", "amount": "48500",
        "currency": "EUR",
    }  # fmt: skip
    assert record.get("created_at") == _at("2026-03-10T14:20:05Z")
    assert record.get("closed_at") == _at("2026-03-18T16:41:30Z")
    assert [entry[3] for entry in record.entries("stage")] == ["1", "2", "4"]


def test_a_stage_is_entered_when_it_was_changed_not_when_it_is_told() -> None:
    assert _record(_event("v2_deal_create")).get("entered_stage_at") == _at("2026-03-10T14:20:05Z")
    assert _record(_event("v2_deal_stage_change")).get("entered_stage_at") == _at("2026-03-11T09:00:00Z")


def test_a_deal_that_is_touched_ever_so_often_keeps_the_entry_of_its_stage() -> None:
    """Each activity of a deal changes it, and one that has never moved says no instant. The API knows when it did."""
    connector = connect("pipedrive", PIPEDRIVE.secrets, api={"company": "acme", "token": "0123456789abcdef"})
    touched = [_event("v2_deal_owner_change", at=f"2026-03-21T08:{minute:02}:00Z") for minute in range(60)]
    touched += [_event("v2_deal_owner_change", at=f"2026-03-21T09:{minute:02}:00Z") for minute in range(10)]
    told = _parse(_event("v2_deal_create"), *touched, connector=connector).changes

    record = fold_all("deal", told)
    assert [entry[0] for entry in record.entries("stage")] == [_at("2026-03-10T14:20:05Z")]
    moved = _record(_event("v2_deal_create"), _event("v2_deal_stage_change"), connector=connector)
    assert [entry[3] for entry in moved.entries("stage")] == ["1", "2"]


def test_a_lost_deal_closed_when_it_was_lost() -> None:
    record = _record(_event("v2_deal_lost"))

    assert [record.get(name) for name in ("status", "closed_at")] == ["lost", _at("2026-03-19T10:00:00Z")]


def test_a_deal_that_is_open_again_was_closed_never() -> None:
    back = _event(
        "v2_deal_won", at="2026-03-19T08:00:00.000Z", before={"status": "won"},
        data={"status": "open", "won_time": None, "close_time": None, "first_won_time": "2026-03-18T16:41:30Z"},
    )  # fmt: skip

    record = _record(_event("v2_deal_won"), back)

    assert [record.get(name) for name in ("status", "closed_at")] == ["open", None]


def test_an_edit_of_a_won_deal_does_not_move_its_closing() -> None:
    edited = _event("v2_deal_won", at="2026-04-02T08:00:00.000Z", before={"title": "x"})

    assert _record(_event("v2_deal_won"), edited).get("closed_at") == _at("2026-03-18T16:41:30Z")


def test_the_stage_decides_an_open_deal_where_the_connection_says_so() -> None:
    connector = connect("pipedrive", PIPEDRIVE.secrets[:1], stages={"2": {"name": "Signed", "status": "won"}})

    assert _record(_event("v2_deal_stage_change"), connector=connector).get("status") == "won"
    assert _record(_event("v2_deal_stage_change")).get("status") == "open"


def test_a_change_of_owner_is_of_the_new_one() -> None:
    assert _record(_event("v2_deal_create"), _event("v2_deal_owner_change")).get("rep") == "12415999"


@pytest.mark.parametrize("data", [{"is_deleted": True}, {"status": "deleted"}])
def test_a_deal_that_says_it_is_deleted_is(data: dict[str, Any]) -> None:
    assert _record(_event("v2_deal_create"), _event("v2_deal_stage_change", data=data)).is_deleted


def test_a_deletion_takes_the_deal_away_and_a_merge_points_it_to_the_other() -> None:
    (gone,) = _parse(_event("v2_deal_delete")).changes
    (merged,) = _parse(_event("v2_deal_delete", merged_to_id=750)).changes
    stays, loser = _parse(_event("v2_deal_stage_change", merged_from_id="748")).changes

    assert (gone.id, gone.fields) == ("748", {"deleted": True})
    assert (merged.id, merged.fields) == ("748", {"deleted": True, "merged_into": "750"})
    assert (stays.id, loser.id, loser.fields) == ("746", "748", {"merged_into": "746"})


# --- Leads ------------------------------------------------------------------------------------------------------------


def test_a_lead_is_assigned_when_its_owner_changes() -> None:
    created, assigned = _event("v2_lead_create"), _event("v2_lead_assigned")
    edited = _event("v2_lead_assigned", at="2026-03-11T00:00:00.000Z", before={"title": "x"})

    first, second = _record(created), _record(created, assigned, edited)

    assert (first.get("rep"), first.get("assigned_at")) == ("12415231", _at("2026-03-10T14:02:11.675Z"))
    assert (second.get("rep"), second.get("assigned_at")) == ("12415999", _at("2026-03-10T14:10:00Z"))
    assert second.get("received_at") == _at("2026-03-10T14:02:11.675Z")
    assert second.get("source") == "Manually created"


def test_a_lead_without_owner_is_assigned_to_nobody() -> None:
    cleared = _event(
        "v2_lead_assigned", at="2026-03-12T00:00:00.000Z", data={"owner_id": None}, before={"owner_id": 12415999}
    )

    record = _record(_event("v2_lead_create"), _event("v2_lead_assigned"), cleared)

    assert (record.get("rep"), record.get("assigned_at")) == (None, None)


def test_labels_and_the_archive_are_statuses_where_the_connection_says_so() -> None:
    connector = connect("pipedrive", PIPEDRIVE.secrets[:1], statuses={"l-1": "qualified", "archived": "disqualified"})
    hot = _event("v2_lead_assigned", data={"label_ids": ["l-0", "l-1"]})
    away = _event("v2_lead_assigned", data={"is_archived": True})

    assert _record(hot, connector=connector).get("status") == "qualified"
    assert _record(away, connector=connector).get("status") == "disqualified"
    assert _record(_event("v2_lead_create"), connector=connector).get("status") is None
    assert _parse(away).unmapped == {("lead", "status", "archived"): 1}


# --- Activities -------------------------------------------------------------------------------------------------------


def test_a_planned_call_is_none_until_it_is_done_and_its_plan_is_never_talk() -> None:
    planned, done = _event("v2_activity_create_call_planned"), _event("v2_activity_call_done")

    before, after = _record(planned), _record(planned, done)

    assert [before.get(name) for name in ("direction", "dialed_at")] == [None, None]
    assert [after.get(name) for name in ("rep", "deal", "direction")] == ["12415231", "746", "outbound"]
    assert after.get("dialed_at") == _at("2026-03-10T15:01:00Z")
    assert not {"talk_seconds", "answered_at", "ended_at", "outcome"} & after.fields.keys()


def test_a_call_that_is_no_more_done_never_happened() -> None:
    back = _event("v2_activity_call_done", at="2026-03-10T16:00:00.000Z", data={"done": False}, before={"done": True})

    record = _record(_event("v2_activity_call_done"), back)

    assert [record.get(name) for name in ("direction", "dialed_at")] == [None, None]


def test_a_call_without_a_time_happened_when_it_was_marked_as_done() -> None:
    for due_time in (None, {"timezone_id": None, "value": ""}):
        marked = {"due_time": due_time, "marked_as_done_time": "2026-03-10 15:05:59"}
        assert _record(_event("v2_activity_call_done", data=marked)).get("dialed_at") == _at("2026-03-10T15:05:59Z")
        unmarked = _event("v2_activity_call_done", data={"due_time": due_time})
        assert _record(unmarked).get("dialed_at") == _at("2026-03-10T15:06:02.375Z")


def test_a_call_that_was_done_on_an_earlier_day_happened_then_and_no_edit_moves_it() -> None:
    early = _event("v2_activity_call_done", data={"due_date": "2026-03-20"})
    edited = _event(
        "v2_activity_call_done", data={"due_date": "2026-03-20"}, before={"subject": "x"}, at="2026-03-12T00:00:00.000Z"
    )

    assert _record(early).get("dialed_at") == _at("2026-03-10T15:06:02.375Z")
    assert _record(early, edited).get("dialed_at") == _at("2026-03-10T15:06:02.375Z")


def test_a_done_call_whose_time_is_corrected_happened_then() -> None:
    moved = _event(
        "v2_activity_call_done", data={"due_time": {"value": "14:00"}}, before={"due_time": {"value": "15:01:00"}},
        at="2026-03-10T17:00:00.000Z",
    )  # fmt: skip

    assert _record(_event("v2_activity_call_done"), moved).get("dialed_at") == _at("2026-03-10T14:00:00Z")


def test_a_meeting_is_scheduled_then_held() -> None:
    booked = _event("v2_activity_meeting_booked")
    moved = _event(
        "v2_activity_meeting_booked", data={"due_date": "2026-03-13"}, before={"due_date": "2026-03-12"},
        at="2026-03-11T00:00:00.000Z", action="change",
    )  # fmt: skip
    held = _event(
        "v2_activity_meeting_booked", data={"due_date": "2026-03-13", "done": True}, before={"done": False},
        at="2026-03-13T18:00:00.000Z", action="change",
    )  # fmt: skip

    record = _record(booked, moved)
    assert [record.get(name) for name in ("outcome", "starts_at", "ends_at")] == [
        "scheduled", _at("2026-03-13T17:00:00Z"), _at("2026-03-13T17:30:00Z"),
    ]  # fmt: skip
    assert record.get("booked_at") == _at("2026-03-10T15:05:44Z")
    assert _record(booked, moved, held).get("outcome") == "held"


def test_types_of_the_connection_say_what_an_activity_is() -> None:
    connector = connect("pipedrive", PIPEDRIVE.secrets[:1], types={"demo": "meeting", "sms": "email", "visit": "demo"})

    def kinds(type: str) -> set[str]:
        event = _event("v2_activity_meeting_booked", data={"type": type})
        return {change.kind for change in _parse(event, connector=connector).changes}

    assert [kinds(type) for type in ("demo", "sms", "visit", "call", "task")] == [
        {"meeting"}, {"email"}, {"meeting"}, {"call"}, set(),
    ]  # fmt: skip
    task = _parse(_event("v2_activity_meeting_booked", data={"type": "task"}))
    assert task.unmapped == {("activity", "type", "task"): 1}


def test_an_activity_whose_type_changes_is_one_record_at_a_time() -> None:
    call = _event("v2_activity_call_done")
    meeting = _event(
        "v2_activity_call_done", data={"type": "meeting"}, before={"type": "call"}, at="2026-03-10T16:00:00.000Z"
    )
    again = _event("v2_activity_call_done", before={"type": "meeting"}, at="2026-03-10T17:00:00.000Z")

    moved, back = _records(call, meeting), _records(call, meeting, again)

    assert {kind: record.is_deleted for kind, record in moved.items()} == {"call": True, "meeting": False}
    assert {kind: record.is_deleted for kind, record in back.items()} == {"call": False, "meeting": True}


@pytest.mark.parametrize(
    ("before", "kinds"), [({"type": "meeting"}, {"meeting"}), (None, {"call", "email", "meeting"})]
)
def test_a_deleted_activity_is_none_of_our_records(before: Any, kinds: set[str]) -> None:
    gone = _event("v2_activity_call_done", action="delete")
    gone |= {"data": None, "previous": before}

    changes = _parse(gone).changes

    assert {change.kind for change in changes} == kinds
    assert all(change.fields == {"deleted": True} for change in changes)


def test_the_deletion_of_what_was_no_record_of_ours_is_counted() -> None:
    gone = _event("v2_activity_call_done", action="delete")
    gone |= {"data": None, "previous": {"type": "task"}}

    assert _parse(gone).ignored == {"no_fields": 1}


# --- Users and version 1 ----------------------------------------------------------------------------------------------


def test_a_user_is_a_rep() -> None:
    event = _event("v2_deal_create", entity="user", entity_id="12415231")
    event["data"] = {"id": 12415231, "name": "Dana Okafor", "email": "d@example.com", "active_flag": True}
    gone = _event("v2_deal_create", entity="user", entity_id="12415231", action="delete", at="2026-03-11T00:00:00.000Z")

    record = _record(event, gone)

    assert [record.get(name) for name in ("name", "active")] == ["Dana Okafor", False]


def test_version_1_says_the_same() -> None:
    (change,) = _parse(fixture("pipedrive/v1_updated_deal.json")).changes

    assert (change.kind, change.id, change.changed_at) == ("deal", "746", 1773852090322662)
    assert {name: change.fields[name] for name in ("rep", "stage", "status", "closed_at", "amount")} == {
        "rep": "12415231", "stage": "4", "status": "won", "closed_at": _at("2026-03-18T16:41:30Z"), "amount": "48500",
    }  # fmt: skip


def test_an_activity_of_version_1_is_read() -> None:
    event = {
        "v": 1, "event": "updated.activity", "retry": 0,
        "meta": {"v": 1, "action": "updated", "object": "activity", "id": 5, "timestamp": 1773852090},
        "current": {
            "id": 5, "type": "call", "done": True, "due_date": "2026-03-18", "due_time": "16:00", "duration": "00:30",
            "user_id": 7, "deal_id": 746, "marked_as_done_time": "2026-03-18 16:41:30",
        },
        "previous": {"id": 5, "type": "call", "done": False, "due_date": "2026-03-18", "user_id": 7},
    }  # fmt: skip

    record = _record(event)

    assert [record.get(name) for name in ("rep", "direction", "dialed_at")] == [
        "7",
        "outbound",
        _at("2026-03-18T16:00:00Z"),
    ]


def test_fixtures_say_fields_of_ours() -> None:
    for name in (
        "v2_deal_create",
        "v2_deal_won",
        "v2_lead_create",
        "v2_activity_call_done",
        "v2_activity_meeting_booked",
    ):
        for change in _parse(_event(name)).changes:
            assert change.fields.keys() <= FIELDS[change.kind].keys()


@pytest.mark.parametrize(
    ("event", "detail"),
    [
        ({"meta": 5}, "meta: is missing or not an object"),
        (_event("v2_deal_won", entity=5), "entity: is missing or not text"),
        (_event("v2_deal_won", timestamp="now"), "meta.timestamp: is not an RFC 3339"),
        (_event("v2_deal_won", entity_id=None), "meta.entity_id: is missing or not an id"),
        (_event("v2_deal_won") | {"data": None}, "data: is missing"),
        (_event("v2_deal_won") | {"data": [1]}, "data: must be an object"),
        (_event("v2_deal_won", data={"value": "much"}), "fields.amount: must be a number"),
        (_event("v2_activity_call_done", data={"due_time": "noon"}), "done: must be a time such as 15:01:00"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_read_is_told_by_its_member(event: Any, detail: str) -> None:
    (problem,) = parse(PIPEDRIVE.connector(), [event], received_at=LATER).problems

    assert problem.detail.startswith(detail)


@pytest.mark.parametrize(
    ("name", "was", "kind"),
    [
        ("v2_deal_stage_change", {"is_deleted": True}, "deal"),
        ("v2_deal_stage_change", {"status": "deleted"}, "deal"),
        ("v2_activity_call_done", {"active_flag": False}, "call"),
    ],
)
def test_what_is_restored_is_there_again_and_stays_so_when_it_is_edited(
    name: str, was: dict[str, Any], kind: str
) -> None:
    gone = _event(name, action="delete", at="2026-03-19T10:00:00.000Z")
    gone["data"] = None
    gone["previous"] = {"type": "call"} if kind == "call" else {}
    back = _event(name, before=was, data={"is_deleted": False}, at="2026-03-20T10:00:00.000Z")
    edited = _event(name, before={"subject": "x"}, at="2026-03-21T10:00:00.000Z")

    assert _records(gone)[kind].is_deleted
    assert not _records(gone, back)[kind].is_deleted
    assert not _records(gone, back, edited)[kind].is_deleted


def test_a_timestamp_in_seconds_is_read_too() -> None:
    event = _event("v2_deal_won")
    event["meta"]["timestamp"] = 1773852090

    assert [change.changed_at for change in _parse(event).changes] == [_at("2026-03-18T16:41:30Z")]


def test_a_match_is_remarked_as_no_activity_names_a_telephone_number() -> None:
    entry = {"kind": "pipedrive", "secrets": ["user:password"]}
    match = {"calls": {"with": "air", "within": "90s"}}

    assert read_connection(entry).remarks() == {}
    assert read_connection({**entry, "match": match}).remarks() == {
        "match": "Pipedrive's activities name no telephone number, so no call matches but those of files"
    }

"""Zoho's token, and what its notifications and records say."""

import itertools
from copy import deepcopy
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from schemas.connectors import build_connector, read_connection
from schemas.connectors.asking import HISTORY, Envelope, encode_envelope
from schemas.connectors.base import Connector, Parsed
from schemas.deliveries import ASKED_AT, BROUGHT_BY, LOOKUP, Delivery
from schemas.instants import DAY, HOUR, SECOND, parse_instant
from schemas.records import FIELDS, Record, RecordChange, fold_all, with_places
from tests.schemas.connectors.cases import NOW, ZOHO, connect, fixture, parse

LATER = NOW + 30 * DAY
DEAL, LEAD = "5725767000003000010", "5725767000002990011"


def _at(text: str) -> int:
    return parse_instant(text)


def _connector(**more: Any) -> Connector:
    return connect("zoho", ZOHO.secrets[:1], **{**ZOHO.settings, **more})


def _event(name: str, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = deepcopy(fixture(f"zoho/notification_{name}.json"))
    return found | more


def _values(module: str, values: dict[str, Any], *, id: str = DEAL, at: int = 1773852091250) -> dict[str, Any]:
    return _event(
        "deal_update_with_values", module=module, ids=[id], affected_fields=list(values), server_time=at,
        affected_values=[{"record_id": id, "values": values}],
    )  # fmt: skip


def _parse(*events: Any, connector: Connector | None = None) -> Parsed:
    parsed = parse(connector or _connector(), list(events), received_at=LATER)
    assert parsed.problems == []
    return parsed


def _record(*events: Any, connector: Connector | None = None) -> Record:
    """Their record, whatever the order in which they come."""
    deliveries = [with_places(_parse(event, connector=connector).changes) for event in events]
    orders = itertools.islice(itertools.permutations(deliveries), 24)
    records = [fold_all(deliveries[0][0].kind, [change for one in order for change in one]) for order in orders]
    assert len({record.encode() for record in records}) == 1
    return records[0]


def _answer(envelope: Envelope, *, connector: Connector | None = None) -> Parsed:
    headers = {"content-type": "application/json", BROUGHT_BY: LOOKUP, ASKED_AT: str(LATER)}
    parsed = (connector or _connector()).parse(Delivery("crm", LATER, headers, encode_envelope(envelope)))
    assert parsed.problems == []
    return parsed


def _looked_up(module: str, name: str, *, connector: Connector | None = None, **more: Any) -> Record:
    (record,) = fixture(f"zoho/enrich_{name}.json")["data"]
    changes = _answer(Envelope(object=module, records=[record | more]), connector=connector).changes
    return fold_all(changes[0].kind, changes)


@pytest.mark.parametrize(
    ("api", "field"),
    [
        (None, "api"),
        ({}, "client_id"),
        (ZOHO.settings["api"] | {"region": "mars"}, "region"),
        (ZOHO.settings["api"] | {"url": "http://crm.example.com"}, "url"),
        (ZOHO.settings["api"] | {"url": "https://crm.example.com/crm/v8"}, "url"),
        (ZOHO.settings["api"] | {"accounts_url": "ftp://x"}, "accounts_url"),
        (ZOHO.settings["api"] | {"refresh_token": ""}, "refresh_token"),
    ],
)
def test_what_is_wrong_with_the_settings_is_told_by_its_field(api: Any, field: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        read_connection({"kind": "zoho", "secrets": ["tok_9f2c_sales"], **({} if api is None else {"api": api})})

    assert field in refusal.value.errors()[0]["loc"]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9000", "http://[::1]:9000", "http://localhost:9000", "https://x.example/"]
)
def test_an_address_may_be_of_this_machine_without_tls(url: str) -> None:
    assert read_connection({"kind": "zoho", "secrets": ["tok_9f2c_sales"], "api": ZOHO.settings["api"] | {"url": url}})


def test_no_secret_is_shown_of_the_settings() -> None:
    api = ZOHO.settings["api"] | {"client_secret": "canary-1", "refresh_token": "canary-2"}

    assert "canary" not in repr(read_connection({"kind": "zoho", "secrets": ["tok_canary_one"], "api": api}))


def test_values_of_a_notification_are_said_at_its_instant() -> None:
    (change,) = _parse(_event("deal_update_with_values")).changes

    assert (change.kind, change.id, change.changed_at) == ("deal", DEAL, 1773852091250000)
    assert {name: change.fields[name] for name in ("stage", "status", "amount")} == {
        "stage": "Closed Won", "status": "won", "amount": "48500",
    }  # fmt: skip


def test_values_that_are_all_that_changed_need_no_look_up() -> None:
    assert _parse(_values("Deals", {"Stage": "Qualification", "Amount": 5})).lookups == []
    assert _parse(_values("Deals", {"Stage": "Closed Won", "Amount": 5})).lookups == [("Deals", DEAL)]
    more = _event("deal_update_with_values", affected_fields=["Stage", "Amount", "Owner"])
    assert _parse(more).lookups == [("Deals", DEAL)]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("deal_update_ids_only", ("Deals", DEAL)),
        ("lead_insert", ("Leads", LEAD)),
        ("call_insert", ("Calls", "5725767000003100001")),
    ],
)
def test_an_id_alone_is_noted_for_a_look_up_and_counted(name: str, wanted: tuple[str, str]) -> None:
    parsed = _parse(_event(name))

    assert parsed.changes == []
    assert parsed.lookups == [wanted]
    assert parsed.ignored == {"needs_lookup": 1}


def test_all_ids_of_a_notification_are_read() -> None:
    event = _event(
        "deal_update_with_values", ids=["1", "2", "3", "2"],
        affected_values=[{"record_id": id, "values": {"Amount": 5, "Stage": "Qualification"}} for id in ("1", "3")],
    )  # fmt: skip

    parsed = _parse(event)

    assert [change.id for change in parsed.changes] == ["1", "3"]
    assert parsed.lookups == [("Deals", "2")]


def test_a_deletion_takes_each_record_away() -> None:
    changes = _parse(_event("deal_delete", ids=["1", "2"])).changes

    assert [(change.id, change.fields) for change in changes] == [("1", {"deleted": True}), ("2", {"deleted": True})]


def test_a_stage_that_is_open_again_was_closed_never() -> None:
    back = _values("Deals", {"Stage": "Negotiation/Review"}, at=1773938491250)

    record = _record(_event("deal_update_with_values"), back)

    assert [record.get(name) for name in ("status", "closed_at")] == ["open", None]


def test_stages_are_what_the_connection_says_then_their_probability_then_the_usual_labels() -> None:
    connector = _connector(stages={"Signed": {"status": "won"}, "Closed Won": {"status": "open"}})

    def status(values: dict[str, Any]) -> Any:
        return _record(_values("Deals", values), connector=connector).get("status")

    assert [status({"Stage": stage}) for stage in ("Signed", "Closed Won", "Closed Lost", "closed lost")] == [
        "won", "open", "lost", "lost",
    ]  # fmt: skip
    assert [status({"Stage": "Ours", "Probability": chance}) for chance in (100, 0, 40)] == ["won", "lost", "open"]
    parsed = _parse(_values("Deals", {"Stage": "Ours"}), connector=connector)
    assert parsed.unmapped == {("deal", "status", "Ours"): 1}


def test_a_lead_is_assigned_when_its_owner_changed_and_converted_when_it_says_so() -> None:
    given = _values("Leads", {"Owner": {"id": "7"}, "Lead_Status": "Not Contacted"}, id=LEAD)
    converted = _values("Leads", {"$converted": True}, id=LEAD, at=1773938491250)

    record = _record(given, converted)

    assert (record.get("rep"), record.get("assigned_at")) == ("7", 1773852091250000)
    assert record.get("status") == "converted"
    assert _record(given).get("status") == "new"


def test_statuses_of_the_connection_win() -> None:
    event = _values("Leads", {"Lead_Status": "Junk Lead"}, id=LEAD)

    assert _record(event, connector=_connector(statuses={"junk lead": "new"})).get("status") == "new"


def test_a_call_that_was_looked_up() -> None:
    record = _looked_up("Calls", "call")

    assert {name: record.get(name) for name in ("rep", "deal", "lead", "direction", "outcome", "talk_seconds")} == {
        "rep": "5725767000000411001", "deal": DEAL, "lead": None, "direction": "outbound", "outcome": "connected",
        "talk_seconds": 187_000_000,
    }  # fmt: skip
    assert record.get("dialed_at") == _at("2026-03-10T15:01:30Z")


@pytest.mark.parametrize(("type", "number"), [("Outbound", "4930111"), ("Inbound", "4940222"), ("Missed", "4940222")])
def test_the_number_of_a_call_is_the_other_partys(type: str, number: str) -> None:
    call = _looked_up("Calls", "call", Call_Type=type, Dialled_Number="+49 30 111", Caller_ID="004940222")

    assert call.get("number") == number


def test_outcomes_of_calls_are_the_organisations_own_pick_list() -> None:
    connector = _connector(outcomes={"Interested": "no_answer"})

    assert _looked_up("Calls", "call", connector=connector).get("outcome") == "no_answer"


def test_a_missed_call_came_in_and_a_planned_one_has_not_happened() -> None:
    missed = _looked_up("Calls", "call", Call_Type="Missed", Call_Result=None, Outgoing_Call_Status=None)
    planned = _looked_up("Calls", "call", Outgoing_Call_Status="Scheduled", Call_Result=None)

    assert [missed.get(name) for name in ("direction", "outcome")] == ["inbound", "no_answer"]
    assert [planned.get(name) for name in ("direction", "dialed_at")] == [None, None]


def test_a_meeting_has_no_outcome_but_by_the_field_that_the_connection_names() -> None:
    connector = _connector(outcomes_field="Outcome", outcomes={"Came": "held"})

    record = _looked_up("Events", "event")
    assert [record.get(name) for name in ("outcome", "starts_at", "booked_at")] == [
        "scheduled", _at("2026-03-12T17:00:00Z"), _at("2026-03-10T15:30:00Z"),
    ]  # fmt: skip
    assert _looked_up("Events", "event", connector=connector, Outcome="came").get("outcome") == "held"
    assert _record(_values("Meetings", {"Outcome": "Came"}), connector=connector).get("outcome") == "held"


def test_a_deal_that_was_looked_up_has_the_version_of_its_last_change() -> None:
    record = _looked_up("Deals", "deal")

    assert {name: record.get(name) for name in ("stage", "status", "pipeline", "amount", "currency", "rep")} == {
        "stage": "Closed Won", "status": "won", "pipeline": "Standard", "amount": "48500", "currency": "EUR",
        "rep": "5725767000000411001",
    }  # fmt: skip
    assert {entry[0] for entry in record.fields.values()} == {_at("2026-03-18T16:41:30Z")}


@pytest.mark.parametrize(
    ("zone", "more", "closed_at"),
    [
        ("UTC", {}, "2026-03-18T00:00:00Z"),
        ("Asia/Kuala_Lumpur", {}, "2026-03-17T16:00:00Z"),
        ("America/Santiago", {"Closing_Date": "2026-09-06"}, "2026-09-06T04:00:00Z"),
        ("UTC", {"Stage": "Closed Lost", "Probability": 0}, "2026-03-18T00:00:00Z"),
        ("UTC", {"Stage": "Qualification", "Probability": 10}, None),
        ("UTC", {"Closing_Date": None}, None),
    ],
)
def test_a_deal_whose_history_is_not_told_closed_on_the_day_it_names(
    zone: str, more: dict[str, Any], closed_at: str | None
) -> None:
    connection = read_connection({"kind": "zoho", "secrets": list(ZOHO.secrets[:1]), **ZOHO.settings})
    connection.knows([], ZoneInfo(zone))

    record = _looked_up("Deals", "deal", connector=build_connector(connection), **more)

    assert record.get("closed_at") == (None if closed_at is None else _at(closed_at))


def test_a_closing_date_that_is_edited_or_none_is_not_guessed_at() -> None:
    assert _parse(_values("Deals", {"Closing_Date": "2026-03-20"})).lookups == [("Deals", DEAL)]
    (deal,) = fixture("zoho/enrich_deal.json")["data"]
    headers = {BROUGHT_BY: LOOKUP, ASKED_AT: str(LATER)}
    body = encode_envelope(Envelope(object="Deals", records=[deal | {"Closing_Date": "18/03/2026"}]))

    (problem,) = _connector().parse(Delivery("crm", LATER, headers, body)).problems

    assert problem.detail.startswith("Closing_Date: must be a day such as 2026-03-18")


def test_of_two_edits_within_a_second_the_later_one_counts_however_often_it_is_read() -> None:
    (deal,) = fixture("zoho/enrich_deal.json")["data"]
    modified = _at("2026-03-18T16:41:30Z")

    def read(amount: int, asked_at: int) -> list[RecordChange]:
        headers = {BROUGHT_BY: LOOKUP, ASKED_AT: str(asked_at)}
        body = encode_envelope(Envelope(object="Deals", records=[deal | {"Amount": amount}]))
        return _connector().parse(Delivery("crm", LATER, headers, body)).changes

    first, second, again = read(100, modified + 300_000), read(200, modified + SECOND), read(200, modified + HOUR)

    assert [(change.fields, change.changed_at, change.digest) for change in second] == [
        (change.fields, change.changed_at, change.digest) for change in again
    ]
    for order in itertools.permutations([first, second, again]):
        assert fold_all("deal", [change for one in order for change in one]).get("amount") == "200"


_ENTRIES = [
    {"Stage": "Qualification", "Moved_To__s": "Signed", "Modified_Time": "2026-03-10T15:20:05+01:00"},
    {"Stage": "Signed", "Moved_To__s": None, "Modified_Time": "2026-03-18T17:41:30+01:00"},
]
_LEAVINGS = [
    {"Stage": "Qualification", "Moved_To__s": "Signed", "Modified_Time": "2026-03-18T17:41:30+01:00"},
    {"Stage": "Signed", "Moved_To__s": None, "Modified_Time": "2026-03-19T17:41:30+01:00"},
]


@pytest.mark.parametrize("history", [_ENTRIES, [*_ENTRIES, *_ENTRIES], _LEAVINGS, [_LEAVINGS[0], *_LEAVINGS]])
def test_stages_have_the_instants_of_their_history_whatever_an_account_means_by_them(history: Any) -> None:
    (deal,) = fixture("zoho/enrich_deal.json")["data"]
    deal |= {"Stage": "Signed", HISTORY: history}
    changes = _answer(
        Envelope(object="Deals", records=[deal], words={"Signed": "won", "Qualification": "open"})
    ).changes
    record = fold_all("deal", changes)

    assert [(at, value) for at, _, _, value in record.entries("stage")] == [
        (_at("2026-03-10T14:20:05Z"), "Qualification"), (_at("2026-03-18T16:41:30Z"), "Signed"),
    ]  # fmt: skip
    assert (record.get("status"), record.get("closed_at")) == ("won", _at("2026-03-18T16:41:30Z"))


def test_a_restored_record_is_there_again() -> None:
    gone = _event("deal_delete", ids=[DEAL])
    back = _event("deal_delete", ids=[DEAL], operation="restore", server_time=1774000901000)

    assert not _record(gone, back).is_deleted
    assert _parse(back).lookups == [("Deals", DEAL)]


def test_what_is_said_is_a_field_of_ours() -> None:
    for change in _parse(_event("deal_update_with_values"), _values("Leads", {"Owner": {"id": "7"}})).changes:
        assert change.fields.keys() <= FIELDS[change.kind].keys()


@pytest.mark.parametrize(
    ("event", "detail"),
    [
        (_event("lead_insert", ids="1"), "ids: must be a list of at most"),
        (_event("lead_insert", ids=[None]), "ids: is missing or not an id"),
        (_event("lead_insert", server_time="now"), "server_time: is missing or not a whole number"),
        (_event("lead_insert", operation=None), "operation: is missing or not text"),
        (_event("lead_insert", affected_values=[{"values": {}}]), "record_id: is missing or not an id"),
        (_event("lead_insert", affected_values=[5]), "affected_values: must be a list of objects"),
        (_values("Deals", {"Amount": "much"}), "fields.amount: must be a number"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_read_is_told_by_its_member(event: Any, detail: str) -> None:
    (problem,) = parse(_connector(), [event], received_at=LATER).problems

    assert problem.detail.startswith(detail)


def test_a_stage_of_the_accounts_own_is_what_the_look_up_says_whatever_was_told_before() -> None:
    """The notification comes after the entry that the history tells, so it must not say that nobody knows."""
    notified = _parse(_values("Deals", {"Stage": "Gewonnen"}))
    (record,) = fixture("zoho/enrich_deal.json")["data"]
    history = [
        {"Stage": "Angebot", "Modified_Time": record["Created_Time"]},
        {"Stage": "Gewonnen", "Modified_Time": record["Modified_Time"]},
    ]
    envelope = Envelope(
        object="Deals", records=[record | {"Stage": "Gewonnen", HISTORY: history}],
        words={"Angebot": "open", "Gewonnen": "won"},
    )  # fmt: skip
    answered = _answer(envelope)

    for changes in ([*notified.changes, *answered.changes], [*answered.changes, *notified.changes]):
        record_now = fold_all("deal", changes)
        assert (record_now.get("stage"), record_now.get("status")) == ("Gewonnen", "won")
        assert record_now.get("closed_at") == _at("2026-03-18T16:41:30Z")
    assert notified.lookups == [("Deals", DEAL)]


def test_a_duration_that_was_edited_is_read_as_it_is_written() -> None:
    edited = _record(_values("Calls", {"Call_Duration": "05:30"}))
    whole = _record(_values("Calls", {"Call_Duration": "05:30", "Call_Duration_in_seconds": 331}))
    cleared = _record(_values("Calls", {"Call_Duration": None}))

    assert [call.get("talk_seconds") for call in (edited, whole, cleared)] == [330 * SECOND, 331 * SECOND, None]


def test_a_planned_call_that_is_made_is_looked_up_for_its_direction() -> None:
    """It had none while it was planned, and an update says only what has changed."""

    def lookups(**values: Any) -> list[tuple[str, str]]:
        return _parse(_values("Calls", values)).lookups

    assert lookups(Outgoing_Call_Status="Completed") == [("Calls", DEAL)]
    assert lookups(Outgoing_Call_Status="Completed", Call_Type="Outbound") == []
    assert lookups(Outgoing_Call_Status="Overdue") == []


def test_what_cannot_be_read_of_an_insert_is_looked_up_all_the_same() -> None:
    insert = _event("lead_insert", module="Calls", ids=[DEAL, LEAD], affected_values=[
        {"record_id": DEAL, "values": {"Call_Start_Time": 5}}
    ])  # fmt: skip
    parsed = parse(_connector(), [insert], received_at=LATER)

    assert [problem.reason for problem in parsed.problems] == ["bad_field"]
    assert parsed.lookups == [("Calls", DEAL), ("Calls", LEAD)]

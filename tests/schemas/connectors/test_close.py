"""Close's signatures, and what its events say of our records."""

import itertools
from copy import deepcopy
from typing import Any

import pytest
from pydantic import ValidationError

from processor.core.deals import closed_at
from schemas.connectors import read_connection
from schemas.connectors.base import Connector, Parsed, SignatureError, SignedRequest
from schemas.instants import DAY, parse_instant
from schemas.records import FIELDS, Record, RecordChange, fold_all, with_places
from tests.schemas.connectors.cases import CLOSE, NOW, connect, fixture, parse

KEY = CLOSE.secrets[0]
VECTORS = [vector for vector in fixture("vectors.json")["vectors"] if vector["scheme"] == "close"]
LATER = NOW + 30 * DAY
REP = "user_N6KhMpzHRCYQHdn4gRNIFNN5JExnsrprKA6ekxM63XA"
LEAD = "lead_nsWZ4zTDhnRKZLs1bAVQqAaqg0AKDqeAQt9E1mQJ0mR"
DEAL = "oppo_7H4sjNso7FyBFaeR3RXi5PMJbilfo0c6UPCxsJtEhCO"


def _at(text: str) -> int:
    return parse_instant(text)


def _event(name: str, *, at: str | None = None, data: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = deepcopy(fixture(f"close/{name}.json"))
    event = found["event"]
    event.update(more)
    if at is not None:
        event["date_updated"] = at
    if data is not None:
        event["data"] |= data
    return found


def _parse(*events: Any, connector: Connector | None = None) -> Parsed:
    return parse(connector or CLOSE.connector(), list(events), received_at=LATER)


def _changes(*events: Any, connector: Connector | None = None) -> list[RecordChange]:
    parsed = _parse(*events, connector=connector)
    assert parsed.problems == []
    return parsed.changes


def _record(*events: Any, connector: Connector | None = None) -> Record:
    """Their record, whatever the order in which they come."""
    deliveries = [with_places(_changes(event, connector=connector)) for event in events]
    orders = itertools.islice(itertools.permutations(deliveries), 24)
    records = [fold_all(deliveries[0][0].kind, [change for one in order for change in one]) for order in orders]
    assert len({record.encode() for record in records}) == 1
    return records[0]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vectors_are_taken_or_refused(vector: dict[str, Any]) -> None:
    request = SignedRequest("POST", "https://x.example/", vector["headers"], vector["body"].encode())
    connector, now = connect("close", [vector["secret"]]), int(vector["timestamp"]) * 1_000_000
    if vector["accept"]:
        connector.verify(request, now)
    else:
        with pytest.raises(SignatureError):
            connector.verify(request, now)


@pytest.mark.parametrize("timestamp", ["", "-1", "1773852090.5", "1773852090123", "now"])
def test_a_timestamp_is_whole_seconds_and_nothing_else(timestamp: str) -> None:
    request = CLOSE.request()
    headers = {**request.headers, "close-sig-timestamp": timestamp}

    with pytest.raises(SignatureError, match="close-sig-timestamp"):
        CLOSE.connector().verify(SignedRequest("POST", "", headers, request.body), NOW)


@pytest.mark.parametrize("key", ["signature-key", "abc", "ab" * 8, "", "0x" + "ab" * 32])
def test_a_key_that_is_not_hex_or_too_short_is_refused_by_name(key: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        read_connection({"kind": "close", "secrets": [KEY, key]})

    assert refusal.value.errors()[0]["loc"][-2:] == ("secrets", 1)


def test_a_call_is_known_by_its_events_in_any_order() -> None:
    record = _record(_event("call_created"), _event("call_answered"), _event("call_completed"))

    names = ("rep", "lead", "direction", "outcome", "dialed_at", "talk_seconds")
    assert {name: record.get(name) for name in names} == {
        "rep": REP, "lead": LEAD, "direction": "outbound", "outcome": "connected",
        "dialed_at": _at("2026-03-10T15:01:30Z"), "talk_seconds": 187_000_000,
    }  # fmt: skip


def test_an_unanswered_call_is_not_connected() -> None:
    assert _record(_event("call_completed_no_answer")).get("outcome") == "no_answer"


def test_a_call_logged_by_hand_without_disposition_is_not_connected() -> None:
    by_hand = _event("call_created", data={"source": "External", "status": "completed", "duration": 300})

    record = _record(by_hand)

    assert record.get("outcome") is None
    assert record.get("answered_at") is None


def test_a_disposition_that_is_cleared_is_cleared_here() -> None:
    cleared = _event(
        "call_completed", at="2026-03-10T16:00:00.000000", action="updated", data={"disposition": None},
        previous_data={"disposition": "answered"},
    )  # fmt: skip

    assert _record(_event("call_completed"), cleared).get("outcome") is None


def test_what_comes_while_the_call_goes_on_clears_no_outcome() -> None:
    noted = _event("call_answered", at="2026-03-10T15:06:00.000000", action="updated", previous_data={"note": ""})

    assert _record(_event("call_completed"), noted).get("outcome") == "connected"


def test_outcomes_of_the_connection_win_over_dispositions_and_words_unknown_are_counted() -> None:
    connector = connect("close", [KEY], outcomes={"outcome_talked": "connected", "vm-left": "no_answer"})
    ours = _event("call_completed_no_answer", data={"outcome_id": "outcome_talked"})
    left = _event("call_completed_no_answer", data={"disposition": "vm-left"})
    odd = _event("call_completed_no_answer", data={"disposition": "sang-a-song", "outcome_id": "outcome_none"})

    assert _record(ours, connector=connector).get("outcome") == "connected"
    assert _record(left, connector=connector).get("outcome") == "no_answer"
    parsed = _parse(odd, connector=connector)
    assert parsed.unmapped == {("call", "outcome", "outcome_none"): 1, ("call", "outcome", "sang-a-song"): 1}
    assert parsed.changes[0].fields["outcome"] is None


def test_mails_count_once_they_are_sent_or_came_in() -> None:
    sent, reply = _record(_event("email_sent")), _record(_event("email_reply_received"))

    assert [(each.get("direction"), each.get("sent_at")) for each in (sent, reply)] == [
        ("outbound", _at("2026-03-10T15:20:00Z")),
        ("inbound", _at("2026-03-11T08:12:31Z")),
    ]
    assert sent.get("thread") == reply.get("thread") == "acti_thr1"
    assert sent.get("automated") is False


@pytest.mark.parametrize("status", ["draft", "scheduled", "outbox", "error"])
def test_a_mail_that_is_not_sent_does_not_count(status: str) -> None:
    draft = _event("email_sent", action="created", data={"status": status, "date_sent": None})

    assert _record(draft).get("direction") is None
    assert _record(draft).get("sent_at") is None


@pytest.mark.parametrize("member", ["sequence_id", "sequence_subscription_id", "bulk_email_action_id"])
def test_a_mail_of_a_machine_is_automated(member: str) -> None:
    assert _record(_event("email_sent", data={member: "seq_1"})).get("automated") is True


def test_a_meeting_that_is_over_is_held_only_where_outcomes_say_so() -> None:
    connector = connect("close", [KEY], outcomes={"outc_held": "held", "outc_away": "no_show"})
    over = "meeting_completed"

    assert _record(_event("meeting_scheduled"), _event(over)).get("outcome") == "scheduled"
    assert _record(_event(over, data={"outcome_id": "outc_held"}), connector=connector).get("outcome") == "held"
    assert _record(_event(over, data={"outcome_id": "outc_away"}), connector=connector).get("outcome") == "no_show"
    parsed = _parse(_event(over, data={"outcome_id": "outc_odd"}), connector=connector)
    assert parsed.changes[0].fields["outcome"] == "scheduled"
    assert parsed.unmapped == {("meeting", "outcome", "outc_odd"): 1}


@pytest.mark.parametrize("status", ["canceled", "declined-by-lead", "declined-by-org"])
def test_a_meeting_that_nobody_will_come_to_is_cancelled(status: str) -> None:
    assert _record(_event("meeting_canceled", data={"status": status})).get("outcome") == "cancelled"


def test_a_mail_goes_to_its_contact_and_users_attend_a_meeting() -> None:
    attendees = [{"contact_id": "cont_1"}, {"user_id": "user_2", "contact_id": None}]

    assert _record(_event("email_sent")).get("contacts") == ["cont_1"]
    assert _record(_event("meeting_scheduled", data={"attendees": attendees})).get("attendees") == ["user_2"]


def test_a_reschedule_moves_the_meeting_and_books_nothing_anew() -> None:
    moved = _event(
        "meeting_scheduled", at="2026-03-11T10:00:00.000000", data={"starts_at": "2026-03-20T09:00:00.000000+00:00"}
    )

    record = _record(_event("meeting_scheduled"), moved)

    assert record.get("booked_at") == _at("2026-03-10T15:30:00Z")
    assert record.get("starts_at") == _at("2026-03-20T09:00:00Z")


def test_an_opportunity_is_won_with_its_cents_and_by_the_instant_of_its_status_change() -> None:
    won, change = _event("opportunity_won"), _event("opportunity_status_change")
    later = _event("opportunity_won", at="2026-03-18T16:43:00.000000")  # consolidated: the same id again

    record = _record(won, change, later)

    assert {name: record.get(name) for name in ("status", "stage", "amount", "currency", "lead", "rep")} == {
        "status": "won", "stage": "stat_won", "amount": "48500", "currency": "EUR", "lead": LEAD, "rep": REP,
    }  # fmt: skip
    assert closed_at(record) == _at("2026-03-18T16:41:30.400Z")
    assert closed_at(_record(won, later)) == _at("2026-03-18T16:41:30.395Z")


@pytest.mark.parametrize(("value", "amount"), [(1, "0.01"), (0, "0"), (4_850_050, "48500.5"), (None, None)])
def test_values_are_cents(value: Any, amount: Any) -> None:
    assert _record(_event("opportunity_won", data={"value": value})).get("amount") == amount


@pytest.mark.parametrize("period", ["monthly", "annual"])
def test_what_is_paid_again_and_again_is_no_amount(period: str) -> None:
    monthly = _event("opportunity_won", at="2026-03-19T00:00:00.000000", data={"value_period": period})

    record = _record(_event("opportunity_won"), monthly)

    assert record.get("amount") is None
    assert record.get("status") == "won"


def test_an_opportunity_that_is_reopened_is_open_and_closed_never() -> None:
    back = _event(
        "opportunity_status_change", date_updated="2026-03-19T10:00:00.000000",
        data={
            "new_status_id": "stat_act", "new_status_type": "active", "old_status_id": "stat_won",
            "date_created": "2026-03-19T10:00:00.000000+00:00",
        },
    )  # fmt: skip

    record = _record(_event("opportunity_won"), _event("opportunity_status_change"), back)

    assert [record.get(name) for name in ("status", "stage", "closed_at")] == ["open", "stat_act", None]


def test_an_edit_of_a_won_opportunity_does_not_move_its_closing() -> None:
    renamed = _event(
        "opportunity_won", at="2026-04-02T08:00:00.000000", changed_fields=["note"], previous_data={"note": "x"}
    )

    assert closed_at(_record(_event("opportunity_won"), renamed)) == _at("2026-03-18T16:41:30.395Z")


def test_stages_of_the_connection_win_over_the_type_of_the_status() -> None:
    connector = connect("close", [KEY], stages={"stat_won": {"name": "Verbal yes", "status": "open"}})

    assert _record(_event("opportunity_won"), connector=connector).get("status") == "open"


def test_the_change_of_status_is_known_by_both_its_names() -> None:
    other = _event("opportunity_status_change", object_type="status_change.opportunity")

    assert _changes(other) == _changes(_event("opportunity_status_change"))


def test_a_lead_is_new_until_its_status_says_otherwise() -> None:
    connector = connect("close", [KEY], statuses={"stat_9": "qualified", "Gone": "disqualified"})
    created = _event("lead_created")

    def moved(**status: str) -> Record:
        return _record(
            created, _event("lead_created", at="2026-03-11T00:00:00.000000", action="updated", data=status),
            connector=connector,
        )  # fmt: skip

    assert _record(created).get("status") == "new"
    assert _record(created).get("received_at") == _at("2026-03-10T14:02:11.214Z")
    assert moved(status_id="stat_9", status_label="Anything").get("status") == "qualified"
    assert moved(status_id="stat_8", status_label="gone ").get("status") == "disqualified"
    assert moved(status_id="stat_8", status_label="Whatever").get("status") is None


def test_who_has_bought_is_a_customer() -> None:
    assert _record(_event("lead_created", data={"status_label": "Customer"})).get("status") == "customer"


def test_a_lead_has_the_owner_of_the_field_that_the_connection_names() -> None:
    connector = connect("close", [KEY], owner_field="cf_owner")
    created = _event("lead_created", data={"custom": {"cf_owner": "user_1"}})
    given = _event(
        "lead_created", at="2026-03-11T00:00:00.000000", action="updated", data={"custom.cf_owner": "user_2"},
        previous_data={"custom.cf_owner": "user_1"},
    )  # fmt: skip
    taken = _event(
        "lead_created", at="2026-03-12T00:00:00.000000", action="updated", previous_data={"custom.cf_owner": "user_2"}
    )

    assert _record(created).get("rep") is None
    first = _record(created, connector=connector)
    assert (first.get("rep"), first.get("assigned_at")) == ("user_1", _at("2026-03-10T14:02:11.214Z"))
    second = _record(created, given, connector=connector)
    assert (second.get("rep"), second.get("assigned_at")) == ("user_2", _at("2026-03-11T00:00:00Z"))
    third = _record(created, given, taken, connector=connector)
    assert (third.get("rep"), third.get("assigned_at")) == (None, None)


MERGE = {"merge_source_lead_id": "lead_goes", "merge_destination_lead_id": "lead_stays"}


@pytest.mark.parametrize("action", ["merged", "deleted"])
def test_a_merge_points_the_lead_that_goes_to_the_one_that_stays(action: str) -> None:
    goes = _event("lead_created", action=action, object_id="lead_goes", meta=MERGE)
    goes["event"]["data"] = None

    (change,) = _changes(goes)

    assert (change.id, change.fields) == ("lead_goes", {"merged_into": "lead_stays"})


def test_the_deletions_of_a_merge_take_nothing_away() -> None:
    moved = _event("call_completed", action="deleted", meta=MERGE)

    parsed = _parse(moved)

    assert (parsed.changes, parsed.ignored) == ([], {"no_fields": 1})


@pytest.mark.parametrize(
    ("name", "kind"), [("call_completed", "call"), ("lead_created", "lead"), ("opportunity_won", "deal")]
)
def test_a_deletion_takes_the_record_away(name: str, kind: str) -> None:
    gone = _event(name, at="2026-03-20T00:00:00.000000", action="deleted")
    gone["event"]["data"] = None

    record = _record(_event(name), gone)

    assert record.kind == kind
    assert record.is_deleted


@pytest.mark.parametrize(
    ("event", "detail"),
    [
        ({"event": 1}, "event: is missing or not an object"),
        ({"event": {}}, "object_type: is missing or not text"),
        (_event("call_created", object_id=None), "object_id: is missing or not an id"),
        (_event("call_created", date_updated="yesterday"), "date_updated: is not an RFC 3339"),
        (_event("call_created", data={"activity_at": 5}), "activity_at: must be an instant in text"),
        (_event("call_created", data={"duration": -1}), "fields.talk_seconds: must be a number of seconds"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_read_is_told_by_its_member(event: Any, detail: str) -> None:
    parsed = _parse(event)

    assert len(parsed.problems) == 1
    assert parsed.problems[0].detail.startswith(detail)
    assert not parsed.changes


def test_a_version_from_the_future_is_refused() -> None:
    parsed = parse(CLOSE.connector(), _event("call_created", at="2026-03-20T00:00:00.000000"), received_at=NOW)

    assert [problem.reason for problem in parsed.problems] == ["clock_ahead"]


def test_every_fixture_says_something_that_is_a_field_of_ours() -> None:
    for name in (
        "call_answered", "call_completed", "call_completed_no_answer", "call_created", "email_reply_received",
        "email_sent", "lead_created", "meeting_canceled", "meeting_completed", "meeting_scheduled",
        "opportunity_status_change", "opportunity_won",
    ):  # fmt: skip
        for change in _changes(_event(name)):
            assert change.fields
            assert change.fields.keys() <= FIELDS[change.kind].keys()


def test_an_opportunity_that_is_noted_ever_so_often_keeps_the_entry_of_its_stage() -> None:
    """Each note changes it, and repeats its stage without an instant. The API knows when it entered it."""
    connector = connect("close", [KEY], api={"key": "api_0123456789abcdef"})
    noted = [
        _event(
            "opportunity_won", at=f"2026-04-02T{hour:02}:{minute:02}:00.000000", changed_fields=["note"],
            previous_data={"note": "x"},
        )
        for hour in (8, 9)
        for minute in range(50)
    ]  # fmt: skip
    told = _parse(_event("opportunity_status_change"), *noted, connector=connector).changes

    record = fold_all("deal", [change for change in told if change.kind == "deal"])
    assert [entry[0] for entry in record.entries("stage")] == [_at("2026-03-18T16:41:30.4Z")]
    assert record.get("status") == "won"

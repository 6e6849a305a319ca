"""Aircall's token, and what its events say of our records."""

import itertools
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.connectors import read_connection
from schemas.connectors.base import Connector, Parsed, SignatureError
from schemas.instants import DAY, SECOND
from schemas.records import FIELDS, Record, fold_all, with_places
from tests.schemas.connectors.cases import AIRCALL, NOW, connect, dump, fixture, parse

STARTED, ANSWERED, ENDED = (each * SECOND for each in (1773154890, 1773154912, 1773155099))


def _event(name: str, *, data: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = deepcopy(fixture(f"aircall/{name}.json"))
    found["data"] |= data or {}
    return found | more


def _parse(*events: Any, connector: Connector | None = None) -> Parsed:
    parsed = parse(connector or AIRCALL.connector(), list(events), received_at=NOW + 9 * DAY)
    assert parsed.problems == []
    return parsed


def _record(*events: Any, connector: Connector | None = None) -> Record:
    """Their record, whatever the order in which they come."""
    deliveries = [with_places(_parse(event, connector=connector).changes) for event in events]
    orders = itertools.islice(itertools.permutations(deliveries), 24)
    records = [fold_all(deliveries[0][0].kind, [change for one in order for change in one]) for order in orders]
    assert len({record.encode() for record in records}) == 1
    return records[0]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"token"', b"{}", b'{"token": 5}', b'{"token": ""}', b'{"token": null}']
)
def test_a_body_without_a_token_is_refused(body: bytes) -> None:
    with pytest.raises(SignatureError, match="token: is missing in the body"):
        AIRCALL.connector().verify(replace(AIRCALL.request(), body=body), NOW)


def test_a_header_is_no_proof() -> None:
    request = AIRCALL.request()
    headers = {**request.headers, "x-aircall-signature": AIRCALL.secrets[0], "authorization": AIRCALL.secrets[0]}

    with pytest.raises(SignatureError):
        AIRCALL.connector().verify(replace(request, headers=headers, body=dump({"token": "another"})), NOW)


def test_an_old_event_that_is_sent_again_is_taken() -> None:
    AIRCALL.connector().verify(AIRCALL.request(), NOW + 3 * DAY)


def test_a_short_token_is_refused_by_name() -> None:
    with pytest.raises(ValidationError) as refusal:
        read_connection({"kind": "aircall", "secrets": ["short"]})

    assert refusal.value.errors()[0]["loc"][-2:] == ("secrets", 0)


def test_talk_is_without_the_ringing_in_any_order_of_events() -> None:
    record = _record(
        _event("call_created"), _event("call_answered"), _event("call_hungup"), _event("call_ended_outbound_answered")
    )

    assert [record.get(name) for name in ("dialed_at", "answered_at", "ended_at")] == [STARTED, ANSWERED, ENDED]
    assert record.get("talk_seconds") is None
    assert [record.get(name) for name in ("rep", "direction", "outcome")] == ["456123", "outbound", "connected"]


def test_of_events_of_one_second_the_later_in_a_calls_life_wins() -> None:
    created = _event("call_created", data={"user": {"id": 1}}, timestamp=1773154912)
    answered = _event("call_answered", data={"user": {"id": 2}})

    assert _record(created, answered).get("rep") == "2"


def test_a_missed_call_has_no_rep_and_no_answer() -> None:
    record = _record(_event("call_ended_inbound_missed"))

    assert [record.get(name) for name in ("rep", "direction", "outcome", "answered_at")] == [
        None, "inbound", "no_answer", None,
    ]  # fmt: skip


def test_an_outbound_call_that_nobody_took_is_known_by_its_answer_alone() -> None:
    unanswered = _event("call_ended_outbound_answered", data={"answered_at": None, "missed_call_reason": None})

    assert _record(unanswered).get("outcome") == "no_answer"


def test_a_message_left_is_a_voicemail_unless_somebody_answered() -> None:
    left = {"voicemail": "https://x.example/v", "answered_at": None}

    assert _record(_event("call_ended_inbound_missed", data=left)).get("outcome") == "voicemail"
    answered = _event("call_ended_outbound_answered", data={"voicemail": "https://x.example/v"})
    assert _record(answered).get("outcome") == "connected"


@pytest.mark.parametrize("transferred_to", [{"id": 77, "name": "Other"}, 77])
def test_an_answered_call_is_of_the_last_who_talked(transferred_to: Any) -> None:
    moved = _event("call_ended_outbound_answered", data={"transferred_to": transferred_to})
    unanswered = _event("call_ended_inbound_missed", data={"transferred_to": transferred_to, "user": {"id": 5}})

    assert _record(moved).get("rep") == "77"
    assert _record(unanswered).get("rep") == "5"


def test_tags_are_outcomes_where_the_connection_says_so_and_are_taken_back() -> None:
    connector = connect("aircall", AIRCALL.secrets[:1], outcomes={"Bad number": "wrong_number", "9": "voicemail"})
    ended = _event("call_ended_outbound_answered")
    tagged = _event(
        "call_ended_outbound_answered", event="call.tagged", timestamp=1773155200,
        data={"tags": [{"id": 1, "name": "VIP"}, {"id": 2, "name": "bad number"}]},
    )  # fmt: skip
    untagged = _event("call_ended_outbound_answered", event="call.untagged", timestamp=1773155300)

    assert _record(ended, tagged, connector=connector).get("outcome") == "wrong_number"
    assert _record(ended, tagged, untagged, connector=connector).get("outcome") == "connected"
    by_id = _event("call_ended_outbound_answered", data={"tags": [{"id": 9, "name": "x"}]})
    assert _record(by_id, connector=connector).get("outcome") == "voicemail"
    assert _parse(tagged).unmapped == {}


def test_calls_among_colleagues_are_internal() -> None:
    people = [{"id": 1, "type": "user"}, {"id": 2, "type": "user"}]

    assert _record(_event("call_created", data={"participants": people})).get("internal") is True
    assert _record(_event("call_created")).get("internal") is False


def test_users_are_reps() -> None:
    user = {"event": "user.created", "resource": "user", "timestamp": 1773154890}
    created = user | {"data": {"id": 456123, "name": "Dana Okafor", "email": "d@example.com"}}
    gone = user | {"event": "user.deleted", "timestamp": 1773154990, "data": {"id": 456123}}

    record = _record(created, gone)

    assert [record.get(name) for name in ("name", "email", "active")] == ["Dana Okafor", "d@example.com", False]
    assert not record.is_deleted


@pytest.mark.parametrize("name", ["call_created", "call_answered", "call_hungup", "call_ended_inbound_missed"])
def test_fixtures_say_fields_of_ours(name: str) -> None:
    (change,) = _parse(_event(name)).changes

    assert change.fields.keys() <= FIELDS["call"].keys()


@pytest.mark.parametrize(
    ("event", "detail"),
    [
        (_event("call_created", timestamp="1773154890.5"), "timestamp: is missing or not a whole number"),
        (_event("call_created", event=None), "event: is missing or not text"),
        (_event("call_created", data={"id": None}), "data.id: is missing or not an id"),
        (_event("call_created", data={"started_at": "now"}), "started_at: must be a whole number of seconds"),
        (_event("call_created", data={"started_at": 10**15}), "started_at: is outside the years 1901 to 2242"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_read_is_told_by_its_member(event: Any, detail: str) -> None:
    parsed = parse(AIRCALL.connector(), [event], received_at=NOW + 9 * DAY)

    assert [problem.detail for problem in parsed.problems] == [detail]


def test_a_number_that_a_middleman_wrote_as_text_is_read() -> None:
    said = _event("call_created", timestamp="1773154890", data={"started_at": "1773154890"})

    assert _record(said).get("dialed_at") == 1773154890 * SECOND

"""What one authentic delivery may cost, and what becomes of values that no vendor sends: bounded, and told by field."""

from collections.abc import Mapping
from time import process_time
from typing import Any

import pytest

from schemas.connectors.base import SignatureError, SignedRequest
from schemas.connectors.fields import ReadChange, read_change
from schemas.connectors.salesforce.changes import MAX_MEMBERS
from schemas.connectors.salesforce.soap import MAX_NAMESPACE, SoapError, read_message
from tests.schemas.connectors.cases import (
    AIRCALL,
    CLOSE,
    FIXTURES,
    GENERIC,
    NOW,
    PIPEDRIVE,
    SALESFORCE,
    URL,
    ZOHO,
    dump,
    fixture,
    parse,
)

MESSAGE = (FIXTURES / "salesforce" / "outbound_opportunity_won.xml").read_text("utf-8")


def in_namespace(length: int) -> bytes:
    """A message with many elements in a namespace of this length: the parser writes it before each of their names."""
    own = f'<Notification xmlns:q="{"u" * length}">{"<q:b/>" * 1000}'
    return MESSAGE.replace("<Notification>", own, 1).encode()


def test_a_namespace_is_not_written_a_thousand_times_if_it_is_long() -> None:
    assert read_message(in_namespace(MAX_NAMESPACE)) == read_message(MESSAGE.encode())
    with pytest.raises(SoapError, match="names a namespace of more than"):
        read_message(in_namespace(MAX_NAMESPACE + 1))

    request = SignedRequest("POST", f"{URL}/{SALESFORCE.secrets[0]}", {}, in_namespace(100_000))
    with pytest.raises(SignatureError, match="body: names a namespace"):
        SALESFORCE.connector().verify(request, NOW)


@pytest.mark.parametrize("where", ["payload", "nulledFields", "changedFields"])
def test_a_change_event_has_no_more_members_than_an_object_may_have(where: str) -> None:
    """Each of its records is read with all of them."""
    event = fixture("salesforce/cdc_pubsub_opportunity_won.json")
    payload = event["payload"]
    if where == "payload":
        payload |= {f"F{number}__c": 1 for number in range(MAX_MEMBERS)}
    else:
        payload["ChangeEventHeader"][where] = ["0x1"] * (MAX_MEMBERS + 1)

    parsed = parse(SALESFORCE.connector(), event)

    assert [(each.reason, each.detail) for each in parsed.problems] == [
        ("bad_shape", f"{where}: has more than {MAX_MEMBERS} members")
    ]


def test_what_a_value_costs_does_not_grow_with_its_depth() -> None:
    def costs(depth: int) -> float:
        deep: Any = ["null", *[0.5] * 100_000]
        for _ in range(depth):
            deep = [deep]
        body, connector, times = dump({**_LEAD, "fields": {"attributes": {"a": deep}}}), GENERIC.connector(), []
        for _ in range(5):
            begun = process_time()
            (problem,) = parse(connector, body).problems
            times.append(process_time() - begun)
            assert problem.detail == "fields.attributes: is larger than 8192 bytes"
        return min(times)

    assert costs(150) < 5 * costs(1) + 0.02  # each number handed on through every level: fifty times


_LEAD = {"record": "lead", "id": "l", "changed_at": "2026-03-18T16:41:30Z"}


@pytest.mark.parametrize("value", ["[[1e999], null]", '{"b": [{"c": 1e999}, "null"]}'])
def test_a_number_that_is_not_finite_is_found_however_deep_it_stands(value: str) -> None:
    body = '{"record": "lead", "id": "l", "changed_at": "2026-03-18T16:41:30Z", "fields": {"attributes": {"a": %s}}}'

    (problem,) = parse(GENERIC.connector(), (body % value).encode()).problems

    assert problem.detail == "fields.attributes: holds a number that is not finite"


@pytest.mark.parametrize("value", [["x"], {"x": 1}, [[]], {}])
def test_a_list_in_the_place_of_a_word_is_no_fault_of_ours(value: Any) -> None:
    """Nothing of it is told as a word that somebody has forgotten to map: it may hold anything."""
    call = {"module": "Calls", "ids": ["1"], "operation": "update", "server_time": 1773852091250}
    won, ended = PIPEDRIVE.good[0], AIRCALL.good[0]
    close = CLOSE.good[0] | {"event": CLOSE.good[0]["event"] | {"data": {"status_id": "s", "status_type": value}}}
    task = _changed_task({"Status": value, "CallType": "Outbound", "TaskSubtype": "Call"})
    for case, event in (
        (ZOHO, call | {"affected_values": [{"record_id": "1", "values": {"Outgoing_Call_Status": value}}]}),
        (PIPEDRIVE, won | {"data": won["data"] | {"status": value}}),
        (AIRCALL, ended | {"data": ended["data"] | {"direction": value}}),
        (CLOSE, close),
        (SALESFORCE, task),
    ):
        parsed = parse(case.connector(), event)
        assert "unreadable" not in {problem.reason for problem in parsed.problems}, case.kind
        assert {word for _, _, word in parsed.unmapped} <= {"(no word)"}, case.kind


def test_a_fault_of_ours_costs_its_event_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(**said: Any) -> ReadChange:
        if said["record_id"] == "b":
            raise RuntimeError
        return read_change(**said)

    monkeypatch.setattr("schemas.connectors.generic.read_change", faulty)
    call = GENERIC.good[0]

    parsed = parse(GENERIC.connector(), [call | {"id": id, "more": 1} for id in "abc"])

    assert [change.id for change in parsed.changes] == ["a", "c"]
    assert [(each.reason, each.index) for each in parsed.problems] == [("unreadable", 1)]


def _changed_task(fields: Mapping[str, Any]) -> dict[str, Any]:
    event: dict[str, Any] = fixture("salesforce/cdc_pubsub_opportunity_won.json")
    header = event["payload"]["ChangeEventHeader"] | {"entityName": "Task", "changedFields": [], "changeType": "CREATE"}
    return {"payload": {"ChangeEventHeader": header, **fields}}

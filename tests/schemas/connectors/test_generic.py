"""Events of kind `generic`."""

import itertools
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.connectors.base import Parsed
from schemas.instants import DAY, format_instant, parse_instant
from schemas.records import CHOICES, FIELDS, FieldType, fold_all
from tests.schemas.connectors.cases import CALL, GENERIC, NOW, fixture, parse

CONNECTOR = GENERIC.connector()


def _event(**changed: Any) -> dict[str, Any]:
    return {**CALL, **changed}


def _parse(*events: Any) -> Parsed:
    return parse(CONNECTOR, list(events))


def test_the_event_of_the_contract_is_read() -> None:
    (change,) = parse(CONNECTOR, CALL).changes

    assert (change.kind, change.id) == ("call", "c-1017")
    assert change.changed_at == parse_instant("2026-03-18T16:41:30.344Z")
    assert change.received_at == NOW
    assert change.fields == {
        "answered_at": parse_instant("2026-03-18T16:38:10Z"),
        "deleted": False,
        "dialed_at": parse_instant("2026-03-18T16:38:02Z"),
        "direction": "outbound",
        "ended_at": parse_instant("2026-03-18T16:41:20Z"),
        "lead": "l-5",
        "rep": "r-17",
    }


def test_microseconds_order_edits_within_one_millisecond() -> None:
    earlier, later = _parse(
        _event(changed_at="2026-03-18T16:41:30.344001Z"), _event(changed_at="2026-03-18T17:41:30.3440029+01:00")
    ).changes

    assert later.changed_at - earlier.changed_at == 1


def test_null_clears_a_field_and_what_is_left_out_is_unchanged() -> None:
    (change,) = _parse(_event(fields={"rep": None})).changes

    assert change.fields == {"deleted": False, "rep": None}


@pytest.mark.parametrize("deleted", [True, False])
def test_a_deletion_needs_no_fields(deleted: bool) -> None:
    event = {"record": "deal", "id": 7, "changed_at": CALL["changed_at"], "deleted": deleted}

    (change,) = _parse(event).changes

    assert (change.id, change.fields) == ("7", {"deleted": deleted})


@pytest.mark.parametrize("absent", [{}, {"deleted": None}], ids=["left out", "null"])
def test_without_deleted_the_deletion_is_unchanged(absent: dict[str, Any]) -> None:
    event = {name: value for name, value in CALL.items() if name != "deleted"} | absent

    (change,) = _parse(event).changes

    assert "deleted" not in change.fields


@pytest.mark.parametrize(
    ("event", "named"),
    [
        ({name: value for name, value in CALL.items() if name != "record"}, "record"),
        ({name: value for name, value in CALL.items() if name != "id"}, "id"),
        ({name: value for name, value in CALL.items() if name != "changed_at"}, "changed_at"),
        ({"record": "call", "id": "c", "changed_at": CALL["changed_at"]}, "fields"),
        (_event(record=5), "record"),
        (_event(id=""), "id"),
        (_event(id={}), "id"),
        (_event(id=True), "id"),
        (_event(id=2**70), "id"),
        (_event(id="x" * 257), "id"),
        (_event(id="a\nb"), "id"),
        (_event(changed_at=1773852090), "changed_at"),
        (_event(changed_at="2026-03-18"), "changed_at"),
        (_event(changed_at="2026-03-18T16:41:30"), "changed_at"),
        (_event(changed_at="2026-13-18T16:41:30Z"), "changed_at"),
        (_event(changed_at="9999-12-31T23:59:59-14:00"), "changed_at"),
        (_event(changed_at="\u0662\u0660\u0662\u0666-03-18T16:41:30Z"), "changed_at"),
        (_event(fields=[]), "fields"),
        (_event(deleted="true"), "deleted"),
        (_event(deleted=1), "deleted"),
        ([], "event"),
        (None, "event"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_shape_is_a_problem_that_names_the_member(event: Any, named: str) -> None:
    parsed = _parse(event)

    assert parsed.changes == []
    (problem,) = parsed.problems
    assert (problem.reason, problem.index) == ("bad_shape", 0)
    assert problem.detail.startswith(f"{named}: ")


@pytest.mark.parametrize(
    ("record", "field", "value"),
    [
        ("call", "direction", "up"),
        ("call", "dialed_at", 1773852090000),
        ("call", "internal", "yes"),
        ("call", "talk_seconds", -1),
        ("deal", "amount", "12,50"),
        ("deal", "currency", "dollars"),
        ("lead", "rep", ["r-17"]),
        ("activity", "attributes", "text"),
    ],
)
def test_a_bad_field_is_a_problem_that_names_it_and_not_the_value(record: str, field: str, value: Any) -> None:
    parsed = _parse(_event(record=record, fields={field: value}), CALL)

    (problem,) = parsed.problems
    assert (problem.reason, problem.index) == ("bad_field", 0)
    assert problem.detail.startswith(f"fields.{field}: ")
    assert str(value) not in problem.detail
    assert len(parsed.changes) == 1


def test_unknown_kinds_and_fields_are_ignored_and_counted() -> None:
    parsed = _parse(
        _event(record="invoice", id=None),
        _event(fields={"rep": "r-17", "mood": "good", "weather": "bad"}),
        _event(fields={"mood": "good"}, deleted=None),
    )

    assert parsed.problems == []
    assert [change.fields for change in parsed.changes] == [{"deleted": False, "rep": "r-17"}]
    assert parsed.ignored == {"unknown_kind": 1, "unknown_field": 3, "no_fields": 1}
    assert parsed.unknown == {("invoice", "invoice"): 1, ("call", "mood"): 2, ("call", "weather"): 1}


def test_a_misspelt_member_of_an_event_is_named_like_a_field() -> None:
    parsed = _parse(_event(delted=True))

    assert parsed.unknown == {("call", "delted"): 1}


def test_an_unknown_name_is_cut_and_shown() -> None:
    parsed = parse(
        CONNECTOR,
        b'[{"record":"call","id":"c","changed_at":"2026-03-18T16:41:30Z","fields":{"a\\ud83d\\n'
        + b"x" * 99
        + b'":1}},{"record":"\\ud83d"}]',
    )

    assert parsed.unknown == {("call", "a??" + "x" * 61): 1, ("?", "?"): 1}


def test_a_clock_more_than_a_day_ahead_is_a_problem() -> None:
    limit = format_instant(NOW + DAY)

    parsed = _parse(_event(changed_at=limit), _event(changed_at=limit.replace(".000Z", ".001Z")))

    assert len(parsed.changes) == 1
    assert [(problem.reason, problem.index) for problem in parsed.problems] == [("clock_ahead", 1)]


def test_a_stage_is_entered_when_it_was_set_unless_the_event_says_otherwise() -> None:
    implied, said = _parse(
        _event(record="deal", fields={"stage": "won"}),
        _event(record="deal", fields={"stage": "won", "entered_stage_at": "2026-03-01T00:00:00Z"}),
    ).changes

    assert implied.fields["entered_stage_at"] == implied.changed_at
    assert said.fields["entered_stage_at"] == parse_instant("2026-03-01T00:00:00Z")


def test_a_body_of_another_sender_is_unreadable_and_not_guessed_at() -> None:
    (problem,) = parse(CONNECTOR, fixture("standard_webhooks/deal_won_full.json")).problems

    assert (problem.reason, problem.detail.split(":")[0]) == ("bad_shape", "record")


def test_an_empty_array_says_nothing() -> None:
    assert _parse() == Parsed()


def test_any_order_of_events_with_any_repetition_gives_the_same_record() -> None:
    events = [
        _event(fields={"rep": "r-1", "outcome": "no_answer"}),
        _event(fields={"rep": "r-2"}),  # at the same instant
        _event(changed_at="2026-03-18T16:42:00Z", fields={"outcome": "connected"}),
        _event(changed_at="2026-03-18T16:43:00Z", fields={"lead": "l-6"}, deleted=True),
    ]
    rows = {fold_all("call", _parse(*order, order[0]).changes).encode() for order in itertools.permutations(events)}

    assert len(rows) == 1


_VALUES: dict[FieldType, st.SearchStrategy[Any]] = {
    FieldType.TEXT: st.text(st.characters(codec="utf-8"), max_size=20),
    FieldType.FLAG: st.booleans(),
    FieldType.INSTANT: st.integers(0, 2**32).map(lambda seconds: format_instant(seconds * 10**6)),
    FieldType.SECONDS: st.integers(0, 10**6),
    FieldType.DECIMAL: st.decimals(-(10**12), 10**12, places=2).map(str),
    FieldType.CURRENCY: st.sampled_from(["USD", "eur"]),
    FieldType.REFERENCE: st.from_regex(r"[a-z0-9-]{1,20}", fullmatch=True),
    FieldType.REFERENCES: st.lists(st.from_regex(r"[a-z0-9-]{1,20}", fullmatch=True), max_size=5),
    FieldType.PHONE: st.from_regex(r"\+?[0-9 ()-]{0,20}", fullmatch=True) | st.integers(0, 10**16),
    FieldType.DATE: st.dates(date(1902, 1, 1), date(2241, 12, 31)).map(str),
    FieldType.DATE_OR_INSTANT: st.dates(date(1902, 1, 1), date(2241, 12, 31)).map(str)
    | st.integers(0, 2**32).map(lambda seconds: format_instant(seconds * 10**6)),
    FieldType.ATTRIBUTES: st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), st.integers(0, 9)),
}


@given(data=st.data(), kind=st.sampled_from(sorted(FIELDS)))
def test_every_field_of_the_contract_is_read(data: st.DataObject, kind: str) -> None:
    fields = {
        name: data.draw(
            st.none()
            | (st.sampled_from(sorted(CHOICES[kind, name])) if field_type is FieldType.CHOICE else _VALUES[field_type]),
            label=name,
        )
        for name, field_type in FIELDS[kind].items()
    }

    parsed = _parse(_event(record=kind, fields=fields))

    assert parsed.problems == []
    assert set(parsed.changes[0].fields) == {*fields, "deleted"}

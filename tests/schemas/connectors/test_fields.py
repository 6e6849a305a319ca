"""Fields: from what a CRM writes to one normalised value."""

from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.connectors.fields import FieldError, UnknownKindError, read_change, read_id, read_instant, read_number
from schemas.instants import parse_instant
from schemas.records import FIELDS, RecordChange

AT = parse_instant("2026-03-18T16:41:30.344Z")


def _read(kind: str, namespace: str = "", /, **fields: Any) -> RecordChange:
    reading = read_change(kind=kind, record_id="x-1", changed_at=AT, raw=fields, received_at=AT, namespace=namespace)
    assert reading.unknown == []
    return reading.change


@pytest.mark.parametrize(
    ("kind", "field", "raw", "value"),
    [
        ("rep", "name", "  Ana Lim ", "Ana Lim"),
        ("rep", "name", "", None),
        ("rep", "active", False, False),
        ("lead", "rep", 52530071, "52530071"),
        ("lead", "rep", " ", None),
        ("call", "direction", "inbound", "inbound"),
        ("call", "dialed_at", "2026-03-18T17:41:30.344+01:00", AT),
        ("call", "talk_seconds", 12.5, 12_500_000),
        ("call", "talk_seconds", "187", 187_000_000),
        ("call", "talk_seconds", 0, 0),
        ("call", "number", "+49 30/111-22", "493011122"),
        ("call", "number", "(0049) 30 111", "4930111"),
        ("call", "number", 4930111, "4930111"),
        ("call", "number", "+49 (0)30 111", "4930111"),
        ("call", "number", "+39 (0)6 1234", "39061234"),
        ("call", "number", "(0)30 111", "030111"),
        ("call", "number", "tel:+49-30-111;ext=12", "4930111"),
        ("call", "number", "+1 (415) 555-0100 ext. 12", "14155550100"),
        ("call", "number", "+1 415 555 0100 (mobile)", "14155550100"),
        ("call", "number", "anonymous", None),
        ("deal", "amount", 48500, "48500"),
        ("deal", "amount", 0.1, "0.1"),
        ("deal", "amount", "48500.00", "48500"),
        ("deal", "amount", "-0.00", "0"),
        ("deal", "amount", "4.85e4", "48500"),
        ("deal", "amount", " +12.50 ", "12.5"),
        ("deal", "amount", "123456789012345678.123456", "123456789012345678.123456"),
        ("deal", "currency", "eur", "EUR"),
        ("deal", "currency", "", None),
        ("activity", "attributes", {"b": 1, "a": [None, "é"]}, '{"a":[null,"é"],"b":1}'),
        ("activity", "attributes", None, None),
        ("deal", "kind", "cross_sell", "cross_sell"),
        ("deal", "units", "3", "3"),
        ("lead", "status", "customer", "customer"),
        ("lead", "attributes", {"industry": "health"}, '{"industry":"health"}'),
        ("call", "automated", True, True),
        ("email", "contacts", ["p-1", 7, " p-1 ", ""], ["p-1", "7"]),
        ("email", "contacts", [], None),
        ("email", "contacts", None, None),
        ("meeting", "attendees", [f"r-{number}" for number in range(200)], [f"r-{number}" for number in range(200)]),
        ("absence", "from", "2026-03-18", "2026-03-18"),
        ("absence", "to", " 2024-02-29", "2024-02-29"),
        ("absence", "share", 0.5, "0.5"),
        ("goal", "since", "2026-01-01", "2026-01-01"),
        ("rep", "since", "2026-03-18", "2026-03-18"),
        ("rep", "until", "2026-03-18T17:41:30.344+01:00", AT),
        ("rep", "until", "", None),
        ("subscription", "monthly_amount", "99.90", "99.9"),
        ("credit", "at", "2026-03-18T16:41:30.344Z", AT),
    ],
)
def test_values_are_normalised(kind: str, field: str, raw: Any, value: Any) -> None:
    assert _read(kind, **{field: raw}).fields == {field: value}


@pytest.mark.parametrize(
    ("kind", "field", "raw"),
    [
        ("rep", "name", "x" * 1025),
        ("rep", "since", "2026-02-29"),
        ("rep", "since", "2026-03-18T16:41:31"),
        ("rep", "until", 1773852090),
        ("absence", "from", "2026-03-18T16:41:31Z"),
        ("absence", "from", "18.03.2026"),
        ("absence", "to", "1492-10-12"),
        ("goal", "since", 20260318),
        ("email", "contacts", "p-1"),
        ("email", "contacts", {"p-1": 1}),
        ("email", "contacts", ["x" * 257]),
        ("email", "contacts", [1.5]),
        ("email", "contacts", [None]),
        ("meeting", "attendees", [f"r-{number}" for number in range(201)]),
        ("meeting", "internal", 1),
        ("deal", "kind", "upsell"),
        ("rep", "name", True),
        ("rep", "name", "\ud800"),
        ("rep", "active", "no"),
        ("lead", "rep", "x" * 257),
        ("lead", "rep", "a\x00b"),
        ("lead", "rep", 1.5),
        ("call", "direction", "Outbound"),
        ("call", "direction", ["outbound"]),
        ("call", "dialed_at", "2026-03-18T16:41:31"),
        ("call", "dialed_at", "1492-10-12T00:00:00Z"),
        ("call", "talk_seconds", -0.5),
        ("call", "talk_seconds", 10**10),
        ("deal", "amount", "1,000"),
        ("deal", "amount", "1_000"),
        ("deal", "amount", "\u0661\u0662"),
        ("deal", "amount", "NaN"),
        ("deal", "amount", "Infinity"),
        ("deal", "amount", "1e9999"),
        ("deal", "amount", "1e20"),
        ("deal", "amount", "9" * 65),
        ("deal", "amount", False),
        ("deal", "currency", "EURO"),
        ("deal", "currency", 978),
        ("activity", "attributes", []),
        ("activity", "attributes", {"a": [float("nan")]}),
        ("activity", "attributes", {"a": float("inf"), "b": None}),
        ("activity", "attributes", {"a": "\ud83d"}),
        ("deal", "amount", float("inf")),
        ("deal", "amount", "999999999999999999.9999999"),
        ("activity", "attributes", {"text": "x" * 9000}),
    ],
)
def test_values_that_cannot_be_read_are_refused_by_name_and_not_repeated(kind: str, field: str, raw: Any) -> None:
    with pytest.raises(FieldError) as refusal:
        _read(kind, **{field: raw})

    assert refusal.value.field == f"fields.{field}"
    assert not isinstance(raw, str) or not raw or raw not in str(refusal.value)


def test_a_namespace_stands_before_every_pointer_and_before_nothing_else() -> None:
    change = _read("call", "hs", rep="1", lead="2", direction="inbound", deal=None)

    assert change.id == "hs:x-1"
    assert change.fields == {"rep": "hs:1", "lead": "hs:2", "direction": "inbound", "deal": None}


def test_lists_of_ids_belong_to_the_namespace() -> None:
    assert _read("meeting", "hs", attendees=["1", 2]).fields == {"attendees": ["hs:1", "hs:2"]}


def test_unknown_fields_are_left_out_and_counted() -> None:
    reading = read_change(
        kind="rep", record_id="r", changed_at=AT, raw={"name": "A", "x": 1, "y": {}}, received_at=AT, namespace=""
    )

    assert (reading.change.fields, reading.unknown) == ({"name": "A"}, ["x", "y"])


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (30.000000000000004, "30"),
        ("30.000000000000004", "30"),
        (19.999999999999996, "20"),
        ("0.0000001", "0"),
        ("-0.0000001", "0"),
        ("12.3456785", "12.345678"),
        ("1." + "0" * 40 + "1", "1"),
    ],
)
def test_what_arithmetic_left_behind_is_rounded_and_counted(raw: Any, value: str) -> None:
    reading = read_change(
        kind="deal", record_id="x-1", changed_at=AT, raw={"amount": raw}, received_at=AT, namespace=""
    )

    assert (reading.change.fields, reading.rounded) == ({"amount": value}, 1)
    assert type(reading.change.fields["amount"]) is str
    assert reading.change == _read("deal", amount=value)


@pytest.mark.parametrize(("kind", "field"), [(kind, field) for kind, fields in FIELDS.items() for field in fields])
@pytest.mark.parametrize("raw", [None, "", "  "])
def test_empty_text_clears_any_field(kind: str, field: str, raw: Any) -> None:
    reading = read_change(kind=kind, record_id="x", changed_at=AT, raw={field: raw}, received_at=AT, namespace="hs")

    assert reading.change.fields == {field: None}


def test_an_unknown_kind_is_an_error_of_its_own() -> None:
    with pytest.raises(UnknownKindError):
        _read("invoice")


@pytest.mark.parametrize("cleared", [None, ""])
def test_a_cleared_stage_was_entered_at_no_instant(cleared: Any) -> None:
    assert _read("deal", stage=cleared).fields == {"stage": None}


def test_equal_numbers_give_equal_changes_however_they_are_written() -> None:
    assert len({_read("deal", amount=amount).digest for amount in (100, 100.0, "100", "100.00", "1e2")}) == 1


@given(st.decimals(-(10**17), 10**17, allow_nan=False, places=6))
def test_no_digit_of_money_is_lost(amount: Decimal) -> None:
    text = _read("deal", amount=format(amount, "f")).fields["amount"]

    assert isinstance(text, str)
    assert Decimal(text) == amount


@given(st.text(max_size=70) | st.floats() | st.integers() | st.none() | st.booleans())
def test_read_number_gives_a_finite_number_or_a_value_error(value: Any) -> None:
    try:
        number = read_number(value)
    except ValueError:
        return
    assert number.is_finite()


@given(st.text(max_size=40))
def test_read_instant_and_read_id_give_a_value_or_a_field_error(text: str) -> None:
    with suppress(FieldError):
        read_instant(text, "at")
    with suppress(FieldError):
        read_id(text, "id", "")

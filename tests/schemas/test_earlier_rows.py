"""Rows that an earlier build has written are read for what they say, so that an upgrade loses no record."""

import msgspec
import pytest

from schemas.damage import check_row
from schemas.records import FIELD_CODES, decode_record, decode_values, fold_all
from tests.builders import change
from tests.strategies import NOW

LEAD, REP = FIELD_CODES["lead"], FIELD_CODES["rep"]
EARLIER = msgspec.msgpack.encode(
    ("call", [(NOW, 7 << 56, {REP: "r-1"}), (NOW + 1, 9, {LEAD: "l-2"})], {}, {LEAD: ["l-1", "l-2"]})
)


def test_a_row_of_an_earlier_build_keeps_its_fields_and_what_it_named() -> None:
    record = decode_record(EARLIER)

    check_row(EARLIER)
    assert (record.get("rep"), record.get("lead")) == ("r-1", "l-2")
    assert record.named == {"lead": {"l-1": (NOW, 7 << 56)}}
    assert decode_values(EARLIER) == ("call", NOW, {"rep": "r-1", "lead": "l-2"})


def test_it_is_written_anew_with_the_next_change() -> None:
    record = decode_record(EARLIER)

    assert record.fold(change("call", "c", NOW + 2, lead="l-3"))
    again = decode_record(record.encode())
    assert again.named["lead"].keys() == {"l-1", "l-2"}
    assert again.get("lead") == "l-3"


def test_what_is_of_neither_build_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_record(msgspec.msgpack.encode(("call", [], {}, {LEAD: [7]})))


def test_codes_of_fields_never_change() -> None:
    """A row of any earlier build names its fields by these; new ones come after them."""
    assert list(FIELD_CODES) == [
        "deleted", "rep", "lead", "deal", "direction", "dialed_at", "answered_at", "ended_at", "outcome",
        "talk_seconds", "internal", "sent_at", "thread", "automated", "booked_by", "kind", "booked_at", "starts_at",
        "ends_at", "source", "received_at", "assigned_at", "status", "merged_into", "creator", "pipeline", "stage",
        "entered_stage_at", "created_at", "closed_at", "amount", "currency", "product", "name", "email", "team",
        "active", "since", "until", "at", "value", "attributes", "number", "logged_at", "logged_by", "contacts",
        "attendees", "company", "customer", "next_step_at", "units", "cost", "list_amount", "size", "region",
        "lost_reason", "role", "photo", "monthly_amount", "from", "to", "share", "goal",
    ]  # fmt: skip
    assert list(FIELD_CODES.values()) == list(range(63))


def test_a_list_is_replaced_whole_whatever_comes_first() -> None:
    first, second = change("email", "e", NOW, contacts=["p1", "p2"]), change("email", "e", NOW + 1, contacts=["p3"])
    rows = {fold_all("email", order).encode() for order in ([first, second], [second, first], [second, first, first])}

    (row,) = rows
    assert decode_record(row).get("contacts") == ["p3"]
    assert decode_values(row) == ("email", NOW + 1, {"contacts": ["p3"]})
    check_row(row)

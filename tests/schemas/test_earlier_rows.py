"""Rows that an earlier build has written are read for what they say, so that an upgrade loses no record."""

import msgspec
import pytest

from schemas.damage import check_row
from schemas.records import FIELD_CODES, decode_record, decode_values
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

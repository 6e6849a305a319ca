"""The record that says which generation is served."""

from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from schemas.generations import SERVED, Served, encode_served, first_generation, newest_served


def message(value: bytes | None, key: bytes | None = SERVED) -> Any:
    return SimpleNamespace(key=key, value=value)


def test_the_last_record_says_what_is_served() -> None:
    records = [encode_served(Served(number, 4, 4)) for number in (2, 3)]

    assert newest_served(map(message, records), first_generation(4)) == Served(3, 4, 4)
    assert newest_served([message(records[0], b"another"), message(None)], first_generation(4)) == first_generation(4)


@pytest.mark.parametrize(
    "value",
    [b"", b"\xff\x00\xaa", b"served", encode_served([0, 4, 4]), encode_served([2, 0, 4]), encode_served(["2", 4, 4])],
    ids=["empty", "no array", "a text", "no generation", "no partition", "another type"],
)
def test_a_record_that_floorcast_has_not_written_says_nothing_and_is_told(value: bytes) -> None:
    before = Served(2, 4, 4)

    with capture_logs() as told:
        found = newest_served([message(encode_served(before)), message(value)], first_generation(4))

    assert found == before
    assert [line["event"] for line in told] == ["pointer.unreadable"]

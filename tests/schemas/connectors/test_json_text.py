"""The JSON in a delivery: what is lost with a fault, and what it costs to find it."""

from collections.abc import Callable
from contextlib import suppress
from time import process_time

import pytest

from schemas.connectors.cloud_events import decode_header
from schemas.connectors.json_text import NotJsonError, Unreadable, read_items, read_json

_READERS: list[Callable[[str], object]] = [lambda body: read_items(body, 1_000), read_json, decode_header]


@pytest.mark.parametrize("read", _READERS, ids=["items", "json", "header"])
@pytest.mark.parametrize("unit", ['\\"', '"\\', '","', "[{", "[]", "\n", "1,"])
def test_what_a_broken_body_costs_is_linear_in_its_length(read: Callable[[str], object], unit: str) -> None:
    def costs(length: int) -> float:
        times = []
        for _ in range(3):
            begun = process_time()
            with suppress(NotJsonError):
                read("[" + unit * length + "]")
            times.append(process_time() - begun)
        return min(times)

    assert costs(24_000) < 48 * costs(1_000) + 0.1  # linear: 24 times; each quote followed to the end: 576 times


@pytest.mark.parametrize(
    "body", ['[1,{"a},2]', '[1,{"a\\"},2]', '[1,{"a},2\\]', '[1,{"a},{"b":2}]'], ids=["open", "escaped", "end", "odd"]
)
def test_what_stands_before_a_quote_that_does_not_close_is_read_and_what_follows_is_said_to_be_lost(body: str) -> None:
    first, rest = read_items(body.encode(), 3)

    assert first == 1
    assert isinstance(rest, Unreadable)
    assert rest.detail.startswith("event, with all that follows it, as a quote in it does not close: is not JSON (line")


def test_a_quote_that_does_not_close_takes_what_follows_up_to_the_next_alone() -> None:
    first, broken, last = read_items('[{"id": 1}, {"n": "half}, {"n": "whole}, {"id": 4}]', 9)

    assert (first, last) == ({"id": 1}, {"id": 4})
    assert isinstance(broken, Unreadable)
    assert broken.detail.startswith("event: is not JSON")

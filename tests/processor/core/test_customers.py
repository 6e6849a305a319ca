"""Subscriptions that end, and which of them were renewed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.core.customers import customer_ends
from processor.core.facts import CurrentValues
from schemas.instants import DAY
from schemas.records import fold_all
from tests.builders import change, instant

START, END = instant("2026-01-01T00:00Z"), instant("2026-02-01T00:00Z")
NEXT: dict[str, Any] = {"customer": "c1", "starts_at": END, "ends_at": END + 30 * DAY}


def is_renewed(**other: Any) -> bool:
    said = {
        "s1": {"customer": "c1", "rep": "r1", "starts_at": START, "ends_at": END, "monthly_amount": "10"},
        "s2": {"rep": "r2", **NEXT, **other},
    }
    records = {
        f"subscription|{id}": CurrentValues(
            fold_all("subscription", [change("subscription", id, START, **fields)]).encode()
        )
        for id, fields in said.items()
    }
    return next(bool(row["renewed"]) for row in customer_ends("c1", records) if row["rep"] == "r1")


@pytest.mark.parametrize(
    ("other", "renewed"),
    [
        ({}, True),
        ({"ends_at": None}, True),
        ({"starts_at": END + 30 * DAY, "ends_at": None}, True),
        ({"starts_at": END + 30 * DAY + 1, "ends_at": None}, False),
        ({"starts_at": START + 1}, True),
        ({"starts_at": START}, False),
        ({"starts_at": START - DAY, "ends_at": None}, False),
        ({"starts_at": None, "ends_at": None}, False),
        ({"starts_at": START + DAY, "ends_at": END}, False),
        ({"starts_at": START + DAY, "ends_at": END - DAY}, False),
        ({"customer": "c2"}, False),
        ({"deleted": True}, False),
    ],
)
def test_a_subscription_is_renewed_by_one_that_begins_after_it_and_lasts_longer(
    other: dict[str, Any], renewed: bool
) -> None:
    assert is_renewed(**other) is renewed


def test_only_what_ends_is_a_row_with_the_fields_of_the_subscription() -> None:
    said = {"s1": NEXT | {"rep": "r1", "currency": "EUR"}, "s2": {"customer": "c1", "starts_at": START}}
    records = {
        id: CurrentValues(fold_all("subscription", [change("subscription", id, START, **fields)]).encode())
        for id, fields in said.items()
    }

    (row,) = customer_ends("c1", records)

    assert row == {**NEXT, "rep": "r1", "currency": "EUR", "renewed": False}


@given(
    st.lists(st.tuples(st.none() | st.integers(0, 8), st.none() | st.integers(0, 8)), max_size=8),
    st.integers(0, 3),
)
def test_of_many_subscriptions_those_are_renewed_that_another_one_renews(
    spans: list[tuple[int | None, int | None]], step: int
) -> None:
    """As the rule says it of each two; days apart, or many within the time in which a renewal counts."""
    width = (1 + 12 * step) * DAY
    known: dict[str, dict[str, Any]] = {
        f"s{number}": {
            "customer": "c1", "rep": f"r{number}",
            "starts_at": None if start is None else START + start * width,
            "ends_at": None if end is None else START + end * width,
        }
        for number, (start, end) in enumerate(spans)
    }  # fmt: skip
    records = {
        id: CurrentValues(fold_all("subscription", [change("subscription", id, START, **fields)]).encode())
        for id, fields in known.items()
    }

    found = {row["rep"]: row["renewed"] for row in customer_ends("c1", records)}

    def renews(other: dict[str, Any], one: dict[str, Any]) -> bool:
        begins, end, last = other["starts_at"], one["ends_at"], other["ends_at"]
        if begins is None or (one["starts_at"] is not None and begins <= one["starts_at"]):
            return False
        return bool(begins <= end + 30 * DAY and (last is None or last > end))

    assert found == {
        one["rep"]: any(renews(other, one) for other in known.values())
        for one in known.values()
        if one["ends_at"] is not None
    }

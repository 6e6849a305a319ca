"""Subscriptions that end, and which of them were renewed."""

from typing import Any

import pytest

from processor.core.customers import customer_ends
from processor.core.facts import Known
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
        f"subscription|{id}": Known(fold_all("subscription", [change("subscription", id, START, **fields)]).encode())
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
        id: Known(fold_all("subscription", [change("subscription", id, START, **fields)]).encode())
        for id, fields in said.items()
    }

    (row,) = customer_ends("c1", records)

    assert row == {**NEXT, "rep": "r1", "currency": "EUR", "renewed": False}

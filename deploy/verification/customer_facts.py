"""Facts that take all subscriptions of a customer: `customer.ends`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

from deploy.verification.conditions import Fact
from deploy.verification.facts import fields_of
from deploy.verification.records import Record
from deploy.verification.shapes import DAY
from deploy.verification.terms import Terms

ENDS = "customer.ends"
_IN_TIME = 30 * DAY


def ends(subscriptions: Sequence[Record], terms: Terms, *, only: Collection[str] | None = None) -> Iterator[Fact]:
    """Each subscription that ends, of all customers or only of those, and whether another one follows it.

    Those of nobody are given where `only` holds an empty name, or is None.
    """
    by_customer: dict[str | None, list[Record]] = defaultdict(list)
    for one in subscriptions:
        by_customer[one.get("customer")].append(one)
    for customer, own in by_customer.items():
        if only is None or (customer or "") in only:
            for one in own:
                if one.get("ends_at") is not None:
                    others = own if customer is not None else ()
                    renewed = any(other is not one and _renews(other, one) for other in others)
                    yield fields_of("subscription", one, terms) | {"renewed": renewed}


def _renews(other: Record, one: Record) -> bool:
    starts_at, ends_at = other.get("starts_at"), other.get("ends_at")
    if starts_at is None or (one.get("starts_at") is not None and starts_at <= one.get("starts_at")):
        return False
    is_in_time = starts_at <= one.get("ends_at") + _IN_TIME
    return bool(is_in_time and (ends_at is None or ends_at > one.get("ends_at")))

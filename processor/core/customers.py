"""A customer with their subscriptions: which of those that end were renewed.

Owns the rule: another subscription of the same customer begins after it, not later than 30 days after its end, and ends
later or never.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from processor.core.deals import Row
from processor.core.definitions import Definitions
from processor.core.facts import Known
from processor.core.plan import Contribution
from schemas.instants import DAY

RENEWED_WITHIN = 30 * DAY
_EVER = -(2**62)
_NEVER = 2**62


def customer_contributions(customer: str, records: Mapping[str, Known], definitions: Definitions) -> list[Contribution]:
    """What the ends of their subscriptions count for."""
    counting = definitions.counting
    if "customer.ends" not in counting.plan.programs:
        return []
    rows = map(definitions.with_people, customer_ends(customer, records))
    return [each for row in rows for each in counting.of_row("customer.ends", row.get)]


def customer_ends(customer: str, records: Mapping[str, Known]) -> Iterator[Row]:
    """A row for each subscription of theirs that has an end."""
    known = [
        record
        for _, record in sorted(records.items())
        if record.kind == "subscription" and not record.is_deleted and record.get("customer") == customer
    ]
    for subscription in known:
        if subscription.get("ends_at") is not None:
            others = (other for other in known if other is not subscription)
            yield end_row(subscription.values, is_renewed=_is_renewed(subscription, others))


def end_row(subscription: Mapping[str, Any], *, is_renewed: bool) -> Row:
    """The row of a subscription that has an end."""
    return {**subscription, "renewed": is_renewed}


def _is_renewed(subscription: Known, others: Iterable[Known]) -> bool:
    start, end = _or(subscription.get("starts_at"), _EVER), subscription.get("ends_at")
    return any(
        start < _or(other.get("starts_at"), _EVER) <= end + RENEWED_WITHIN and end < _or(other.get("ends_at"), _NEVER)
        for other in others
    )


def _or(at: int | None, other: int) -> int:
    return other if at is None else at

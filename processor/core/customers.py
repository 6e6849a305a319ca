"""A customer with their subscriptions: which of those that end were renewed.

Owns the rule: another subscription of the same customer begins after it, not later than 30 days after its end, and ends
later or never.
"""

from bisect import bisect_right, insort
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from processor.core.deals import FactRow
from processor.core.definitions import Definitions
from processor.core.facts import CurrentValues
from processor.core.plan import Contribution
from schemas.instants import DAY

RENEWED_WITHIN = 30 * DAY
_EVER = -(2**62)
_NEVER = 2**62


def customer_contributions(
    customer: str, records: Mapping[str, CurrentValues], definitions: Definitions
) -> list[Contribution]:
    """What the ends of their subscriptions count for."""
    counting = definitions.counting
    if "customer.ends" not in counting.plan.programs:
        return []
    rows = map(definitions.with_people, customer_ends(customer, records))
    return [each for row in rows for each in counting.of_row("customer.ends", row.get)]


def customer_ends(customer: str, records: Mapping[str, CurrentValues]) -> Iterator[FactRow]:
    """A row for each subscription of theirs that has an end."""
    known = [
        record
        for _, record in sorted(records.items())
        if record.kind == "subscription" and not record.is_deleted and record.get("customer") == customer
    ]
    renewed = _renewed(known)
    for place, subscription in enumerate(known):
        if subscription.get("ends_at") is not None:
            yield end_row(subscription.values, is_renewed=place in renewed)


def end_row(subscription: Mapping[str, Any], *, is_renewed: bool) -> FactRow:
    """The row of a subscription that has an end."""
    return {**subscription, "renewed": is_renewed}


def _renewed(known: Sequence[CurrentValues]) -> set[int]:
    """The places of those that another one renews. Not each is compared with each: a sender may name very many."""
    starts = [_or(record.get("starts_at"), _EVER) for record in known]
    ends = [_or(record.get("ends_at"), _NEVER) for record in known]
    found: set[int] = set()
    later: list[int] = []  # the starts of those that end after the one that is looked at, in order
    waiting: list[int] = []  # those that end with it
    for place in sorted(range(len(known)), key=ends.__getitem__, reverse=True):
        if waiting and ends[waiting[0]] > ends[place]:
            for each in waiting:
                insort(later, starts[each])
            waiting = []
        waiting.append(place)
        following = bisect_right(later, starts[place])
        if following < len(later) and later[following] <= ends[place] + RENEWED_WITHIN:
            found.add(place)
    return found


def _or(at: int | None, other: int) -> int:
    return other if at is None else at

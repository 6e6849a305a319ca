"""Facts that take all subscriptions of a customer: `customer.ends`."""

from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence

from deploy.verification.bounds import pointing
from deploy.verification.conditions import Fact
from deploy.verification.facts import fields_of
from deploy.verification.records import Record, RecordsByKind, countable
from deploy.verification.shapes import DAY
from deploy.verification.terms import Terms

ENDS = "customer.ends"
_IN_TIME = 30 * DAY
_NEVER = 2**62


def customers(records: RecordsByKind, *, only: Collection[str] | None = None) -> Iterator[list[Record]]:
    """The subscriptions of each customer, of all or only of those."""
    kept = countable(records).get("subscription", [])
    return (own for _, own in pointing("customer", "subscription", records, kept, only))


def ends(subscriptions: Sequence[Record], terms: Terms) -> Iterator[Fact]:
    """Each of a customer's subscriptions that ends, and whether another one of them follows it."""
    followers = _Followers(subscriptions)
    for one in subscriptions:
        if one.get("ends_at") is not None:
            yield fields_of("subscription", one, terms) | {"renewed": followers.renew(one)}


class _Followers:
    """Which subscriptions another one may go on with, by their beginnings; there may be thousands of one customer."""

    def __init__(self, subscriptions: Sequence[Record]) -> None:
        begun = sorted(
            (starts_at, _NEVER if one.get("ends_at") is None else one.get("ends_at"))
            for one in subscriptions
            if (starts_at := one.get("starts_at")) is not None
        )
        self._starts = [starts_at for starts_at, _ in begun]
        self._last = [[ends_at for _, ends_at in begun]]
        """The last end of 1, 2, 4 … that begin one after the other."""
        while len(shorter := self._last[-1]) > (step := 1 << len(self._last) - 1):
            self._last.append([max(pair) for pair in zip(shorter, shorter[step:], strict=False)])

    def renew(self, one: Record) -> bool:
        """Whether another one begins after this one, in time, and ends later."""
        starts_at, ends_at = one.get("starts_at"), one.get("ends_at")
        first = 0 if starts_at is None else bisect_right(self._starts, starts_at)
        end = bisect_right(self._starts, ends_at + _IN_TIME)
        if first >= end:
            return False
        level = (end - first).bit_length() - 1
        last = self._last[level]
        return bool(max(last[first], last[end - (1 << level)]) > ends_at)

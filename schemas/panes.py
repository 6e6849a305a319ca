"""Panes: one rep, one stored window, from one origin; sums and sorted samples that merge exactly.

Owns the measures, the pane, its key and encoding, and the merge. Does not derive panes from records, and makes no
metric.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from decimal import Context, Decimal
from enum import Enum
from typing import Any, Final

import msgspec

from schemas.windows import Window, read_window, write_window

EXACT: Final = Context(prec=100)
"""Money is added here: wide enough that no sum of amounts times rates is ever rounded."""


class Measure(Enum):
    """How the values of a measure join."""

    SUM = "sum"
    """An integer: a count, or microseconds."""
    MONEY = "money"
    """An exact decimal in the organisation's currency."""
    SAMPLE = "sample"
    """Sorted microseconds, one for each case: percentiles stay exact under every merge."""
    PENDING = "pending"
    """Sorted tuples of instants of leads: what they count for depends on the reader's clock."""


MEASURES: Mapping[str, Measure] = {
    "calls_made": Measure.SUM,
    "calls_connected": Measure.SUM,
    "conversations": Measure.SUM,
    "talk": Measure.SUM,
    "emails_sent": Measure.SUM,
    "emails_received": Measure.SUM,
    "meetings_booked": Measure.SUM,
    "meetings_held": Measure.SUM,
    "leads_assigned": Measure.SUM,
    "leads_answered": Measure.SUM,
    "leads_within_sla": Measure.SUM,
    "responses": Measure.SAMPLE,
    "pending": Measure.PENDING,
    "pending_until": Measure.PENDING,
    "answered_from": Measure.PENDING,
    "deals_won": Measure.SUM,
    "deals_lost": Measure.SUM,
    "deals_valued": Measure.SUM,
    "deals_without_rate": Measure.SUM,
    "revenue_won": Measure.MONEY,
    "cycles": Measure.SAMPLE,
}

Pane = dict[str, Any]
"""Measure -> int (sum), Decimal (money), sorted list of int (sample), sorted list of (start, due) (pending).

What is absent is zero or empty.
"""

_encode = msgspec.msgpack.Encoder(decimal_format="string", order="sorted").encode
_SUMS = frozenset(measure for measure, kind in MEASURES.items() if kind is Measure.SUM)
_MONEY = frozenset(measure for measure, kind in MEASURES.items() if kind is Measure.MONEY)
_decode = msgspec.msgpack.Decoder(dict[str, Any]).decode


def put(pane: Pane, values: Iterable[tuple[str, Any]]) -> None:
    """Put (measure, value)s in, none of them zero, of which none is ever taken out while some are put in."""
    for measure, value in values:
        if measure in _SUMS:
            pane[measure] = pane.get(measure, 0) + value
        else:
            add(pane, ((measure, value),), 1)


def add(pane: Pane, values: Iterable[tuple[str, Any]], sign: int) -> None:
    """Put (measure, value)s in (`sign` 1) or take them out again (-1). Taking out what was put in leaves no trace."""
    for measure, value in values:
        if measure in _SUMS:
            total = pane.get(measure, 0) + value * sign
            if total:
                pane[measure] = total
            else:
                pane.pop(measure, None)
        elif measure in _MONEY:
            money = EXACT.add(pane.get(measure, Decimal(0)), value if sign > 0 else -value)
            if money:
                pane[measure] = money
            else:
                pane.pop(measure, None)
        elif sign > 0:
            insort(pane.setdefault(measure, []), value)
        else:
            sample = pane[measure]
            del sample[bisect_left(sample, value)]
            if not sample:
                del pane[measure]


def merge(panes: Iterable[Pane]) -> Pane:
    """The join of panes of disjoint windows, reps or origins: associative, commutative, the empty pane neutral."""
    merged: Pane = {}
    unsorted: set[str] = set()
    for pane in panes:
        for measure, value in pane.items():
            held = merged.get(measure)
            if held is None:
                merged[measure] = list(value) if isinstance(value, list) else value
            elif isinstance(value, list):
                held.extend(value)
                unsorted.add(measure)
            elif isinstance(value, Decimal):
                merged[measure] = EXACT.add(held, value)
            else:
                merged[measure] = held + value
    for measure in unsorted:
        merged[measure].sort()
    return merged


def exchange(total: Pane, before: Pane, after: Pane) -> None:
    """Make `total`, which `before` was merged into, what it would be with `after` instead. Lists are made anew."""
    for measure in before.keys() | after.keys():
        was, now = before.get(measure), after.get(measure)
        if was == now:
            continue
        kind = MEASURES[measure]
        value: Any
        if kind is Measure.SUM:
            value = total.get(measure, 0) + (now or 0) - (was or 0)
        elif kind is Measure.MONEY:
            value = EXACT.subtract(EXACT.add(total.get(measure, Decimal(0)), now or Decimal(0)), was or Decimal(0))
        else:
            value = list(total.get(measure, ()))
            for case, number in _difference(was or (), now or ()):
                if number < 0:
                    first = bisect_left(value, case)
                    del value[first : first - number]
                else:
                    for _ in range(number):
                        insort(value, case)
        if value:
            total[measure] = value
        else:
            total.pop(measure, None)


def _difference(before: Iterable[Any], after: Iterable[Any]) -> Iterator[tuple[Any, int]]:
    """How many more of each case `after` holds."""
    numbers = Counter(after)
    numbers.subtract(Counter(before))
    return ((case, number) for case, number in numbers.items() if number)


# `pending` holds (start, due) of leads without an answer. Of a lead whose first touch is still to come, `pending_until`
# holds (start, due, until) in its owner's pane, and `answered_from` (start, due, from) in that of whom it counts for.
_TURNING: Final = frozenset({"pending"})
_COMING: Final = _TURNING | {"leads_answered", "leads_within_sla", "responses"}


def turning(pane: Pane) -> frozenset[str]:
    """Measures of this pane that count for something else as time passes, without an event."""
    if "pending_until" in pane or "answered_from" in pane:
        return _COMING
    return _TURNING if "pending" in pane else frozenset()


def as_of(pane: Pane, now: int) -> Pane:
    """The pane for a reader whose clock says `now`: leads whose touch was still to come are pending, or answered."""
    waiting, coming = pane.get("pending_until"), pane.get("answered_from")
    if waiting is None and coming is None:
        return pane
    seen = {measure: list(held) if isinstance(held, list) else held for measure, held in pane.items()}
    seen.pop("pending_until", None)
    seen.pop("answered_from", None)
    add(seen, (("pending", (start, due)) for start, due, until in waiting or () if now < until), 1)
    for start, due, at in coming or ():
        if at <= now:
            add(seen, (("leads_answered", 1), ("responses", max(0, at - start))), 1)
            if at <= due:
                add(seen, (("leads_within_sla", 1),), 1)
    return seen


def encode_pane(pane: Pane) -> bytes:
    """The same pane always gives the same bytes, so that what is published can be compared."""
    if _MONEY.isdisjoint(pane):
        # Most panes hold no money, and are encoded as they are: 1.8 µs became 0.4.
        return _encode(pane)
    return _encode(
        {
            measure: format(value.normalize(EXACT), "f") if isinstance(value, Decimal) else value
            for measure, value in pane.items()
        }
    )


def decode_pane(value: bytes) -> Pane:
    """The opposite of `encode_pane`. A measure of a later version is left out."""
    pane: Pane = {}
    for measure, held in _decode(value).items():
        kind = MEASURES.get(measure)
        if kind is Measure.MONEY:
            pane[measure] = Decimal(held)
        elif kind is Measure.PENDING:
            pane[measure] = [tuple(pair) for pair in held]
        elif kind is not None:
            pane[measure] = held
    return pane


def pane_key(origin: str, rep: str | None, window: Window) -> bytes:
    """`origin|rep|window`; a rep's id may hold any character, the other two hold no bar. No rep: the empty text."""
    return f"{origin}|{rep or ''}|{write_window(window)}".encode()


def read_pane_key(key: bytes) -> tuple[str, str | None, Window]:
    """(origin, rep, window). Raises ValueError."""
    origin, rest = key.decode().split("|", 1)
    rep, window = rest.rsplit("|", 1)
    return origin, rep or None, read_window(window)

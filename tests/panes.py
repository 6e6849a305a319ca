"""Panes by the names that people use: what a test puts into one, or looks for in one.

Owns no expectation. Cells are those of the shipped catalogue under default rules.
"""

from collections import Counter
from functools import cache
from typing import Any

from schemas.catalogue import BoundCatalogue, bound, reading
from schemas.catalogue.amounts import limbs, number_of
from schemas.catalogue.plan import Form
from schemas.catalogue.rules import Rules
from schemas.panes import Pane


@cache
def shipped() -> BoundCatalogue:
    """The shipped catalogue under default rules."""
    return bound(reading.shipped().metrics, Rules())


def cell_of(metric: str) -> int:
    """The cell of a `simple` or `duration`.

    `responses`, `pending`, `pending_until` and `answered_from` are of clocks; `without_rate` are won for unknown money.
    """
    clocks = ("leads_answered", "pending", "pending_until", "answered_from")
    if metric in clocks:
        return shipped().metrics["leads_due"].reader.measures[clocks.index(metric)].name
    if metric == "without_rate":
        return shipped().metrics["revenue_won"].reader.measures[-1].name
    if metric == "responses":
        return shipped().metrics["lead_response_seconds_p50"].reader.measures[0].name
    return shipped().metrics[metric].reader.measures[0].name


def pane_of(**amounts: Any) -> Pane:
    """`calls_made=3`, `revenue_won="10.00"`, `talk_seconds` in microseconds, samples and pending leads as lists."""
    pane: Pane = {}
    for metric, amount in amounts.items():
        cell = cell_of(metric)
        match shipped().plan.forms[cell]:
            case Form.COUNT:
                pane[cell] = amount
            case Form.NUMBER:
                pane[cell] = dict(limbs(amount))
            case Form.DECIMAL:
                pane[cell] = dict(limbs(*number_of(amount)))
            case _:
                pane[cell] = dict(Counter(amount))
    return {cell: value for cell, value in pane.items() if value}

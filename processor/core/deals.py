"""A deal as a row of facts: when it closed, and how long it stayed in which stage.

Owns the rules of both. A deal closed when its status last became won or lost, unless an instant of closing was said
with or after that; one that is open has none. Its stays follow from the instants at which it entered its stages.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.records import Record

CLOSED = frozenset({"won", "lost"})

Row = Mapping[str, Any]
"""A row of a fact: values by field."""


def closed_at(deal: Record) -> int | None:
    """When it was won or lost (microseconds); None while it is neither."""
    status = deal.get("status")
    if status not in CLOSED:
        return None
    became_at: int | None = None
    for changed_at, _, word in reversed(deal.history("status")):
        if word != status:
            break
        became_at = changed_at
    said = deal.entry("closed_at")
    if said is not None and isinstance(said[2], int) and (became_at is None or said[0] >= became_at):
        return said[2]
    return became_at


def deal_row(deal: Record) -> Row:
    """Its fields by name, and what is made of them."""
    at = closed_at(deal)
    return {**deal.values(), "closed_at": at, "ended_at": at}


def stays(deal: Record) -> Iterator[Row]:
    """A row for each stay in a stage, in order: entries of one stage that follow each other are one stay."""
    joined: list[tuple[int, str | None]] = []
    for entered_at, _, _, stage in deal.entries("stage"):
        if not joined or joined[-1][1] != stage:
            joined.append((entered_at, None if stage is None else str(stage)))
    row = deal_row(deal)
    for place, (entered_at, stage) in enumerate(joined):
        if stage is not None:
            left_at = joined[place + 1][0] if place + 1 < len(joined) else None
            yield {**row, "stage": stage, "entered_at": entered_at, "left_at": left_at}

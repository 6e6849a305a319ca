"""A deal as a row of facts: when it closed, and how long it stayed in which stage; and as lists show it.

Owns the rules of these. A deal closed when its status last became won or lost, unless an instant of closing was said
with or after that; one that is open has none. Its stays follow from the instants at which it entered its stages.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from schemas.deals import DealCard, encode_deal
from schemas.records import MERGED, Record

CLOSED = frozenset({"won", "lost"})

FactRow = Mapping[str, Any]
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


def deal_row(deal: Record, joined: Sequence[tuple[int, str | None]]) -> FactRow:
    """Its fields by name, and what is made of them: it is in the stage that it entered last, since it entered that.

    `joined`: as `joined_stays` gives them.
    """
    at = closed_at(deal)
    entered_at, stage = joined[-1] if joined else (deal.get("entered_stage_at"), deal.get("stage"))
    return {**deal.values(), "closed_at": at, "ended_at": at, "stage": stage, "entered_stage_at": entered_at}


def joined_stays(deal: Record) -> list[tuple[int, str | None]]:
    """When it entered which stage, in order: entries of one stage that follow each other are one stay."""
    entered = [(entered_at, None if stage is None else str(stage)) for entered_at, _, _, stage in deal.entries("stage")]
    later = [entry for before, entry in pairwise(entered) if before[1] != entry[1]]
    return entered[:1] + later


def stays(row: FactRow, joined: Sequence[tuple[int, str | None]]) -> Iterator[FactRow]:
    """A row for each stay in a stage, in order. `row`: of the deal; `joined`: as `joined_stays` gives them."""
    for place, (entered_at, stage) in enumerate(joined):
        if stage is not None:
            left_at = joined[place + 1][0] if place + 1 < len(joined) else None
            yield {**row, "stage": stage, "entered_at": entered_at, "left_at": left_at}


def is_won(deal: Record) -> bool:
    """Whether it stands among what was won."""
    return deal.get("status") == "won" and not deal.is_deleted and deal.get(MERGED) is None


def deal_card(
    id: str, deal: Record, person: Callable[[str | None], str | None], *, is_quiet: bool = False
) -> bytes | None:
    """What lists show of it; None: it is in none, as it is lost, deleted or merged. `person`: who is served as whom.

    `is_quiet`: no webhook told first that it was won.
    """
    if deal.get("status") == "lost" or deal.is_deleted or deal.get(MERGED) is not None:
        return None
    joined, was_won = joined_stays(deal), is_won(deal)
    entered_at, stage = joined[-1] if joined else (None, None)
    left = [(held, end - at) for (at, held), (end, _) in pairwise(joined) if held is not None] if was_won else []
    return encode_deal(
        DealCard(
            deal=id,
            rep=person(deal.get("rep")),
            name=deal.get("name"),
            lead=deal.get("lead"),
            pipeline=deal.get("pipeline"),
            stage=stage,
            entered_stage_at=None if stage is None else entered_at,
            amount=deal.get("amount"),
            currency=deal.get("currency"),
            next_step_at=deal.get("next_step_at"),
            created_at=deal.get("created_at"),
            won_at=closed_at(deal) if was_won else None,
            stays=tuple(left),
            is_quiet=is_quiet and was_won,
        )
    )

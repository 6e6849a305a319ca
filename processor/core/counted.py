"""What a record counts for by itself, as the ledger asks: as a row of its kind, and of the facts that it alone makes.

Owns which facts those are: the stays of a deal, the steps of funnels that it entered, and the end of a subscription
that names no customer, which so nobody can renew. Everything that takes two records is counted by a group.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from processor.core.customers import end_row
from processor.core.deals import Row, deal_row, joined_stays, stays
from processor.core.definitions import Definitions
from processor.core.paths import deal_rows
from processor.core.plan import Contribution, Evaluator
from schemas.records import DELETED, MERGED, Record, decode_record

_DEALS_REMEMBERED = 512
"""As many as a ledger takes in at once, if they have all the stages that are kept (`ledger.PART`)."""


def record_contributions(record: Record, definitions: Definitions) -> list[Contribution]:
    """All of them, in the order of the plan."""
    if record.kind == "deal":
        return _deal(record, definitions)
    if record.kind == "subscription":
        return _subscription(record.values(), definitions)
    return definitions.counting.of_record(record.kind, record.get)


def row_contributions(kind: str, row: bytes, values: Mapping[str, Any], definitions: Definitions) -> list[Contribution]:
    """The same of the row of a record whose values were read already."""
    if kind == "deal":
        return _deal(decode_record(row), definitions)
    if kind == "subscription":
        return _subscription(values, definitions)
    return definitions.counting.of_record(kind, values.get)


def _deal(deal: Record, definitions: Definitions) -> list[Contribution]:
    counting, said = definitions.counting, deal_row(deal)
    found = counting.of_record("deal", said.get)
    has_stays = "deal.stays" in counting.plan.programs
    if deal.is_deleted or deal.get(MERGED) is not None or not (has_stays or counting.deal_paths):
        return found
    # Once for all of its rows: a deal may have as many stays as a history keeps.
    row, joined = definitions.with_people(said), joined_stays(deal)
    if has_stays:
        found += _of_stays(row, joined, counting)
    for path in counting.deal_paths:
        for entry in deal_rows(path, row, joined):
            found += counting.of_row(path.fact, entry.get)
    return found


def _of_stays(row: Row, joined: Sequence[tuple[int, str | None]], counting: Evaluator) -> Sequence[Contribution]:
    """What the stays count for, remembered: most words on a deal say nothing that a stay looks at."""
    try:
        key = (tuple(joined), *(row.get(name) for name in counting.read_by_stays))
        known = counting.of_stays.get(key)
    except TypeError:  # one of them is a list
        return [entry for stay in stays(row, joined) for entry in counting.of_row("deal.stays", stay.get)]
    if known is None:
        known = [entry for stay in stays(row, joined) for entry in counting.of_row("deal.stays", stay.get)]
        if len(counting.of_stays) >= _DEALS_REMEMBERED:
            counting.of_stays.clear()
        counting.of_stays[key] = known
    return known


def _subscription(values: Mapping[str, Any], definitions: Definitions) -> list[Contribution]:
    counting = definitions.counting
    found = counting.of_record("subscription", values.get)
    is_alone = values.get(DELETED) is not True and values.get("customer") is None and values.get("ends_at") is not None
    if is_alone and "customer.ends" in counting.plan.programs:
        row = definitions.with_people(end_row(values, is_renewed=False))
        found += counting.of_row("customer.ends", row.get)
    return found

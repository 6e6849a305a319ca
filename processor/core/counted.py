"""What a record counts for by itself, as the ledger asks: as a row of its kind, and of the facts that it alone makes.

Owns which facts those are: the stays of a deal, the steps of funnels that it entered, and the end of a subscription
that names no customer, which so nobody can renew. Everything that takes two records is counted by a group.
"""

from collections.abc import Collection, Mapping
from typing import Any

from processor.core.customers import end_row
from processor.core.deals import deal_row, joined_stays, stays
from processor.core.definitions import Definitions
from processor.core.paths import deal_rows
from processor.core.plan import Contribution
from schemas.records import DELETED, FIELDS, MERGED, Record, RecordChange, decode_record


def pasts_of(change: RecordChange, definitions: Definitions) -> frozenset[str]:
    """The facts of a deal's past that another word may change: to count each of its stages takes as long as all else.

    A voice, a deletion or a pointer that is left may change any.
    """
    pasts = definitions.counting.pasts
    if change.kind != "deal" or not FIELDS["deal"].keys() >= change.fields.keys():
        return frozenset(pasts)
    return frozenset(fact for fact, fields in pasts.items() if not fields.isdisjoint(change.fields))


def record_contributions(
    record: Record, definitions: Definitions, pasts: Collection[str] | None = None
) -> list[Contribution]:
    """All of them, in the order of the plan; of the facts of its past only `pasts`, if somebody asks for some."""
    if record.kind == "deal":
        return _deal(record, definitions, pasts)
    if record.kind == "subscription":
        return _subscription(record.values(), definitions)
    return definitions.counting.of_record(record.kind, record.get)


def row_contributions(kind: str, row: bytes, values: Mapping[str, Any], definitions: Definitions) -> list[Contribution]:
    """The same of the row of a record whose values were read already."""
    if kind == "deal":
        return _deal(decode_record(row), definitions, None)
    if kind == "subscription":
        return _subscription(values, definitions)
    return definitions.counting.of_record(kind, values.get)


def _deal(deal: Record, definitions: Definitions, pasts: Collection[str] | None) -> list[Contribution]:
    counting, joined = definitions.counting, joined_stays(deal)
    said = deal_row(deal, joined)
    found = counting.of_record("deal", said.get)
    wanted = counting.pasts if pasts is None else pasts
    if not wanted or deal.is_deleted or deal.get(MERGED) is not None:
        return found
    # Once for all of its rows: a deal may have as many stays as a history keeps.
    row = definitions.with_people(said)
    if "deal.stays" in wanted:
        for stay in stays(row, joined):
            found += counting.of_row("deal.stays", stay.get)
    for path in counting.deal_paths:
        if path.fact in wanted:
            for entry in deal_rows(path, row, joined):
                found += counting.of_row(path.fact, entry.get)
    return found


def _subscription(values: Mapping[str, Any], definitions: Definitions) -> list[Contribution]:
    counting = definitions.counting
    found = counting.of_record("subscription", values.get)
    is_alone = values.get(DELETED) is not True and values.get("customer") is None and values.get("ends_at") is not None
    if is_alone and "customer.ends" in counting.plan.programs:
        row = definitions.with_people(end_row(values, is_renewed=False))
        found += counting.of_row("customer.ends", row.get)
    return found

"""The batch recount: every metric from the list of all record changes and a clock, in one plain pass.

Owns a second, independent reading of the definitions: `floorcast verify` and the tests compare what is served with it.
So it shares nothing with the stream code but the value types, prefers brute force to cleverness and keeps no panes.
Instants and durations are integer microseconds, UTC; fractions stay exact until they are shown.

    forgetting    which changes still count after a long time     records     changes folded, and what one record means
    people        who, and in which team that day                 office      business time
    definitions   metrics.yaml as it is written                   conditions  `where`, and the fields of facts
    facts         what `from` names, of one record each           families    leads with all that belongs to them
    lead_facts, thread_facts, customer_facts, rep_days            leads       when a lead was answered
    measures      what a definition counts (and `durations`, `levels`, `conversions`, `responses`)
    formulas      ratios and derived metrics                      rows        a window summed up to a row
    books         all that counts, and what is read off it        shapes      windows, rows and clocks as values
    terms         what floorcast.yaml says that metrics go by
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING

from deploy.verification.books import Books, BoundDefinitions
from deploy.verification.customer_facts import customers
from deploy.verification.definitions import Definitions, shipped
from deploy.verification.forgetting import GROUPS, RememberedLog, remembered
from deploy.verification.levels import lasts, levels_of
from deploy.verification.records import RecordsByKind, fold

if TYPE_CHECKING:
    from schemas.config import Config
    from schemas.records import RecordChange


_NO_METRICS = Definitions({})


def left_of(
    changes: Sequence[RecordChange], config: Config, definitions: Definitions | None = None, newest: int | None = None
) -> RememberedLog:
    """What a log still says once its receipt `newest` was taken in; that of the newest of these changes if None."""
    levels = cache(lambda: BoundDefinitions(config, {}, levels_of(shipped() if definitions is None else definitions)))

    def waits(kind: str, name: str, known: Sequence[RecordChange]) -> bool:
        records = fold(known)
        if kind == "lead":
            books = Books(records, BoundDefinitions(config, records, _NO_METRICS))
            books.count_groups(kind, records)
            if name in books.going_on:
                return True
        if kind == "customer" and any(
            one.get("ends_at") is None for own in customers(records, only=(name,)) for one in own
        ):
            return True
        books = Books(records, levels())
        books.count_groups(kind, records, only=None if kind == "lead" else (name,))
        return any(map(lasts, books.counted))

    def stands(known: Sequence[RecordChange]) -> bool:
        books = Books(fold(known), levels())
        books.count_single()
        return any(map(lasts, books.counted))

    return remembered(changes, config, waits, stands, newest)


def recount(changes: Iterable[RecordChange], config: Config, definitions: Definitions | None = None) -> Books:
    """Everything that follows from these changes, in whatever order and however often they stand there.

    By the metrics that are shipped, unless others are given.
    """
    said = list(changes)
    left, newest = left_of(said, config, definitions), max((change.received_at for change in said), default=None)
    records = fold(left.records)
    books = Books(records, BoundDefinitions(config, records, definitions), first_day=left.first_day, newest=newest)
    books.count_single()
    for kind in GROUPS:
        count_groups(books, kind, records, left)
    return books


def count_groups(
    books: Books, kind: str, records: RecordsByKind, left: RememberedLog, only: Collection[str] | None = None
) -> None:
    """What counts of all groups of a kind, or only of those, each by what it remembers. `records`: what is left."""
    if left.groups is None:
        books.count_groups(kind, records, only=only)
        return
    whole = left.whole[kind]
    books.count_groups(kind, records, only=whole if only is None else whole.intersection(only))
    for name, known in left.groups[kind].items():
        if only is None or name in only:
            books.count_groups(kind, fold(known), only=(name,))

"""The batch recount: every metric from the list of all record changes and a clock, in one plain pass.

Owns a second, independent reading of the definitions: `floorcast verify` and the tests compare what is served with it.
So it shares nothing with the stream code but the value types, prefers brute force to cleverness and keeps no panes.
Instants and durations are integer microseconds, UTC; fractions stay exact until they are shown.

    forgetting   which changes still count after a long time      records   changes folded, and what one record means
    people       who, and in which team that day                   office    business time
    leads        when a lead was answered                          books     all facts, and what is read off them
    rows         facts of a window summed up to a row              shapes    windows, rows and clocks as values
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from deploy.verification.books import Books
from deploy.verification.forgetting import Remembered, remembered
from deploy.verification.records import fold

if TYPE_CHECKING:
    from schemas.config import Config
    from schemas.records import RecordChange


def left_of(changes: Sequence[RecordChange], config: Config, newest: int | None = None) -> Remembered:
    """What a log still says once its receipt `newest` was taken in; that of the newest of these changes if None."""

    def waits(lead: str, known: Sequence[RecordChange]) -> bool:
        return lead in Books(fold(known), config).going_on()

    return remembered(changes, config, waits, newest)


def recount(changes: Iterable[RecordChange], config: Config) -> Books:
    """Everything that follows from these changes, in whatever order and however often they stand there."""
    left = left_of(list(changes), config)
    books = Books(fold(left.records), config, first_day=left.first_day, has_groups=left.leads is None)
    if left.leads is not None:
        records = fold(left.records)
        books.count_answers(records, only=left.whole_threads)
        books.count_leads(records, only=left.whole_leads)
    for thread, mails in (left.threads or {}).items():
        books.count_answers(fold(mails), only=(thread,))
    for lead, known in (left.leads or {}).items():
        books.count_leads(fold(known), only=(lead,))
    return books

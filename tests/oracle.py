"""The oracle of the tests: the batch recount of `deploy.verification.recount`, with what makes a comparison one line.

Owns no definition of its own.
"""

from collections.abc import Iterable

from deploy.verification.books import Books
from deploy.verification.definitions import shipped
from deploy.verification.differences import differences
from deploy.verification.recount import recount
from deploy.verification.shapes import LeadClock, RecountedRows, RecountedWindow, Row, Rows, ServedValue
from schemas.config import Config
from schemas.records import RecordChange
from tests.builders import instant, make_config

METRICS = tuple(shipped().metrics)
"""The names of what is shipped, in the order of the file."""

__all__ = [
    "METRICS",
    "Books",
    "LeadClock",
    "RecountedRows",
    "RecountedWindow",
    "Row",
    "Rows",
    "ServedValue",
    "clocks_of",
    "differences",
    "recount",
    "row_of",
    "rows_of",
]


def rows_of(
    changes: Iterable[RecordChange], *, now: str | int, window: RecountedWindow = "today", config: Config | None = None
) -> RecountedRows:
    """Give all rows that these changes make at `now`."""
    return recount(changes, config or make_config()).rows(now=instant(now), window=window)


def row_of(
    changes: Iterable[RecordChange],
    *,
    now: str | int,
    window: RecountedWindow = "today",
    config: Config | None = None,
    rep: str | None = None,
    team: str | None = None,
) -> Row:
    """Give one row: the organisation's unless a rep or a team is named."""
    books = recount(changes, config or make_config())
    return books.metrics(now=instant(now), window=window, rep=rep, team=team)


def clocks_of(changes: Iterable[RecordChange], *, now: str | int, config: Config | None = None) -> dict[str, LeadClock]:
    """Give the lead clocks that these changes make at `now`."""
    return recount(changes, config or make_config()).lead_clocks(instant(now))

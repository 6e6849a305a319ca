"""Lists of a CRM's API that come page by page: where each goes on, and when it is over.

Owns the rule, for all vendors. An API that takes no notice of where a list is to go on gives the same page for ever,
or none with a new place to go on at, and would be asked for it until the requests of the day are used up: such a list
is a wrong answer. Who reads it for a reconciliation begins the next one where this one began.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from schemas.connectors.asking import Ask, BadAnswerError, Changed, CrmAnswer, Page, Steps

ALIKE = 8
"""Pages one after the other that name the same, or nothing. Several lists may be asked for one object, and begin alike.
"""


@dataclass(frozen=True, slots=True)
class ReadPage:
    """A page that has come."""

    answer: CrmAnswer
    rows: Sequence[dict[str, Any]]
    cursor: str
    """Where it was asked to begin; empty: at the list's begin."""
    count: int
    """Of rows so far, its own among them."""


def walked(
    ask: Callable[[str], Ask],
    rows: Callable[[CrmAnswer], Iterable[dict[str, Any]]],
    following: Callable[[ReadPage], str | None],
) -> Steps[list[dict[str, Any]]]:
    """All rows of one list. `following` says where it goes on, behind a page without rows too; None: nowhere.

    Only the first page may be refused: of a list that ends within, what it has not named would be held for gone.
    Raises BadAnswerError where a list goes on where it was, or a page that is not the last one brings the same as the
    one before.
    """
    found: list[dict[str, Any]] = []
    page: Sequence[dict[str, Any]] = ()
    cursor: str | None = ""
    asked_at: set[str] = set()
    empty = 0
    while cursor is not None:
        asked_at.add(cursor)
        asked = ask(cursor)
        answer = yield replace(asked, expected=frozenset()) if cursor else asked
        before, page = page, [*rows(answer)]
        found += page
        empty = 0 if page else empty + 1
        after = following(ReadPage(answer, page, cursor, len(found)))
        if after is not None and (page == before != [] or after in asked_at or empty >= ALIKE):
            raise standing_still()
        cursor = after
    return found


class Walk:
    """Pages of what changed, was deleted or is there, as whoever drives their steps reads them."""

    def __init__(self, cursor: str | None = None) -> None:
        self.cursor = cursor
        """Where the next page begins; None: at the list's begin, until a page has come."""
        self._before: Sequence[Any] | None = None
        self._alike = 0
        self._asked_at = {cursor}

    def goes_on(self, page: Changed | Page) -> bool:
        """Take a page; whether another one follows. Raises BadAnswerError: the list stands still.

        Pages of rows that are not wanted, of which there may be any number, are told apart by their first one.
        """
        named = (page.found if isinstance(page, Changed) else page.records) or page.first
        self._alike = self._alike + 1 if named == self._before else 0
        if page.cursor is not None and (page.cursor in self._asked_at or self._alike >= ALIKE):
            raise standing_still()
        self._before, self.cursor = named, page.cursor
        self._asked_at.add(page.cursor)
        return page.cursor is not None


def standing_still() -> BadAnswerError:
    """Where a list does not go on as it is asked to."""
    return BadAnswerError("a list gives the same page again, or none with rows, wherever it is asked to go on")

"""Pages of answers: one that brings nothing ends a list, though it says that there are more."""

from collections.abc import Callable
from typing import Any

import pytest

from schemas.connectors.aircall.api import AircallSource
from schemas.connectors.asking import Answer, BadAnswerError, Steps, beyond
from schemas.connectors.zoho.api import ZohoSource

ZOHO = ZohoSource(region="eu", client={}, address="http://127.0.0.1:1")
KEY = "key"
AIRCALL = AircallSource(id=KEY, token=KEY, address="http://127.0.0.1:1")
MOST = 50


def run(steps: Steps[Any], answer: Callable[[int], Answer]) -> Any:
    """What steps find where each question has an answer; fails where there is no end of questions."""
    next(steps)
    for number in range(MOST):
        try:
            steps.send(answer(number))
        except StopIteration as end:
            return end.value
    raise AssertionError(MOST)


def more(name: str, *rows: dict[str, Any]) -> Answer:
    return Answer(200, {name: [*rows], "info": {"more_records": True}, "meta": {"next_page_link": "/2"}})


USER = {"id": "1", "name": "Ana"}


@pytest.mark.parametrize("source", [ZOHO, AIRCALL], ids=["zoho", "aircall"])
def test_people_end_with_a_page_without_any(source: Any) -> None:
    found = run(source.everybody(), lambda number: more("users", *[USER] * (number == 0)))

    assert [record["id"] for record in found.records] == ["1"]


@pytest.mark.parametrize(("name", "behind"), [("Deals", None), ("Leads", "converted")])
def test_changes_of_zoho_end_with_a_page_without_any(name: str, behind: str | None) -> None:
    page = run(ZOHO.changed(name, 0, None), lambda _: more("data"))

    assert [*page.found] == []
    assert page.cursor == behind


def test_deletions_of_zoho_go_on_behind_a_page_of_older_ones_and_end_with_none() -> None:
    old = {"id": "3", "deleted_time": "2026-01-01T00:00:00+00:00"}
    since = 1_770_000_000_000_000

    assert run(ZOHO.gone("Deals", since, since, None), lambda _: more("data", old)).cursor == "2"
    assert run(ZOHO.gone("Deals", since, since, "2"), lambda _: more("data")).cursor is None


def test_a_list_that_goes_on_where_it_was_is_no_answer() -> None:
    assert [beyond(None, "a"), beyond("a", "b"), beyond("a", None), beyond(None, None)] == ["a", "b", None, None]
    with pytest.raises(BadAnswerError, match="goes on where it was read"):
        beyond("a", "a")

"""Pages of answers: a list ends where the vendor says so, not with a page that brings nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from schemas.connectors.aircall.api import AircallSource
from schemas.connectors.asking import BadAnswerError, Changed, CrmAnswer, ListStretch, Page, Steps
from schemas.connectors.close.api import CloseSource
from schemas.connectors.hubspot.api import HubSpotSource
from schemas.connectors.hubspot.object_types import BY_TYPE_ID
from schemas.connectors.lists import ALIKE, Walk
from schemas.connectors.pipedrive.api import PipedriveSource
from schemas.connectors.salesforce.api import SalesforceSource
from schemas.connectors.zoho.api import ZohoSource

ZOHO = ZohoSource(region="eu", client={}, address="http://127.0.0.1:1")
KEY = "key"
AIRCALL = AircallSource(id=KEY, token=KEY, address="http://127.0.0.1:1")
CLOSE = CloseSource(key=KEY)
HUBSPOT = HubSpotSource(address=None, token=KEY, objects=BY_TYPE_ID)
PIPEDRIVE = PipedriveSource(company="acme", token=KEY)
SALESFORCE = SalesforceSource(address="http://127.0.0.1:1", client={})
MOST = 50


def run(steps: Steps[Any], answer: Callable[[int], CrmAnswer]) -> Any:
    """What steps find where each question has an answer; fails where there is no end of questions."""
    next(steps)
    for number in range(MOST):
        try:
            steps.send(answer(number))
        except StopIteration as end:
            return end.value
    raise AssertionError(MOST)


def more(name: str, *rows: dict[str, Any]) -> CrmAnswer:
    return CrmAnswer(200, {name: [*rows], "info": {"more_records": True}, "meta": {"next_page_link": "/2"}})


USER = {"id": "1", "name": "Ana"}


PEOPLE: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "zoho": (ZOHO, "users", {"info": {"more_records": True}}),
    "aircall": (AIRCALL, "users", {"meta": {"next_page_link": "/2"}}),
    "close": (CLOSE, "data", {"has_more": True}),
}


@pytest.mark.parametrize(("source", "name", "more"), PEOPLE.values(), ids=PEOPLE)
def test_people_behind_a_page_without_any_are_read(source: Any, name: str, more: dict[str, Any]) -> None:
    pages = [[dict(USER)], [], [dict(USER, id="2")], []]

    found = run(
        source.everybody(), lambda number: CrmAnswer(200, {name: pages[number], **(more if number < 3 else {})})
    )

    assert [record["id"] for record in found.records] == ["1", "2"]


@pytest.mark.parametrize(("source", "name", "more"), PEOPLE.values(), ids=PEOPLE)
def test_a_list_that_goes_on_without_anybody_for_ever_is_no_answer(
    source: Any, name: str, more: dict[str, Any]
) -> None:
    with pytest.raises(BadAnswerError, match="the same page again"):
        run(source.everybody(), lambda _: CrmAnswer(200, {name: [], **more}))


@pytest.mark.parametrize("name", ["Deals", "Leads"])
def test_changes_of_zoho_that_go_on_beyond_no_id_are_no_answer(name: str) -> None:
    with pytest.raises(BadAnswerError, match="the same page again"):
        run(ZOHO.changed(name, 0, None), lambda _: more("data"))


def test_converted_leads_of_zoho_go_on_behind_a_page_without_any() -> None:
    info = {"more_records": True, "next_page_token": "token-2"}

    page = run(ZOHO.changed("Leads", 0, "converted"), lambda _: CrmAnswer(200, {"data": [], "info": info}))

    assert ([*page.found], page.cursor) == ([], "convertedtoken-2")
    with pytest.raises(BadAnswerError, match="next_page_token: is missing"):
        run(ZOHO.changed("Leads", 0, "converted"), lambda _: more("data"))


def test_deletions_of_zoho_go_on_behind_a_page_of_older_ones_and_behind_one_without_any() -> None:
    old = {"id": "3", "deleted_time": "2026-01-01T00:00:00+00:00"}
    since = 1_770_000_000_000_000

    assert run(ZOHO.gone("Deals", since, since, None), lambda _: more("data", old)) == Page([], "2", "3")
    assert run(ZOHO.gone("Deals", since, since, "2"), lambda _: more("data")) == Page([], "3")


MADE = {"id": "acti_1", "date_created": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("object", "cursor", "following"),
    [
        ("activity.call", "listed ", "listed  100"),
        ("activity.call", "listed 2026-01-02T00:00:00Z 3", "listed 2026-01-02T00:00:00Z 103"),
        ("opportunity", "listed ", "listed  100"),
        ("lead", "listed skip 0", "listed skip 100"),
    ],
)
def test_lists_of_close_go_on_behind_a_page_without_rows(object: str, cursor: str, following: str) -> None:
    empty = CrmAnswer(200, {"data": [], "has_more": True})

    assert run(CLOSE.changed(object, 0, cursor), lambda _: empty).cursor == following


def test_a_list_of_close_begins_anew_at_the_last_row_of_the_page_behind_one_without() -> None:
    page = run(
        CLOSE.changed("activity.call", 0, "listed  100"), lambda _: CrmAnswer(200, {"data": [MADE], "has_more": True})
    )

    assert (page.found[0][0], page.cursor) == ("acti_1", "listed 2026-01-01T00:00:00.001+00:00 1")


def test_events_of_close_go_on_behind_a_page_without_any_that_can_be_looked_up() -> None:
    told = CrmAnswer(200, {"data": [{"id": "ev_1"}], "cursor_next": "c2"})

    assert run(CLOSE.changed("lead", 0, None), lambda _: told).cursor == "created c2"
    assert run(CLOSE.gone("lead", 0, 1, None), lambda _: told).cursor == "c2"


def test_leads_of_pipedrive_go_on_behind_a_page_without_any() -> None:
    pages = {"pagination": {"more_items_in_collection": True}}
    empty = CrmAnswer(200, {"data": [], "additional_data": pages})

    assert run(PIPEDRIVE.changed("leads", 0, None), lambda _: empty).cursor == "500"
    assert run(PIPEDRIVE.changed("leads", 0, "archived40"), lambda _: empty).cursor == "archived540"


def test_calls_of_aircall_go_on_behind_a_page_without_any() -> None:
    empty = CrmAnswer(200, {"calls": [], "meta": {"next_page_link": "/2"}})

    assert run(AIRCALL.changed("calls", 0, "7 2"), lambda _: empty).cursor == "7 3"
    with pytest.raises(BadAnswerError, match="the same page again"):
        run(AIRCALL.changed("calls", 0, "7 100"), lambda _: empty)


def test_a_search_of_hubspot_goes_on_behind_a_short_page_and_behind_one_without_any() -> None:
    row = {"id": "7", "properties": {"hs_lastmodifieddate": "2026-01-01T00:00:00Z"}}
    asked: list[Any] = []

    def search(cursor: str | None, **answer: Any) -> str | None:
        steps = HUBSPOT.changed("calls", 0, cursor)
        asked.append(next(steps).body)
        with pytest.raises(StopIteration) as end:
            steps.send(CrmAnswer(200, {"results": [], **answer}))
        found: Changed = end.value.value
        return found.cursor

    following = {"paging": {"next": {"after": "200"}}}
    assert search(None, results=[row]) is None
    assert search(None, results=[row], total=1) is None
    assert search(None, results=[row], total=2) == "7"
    assert search(None, results=[row], **following) == "7"
    assert search("7", total=5) is None
    assert search("7", **following) == "7 after 200"
    assert search("7 after 200", results=[dict(row, id="9")], total=2) == "9"
    assert [body.get("after") for body in asked] == [None] * 6 + ["200"]
    assert asked[-1]["filterGroups"][0]["filters"][1]["value"] == "7"


def test_a_query_of_salesforce_goes_on_behind_a_page_without_any() -> None:
    pages = [
        {"records": [], "done": False, "nextRecordsUrl": "/query/2"},
        {"records": [{"Id": "0055f000005mc66AAA"}], "done": True},
    ]

    found = run(SALESFORCE._all("SELECT Id FROM User"), lambda number: CrmAnswer(200, pages[number]))

    assert [row["Id"] for row in found] == ["0055f000005mc66AAA"]


OLDER = {"id": "1", "date_updated": "2026-01-01T00:00:00Z", "deleted_time": "2026-01-01T00:00:00Z",
         "archivedAt": "2026-01-01T00:00:00Z"}  # fmt: skip


def following(number: int) -> dict[str, Any]:
    """How the vendors say that another page follows, each time at another place."""
    return {
        "has_more": True, "cursor": f"c{number}", "cursor_next": f"c{number}",
        "info": {"more_records": True, "next_page_token": f"c{number}"},
        "paging": {"next": {"after": f"c{number}"}}, "meta": {"next_page_link": f"/{number}"},
        "additional_data": {"next_cursor": f"c{number}", "pagination": {"more_items_in_collection": True}},
    }  # fmt: skip


SINCE = 1_780_000_000_000_000
ENDLESS: dict[str, tuple[Callable[[str | None], Steps[Any]], str]] = {
    "close events": (lambda at: CLOSE.changed("activity.call", SINCE, at), "data"),
    "close activities": (lambda at: CLOSE.changed("activity.call", SINCE, at or "listed "), "data"),
    "close search": (lambda at: CLOSE.changed("lead", SINCE, at or "listed "), "data"),
    "close leads": (lambda at: CLOSE.changed("lead", SINCE, at or "listed skip 0"), "data"),
    "close deletions": (lambda at: CLOSE.gone("lead", SINCE, SINCE, at), "data"),
    "close ids": (lambda at: CLOSE.listed("opportunity", at), "data"),
    "hubspot search": (lambda at: HUBSPOT.changed("calls", SINCE, at), "results"),
    "hubspot archived": (lambda at: HUBSPOT.gone("calls", SINCE, SINCE, at), "results"),
    "hubspot ids": (lambda at: HUBSPOT.listed("calls", at), "results"),
    "zoho converted": (lambda at: ZOHO.changed("Leads", SINCE, at or "converted"), "data"),
    "zoho deletions": (lambda at: ZOHO.gone("Deals", SINCE, SINCE, at), "data"),
    "pipedrive deals": (lambda at: PIPEDRIVE.changed("deals", SINCE, at), "data"),
    "pipedrive leads": (lambda at: PIPEDRIVE.changed("leads", SINCE, at), "data"),
    "pipedrive deletions": (lambda at: PIPEDRIVE.gone("deals", SINCE, SINCE, at), "data"),
    "aircall": (lambda at: AIRCALL.changed("calls", SINCE, at), "calls"),
}


def pages_read(steps: Callable[[str | None], Steps[Any]], answer: Callable[[int], CrmAnswer]) -> int:
    """How many pages are read of a list that has no end; fails where that is without bound."""
    walk = Walk()
    for number in range(MOST):
        page = run(steps(walk.cursor), lambda _, number=number: answer(number))  # type: ignore[misc]
        try:
            assert walk.goes_on(page)
        except BadAnswerError:
            return number + 1
    raise AssertionError(MOST)


@pytest.mark.parametrize(("steps", "name"), ENDLESS.values(), ids=ENDLESS)
def test_pages_without_rows_each_with_another_place_to_go_on_at_are_read_so_often(
    steps: Callable[[str | None], Steps[Any]], name: str
) -> None:
    assert pages_read(steps, lambda number: CrmAnswer(200, {name: [], **following(number)})) == ALIKE + 1


@pytest.mark.parametrize("of", ["close search", "close leads", "hubspot archived", "zoho deletions"])
def test_rows_that_are_not_wanted_are_read_as_long_as_others_come(of: str) -> None:
    steps, name = ENDLESS[of]

    def older(number: int, *, id: int) -> CrmAnswer:
        return CrmAnswer(200, {name: [{**OLDER, "id": str(id)}], **following(number)})

    assert pages_read(steps, lambda number: older(number, id=1)) == ALIKE + 1
    with pytest.raises(AssertionError, match=str(MOST)):
        pages_read(steps, lambda number: older(number, id=number))


def never_on(name: str, **more: Any) -> CrmAnswer:
    """The same page, whatever was asked for, with another one behind it."""
    row = {"id": "1", "name": "Ana", "Potential_Name": "1", "Modified_Time": "2026-01-01T00:00:00Z"}
    return CrmAnswer(200, {name: [dict(row)], **more})


MORE: dict[str, dict[str, Any]] = {
    "zoho": {"info": {"more_records": True}},
    "aircall": {"meta": {"next_page_link": "/2"}},
    "close": {"has_more": True},
    "hubspot": {"paging": {"next": {"after": "2"}}},
    "salesforce": {"done": False, "nextRecordsUrl": "/query/2"},
    "pipedrive": {"additional_data": {"next_cursor": "2"}},
}


@pytest.mark.parametrize(
    ("steps", "name", "vendor"),
    [
        (ZOHO.everybody(), "users", "zoho"),
        (AIRCALL.everybody(), "users", "aircall"),
        (CLOSE.everybody(), "data", "close"),
        (CLOSE.words(), "data", "close"),
        (HUBSPOT.everybody(), "results", "hubspot"),
        (SALESFORCE._all("SELECT Id FROM User"), "records", "salesforce"),
        (PIPEDRIVE.words(), "data", "pipedrive"),
    ],
    ids=["zoho", "aircall", "close", "close words", "hubspot", "salesforce", "pipedrive"],
)
def test_a_list_that_takes_no_notice_of_where_it_is_to_go_on_is_asked_twice(
    steps: Steps[Any], name: str, vendor: str
) -> None:
    asked = 0

    def answer(_number: int) -> CrmAnswer:
        nonlocal asked
        asked += 1
        return never_on(name, **MORE[vendor])

    with pytest.raises(BadAnswerError, match="the same page again"):
        run(steps, answer)

    assert asked == 2


def test_associations_that_take_no_notice_of_where_they_are_to_go_on_are_asked_twice() -> None:
    result = {"from": {"id": "1"}, "to": [{"toObjectId": "7"}], "paging": {"next": {"after": "2"}}}
    asked = []

    def answer(number: int) -> CrmAnswer:
        asked.append(number)
        return CrmAnswer(200, {"results": [result]})

    with pytest.raises(BadAnswerError, match="the same page again"):
        run(HUBSPOT.links("calls", ["1"]), answer)

    assert len(asked) == 2


def test_pages_of_changes_go_on_from_cursor_to_cursor() -> None:
    walk = Walk()

    assert [walk.goes_on(Changed([], cursor)) for cursor in ("a", "b", None)] == [True, True, False]


def test_changes_that_come_round_in_a_circle_are_no_answer() -> None:
    walk = Walk("a")

    assert [walk.goes_on(Changed([(cursor, 1)], cursor)) for cursor in ("b", "c")] == [True, True]
    with pytest.raises(BadAnswerError, match="the same page again"):
        walk.goes_on(Changed([("a", 1)], "a"))


def test_changes_that_go_on_where_they_were_are_no_answer() -> None:
    walk = Walk("a")

    with pytest.raises(BadAnswerError, match="the same page again"):
        walk.goes_on(Changed([("1", 1)], "a"))


def test_several_lists_of_an_object_may_begin_alike_and_a_page_that_comes_for_ever_is_no_answer() -> None:
    """Close tells of a call that was made and ended in one instant in each of the lists of its events."""
    walk = Walk()

    assert all(walk.goes_on(Changed([("1", 1)], str(place))) for place in range(ALIKE))
    with pytest.raises(BadAnswerError, match="the same page again"):
        walk.goes_on(Changed([("1", 1)], "further"))


def test_the_last_page_may_be_like_the_one_before() -> None:
    walk = Walk("a")

    assert [walk.goes_on(Page([{"id": "1"}], cursor)) for cursor in ("b", None)] == [True, False]


@pytest.mark.parametrize(
    ("stretch", "ats", "covered"),
    [
        (ListStretch(), [10, 60], 0.5),
        (ListStretch(is_newest_first=True), [90, 60], 0.5),
        (ListStretch(1, 2), [35], 0.625),
        (ListStretch(1, 2), [], 0.5),
        (ListStretch(), [5], 0.0),
        (ListStretch(0, 4, is_newest_first=True), [3], 0.25),
        (ListStretch(), [200], 1.0),
    ],
)
def test_how_far_a_list_is_that_goes_by_time(stretch: ListStretch, ats: list[int], covered: float) -> None:
    assert stretch.covered([("1", at) for at in ats], 10, 110) == covered

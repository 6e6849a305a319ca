"""`/board/{screen}`: what a browser is shown when there is no board to show, and what a program gets."""

from pathlib import Path

import pytest

from tests.api.reading import Floor

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
def floor(tmp_path: Path) -> Floor:
    return Floor(tmp_path)


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/board/floor", 401, "This screen needs a valid key"),
        ("/board/floor?token=fc_0.wrong", 401, "not valid, has expired, or was revoked"),
        ("/board", 404, "There is no such screen"),
    ],
)
async def test_a_browser_is_told_in_words_what_is_wrong(floor: Floor, path: str, status: int, said: str) -> None:
    floor.key("board")

    page = await floor.get(path, headers=BROWSER)

    assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert said in page.text
    assert ("http-equiv" in page.text) == ("pair.js" not in page.text)
    assert page.headers["vary"] == "accept"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert ("www-authenticate" in page.headers) == (status == 401)


async def test_a_browser_that_asks_for_an_unknown_screen_is_told_so(floor: Floor) -> None:
    key = floor.key("board")

    page = await floor.get("/board/%3Cscript%3Ealert(1)%3C%2Fscript%3E", headers=BROWSER | key)

    assert page.status_code == 404
    assert "There is no such screen" in page.text
    assert "<script" not in page.text


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/event-stream"])
async def test_a_program_gets_the_problem_document(floor: Floor, accept: str) -> None:
    floor.key("board")

    answer = await floor.get("/board/floor", headers={"accept": accept})

    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")


async def test_addresses_of_programs_answer_a_browser_as_anybody(floor: Floor) -> None:
    floor.key("board")

    answer = await floor.get("/v1/metrics", headers=BROWSER)

    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")

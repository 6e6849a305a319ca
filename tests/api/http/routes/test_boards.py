"""`/board/{screen}`: what a browser is shown when there is no board to show, and what a program gets."""

from html import escape
from json import loads
from pathlib import Path
from typing import Any

import pytest

from api.http.routes.boards import board_build
from schemas.words import language_file
from tests.api.reading import Floor, floor_config

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
def floor(tmp_path: Path) -> Floor:
    return Floor(tmp_path)


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/board/floor", 401, "This screen needs a valid key"),
        ("/board/floor?token=fc_0.wrong", 401, "has expired, was revoked, or was never one"),
        ("/board", 404, "There is no such page"),
    ],
)
async def test_a_browser_is_told_in_words_what_is_wrong(floor: Floor, path: str, status: int, said: str) -> None:
    floor.key("board")

    page = await floor.get(path, headers=BROWSER)

    assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert said in page.text
    assert ("http-equiv" in page.text) == ("pair.js" not in page.text)
    assert page.headers["vary"] == "accept, accept-language"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert ("www-authenticate" in page.headers) == (status == 401)


async def test_a_browser_that_asks_for_an_unknown_screen_is_told_so(floor: Floor) -> None:
    """With a key or without: no key would open it."""
    key = floor.key("board")

    for headers in (BROWSER, BROWSER | key):
        page = await floor.get("/board/%3Cscript%3Ealert(1)%3C%2Fscript%3E", headers=headers)

        assert page.status_code == 404
        assert "There is no screen “&lt;script&gt;alert(1)&lt;/script&gt;”" in page.text
        assert "<script" not in page.text


async def test_nothing_but_screens_lies_where_an_unknown_one_is_answered_without_a_key(floor: Floor) -> None:
    paths = [str(getattr(route, "path", "")) for route in floor.app.routes]

    assert [path for path in paths if path.startswith("/board")] == ["/board/{screen}"]


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ("The key of this screen is not valid", "no scene “Abc”", "Its scenes are: One", "no tile 9")),
        ("ms", ("Kunci skrin ini tidak sah", "tiada babak “Abc”", "Babaknya: One", "tiada jubin 9")),
        ("id", ("Kunci layar ini tidak sah", "tidak punya adegan “Abc”", "Adegannya: One", "tidak punya ubin 9")),
        ("fa", ("کلید این نمایشگر معتبر نیست", "صحنهٔ «Abc» را ندارد", "صحنه‌های آن: One", "کاشی ۹ را ندارد")),
        ("zh-Hans", ("此屏幕的密钥无效", "没有场景“Abc”", "它的场景有：One", "没有第 9 个磁贴")),
        ("zh-Hant", ("此螢幕的金鑰無效", "沒有場景「Abc」", "它的場景有：One", "沒有第 9 個圖磚")),
        ("de", ("Der Schlüssel dieses Bildschirms ist nicht gültig", "Szene „Abc“", "Szenen sind: One", "Kachel 9")),
    ],
)
async def test_each_screen_says_what_is_wrong_in_its_language(
    tmp_path: Path, language: str, said: tuple[str, ...]
) -> None:
    scenes = [{"name": "One", "tiles": [{"kind": "message", "text": "Hello"}]}]
    floor = Floor(tmp_path, floor_config(screens={"floor": {"language": language, "scenes": scenes}}))
    key = floor.key("board")
    refused = await floor.get("/board/floor?token=fc_0.wrong", headers=BROWSER)
    scene = await floor.get("/board/floor?scene=Abc", headers=BROWSER | key)
    tile = await floor.get("/board/floor?scene=One&tile=9", headers=BROWSER | key)
    pairing = await floor.get("/board/floor", headers=BROWSER)

    assert [refused.status_code, scene.status_code, tile.status_code, pairing.status_code] == [401, 404, 404, 401]
    for page, words in zip((refused, scene, scene, tile), said, strict=True):
        assert words in page.text
        assert f'<html lang="{language}" dir="{"rtl" if language == "fa" else "ltr"}">' in page.text
    assert escape(language_file(language)["board"]["pair.heading"]) in pairing.text


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("team=nobody", "There is no team “nobody”"),
        ("teams=north,nobody", "There is no team “nobody”"),
        ("metric=calls", "There is no metric “calls”"),
        ("metrics=calls_made,emails", "There is no metric “emails”"),
    ],
)
async def test_what_the_address_of_a_configured_screen_names_and_is_not_there_is_told(
    tmp_path: Path, asked: str, said: str
) -> None:
    scenes = [{"name": "One", "tiles": [{"kind": "message", "text": "Hello"}]}]
    floor = Floor(tmp_path, floor_config(screens={"hall": {"scenes": scenes}}))

    refused = await floor.get(f"/board/hall?{asked}", headers=BROWSER)
    shown = await floor.get("/board/hall?teams=north&metric=calls_made", headers=BROWSER)

    assert (refused.status_code, shown.status_code) == (404, 200)
    assert said in refused.text


async def test_an_unknown_screen_speaks_as_its_reader_does(floor: Floor) -> None:
    page = await floor.get("/board/x", headers=BROWSER | {"accept-language": "de-AT,de;q=0.9"})

    assert "Es gibt keinen Bildschirm „x“" in page.text


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/event-stream"])
async def test_a_program_gets_the_problem_document(floor: Floor, accept: str) -> None:
    floor.key("board")

    answer = await floor.get("/board/floor", headers={"accept": accept})

    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")


async def test_addresses_of_programs_answer_a_browser_as_anybody(floor: Floor) -> None:
    floor.key("board")

    answer = await floor.get("/v1/metrics", headers=BROWSER)

    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")


@pytest.mark.parametrize(
    ("qr", "address"),
    [
        ("scene", "/board/hall?scene=This+month"),
        ("floor", "/floor?window=month&team=north"),
        ("me", "/me"),
    ],
)
async def test_a_code_leads_a_phone_to_the_same_numbers_without_a_key(tmp_path: Path, qr: str, address: str) -> None:
    race = {"kind": "race", "metric": "revenue_won", "window": "month"}
    scenes = [{"name": "This month", "tiles": [race, {"kind": "message", "text": "On your phone", "qr": qr}]}]
    floor = Floor(tmp_path, floor_config(screens={"hall": {"teams": ["north"], "scenes": scenes}}))

    page = await floor.get("/board/hall", headers=BROWSER | floor.key("board"))

    settings = loads(page.text.partition('id="settings">')[2].partition("</script>")[0])
    code = settings["scenes"][0]["tiles"][1]["qr"]
    assert code["address"] == f"http://127.0.0.1:8080{address}"
    # Its corner: seven dark squares and a light one.
    assert code["path"].startswith("".join(f"M{x} 0.5h1" for x in range(7)))
    assert "M7 0.5h1" not in code["path"]


def test_what_the_file_says_of_screens_is_part_of_what_is_served() -> None:
    def served(**screen: Any) -> str:
        scenes = [{"name": "Now", "tiles": [{"kind": "leads"}]}]
        return board_build(floor_config(screens={"hall": {"scenes": scenes} | screen}))

    other = [{"name": "Now", "tiles": [{"kind": "wins"}]}]

    assert served() == served()
    assert len({served(), served(scenes=other), served(theme="light"), board_build(floor_config())}) == 4


async def test_a_screen_of_which_nobody_says_what_it_shows_has_no_metric_that_is_switched_off(tmp_path: Path) -> None:
    off = "metrics: {calls_made: false, connect_rate: false, conversation_rate: false, calls_automated: false,\n"
    off += " calls_by_hand: false, calls_per_meeting_booked: false, calls_per_deal_won: false, emails_sent: false,\n"
    off += " emails_per_contact: false}\n"
    floor = Floor(tmp_path, floor_config(defines=off))

    page = await floor.get("/board/floor", headers=BROWSER)

    assert '{"usual":["conversations","meetings_held","deals_won","revenue_won"]}' in page.text

"""People beside their names: with their picture, or with their first letters where there is none."""

from playwright.sync_api import expect

from tests.api.board.builders import make_rep, make_row, make_snapshot
from tests.api.board.scripted import Screen, needs_browser
from tests.api.board.test_celebrations import PIXEL, served, win

pytestmark = needs_browser


def test_a_leaderboard_shows_faces_and_letters_where_there_are_none(screen: Screen) -> None:
    screen.floor.files["/photos/r-1"] = ("image/gif", PIXEL)
    ana, ben, cy = make_rep(1, "Ana Lim", 9), make_rep(2, "Ben Carter", 7), make_rep(3, "شیرین احمدی", 5)
    screen.floor.snapshot = make_snapshot(
        rows=[make_row({"calls_made": 21}), ana | {"photo": "/photos/r-1"}, ben | {"photo": "/photos/r-2"}, cy]
    )
    screen.open()

    expect(screen.rep("r-1").locator("img.photo")).to_have_js_property("naturalWidth", 1)
    assert any(path.startswith("/photos/r-1?screen=floor") for path, _ in screen.floor.requests)
    # A picture that the server does not have leaves the letters; it is not asked for again and again.
    expect(screen.rep("r-2").locator("img")).to_have_count(0)
    expect(screen.rep("r-2").locator(".portrait")).to_have_text("BC")
    expect(screen.rep("r-3").locator(".portrait")).to_have_text("ش\u200cا")
    screen.floor.publish("metrics", {"rows": [make_rep(2, "Ben Carter", 8) | {"photo": "/photos/r-2"}]})
    expect(screen.rep("r-2")).to_contain_text("8")
    assert sum(path.startswith("/photos/r-2") for path, _ in screen.floor.requests) == 1

    screen.floor.publish("metrics", {"rows": [make_rep(1, "Ana Lim", 10)]})

    expect(screen.rep("r-1").locator("img")).to_have_count(0)
    expect(screen.rep("r-1").locator(".portrait")).to_have_text("AL")


def test_who_is_not_named_has_no_letters(screen: Screen) -> None:
    nameless = make_rep(1, "Ana", 9) | {"name": None, "rep": "p-1"}
    screen.floor.snapshot = make_snapshot(rows=[make_row({"calls_made": 9}), nameless])
    screen.open()

    expect(screen.rep("p-1")).to_contain_text("9")
    expect(screen.rep("p-1").locator("img")).to_have_count(0)


def test_wins_show_who_won_and_a_star_where_nobody_did_alone(screen: Screen) -> None:
    screen.floor.files["/photos/r-1"] = ("image/gif", PIXEL)
    screen.floor.settings = served(scenes=[{"name": "Wins", "tiles": [{"kind": "wins"}]}])
    screen.floor.answers["/v1/wins"] = {"rows": []}
    team = win(3) | {"rep": None, "name": "North", "cause": "goal_reached", "win": "goal_reached:g", "goal": "g"}
    screen.floor.snapshot = make_snapshot(wins=[win(1, photo="/photos/r-1"), win(2), team])
    screen.open()

    rows = screen.page.locator(".win")
    expect(rows).to_have_count(3)
    expect(screen.page.locator(".win[data-cause=deal_won] .icon:visible")).to_have_count(0)
    expect(screen.page.locator(".win[data-cause=deal_won] img.photo")).to_have_count(1)
    expect(screen.page.locator(".win[data-cause=deal_won] .portrait").filter(has_text="R")).to_have_count(2)
    expect(screen.page.locator(".win[data-cause=goal_reached] .icon:visible")).to_have_count(1)
    expect(screen.page.locator(".win[data-cause=goal_reached] .portrait:visible")).to_have_count(0)


def test_a_celebration_without_a_picture_shows_letters(screen: Screen) -> None:
    screen.floor.settings = served()
    screen.open()
    expect(screen.figure("calls_made")).to_have_text("1,284")
    screen.floor.publish("win", win(1) | {"name": "Ana Lim"})

    expect(screen.page.locator(".celebration .portrait")).to_have_text("AL")

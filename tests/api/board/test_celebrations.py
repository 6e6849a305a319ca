"""What is won, over the whole screen: once, grouped, with photo and sound, and taken back."""

import base64
import re
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from api.http.board_page import screen_settings
from schemas.config.screens import ScreenConfig
from tests.api.board.builders import Json, instant, make_alert, make_lead, make_row, make_snapshot, now
from tests.api.board.floors import LONG
from tests.api.board.scripted import Screen, needs_browser
from tests.api.board.test_for_everybody import CUT_OFF

pytestmark = needs_browser

PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
SCENES: list[Json] = [
    {"name": "Now", "tiles": [{"kind": "figures", "metrics": ["calls_made", "revenue_won"]}, {"kind": "leads"}]}
]
RULES: list[Json] = [{"on": "deal_won", "at_least": "1000"}]
OFTEN: Json = {"celebrate": RULES, "scenes": SCENES}


def served(**more: Any) -> Json:
    return screen_settings("floor", ScreenConfig.model_validate(OFTEN | more), teams=[], calendars=[])


def win(number: int = 1, **fields: Any) -> Json:
    at = instant(now())
    return {
        "win": f"deal_won:d-{number}:{at}", "cause": "deal_won", "rep": f"r-{number}", "name": f"Rep {number}",
        "team": "north", "photo": None, "deal": f"d-{number}", "deal_name": None, "amount": "12000.00",
        "currency": "USD", "goal": None, "metric": None, "milestone": None, "at": at, "withdrawn": False,
    } | fields  # fmt: skip


def shown(screen: Screen) -> Any:
    return screen.page.locator(".celebration")


def opened(screen: Screen, **more: Any) -> Screen:
    screen.floor.settings = served(**more)
    screen.open()
    expect(screen.figure("calls_made")).to_have_text(re.compile("[0-9۰-۹]"))
    return screen


def test_a_win_covers_the_screen_with_name_amount_and_photo(screen: Screen) -> None:
    screen.floor.files["/photos/r-1"] = ("image/gif", PIXEL)
    opened(screen).floor.publish("win", win(photo="/photos/r-1"))

    expect(shown(screen)).to_contain_text("Rep 1")
    expect(shown(screen)).to_contain_text("$12,000")
    expect(shown(screen).locator("img.photo")).to_have_js_property("naturalWidth", 1)
    assert any(path.startswith("/photos/r-1?screen=floor") for path, _ in screen.floor.requests)
    screen.wait_until_at_rest(".celebration")
    box = shown(screen).bounding_box()
    assert box is not None
    assert (round(box["width"]), round(box["height"])) == (1920, 1080)
    # Shifted by some pixels against burning in, with the rest of the screen.
    assert max(abs(box["x"]), abs(box["y"])) <= 4
    assert screen.complaints == []


def test_a_photo_that_is_not_there_leaves_no_hole(screen: Screen) -> None:
    opened(screen).floor.publish("win", win(photo="/photos/r-1"))

    expect(shown(screen)).to_contain_text("Rep 1")
    expect(shown(screen).locator("img")).to_have_count(0)


def test_a_burst_names_up_to_five_and_counts_more(screen: Screen) -> None:
    """However long their names are."""
    opened(screen)
    for number in range(1, 6):
        screen.floor.publish("win", win(number) | {"name": LONG})
    expect(shown(screen).locator(".celebration-line")).to_have_count(5)
    expect(shown(screen)).to_contain_text("5 wins!")
    screen.wait_until_at_rest(".celebration")
    assert screen.page.evaluate(CUT_OFF) == []

    screen.floor.publish("win", win(6))
    expect(shown(screen)).to_contain_text("6 wins!")
    expect(shown(screen).locator(".celebration-line")).to_have_count(0)


def test_what_was_won_before_and_what_was_celebrated_is_not_celebrated_after_a_reload(screen: Screen) -> None:
    before, after = win(1), win(2)
    screen.floor.snapshot = make_snapshot(wins=[before])
    opened(screen)
    expect(shown(screen)).to_be_hidden()
    screen.floor.publish("win", after)
    expect(shown(screen)).to_contain_text("Rep 2")

    screen.floor.snapshot = make_snapshot(wins=[before])
    screen.page.reload()
    expect(screen.figure("calls_made")).to_have_text(re.compile("[0-9]"))
    screen.floor.publish("win", before)
    screen.floor.publish("win", after)
    screen.is_drawn()
    expect(shown(screen)).to_be_hidden()


def test_a_win_that_is_taken_back_goes_before_its_time_is_over(screen: Screen) -> None:
    won = win()
    opened(screen).floor.publish("win", won)
    expect(shown(screen)).to_be_visible()

    screen.floor.publish("win", won | {"withdrawn": True})
    expect(shown(screen)).to_be_hidden()
    screen.floor.publish("win", won | {"win": f"deal_won:d-1:{instant(now() + timedelta(seconds=1))}"})
    screen.is_drawn()
    expect(shown(screen)).to_be_hidden()


@pytest.mark.parametrize("how", ["calm", "reduced motion", "too small"])
def test_a_calm_screen_shows_none_and_plays_none(screen: Screen, how: str) -> None:
    if how == "reduced motion":
        screen.page.emulate_media(reduced_motion="reduce")
    opened(screen, calm=how == "calm", sound={"on": True, "files": {"deal_won": "gong.mp3"}})
    screen.floor.publish("win", win(amount="999.99" if how == "too small" else "12000.00"))
    screen.is_drawn()

    expect(shown(screen)).to_be_hidden()
    assert not any(path.startswith("/media/") for path, _ in screen.floor.requests)


def test_a_sound_is_played_with_a_caption_once_the_screen_was_touched(screen: Screen) -> None:
    sound = {"on": True, "volume": 1, "files": {"deal_won": "big_gong.mp3"}}
    opened(screen, sound=sound)
    expect(screen.page.locator(".sound-locked")).to_contain_text("Sound is off")
    screen.page.keyboard.press("Shift")
    expect(screen.page.locator(".sound-locked")).to_be_hidden()

    with screen.page.expect_request("**/media/big_gong.mp3?screen=floor"):
        screen.floor.publish("win", win())
    expect(shown(screen)).to_contain_text("♪ big gong")


def test_in_quiet_hours_nothing_is_heard(screen: Screen) -> None:
    quiet = ["mon-sun"]
    opened(screen, sound={"on": True, "quiet": quiet, "files": {"deal_won": "gong.mp3"}}).floor.publish("win", win())

    expect(shown(screen)).to_be_visible()
    expect(shown(screen)).not_to_contain_text("♪")
    assert not any(path.startswith("/media/") for path, _ in screen.floor.requests)


def test_a_milestone_among_the_alerts_says_how_much_of_the_goal_is_reached(screen: Screen) -> None:
    alert = make_alert(1, "warn", kind="goal", lead=None, name="Ana", metric="calls_made", goal="calls", milestone=0.5)
    screen.floor.snapshot = make_snapshot(leads=[], alerts=[alert | {"period": {"name": "day"}}])
    opened(screen)

    expect(screen.tile("strip").locator(".chip")).to_have_text(re.compile("Reached 50%.*Calls made.*Ana"))


@pytest.mark.parametrize("size", [(1920, 1080), (1280, 720), (390, 844)])
def test_in_persian_no_number_is_cut_off_and_no_word_covers_another(screen: Screen, size: tuple[int, int]) -> None:
    width, height = size
    screen.page.set_viewport_size({"width": width, "height": height})
    rows = [make_row({"calls_made": 1284, "revenue_won": "26004567.00"})]
    lead = make_lead("l-1", 7000, name="Maximiliane Wolfeschlegelsteinhausenbergerdorff", lead_name="Jane Doe")
    screen.floor.snapshot = make_snapshot(rows=rows, leads=[lead])
    opened(screen, language="fa")

    for place in (screen.figure("revenue_won"), screen.lead("l-1").locator(".running")):
        assert place.evaluate("node => node.scrollWidth <= node.clientWidth")
        assert re.search("[۰-۹]", place.inner_text())
        assert not re.search("[0-9]", place.inner_text())
    running, owner = (screen.lead("l-1").locator(part).bounding_box() for part in (".running", ".who"))
    assert running is not None
    assert owner is not None
    assert running["x"] + running["width"] <= owner["x"] + 1

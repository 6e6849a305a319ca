"""Scenes in a real browser: turns without an empty frame, pins, what is sent, alerts, dark hours, goals, sizes."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from api.http.board_page import screen_settings
from schemas.config.screens import ScreenConfig
from tests.api.board.builders import (
    ORGANISATION,
    Json,
    make_alert,
    make_lead,
    make_rep,
    make_row,
    make_snapshot,
)
from tests.api.board.floors import GOALS, every_tile, goal, many
from tests.api.board.scripted import Screen, needs_browser

pytestmark = needs_browser

LEADS: Json = {"name": "Answers", "tiles": [{"kind": "leads"}, {"kind": "figures", "metrics": ["calls_made"]}]}
CALLS: Json = {"name": "Calls", "tiles": [{"kind": "leaderboard", "metric": "calls_made"}]}
NEWS: Json = {"name": "News", "tiles": [{"kind": "message", "text": "Kick-off at four"}]}
TURN = 10
FRAMES = """window.frames_ = [];
new MutationObserver(() => {
  const scenes = Array.from(document.querySelectorAll(".scene"));
  frames_.push(scenes.map((scene) => scene.querySelectorAll(".tile").length));
}).observe(document, { childList: true, subtree: true });"""
"""What stands there whenever the page may be painted: a callback runs after all that one script has changed."""


def opened(screen: Screen, scenes: list[Json], *, teams: tuple[str, ...] = (), **more: Any) -> Screen:
    config = ScreenConfig.model_validate({"scenes": scenes, "rotate": "10s", **more})
    screen.floor.settings = screen_settings("floor", config, teams=[*teams], calendars=[])
    screen.open()
    expect(screen.tile("status")).to_contain_text("Live")
    return screen


def turned(screen: Screen, seconds: float = TURN) -> None:
    """So much later, with a server that is there all the time."""
    for _ in range(int(seconds / 2.5)):
        screen.hear_later(2.5)


def name_of(screen: Screen) -> str:
    return screen.page.locator(".scene").get_attribute("data-scene") or ""


def test_scenes_take_turns_without_an_empty_frame_and_only_the_one_that_is_shown_is_named(screen: Screen) -> None:
    screen.prepare(FRAMES)
    screen.floor.snapshot = make_snapshot(leads=[])
    opened(screen, [CALLS, NEWS, LEADS])
    seen = set()
    for _turn in range(5):
        shown, subtitle = screen.page.evaluate(
            "() => [document.querySelector('.scene').dataset.scene, document.querySelector('.subtitle').innerText]"
        )
        assert [name for name in ("Calls", "News", "Answers") if name in subtitle] == [shown]
        seen.add(shown)
        turned(screen)

    frames = screen.page.evaluate("frames_")
    first = next(place for place, frame in enumerate(frames) if frame)
    assert seen == {"Calls", "News", "Answers"}
    assert all(frame and min(frame) > 0 for frame in frames[first:])


def test_a_breach_pins_the_waiting_leads_until_somebody_answers_and_a_scene_that_is_sent_has_its_turn(
    screen: Screen,
) -> None:
    lead = make_lead("l-1", 4000)
    screen.floor.snapshot = make_snapshot(leads=[])
    opened(screen, [CALLS, LEADS, NEWS])

    screen.floor.publish("lead", lead)
    expect(screen.page.locator(".scene")).to_have_attribute("data-scene", "Answers")
    turned(screen, 2 * TURN)
    assert name_of(screen) == "Answers"

    screen.floor.publish("screen", {"identify": True, "device": "d-1", "name": "Lobby"})
    expect(screen.page.locator(".identity")).to_have_text("Lobbyd-1")
    screen.floor.publish("screen", {"scene": "News"})
    expect(screen.page.locator(".scene")).to_have_attribute("data-scene", "News")
    expect(screen.page.locator(".identity")).to_have_count(0)
    turned(screen, TURN + 2.5)
    expect(screen.page.locator(".scene")).to_have_attribute("data-scene", "Answers")

    screen.floor.publish("lead", lead | {"state": "answered"})
    turned(screen, TURN + 2.5)
    expect(screen.page.locator(".scene")).to_have_attribute("data-scene", "News")


@pytest.mark.parametrize("scene", ["Calls", "News"])
def test_where_no_scene_shows_leads_a_strip_of_alerts_stands_on_every_one(screen: Screen, scene: str) -> None:
    screen.floor.snapshot = make_snapshot(leads=[make_lead("l-1", 4000)], alerts=[make_alert(1, "breach", name="Ana")])
    opened(screen, [CALLS, NEWS])
    screen.floor.publish("screen", {"scene": scene})

    expect(screen.page.locator(".scene")).to_have_attribute("data-scene", scene)
    expect(screen.tile("strip").locator(".chip")).to_have_text(re.compile("Breached.*Ana"))
    expect(screen.tile("strip").locator(".chip .duration")).to_have_text(re.compile("1h 0[67]m"))


def test_in_dark_hours_nothing_shines(screen: Screen) -> None:
    opened(screen, [CALLS], blank=["mon-sun"])

    board = screen.page.locator("#board")
    expect(board).to_have_css("background-color", "rgb(0, 0, 0)")
    expect(screen.page.locator(".scene")).to_be_hidden()
    expect(screen.tile("status")).to_be_hidden()


def test_a_figure_shows_its_goal_and_its_state_in_words_and_a_sign(screen: Screen) -> None:
    screen.floor.snapshot = make_snapshot(rows=[make_row(ORGANISATION) | {"goals": GOALS}])
    opened(screen, [{"name": "All", "tiles": every_tile()["scenes"][0]["tiles"][:2]}])

    figure = screen.page.locator('.figure[data-metric="calls_made"]')
    expect(figure.locator(".note")).to_have_text("86% of 1.5K" + "behind pace")
    expect(figure.locator(".goal-word .icon")).to_have_attribute("data-icon", "behind")
    expect(screen.page.locator('.figure[data-metric="deals_won"] .goal-word')).to_be_hidden()


def test_a_board_of_several_teams_shows_the_goal_of_all_of_them(screen: Screen) -> None:
    goals = {"target": 50, "attainment": 0.8, "expected": 40, "state": "on_track"}
    rows = [
        make_row({"calls_made": 40}, team=team, name=team.title()) | {"goals": {"calls_made": goals}}
        for team in ("north", "south")
    ]
    screen.floor.snapshot = make_snapshot(rows=[*rows, make_rep(1, "Ana", 40)])
    scenes = [{"name": "All", "tiles": [{"kind": "figures", "metrics": ["calls_made"]}]}]
    opened(screen, scenes, teams=("north", "south"))

    expect(screen.figure("calls_made")).to_have_text("80")
    expect(screen.page.locator(".figure .note")).to_have_text("80% of 100" + "on pace")


@pytest.mark.parametrize(
    ("target", "told"), [("165000.00", "$165K"), ("1250000.00", "$1.25M"), ("1654321.00", "$1,654,321")]
)
def test_a_goal_is_told_as_it_was_set_and_not_rounded_to_another(screen: Screen, target: str, told: str) -> None:
    goals = {"revenue_won": goal(target, 0.5, "behind", target)}
    screen.floor.snapshot = make_snapshot(
        rows=[make_row(ORGANISATION | {"revenue_won": "82500.00"}) | {"goals": goals}]
    )
    opened(screen, [{"name": "All", "tiles": [{"kind": "figures", "metrics": ["revenue_won"]}]}])

    expect(screen.page.locator(".figure .note")).to_have_text(f"50% of {told}behind pace")


def test_a_screen_that_is_told_no_names_shows_no_ids_in_their_place(screen: Screen) -> None:
    rep = make_rep(1, "Ana", 9) | {"rep": "p-3f2a", "name": None}
    lead = make_lead("l-1", 100, rep="p-3f2a", name=None)
    screen.floor.snapshot = make_snapshot(rows=[make_row(ORGANISATION), rep], leads=[lead])
    opened(screen, [{"name": "All", "tiles": [*CALLS["tiles"], {"kind": "leads"}]}])

    expect(screen.tile("leaderboard").locator(".row .value")).to_have_text("9")
    expect(screen.tile("leads").locator(".row")).to_have_count(1)
    expect(screen.page.get_by_text("p-3f2a")).to_have_count(0)
    expect(screen.page.get_by_text("Unassigned")).to_have_count(0)


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (3840, 2160), (1080, 1920)], ids=str)
def test_everything_can_be_read_from_three_metres_and_nothing_stands_at_the_edge(
    screen: Screen, width: int, height: int
) -> None:
    """On 50 inches, half of a letter's height is a five-hundredth of three metres: 20 px of 1080."""
    screen.page.set_viewport_size({"width": width, "height": height})
    many(screen.floor)
    for scene in every_tile()["scenes"]:
        screen.floor.settings = every_tile()
        screen.open("?scene=" + scene["name"])
        expect(screen.tile("status")).to_contain_text("Live")
        sizes = screen.page.evaluate(
            """() => Array.from(document.querySelectorAll("#board *"))
              .filter((node) => node.offsetParent && !node.children.length && node.textContent.trim())
              .filter((node) => !node.closest("[aria-hidden]"))
              .map((node) => parseFloat(getComputedStyle(node).fontSize))"""
        )
        unit = min(width, height) / 1080
        assert round(min(sizes)) >= 20 * unit, scene["name"]
        # 72 points of the page, which are more on glass, are what is looked at first; its labels 36 on glass.
        for part, least in ((".value", 96), (".label", 22)):
            found = screen.page.locator(f".figure {part}").evaluate_all(
                "nodes => nodes.map(node => parseFloat(getComputedStyle(node).fontSize))"
            )
            assert all(round(size) >= least * unit for size in found), (scene["name"], part, found)
        margins = screen.page.evaluate(
            """() => { const style = getComputedStyle(document.getElementById("board"));
              return ["Top", "Bottom", "Left", "Right"].map((side) => parseFloat(style["padding" + side])); }"""
        )
        assert min(margins[:2]) >= 0.03 * min(width, height), scene["name"]
        assert min(margins[2:]) >= 0.03 * width - 1, scene["name"]

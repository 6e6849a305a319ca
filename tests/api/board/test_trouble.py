"""What a board says when something is wrong or when nothing has begun, in a real browser."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.api.accessibility import violations
from tests.api.board.builders import (
    ORGANISATION,
    Json,
    make_freshness,
    make_rep,
    make_row,
    make_snapshot,
)
from tests.api.board.scripted import Screen, needs_browser

pytestmark = needs_browser


@pytest.mark.parametrize(
    ("status", "problem", "said"),
    [
        (404, {"field": "team", "detail": "there is no team 'north'"}, "There is no team “north”"),
        (422, {"field": "windows", "detail": "windows: there is no window 'today'"}, "There is no time span “today”"),
        (403, {"field": None, "detail": "this key is limited to the team 'south'"}, "is not for “north”"),
    ],
)
def test_what_is_wrong_is_said_in_words_and_mends_itself(screen: Screen, status: int, problem: Json, said: str) -> None:
    screen.floor.refusal = (status, {"status": status, **problem})
    screen.open("?teams=north")

    expect(screen.page.locator(".notice")).to_contain_text(said)
    expect(screen.tile("status")).to_contain_text("Check this screen")
    expect(screen.page.locator(".scene")).to_be_hidden()
    expect(screen.page.get_by_text("Connection lost")).to_have_count(0)

    screen.floor.refusal = None
    screen.let_time_pass()
    expect(screen.figure("calls_made")).to_be_visible()
    expect(screen.page.locator(".notice")).to_be_hidden()


def test_a_key_that_is_taken_away_takes_the_numbers_off_the_screen_and_asks_to_be_paired(screen: Screen) -> None:
    screen.open()
    expect(screen.names().first).to_have_text("Jonas Weber")

    screen.floor.refusal = (401, {"status": 401, "field": "authorization", "detail": "the API key is not valid"})
    screen.floor.cut()

    expect(screen.page.locator(".notice")).to_contain_text("has expired, or was revoked")
    expect(screen.page.locator("#code")).to_have_text("K7M 2QX")
    assert violations(screen.page) == []
    expect(screen.page.get_by_text("Jonas Weber")).to_have_count(0)
    expect(screen.page.get_by_text("1,284")).to_have_count(0)


def test_a_server_that_is_not_ready_is_no_fault_of_the_screen(screen: Screen) -> None:
    screen.floor.is_refusing = True
    screen.open()

    expect(screen.page.locator(".notice")).to_contain_text("floorcast is not ready yet")


def test_unknown_metrics_are_named_beside_what_is_known(screen: Screen) -> None:
    screen.open("?metric=calls_mad&metrics=calls_made,reveneu")

    expect(screen.page.locator(".notice")).to_contain_text("There are no metrics “calls_mad”, “reveneu”")
    expect(screen.tile("leaderboard")).to_contain_text("There is no metric “calls_mad”")
    expect(screen.tile("leaderboard").locator(".row")).to_have_count(0)
    expect(screen.figure("calls_made")).to_have_text("1,284")


def test_a_key_of_one_team_shows_that_team_without_being_asked(screen: Screen) -> None:
    north = make_row({**ORGANISATION, "calls_made": 88}, team="north", name="North")
    screen.floor.snapshot = make_snapshot(rows=[north, make_rep(1, "Ana", 88)])
    screen.open()

    expect(screen.figure("calls_made")).to_have_text("88")
    expect(screen.figure("revenue_won")).to_have_text("$184,250")
    expect(screen.tile("title").locator("h1")).to_have_text("North")


def nothing_yet(**fields: Any) -> Json:
    return make_snapshot(
        rows=[make_row({"calls_made": 0, "revenue_won": "0.00", "win_rate": None, "reps_active": 3})],
        leads=[],
        freshness=make_freshness(
            connections=[{"connection": "feed", "last_delivery_at": None}],
            end_to_end_seconds={"p50": None, "p95": None, "p99": None},
        ),
        **fields,
    )


def test_a_new_installation_says_what_to_do_next(screen: Screen) -> None:
    screen.floor.snapshot = nothing_yet()
    screen.open()

    expect(screen.page.locator(".notice")).to_contain_text(re.compile(r"http://127\.0\.0\.1:\d+/webhooks/feed"))
    expect(screen.tile("status")).to_contain_text("Ready")
    expect(screen.page.get_by_text(re.compile("stale|disconnected|never", re.IGNORECASE))).to_have_count(0)

    screen.floor.publish("metrics", {"rows": [make_row({"calls_made": 1})]})

    expect(screen.figure("calls_made")).to_have_text("1")
    expect(screen.page.locator(".notice")).to_be_hidden()


def test_a_board_can_be_made_twice_and_destroyed(screen: Screen) -> None:
    """As an object: nothing goes on after it, and another one does not mind."""
    screen.prepare(
        """window.open_ = new Set(); const Real = EventSource;
        window.EventSource = class extends Real { constructor(...a) { super(...a); open_.add(this); }
          close() { super.close(); open_.delete(this); } };"""
    )
    screen.open()
    expect(screen.figure("calls_made")).to_have_text("1,284")
    screen.page.evaluate(
        """async () => {
          const { Board } = await import("/static/board.js");
          const { readAddress } = await import("/static/address.js");
          const root = document.createElement("main");
          document.body.append(root);
          const platform = { open: (url) => new EventSource(url), fetch: (...asked) => fetch(...asked),
            now: Date.now, random: Math.random };
          const settings = readAddress({ pathname: "/board/floor", search: "?metrics=deals_won" }, { usual: [] });
          window.second = new Board(root, settings, platform, { language: "en", locales: ["en"] });
          second.start();
        }"""
    )
    expect(screen.figure("deals_won")).to_have_text(["12", "12"])

    left = screen.page.evaluate("() => { second.destroy(); return [second.root.childElementCount, open_.size]; }")
    screen.floor.publish("metrics", {"rows": [make_row({"deals_won": 13})]})

    assert left == [0, 1]
    expect(screen.figure("deals_won")).to_have_text(["13"])
    assert screen.complaints == []

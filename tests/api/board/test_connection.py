"""The stream of a wallboard in a real browser: silence, loss, reconnection, sequence, new builds."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from tests.api.board.builders import make_freshness, make_rep, make_row, make_snapshot, make_verification, now
from tests.api.board.scripted import Screen, needs_browser

pytestmark = needs_browser


def test_silence_is_a_disconnection_within_ten_seconds_that_keeps_the_last_numbers_and_stops_their_clocks(
    screen: Screen,
) -> None:
    recount = make_verification(now() - timedelta(minutes=1))
    screen.floor.snapshot = make_snapshot(freshness=make_freshness(verification=recount))
    screen.open()
    expect(screen.tile("status")).to_contain_text("Live")
    expect(screen.page.locator(".verified")).to_be_visible()
    screen.floor.is_silent = True

    screen.later(7)
    expect(screen.tile("status")).to_contain_text("Live")
    screen.later(3)

    expect(screen.tile("status")).to_contain_text("Disconnected")
    expect(screen.tile("strip")).to_contain_text(re.compile(r"Connection lost.*as of \d\d:\d\d"))
    expect(screen.page.locator(".scene")).to_have_css("opacity", "0.56")
    expect(screen.figure("calls_made")).to_have_text("1,284")
    expect(screen.page.locator(".verified")).to_be_hidden()
    expect(screen.page.locator(".connection")).to_have_count(0)
    stopped = screen.lead("l-1").locator(".running").text_content()
    screen.later(5)
    expect(screen.lead("l-1").locator(".running")).to_have_text(stopped or "")


def test_an_api_that_has_gone_is_said_within_ten_seconds(screen: Screen) -> None:
    screen.open()
    expect(screen.tile("status")).to_contain_text("Live")
    screen.floor.is_refusing = True

    screen.floor.cut()
    expect(screen.tile("status")).to_contain_text("Delayed")
    screen.later(9)

    expect(screen.tile("status")).to_contain_text("Disconnected")
    expect(screen.figure("calls_made")).to_have_text("1,284")


def test_a_broken_connection_comes_back_with_the_last_event_id_and_the_new_numbers(screen: Screen) -> None:
    screen.open()
    expect(screen.figure("calls_made")).to_have_text("1,284")
    screen.floor.snapshot = make_snapshot(rows=[make_row({"calls_made": 1300}), make_rep(7, "Only One", 3)], leads=[])

    screen.floor.cut()

    expect(screen.figure("calls_made")).to_have_text("1,300")
    expect(screen.names()).to_have_text(["Only One"])
    expect(screen.tile("leads")).to_contain_text("No lead is waiting")
    expect(screen.tile("status")).to_contain_text("Live")
    assert [last for path, last in screen.floor.requests if path.startswith("/v1/stream")] == [None, "i1:1"]


def test_a_refused_connection_is_tried_again(screen: Screen) -> None:
    screen.open()
    expect(screen.tile("status")).to_contain_text("Live")
    screen.let_time_pass()
    screen.floor.is_refusing = True
    screen.floor.cut()
    expect(screen.tile("status")).to_contain_text("Disconnected")

    screen.floor.is_refusing = False

    expect(screen.tile("status")).to_contain_text("Live")


def test_repeated_and_older_events_change_nothing(screen: Screen) -> None:
    screen.open()
    expect(screen.figure("calls_made")).to_have_text("1,284")
    screen.floor.number = 50
    screen.floor.publish("metrics", {"rows": [make_row({"calls_made": 1290})]})

    screen.floor.number = 40
    screen.floor.publish("metrics", {"rows": [make_row({"calls_made": 1285})]})
    screen.floor.number = 60
    screen.floor.publish("metrics", {"rows": [make_row({"deals_won": 13})]})

    expect(screen.figure("deals_won")).to_have_text("13")
    expect(screen.figure("calls_made")).to_have_text("1,290")


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param("id: i1:7\nevent: metrics\ndata: {not json\n\n", id="unreadable"),
        pytest.param('id: i2:7\nevent: metrics\ndata: {"rows": []}\n\n', id="another instance"),
    ],
)
def test_an_event_that_leaves_a_hole_asks_for_a_new_snapshot(screen: Screen, broken: str) -> None:
    screen.open()
    expect(screen.figure("calls_made")).to_have_text("1,284")
    screen.floor.snapshot = make_snapshot(rows=[make_row({"calls_made": 1300})])

    screen.let_time_pass()
    screen.floor.say_raw(broken)

    expect(screen.figure("calls_made")).to_have_text("1,300")


def test_the_page_reloads_itself_once_when_a_new_build_is_served(screen: Screen) -> None:
    screen.open()
    expect(screen.tile("status")).to_contain_text("Live")

    with screen.page.expect_event("load"):
        screen.floor.publish("snapshot", make_snapshot(build="2"))
    expect(screen.tile("status")).to_contain_text("Live")
    screen.floor.publish("snapshot", make_snapshot(build="3", rows=[make_row({"calls_made": 7})]))

    expect(screen.figure("calls_made")).to_have_text("7")
    pages = [path for path, _last in screen.floor.requests if path.startswith("/board/")]
    assert len(pages) == 2

"""Whether the numbers can be believed, in a real browser."""

import re
from datetime import UTC, datetime, timedelta

from playwright.sync_api import expect

from tests.api.board.builders import instant, make_freshness, make_snapshot, make_verification, now
from tests.api.board.floors import every_tile
from tests.api.board.scripted import Screen, needs_browser

pytestmark = needs_browser


def test_freshness_names_each_connection_with_age_state_and_delay(screen: Screen) -> None:
    old = instant(now() - timedelta(minutes=12))
    screen.floor.snapshot = make_snapshot(
        freshness=make_freshness(
            connections=[
                {"connection": "crm", "last_delivery_at": instant(now())},
                {"connection": "dialer", "last_delivery_at": old},
                {"connection": "forms", "last_delivery_at": None},
            ]
        )
    )
    screen.open()

    expect(screen.page.locator(".connection .name")).to_have_text(["dialer", "crm", "forms"])
    expect(screen.page.locator(".connection .word")).to_have_text(["delayed", "live", "waiting for its first delivery"])
    expect(screen.page.locator(".connection .age")).to_have_text(["12m", re.compile(r"^\ds$"), ""])
    expect(screen.page.locator(".connection svg")).to_have_count(3)
    expect(screen.tile("foot")).to_contain_text("Delay p95 0.12s")


AT_NOON = datetime(2026, 3, 18, 4, 3, 12, tzinfo=UTC)
"""12:03 in Kuala Lumpur."""


def test_a_recount_of_the_log_is_told_with_its_time(screen: Screen) -> None:
    screen.floor.snapshot = make_snapshot(
        server_time=instant(AT_NOON + timedelta(minutes=2)),
        freshness=make_freshness(server_time=instant(AT_NOON), verification=make_verification(AT_NOON)),
    )
    screen.open()

    verified = screen.tile("foot").locator(".verified")
    expect(verified).to_have_text("verified 12:03, 0 differences")
    expect(verified).to_have_attribute("data-state", "right")


def test_a_wrong_number_and_a_recount_that_has_stopped_are_not_overlooked(screen: Screen) -> None:
    screen.open()
    # What is said before it has connected, it does not hear.
    expect(screen.tile("foot")).to_contain_text("Delay p95 0.12s")
    verified = screen.tile("foot").locator(".verified")
    expect(verified).to_be_hidden()
    panel = screen.page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--breached').trim()")
    looks = []

    for at, differences, stale, text, state in (
        (AT_NOON, 1, False, "verified 12:03, 1 difference", "wrong"),
        (AT_NOON, 1234, False, "verified 12:03, 1,234 differences", "wrong"),
        (AT_NOON, 0, True, "not verified since 12:03, 0 differences", "stale"),
        (AT_NOON, 2, True, "not verified since 12:03, 2 differences", "wrong"),
        (
            AT_NOON - timedelta(days=3),
            0,
            True,
            re.compile(r"^not verified since \w+ \w+ 12:03, 0 differences$"),
            "stale",
        ),
        (AT_NOON, 0, False, "verified 12:03, 0 differences", "right"),
    ):
        found = make_verification(at, differences, stale=stale)
        screen.floor.publish("freshness", make_freshness(server_time=instant(AT_NOON), verification=found))
        expect(verified).to_have_text(text)
        expect(verified).to_have_attribute("data-state", state)
        looks.append((state, verified.evaluate("node => getComputedStyle(node).backgroundColor")))

    assert panel == "#ff7a66"
    assert dict(looks)["wrong"] == "rgb(255, 122, 102)"
    assert len({color for _, color in looks}) == 3


def test_the_time_is_that_of_the_organisation(screen: Screen) -> None:
    screen.floor.snapshot = make_snapshot(server_time="2026-03-18T20:41:30.344Z", freshness=None)
    screen.open()

    expect(screen.tile("status").locator(".clock")).to_have_text("04:41")
    expect(screen.tile("foot").locator(".as-of")).to_have_text("As of 04:41:30")


def test_a_floor_that_does_not_work_is_closed_and_not_stale(screen: Screen) -> None:
    noon = datetime(2026, 3, 18, 12, 3, 12, tzinfo=UTC)  # 20:03 in Kuala Lumpur
    closed = {"calendar": "floor", "is_open": False, "since": "2026-03-18T10:00:00.000Z", "until": None}
    quiet = [{"connection": "crm", "last_delivery_at": instant(noon - timedelta(hours=2))}]
    screen.floor.settings = every_tile()
    screen.floor.snapshot = make_snapshot(
        server_time=instant(noon),
        freshness=make_freshness(server_time=instant(noon), connections=quiet, calendars=[closed]),
    )
    screen.open()

    expect(screen.tile("status").locator(".state")).to_have_text("Closed since 18:00")
    expect(screen.page.locator(".scene")).to_have_css("opacity", "1")


def test_numbers_that_stand_still_upstream_are_shown_as_stale(screen: Screen) -> None:
    screen.open()
    expect(screen.tile("status")).to_contain_text("Live")

    screen.floor.publish("freshness", make_freshness(behind_seconds=9))
    expect(screen.tile("status")).to_contain_text("Delayed")
    screen.floor.publish("freshness", make_freshness(server_time=instant(AT_NOON), behind_seconds=75))

    expect(screen.tile("status")).to_contain_text("Stale")
    expect(screen.tile("foot").locator(".as-of")).to_have_text("As of 12:01:57")
    expect(screen.page.locator(".scene")).to_have_css("opacity", "0.56")
    expect(screen.figure("calls_made")).to_have_text("1,284")

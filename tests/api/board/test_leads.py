"""Waiting leads and alerts in a real browser."""

import re
from datetime import timedelta

from playwright.sync_api import expect

from tests.api.board.builders import Json, instant, make_alert, make_crossing, make_lead, make_snapshot, now
from tests.api.board.scripted import Screen, needs_browser

pytestmark = needs_browser


def test_leads_are_listed_longest_first_with_running_clocks(screen: Screen) -> None:
    screen.floor.snapshot = make_snapshot(
        leads=[
            make_lead("l-2", 125),
            make_lead("l-1", 2900),
            make_lead("l-3", 4500, rep=None, team=None),
            make_lead("l-4", 60, rep=None, team="south"),
        ]
    )
    screen.open()

    expect(screen.lead("l-2")).to_be_visible()
    order = screen.page.locator('[data-tile="leads"] .row').evaluate_all("rows => rows.map((row) => row.dataset.lead)")
    assert order == ["l-3", "l-1", "l-2", "l-4"]
    expect(screen.lead("l-3")).to_contain_text("Breached")
    expect(screen.lead("l-3")).to_contain_text("Unassigned")
    # Of somebody whom the screen does not show the team is told.
    expect(screen.lead("l-4").locator(".owner")).to_have_text("South")
    expect(screen.lead("l-3").locator(".running")).to_have_text("1h 15m")
    expect(screen.lead("l-1")).to_contain_text("Warned")
    expect(screen.lead("l-2")).to_contain_text("Waiting")
    expect(screen.lead("l-2")).to_contain_text("demo request")
    expect(screen.lead("l-2")).to_contain_text("Ana Lim")
    expect(screen.lead("l-2").locator(".running")).to_have_text("2m 05s")
    screen.later(7)
    expect(screen.lead("l-2").locator(".running")).to_have_text("2m 12s")


def test_a_lead_turns_breached_when_its_clock_runs_out_without_any_event(screen: Screen) -> None:
    screen.floor.snapshot = make_snapshot(leads=[make_lead("l-1", 3597, state="warned")])
    screen.open()
    expect(screen.lead("l-1")).to_have_attribute("data-state", "warned")
    screen.later(4)

    expect(screen.lead("l-1")).to_have_attribute("data-state", "breached")
    expect(screen.lead("l-1")).to_contain_text("Breached")
    expect(screen.tile("leads").locator(".badge:visible")).to_have_text("1breached")


def test_clocks_follow_the_server_when_the_television_is_wrong(screen: Screen) -> None:
    screen.prepare("const real = Date.now; Date.now = () => real() + 7 * 60000;")
    screen.floor.snapshot = make_snapshot(leads=[make_lead("l-1", 600)])
    screen.open()

    expect(screen.lead("l-1").locator(".running")).to_have_text("10m 00s")
    expect(screen.tile("status")).to_contain_text("Live")


def test_an_answered_lead_leaves_and_a_new_one_comes(screen: Screen) -> None:
    screen.open()
    expect(screen.lead("l-1")).to_be_visible()

    screen.floor.publish("lead", make_lead("l-9", 1))
    screen.floor.publish("lead", {"lead": "l-1", "state": "answered"})

    expect(screen.lead("l-9")).to_be_visible()
    expect(screen.lead("l-1")).to_have_count(0)
    screen.floor.publish("lead", {"lead": "l-9", "state": "closed"})
    expect(screen.tile("leads")).to_contain_text("No lead is waiting")


def test_leads_that_do_not_fit_are_counted(screen: Screen) -> None:
    screen.floor.snapshot = make_snapshot(leads=[make_lead(f"l-{n}", 5000 - n) for n in range(20)])
    screen.open()

    rows = screen.page.locator('[data-tile="leads"] .row')
    expect(rows.first).to_be_visible()
    more = screen.tile("leads").locator(".more")
    expect(more).to_have_text(re.compile(r"^\+ (\d+) more, \1 of them breached$"))
    expect(rows).to_have_count(20 - int(more.inner_text().split()[1]))
    expect(screen.tile("leads").locator(".badge:visible")).to_have_text("20breached")


def test_open_alerts_are_shown_gravest_first_until_they_are_resolved(screen: Screen) -> None:
    alerts = [make_alert(1, "warn"), make_alert(2, "breach"), make_alert(3, "escalate")]
    screen.floor.snapshot = make_snapshot(alerts=[*alerts, make_alert(4, "breach", lead="l-3")])
    screen.open()
    expect(screen.tile("strip").locator(".chip .word")).to_have_text(["Escalated", "Breached"])
    expect(screen.tile("strip").locator(".chip .owner")).to_have_text(["Priya Raman", "Marcus Okafor"])

    screen.floor.publish("alert", make_alert(3, "escalate", resolved_at=instant(now())))
    screen.floor.publish("alert", make_alert(4, "breach", resolved_at=instant(now())))

    expect(screen.tile("strip").locator(".chip .word")).to_have_text(["Breached"])


def test_metrics_beyond_a_limit_are_shown_with_it_and_a_milestone_for_an_hour(screen: Screen) -> None:
    few = make_crossing(1, "calls_made", "below", 10, level="warn")
    share = make_crossing(2, "connect_rate", "below", 0.2, level="breach", rep=None, window="1h")
    money: Json = {"comparison": "reaches", "limit": "1000000.00", "currency": "USD", "rep": None, "team": None}
    million = make_crossing(3, "revenue_won", level="warn", **money)
    old = make_crossing(61, "revenue_won", level="warn", **money)
    screen.floor.snapshot = make_snapshot(alerts=[few, share, million, old, make_alert(4, "breach")])
    screen.open()

    chips = screen.tile("strip").locator(".chip")
    expect(chips.locator(".word")).to_have_text(["Breached", "Below 20%", "Reached $1,000,000", "Below 10"])
    expect(chips.locator(".owner")).to_have_text(
        ["Jonas Weber", "Connect rate, Last hour", "Revenue won", "Calls made"]
    )
    expect(chips.locator(".subject")).to_have_text(["", "North", "Acme", "Ana Lim"])
    assert screen.complaints == []


def test_the_strip_of_alerts_speaks_of_people_and_time_not_of_ids(screen: Screen) -> None:
    started = now() - timedelta(minutes=75)
    screen.floor.snapshot = make_snapshot(
        leads=[make_lead("00Q5f00000AbCdE", 4500, rep="r-2")],
        alerts=[make_alert(2, "breach", lead="00Q5f00000AbCdE", started_at=instant(started))],
    )
    screen.open()

    chip = screen.tile("strip").locator(".chip")
    expect(chip).to_contain_text("Marcus Okafor")
    expect(chip.locator(".subject")).to_have_text("demo request")
    expect(chip.locator(".duration")).to_have_text("1h 15m")
    expect(chip).not_to_contain_text("00Q5f")


def test_the_strip_of_alerts_holds_several_and_counts_the_others(screen: Screen) -> None:
    screen.floor.snapshot = make_snapshot(alerts=[make_alert(number, "breach") for number in range(1, 9)])
    screen.open()

    strip = screen.tile("strip")
    expect(strip.locator(".alert-more")).to_have_text(re.compile(r"^\+\d more$"))
    owners = strip.evaluate("""strip => { const line = strip.querySelector(".chip").offsetTop;
        const seen = Array.from(strip.querySelectorAll(".chip")).filter((chip) => chip.offsetTop === line);
        return seen.map((chip) => chip.querySelector(".owner").textContent); }""")
    assert len(owners) >= 2
    expect(strip.locator(".alert-more")).to_have_text(f"+{8 - len(owners)} more")

"""The numbers of the wallboard in a real browser: what is shown, how it merges, and where it is shortened."""

from playwright.sync_api import expect

from tests.api.board.builders import (
    ORGANISATION,
    instant,
    make_alert,
    make_freshness,
    make_lead,
    make_rep,
    make_row,
    make_snapshot,
    now,
)
from tests.api.board.scripted import Screen, needs_browser

pytestmark = needs_browser

DASH = "\N{EN DASH}"


def test_board_shows_the_numbers_of_the_organisation_with_their_units(screen: Screen) -> None:
    screen.open()

    expect(screen.figure("calls_made")).to_have_text("1,284")
    expect(screen.figure("revenue_won")).to_have_text("$184,250")
    expect(screen.page.locator('.figure[data-metric="calls_made"] .note')).to_have_text("31% connected")
    expect(screen.page.locator('.figure[data-metric="conversations"] .note')).to_have_text("13h 55m talk time")
    expect(screen.tile("leads").locator(".answered")).to_have_text("92% in time")
    expect(screen.tile("title")).to_contain_text("Acme")
    expect(screen.tile("status")).to_contain_text("Live")
    assert screen.complaints == []


def test_a_null_is_a_dash_and_a_zero_is_a_zero(screen: Screen) -> None:
    screen.floor.snapshot = make_snapshot(rows=[make_row({"calls_made": 0, "win_rate": None})])
    screen.open("?metrics=calls_made,win_rate,deals_won")

    expect(screen.figure("calls_made")).to_have_text("0")
    expect(screen.figure("win_rate")).to_have_text(DASH)
    expect(screen.figure("deals_won")).to_have_text(DASH)


def test_a_percentile_without_a_value_shows_its_bound(screen: Screen) -> None:
    row = make_row({"lead_response_seconds_p50": None})
    screen.floor.snapshot = make_snapshot(rows=[{**row, "bounds": {"lead_response_seconds_p50": 300}}])
    screen.open("?metrics=lead_response_seconds_p50")
    expect(screen.figure("lead_response_seconds_p50")).to_have_text("> 5m 00s")

    screen.floor.publish("metrics", {"rows": [make_row({"lead_response_seconds_p50": 240})]})

    expect(screen.figure("lead_response_seconds_p50")).to_have_text("4m 00s")


def test_money_too_long_for_its_place_is_shortened_not_cut(screen: Screen) -> None:
    screen.floor.snapshot = make_snapshot(rows=[make_row({**ORGANISATION, "revenue_won": "123456789.50"})])
    screen.open()

    expect(screen.figure("revenue_won")).to_have_text("$123.5M")


def test_a_change_merges_into_what_is_known(screen: Screen) -> None:
    screen.open()
    expect(screen.figure("calls_made")).to_have_text("1,284")

    screen.floor.publish("metrics", {"rows": [make_row({"calls_made": 1285})]})

    expect(screen.figure("calls_made")).to_have_text("1,285")
    expect(screen.figure("conversations")).to_have_text("207")


def test_a_correction_lowers_a_number(screen: Screen) -> None:
    screen.open()
    expect(screen.figure("deals_won")).to_have_text("12")

    screen.floor.publish("metrics", {"rows": [make_row({"deals_won": 11})]})

    expect(screen.figure("deals_won")).to_have_text("11")


def test_rows_of_other_windows_are_left_alone(screen: Screen) -> None:
    screen.open()
    expect(screen.figure("calls_made")).to_have_text("1,284")

    screen.floor.publish("metrics", {"rows": [{**make_row({"calls_made": 9999}), "window": {"name": "month"}}]})
    screen.floor.publish("metrics", {"rows": [make_row({"deals_won": 13})]})

    expect(screen.figure("deals_won")).to_have_text("13")
    expect(screen.figure("calls_made")).to_have_text("1,284")


def test_names_from_a_crm_are_text_whatever_they_contain(screen: Screen) -> None:
    hostile = '<img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script>'
    screen.floor.snapshot = make_snapshot(
        rows=[make_row(ORGANISATION), make_row({}, team=hostile, name=hostile), make_rep(1, hostile, 5, hostile)],
        leads=[make_lead(hostile, 10, source=hostile)],
        alerts=[make_alert(1, "breach", lead=hostile)],
        organisation={"name": hostile, "timezone": hostile, "currency": hostile},
        freshness=make_freshness(connections=[{"connection": hostile, "last_delivery_at": instant(now())}]),
    )
    screen.open()

    expect(screen.rep("r-1").locator(".name")).to_have_text(hostile)
    expect(screen.page.locator(".connection .name")).to_have_text(hostile)
    expect(screen.page.locator("img, main script, [onerror]")).to_have_count(0)
    assert screen.page.title() == hostile
    assert screen.complaints == []


def test_the_address_configures_screen_and_stream(screen: Screen) -> None:
    team = make_row({"deals_won": 4, "calls_made": 88}, team="north", name="North")
    screen.floor.snapshot = make_snapshot(
        rows=[team, make_rep(1, "Ana", 3, deals_won=2), make_rep(2, "Ben", 9, deals_won=1)]
    )
    screen.open("?teams=north&metrics=deals_won,calls_made&metric=deals_won&title=North%20floor&window=today")

    expect(screen.tile("title").locator("h1")).to_have_text("North floor")
    expect(screen.page.locator(".figure .label")).to_have_text(["Deals won", "Calls made"])
    expect(screen.figure("deals_won")).to_have_text("4")
    expect(screen.names()).to_have_text(["Ana", "Ben"])
    assert "/v1/stream?windows=today&teams=north&screen=floor" in [path for path, _last in screen.floor.requests]

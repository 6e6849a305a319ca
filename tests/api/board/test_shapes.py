"""The shapes of screens, in a real browser: nothing scrolls, overlaps or burns in."""

import re

import pytest
from playwright.sync_api import expect

from tests.api.board.builders import ORGANISATION, make_alert, make_lead, make_reps, make_row, make_snapshot
from tests.api.board.floors import every_tile, many
from tests.api.board.scripted import Screen, needs_browser

pytestmark = needs_browser


@pytest.mark.parametrize(
    ("width", "height"),
    # All of 16:9 show the same picture, larger or smaller.
    [(1920, 1080), (1080, 1920), (3440, 1440), (1024, 768)],
    ids=str,
)
def test_nothing_scrolls_or_leaves_the_screen(screen: Screen, width: int, height: int) -> None:
    screen.page.set_viewport_size({"width": width, "height": height})
    screen.floor.snapshot = make_snapshot(
        rows=[make_row(ORGANISATION), *make_reps(40)],
        leads=[make_lead(f"l-{n}", 400 * n) for n in range(20)],
        alerts=[make_alert(n, "breach") for n in range(1, 9)],
    )
    screen.open()
    expect(screen.figure("calls_made")).to_have_text("1,284")
    expect(screen.tile("strip").locator(".alert-more")).to_have_text(re.compile(r"^\+\d more$"))

    root = screen.page.evaluate(
        "() => [document.scrollingElement.scrollWidth, document.scrollingElement.scrollHeight, innerWidth, innerHeight]"
    )
    outside = screen.page.evaluate(
        """() => Array.from(document
            .querySelectorAll('.row, .figure, .heading, .state, .clock, .as-of, .latency, .more, .answered'))
            .filter((node) => node.offsetParent)
            .filter((node) => { const box = node.getBoundingClientRect();
              return box.left < 0 || box.top < 0 || box.right > innerWidth || box.bottom > innerHeight; })
            .map((node) => node.className)"""
    )
    overlaps = screen.page.evaluate(
        """() => { const boxes = Array.from(document.querySelectorAll('.masthead, .row, .figure, footer'))
            .map((node) => node.getBoundingClientRect());
            return boxes.some((a, i) => boxes.some((b, j) => i < j && a.left < b.right - 1 && b.left < a.right - 1
              && a.top < b.bottom - 1 && b.top < a.bottom - 1)); }"""
    )
    assert root[:2] == root[2:]
    assert outside == []
    assert not overlaps
    assert screen.complaints == []


def test_a_funnel_of_many_steps_shows_all_of_them_within_its_tile(screen: Screen) -> None:
    many(screen.floor)
    step = {"entered": 120, "advanced": 106, "lost": 9, "open": 5, "conversion": 0.8}
    steps = [step | {"step": f"s{number}", "label": f"Step {number}"} for number in range(8)]
    screen.floor.answers["/v1/funnels/stage_conversion"] = {"steps": steps, "worst": "s1"}
    screen.floor.settings = every_tile()
    screen.open("?scene=Month")

    expect(screen.page.locator(".step .value")).to_have_text(["120"] * 8)
    inside = screen.tile("funnel").evaluate("""tile => { const room = tile.getBoundingClientRect();
        const steps = Array.from(tile.querySelectorAll(".step"));
        const boxes = steps.map((step) => step.getBoundingClientRect());
        return boxes.every((box) => box.top >= room.top && box.bottom <= room.bottom + 1)
          && steps.every((step) => step.scrollHeight <= step.clientHeight + 1); }""")
    assert inside


def test_the_picture_shifts_a_few_pixels_against_burn_in(screen: Screen) -> None:
    screen.open()
    expect(screen.tile("status")).to_contain_text("Live")
    positions = set()
    for _shift in range(4):
        positions.add(screen.page.locator("#board").evaluate("node => node.style.transform"))
        screen.later(180)

    pixels = [abs(int(value)) for position in positions for value in re.findall(r"-?\d+", position)]
    assert len(positions) == 4
    assert max(pixels) <= 4


def test_a_phone_gets_the_same_tiles_one_below_the_other_at_a_size_to_be_read(screen: Screen) -> None:
    screen.page.set_viewport_size({"width": 390, "height": 844})
    screen.floor.snapshot = make_snapshot(
        rows=[make_row(ORGANISATION), *make_reps(40)],
        leads=[make_lead(f"l-{n}", 400 * n) for n in range(8)],
        alerts=[make_alert(n, "breach") for n in range(1, 4)],
    )
    screen.open()
    expect(screen.figure("calls_made")).to_have_text("1,284")

    width, inner = screen.page.evaluate("() => [document.scrollingElement.scrollWidth, innerWidth]")
    sizes = screen.page.evaluate(
        """() => Array.from(document.querySelectorAll('#board *'))
            .filter((node) => node.offsetParent && node.children.length === 0 && node.textContent.trim())
            .map((node) => parseFloat(getComputedStyle(node).fontSize))"""
    )
    tops = [
        screen.tile(name).evaluate("node => node.getBoundingClientRect().top + scrollY")
        for name in ("leaderboard", "figures", "leads", "foot")
    ]
    assert width == inner
    assert min(sizes) >= 12
    assert tops == sorted(tops)
    expect(screen.names()).to_have_count(10)
    screen.page.mouse.move(200, 400)
    screen.page.mouse.wheel(0, 5_000)
    expect(screen.tile("foot")).to_be_in_viewport()
    assert screen.complaints == []

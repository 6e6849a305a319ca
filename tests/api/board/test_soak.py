"""A screen hangs for weeks: hours of it in a page whose clock runs ahead, and no memory that grows with them.

`make soak` takes eight hours of the page's clock; the suite takes minutes of it.
"""

import os
from typing import Any

from playwright.sync_api import expect

from tests.api.board.builders import make_reps, make_row, make_snapshot
from tests.api.board.scripted import Screen, needs_browser
from tests.api.board.test_celebrations import served, win

pytestmark = needs_browser

HOURS = float(os.environ.get("SOAK_HOURS", "0.1"))
STEP_SECONDS = 5
"""As often as the server says something at least; a page that hears nothing for longer reconnects."""
GROWTH = 2_000_000
"""Bytes of the page's heap: what one picture more or less takes, not what hours leave behind."""


def held(session: Any) -> tuple[int, int]:
    """Bytes of the heap and nodes of the page, without garbage."""
    session.send("HeapProfiler.collectGarbage")
    counters = session.send("Memory.getDOMCounters")
    return session.send("Runtime.getHeapUsage")["usedSize"], counters["nodes"]


def test_hours_leave_nothing_behind(screen: Screen) -> None:
    figures = {"kind": "figures", "metrics": ["calls_made"]}
    scenes = [
        {"name": "A", "tiles": [{"kind": "leaderboard", "metric": "calls_made"}, figures]},
        {"name": "B", "tiles": [{"kind": "wins"}, {"kind": "leads"}, {"kind": "freshness"}]},
    ]
    screen.floor.answers["/v1/wins"] = {"rows": []}
    screen.floor.settings = served(scenes=scenes, rotate="10s")
    screen.floor.snapshot = make_snapshot(rows=[make_row({"calls_made": 1}), *make_reps(40)])
    screen.open()
    expect(screen.figure("calls_made")).to_have_text("1")
    session = screen.page.context.new_cdp_session(screen.page)
    steps = int(HOURS * 3600 / STEP_SECONDS)
    settled = min(60, steps // 3)
    before = after = None
    seen: set[str] = set()
    for step in range(steps):
        screen.floor.publish("metrics", {"rows": [make_row({"calls_made": step})]})
        if step % 40 == 0:
            screen.floor.publish("win", win(step % 7))
        screen.hear_later(STEP_SECONDS)
        shown = screen.page.locator(".scene").get_attribute("data-count") or ""
        seen.add(shown)
        # Both times of one scene: the other has a fraction of its rows.
        if shown == "2" and (step >= settled if before is None else step >= steps - settled):
            after = held(session)
            before = before or after

    assert seen == {"2", "3"}  # both scenes had their turns
    assert before is not None
    assert after is not None
    print(f"\n{HOURS:g} h: heap {before[0]:,} -> {after[0]:,} bytes, {before[1]:,} -> {after[1]:,} nodes")  # noqa: T201
    assert after[0] - before[0] < GROWTH
    assert after[1] < 2 * before[1]
    assert screen.complaints == []

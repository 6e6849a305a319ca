"""The table of the suite's figures, and that the page shows the figures that are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.report import (
    BEGIN,
    END,
    KEPT,
    PAGE,
    keep_results,
    load_results,
    save_results,
    summary,
    table,
    update_page,
)
from tests.faults.result import Result

RESULTS = [
    Result(
        "kill",
        "kill -9",
        deliveries=10,
        stall_seconds=1.25,
        recovery_seconds=0.9,
        seconds=60,
        notes=["seen | so"],
        taken_on="2026-03-18",
        slowness=2,
    ),
    Result("lost", "a loss", differences=2, problems=["served: 1 instead of 2"], seconds=60),
    Result("clock", "a wrong clock", skipped="no library"),
]


def test_results_come_back_as_they_were_kept(tmp_path: Path) -> None:
    file = tmp_path / "figures" / "faults.json"
    save_results(file, RESULTS)

    heading, results = load_results(file)

    assert results == RESULTS
    assert heading.startswith("Taken on ")


def test_rounds_of_a_part_leave_the_figures_of_the_others(tmp_path: Path) -> None:
    file = tmp_path / "kept.json"
    save_results(file, RESULTS)
    again, other = Result("lost", "a loss", deliveries=5), Result("new", "a new fault")
    keep_results([other, again, Result("kill", "kill -9", skipped="out of time")], ["new", "kill", "lost"], file)

    assert load_results(file)[1] == [other, RESULTS[0], again]


def test_a_round_that_failed_is_named_and_shown(tmp_path: Path) -> None:
    assert summary(RESULTS) == "2 rounds in 2.0 min, 2 differences, 0 missing; skipped: clock; FAILED: lost"
    lines = table("Taken today.", RESULTS).splitlines()

    assert lines[4:] == [
        "| kill -9 | 10 | 0 | 0 | 1.2 s | 0.9 s | seen / so; beside other work | 2026-03-18 |",
        "| a loss | 0 | 2 | 0 | 0.0 s | not | FAILED: served: 1 instead of 2 |  |",
        "| a wrong clock | | | | | | skipped: no library |  |",
    ]


def test_only_the_table_of_a_page_changes(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n\n{BEGIN}\nold\n{END}\n\nafter\n")
    update_page(("Taken today.", RESULTS), page)
    once = page.read_text()
    update_page(("Taken today.", RESULTS), page)

    assert once == page.read_text() == f"before\n\n{BEGIN}\n{table('Taken today.', RESULTS)}\n{END}\n\nafter\n"
    page.write_text("no marks")
    with pytest.raises(ValueError, match="marks"):
        update_page(("Taken today.", RESULTS), page)


def test_the_page_shows_the_figures_that_are_kept() -> None:
    assert table(*load_results(KEPT)) in PAGE.read_text(encoding="utf-8")

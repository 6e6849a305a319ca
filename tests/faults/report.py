"""The figures of a run: as JSON, in a line, and as the table of docs/reliability.md.

Owns their form. Measures nothing.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.faults.result import Result

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
KEPT = PAGE.with_suffix(".json")
"""The results that the page shows."""
BEGIN, END = "<!-- faults: made by `make faults-table` -->", "<!-- /faults -->"


def save_results(file: Path, results: Sequence[Result]) -> None:
    """Write all of it, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    document = {
        "taken_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": f"{os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}",
        "rounds": [asdict(result) for result in results],
    }
    new.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    new.replace(file)


def load_results(file: Path) -> tuple[str, list[Result]]:
    """Where they were taken, in words, and the results."""
    document = json.loads(file.read_text(encoding="utf-8"))
    rounds = [Result(**found) for found in document["rounds"]]
    return f"Taken on {document['machine']}.", rounds


def keep_results(newer: Sequence[Result], names: Sequence[str], kept: Path = KEPT) -> None:
    """Put these in place of those of the same rounds, in the order of the names. One that was skipped replaces none."""
    _, older = load_results(kept)
    by_name = {result.name: result for result in (*older, *(one for one in newer if not one.skipped))}
    save_results(kept, [by_name[name] for name in names if name in by_name])


def summary(results: Sequence[Result]) -> str:
    """The run in a line."""
    failed = [result.name for result in results if not result.passed]
    skipped = [result.name for result in results if result.skipped]
    run = [result for result in results if not result.skipped]
    words = f"{len(run)} rounds in {sum(result.seconds for result in results) / 60:.1f} min"
    words += (
        f", {sum(result.differences for result in run)} differences, {sum(result.missing for result in run)} missing"
    )
    if skipped:
        words += f"; skipped: {', '.join(skipped)}"
    return words + (f"; FAILED: {', '.join(failed)}" if failed else "; all passed")


def table(heading: str, results: Sequence[Result]) -> str:
    """In Markdown, with a line that says what it is of."""
    lines = [
        heading,
        "",
        "| fault | deliveries | differences | missing | longest standstill | recovered after | seen | on |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in results:
        if one.skipped:
            lines.append(f"| {one.fault} | | | | | | skipped: {one.skipped} | {one.taken_on} |")
            continue
        recovery = "not" if one.recovery_seconds is None else f"{one.recovery_seconds:.1f} s"
        busy = ["beside other work"] if one.slowness > 1 else []
        seen = "; ".join(([f"FAILED: {one.problems[0]}"] if one.problems else []) + one.notes + busy)
        lines.append(
            f"| {one.fault} | {one.deliveries} | {one.differences} | {one.missing} | {one.stall_seconds:.1f} s "
            f"| {recovery} | {seen.replace('|', '/')} | {one.taken_on} |"
        )
    return "\n".join(lines)


def update_page(taken: tuple[str, list[Result]], page: Path = PAGE) -> None:
    """Put the table in its place in the page."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        msg = f"{page}: the marks of the table are missing"
        raise ValueError(msg)
    page.write_text(f"{before}{BEGIN}\n{table(*taken)}\n{END}{after}", encoding="utf-8")

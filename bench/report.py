"""The writer of `docs/performance.md`: one page from all sections in `.bench/`.

Owns how figures are shown and which section stands where. Measures nothing. A section whose results do not lie there
stays in the page as it was: somebody has measured it elsewhere.
"""

import os
import platform
import re
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import median

import psutil

from bench.results import FOLDER, Bar, Result, Section, load
from deploy.local.kafka_jars import KAFKA_VERSION

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
ORDER = (
    "engines", "freshness", "glass", "ingest", "leaderboard", "exposition", "streams", "recovery", "replay", "workers",
    "curves",
)  # fmt: skip
"""What is not named here comes after, by name."""

INTRODUCTION = """\
# Performance

Written by `make bench`; each section is of its own last run, and one that is missing was not run. Figures of another
machine will differ, ratios less. What is compared ran by turns within the same run, on the same Apache Kafka. A figure
is the median of its runs, with the smallest and the largest beside it. No test depends on a time.
"""


def spread(runs: Iterable[float]) -> str:
    """`median (min-max)`."""
    ordered = sorted(runs)
    if len(ordered) == 1:
        return number(ordered[0])
    return f"{number(median(ordered))} ({number(ordered[0])} to {number(ordered[-1])})"


def number(value: float) -> str:
    """With three or four digits that mean something."""
    if abs(value) >= 1000:
        return f"{round(value, -2 if abs(value) >= 100_000 else -1):,.0f}"
    return f"{value:.3g}"


def reached(result: Result, bar: Bar, results: Mapping[str, Result]) -> list[float] | None:
    """What is held against the bar, run by run; None where a figure is missing."""
    if not bar.against:
        return result.runs or None
    other = results.get(bar.against)
    if other is None or not other.runs or not result.runs:
        return None
    return [ours / theirs for ours, theirs in zip(result.runs, other.runs, strict=False)]


def is_met(bar: Bar, values: list[float]) -> bool:
    """By the median."""
    middle = median(values)
    return (bar.at_least is None or middle >= bar.at_least) and (bar.at_most is None or middle <= bar.at_most)


def figures(section: Section) -> list[str]:
    """The table of a section, and the one of its bars."""
    if not section.results:
        return []
    lines = ["", "| | median (min to max) | | runs |", "|---|--:|---|--:|"]
    for result in section.results:
        shown = spread(result.runs) if result.runs else f"no figure: {result.note}"
        lines.append(f"| **{result.name}**: {result.what} | {shown} | {result.unit} | {len(result.runs)} |")
    if not section.short:
        lines += bars(section)
    commands = dict.fromkeys(result.command for result in section.results)
    return [*lines, "", "Again: " + ", ".join(f"`{command}`" for command in commands)]


def bars(section: Section) -> list[str]:
    """One line for each bar: what it asks, what came, whether that is enough."""
    results = {result.name: result for result in section.results}
    lines = []
    for result in section.results:
        for bar in result.bars:
            asked = " and ".join(
                f"{sign} {limit:g}" + (f" times {bar.against}" if bar.against else f" {result.unit}")
                for sign, limit in (("≥", bar.at_least), ("≤", bar.at_most))
                if limit is not None
            )
            values = reached(result, bar, results)
            came = "no figure" if values is None else spread(values)
            verdict = "" if values is None else "yes" if is_met(bar, values) else "**no**"
            lines.append(f"| {result.name} {asked} | {came} | {verdict} |")
    return ["", "| bar | reached | met |", "|---|--:|---|", *lines] if lines else []


def page(sections: Mapping[str, Section], before: str = "") -> str:
    """The whole page, with those sections of an earlier one that are not given anew."""
    written = sections_of(before) | {slug: words(section) for slug, section in sections.items()}
    known = [slug for slug in ORDER if slug in written]
    lines = [INTRODUCTION, f"Day and machine: {machine()}.", ""]
    for slug in [*known, *sorted(set(written) - set(known))]:
        lines += [_MARK.format(slug), written[slug], ""]
    return "\n".join(lines).rstrip() + "\n"


_MARK = "<!-- bench: {} -->"


def sections_of(text: str) -> dict[str, str]:
    """Slug -> Markdown of each section of a page."""
    _, *parts = re.split(r"^<!-- bench: ([\w-]+) -->\n", text, flags=re.MULTILINE)
    return dict(zip(parts[::2], map(str.strip, parts[1::2]), strict=True))


def words(section: Section) -> str:
    """A section as Markdown."""
    lines = [f"## {section.title}", "", section.text.strip()]
    if section.short:
        lines += ["", "*Made by the short form: it proves that this runs, and says nothing of speed.*"]
    shown = figures(section)
    if section.folded:
        shown = ["", "<details><summary>All figures</summary>", *shown, "", "</details>"]
    lines += shown
    if section.after:
        lines += ["", section.after.strip()]
    return "\n".join(lines)


def machine() -> str:
    """What it ran on."""
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores ({_processor()}), {memory:.0f} GiB, "
        f"{platform.system()} {platform.release().split('-')[0]}, Python {platform.python_version()}, "
        f"Apache Kafka {KAFKA_VERSION}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def main(folder: Path = FOLDER, path: Path = PAGE) -> None:
    """Write the page from what lies in the folder, and from itself."""
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(page(load(folder), before), encoding="utf-8")
    print(f"written: {path}", file=sys.stderr)


if __name__ == "__main__":
    main()

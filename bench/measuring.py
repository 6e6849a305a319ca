"""Runs that take turns, and the command of a single bench."""

import argparse
import sys
from collections.abc import Callable, Sequence
from statistics import median

from bench.results import Bar, Result, Section, save

Run = Callable[..., Section]
"""`run(short=…, runs=…)`."""


def alternating(measures: Sequence[Callable[[], float]], runs: int) -> list[list[float]]:
    """The figures of each, run after run in turn: what slows the machine for a while slows all of them."""
    found: list[list[float]] = [[] for _ in measures]
    for _ in range(runs):
        for figures, measure in zip(found, measures, strict=True):
            figures.append(measure())
    return found


def say(line: str) -> None:
    """Tell whoever waits how far it is."""
    print(f"  {line}", file=sys.stderr, flush=True)


def figures(section: Section) -> list[str]:
    """A line for each result and bar, for people at a terminal."""
    lines = [section.title]
    runs = {result.name: result.runs for result in section.results}
    for result in section.results:
        if not result.runs:
            lines.append(f"  {result.name}: no figure: {result.note}")
            continue
        lines.append(f"  {result.name}: {_spread(result.runs)} {result.unit}")
        lines += [f"    {_judged(result, bar, runs.get(bar.against, []))}" for bar in result.bars]
    return lines


def _judged(result: Result, bar: Bar, against: Sequence[float]) -> str:
    values = [mine / other for mine, other in zip(result.runs, against, strict=False)] if bar.against else result.runs
    if not values:
        return f"nothing to compare with: {bar.against}"
    middle = median(values)
    reached = (bar.at_least is None or middle >= bar.at_least) and (bar.at_most is None or middle <= bar.at_most)
    wanted = f"at least {bar.at_least:g}" if bar.at_least is not None else f"at most {bar.at_most:g}"
    what = f"of {bar.against}: {_spread(values)}, " if bar.against else ""
    return f"{what}{wanted}: {'reached' if reached else 'MISSED'}"


def _spread(values: Sequence[float]) -> str:
    return f"{median(values):.4g} ({min(values):.4g}-{max(values):.4g})"


def main_of(run: Run) -> None:
    """`python -m bench.<name> [--short] [--runs N]`: measure, print, keep the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true", help="small inputs, one run: does everything still work?")
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    section = run(short=given.short, runs=1 if given.short else given.runs)
    sys.stdout.write("\n".join(figures(section)) + "\n")
    if not given.short:
        save(section)

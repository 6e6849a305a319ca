"""Run the fault suite: `python -m tests.faults [--list] [ROUND…]`; its results lie in a file as JSON.

Owns the command line and the order of the rounds. Goes on after a round that fails; the exit code says whether one did.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from tests.faults.report import KEPT, PAGE, keep_results, load_results, save_results, summary, update_page
from tests.faults.result import Result
from tests.faults.rounds import ROUNDS
from tests.faults.running import Round, run_round

_RESULTS = Path("build/faults.json")
console = Console(soft_wrap=True)


def main() -> int:
    """0 if every round passed, 1 if one failed, 2 for wrong use."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("rounds", nargs="*", metavar="ROUND", help="rounds by name; all of them if none is named")
    parser.add_argument("--list", action="store_true", help="name the rounds and end")
    parser.add_argument("--seed", type=int, default=1, help="of what is posted")
    parser.add_argument("--results", type=Path, default=_RESULTS, help="where the figures go, as JSON")
    parser.add_argument("--keep", type=Path, help="a folder for logs and data; a temporary one if none is named")
    parser.add_argument("--slowness", type=float, default=1.0, help="how many times as slow as a quiet machine this is")
    parser.add_argument("--minutes", type=float, help="begin no round after so long")
    parser.add_argument("--table", action="store_true", help=f"only put the results into {PAGE.name}")
    given = parser.parse_args()
    if given.list:
        for one in ROUNDS:
            console.print(f"{one.name:20} {one.fault}")
        return 0
    if given.table:
        keep_results(load_results(given.results)[1], [one.name for one in ROUNDS])
        update_page(load_results(KEPT))
        return 0
    unknown = set(given.rounds) - {one.name for one in ROUNDS}
    if unknown:
        parser.error(f"there is no round {', '.join(sorted(unknown))}; --list names them")
    chosen = [one for one in ROUNDS if not given.rounds or one.name in given.rounds]
    if given.keep is not None:
        results = asyncio.run(run_all(chosen, given.keep, given))
    else:
        with tempfile.TemporaryDirectory(prefix="floorcast-faults-", ignore_cleanup_errors=True) as folder:
            results = asyncio.run(run_all(chosen, Path(folder), given))
    console.print(summary(results))
    return 0 if all(result.passed for result in results) else 1


async def run_all(rounds: list[Round], folder: Path, given: argparse.Namespace) -> list[Result]:
    """Run one after the other; what is known so far is in the results file after each."""
    results: list[Result] = []
    began = time.monotonic()
    for number, one in enumerate(rounds, 1):
        if given.minutes is not None and time.monotonic() - began > given.minutes * 60:
            results.append(Result(one.name, one.fault, skipped="out of time"))
            continue
        console.print(f"[{number}/{len(rounds)}] {one.name}: {one.fault}", markup=False)
        result = await run_round(one, folder / one.name, seed=given.seed, slowness=given.slowness)
        results.append(result)
        console.print(_line(result), markup=False)
        for problem in result.problems:
            console.print(f"    {problem}", markup=False)
        save_results(given.results, results)
    save_results(given.results, results)
    return results


def _line(result: Result) -> str:
    if result.skipped:
        return f"  skipped: {result.skipped}"
    recovery = "not recovered" if result.recovery_seconds is None else f"recovered in {result.recovery_seconds:.1f} s"
    return (
        f"  {'passed' if result.passed else 'FAILED'} in {result.seconds:.0f} s: {result.differences} differences, "
        f"{result.missing} missing of {result.deliveries}, stood still {result.stall_seconds:.1f} s, {recovery}"
        + "".join(f"; {note}" for note in result.notes)
    )


if __name__ == "__main__":
    # Kafka is away on purpose, and each of its clients says so again and again.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    sys.exit(main())

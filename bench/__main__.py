"""`make bench`: everything that is measured, one after the other, and the page that says so.

    python -m bench [SUITE …] [--short] [--runs N]

A suite that fails is named at the end, and the others go on. Without `--short`, `docs/performance.md` and
`docs/sizing.md` are written anew from all results there are, also those of earlier runs.
"""

import argparse
import logging
import sys
import traceback

from bench import (
    curves,
    engines,
    exposition,
    freshness,
    glass,
    goals,
    ingest,
    leaderboard,
    panes,
    recovery,
    replay,
    report,
    sizing,
    streams,
    views,
    workers,
)
from bench.contenders import CONTENDERS
from bench.measuring import Run
from bench.results import Section, save

OWN: dict[str, Run] = {
    "freshness": freshness.run,
    "glass": glass.run,
    "ingest": ingest.run,
    "leaderboard": leaderboard.run,
    "goals": goals.run,
    "views": views.run,
    "exposition": exposition.run,
    "panes": panes.run,
    "streams": streams.run,
    "recovery": recovery.run,
    "replay": replay.run,
    "workers": workers.run,
    "curves": curves.run,
}
"""What our own services are asked to reach."""


def _run(name: str, given: argparse.Namespace) -> Section:
    if name == ENGINES:
        return engines.run(short=given.short, runs=given.runs, events=given.events, only=given.only)
    return OWN[name](short=given.short, runs=1 if given.short else given.runs)


ENGINES = "engines"
SUITES = (ENGINES, *OWN)


def main() -> int:
    """0; 1 if a suite failed or a contender has no figure."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("suite", nargs="*", choices=[[], *SUITES], help="all of them by default")
    parser.add_argument("--short", action="store_true", help="small inputs, one run: does everything still work?")
    parser.add_argument("--runs", type=int, default=engines.RUNS)
    parser.add_argument("--events", type=int, help="of the stream that the engines are given")
    parser.add_argument(
        "--only",
        choices=[contender.slug for contender in CONTENDERS],
        action="append",
        default=[],
        help="of the engines; may be repeated",
    )
    given = parser.parse_args()
    failed = []
    for name in given.suite or SUITES:
        try:
            section = _run(name, given)
        except Exception:  # noqa: BLE001 - the others go on
            traceback.print_exc()
            failed.append(name)
            continue
        failed += [f"{name}: {result.name}: {result.note}" for result in section.results if not result.runs]
        print("\n".join([f"\n{section.title}", *report.figures(section)]), flush=True)
        if not given.short:
            save(section)
    if not given.short:
        report.main()
        sizing.main()
    for failure in failed:
        print(f"failed: {failure}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    # Topics of a moment ago, and of runs that are over: aiokafka says so with every retry.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    sys.exit(main())

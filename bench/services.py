"""What our own services are asked to reach, one bench after the other: `python -m bench.services`.

A bench that fails is named at the end, with exit code 1, and the others go on. The figures are kept after each, so that
what was measured before a failure is not lost. In full, on a machine of two quiet cores, about a quarter of an hour.
"""

import argparse
import sys
import traceback

from bench import curves, exposition, ingest, leaderboard, recovery, streams, workers
from bench.measuring import Run, figures
from bench.results import save

BENCHES: dict[str, Run] = {
    "ingest": ingest.run,
    "leaderboard": leaderboard.run,
    "exposition": exposition.run,
    "streams": streams.run,
    "recovery": recovery.run,
    "workers": workers.run,
    "curves": curves.run,
}


def main() -> int:
    """0, or 1 if a bench could say nothing."""
    parser = argparse.ArgumentParser(prog="python -m bench.services", description=__doc__)
    parser.add_argument("bench", nargs="*", choices=[[], *BENCHES], help="all of them by default")
    parser.add_argument("--short", action="store_true", help="small inputs, one run: does everything still work?")
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    failed = []
    for name in given.bench or BENCHES:
        try:
            section = BENCHES[name](short=given.short, runs=1 if given.short else given.runs)
        except Exception:  # noqa: BLE001 - the others go on
            traceback.print_exc()
            failed.append(name)
            continue
        print("\n".join(["", *figures(section)]), flush=True)
        if not given.short:
            save(section)
    for name in failed:
        print(f"failed: {name}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

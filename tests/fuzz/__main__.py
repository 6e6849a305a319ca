"""`make fuzz`: every parser on bytes that nobody foresaw, for so many seconds each.

    python -m tests.fuzz [TARGET …] [--seconds 20] [--count N] [--seed N] [--only N]

A finding is printed with how it is had again, and its bytes lie in `build/fuzz`. Exit code 1 if there is one.
"""

import argparse
import logging
import sys
import time
import traceback
from pathlib import Path

import structlog

from tests.fuzz import brought, outside, stored
from tests.fuzz.target import Target

TARGETS = {target.name: target for target in (*outside.TARGETS, *brought.TARGETS, *stored.TARGETS)}
FOUND = Path("build") / "fuzz"


def main(arguments: list[str] | None = None) -> int:
    """Fuzz what is asked for, or all; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; without: all")
    parser.add_argument("--seconds", type=float, default=20.0, help="for each target")
    parser.add_argument("--count", type=int, default=10**9, help="inputs at most, for each target")
    parser.add_argument("--seed", type=int, default=None, help="without: by the clock")
    parser.add_argument("--only", type=int, default=None, help="this one input of the seed")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.targets) - TARGETS.keys():
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    seed = time.time_ns() // 10**6 % 10**9 if asked.seed is None else asked.seed
    found = 0
    try:
        for name in asked.targets or TARGETS:
            target = TARGETS[name]
            if asked.only is not None:
                found += not _holds(target, seed, asked.only)
                continue
            tried = fuzz(target, seed=seed, seconds=asked.seconds, count=asked.count)
            found += tried < 0
            _say(f"{name}: {abs(tried)} inputs of seed {seed}, {'1 finding' if tried < 0 else 'no finding'}")
    finally:
        outside.SERVER.stop()
    return 1 if found else 0


def fuzz(target: Target, *, seed: int, seconds: float, count: int) -> int:
    """Try inputs until the time or the count is over, or the law is broken: how many were tried, then negative."""
    end = time.monotonic() + seconds
    number = 0
    while number < count and time.monotonic() < end:
        if not _holds(target, seed, number):
            return -number - 1
        number += 1
    return number


def _holds(target: Target, seed: int, number: int) -> bool:
    data = target.input_of(seed, number)
    try:
        target.check(data)
    except Exception:  # noqa: BLE001 - whatever it is, it is a finding
        FOUND.mkdir(parents=True, exist_ok=True)
        kept = FOUND / f"{target.name}-{seed}-{number}.bin"
        kept.write_bytes(data)
        traceback.print_exc()
        _say(
            f"{target.name}: broken by {kept}; again: python -m tests.fuzz {target.name} --seed {seed} --only {number}"
        )
        return False
    return True


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a command's output


if __name__ == "__main__":
    # The server's access log would hide the findings.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    sys.exit(main())

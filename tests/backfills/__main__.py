"""`make backfills`: everything killed half-way, and a hundred thousand records; prints what it has seen.

Ends with 1 if a number differs, a request was over the vendor's limit or the memory of the back-fill has grown.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.backfills.crms import Crm, HubSpotCrm, PipedriveCrm, SalesforceCrm
from tests.backfills.killed import Killed
from tests.backfills.large import FLAT_BYTES, measure

_CRMS: dict[str, tuple[Callable[[Path], Crm], float]] = {
    "hubspot": (HubSpotCrm, 0.05),
    "salesforce": (SalesforceCrm, 0.3),
    "pipedrive": (PipedriveCrm, 0.05),
}
"""With the seconds that each answer takes: at once, a small account would be read before anything can be killed."""


def main() -> int:
    """Run what is asked for, else all."""
    parser = argparse.ArgumentParser(prog="make backfills")
    parser.add_argument("what", nargs="*", choices=[*_CRMS, "large", []], default=[])
    parser.add_argument("--records", type=int, default=2000, help="what people did in the past of each CRM")
    parser.add_argument("--calls", type=int, default=100_000, help="of the large account")
    said = parser.parse_args()
    wanted = said.what or [*_CRMS, "large"]
    is_good = [_killed(name, said.records) for name in _CRMS if name in wanted]
    is_good += [_large(said.calls)] if "large" in wanted else []
    return 0 if all(is_good) else 1


def _killed(name: str, records: int) -> bool:
    make, delay = _CRMS[name]
    with tempfile.TemporaryDirectory(prefix="floorcast-backfills-") as folder:
        crm, floor = make(Path(folder) / "world"), Path(folder) / "floor"
        floor.mkdir()
        crm.live_through(records)
        crm.world.crm.delay = delay
        with crm.serving():
            found = Killed(crm, floor, say=lambda line: _say(f"{name}: {line}")).run(acts=10)
    for difference in found[:20]:
        _say(f"{name}: {difference}")
    fake = crm.world.crm
    _say(f"{name}: {len(fake.requests)} requests, {fake.over_limit} over the limit")
    return not found and fake.over_limit == 0


def _large(calls: int) -> bool:
    with tempfile.TemporaryDirectory(prefix="floorcast-backfills-") as folder:
        found = measure(calls, Path(folder), say=lambda line: _say(f"large: {line}"))
    _say(f"large: {calls} calls in {found.seconds:.0f} s, {found.served} of them served")
    _say(f"large: {found.requests} requests, {found.over_limit} over the limit")
    _say(f"large: from a quarter of it on the back-fill grew by {found.grew / 2**20:.1f} MiB")
    return found.served == calls and found.over_limit == 0 and found.grew <= FLAT_BYTES


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the command's output


if __name__ == "__main__":
    sys.exit(main())

"""A large back-fill at the vendor's limit: how much memory each process takes on its way."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from schemas.exit_codes import ExitCode
from schemas.instants import DAY
from tests.backfills.crms import CONNECTION, configured, machine_now
from tests.deploy.lookups.world import CONNECTED, NO_ANSWER, PIPELINES, REPS, START, settings_of
from tests.fakes.hubspot import VERSION, FakeHubSpot, Owner, iso
from tests.integration.floor_process import FloorProcess

ACCELERATED = 10.0
"""So many times as fast goes the clock of the limit: what a vendor gives in ten seconds, this one gives in one."""
MARKS = (0.25, 0.5, 0.75, 1.0)
FLAT_BYTES = 16 * 2**20
"""A back-fill may take so much more at its end than after a quarter of it."""
_COMMAND = Path(sys.executable).with_name("floorcast")
_MEASURED = ("backfill", "worker", "api", "lookups")
_LOOK_SECONDS = 0.1
_CATCH_UP_SECONDS = 900.0


def account(calls: int) -> FakeHubSpot:
    """One with so many calls, of which most were made with a contact, over the last weeks."""
    crm = FakeHubSpot(time.time, per_stretch=100, stretch=10.0 / ACCELERATED)
    for id in REPS:
        crm.owners[id] = Owner(id, int(id) * 10, "Rep", id, f"r{id}@example.com", "East", START // 1000 - 10**9)
    first = (machine_now() - 20 * DAY) // 1000
    contacts = [
        crm.create("contacts", {"hubspot_owner_id": REPS[0], "lifecyclestage": "lead"}, first)[0] for _ in range(100)
    ]
    for number in range(calls):
        at = first + number * (19 * DAY // 1000) // calls
        id, _ = crm.create(
            "calls",
            {
                "hubspot_owner_id": REPS[number % len(REPS)], "hs_timestamp": iso(at),
                "hs_call_disposition": CONNECTED if number % 3 else NO_ANSWER,
                "hs_call_direction": "OUTBOUND", "hs_call_duration": str(number % 400_000),
            },
            at,
        )  # fmt: skip
        crm.associate("calls", id, "contacts", contacts[number % len(contacts)])
    return crm


@dataclass
class Measured:
    """What a back-fill took."""

    rss: dict[float, dict[str, int]] = field(default_factory=dict)
    """Share of the calls that were read -> process -> bytes."""
    seconds: float = 0.0
    requests: int = 0
    over_limit: int = 0
    served: int = 0
    """Calls that the api says were made."""

    @property
    def grew(self) -> int:
        """By how much the back-fill was larger at its end than after a quarter of it."""
        return self.rss[MARKS[-1]]["backfill"] - self.rss[MARKS[0]]["backfill"]


def measure(calls: int, folder: Path, *, say: Callable[[str], None] = print) -> Measured:
    """Back-fill so many from nothing. Raises AssertionError if it does not come to its end."""
    crm, found = account(calls), Measured()
    with crm.serving() as url:
        settings = settings_of(url) | {"reconcile": {"every": "1h"}}
        floor = FloorProcess(folder, configured(settings, PIPELINES))
        try:
            floor.start()
            begun = time.monotonic()
            process = _backfill(floor)
            asked = f"/crm/objects/{VERSION}/calls/batch/read"
            for share in MARKS:
                while 50 * _count(crm, asked) < share * calls * 0.999:
                    if process.poll() is not None:
                        told, _ = process.communicate()
                        assert process.returncode == ExitCode.UNREACHABLE, told
                        say(f"goes on after {told.strip().splitlines()[-1]}")
                        process = _backfill(floor)
                    time.sleep(_LOOK_SECONDS)
                found.rss[share] = _rss(floor, process)
                sizes = ", ".join(f"{name} {size >> 20} MiB" for name, size in found.rss[share].items())
                say(f"{share:.0%} after {time.monotonic() - begun:.0f} s: {sizes}")
            said, _ = process.communicate()
            assert process.returncode == 0, said
            found.seconds = time.monotonic() - begun
            found.requests, found.over_limit = len(crm.requests), crm.over_limit
            found.served = _wait_for(floor, calls)
            floor.stop()
        finally:
            floor.kill_everything()
    return found


def _backfill(floor: FloorProcess) -> "subprocess.Popen[str]":
    command: list[str | Path] = [_COMMAND, "backfill", CONNECTION, "--since", "30d", "--data", floor.data]
    return subprocess.Popen(
        [*command, "--config", floor.config_file],
        cwd=floor.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("FLOORCAST_")},
    )  # fmt: skip


def _count(crm: FakeHubSpot, path: str) -> int:
    with crm.lock:
        return crm.requests.count(("POST", path))


def _rss(floor: FloorProcess, process: "subprocess.Popen[str]") -> dict[str, int]:
    found: dict[str, int] = {}
    for each in (psutil.Process(process.pid), *floor.processes()):
        with contextlib.suppress(psutil.Error):
            line = " ".join(each.cmdline())
            for name in _MEASURED:
                if f"floorcast {name} " in line:
                    found[name] = max(found.get(name, 0), each.memory_info().rss)
    return found


def _wait_for(floor: FloorProcess, calls: int) -> int:
    """How many calls are served, once it is all of them or they do not come."""
    deadline, served = time.monotonic() + _CATCH_UP_SECONDS, 0
    while served < calls and time.monotonic() < deadline:
        time.sleep(1.0)
        answer = httpx.get(
            f"{floor.url}/v1/organisation/metrics", params={"window": "30d"}, timeout=60, trust_env=False
        )
        served = int(answer.json()["metrics"]["calls_made"] or 0)
    return served

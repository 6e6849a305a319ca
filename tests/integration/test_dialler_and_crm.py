"""A dialler and a CRM that tell of one call, over a real broker: it counts once, and the recount says the same."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from schemas.instants import SECOND, format_instant
from tests.integration.floor_process import FloorProcess
from tests.integration.posted import Posted, clock, post_of
from tests.integration.served import Reader, settle

pytestmark = [pytest.mark.kafka]

CONFIGURATION: dict[str, Any] = {
    "organisation": {"name": "Integration", "timezone": "UTC", "currency": "USD"},
    "connections": {
        "crm": {
            "kind": "generic",
            "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
            "match": {"calls": {"with": "air", "within": "90s"}},
        },
        "air": {"kind": "generic", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx"], "namespace": "air"},
    },
    "reps": {"r-1": {"name": "Ana Lim", "aliases": {"air": ["7"]}}},
}


@pytest.fixture
def floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FloorProcess]:
    process = FloorProcess(tmp_path_factory.mktemp("dialler"), CONFIGURATION, {"FLOORCAST_VERIFY_EVERY": "off"})
    try:
        process.start()
        yield process
        process.stop()
    finally:
        process.kill_everything()


def call(id: str, at: int, rep: str, number: str, **more: Any) -> dict[str, Any]:
    fields = {
        "rep": rep, "direction": "outbound", "dialed_at": format_instant(at), "outcome": "connected", "number": number,
    }  # fmt: skip
    return {"record": "call", "id": id, "changed_at": format_instant(clock()), "fields": fields, **more}


def duplicates(connections: Any) -> dict[str, int | None]:
    return {row["connection"]: row["duplicates"] for row in connections["rows"]}


async def test_one_call_that_two_systems_tell_of_counts_once(floor: FloorProcess) -> None:
    posted, at = Posted(floor.url, floor.config_file), clock() - 600 * SECOND
    await posted.post([("crm", post_of([call("c-1", at + 40 * SECOND, "r-1", "+49 30 111")], "d-1"))])
    await posted.post([("air", post_of([call("a-1", at, "7", "004930111")], "d-2"))])
    await posted.post([("air", post_of([call("a-2", at, "7", "+49 30 222")], "d-3"))])

    async with Reader(floor.url) as reader:
        await settle(reader, floor.kafka, floor.running.prefix)
        _, row = await reader.ask("/v1/reps/r-1/metrics?window=today&metrics=calls_made")
        _, connections = await reader.ask("/v1/connections")
        assert row["metrics"]["calls_made"] == 2
        assert duplicates(connections) == {"crm": 1, "air": None}

        floor.wait_for_another("worker", than=floor.kill("worker"))
        gone = {"record": "call", "id": "a-1", "changed_at": format_instant(clock()), "deleted": True, "fields": {}}
        await posted.post([("air", post_of([gone], "d-4"))])
        await settle(reader, floor.kafka, floor.running.prefix)
        _, row = await reader.ask("/v1/reps/r-1/metrics?window=today&metrics=calls_made")
        _, connections = await reader.ask("/v1/connections")
        assert row["metrics"]["calls_made"] == 2
        assert duplicates(connections) == {"crm": 0, "air": None}

    verified = subprocess.run(
        [sys.executable, "-m", "deploy.cli.program", "verify", "--url", floor.url, "--config", str(floor.config_file),
         "--data", str(floor.data)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert verified.returncode == 0, verified.stdout + verified.stderr

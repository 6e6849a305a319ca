"""A dialler and a CRM that tell of one call, over a real broker: it counts once, and the recount says the same."""

import asyncio
from typing import Any

import pytest

from schemas.instants import SECOND, format_instant
from tests.integration.floor_process import FloorProcess
from tests.integration.posted import Posted, clock, post_of
from tests.integration.served import Reader, settle

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="module")]


def configuration(_sink: str) -> dict[str, Any]:
    return {
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


def call(id: str, at: int, rep: str, number: str, **more: Any) -> dict[str, Any]:
    fields = {
        "rep": rep, "direction": "outbound", "dialed_at": format_instant(at), "outcome": "connected", "number": number,
    }  # fmt: skip
    return {"record": "call", "id": id, "changed_at": format_instant(clock()), "fields": fields, **more}


async def served(floor: FloorProcess, reader: Reader) -> tuple[int, dict[str, int | None]]:
    """The calls that are counted, and of each connection those that are duplicates of another's."""
    await settle(reader, floor.kafka, floor.prefix)
    row = await reader.get("/v1/reps/r-1/metrics", window="24h", metrics="calls_made")
    connections = (await reader.get("/v1/connections"))["rows"]
    return row["metrics"]["calls_made"], {each["connection"]: each["duplicates"] for each in connections}


async def test_one_call_that_two_systems_tell_of_counts_once(floor: FloorProcess, reader: Reader) -> None:
    posted, at = Posted(floor.url, floor.config_file), clock() - 600 * SECOND
    await posted.post([("crm", post_of([call("c-1", at + 40 * SECOND, "r-1", "+49 30 111")], "d-1"))])
    await posted.post([("air", post_of([call("a-1", at, "7", "004930111")], "d-2"))])
    await posted.post([("air", post_of([call("a-2", at, "7", "+49 30 222")], "d-3"))])
    assert await served(floor, reader) == (2, {"crm": 1, "air": None})

    await asyncio.to_thread(floor.wait_for_another, "worker", floor.kill("worker"))
    gone = {"record": "call", "id": "a-1", "changed_at": format_instant(clock()), "deleted": True, "fields": {}}
    await posted.post([("air", post_of([gone], "d-4"))])
    assert await served(floor, reader) == (2, {"crm": 0, "air": None})

    code, said = await asyncio.to_thread(floor.verify)
    assert code == 0, said

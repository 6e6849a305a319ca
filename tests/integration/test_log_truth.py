"""What lies on the broker is not believed: topics that are cut off, deleted, made anew or given partitions by hand.

One `floorcast up` serves the module. Each test breaks something by Kafka's own administration while all runs, looks
what is said, mends it by the documented command and compares the numbers; so their order matters, and is the module's.
"""

from __future__ import annotations

import asyncio
import time
from random import Random
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from deploy.simulator.known import CrmEvent
from processor.transport.generations import read_served
from schemas.generations import Served
from schemas.instants import MINUTE, format_instant
from schemas.topics import DELIVERIES, LEDGER, PANES
from tests.integration.floor_process import FloorProcess
from tests.integration.posted import Posted, clock, post_of
from tests.integration.served import Reader
from tests.integration.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="module")]

NOTICED_SECONDS = 180.0
"""Nothing is waited for so long but on a machine that has much else to do: it is noticed within 20 s."""
MENDED_SECONDS = 240.0
Json = dict[str, Any]


def configuration(_sink: str) -> Json:
    return {
        "organisation": {"name": "Truth", "timezone": "UTC", "currency": "USD"},
        "connections": {"feed": {"kind": "generic", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}},
    }


async def post(floor: FloorProcess, first: int, count: int) -> None:
    """Calls of one rep, each in a delivery of its own, so that every partition gets some."""
    posted = Posted(floor.url, floor.config_file)
    await posted.post(
        [("feed", post_of([call(number)], f"truth-{number}", Random(number))) for number in range(first, first + count)]
    )


def call(number: int) -> CrmEvent:
    at = format_instant(clock() - MINUTE)
    return {
        "record": "call",
        "id": f"c-{number}",
        "changed_at": at,
        "fields": {"rep": "r-1", "direction": "outbound", "dialed_at": at},
    }


async def readiness(reader: Reader, role: str | None = None) -> tuple[int, str]:
    status, body = await reader.ask("/readyz", **({} if role is None else {"role": role}))
    return status, str(body.get("detail", ""))


async def calls(reader: Reader) -> int:
    return int(
        (await reader.get("/v1/organisation/metrics", window="7d", metrics="calls_made"))["metrics"]["calls_made"]
    )


async def until_refused(reader: Reader, *words: str) -> str:
    """Wait until `/readyz` is 503 and says so; webhooks are taken all the while."""
    deadline = time.monotonic() + NOTICED_SECONDS
    said = ""
    while time.monotonic() < deadline:
        status, said = await readiness(reader)
        if status == 503 and all(word in said for word in words):
            return said
        await asyncio.sleep(0.1)
    pytest.fail(f"after {NOTICED_SECONDS:g} s: not refused with {words}, but {said!r}")


async def until_ready_with(reader: Reader, expected: int) -> None:
    async def is_right() -> bool:
        status, _ = await readiness(reader)
        return status == 200 and await calls(reader) == expected

    await eventually(is_right, f"ready with {expected} calls", MENDED_SECONDS)


async def command(floor: FloorProcess, *words: str) -> tuple[int, str]:
    return await asyncio.to_thread(floor.run, *words)


async def served(floor: FloorProcess) -> Served:
    return await read_served(floor.kafka, floor.running.prefix, 4)


async def delete(kafka: str, *topics: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.delete_topics(list(topics))
    finally:
        await admin.close()


async def test_panes_that_are_deleted_by_hand_are_published_anew(
    floor: FloorProcess, reader: Reader, kafka: str
) -> None:
    await post(floor, 0, 40)
    await until_ready_with(reader, 40)

    await delete(kafka, PANES.full_name(floor.prefix))

    said = await until_refused(reader)
    assert "panes" in said, said
    assert (await readiness(reader, "ingest"))[0] == 200
    await until_ready_with(reader, 40)
    await post(floor, 40, 10)
    await until_ready_with(reader, 50)


async def test_records_that_are_deleted_by_hand_are_made_anew_by_a_replay(
    floor: FloorProcess, reader: Reader, kafka: str
) -> None:
    await delete(kafka, LEDGER.full_name(floor.prefix))

    await until_refused(reader, "ledger", "floorcast replay")
    await post(floor, 50, 10)  # taken all the while
    code, said = await command(floor, "replay")

    assert code == 0, said
    await until_ready_with(reader, 60)


async def test_partitions_that_are_added_by_hand_are_taken_in_by_a_replay(
    floor: FloorProcess, reader: Reader, kafka: str
) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_partitions({DELIVERIES.full_name(floor.prefix): NewPartitions(5)})
    await admin.close()

    await until_refused(reader, "has 5 partitions and not 4", "floorcast replay --partitions 5")
    await post(floor, 60, 40)
    assert (await readiness(reader, "ingest"))[0] == 200
    code, said = await command(floor, "replay", "--partitions", "5")

    assert code == 0, said
    assert ((await served(floor)).partitions, (await served(floor)).log_partitions) == (5, 5)
    await until_ready_with(reader, 100)
    await post(floor, 100, 20)
    await until_ready_with(reader, 120)


async def test_a_log_that_is_gone_is_missed_and_the_next_one_is_not_taken_for_it(
    floor: FloorProcess, reader: Reader, kafka: str
) -> None:
    await delete(kafka, DELIVERIES.full_name(floor.prefix))

    await until_refused(reader, "deliveries is missing", "floorcast topics")
    assert (await readiness(reader, "ingest"))[0] == 503
    code, said = await command(floor, "topics")
    assert code == 0, said
    await post(floor, 200, 130)  # more than there was, so that offsets alone tell nothing
    await until_refused(reader, "was deleted and made anew", "floorcast replay")
    assert (await readiness(reader, "ingest"))[0] == 200
    code, said = await command(floor, "replay")

    assert code == 0, said
    await until_ready_with(reader, 130)
    code, said = await asyncio.to_thread(floor.verify)
    assert code == 0, said

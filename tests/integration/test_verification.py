"""The continuous recount beside a floorcast that asks for keys: what it finds is served, exported and told."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from random import Random
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from deploy.pulse import is_fresh
from processor.transport.fetched import Fetched
from processor.transport.following import Follower
from schemas.instants import parse_instant
from schemas.keys import ApiScope, create_key
from schemas.panes import decode_pane, encode_pane, read_pane_key
from schemas.topics import FENCE, PANES, VERIFICATIONS
from schemas.verifications import Verification, decode_verification
from schemas.windows import is_day
from tests.integration.floor_process import READY_SECONDS, FloorProcess
from tests.integration.posted import Posted, clock, hostile_deliveries, noon
from tests.integration.served import Reader, settle
from tests.integration.waiting import until_true
from tests.panes import cell_of

pytestmark = [pytest.mark.kafka]

CONFIGURATION: dict[str, Any] = {
    "organisation": {"name": "Integration", "timezone": noon(), "currency": "USD"},
    "connections": {"feed": {"kind": "generic", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}},
    "teams": {"north": {"name": "North"}},
    "reps": {"r-1": {"name": "Ana Lim", "team": "north"}},
    "lead_response": {"rules": [{"when": {"source": "demo_request"}, "sla": "5m"}, {"sla": "1h"}]},
    "currency_rates": {"EUR": "1.08"},
}
EVERY_ROUND = {"5m", "15m", "1h", "4h", "24h", "today", "yesterday", "week", "7d", "leads"}


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FloorProcess]:
    process = FloorProcess(tmp_path_factory.mktemp("verification"), CONFIGURATION, {"FLOORCAST_VERIFY_EVERY": "10s"})
    # From the first key on nobody is let in without one.
    process.key = create_key(process.data / "keys.json", ApiScope.READ, now=clock())
    try:
        process.start()
        yield process
        process.stop()
    finally:
        process.kill_everything()


@pytest_asyncio.fixture
async def reader(floor: FloorProcess) -> AsyncIterator[Reader]:
    async with Reader(floor.url, floor.key) as asking:
        yield asking


async def test_a_floor_is_verified_a_wrong_number_is_told_of_and_nothing_that_is_killed_ends_it(
    floor: FloorProcess, reader: Reader
) -> None:
    posted = Posted(floor.url, floor.config_file)
    assert (await reader.ask("/v1/freshness"))[0] == 200
    async with Reader(floor.url) as stranger:
        assert (await stranger.ask("/v1/freshness"))[0] == 401

    # Deliveries come in while it looks: what is under way is no difference.
    deliveries = hostile_deliveries(seed=21, events=1200, now=clock(), connections=("feed",))
    Random(22).shuffle(deliveries)
    for place in range(0, len(deliveries), 16):
        await posted.post(deliveries[place : place + 16])
        await asyncio.sleep(0.2)
    found = await until_verified(floor, reader, since=clock())
    assert {window["window"] for window in found["windows"]} >= EVERY_ROUND
    assert found["deliveries"] >= len(deliveries)
    assert is_fresh(floor.data, time.time())
    assert [round_.differences for round_ in await rounds(floor)] == [0] * len(await rounds(floor))

    begun = clock()
    await plant_a_call(floor, reader)
    planted = clock()
    found = await until_verified(floor, reader, since=planted, differing=True)
    assert ("organisation", "calls_made") in {(one["scope"], one["metric"]) for one in found["first"]}
    assert {one["window"]: one["differences"] > 0 for one in found["windows"]}["today"]
    # One that had begun before may have seen it or not; the first that began afterwards must.
    later = [round_ for round_ in await rounds(floor) if round_.started_at > planted]
    assert all(round_.differences for round_ in later)
    assert not any(round_.differences for round_ in await rounds(floor) if round_.verified_at < begun)
    exported = await metrics(floor)
    assert exported["floorcast_verification_differences"] == found["differences"] > 0
    assert exported["floorcast_verified_timestamp_seconds"] == parse_instant(found["verified_at"]) / 1e6

    floor.wait_for_another("worker", than=floor.kill("worker"))  # which compares its panes and mends the wrong one
    assert (await until_verified(floor, reader, since=clock()))["differences"] == 0

    for name in ("verify", "kafka", "api"):
        floor.wait_for_another(name, than=floor.kill(name))
    await posted.post(hostile_deliveries(seed=23, events=300, now=clock(), connections=("feed",)))
    await until_true(lambda: answers(reader))
    await settle(reader, floor.kafka, floor.running.prefix)
    found = await until_verified(floor, reader, since=clock())
    assert found["differences"] == 0
    assert not found["stale"]


async def until_verified(floor: FloorProcess, reader: Reader, *, since: int, differing: bool = False) -> dict[str, Any]:
    """Wait for a round that looked after an instant, at least (and found a difference, or none any more)."""
    found: dict[str, Any] = {}

    async def is_there() -> bool:
        nonlocal found
        try:
            found = (await reader.get("/v1/freshness"))["verification"] or {}
        except (aiohttp.ClientError, AssertionError):
            return False
        return bool(found) and parse_instant(found["verified_at"]) > since and (found["differences"] > 0) == differing

    try:
        await until_true(is_there, READY_SECONDS)  # it gives way to all others
    except TimeoutError:
        pytest.fail(f"{found}\n{floor.words()}")
    return found


async def answers(reader: Reader) -> bool:
    """Whether the api is there again, with all it had."""
    try:
        return (await reader.ask("/readyz"))[0] == 200
    except aiohttp.ClientError:
        return False


async def plant_a_call(floor: FloorProcess, reader: Reader) -> None:
    """Write a pane with a call too many, past everything that is floorcast, and wait until it is served."""
    served = (await reader.get("/v1/organisation/metrics", window="today"))["metrics"]["calls_made"]
    topic = PANES.full_name(floor.running.prefix, 1)
    newest: dict[bytes, tuple[int, Any, bytes]] = {}

    def apply(partition: int, records: list[Fetched]) -> None:
        for record in records:
            if record.key is not None and record.key != FENCE and record.value is not None:
                _, _, window = read_pane_key(record.key)
                if is_day(window) and cell_of("calls_made") in decode_pane(record.value):
                    newest[record.key] = (partition, window, record.value)

    async with Follower(floor.kafka, topic) as follower:
        await follower.read_to(await follower.ends(), apply)
    key, (partition, _, value) = max(newest.items(), key=lambda held: held[1][1])
    pane = decode_pane(value)
    pane[cell_of("calls_made")] += 1
    producer = AIOKafkaProducer(**floor.kafka.options())
    await producer.start()
    try:
        await producer.send_and_wait(topic, encode_pane(pane), key=key, partition=partition)
    finally:
        await producer.stop()

    async def is_served() -> bool:
        now = (await reader.get("/v1/organisation/metrics", window="today"))["metrics"]["calls_made"]
        return bool(now == served + 1)

    await until_true(is_served)


async def rounds(floor: FloorProcess) -> list[Verification]:
    """Everything that was published so far (compaction takes its time)."""
    found: list[Verification] = []

    def apply(_partition: int, records: list[Fetched]) -> None:
        found.extend(decode_verification(record.value) for record in records if record.value is not None)

    async with Follower(floor.kafka, VERIFICATIONS.full_name(floor.running.prefix, 1)) as follower:
        await follower.read_to(await follower.ends(), apply)
    return found


async def metrics(floor: FloorProcess) -> dict[str, float]:
    """What the recount has Prometheus told."""
    headers = {"authorization": f"Bearer {floor.key}"}
    async with aiohttp.ClientSession(headers=headers) as session, session.get(f"{floor.url}/metrics") as answer:
        text = await answer.text()
    return {name: float(value) for name, value in re.findall(r"^(floorcast_verif\w+) (\S+)$", text, re.MULTILINE)}

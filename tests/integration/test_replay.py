"""`floorcast replay` on Apache Kafka: what was wrong becomes right, the old is served until then, nobody is told twice.

One `floorcast up` serves the module, with a sink for alerts beside it. Every test adds to what was posted, and compares
with the recount of all of it; so the order of the tests does not matter.
"""

import asyncio
import subprocess
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson
import psutil
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from deploy.simulator.known import CrmEvent
from processor.replay.handover import pointer_owner
from processor.transport.administration import find_generations
from processor.transport.generations import read_served
from schemas.deliveries import Delivery, encode_delivery
from schemas.generations import Served
from schemas.instants import HOUR, SECOND, format_instant
from schemas.topics import DELIVERIES
from tests.forking import COMMAND
from tests.integration.event_stream import Screen, watching
from tests.integration.floor_process import FloorProcess
from tests.integration.posted import Posted, clock, hostile_deliveries, noon, post_of
from tests.integration.served import Reader, all_differences, settle
from tests.integration.waiting import until_seen, until_true
from tests.sinks import HttpSink

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="module")]

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - of a sink
PATIENCE_SECONDS = 240.0
Json = dict[str, Any]


def configuration(sink: str) -> Json:
    return {
        "organisation": {"name": "Replay", "timezone": noon(), "currency": "USD"},
        "connections": {"feed": {"kind": "generic", "secrets": [SECRET]}},
        "lead_response": {"rules": [{"when": {"source": "web"}, "sla": "2s"}, {"sla": "1h"}]},
        "currency_rates": {"EUR": "1.08"},
        "alerts": {
            "channels": {"floor": {"kind": "webhook", "url": f"{sink}/hook", "secret": SECRET, "allow_private": True}},
            "routes": [{"levels": ["breach"], "to": ["floor"]}],
        },
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def posted(floor: FloorProcess) -> Posted:
    found = Posted(floor.url, floor.config_file)
    await found.post(hostile_deliveries(seed=21, events=1500, now=clock() - HOUR, connections=("feed",)))
    return found


async def replay(floor: FloorProcess, *flags: str) -> tuple[int, str]:
    """Run the command; its exit code and what it printed."""
    return await asyncio.to_thread(floor.run, "replay", *flags)


async def served_by_kafka(floor: FloorProcess) -> Served:
    return await read_served(floor.kafka, floor.running.prefix, 4)


async def until_served(reader: Reader, generation: int) -> None:
    async def is_served() -> bool:
        return bool((await reader.get("/v1/freshness"))["generation"] == generation)

    await until_true(is_served)


async def verified(floor: FloorProcess) -> None:
    code, words = await asyncio.to_thread(floor.verify)
    assert code == 0, words


async def start_replay(floor: FloorProcess) -> asyncio.subprocess.Process:
    """Begin one that is to be killed."""
    return await asyncio.create_subprocess_exec(
        COMMAND, "replay", "--data", floor.data, cwd=floor.folder, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def dial(number: int, rep: str, connection: str = "feed") -> tuple[str, bytes]:
    event = {
        "record": "call",
        "id": f"{rep}-{number}",
        "changed_at": format_instant(clock()),
        "fields": {"rep": rep, "direction": "outbound", "dialed_at": format_instant(clock())},
    }
    return connection, orjson.dumps(event)


def lead(name: str, at: int) -> CrmEvent:
    fields = {"rep": "r-1", "source": "web", "received_at": format_instant(at), "status": "new"}
    return {"record": "lead", "id": name, "changed_at": format_instant(at), "fields": fields}


def answer(name: str, at: int) -> CrmEvent:
    """A conversation: an answer by any definition."""
    fields = {
        "rep": "r-1", "lead": name, "direction": "outbound", "dialed_at": format_instant(at),
        "answered_at": format_instant(at), "outcome": "connected", "talk_seconds": 120,
    }  # fmt: skip
    return {"record": "call", "id": f"c-{name}", "changed_at": format_instant(at), "fields": fields}


async def append(floor: FloorProcess, *deliveries: tuple[str, bytes]) -> None:
    """Put deliveries into the log past the api: also of connections that it does not know."""
    producer = AIOKafkaProducer(**floor.kafka.options())
    await producer.start()
    try:
        for connection, body in deliveries:
            raw = encode_delivery(Delivery(connection, clock(), {"content-type": "application/json"}, body))
            await producer.send_and_wait(DELIVERIES.full_name(floor.running.prefix), raw)
    finally:
        await producer.stop()


async def calls_of(reader: Reader, rep: str) -> int:
    status, row = await reader.ask(f"/v1/reps/{rep}/metrics", window="today")
    return int(row["metrics"]["calls_made"]) if status == 200 else 0


def hooks(sink: HttpSink, name: str) -> list[str]:
    """What the channel was told of a lead, in order."""
    return [post.json["type"] for post in sink.received if post.json["data"]["lead"] == name]


async def test_another_number_of_partitions_and_back(floor: FloorProcess, posted: Posted, reader: Reader) -> None:
    for partitions in (6, 4):
        before = await served_by_kafka(floor)

        code, words = await replay(floor, "--partitions", str(partitions))
        assert code == 0, words
        await until_served(reader, before.generation + 1)

        served = await served_by_kafka(floor)
        assert (served.partitions, served.log_partitions) == (partitions, 4)
        await posted.post(hostile_deliveries(seed=partitions, events=300, now=clock(), connections=("feed",)))
        await settle(reader, floor.kafka, floor.prefix)
        assert await all_differences(reader, posted.books(), posted.config) == []


async def test_what_is_fixed_and_redefined_comes_into_force_and_no_screen_sees_a_wrong_value(
    floor: FloorProcess, posted: Posted, reader: Reader, sink: HttpSink
) -> None:
    old = await served_by_kafka(floor)
    await append(floor, *(dial(number, "r-fixed", "dialer") for number in range(7)))
    await posted.post([("feed", post_of([orjson.loads(dial(n, "r-live")[1])], f"live-{n}")) for n in range(5)])

    async def is_refused() -> bool:
        letters = await reader.pages("/v1/dead-letters")
        return len([letter for _, letter in letters if letter["reason"] == "unknown_connection"]) == 7

    await until_true(is_refused)
    assert await calls_of(reader, "r-fixed") == 0
    dialled, shown = 5, Screen()
    changed = configuration(sink.url)
    changed["connections"]["dialer"] = {"kind": "generic", "secrets": ["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"]}
    changed["lead_response"]["stop"] = "contact"
    changed["currency_rates"]["EUR"] = "1.25"
    floor.configure(changed)
    async with watching(floor.url, shown):
        await shown.until(lambda: shown.rep("r-live").get("calls_made") == 5)
        running = asyncio.create_task(replay(floor))
        seen: list[tuple[int, int, int]] = []
        while not running.done() or (await reader.get("/v1/freshness"))["generation"] == old.generation:
            await posted.post([("feed", post_of([orjson.loads(dial(dialled, "r-live")[1])], f"live-{dialled}"))])
            dialled += 1
            seen.append((await calls_of(reader, "r-live"), dialled, await calls_of(reader, "r-fixed")))
            await asyncio.sleep(0.1)
        code, words = await running
        assert code == 0, words
        await shown.until(lambda: shown.rep("r-live").get("calls_made") == dialled)
        await shown.until(lambda: shown.rep("r-fixed").get("calls_made") == 7)

    values = [value for value, _, _ in seen]
    assert values == sorted(values), "a value went back"
    assert all(5 <= value <= most for value, most, _ in seen)
    assert {fixed for *_, fixed in seen} <= {0, 7}, "a part of the new generation was served"
    assert shown.snapshots == 2
    assert screens(shown, "r-live") == sorted(screens(shown, "r-live"))
    assert set(screens(shown, "r-fixed")) == {7}
    await verified(floor)


def screens(shown: Screen, rep: str) -> list[int]:
    """The calls that a screen has shown of somebody, in order."""
    return [
        row["metrics"]["calls_made"]
        for event in shown.events
        if event.kind in ("snapshot", "metrics")
        for row in event.payload["rows"]
        if row.get("rep") == rep and "calls_made" in row["metrics"]
    ]


async def alerts_of(reader: Reader, leads: Sequence[str]) -> dict[str, Json]:
    """Id -> alert, of these leads."""
    found = await reader.get("/v1/alerts", state="all", limit="500")
    return {alert["id"]: alert for alert in found["rows"] if alert["lead"] in leads}


async def acknowledge(floor: FloorProcess, alert: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{floor.url}/v1/alerts/{quote(alert)}/acknowledge", json={}) as answered,
    ):
        assert answered.status == 200, await answered.text()


async def test_nobody_is_told_twice_and_what_was_acknowledged_stays_so(
    floor: FloorProcess, posted: Posted, reader: Reader, sink: HttpSink
) -> None:
    now = clock()
    leads = [f"l-{state}-{now}" for state in ("open", "heard", "answered")]
    await posted.post([("feed", post_of([lead(name, now) for name in leads], f"leads-{now}"))])
    await until_true(lambda: _so(all(hooks(sink, name) for name in leads)))
    await posted.post([("feed", post_of([answer(leads[2], clock())], f"answer-{now}"))])
    await until_true(lambda: _so(len(hooks(sink, leads[2])) == 2))
    (heard,) = [id for id in await alerts_of(reader, leads) if f"{leads[1]}:breach" in id]
    await acknowledge(floor, heard)

    async def is_acknowledged() -> bool:
        return (await alerts_of(reader, leads))[heard]["acknowledged_at"] is not None

    await until_true(is_acknowledged)
    alerts = await alerts_of(reader, leads)
    before = await served_by_kafka(floor)

    code, words = await replay(floor, "--partitions", "3")
    assert code == 0, words
    await until_served(reader, before.generation + 1)
    late = f"l-late-{now}"
    await posted.post([("feed", post_of([lead(late, clock())], f"late-{now}"))])
    await until_true(lambda: _so(bool(hooks(sink, late))))

    assert [len(hooks(sink, name)) for name in leads] == [1, 1, 2]
    assert await alerts_of(reader, leads) == alerts
    await posted.post([("feed", post_of([answer(name, clock()) for name in leads[:2]], f"answers-{now}"))])
    await until_true(lambda: _so([len(hooks(sink, name)) for name in leads] == [2, 2, 2]))
    told = Counter(post.headers["webhook-id"] for post in sink.received)
    assert max(told.values()) == 1


async def _so(is_so: bool) -> bool:
    return is_so


async def test_a_replay_that_is_killed_changes_nothing(floor: FloorProcess, posted: Posted, reader: Reader) -> None:
    before = await served_by_kafka(floor)
    for point in ("reading", "made", "standing still"):
        hands = await kill_a_replay(floor, point)

        served = await served_by_kafka(floor)
        assert (served.generation, served.partitions) == (before.generation, before.partitions), point
        await posted.post(hostile_deliveries(seed=len(point), events=200, now=clock(), connections=("feed",)))
        # A mark of somebody who is gone is void after a while.
        await settle(reader, floor.kafka, floor.prefix, PATIENCE_SECONDS)
        assert (await reader.get("/v1/freshness"))["generation"] == before.generation, point
        await until_ended(hands)
    await verified(floor)


async def kill_a_replay(floor: FloorProcess, point: str) -> list[psutil.Process]:
    """Begin one and kill it there; the processes that it had."""
    running = await start_replay(floor)
    there = psutil.Process(running.pid)
    hands: list[psutil.Process] = []

    async def is_there() -> bool:
        assert running.returncode is None, f"it has ended before it could be killed while {point}"
        hands[:] = there.children(recursive=True)
        if point == "reading":
            return has_hands(there)
        if point == "made":
            return len(await find_generations(floor.kafka, prefix=floor.running.prefix)) > 1 and bool(hands)
        served = await served_by_kafka(floor)
        return served.handover is not None

    await until_seen(is_there)
    running.kill()
    await running.wait()
    return hands


def has_hands(replaying: psutil.Process) -> bool:
    """Whether a replay's processes are there: children of what its own children start them by."""
    return len(replaying.children(recursive=True)) > len(replaying.children())


async def until_ended(processes: list[psutil.Process]) -> None:
    await until_true(lambda: _so(not any(each.is_running() and not is_zombie(each) for each in processes)))


def is_zombie(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    return True


async def test_a_replay_that_another_has_overtaken_ends_and_changes_nothing(
    floor: FloorProcess, posted: Posted, reader: Reader
) -> None:
    before = await served_by_kafka(floor)
    first = await start_replay(floor)

    async def has_begun() -> bool:
        return has_hands(psutil.Process(first.pid))

    await until_seen(has_begun)
    other = pointer_owner(floor.kafka, floor.running.prefix)
    await other.acquire()  # as the other one does first of all
    await other.close()

    assert await first.wait() == 1
    served = await served_by_kafka(floor)
    assert (served.generation, served.partitions) == (before.generation, before.partitions)


async def test_what_a_killed_replay_left_is_gone_after_the_next_and_a_part_can_be_read_anew(
    floor: FloorProcess, posted: Posted, reader: Reader
) -> None:
    before = await served_by_kafka(floor)

    code, words = await replay(floor, "--from", format_instant(clock() - 24 * HOUR))
    assert code == 0, words
    assert "is as it was" in words
    served = await served_by_kafka(floor)
    await until_served(reader, served.generation)

    assert set(await find_generations(floor.kafka, prefix=floor.running.prefix)) == {
        before.generation,
        served.generation,
    }
    await posted.post(hostile_deliveries(seed=31, events=200, now=clock() + SECOND, connections=("feed",)))
    await verified(floor)


async def test_an_instant_that_lies_ahead_is_refused(floor: FloorProcess) -> None:
    code, words = await replay(floor, "--from", format_instant(clock() + HOUR))

    assert (code, words) == (2, "--from: must not lie ahead\n")

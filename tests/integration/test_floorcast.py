"""floorcast as a whole on Apache Kafka: every number equals the recount, whatever is posted and whoever is killed.

One `floorcast up` serves the module, whose processes are started as its users start them: here the whole start is
tried, and that who is started again goes by what another has stored. Every test adds to what was posted, and compares
with the recount of all of it; so the order of the tests does not matter.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from random import Random
from typing import Any

import aiohttp
import orjson
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from deploy.simulator.known import CrmEvent
from deploy.simulator.posting import Post
from processor.transport.alteration import SettingDifference, alter
from processor.transport.fetched import Fetched
from processor.transport.following import Follower
from schemas.instants import HOUR, SECOND, format_instant
from schemas.kafka import Address, kafka_options
from schemas.panes import decode_pane, encode_pane, read_pane_key
from schemas.topics import DELIVERIES, ENGAGEMENTS, FENCE, PANES, RECORD_CHANGES
from schemas.windows import WINDOWS, is_day
from tests.integration.event_stream import Screen, watching
from tests.integration.floor_process import FloorProcess
from tests.integration.posted import Posted, clock, hostile_deliveries, noon, post_of
from tests.integration.served import Reader, all_differences, leaderboard_differences, row_differences, settle
from tests.integration.waiting import until_true
from tests.panes import cell_of

pytestmark = [pytest.mark.kafka]

EVENTS = 2_000
PARTITIONS = 4
CONFIGURATION: dict[str, Any] = {
    "organisation": {"name": "Integration", "timezone": noon(), "currency": "USD"},
    "connections": {
        "feed": {"kind": "generic", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]},
        "dialer": {"kind": "generic", "secrets": ["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"]},
        "crm": {
            "kind": "generic",
            "secrets": ["whsec_plJ3nmyCDGBKInavdOK15jsl0nGoW3cZ"],
            "namespace": "hs",
        },
    },
    "teams": {"north": {"name": "North"}},
    "reps": {
        "r-1": {"name": "Ana Lim", "team": "north", "aliases": {"crm": ["r-1", "r-2"]}},
        "r-2": {"aliases": {"crm": ["r-3"]}},
    },
    "lead_response": {"rules": [{"when": {"source": "demo_request"}, "sla": "5m"}, {"sla": "1h"}]},
    "currency_rates": {"EUR": "1.08"},
    "pipelines": {
        "sales": {"steps": ["discovery", "demo", "proposal", "negotiation"], "won": ["won"], "lost": ["lost"]}
    },
    "goals": {
        "calls": {"metric": "calls_made", "period": "week", "amounts": [{"each": 40}, {"team": "north", "amount": 9}]},
        "won": {"metric": "revenue_won", "period": "month", "amounts": [{"each": "5000"}], "ramp": {"0mo": "0.5"}},
    },
}


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FloorProcess]:
    process = FloorProcess(tmp_path_factory.mktemp("floorcast"), CONFIGURATION, anew=True)
    try:
        process.start()
        yield process
        process.stop()
    finally:
        process.kill_everything()


@pytest.fixture(scope="module")
def posted(floor: FloorProcess) -> Posted:
    return Posted(floor.url, floor.config_file)


@pytest_asyncio.fixture
async def reader(floor: FloorProcess) -> AsyncIterator[Reader]:
    async with Reader(floor.url) as asking:
        yield asking


async def differences(posted: Posted, reader: Reader) -> list[str]:
    """Everything that is served wrongly, now."""
    return await all_differences(reader, posted.books(), posted.config)


async def settled(floor: FloorProcess, reader: Reader) -> None:
    running = floor.running
    await settle(reader, floor.kafka, running.prefix)


def call(number: str, rep: str, at: int, **fields: Any) -> CrmEvent:
    """An outbound call of `rep`, dialled and reported at the instant."""
    return {
        "record": "call",
        "id": number,
        "changed_at": format_instant(at),
        "fields": {"rep": rep, "direction": "outbound", "dialed_at": format_instant(at)} | fields,
    }


async def test_every_number_equals_the_recount_whatever_is_repeated_and_whoever_is_killed(
    floor: FloorProcess, posted: Posted, reader: Reader
) -> None:
    now = clock()
    deliveries = hostile_deliveries(seed=11, events=EVENTS * 6 // 10, now=now, connections=("feed", "dialer"))
    deliveries += hostile_deliveries(seed=12, events=EVENTS * 4 // 10, now=now, connections=("crm",))
    Random(13).shuffle(deliveries)

    await posted.post(deliveries)
    await settled(floor, reader)
    assert await differences(posted, reader) == []
    for window in WINDOWS:
        assert await leaderboard_differences(reader, posted.books(), window) == []

    await posted.post(deliveries)
    await settled(floor, reader)
    assert await differences(posted, reader) == []

    await posted.post(hostile_deliveries(seed=14, events=500, now=clock(), connections=("feed", "crm")))
    floor.kill_everything()  # while the stages are still at it
    floor.start()
    assert await differences(posted, reader) == []

    more = hostile_deliveries(seed=15, events=1000, now=clock(), connections=("feed", "crm", "dialer"))
    await posted.post(more[: len(more) // 2])
    pid = floor.kill("worker")  # while it is at it; the others come before there is another
    await posted.post(more[len(more) // 2 :])
    await settled(floor, reader)
    floor.wait_for_another("worker", than=pid)
    assert await differences(posted, reader) == []
    code, said = floor.verify()
    assert code == 0, said


async def test_what_is_served_wrongly_is_found_and_a_restart_of_the_worker_repairs_it(
    floor: FloorProcess, posted: Posted, reader: Reader
) -> None:
    now = clock()
    forgotten = {
        "record": "lead",
        "id": "l-wrong",
        "changed_at": format_instant(now),
        "fields": {"rep": "r-wrong", "received_at": format_instant(now - 2 * HOUR), "status": "new"},
    }
    await posted.post([("feed", post_of([call("wrong-1", "r-wrong", now), forgotten], "wrong-1"))])
    await settled(floor, reader)
    for (partition, key), value in (await published_panes(floor)).items():
        _, rep, window = read_pane_key(key)
        if rep == "r-wrong" and is_day(window):
            pane = decode_pane(value)
            if cell_of("calls_made") in pane:
                pane[cell_of("calls_made")] = 1001
            if cell_of("pending") in pane:
                # As due as it is, but begun earlier: no count tells of it, only how long it is at least.
                waiting = pane[cell_of("pending")].items()
                pane[cell_of("pending")] = {(start - HOUR, due): number for (start, due), number in waiting}
            topic = PANES.full_name(floor.running.prefix, 1)
            await publish(floor, topic, encode_pane(pane), key=key, to=partition)
    await until_calls(reader, "r-wrong", 1001)

    code, words = floor.verify()

    assert code == 1, words
    assert "month: rep r-wrong: calls_made: recounted 1, served 1001" in words.splitlines()
    assert "month: rep r-wrong: bound of lead_response_seconds_p50: recounted" in words

    floor.wait_for_another("worker", than=floor.kill("worker"))
    await until_calls(reader, "r-wrong", 1)

    code, said = floor.verify()
    assert code == 0, said


async def test_what_nobody_can_read_is_listed_and_holds_nothing_back(
    floor: FloorProcess, posted: Posted, reader: Reader
) -> None:
    now = clock()
    before = {letter["id"] for _, letter in await reader.pages("/v1/dead-letters")}
    good = [call(f"good-{number}", "r-poison", now - SECOND) for number in range(40)]
    ahead = call("ahead", "r-poison", now + 25 * HOUR)
    poison = [
        ("not_json", Random(1).randbytes(300)),
        ("not_json", b'{"record": "call", "id"'),
        ("not_json", b"\xff\xfe\x00"),
        ("not_json", b""),
        ("not_json", b"[" * 100_000),
        ("bad_shape", b"42"),
        ("bad_shape", b'"call"'),
        ("bad_shape", b'{"record": "call", "id": "p-1", "fields": {}}'),
        ("bad_shape", orjson.dumps(call("p-2", "r-poison", now) | {"fields": [1]})),
        ("bad_shape", orjson.dumps(call("p-3", "r-poison", now) | {"changed_at": "yesterday"})),
        ("bad_field", orjson.dumps(call("p-4", "r-poison", now, dialed_at="soon"))),
        ("bad_field", orjson.dumps(call("p-5", "r-poison", now, outcome="splendid"))),
        ("bad_field", orjson.dumps(call("p-6", "r-poison", now, talk_seconds="1e400"))),
        ("clock_ahead", orjson.dumps(ahead)),
        ("clock_ahead", orjson.dumps([good[0], ahead, good[1]])),
    ]
    deliveries = [("feed", post_of([event], f"good-{index}")) for index, event in enumerate(good)]
    deliveries += [
        ("feed", Post(0, f"poison-{index}", {"content-type": "application/json"}, body, 1))
        for index, (_, body) in enumerate(poison)
    ]
    Random(2).shuffle(deliveries)

    prefix = floor.running.prefix
    await publish(floor, DELIVERIES.full_name(prefix, 1), b"\xc1 no delivery")
    await posted.post(deliveries)
    await settled(floor, reader)

    letters = [letter for _, letter in await reader.pages("/v1/dead-letters") if letter["id"] not in before]
    assert sorted(letter["reason"] for letter in letters) == sorted(
        [reason for reason, _ in poison] + ["unreadable"] * PARTITIONS
    )
    assert {letter["connection"] for letter in letters if letter["reason"] != "unreadable"} == {"feed"}
    assert all(letter["detail"] for letter in letters)

    for topic in (RECORD_CHANGES, ENGAGEMENTS):
        await publish(floor, topic.full_name(prefix, 1), b"\xc1 no frame")
    await posted.post([("feed", post_of([call(f"after-{n}", "r-poison", now)], f"after-{n}")) for n in range(40)])
    await settled(floor, reader)

    assert (await reader.get("/v1/reps/r-poison/metrics", window="today"))["metrics"]["calls_made"] == 80
    assert await differences(posted, reader) == []


async def test_a_screen_sees_what_happens_misses_nothing_and_starts_anew_with_a_new_api(
    floor: FloorProcess, posted: Posted, reader: Reader
) -> None:
    async def dial(number: int) -> None:
        await posted.post([("feed", post_of([call(f"screen-{number}", "r-screen", clock())], f"screen-{number}"))])

    def shows(screen: Screen, calls: int) -> Any:
        return lambda: screen.rep("r-screen").get("calls_made") == calls

    await dial(1)
    await settled(floor, reader)
    async with watching(floor.url, Screen()) as steady:
        async with watching(floor.url, Screen()) as screen:
            await screen.until(lambda: screen.snapshots == 1)
            assert shows(screen, 1)()
            await dial(2)
            await screen.until(shows(screen, 2))
        seen = len(screen.events)
        await dial(3)
        await dial(4)
        await steady.until(shows(steady, 4))
        async with watching(floor.url, screen, last_event_id=screen.last_id):
            await screen.until(shows(screen, 4))
            await dial(5)
            await asyncio.gather(screen.until(shows(screen, 5)), steady.until(shows(steady, 5)))
            last = min(screen.events[-1].number, steady.events[-1].number)
        missed = [event for event in screen.events[seen:] if event.number <= last and event.kind != "freshness"]
        assert screen.snapshots == 1
        # Freshness is of the instant it is sent: who comes back gets today's, not those of the time away.
        assert missed == [
            event
            for event in steady.events
            if screen.events[seen - 1].number < event.number <= last and event.kind != "freshness"
        ]

        pid = floor.kill("api")
    floor.wait_for_another("api", than=pid)
    await until_readable(reader)
    async with watching(floor.url, screen, last_event_id=screen.last_id):
        await screen.until(lambda: screen.snapshots == 2)
    anew = screen.events[-1] if screen.events[-1].kind == "snapshot" else screen.events[len(screen.events) - 2]
    assert anew.instance != missed[-1].instance
    assert shows(screen, 5)()
    assert await row_differences(reader, posted.books(), "today") == []


async def test_changed_definitions_and_retention_are_in_force_once_a_restart_is_ready(
    floor: FloorProcess, posted: Posted, reader: Reader
) -> None:
    await posted.post(hostile_deliveries(seed=16, events=1000, now=clock(), connections=("feed", "crm")))
    await settled(floor, reader)
    log, ahead = f"{floor.running.prefix}{DELIVERIES.name}", "message.timestamp.after.max.ms"
    # As an earlier build has left it.
    await alter_topic(floor.kafka, SettingDifference(log, ahead, None, "3600000"))
    floor.stop()
    floor.configure(
        CONFIGURATION
        | {
            "retention": {"records": "300d"},
            "lead_response": {"stop": "contact", "rules": [{"when": {"source": "demo_request"}, "sla": "3m"}]},
            "currency_rates": {"EUR": "1.25", "JPY": "0.0064"},
            "reps": {
                "r-1": {"name": "Ana Lim", "aliases": {"crm": ["r-1"]}},
                "r-3": {"team": "north", "aliases": {"crm": ["r-2", "r-3"]}},
            },
        }
    )
    floor.start()

    assert await differences(posted, reader) == []
    code, said = floor.verify()
    assert code == 0, said
    kept, day = await topic_settings(floor.kafka, log), 24 * 3600 * 1000
    assert (kept["retention.ms"], kept[ahead]) == (str(300 * day), str(2**63 - 1))
    said = floor.words()
    assert f"topic {log}: retention.ms is now {300 * day}, was {400 * day} - Kafka deletes what is older than" in said
    assert f"topic {log}: {ahead} is now {2**63 - 1}, was 3600000\n" in said


async def alter_topic(broker: Address, difference: SettingDifference) -> None:
    admin = AIOKafkaAdminClient(**kafka_options(broker))
    await admin.start()
    try:
        assert await alter(admin, [difference]) == ([difference], [])
    finally:
        await admin.close()


async def topic_settings(broker: Address, topic: str) -> dict[str, str]:
    admin = AIOKafkaAdminClient(**kafka_options(broker))
    await admin.start()
    try:
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    finally:
        await admin.close()
    return {entry[0]: entry[1] for entry in answer.resources[0][4]}


async def publish(
    floor: FloorProcess, topic: str, value: bytes, *, key: bytes | None = None, to: int | None = None
) -> None:
    """Write to a topic past everything that is floorcast; to every partition unless one is named."""
    producer = AIOKafkaProducer(**floor.kafka.options())
    await producer.start()
    try:
        for partition in range(PARTITIONS) if to is None else (to,):
            await producer.send_and_wait(topic, value, key=key, partition=partition)
    finally:
        await producer.stop()


async def published_panes(floor: FloorProcess) -> dict[tuple[int, bytes], bytes]:
    """What lies in the topic of panes."""
    topic = PANES.full_name(floor.running.prefix, 1)
    found: dict[tuple[int, bytes], bytes] = {}

    def apply(partition: int, records: list[Fetched]) -> None:
        for record in records:
            if record.key is not None and record.key != FENCE and record.value is not None:
                found[partition, record.key] = record.value

    async with Follower(floor.kafka, topic) as follower:
        await follower.read_to(await follower.ends(), apply)
    return found


async def until_calls(reader: Reader, rep: str, calls: int) -> None:
    async def are_served() -> bool:
        served: int = (await reader.get(f"/v1/reps/{rep}/metrics"))["metrics"]["calls_made"]
        return served == calls

    await until_true(are_served)


async def until_readable(reader: Reader) -> None:
    async def is_readable() -> bool:
        try:
            return (await reader.ask("/v1/reps"))[0] == 200
        except aiohttp.ClientConnectionError:
            return False

    await until_true(is_readable)

"""The view's consumer: what it loads, when it is believed, what it does when Kafka goes away; latency and lag."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import NodeNotReadyError
from prometheus_client import CollectorRegistry, generate_latest

from api.app import build_read_side
from api.read.consumer import AT_ONCE, BLIND, Behind
from api.read.latency import Latency
from api.read.read_side import ReadSide
from api.read.subscriptions import Filter
from api.read.view import ORGANISATION, View
from api.settings import Settings
from deploy.local.broker import LocalBroker
from processor.transport.administration import ensure_topics
from schemas.instants import DAY, HOUR, MINUTE, SECOND
from schemas.panes import encode_pane, pane_key
from schemas.progress import Progress, encode_progress, progress_key
from schemas.topics import DELIVERIES, FENCE, PANES, PROGRESS, VIEW_TOPICS
from schemas.windows import WINDOWS, day_window, span_of
from tests.api.reading import Floor, floor_config, subscribe
from tests.builders import change, instant
from tests.panes import pane_of
from tests.pipeline import Pipeline, served

NOW = instant("2026-03-18T12:00Z")
PARTITIONS = 2
_PATIENCE_SECONDS = 90.0


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not is_so():
            await asyncio.sleep(0.01)


class Log:
    """The topics of one api, on a real broker."""

    def __init__(self, bootstrap: str, prefix: str, data: Path) -> None:
        self.settings = Settings(broker=bootstrap, prefix=prefix, partitions=PARTITIONS, data=data, role="read")
        self.config = floor_config()

    async def create(self) -> None:
        await ensure_topics(
            self.settings.broker,
            prefix=self.settings.prefix,
            generation=1,
            partitions=PARTITIONS,
            records_kept=400 * DAY,
        )

    @asynccontextmanager
    async def producing(self) -> AsyncIterator[Callable[..., Any]]:
        producer = AIOKafkaProducer(bootstrap_servers=self.settings.broker, linger_ms=5)
        await producer.start()

        async def send(topic: Any, key: bytes | None, value: bytes | None, partition: int = 0, at: int = NOW) -> Any:
            name = topic.full_name(self.settings.prefix, 1)
            return await producer.send(name, value, key=key, partition=partition, timestamp_ms=at // 1000)

        try:
            yield send
            await producer.flush()
        finally:
            await producer.stop()

    async def publish(self, pipeline: Pipeline) -> None:
        async with self.producing() as send:
            for topic in VIEW_TOPICS:
                for (p, key), value in pipeline.topics.get(topic.name, {}).items():
                    await send(topic, key, value, p)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[ReadSide]:
        read_side = build_read_side(self.settings, self.config, CollectorRegistry(), clock=lambda: NOW)
        await read_side.start()
        try:
            yield read_side
        finally:
            await read_side.stop()


@pytest.fixture
async def log(kafka: str, prefix: str, tmp_path: Path) -> Log:
    log = Log(kafka, prefix, tmp_path)
    await log.create()
    return log


def some_changes() -> list[Any]:
    return [
        change("rep", "r9", "2026-03-01T00:00Z", name="Ina", team="west"),
        *(
            change("call", f"c{n}", NOW - n * MINUTE, rep=f"r{n % 9}", direction="outbound", dialed_at=NOW - n * MINUTE)
            for n in range(50)
        ),
        change("lead", "l1", rep="r1", received_at="2026-03-18T10:00Z"),
        change("lead", "l2", rep="r9", received_at="2026-03-18T11:30Z"),
        change("call", "c", rep="r9", lead="l2", direction="outbound", dialed_at="2026-03-18T11:40Z"),
    ]


def calls(view: View) -> Any:
    span = span_of("today", NOW, view.calendar)
    return view.values(ORGANISATION, span, NOW, ["calls_made"]).metrics["calls_made"]


@pytest.mark.kafka
async def test_view_holds_what_lies_in_kafka_and_follows_what_comes(log: Log) -> None:
    pipeline = Pipeline(log.config, partitions=PARTITIONS)
    pipeline.take(some_changes())
    await log.publish(pipeline)

    async with log.reading() as read_side:
        await until(lambda: read_side.is_loaded)
        for window in WINDOWS:
            assert served(read_side.view, now=NOW, window=window) == served(pipeline.view(), now=NOW, window=window)
        assert read_side.view.clocks == pipeline.view().clocks
        before = calls(read_side.view)
        pipeline.take([change("call", "new", NOW, rep="r1", direction="outbound", dialed_at=NOW)])
        await log.publish(pipeline)
        await until(lambda: calls(read_side.view) == before + 1)


async def test_a_snapshot_is_of_the_last_look_by_which_all_there_was_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not of its writing: an api that was paused has not read what came meanwhile."""
    now, end, looks, sleep = NOW, 10, 0, asyncio.sleep

    class Kafka:
        async def end_offsets(self, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
            nonlocal looks
            looks += places[0].topic == PANES.full_name("test.")
            return dict.fromkeys(places, end)

    settings = Settings(prefix="test.", partitions=PARTITIONS, data=tmp_path, role="read")
    kafka: Any = Kafka()
    consumer = build_read_side(settings, floor_config(), CollectorRegistry(), clock=lambda: now).consumer
    consumer.is_loaded = True
    consumer._positions = dict.fromkeys(consumer._places(PANES), 10)
    monkeypatch.setattr(asyncio, "sleep", lambda _seconds: sleep(0))
    looking = asyncio.create_task(consumer._look_at_sources(kafka))
    await until(lambda: consumer._newest_at == NOW)
    now, end = NOW + HOUR, 11
    before = looks
    await until(lambda: looks > before + 2)
    assert consumer._newest_at == NOW
    consumer._positions = dict.fromkeys(consumer._places(PANES), 11)
    await until(lambda: consumer._newest_at == NOW + HOUR)
    looking.cancel()


@pytest.mark.kafka
async def test_an_api_that_starts_again_goes_on_from_its_snapshot(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = Pipeline(log.config, partitions=PARTITIONS)
    pipeline.take(some_changes())
    await log.publish(pipeline)
    taken: list[str] = []
    take = View.load

    def counted(self: View, topic: str, key: bytes | None, value: bytes | None) -> None:
        taken.append(topic)
        take(self, topic, key, value)

    async with log.reading() as read_side:
        await until(lambda: not read_side.problems())
    assert log.settings.snapshot.exists()
    pipeline.take([change("call", "meanwhile", NOW, rep="r1", direction="outbound", dialed_at=NOW)])
    await log.publish(pipeline)

    monkeypatch.setattr(View, "load", counted)
    async with log.reading() as read_side:
        await until(lambda: not read_side.problems())
        # Only what was published meanwhile, and not what lay there before.
        assert taken.count(PANES.name) == len(pipeline.topics[PANES.name])
        for window in WINDOWS:
            assert served(read_side.view, now=NOW, window=window) == served(pipeline.view(), now=NOW, window=window)

    log.settings.snapshot.write_bytes(log.settings.snapshot.read_bytes()[:-1])
    async with log.reading() as read_side:
        await until(lambda: not read_side.problems())
        for window in WINDOWS:
            assert served(read_side.view, now=NOW, window=window) == served(pipeline.view(), now=NOW, window=window)


@pytest.mark.kafka
async def test_numbers_are_served_once_the_view_is_whole_and_believed_once_the_stages_have_passed(log: Log) -> None:
    async with log.producing() as send:
        await send(DELIVERIES, None, b"a delivery")
        await send(PANES, pane_key("ledger.0", "r1", day_window(NOW // DAY)), encode_pane(pane_of(calls_made=1)))

    async with log.reading() as read_side:
        assert read_side.problems() == ["the view has not begun to load"]
        await until(lambda: read_side.is_loaded)
        await until(lambda: read_side.problems() == ["stage normalise is 1 messages behind"])
        assert calls(read_side.view) == 1
        async with log.producing() as send:
            await send(PROGRESS, progress_key("normalise", 0), encode_progress(Progress(1, NOW)))
        await until(lambda: not read_side.problems())
        # What comes in later does not make it unready again; how far behind it is says freshness.
        async with log.producing() as send:
            await send(DELIVERIES, None, b"a delivery")
        await until(lambda: read_side.consumer.lag["deliveries", 0] == 1)
        assert read_side.problems() == []


@pytest.mark.kafka
async def test_fences_at_the_end_of_a_partition_do_not_keep_the_view_from_being_whole(log: Log) -> None:
    async with log.producing() as send:
        for partition in range(PARTITIONS):
            await send(PANES, FENCE, b"1", partition)

    async with log.reading() as read_side:
        await until(lambda: not read_side.problems())
        assert read_side.consumer.applied["panes"] == {"0": 1, "1": 1}


@pytest.mark.kafka
async def test_loop_turns_while_a_large_view_is_read(log: Log) -> None:
    total = 100_000
    day = day_window(NOW // DAY)
    async with log.producing() as send:
        for n in range(total):
            await send(
                PANES, pane_key("ledger.0", f"r{n % 1000}", day), encode_pane(pane_of(calls_made=n)), n % PARTITIONS
            )

    turns = 0
    async with log.reading() as read_side:
        while not read_side.is_loaded:
            await asyncio.sleep(0)
            turns += 1
        # Nothing of the flood is kept as news: clients get what there is now.
        assert len(read_side.view.changes.panes) == 0
        loaded = read_side.consumer.applied["panes"]

    assert sum(loaded.values()) == total
    assert turns >= total / AT_ONCE


@pytest.mark.kafka
async def test_message_that_nobody_can_read_ends_the_service_of_numbers(log: Log) -> None:
    async with log.producing() as send:
        await send(PANES, pane_key("ledger.0", "r1", day_window(NOW // DAY)), encode_pane(pane_of(calls_made=1)))
    async with log.reading() as read_side:
        await until(lambda: not read_side.problems())
        async with log.producing() as send:
            await send(PANES, b"no key of a pane", b"\xff", 1)
        await until(lambda: not read_side.is_loaded)

        assert "panes[1] holds" in read_side.problems()[0]


@pytest.mark.kafka
async def test_view_goes_on_where_it_was_when_kafka_comes_back(tmp_path: Path) -> None:
    port = 0
    with LocalBroker(tmp_path / "kafka", die_with_parent=True, short_lived=True) as broker:
        port = int(broker.bootstrap.rpartition(":")[2])
        log = Log(broker.bootstrap, "t.", tmp_path)
        await log.create()
        pipeline = Pipeline(log.config, partitions=PARTITIONS)
        pipeline.take(some_changes())
        await log.publish(pipeline)
        async with log.reading() as read_side:
            await until(lambda: not read_side.problems())
            before = read_side.consumer.applied
            await asyncio.to_thread(broker.stop)
            assert served(read_side.view, now=NOW, window="today") == served(pipeline.view(), now=NOW, window="today")
            again = LocalBroker(tmp_path / "kafka", port, die_with_parent=True, short_lived=True)
            await asyncio.to_thread(again.start)
            try:
                pipeline.take([change("call", "new", NOW, rep="r1", direction="outbound", dialed_at=NOW)])
                with suppress(TimeoutError):
                    await log.publish(pipeline)
                await until(lambda: calls(read_side.view) == calls(pipeline.view()))

                for window in WINDOWS:
                    expected = served(pipeline.view(), now=NOW, window=window)
                    assert served(read_side.view, now=NOW, window=window) == expected
                assert read_side.is_loaded
                assert all(
                    read_side.consumer.applied[topic][partition] >= offset
                    for topic, offsets in before.items()
                    for partition, offset in offsets.items()
                )
            finally:
                await asyncio.to_thread(again.stop)


@pytest.mark.kafka
async def test_cancellation_of_the_librarys_own_does_not_end_the_view(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, getmany = AIOKafkaConsumer.stop, AIOKafkaConsumer.getmany
    stopped: list[AIOKafkaConsumer] = []
    failing: list[bool] = []

    async def stop_badly(self: AIOKafkaConsumer) -> None:
        await stop(self)
        stopped.append(self)
        raise asyncio.CancelledError

    async def get_nothing_once(self: AIOKafkaConsumer, *args: Any, **options: Any) -> Any:
        if failing:
            failing.clear()
            raise NodeNotReadyError
        return await getmany(self, *args, **options)

    monkeypatch.setattr(AIOKafkaConsumer, "stop", stop_badly)
    monkeypatch.setattr(AIOKafkaConsumer, "getmany", get_nothing_once)
    async with log.reading() as read_side:
        await until(lambda: not read_side.problems())
        failing.append(True)
        await until(lambda: bool(stopped))
        async with log.producing() as send:
            await send(PANES, pane_key("ledger.0", "r1", day_window(NOW // DAY)), encode_pane(pane_of(calls_made=7)))
        await until(lambda: calls(read_side.view) == 7)

        assert read_side.problems() == []
        consumer_task = read_side.consumer._task
        assert consumer_task is not None
        consumer_task.cancel()  # as nothing may do
        await until(consumer_task.done)
        assert read_side.problems() == ["the view is not read any more"]


@pytest.mark.kafka
async def test_what_changes_all_the_time_is_not_asked_for_all_the_time_once_the_view_is_loaded(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    getmany, pause, resume = AIOKafkaConsumer.getmany, AIOKafkaConsumer.pause, AIOKafkaConsumer.resume

    def is_busy(consumer: AIOKafkaConsumer) -> bool:
        return any(PANES.name in tp.topic for tp in consumer.assignment())

    async def note_fetched(self: AIOKafkaConsumer, *args: Any, **options: Any) -> Any:
        fetched = await getmany(self, *args, **options)
        if fetched and is_busy(self):
            steps.append("took")
        return fetched

    def note_pause(self: AIOKafkaConsumer, *partitions: TopicPartition) -> None:
        assert set(partitions) == self.assignment()
        assert is_busy(self)
        steps.append("rests")
        pause(self, *partitions)

    def note_resume(self: AIOKafkaConsumer, *partitions: TopicPartition) -> None:
        steps.append("asks")
        resume(self, *partitions)

    monkeypatch.setattr(AIOKafkaConsumer, "getmany", note_fetched)
    monkeypatch.setattr(AIOKafkaConsumer, "pause", note_pause)
    monkeypatch.setattr(AIOKafkaConsumer, "resume", note_resume)
    async with log.producing() as send:
        await send(PANES, pane_key("ledger.0", "r1", day_window(NOW // DAY)), encode_pane(pane_of(calls_made=1)))
    async with log.reading() as read_side:
        await until(lambda: not read_side.problems())

        def shown(made: int) -> Callable[[], bool]:
            return lambda: calls(read_side.view) == made

        assert "took" in steps
        assert "rests" not in steps  # all that the view needs to be whole is asked for at once
        steps.clear()
        async with log.producing() as send:
            for made in range(2, 6):
                pane = encode_pane(pane_of(calls_made=made))
                await send(PANES, pane_key("ledger.0", "r1", day_window(NOW // DAY)), pane)
                await until(shown(made))
        await until(lambda: steps[-1] == "asks")

    rounds = len(steps) // 3
    assert rounds >= 4
    assert steps == ["took", "rests", "asks"] * rounds


@pytest.mark.kafka
async def test_broadcast_that_fails_once_tells_everything_the_next_time(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.read.read_side._PAUSE_AFTER_FAILURE_SECONDS", 0.01)
    async with log.reading() as read_side:
        await until(lambda: not read_side.problems())
        subscribe(read_side.broadcaster, Filter(), NOW)  # a window that nobody looks at waits
        flush = read_side.broadcaster.flush
        failures: list[int] = []

        def flush_badly(now: int, *, unwatched: bool, most: int) -> bool:
            if not failures:
                failures.append(now)
                read_side.view.take_changes()
                raise RuntimeError
            return flush(now, unwatched=unwatched, most=most)

        monkeypatch.setattr(read_side.broadcaster, "flush", flush_badly)
        async with log.producing() as send:
            await send(PANES, pane_key("ledger.0", "r1", day_window(NOW // DAY)), encode_pane(pane_of(calls_made=7)))

        def told() -> bool:
            values = read_side.broadcaster.followed_values("today").get(ORGANISATION)
            return values is not None and values.metrics["calls_made"] == 7

        await until(told)
        assert failures


async def test_kafka_that_is_away_is_said_in_one_line(tmp_path: Path) -> None:
    # Port 1 of this machine: nothing listens there.
    log = Log("127.0.0.1:1", "t.", tmp_path)
    async with log.reading() as read_side:
        await until(lambda: "no Kafka answers" in read_side.problems()[0])

        assert not read_side.is_loaded
        assert "\n" not in read_side.problems()[0]
        assert "127.0.0.1:1" in read_side.problems()[0]


async def test_api_without_kafka_answers_503_and_says_why(tmp_path: Path) -> None:
    floor = Floor(tmp_path)
    floor.read_side.consumer.is_loaded = False

    answer = await floor.get("/v1/organisation/metrics")

    assert answer.json()["detail"] == "the view has not begun to load"


# Latency


def test_percentiles_are_of_the_last_five_minutes_to_two_percent() -> None:
    latency = Latency(CollectorRegistry())
    for n in range(1, 101):
        latency.observe(NOW, NOW - n * 10_000)
    found = latency.percentiles(NOW)

    assert found["p50"] == pytest.approx(0.5, rel=0.02)
    assert found["p95"] == pytest.approx(0.95, rel=0.02)
    assert found["p99"] == pytest.approx(0.99, rel=0.02)
    assert latency.percentiles(NOW + 6 * MINUTE) == {"p50": None, "p95": None, "p99": None}


def test_latency_is_never_negative_and_takes_little_memory() -> None:
    registry = CollectorRegistry()
    latency = Latency(registry)
    for n in range(1000):
        for age in (-5, 0, n * SECOND, 10**15):
            latency.observe(NOW + n * SECOND, NOW + n * SECOND - age)

    found = latency.percentiles(NOW + 999 * SECOND)
    assert found["p50"] is not None
    assert found["p50"] >= 0
    assert len(latency._recent) <= 61
    assert b"floorcast_end_to_end_seconds_count 4000.0" in generate_latest(registry)


def test_one_slow_value_shows_in_the_highest_percentile_alone() -> None:
    latency = Latency(CollectorRegistry())
    for _ in range(98):
        latency.observe(NOW, NOW - 10_000)
    for _ in range(2):
        latency.observe(NOW, NOW - 60 * SECOND)
    found = latency.percentiles(NOW)

    assert found["p95"] == pytest.approx(0.01, rel=0.02)
    assert found["p99"] == pytest.approx(60, rel=0.02)


# How far behind


def test_a_lag_is_negative_where_the_log_is_shorter_than_what_was_read() -> None:
    behind = Behind()

    behind.look(1 * SECOND, "normalise", "deliveries", {0: 34}, {0: 100})

    assert behind.lag == {("deliveries", 0): -66}


def test_behind_is_the_age_of_the_oldest_end_that_a_stage_has_not_passed() -> None:
    behind = Behind()
    behind.look(NOW, "ledger", "record-changes", {0: 5, 1: 0}, {0: 5})
    assert behind.seconds(NOW) == 0
    behind.look(NOW + SECOND, "ledger", "record-changes", {0: 9, 1: 0}, {0: 5})
    behind.look(NOW + 2 * SECOND, "ledger", "record-changes", {0: 12, 1: 0}, {0: 8})
    assert behind.seconds(NOW + 3 * SECOND) == 2
    assert behind.lag == {("record-changes", 0): 4, ("record-changes", 1): 0}
    behind.passed("ledger", {0: 9})
    assert behind.seconds(NOW + 3 * SECOND) == 1
    behind.passed("ledger", {0: 12})
    assert behind.seconds(NOW + 3 * SECOND) == 0


def test_kafka_that_does_not_answer_makes_the_numbers_as_old_as_the_last_look() -> None:
    behind = Behind()
    assert behind.seconds(NOW) == 0
    behind.look(NOW, "ledger", "record-changes", {0: 5}, {0: 5})

    assert behind.seconds(NOW + BLIND) == 0
    assert behind.seconds(NOW + BLIND + SECOND) == 6

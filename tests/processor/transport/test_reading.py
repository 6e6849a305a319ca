"""The bulk read with which a shard gets its state back, on a real broker."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.errors import OffsetOutOfRangeError

from deploy.local.broker import LocalBroker
from processor.transport.ends import LogEnds
from processor.transport.fetched import StoredRecords
from processor.transport.reading import read_to
from processor.transport.unpacking import offset_after_parsed, parse
from schemas.kafka_clients import stop_quietly
from tests.processor.transport.floor import COMPACTED, create_topics, eventually, produce

pytestmark = pytest.mark.kafka


async def test_a_million_rows_come_back(kafka: str, prefix: str) -> None:
    topic, rows = f"{prefix}ledger", 1_000_000
    await create_topics(kafka, [topic], partitions=2, configs={})
    for partition in range(2):
        await produce(kafka, topic, partition, ((b"r%07d" % i, b"%050d" % i) for i in range(partition, rows, 2)))
    found: dict[bytes, bytes] = {}

    def apply(_topic: str, _partition: int, records: StoredRecords) -> None:
        for record in records:
            assert record.key is not None
            assert record.value is not None
            found[record.key] = record.value

    await read_to(kafka, {(topic, 0): rows // 2, (topic, 1): rows // 2}, apply)

    assert len(found) == rows
    assert found[b"r0654321"] == b"%050d" % 654321


async def test_reading_stops_below_the_end_of_each_partition(kafka: str, prefix: str) -> None:
    topic = f"{prefix}ledger"
    await create_topics(kafka, [topic], partitions=3, configs={})
    for partition in range(2):
        await produce(kafka, topic, partition, ((b"%d" % i, b"") for i in range(1000)))
    found: list[tuple[int, int]] = []

    def apply(_topic: str, partition: int, records: StoredRecords) -> None:
        found.extend((partition, record.offset) for record in records)

    await read_to(kafka, {(topic, 0): 7, (topic, 1): 1000, (topic, 2): 0}, apply)

    assert sorted(found) == [(0, i) for i in range(7)] + [(1, i) for i in range(1000)]


async def test_an_end_that_is_never_reached_is_an_error_that_names_it(kafka: str, prefix: str) -> None:
    topic = f"{prefix}ledger"
    await create_topics(kafka, [topic], partitions=1, configs={})

    with pytest.raises(TimeoutError, match=rf"{topic}\[0\] up to 5"):
        await read_to(kafka, {(topic, 0): 5}, lambda *_: None, stall_seconds=0.5)


async def test_a_consumer_that_has_just_started_stops_without_a_cancellation(kafka: str) -> None:
    for _ in range(5):
        consumer = AIOKafkaConsumer(bootstrap_servers=kafka)
        await consumer.start()
        await stop_quietly(consumer)


class Closing:
    """Something of aiokafka's that cancels itself while it is closed, at the first time or never."""

    def __init__(self, *, badly: bool) -> None:
        self.badly = badly
        self.closed = 0

    async def close(self) -> None:
        self.closed += 1
        if self.badly:
            raise asyncio.CancelledError

    stop = close


async def test_what_a_cancellation_of_the_librarys_own_leaves_open_is_closed() -> None:
    consumer: Any = Closing(badly=True)
    consumer._fetcher, consumer._client = Closing(badly=True), Closing(badly=False)

    await stop_quietly(consumer)

    assert (consumer.closed, consumer._fetcher.closed, consumer._client.closed) == (1, 1, 1)


async def test_whoever_is_cancelled_while_a_consumer_stops_is_told() -> None:
    stopping = asyncio.Event()

    class Waiting:
        async def stop(self) -> None:
            stopping.set()
            await asyncio.sleep(60)

    consumer: Any = Waiting()
    consumer._fetcher, consumer._client = None, Closing(badly=False)
    task = asyncio.create_task(stop_quietly(consumer))
    await stopping.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_ends_that_cannot_be_had_are_none_whatever_the_library_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    async def cancel(_self: AIOKafkaConsumer) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(AIOKafkaConsumer, "start", cancel)
    ends = LogEnds("127.0.0.1:1")

    assert await ends.ask([("deliveries", 0)]) is None
    await ends.close()


async def test_many_records_of_one_fetch_come_in_pieces_so_that_the_loop_turns(
    kafka: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("processor.transport.reading.RECORDS_AT_ONCE", 100)
    topic = f"{prefix}ledger"
    await create_topics(kafka, [topic], partitions=1, configs={})
    for first in range(0, 3000, 300):
        await produce(kafka, topic, 0, ((b"%d" % i, b"") for i in range(first, first + 300)))
    pieces: list[list[int]] = []

    def apply(_topic: str, _partition: int, records: StoredRecords) -> None:
        pieces.append([record.offset for record in records])

    await read_to(kafka, {(topic, 0): 3000}, apply)

    assert [offset for piece in pieces for offset in piece] == [*range(3000)]
    assert len(pieces) > 1


async def test_of_what_another_owner_wrote_nothing_comes_and_the_end_is_reached(kafka: str, prefix: str) -> None:
    topic = f"{prefix}panes"
    await create_topics(kafka, [topic], partitions=1, configs={})
    for first in range(0, 600, 100):
        owner = b"ours" if first % 200 else b"theirs"
        await produce(kafka, topic, 0, ((b"%b|%d" % (owner, i), b"") for i in range(first, first + 100)))
    found: list[bytes | None] = []

    def apply(_topic: str, _partition: int, records: StoredRecords) -> None:
        found.extend(record.key for record in records)

    await read_to(kafka, {(topic, 0): 600}, apply, wanted=lambda _topic, key: key.startswith(b"ours"))

    assert found == [b"ours|%d" % i for i in range(600) if i // 100 % 2]


async def read(kafka: str, topic: str, end: int, start: int = 0) -> list[tuple[int, bytes | None, bytes | None]]:
    found: list[tuple[int, bytes | None, bytes | None]] = []

    def apply(_topic: str, _partition: int, records: StoredRecords) -> None:
        found.extend((record.offset, record.key, record.value) for record in records)

    await read_to(kafka, {(topic, 0): end}, apply, starts={(topic, 0): start}, stall_seconds=5.0)
    return found


async def in_batches(kafka: str, topic: str, count: int, each: int = 100) -> list[tuple[int, bytes, bytes]]:
    for first in range(0, count, each):
        await produce(kafka, topic, 0, ((b"k%d" % i, b"v%d" % i) for i in range(first, first + each)))
    return [(i, b"k%d" % i, b"v%d" % i) for i in range(count)]


@pytest.mark.parametrize("codec", ["uncompressed", "gzip"])
async def test_a_range_may_begin_and_end_within_a_batch(kafka: str, prefix: str, codec: str) -> None:
    topic = f"{prefix}ledger"
    await create_topics(kafka, [topic], partitions=1, configs={"compression.type": codec})
    written = await in_batches(kafka, topic, 400)

    assert await read(kafka, topic, 333, 137) == written[137:333]
    assert await read(kafka, topic, 200, 100) == written[100:200]
    assert await read(kafka, topic, 151, 150) == written[150:151]
    assert await read(kafka, topic, 150, 150) == []


async def test_small_answers_are_put_together(kafka: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches are cut off at the end of most of them, and some partitions get nothing at all."""
    monkeypatch.setattr("processor.transport.fetching.PARTITION_BYTES", 3000)
    monkeypatch.setattr("processor.transport.fetching.ANSWER_BYTES", 4000)
    topic = f"{prefix}ledger"
    await create_topics(kafka, [topic], partitions=3, configs={})
    for partition in range(3):
        for first in range(0, 2000, 50):
            await produce(kafka, topic, partition, ((b"%d" % i, bytes(i % 97)) for i in range(first, first + 50)))
    found: list[list[tuple[bytes | None, bytes | None]]] = [[], [], []]

    def apply(_topic: str, partition: int, records: StoredRecords) -> None:
        found[partition].extend((record.key, record.value) for record in records)

    await read_to(kafka, {(topic, partition): 2000 for partition in range(3)}, apply)

    assert found == [[(b"%d" % i, bytes(i % 97)) for i in range(2000)]] * 3


async def test_what_compaction_has_left_is_read_up_to_the_end(kafka: str, prefix: str) -> None:
    topic = f"{prefix}ledger"
    await create_topics(kafka, [topic], partitions=1, configs=COMPACTED)
    for round_ in range(10):
        await produce(kafka, topic, 0, ((b"k%d" % i, b"%d" % round_) for i in range(50)))
    await produce(kafka, topic, 0, [(b"k%d" % i, None) for i in range(40, 50)])
    end = 510

    async def again() -> list[tuple[int, bytes | None, bytes | None]]:
        await produce(kafka, topic, 0, [(b"after", b"")])  # the newest segment is never cleaned
        return await read(kafka, topic, end)

    found = await eventually(again, lambda found: len(found) <= 60, seconds=60.0)

    assert len(found) <= 60
    table: dict[bytes, bytes] = {}
    await read_to(kafka, {(topic, 0): end}, lambda _topic, _partition, records: records.fold_into(table))
    assert table == {b"k%d" % i: b"9" for i in range(40)}


async def test_marks_of_transactions_are_passed_over(kafka: str, prefix: str) -> None:
    topic = f"{prefix}ledger"
    await create_topics(kafka, [topic], partitions=1, configs={})
    producer = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=f"{prefix}writer")
    await producer.start()
    try:
        for value in (b"one", b"two"):
            async with producer.transaction():
                await producer.send_and_wait(topic, value, key=b"k", partition=0)
    finally:
        await producer.stop()

    assert await read(kafka, topic, 4) == [(0, b"k", b"one"), (2, b"k", b"two")]


async def test_what_is_not_there_any_more_is_passed_over(kafka: str, prefix: str) -> None:
    topic = f"{prefix}deliveries"
    await create_topics(kafka, [topic], partitions=1, configs={"cleanup.policy": "delete"})
    written = await in_batches(kafka, topic, 300)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=150)})
    finally:
        await admin.close()

    assert await read(kafka, topic, 300) == written[150:]
    assert await read(kafka, topic, 300, 20) == written[150:]
    assert await read(kafka, topic, 300, 160) == written[160:]
    assert await read(kafka, topic, 100) == []


async def test_a_log_that_has_lost_its_end_is_an_error_that_says_so(kafka: str, prefix: str) -> None:
    topic = f"{prefix}deliveries"
    await create_topics(kafka, [topic], partitions=1, configs={})
    await in_batches(kafka, topic, 100)

    with pytest.raises(TimeoutError, match=rf"{topic}\[0\] up to 900") as raised:
        await read_to(kafka, {(topic, 0): 900}, lambda *_: None, starts={(topic, 0): 500}, stall_seconds=0.5)
    assert isinstance(raised.value.__cause__, OffsetOutOfRangeError)


async def test_an_error_of_whoever_takes_it_in_ends_the_reading(kafka: str, prefix: str) -> None:
    topic = f"{prefix}ledger"
    await create_topics(kafka, [topic], partitions=1, configs={})
    await in_batches(kafka, topic, 200)

    def apply(_topic: str, _partition: int, _records: StoredRecords) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await read_to(kafka, {(topic, 0): 200}, apply)
    assert len(asyncio.all_tasks()) == 1


async def test_without_what_is_compiled_the_same_is_read(
    kafka: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("processor.transport.reading.unpack", parse)
    monkeypatch.setattr("processor.transport.reading.offset_after", offset_after_parsed)
    topic = f"{prefix}ledger"
    await create_topics(kafka, [topic], partitions=1, configs={})
    written = await in_batches(kafka, topic, 1000)

    assert await read(kafka, topic, 950, 50) == written[50:950]


async def test_a_broker_that_is_killed_meanwhile_is_waited_for_and_nothing_comes_twice(
    prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("processor.transport.fetching.PARTITION_BYTES", 2000)
    topic = f"{prefix}ledger"
    with LocalBroker(tmp_path / "kafka", die_with_parent=True, short_lived=True) as broker:
        await create_topics(broker.bootstrap, [topic], partitions=1, configs={})
        written = await in_batches(broker.bootstrap, topic, 1000, 50)
        found: list[tuple[int, bytes | None, bytes | None]] = []
        begun = asyncio.Event()

        def apply(_topic: str, _partition: int, records: StoredRecords) -> None:
            found.extend((record.offset, record.key, record.value) for record in records)
            if not begun.is_set():
                broker.kill()
                begun.set()

        reading = asyncio.create_task(read_to(broker.bootstrap, {(topic, 0): 1000}, apply))
        await begun.wait()
        assert 0 < len(found) < 1000
        await asyncio.sleep(1.0)
        broker.start()
        await reading

    assert found == written

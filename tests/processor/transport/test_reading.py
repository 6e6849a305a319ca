"""The bulk read with which a shard gets its state back, on a real broker."""

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from processor.transport.closing import stop_quietly
from processor.transport.ends import Ends
from processor.transport.fetched import Records
from processor.transport.reading import read_to
from tests.processor.transport.floor import create_topics, produce

pytestmark = pytest.mark.kafka


async def test_a_million_rows_come_back(kafka: str, prefix: str) -> None:
    topic, rows = f"{prefix}ledger", 1_000_000
    await create_topics(kafka, [topic], partitions=2, configs={})
    for partition in range(2):
        await produce(kafka, topic, partition, ((b"r%07d" % i, b"%050d" % i) for i in range(partition, rows, 2)))
    found: dict[bytes, bytes] = {}

    def apply(_topic: str, _partition: int, records: Records) -> None:
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

    def apply(_topic: str, partition: int, records: Records) -> None:
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
    task = asyncio.create_task(stop_quietly(consumer))
    await stopping.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_ends_that_cannot_be_had_are_none_whatever_the_library_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    async def cancel(_self: AIOKafkaConsumer) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(AIOKafkaConsumer, "start", cancel)
    ends = Ends("127.0.0.1:1")

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

    def apply(_topic: str, _partition: int, records: Records) -> None:
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

    def apply(_topic: str, _partition: int, records: Records) -> None:
        found.extend(record.key for record in records)

    await read_to(kafka, {(topic, 0): 600}, apply, wanted=lambda _topic, key: key.startswith(b"ours"))

    assert found == [b"ours|%d" % i for i in range(600) if i // 100 % 2]

"""The bulk read with which a shard gets its state back, on a real broker."""

import pytest
from aiokafka import AIOKafkaConsumer

from processor.transport.fetched import Stored
from processor.transport.reading import read_to, stop_quietly
from tests.processor.transport.floor import create_topics, produce

pytestmark = pytest.mark.kafka


async def test_a_million_rows_come_back(kafka: str, prefix: str) -> None:
    topic, rows = f"{prefix}ledger", 1_000_000
    await create_topics(kafka, [topic], partitions=2, configs={})
    for partition in range(2):
        await produce(kafka, topic, partition, ((b"r%07d" % i, b"%050d" % i) for i in range(partition, rows, 2)))
    found: dict[bytes, bytes] = {}

    def apply(_topic: str, _partition: int, records: list[Stored]) -> None:
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

    def apply(_topic: str, partition: int, records: list[Stored]) -> None:
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


async def test_many_records_of_one_fetch_come_in_pieces_so_that_the_loop_turns(
    kafka: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("processor.transport.reading.RECORDS_AT_ONCE", 100)
    topic = f"{prefix}ledger"
    await create_topics(kafka, [topic], partitions=1, configs={})
    for first in range(0, 3000, 300):
        await produce(kafka, topic, 0, ((b"%d" % i, b"") for i in range(first, first + 300)))
    pieces: list[list[int]] = []

    def apply(_topic: str, _partition: int, records: list[Stored]) -> None:
        pieces.append([record.offset for record in records])

    await read_to(kafka, {(topic, 0): 3000}, apply)

    assert [offset for piece in pieces for offset in piece] == [*range(3000)]
    assert len(pieces) > 1

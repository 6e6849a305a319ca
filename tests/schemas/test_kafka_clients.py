"""Clients of Kafka are begun as a whole or not at all, and nothing of them stays open; at rest they ask seldom."""

import asyncio
import gc
import warnings
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.protocol.fetch import FetchRequest

from schemas import kafka_clients
from schemas.kafka_clients import FetchPace, begun_whole, stop_quietly
from tests.processor.transport.floor import create_topics, ends_of, produce


@pytest.mark.kafka
async def test_a_start_that_is_cancelled_at_any_point_leaves_no_connection_open(kafka: str) -> None:
    for milliseconds in range(12):
        consumer = AIOKafkaConsumer(bootstrap_servers=kafka)
        starting = asyncio.create_task(begun_whole(consumer.start()))
        await asyncio.sleep(milliseconds / 1000)
        starting.cancel()
        await asyncio.wait([starting])
        await stop_quietly(consumer)
        del consumer, starting
        await asyncio.sleep(0)

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        gc.collect()
    assert [str(warning.message) for warning in said] == []


async def test_a_start_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_clients, "_BEGINNING_SECONDS", 0.01)
    ended: list[BaseException] = []

    async def hang() -> None:
        try:
            await asyncio.sleep(3600)
        except BaseException as error:
            ended.append(error)
            raise

    starting = asyncio.create_task(begun_whole(hang()))
    await asyncio.sleep(0.01)
    starting.cancel()
    await asyncio.wait([starting])
    await asyncio.sleep(0)

    assert starting.cancelled()
    assert [type(error) for error in ended] == [asyncio.CancelledError]


async def test_an_error_of_the_start_is_told_at_once_and_none_after_a_cancellation() -> None:
    async def fail() -> None:
        await asyncio.sleep(0.01)
        msg = "Kafka is away"
        raise OSError(msg)

    with pytest.raises(OSError, match="Kafka is away"):
        await begun_whole(fail())

    starting = asyncio.create_task(begun_whole(fail()))
    await asyncio.sleep(0)
    starting.cancel()
    await asyncio.wait([starting])

    assert starting.cancelled()


@pytest.mark.kafka
async def test_at_rest_a_fetch_is_held_long_and_answered_at_once(
    kafka: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_clients, "REST_AFTER_SECONDS", 0.1)
    monkeypatch.setattr(kafka_clients, "REST_WAIT_MS", 20_000)
    place = TopicPartition(f"{prefix}paced", 0)
    await create_topics(kafka, [place.topic], partitions=1, configs={})
    await ends_of(kafka, place.topic, 1)  # asks until Kafka knows it
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, fetch_max_wait_ms=10, request_timeout_ms=30_000)
    await consumer.start()
    waits: list[int] = []
    send = consumer._client.send

    async def note(node: int, request: Any, **rest: Any) -> Any:
        if isinstance(request, FetchRequest):
            waits.append(consumer._fetcher._fetch_max_wait_ms)
        return await send(node, request, **rest)

    monkeypatch.setattr(consumer._client, "send", note)
    try:
        pace = FetchPace(consumer, 10)
        consumer.assign([place])
        consumer.seek(place, 0)
        async with asyncio.timeout(60):
            while 20_000 not in waits:
                pace.note(has_come=bool(await consumer.getmany(place, timeout_ms=20)))
        assert waits[0] == 10
        asked = len(waits)
        for _ in range(20):
            pace.note(has_come=bool(await consumer.getmany(place, timeout_ms=20)))
        assert len(waits) == asked

        await produce(kafka, place.topic, 0, [(b"key", b"value")])
        found = await consumer.getmany(place, timeout_ms=15_000)
        assert [record.value for record in found[place]] == [b"value"]
        pace.note(has_come=True)
        assert consumer._fetcher._fetch_max_wait_ms == 10
    finally:
        await stop_quietly(consumer)

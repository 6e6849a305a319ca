"""Clients of Kafka are begun as a whole or not at all, and nothing of them stays open."""

import asyncio
import gc
import warnings

import pytest
from aiokafka import AIOKafkaConsumer

from schemas import kafka_clients
from schemas.kafka_clients import begun_whole, stop_quietly


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

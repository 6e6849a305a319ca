"""The pointer record as the api sees it: which generation is to be served, now and from now on.

Owns a consumer outside any group. What follows from a change is read_side.py's.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from api.client_lifecycle import begun_whole, stop_quietly
from api.read.topics import POINTER
from api.settings import Settings
from schemas.generations import SERVED, Served, decode_served, first_generation
from schemas.kafka import QUICK_MS

log = structlog.get_logger("api")

_WAIT_MS = 500
_PAUSE_SECONDS = 1.0


async def read_served(settings: Settings) -> Served:
    """What is served now. Raises KafkaError."""
    async with contextlib.aclosing(_read(settings)) as found:
        async for served in found:
            return served
    return first_generation(settings.partitions)


async def follow_served(settings: Settings) -> AsyncIterator[Served]:
    """What is served, at once and at each change; goes on when Kafka was away."""
    while True:
        try:
            async with contextlib.aclosing(_read(settings)) as found:
                async for served in found:
                    yield served
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("generations.interrupted", error=type(error).__name__)
        await asyncio.sleep(_PAUSE_SECONDS)


async def _read(settings: Settings) -> AsyncGenerator[Served, None]:
    """The newest record that there is, then each one that comes. Ends where there is no topic to read."""
    consumer = AIOKafkaConsumer(
        **settings.kafka.options(),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=_WAIT_MS,
        request_timeout_ms=QUICK_MS,
    )
    try:
        await begun_whole(consumer.start())
        partition = TopicPartition(POINTER.full_name(settings.prefix), 0)
        if partition.topic not in await consumer.topics():
            return
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        await consumer.seek_to_beginning(partition)
        served = first_generation(settings.partitions)
        while await consumer.position(partition) < end:
            served = _newest(await consumer.getmany(timeout_ms=_WAIT_MS), served)
        yield served
        while True:
            newer = _newest(await consumer.getmany(timeout_ms=_WAIT_MS), served)
            if newer is not served:
                yield (served := newer)
    finally:
        await stop_quietly(consumer)


def _newest(fetched: Mapping[TopicPartition, list[ConsumerRecord[bytes, bytes]]], served: Served) -> Served:
    for records in fetched.values():
        for record in records:
            if record.key == SERVED and record.value is not None:
                served = decode_served(record.value)
    return served

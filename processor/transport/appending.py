"""Messages of a log by their place, the same messages appended once more, and new ones: for commands.

Owns a consumer outside any group and an idempotent producer. Decodes nothing and changes nothing: of a message that is
appended once more, key, value, headers and timestamp are those of the original.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from processor.transport.rights import doing
from schemas.kafka import Address, kafka_options
from schemas.topics import MAX_MESSAGE

# Kafka gives the first message of a fetch whatever its size; more of what lies behind it would be thrown away.
_FETCH_BYTES = 64 * 1024
_READ_SECONDS = 15.0
_SEND_SECONDS = 30.0
_STOP_SECONDS = 5.0
_FILLED_AT_ONCE = 2_000

LogPlace = tuple[int, int]
"""Partition and offset."""


@dataclass(frozen=True, slots=True)
class LogMessage:
    """A message as it lies in the log."""

    place: LogPlace
    key: bytes | None
    value: bytes | None
    timestamp: int
    """Milliseconds since the epoch."""
    headers: tuple[tuple[str, bytes], ...]


class Appender:
    """One topic. Use as an async context manager. Raises KafkaError or TimeoutError where Kafka does not answer."""

    def __init__(self, bootstrap: Address, topic: str) -> None:
        self._topic = topic
        self._consumer = AIOKafkaConsumer(
            **kafka_options(bootstrap),
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_partition_fetch_bytes=_FETCH_BYTES,
        )
        self._producer = AIOKafkaProducer(
            **kafka_options(bootstrap),
            enable_idempotence=True,
            acks="all",
            max_request_size=MAX_MESSAGE,
        )

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.timeout(_READ_SECONDS):
                await self._consumer.start()
                await self._producer.start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._stop()

    async def read(self, places: Iterable[LogPlace]) -> AsyncIterator[LogMessage]:
        """The messages at these places, by partition and offset; those that are there no more are left out."""
        wanted = sorted(set(places))
        async with asyncio.timeout(_READ_SECONDS):
            known = set(await self._producer.partitions_for(self._topic))
        for partition in sorted({partition for partition, _ in wanted} & known):
            tp = TopicPartition(self._topic, partition)
            async with asyncio.timeout(_READ_SECONDS):
                self._consumer.assign([tp])
                first = (await self._consumer.beginning_offsets([tp]))[tp]
                end = (await self._consumer.end_offsets([tp]))[tp]
            for offset in (offset for of, offset in wanted if of == partition and first <= offset < end):
                async with asyncio.timeout(_READ_SECONDS):
                    self._consumer.seek(tp, offset)
                    record = await self._consumer.getone(tp)
                if record.offset == offset:
                    yield LogMessage(
                        (partition, offset), record.key, record.value, record.timestamp, tuple(record.headers)
                    )

    async def append(self, message: LogMessage) -> LogPlace:
        """Append it to the partition it is from; where it lies now, once all replicas have it."""
        with doing("Write", self._topic):
            async with asyncio.timeout(_SEND_SECONDS):
                acknowledged = await self._producer.send_and_wait(
                    self._topic,
                    message.value,
                    key=message.key,
                    partition=message.place[0],
                    timestamp_ms=message.timestamp,
                    headers=list(message.headers),
                )
        return acknowledged.partition, acknowledged.offset

    async def add(self, value: bytes) -> LogPlace:
        """Append a new message to any partition; where it lies, once all replicas have it."""
        with doing("Write", self._topic):
            async with asyncio.timeout(_SEND_SECONDS):
                acknowledged = await self._producer.send_and_wait(self._topic, value)
        return acknowledged.partition, acknowledged.offset

    async def holds(self, place: LogPlace) -> bool:
        """Whether a message lies there: neither too old nor of another log."""
        return [stored.place async for stored in self.read([place])] == [place]

    async def _stop(self) -> None:
        await self._consumer.stop()
        # A producer that cannot send what it holds would wait for ever.
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await self._producer.stop()


class Filler:
    """Appends many messages to any topics, as they were elsewhere. Use as an async context manager."""

    def __init__(self, bootstrap: Address) -> None:
        self._producer = AIOKafkaProducer(
            **kafka_options(bootstrap), enable_idempotence=True, acks="all", max_request_size=MAX_MESSAGE, linger_ms=5
        )
        self._sent: list[tuple[str, Awaitable[object]]] = []

    async def __aenter__(self) -> Self:
        async with asyncio.timeout(_READ_SECONDS):
            await self._producer.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await self._producer.stop()

    async def add(self, topic: str, partition: int, key: bytes | None, value: bytes | None, timestamp: int) -> None:
        """Hand one over; what was handed over before is waited for now and then. `timestamp`: milliseconds."""
        under_way = await self._producer.send(topic, value, key=key, partition=partition, timestamp_ms=timestamp)
        self._sent.append((topic, under_way))
        if len(self._sent) >= _FILLED_AT_ONCE:
            await self.settle()

    async def settle(self) -> None:
        """Wait until all replicas have everything."""
        sent, self._sent = self._sent, []
        for topic, acknowledgement in sent:
            with doing("Write", topic):
                async with asyncio.timeout(_SEND_SECONDS):
                    await acknowledgement

"""The benchmark's dealings with Kafka: topics, filling them, watching them grow, reading them back.

Owns no figure.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.kafka_clients import stop_quietly

Message = tuple[bytes | None, bytes | None]
BATCH_BYTES = 256 * 1024
"""Of the input's batches. The same bytes for every contender."""
FETCH_BYTES = 8 * 1024 * 1024


class Topics:
    """One connection to the broker."""

    def __init__(self, bootstrap: str, admin: AIOKafkaAdminClient, watcher: AIOKafkaConsumer) -> None:
        self.bootstrap = bootstrap
        self._admin = admin
        self._watcher = watcher

    async def create(self, name: str, partitions: int) -> None:
        """A topic with the broker's defaults, there for everybody who asks from now on."""
        await self._admin.create_topics([NewTopic(name, partitions, 1)])
        await self.ends(name, partitions)  # a broker names a new topic only after a moment; this waits for it

    async def delete(self, prefix: str) -> None:
        """All topics whose name begins so."""
        names = [name for name in await self._admin.list_topics() if name.startswith(prefix)]
        if names:
            await self._admin.delete_topics(names)

    async def fill(self, topic: str, content: Mapping[int, Iterable[Message]]) -> None:
        """Produce this, partition by partition."""
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, acks="all", max_batch_size=BATCH_BYTES)
        await producer.start()
        try:
            for partition, messages in content.items():
                rest = iter(messages)
                message = next(rest, None)
                while message is not None:
                    batch = producer.create_batch()
                    while (
                        message is not None
                        and batch.append(key=message[0], value=message[1], timestamp=None) is not None
                    ):
                        message = next(rest, None)
                    batch.close()
                    await producer.send_batch(batch, topic, partition=partition)
            await producer.flush()
        finally:
            await producer.stop()

    async def ends(self, topic: str, partitions: int) -> dict[int, int]:
        """The end offset of each partition."""
        places = [TopicPartition(topic, partition) for partition in range(partitions)]
        return {place.partition: offset for place, offset in (await self._watcher.end_offsets(places)).items()}

    async def committed(self, group: str, topic: str) -> dict[int, int]:
        """What the group has committed there."""
        offsets = await self._admin.list_consumer_group_offsets(group)
        return {place.partition: found.offset for place, found in offsets.items() if place.topic == topic}

    async def last_values(self, topic: str, partitions: int) -> dict[bytes, bytes | None]:
        """The last value of every key, as compaction would leave it."""
        values: dict[bytes, bytes | None] = {}
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=FETCH_BYTES,
            fetch_max_wait_ms=20,
        )
        await consumer.start()
        try:
            ends = {place: offset for place, offset in (await self.ends(topic, partitions)).items() if offset}
            places = {TopicPartition(topic, partition): offset for partition, offset in ends.items()}
            if places:
                consumer.assign(list(places))
                await consumer.seek_to_beginning(*places)
            while places:
                for records in (await consumer.getmany(*places, timeout_ms=500)).values():
                    values.update((record.key, record.value) for record in records if record.key is not None)
                for place in [place for place, end in places.items() if await consumer.position(place) >= end]:
                    del places[place]
                    consumer.pause(place)
        finally:
            await consumer.stop()
        return values


@asynccontextmanager
async def connected(bootstrap: str) -> AsyncIterator[Topics]:
    """Open and close the connection."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    watcher = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await admin.start()
    try:
        await watcher.start()
        try:
            yield Topics(bootstrap, admin, watcher)
        finally:
            await stop_quietly(watcher)
    finally:
        await admin.close()

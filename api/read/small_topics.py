"""Reading a topic of one partition from its beginning, and following it, outside any group: for what is small."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from schemas.kafka import QUICK_MS, Kafka
from schemas.kafka_clients import begun_whole, stop_quietly

_WAIT_MS = 1000

TopicRecords = list[ConsumerRecord[bytes, bytes]]


@asynccontextmanager
async def following(kafka: Kafka, topic: str) -> AsyncIterator[AsyncIterator[tuple[TopicRecords, bool]]]:
    """What lies there and then comes, each with whether all that lay there at first has been read by then.

    Nothing at all where there is no such topic. Raises KafkaError, OSError, TimeoutError.
    """
    consumer = AIOKafkaConsumer(
        **kafka.options(),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=_WAIT_MS,
        request_timeout_ms=QUICK_MS,
    )
    try:
        await begun_whole(consumer.start())
        yield _records(consumer, TopicPartition(topic, 0))
    finally:
        await stop_quietly(consumer)


async def _records(consumer: AIOKafkaConsumer, partition: TopicPartition) -> AsyncIterator[tuple[TopicRecords, bool]]:
    if partition.topic not in await consumer.topics():
        return
    consumer.assign([partition])
    end = (await consumer.end_offsets([partition]))[partition]
    await consumer.seek_to_beginning(partition)
    records: TopicRecords = []
    while True:
        yield records, await consumer.position(partition) >= end
        records = (await consumer.getmany(timeout_ms=_WAIT_MS)).get(partition, [])

"""A topic of deliveries on a real broker: make it, read it back."""

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.deliveries import Delivery, decode_delivery

_PATIENCE_SECONDS = 60.0


async def create_topic(bootstrap: str, topic: str, partitions: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        configs = {"max.message.bytes": str(2 << 20), "retention.ms": "-1"}
        await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs)])
    finally:
        await admin.close()


async def read_all(bootstrap: str, topic: str, partitions: int, wanted: set[str]) -> dict[str, Delivery]:
    """The deliveries of the topic by their ids, once the wanted ones are there."""
    places = [TopicPartition(topic, partition) for partition in range(partitions)]
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign(places)
        found: dict[str, Delivery] = {}
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while not wanted <= found.keys():
                for place, messages in (await consumer.getmany(timeout_ms=200)).items():
                    found |= {
                        f"{place.partition}-{message.offset}": decode_delivery(message.value) for message in messages
                    }
        return found
    finally:
        await consumer.stop()

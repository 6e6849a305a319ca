"""Messages into topics that nobody owns: for processes that are no stages.

Owns an idempotent producer. Does not know what the messages mean.
"""

from collections.abc import Sequence
from typing import Self

from aiokafka import AIOKafkaProducer

from processor.transport.rights import doing
from schemas.kafka import Address, kafka_options
from schemas.kafka_clients import ends_quietly
from schemas.topics import MAX_MESSAGE


class Writer:
    """Use as an async context manager. Raises KafkaError where Kafka does not take a message."""

    def __init__(self, bootstrap: Address) -> None:
        self._producer = AIOKafkaProducer(
            **kafka_options(bootstrap), enable_idempotence=True, acks="all", max_request_size=MAX_MESSAGE
        )

    async def __aenter__(self) -> Self:
        await self._producer.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await ends_quietly(self._producer.stop())

    async def write(self, topic: str, values: Sequence[bytes], key: bytes | None = None) -> None:
        """Store these; come back when all replicas have them."""
        with doing("Write", topic):
            for sent in [await self._producer.send(topic, value, key=key) for value in values]:
                await sent

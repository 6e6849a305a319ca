"""Writes to the topic `access`: keys, codes, devices, what they say and what they are to do.

Owns a producer that is made when it is first needed: most of the time nothing is written.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from api.write.producers import close_producer
from api.write.refusals import REFUSAL, RETRY_AFTER, UnacknowledgedError
from schemas.kafka_clients import begun_whole
from schemas.topics import ACCESS


class AccessLog(Protocol):
    """Where it goes."""

    async def put(self, key: bytes, value: bytes | None) -> None:
        """Store, and return once the broker has acknowledged it. Raises UnacknowledgedError."""


class KafkaAccessLog:
    """The topic `access` in Kafka; a service of the api. `options`: how Kafka's clients reach it."""

    def __init__(self, options: Mapping[str, Any], prefix: str, *, timeout: float) -> None:
        self._options = options
        self._topic = ACCESS.full_name(prefix)
        self._timeout = timeout
        self._producer: AIOKafkaProducer | None = None
        self._beginning = asyncio.Lock()

    async def start(self) -> None:
        """Nothing yet."""

    async def stop(self) -> None:
        """Let go of the producer."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await close_producer(producer)

    async def put(self, key: bytes, value: bytes | None) -> None:
        """Store, and return once the broker has acknowledged it. Raises UnacknowledgedError."""
        try:
            async with asyncio.timeout(self._timeout):
                producer = await self._ready()
                await producer.send_and_wait(self._topic, value, key=key, partition=0)
        except (KafkaError, OSError, TimeoutError):
            # The next one begins anew: this producer may hold a connection to a broker that is gone.
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                await self.stop()
            raise UnacknowledgedError(REFUSAL, retry_after=RETRY_AFTER) from None

    async def _ready(self) -> AIOKafkaProducer:
        async with self._beginning:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    **self._options, client_id="floorcast-access", acks="all", enable_idempotence=True
                )
                try:
                    await begun_whole(producer.start())
                except BaseException:
                    await close_producer(producer)
                    raise
                self._producer = producer
            return self._producer

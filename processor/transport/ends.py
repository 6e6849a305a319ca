"""The end offsets of topics, asked for beside whatever consumes them.

Owns a consumer outside any group that fetches nothing: what it says is true also when the worker's own fetches stand
still. Does not judge.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, KafkaTimeoutError

from processor.transport.shards import StagePartition
from schemas.kafka import QUICK_MS, Address, kafka_options
from schemas.kafka_clients import is_cancelled, stop_quietly
from schemas.kafka_patience import LEAST_SECONDS, limit_waiting

_ASK_SECONDS = 10.0
_CLOSE_SECONDS = 2.0


class LogEnds:
    """Asks when it is asked; connects at the first time."""

    def __init__(self, bootstrap: Address) -> None:
        self._bootstrap = bootstrap
        self._consumer: AIOKafkaConsumer | None = None
        self._was_late = False

    async def ask(self, places: Iterable[StagePartition]) -> dict[StagePartition, int] | None:
        """The end offset of each, exclusive; None if Kafka does not say."""
        partitions = [TopicPartition(topic, partition) for topic, partition in places]
        if not partitions:
            return {}
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                consumer = await self._connected()
                found = await consumer.end_offsets(partitions)
        except (KafkaError, OSError, TimeoutError, ValueError) as error:  # ValueError: the topic is unknown by now
            # It knows which broker says nothing, which another one would have to find out: it has a second try.
            is_late = isinstance(error, TimeoutError | KafkaTimeoutError)
            if self._was_late or not is_late:
                await self.close()
            self._was_late = is_late and not self._was_late
            return None
        except asyncio.CancelledError:
            if is_cancelled():
                raise
            await self.close()
            return None
        self._was_late = False
        return {(tp.topic, tp.partition): offset for tp, offset in found.items()}

    async def close(self) -> None:
        """Let go of the connection; the next question makes a new one."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await _stop(consumer)

    async def _connected(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                **kafka_options(self._bootstrap), enable_auto_commit=False, request_timeout_ms=QUICK_MS
            )
            limit_waiting(consumer._client, LEAST_SECONDS)
            try:
                await consumer.start()
            except BaseException:
                await _stop(consumer)
                raise
            self._consumer = consumer
        return self._consumer


async def _stop(consumer: AIOKafkaConsumer) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await stop_quietly(consumer)

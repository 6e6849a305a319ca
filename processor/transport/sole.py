"""Being the only process of a name: whoever comes second learns it before it does anything.

Owns the membership in a consumer group of Kafka, which is all that says who is there: a process that was killed is
gone once its session is over. What a paused process still writes is the affair of its named producer (owner.py).
"""

import asyncio
import time
from typing import Self

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor

from processor.transport.administration import has_members
from schemas.kafka import Address, kafka_options
from schemas.kafka_clients import stop_quietly

SESSION_SECONDS = 6.0
"""The least that Kafka takes as it stands: so long a process that was killed keeps its place."""
_PATIENCE_SECONDS = SESSION_SECONDS + 5.0
_BETWEEN_LOOKS_SECONDS = 0.5
_JOIN_SECONDS = 30.0


class OwnedError(Exception):
    """Another process of this name runs."""


class Sole:
    """A place that one process can have. Use as an async context manager: entering raises OwnedError, KafkaError."""

    def __init__(self, bootstrap: Address, *, group: str, topic: str) -> None:
        """`topic`: one of a single partition; who is given it has the place. Nothing is read from it here."""
        self._bootstrap = bootstrap
        self._group = group
        self._topic = topic
        self._given = asyncio.Event()
        self.lost = asyncio.Event()
        """Set once the place is another's."""
        self._consumer: AIOKafkaConsumer = None  # until the place is free

    async def __aenter__(self) -> Self:
        await self._until_free()
        consumer = self._consumer = AIOKafkaConsumer(
            **kafka_options(self._bootstrap),
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="latest",
            session_timeout_ms=int(SESSION_SECONDS * 1000),
            heartbeat_interval_ms=int(SESSION_SECONDS * 200),
            # Nothing is ever read: being there is all.
            max_poll_interval_ms=2**31 - 1,
            rebalance_timeout_ms=int(SESSION_SECONDS * 1000),
            partition_assignment_strategy=(StickyPartitionAssignor,),
        )
        try:
            await consumer.start()
            consumer.subscribe([self._topic], listener=_Listener(self._given, self.lost))
            async with asyncio.timeout(_JOIN_SECONDS):
                await self._first_assignment()
        except TimeoutError:
            await stop_quietly(consumer)
            msg = f"{self._group}: another process has come first"
            raise OwnedError(msg) from None
        except BaseException:
            await stop_quietly(consumer)
            raise
        consumer.pause(TopicPartition(self._topic, 0))
        return self

    async def __aexit__(self, *_error: object) -> None:
        await stop_quietly(self._consumer)

    async def _first_assignment(self) -> None:
        await self._given.wait()
        if self.lost.is_set():
            raise TimeoutError

    async def _until_free(self) -> None:
        """Wait as long as one that was killed may still be a member. Raises OwnedError."""
        ends = time.monotonic() + _PATIENCE_SECONDS
        while await has_members(self._bootstrap, self._group):
            if time.monotonic() > ends:
                msg = f"{self._group}: another process of this name runs"
                raise OwnedError(msg)
            await asyncio.sleep(_BETWEEN_LOOKS_SECONDS)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, given: asyncio.Event, lost: asyncio.Event) -> None:
        self._given = given
        self._lost = lost

    def on_partitions_revoked(self, revoked: object) -> None:
        pass

    def on_partitions_assigned(self, assigned: "set[TopicPartition]") -> None:
        if not assigned:
            self._lost.set()
        self._given.set()

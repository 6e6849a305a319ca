"""Kafka's own gap: for how long no client could have written, however quick it is.

Owns a topic beside floorcast's, with as many partitions and copies, and a client that tries each of them several times
a second, gives each try half a second, and looks anew who leads after a failed one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from itertools import pairwise
from types import TracebackType
from typing import Self

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.structs import TopicPartition

_TOPIC = "yardstick"
_TRY_MS = 500
_EACH_SECONDS = 0.1
_ALL_COPIES = -1


class Yardstick:
    """Writes all the time. Use as an async context manager."""

    def __init__(self, address: str, partitions: int, copies: int) -> None:
        self._address = address
        self._partitions, self._copies = partitions, copies
        self._taken: list[float] = []
        self._client = AIOKafkaClient(bootstrap_servers=address, request_timeout_ms=_TRY_MS, retry_backoff_ms=50)
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._address)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(_TOPIC, self._partitions, self._copies)])
        finally:
            await admin.close()
        await self._client.bootstrap()
        self._client.add_topic(_TOPIC)
        self._tasks = [asyncio.create_task(self._write(partition)) for partition in range(self._partitions)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.close()

    def gap(self, since: float, until: float) -> float:
        """The longest time in between in which nothing was acknowledged."""
        return longest_gap(self._taken, since, until)

    async def _write(self, partition: int) -> None:
        while True:
            if await self._is_taken(partition):
                self._taken.append(time.monotonic())
            else:
                await self._client.force_metadata_update()
            await asyncio.sleep(_EACH_SECONDS)

    async def _is_taken(self, partition: int) -> bool:
        leader = self._client.cluster.leader_for_partition(TopicPartition(_TOPIC, partition))
        if leader is None or leader < 0:
            return False
        batch = DefaultRecordBatchBuilder(
            magic=2, compression_type=0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1,
            batch_size=1024,
        )  # fmt: skip
        batch.append(0, timestamp=int(time.time() * 1000), key=None, value=b"tick", headers=[])
        request = ProduceRequest(None, _ALL_COPIES, _TRY_MS, [(_TOPIC, [(partition, bytes(batch.build()))])])
        try:
            answer = await self._client.send(leader, request)
        except (KafkaError, OSError, TimeoutError):
            return False
        ((_, (result,)),) = answer.topics
        return bool(result[1] == 0)


def longest_gap(instants: Iterable[float], since: float, until: float) -> float:
    """Between two that follow each other, or an edge of the time that is looked at."""
    points = [since, *sorted(at for at in instants if since < at < until), until]
    return max(later - earlier for earlier, later in pairwise(points))

"""Faust's Kafka consumer, bent to one event per fetched batch of a partition.

Owns fetching, the position after a rebalance and the arithmetic of acknowledged offsets. Does not own what becomes of
a batch.

Faust's own pipeline costs 97 µs an event, whatever the event is, so here an event is a whole batch: everything above
the consumer (conductor, stream, ack, commit, generation check) works once per batch.

Private names used, all in faust-streaming 0.15.3 unless said otherwise:
`AIOKafkaConsumerThread._create_worker_consumer`, `._consumer`; `Consumer._new_consumer_thread`, `._getmany`,
`._wait_next_records`, `._get_active_partitions`, `._new_offset`, `._add_gap`, `._acked`, `._acked_index`,
`._committed_offset`; aiokafka 0.14.0: `AIOKafkaConsumer._fetch_max_wait_ms`, `._fetcher._fetch_max_wait_ms`,
`._fetcher._prefetch_backoff`, `._coordinator._coordination_task`.
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import faust
from aiokafka import AIOKafkaConsumer
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from processor.transport.fail_stop import FAILED

EMPTY_WAIT_SECONDS = 0.02

DRAIN_SECONDS = 0.005
"""So long a fetch waits for what the last one brought to be taken. aiokafka leaves out partitions that are not drained
yet: a fetch sent at once leaves out just those that are busy, and they wait until it returns, which with 50 ms a fetch
was 15 ms of the median for each stage at 1,000 events/s. aiokafka's own 100 ms stop a broker for one slow partition."""


class Batch:
    """Records of one partition, dressed up for Faust as a single one whose offset is that of the last."""

    __slots__ = (
        "checksum",
        "headers",
        "key",
        "offset",
        "partition",
        "serialized_key_size",
        "serialized_value_size",
        "timestamp",
        "timestamp_type",
        "topic",
        "value",
    )

    def __init__(self, records: list[Any]) -> None:
        last = records[-1]
        self.topic = last.topic
        self.partition = last.partition
        self.offset = last.offset
        self.timestamp = last.timestamp
        self.timestamp_type = last.timestamp_type
        self.headers = ()
        self.key = None
        self.value = records
        self.checksum = None
        self.serialized_key_size = 0
        self.serialized_value_size = 0


class BatchSchema(faust.Schema[Any, Any]):
    """Hands the records on as they are; the shard decodes."""

    def loads_key(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> Any:
        return message.key

    def loads_value(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> Any:
        return message.value


class BatchThread(driver.AIOKafkaConsumerThread):
    """The thread that fetches."""

    def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # Faust hard-codes 1500 ms. aiokafka has one fetch per node in flight, so a long poll for idle partitions
        # holds back the busy ones: p95 1602 ms against 36 ms.
        consumer._fetch_max_wait_ms = cast(BatchTransport, transport).fetch_wait_ms
        return consumer

    async def on_start(self) -> None:
        await super().on_start()
        assert self._consumer is not None
        self._consumer._fetcher._prefetch_backoff = DRAIN_SECONDS
        self._consumer._coordinator._coordination_task.add_done_callback(self._on_coordination_end)

    def _on_coordination_end(self, task: "asyncio.Task[None]") -> None:
        # aiokafka gives up for good on what it did not expect of a broker that is just starting, and Faust never asks:
        # the worker would live on without partitions.
        if not task.cancelled() and (error := task.exception()) is not None:
            cast(Any, self.app).die(FAILED, f"the coordination of the group failed: {error!r}", error=error)

    def wait_at_most(self, milliseconds: int) -> None:
        """How long the broker may hold back the fetches to come while there is nothing."""
        if self._consumer is not None:
            self._consumer._fetcher._fetch_max_wait_ms = milliseconds


class BatchConsumer(driver.Consumer):
    """Faust's consumer, delivering batches."""

    transport: "BatchTransport"

    def _new_consumer_thread(self) -> BatchThread:
        return BatchThread(self, loop=self.loop, beacon=self.beacon)

    async def _wait_next_records(self, timeout: float) -> tuple[Any, Any]:
        # Faust sleeps a whole second when every partition's buffer is full, although they are drained in a tenth of it.
        if self.flow_active and not self._get_active_partitions():
            await self.sleep(EMPTY_WAIT_SECONDS)
            return {}, set()
        return await super()._wait_next_records(timeout)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        fetched = await super()._getmany(active_partitions, timeout)
        most, thread = self.transport.batch_max, cast(BatchThread, self._thread)
        # While batches come, some partitions are left out of any fetch, so it must be short; when none come, none is
        # left out, and a hundred fetches a second would be a tenth of a core for nothing.
        thread.wait_at_most(self.transport.fetch_wait_ms if fetched else self.transport.idle_fetch_wait_ms)
        return {
            tp: [Batch(records[i : i + most]) for i in range(0, len(records), most)] for tp, records in fetched.items()
        }

    async def perform_seek(self) -> None:
        """Seek to what is committed, and to the beginning where nothing is.

        aiokafka's `seek_to_committed` leaves the position where it is if nothing is committed, and Faust throws away
        what was fetched during a recovery. So with a new group, a partition kept over a rebalance lost those records.
        """
        tps = self.assignment()
        beginnings = await self.earliest_offsets(*tps)
        await super().perform_seek()
        for tp in tps:
            committed = self._committed_offset.get(tp) or 0
            beginning = beginnings[tp]
            if committed < max(beginning, 1):
                await self.seek(tp, beginning)
            self.transport.on_seek(tp, max(committed, beginning))

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Nothing: Faust takes the step from one batch to the next for a hole left by compaction."""

    def _new_offset(self, tp: TP) -> int | None:
        """Give the offset to commit. A partition has one stream that acks in order, so it follows the last one acked.

        Faust's own looks for consecutive offsets, which batches don't have, and can run past an event in flight (#606).
        """
        acked = self._acked[tp]
        if not acked:
            return None
        last = max(acked)
        acked.clear()
        self._acked_index[tp].clear()
        return last + 1


def _nowhere(tp: TP, offset: int) -> None:
    """Nobody wants to know."""


class BatchTransport(driver.Transport):
    """What `faust.App.transport` is set to. All topics of such an app are read in batches."""

    Consumer = BatchConsumer
    fetch_wait_ms: int = 10
    idle_fetch_wait_ms: int = 50
    batch_max: int = 4000
    on_seek: Callable[[TP, int], None] = staticmethod(_nowhere)

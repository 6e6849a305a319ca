"""Faust's Kafka consumer, bent to one event per batch of a partition.

Owns fetching, the delivery of batches, the position after a rebalance and the arithmetic of acknowledged offsets. Does
not own what becomes of a batch.

Faust's own pipeline costs 97 µs an event, whatever the event is, so here an event is a whole batch: everything above
the consumer (conductor, stream, ack, commit, generation check) works once per batch. And the thread that fetches takes
what came at once, where Faust's takes it when the main loop asks: until then aiokafka leaves the partition out of its
fetches. A record waited for its stage 20 ms by that at 1,000 events/s, and waits 4 now.

Private names used, all in faust-streaming 0.15.3 unless said otherwise:
`AIOKafkaConsumerThread._create_worker_consumer`, `._consumer`, `._fetch_records`; `Consumer._new_consumer_thread`,
`._drain_messages`, `._active_partitions`, `._read_offset`, `._new_offset`, `._add_gap`, `._acked`, `._acked_index`,
`._committed_offset`; aiokafka 0.14.0: `AIOKafkaConsumer._fetch_max_wait_ms`, `._client`, `._fetcher._prefetch_backoff`,
`._fetcher._create_fetch_waiter`, `._fetcher._max_partition_fetch_bytes`,
`._fetcher._subscriptions.reassignment_in_progress`, `._coordinator`, `._coordinator._coordination_task`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import faust
from aiokafka import AIOKafkaConsumer
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode import ServiceT

from processor.transport.drained import Drained, fetch_bytes
from processor.transport.fail_stop import FAILED
from processor.transport.unjoined import close_coordinator
from schemas.kafka_clients import FetchPace, ends_quietly, stop_quietly
from schemas.kafka_patience import limit_waiting, patience
from schemas.kafka_refusals import missing_right

STANDING_SECONDS = 0.02
"""Between two looks whether the flow goes on."""

LOOK_SECONDS = 0.1
"""Between two looks whether there is something to do, should nobody say so."""

FETCH_WAIT_MS = 50
FETCH_SECONDS = 4.0
"""So long a broker that says nothing is waited for: half as long as Kafka takes to elect others for what it led."""
DRAIN_SECONDS = 0.005
"""So long a fetch waits for what the last one brought to be taken. aiokafka leaves out partitions that are not drained
yet, and they wait until that fetch returns; its own 100 ms stop a broker for one partition that is full."""


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
    """The thread that fetches, and takes what it fetched at once."""

    consumer: "BatchConsumer"

    def __init__(self, consumer: "BatchConsumer", *, drained: Drained, **rest: Any) -> None:
        super().__init__(consumer, **rest)
        self.error: BaseException | None = None
        """What fetching came to an end by."""
        self._drained = drained
        self._pace: FetchPace | None = None
        self._seeking = 0
        """Seeks under way; counted in the main loop, read in the thread."""
        self._arrival: asyncio.Future[None] | None = None

    def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # Faust hard-codes 1500 ms, for which a partition of which nothing was taken yet would not be asked for.
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        group_seconds = patience(self.app.conf.broker_session_timeout)
        limit_waiting(consumer._client, min(FETCH_SECONDS, group_seconds), coordinator_seconds=group_seconds)
        return consumer

    async def on_start(self) -> None:
        await super().on_start()
        assert self._consumer is not None
        self._consumer._fetcher._prefetch_backoff = DRAIN_SECONDS
        self._pace = FetchPace(self._consumer, FETCH_WAIT_MS)
        self._consumer._coordinator._coordination_task.add_done_callback(self._on_coordination_end)
        self.add_future(self._drain())

    async def on_thread_stop(self) -> None:
        """Called in the thread at the end.

        In an outage the consumer's stop may raise a CancelledError of its own making. Faust takes it for nothing: the
        thread ended without a word, and the worker waited a minute for it.
        """
        if self._consumer is not None and self._consumer._coordinator is not None:
            await close_coordinator(self._consumer._coordinator)
        await ends_quietly(super().on_thread_stop())
        if self._consumer is not None:
            await stop_quietly(self._consumer)

    def _on_coordination_end(self, task: "asyncio.Task[None]") -> None:
        # aiokafka gives up for good on what it did not expect of a broker that is just starting, and Faust never asks:
        # the worker would live on without partitions.
        if not task.cancelled() and (error := task.exception()) is not None:
            cast(Any, self.app).die(FAILED, f"the coordination of the group failed: {error!r}", error=error)

    def look(self) -> None:
        """Look again what may be taken: there is room, or the flow goes on. Called in the main loop."""
        self.thread_loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    @asynccontextmanager
    async def seeking(self) -> AsyncIterator[None]:
        """Forget what was taken, and take nothing more until the end. Entered in the main loop.

        A rebalance cancels whoever seeks for the one before it, at any point. So the count is kept here: kept in the
        thread, a cancellation while the thread had counted and nobody knew it left a worker that took nothing ever
        again, without a word.
        """
        self._seeking += 1
        try:
            await self.call_thread(self._forget)
            yield
        finally:
            self._seeking -= 1
            self.look()

    async def _forget(self) -> None:
        self._drained.clear()

    async def _drain(self) -> None:
        """Take what the fetcher has as long as anybody may have it.

        What is taken counts as read, and would be lost while the flow stands or a seek is under way. So this never
        waits within `fetched_records`: when that returned, the flow could stand.
        """
        assert self._consumer is not None
        fetcher = self._consumer._fetcher
        while not self.should_stop:
            self._arrival = fetcher._create_fetch_waiter()
            try:
                await self._take()
                await asyncio.wait([self._arrival], timeout=LOOK_SECONDS)
                if self._arrival.done():
                    self._arrival.result()  # an error of the group
            except Exception as error:  # the main loop raises it, as with Faust's own thread
                if missing_right(None, error):  # without it there is nothing to deliver, so nobody would look
                    cast(Any, self.app).die(FAILED, "Kafka refuses to be read", error=error)
                self.error = error
                self.consumer.on_arrival()
                return
            finally:
                self._arrival.cancel()

    async def _take(self) -> None:
        assert self._consumer is not None
        assert self._pace is not None
        is_standing = self._seeking or not self.consumer.flow_active
        if is_standing or self._consumer._fetcher._subscriptions.reassignment_in_progress:
            self._pace.note(has_come=True)  # what is assigned or sought next should not wait for a fetch of before
            return
        unpaused = self.consumer.unpaused()
        self._consumer._fetcher._max_partition_fetch_bytes = fetch_bytes(len(unpaused))
        wanted = self._drained.with_room(unpaused)
        fetched = await self._fetch_records(self._consumer, wanted, timeout=0) if wanted else {}
        self._pace.note(has_come=bool(fetched) or wanted != unpaused)
        if fetched:
            self._drained.put(fetched)


class BatchConsumer(driver.Consumer):
    """Faust's consumer, delivering batches."""

    transport: "BatchTransport"
    _thread: BatchThread

    def _new_consumer_thread(self) -> BatchThread:
        self._arrived = asyncio.Event()
        self._at_work: set[TP] = set()
        """Partitions of which a batch was delivered and is not acked."""
        self._drained = Drained(on_arrival=self.on_arrival, on_room=self._look)
        return BatchThread(self, drained=self._drained, loop=self.loop, beacon=self.beacon)

    def _look(self) -> None:
        self._thread.look()

    def on_arrival(self) -> None:
        """Called in the fetching thread."""
        self.loop.call_soon_threadsafe(self._arrived.set)

    def unpaused(self) -> set[TP]:
        """The partitions to be read; may be asked in another thread."""
        return set(self._active_partitions)

    def resume_flow(self) -> None:
        super().resume_flow()
        self._thread.look()

    def ack(self, message: Any) -> bool:
        acked = super().ack(message)
        self._at_work.discard(message.tp)
        self._arrived.set()  # what came meanwhile is the next batch
        return acked

    async def _drain_messages(self, fetcher: ServiceT) -> None:
        """Deliver, until the end. In place of Faust's, which costs four tasks a batch."""
        try:
            while not (self.should_stop or fetcher.should_stop):
                await self._deliver()
        except asyncio.CancelledError:
            # In a rebalance Faust takes a cancellation for a reason to start this anew, also at the end.
            if not self.transport.app.should_stop:
                raise
        except self.consumer_stopped_errors:
            if not self.transport.app.should_stop:
                raise

    async def _deliver(self) -> None:
        self._arrived.clear()
        if (error := self._thread.error) is not None:
            raise error
        app = self.app
        # Faust's flow control stands longer than the consumer's flow; it would hold a batch back over a seek.
        if not self.flow_active or not app.flow_control.is_active():
            await asyncio.sleep(STANDING_SECONDS)
            return
        generation = app.consumer_generation_id
        taken = self._drained.take(self._active_partitions - self._at_work, self.transport.batch_max)
        for tp, records in taken.items():
            if not self.flow_active or generation != app.consumer_generation_id:
                return  # a seek to what is committed follows
            batch = Batch(records)
            self._at_work.add(tp)
            await self.callback(self._to_message(tp, batch))
            self._read_offset[tp] = batch.offset
        if not taken:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._arrived.wait()

    async def perform_seek(self) -> None:
        """Seek to what is committed, and to the beginning where nothing is.

        aiokafka's `seek_to_committed` leaves the position where it is if nothing is committed, and Faust throws away
        what was fetched during a recovery. So with a new group, a partition kept over a rebalance lost those records.
        """
        async with self._thread.seeking():
            tps = self.assignment()
            beginnings = await self.earliest_offsets(*tps)
            await super().perform_seek()
            for tp in tps:
                committed = self._committed_offset.get(tp) or 0
                beginning = beginnings[tp]
                if committed < max(beginning, 1):
                    await self.seek(tp, beginning)
                self.transport.on_seek(tp, max(committed, beginning))
            self._at_work.clear()

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
    batch_max: int = 4000
    on_seek: Callable[[TP, int], None] = staticmethod(_nowhere)

"""One producer of Kafka from its start until it is dropped: batches of our own, one under way at a time.

Owns the batches, the deadlines of deliveries, and the answers to who waits. An idempotent producer of aiokafka never
gives a message up: it sends it again for as long as it lives. So a refused delivery counts against the bound until the
producer has really let go of it, and a producer that gets nothing acknowledged for long is of no more use.

A leader that hangs, or waits for a follower that does, must not hold up what others would take. So a batch that is late
is left to itself, and the next one goes to a partition of another leader (decision 0131).
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from itertools import chain

import structlog
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from api.write.limits import Budget
from api.write.pending import PendingBatch, PendingDelivery
from api.write.producers import close_producer
from schemas.tracing import Headers

log = structlog.get_logger("api")

TOO_LARGE = "the delivery was not stored: it is larger than max.message.bytes of the topic {topic}"
_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
KNOCKERS = 16
"""So many deliveries may wait while Kafka acknowledges nothing; the rest is refused at once. So the first that is
stored again is one that somebody still waits for."""
_LATE = 0.2
"""Share of a delivery's time after which its batch is late."""
_USELESS = 4.0
"""So many times as long as a delivery's time without an acknowledgement, and another producer is tried."""
_BETWEEN_LOOKS_SECONDS = 0.2
_UNBOUNDED = 1 << 40
_LEAST = 1 << 10
# The loop turns so often until aiokafka has written a request. If another batch waits, its request leaves first and the
# answers to the last one are written while Kafka works on it. Where nothing waits there is nothing to be late for.
_TURNS = 6


class ProducerSession:
    """One producer from its start until it is dropped.

    One produce request is under way at a time; what arrives meanwhile waits and is the next batch. So deliveries gather
    by themselves under load, and one that comes alone goes at once. Only where a request is late another one goes to
    another leader.
    """

    def __init__(
        self,
        producer: AIOKafkaProducer,
        topic: str,
        *,
        timeout: float,
        budget: Budget,
        renew: Callable[[], Awaitable[AIOKafkaProducer | None]] | None = None,
    ) -> None:
        """`renew`: makes another producer where this one has come out of step; None: it cannot."""
        self._producer = producer
        self._renew = renew
        self._most = _UNBOUNDED
        """Bytes of messages in a batch of several."""
        self._closing: set[asyncio.Task[None]] = set()
        self.stored = 0
        """Batches that Kafka has acknowledged."""
        self.refused_at: float | None = None
        """When somebody was last refused who had waited in vain (monotonic seconds); None: acknowledged since."""
        self._topic = topic
        self._timeout = timeout
        self._budget = budget
        self._loop = asyncio.get_running_loop()
        self._acknowledged_at = self._loop.time()
        self._waiting: deque[PendingDelivery] = deque()
        self._something_waits = asyncio.Event()
        self._late: list[PendingBatch] = []
        self._too_large: list[PendingBatch] = []
        """Those that were late when Kafka refused them: to be taken apart before the next one is sent."""
        self._under_way: PendingBatch | None = None
        """The one that is not late."""
        self._freed = asyncio.Event()
        self._expiring: asyncio.TimerHandle | None = None
        # Batches that are stored.
        self._unanswered = 0
        self._flushed: asyncio.Future[None] | None = None
        self._spread: dict[int, int] = {}
        self._over: asyncio.Future[str] = self._loop.create_future()
        self._sending = asyncio.create_task(self._send(), name="ingest-send")

    @property
    def is_over(self) -> bool:
        """Whether nothing is sent any more."""
        return self._over.done()

    @property
    def is_stalled(self) -> bool:
        """Whether somebody has waited in vain and nothing was acknowledged since, or nothing ever will be."""
        return self.refused_at is not None or self.is_over

    @property
    def has_room(self) -> bool:
        """Whether one more delivery may wait."""
        return not self.is_over and (self.refused_at is None or len(self._waiting) < KNOCKERS)

    async def lost(self) -> str:
        """Wait until this producer is of no more use, or seems to be: why. One that is not over may still recover."""
        while not self._over.done():
            await asyncio.wait({self._over}, timeout=_BETWEEN_LOOKS_SECONDS)
            is_useless = self._late and self._loop.time() - self._waits_since() > _USELESS * self._timeout
            if is_useless and self.is_stalled:
                return f"nothing acknowledged for {_USELESS * self._timeout:g} s"
        return self._over.result()

    def store(self, message: bytes, headers: Headers = ()) -> "asyncio.Future[str]":
        """Send with the next batch; gives what will become of it.

        The message was taken from the budget, to which it is given back once the producer holds it no more.
        """
        stored: asyncio.Future[str] = self._loop.create_future()
        now = self._loop.time()
        self._waiting.append(PendingDelivery(message, stored, now, headers))
        self._something_waits.set()
        if self._expiring is None:
            self._expiring = self._loop.call_at(now + self._timeout, self._expire)
        return stored

    @property
    def _held(self) -> Iterator[PendingDelivery]:
        """What the producer holds, the oldest first."""
        current = [] if self._under_way is None else [self._under_way]
        return chain.from_iterable(batch.deliveries for batch in (*self._late, *self._too_large, *current))

    @property
    def _owes(self) -> bool:
        """Whether somebody has not been answered."""
        return self._unanswered > 0 or any(not d.stored.done() for d in chain(self._held, self._waiting))

    async def flush(self, seconds: float) -> None:
        """Wait a moment for what is under way."""
        if self._owes:
            self._flushed = self._loop.create_future()
            await asyncio.wait({self._flushed}, timeout=seconds)

    async def drop(self) -> None:
        """Let go of the producer and of everything it still holds."""
        self._end("dropped")
        self._sending.cancel()
        await close_producer(self._producer)
        # Nobody will ever finish what it held.
        for batch in (*self._late, *self._too_large, *([self._under_way] if self._under_way else [])):
            batch.storing.cancel()
            self._give_back(batch.deliveries)
        self._late, self._too_large, self._under_way = [], [], None
        # It may be making another one.
        await asyncio.wait({self._sending, *self._closing})

    def _end(self, reason: str) -> None:
        """Send nothing more, and answer all that wait. What the producer does not hold yet will not be sent either."""
        if not self._over.done():
            self._over.set_result(reason)
        if self._expiring is not None:
            self._expiring.cancel()
            self._expiring = None
        waiting = [*self._waiting]
        self._waiting.clear()
        self._something_waits.clear()
        self._give_back(waiting)
        for delivery in chain(self._held, waiting):
            delivery.refuse()
        self._note_flushed()

    def _waits_since(self) -> float:
        return max(self._acknowledged_at, min(batch.sent for batch in self._late))

    def _expire(self) -> None:
        """Refuse who has waited long enough; be called again when the next one has."""
        self._expiring = None
        long_ago = self._loop.time() - self._timeout
        first: float | None = None
        for delivery in chain(self._held, self._waiting):
            if delivery.stored.done():
                continue
            if delivery.arrived <= long_ago:
                delivery.refuse()
                if self._acknowledged_at <= delivery.arrived:
                    if self.refused_at is None:
                        log.warning("producer.stalled", topic=self._topic)
                    self.refused_at = time.monotonic()
            elif first is None or delivery.arrived < first:
                first = delivery.arrived
        while self._waiting and self._waiting[0].arrived <= long_ago:
            self._give_back([self._waiting.popleft()])
        self._note_waiting()
        if first is not None:
            self._expiring = self._loop.call_at(first + self._timeout, self._expire)
        self._note_flushed()

    async def _send(self) -> None:
        """Batch after batch, until the producer is of no more use."""
        reason: str | None = None
        try:
            while reason is None:
                await self._something_waits.wait()
                self._freed.clear()
                if self._too_large:
                    reason = await self._take_apart(self._too_large.pop())
                elif (partition := self._choose()) is None:
                    # Or until the leaders are others.
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_BETWEEN_LOOKS_SECONDS):
                            await self._freed.wait()
                elif self._waiting:
                    reason = await self._send_batch(partition)
        finally:
            self._end(reason or "ended")

    async def _send_batch(self, partition: int) -> str | None:
        """Send what waits, until it is stored or late. If the producer is of no more use: why."""
        builder, deliveries = self._pack()
        size = sum(len(delivery.message) for delivery in deliveries)
        self._spread[partition] += size
        storing = asyncio.create_task(self._store(builder, partition))
        batch = PendingBatch(self._producer, partition, deliveries, size, self._loop.time(), storing)
        self._under_way = batch
        await asyncio.wait({storing}, timeout=_LATE * self._timeout)
        if not storing.done():
            self._under_way = None
            batch.leader = self._leader(partition)
            self._late.append(batch)
            storing.add_done_callback(partial(self._on_late_end, batch))
            return None
        failure = batch.failure
        if failure is None:
            self._under_way = None
            self._acknowledge(batch)
            return None
        if isinstance(failure, _TOO_LARGE):
            self._under_way = None
            return await self._take_apart(batch)
        return self._name(failure)

    def _on_late_end(self, batch: PendingBatch, _storing: "asyncio.Task[RecordMetadata]") -> None:
        failure = batch.failure
        if self.is_over:
            return
        if failure is None:
            self._late.remove(batch)
            self._acknowledge(batch)
        elif isinstance(failure, _TOO_LARGE):
            self._late.remove(batch)
            self._too_large.append(batch)
            self._note_waiting()
        elif batch.producer is not self._producer:
            # Another one goes on, of which this says nothing.
            self._late.remove(batch)
            self._send_again(batch)
            self._note_waiting()
        else:
            self._end(self._name(failure))
        self._freed.set()

    def _name(self, failure: BaseException) -> str:
        """Of what made the producer useless.

        A message refused for good leaves a gap in the sequence, after which the broker refuses all that follow.
        """
        if isinstance(failure, asyncio.CancelledError):
            return "cancelled by the library"
        if not isinstance(failure, KafkaError):
            log.error("producer.failed", topic=self._topic, exc_info=failure)
        return type(failure).__name__

    def _acknowledge(self, batch: PendingBatch) -> None:
        """Let go of a batch that is stored, and answer who is in it."""
        self._give_back(batch.deliveries)
        self.stored += 1
        self._acknowledged_at = self._loop.time()
        if self.refused_at is not None:
            self.refused_at = None
            log.info("producer.recovered", topic=self._topic)
        self._unanswered += 1
        self._answer(batch.deliveries, batch.storing.result(), turns=_TURNS if self._waiting else 0)

    async def _take_apart(self, batch: PendingBatch) -> str | None:
        """Refuse a message that is too large for its topic; send those again that were only together with it.

        Like any message refused for good it leaves a gap in the sequence, so another producer goes on. What arrives
        meanwhile waits. If there is no other: why this one is of no more use.
        """
        held = batch.deliveries
        if len(held) == 1:
            log.warning("delivery.too_large", topic=self._topic, bytes=batch.size)
            self._give_back(held)
            held[0].refuse(TOO_LARGE.format(topic=self._topic))
        else:
            self._most = max(_LEAST, min(self._most, batch.size) // 2)
            # If one of them is too large by itself, the largest is. One by one the others would wait for too long.
            max(held, key=lambda delivery: len(delivery.message)).goes_alone = True
            self._send_again(batch)
        self._note_waiting()
        producer = None if self._renew is None else await self._renew()
        if producer is None:
            return type(batch.failure).__name__
        closing = asyncio.create_task(self._close(self._producer, [*self._late]), name="ingest-close")
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        self._producer = producer
        return None

    def _send_again(self, batch: PendingBatch) -> None:
        """Let those wait once more, before all others, who have not waited in vain meanwhile."""
        held = batch.deliveries
        self._give_back([delivery for delivery in held if delivery.stored.done()])
        self._waiting.extendleft(delivery for delivery in reversed(held) if not delivery.stored.done())

    async def _close(self, producer: AIOKafkaProducer, late: Sequence[PendingBatch]) -> None:
        """Let go of a producer once what it may still store is stored, or refused."""
        if late:
            await asyncio.wait([batch.storing for batch in late])
        await close_producer(producer)

    def _answer(self, held: list[PendingDelivery], stored: RecordMetadata, turns: int) -> None:
        """Answer an acknowledged batch after so many turns of the loop, all of it within one callback."""
        if turns:
            self._loop.call_soon(self._answer, held, stored, turns - 1)
            return
        self._unanswered -= 1
        for offset, delivery in enumerate(held, stored.offset):
            delivery.accept(f"{stored.partition}-{offset}")
        self._note_flushed()

    def _pack(self) -> tuple[BatchBuilder, list[PendingDelivery]]:
        """Move what waits into a batch, as much as goes in; the first always does."""
        batch, held = self._producer.create_batch(), list[PendingDelivery]()
        waiting, size = self._waiting, 0
        while waiting:
            first = waiting[0]
            if batch.append(timestamp=None, key=None, value=first.message, headers=[*first.headers]) is None:
                break
            size += len(first.message)
            held.append(waiting.popleft())
            if first.goes_alone or not waiting or waiting[0].goes_alone:
                break
            if size + len(waiting[0].message) > self._most:
                break
        self._note_waiting()
        return batch, held

    async def _store(self, batch: BatchBuilder, partition: int) -> RecordMetadata:
        acknowledgement = await self._producer.send_batch(batch, self._topic, partition=partition)
        return await acknowledgement

    def _note_waiting(self) -> None:
        (self._something_waits.set if self._waiting or self._too_large else self._something_waits.clear)()

    def _note_flushed(self) -> None:
        if self._flushed is not None and not self._flushed.done() and not self._owes:
            self._flushed.set_result(None)

    def _give_back(self, deliveries: Sequence[PendingDelivery]) -> None:
        self._budget.give_back(sum(len(delivery.message) for delivery in deliveries), count=len(deliveries))

    def _choose(self) -> int | None:
        """The partition that has been given the fewest bytes: batches differ in size, and may do so in turn.

        Not of a leader from which a late batch has no answer; None where all are such.
        """
        cluster = self._producer.client.cluster
        # Those with a leader; if none has one, any will do to find out.
        known = cluster.available_partitions_for_topic(self._topic) or cluster.partitions_for_topic(self._topic) or {0}
        if known != self._spread.keys():
            # Counted anew: one that is back must not take everything until it has caught up.
            self._spread = dict.fromkeys(sorted(known), 0)
        if not self._late:
            return min(self._spread, key=self._spread.__getitem__)
        late, leaders = {batch.partition for batch in self._late}, {batch.leader for batch in self._late}
        free = [each for each in self._spread if each not in late and self._leader(each) not in leaders]
        return min(free, key=self._spread.__getitem__, default=None)

    def _leader(self, partition: int) -> int | None:
        leader: int | None = self._producer.client.cluster.leader_for_partition(TopicPartition(self._topic, partition))
        return leader

"""One producer of Kafka from its start until it is dropped: batches of our own, one under way at a time.

Owns the batches, their deadline, and the answers to who waits. An idempotent producer of aiokafka never gives a message
up: it sends it again for as long as it lives. So a refused delivery counts against the bound until the producer has
really let go of it, and a producer that gets nothing acknowledged for a while is of no more use.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from api.write.limits import Budget
from api.write.refusals import UnacknowledgedError
from schemas.tracing import Headers

log = structlog.get_logger("api")

RETRY_AFTER = 2
REFUSAL = "the delivery was not stored: Kafka does not acknowledge; send it again"
TOO_LARGE = "the delivery was not stored: it is larger than max.message.bytes of the topic {topic}"
_UNBOUNDED = 1 << 40
_LEAST = 1 << 10
# First the time for an orderly end, then for each cancellation: aiokafka swallows some.
_CLOSE_SECONDS = (0.3, 0.1, 0.1)
# The loop turns so often until aiokafka has written a request. If another batch waits, its request leaves first and the
# answers to the last one are written while Kafka works on it. Where nothing waits there is nothing to be late for.
_TURNS = 6


@dataclass(slots=True)
class PendingDelivery:
    """A message that Kafka has not acknowledged."""

    message: bytes
    stored: "asyncio.Future[str]"
    """What became of it: its id, else a RefusedError. Done earlier where whoever waited has gone."""
    arrived: float
    headers: Headers = ()

    def accept(self, id: str) -> None:
        """It is stored."""
        if not self.stored.done():
            self.stored.set_result(id)

    def refuse(self, why: str = REFUSAL) -> None:
        """It is not known to be stored."""
        if not self.stored.done():
            self.stored.set_exception(UnacknowledgedError(why, retry_after=RETRY_AFTER))


class ProducerSession:
    """One producer from its start until it is dropped.

    One produce request is under way at a time; what arrives meanwhile waits and is the next batch. So deliveries gather
    by themselves under load, and one that comes alone goes at once.
    """

    def __init__(
        self,
        producer: AIOKafkaProducer,
        topic: str,
        *,
        timeout: float,
        budget: Budget,
        renew: Callable[[], Awaitable[AIOKafkaProducer | None]] | None = None,
        avoided: Collection[int] = (),
    ) -> None:
        """`renew`: makes another producer where this one has come out of step; None: it cannot.

        `avoided`: partitions that are given nothing as long as there are others.
        """
        self._producer = producer
        self._renew = renew
        self._most = _UNBOUNDED
        """Bytes of messages in a batch of several."""
        self._alone = 0
        """So many of those that wait go alone: together they were too large."""
        self._closing: set[asyncio.Task[None]] = set()
        self._avoided = frozenset(avoided)
        self.stored = 0
        """Batches that Kafka has acknowledged."""
        self.stalled_at: int | None = None
        """The partition whose acknowledgement was overdue last."""
        self._topic = topic
        self._timeout = timeout
        self._budget = budget
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[PendingDelivery] = deque()
        self._something_waits = asyncio.Event()
        # Of the batch that the producer holds, whether or not its deliveries have been refused.
        self._held: list[PendingDelivery] = []
        self._is_held_late = False
        # Batches that are stored.
        self._unanswered = 0
        self._flushed: asyncio.Future[None] | None = None
        self._spread: dict[int, int] = {}
        self._sending = asyncio.create_task(self._send(), name="ingest-send")

    @property
    def is_stalled(self) -> bool:
        """Whether an acknowledgement is overdue, or none will ever come."""
        return self._is_held_late or self._sending.done()

    async def lost(self) -> str:
        """Wait until this producer is of no more use, and say why."""
        return await asyncio.shield(self._sending)

    def store(self, message: bytes, headers: Headers = ()) -> "asyncio.Future[str]":
        """Send with the next batch; gives what will become of it.

        The message was taken from the budget, to which it is given back once the producer holds it no more.
        """
        stored: asyncio.Future[str] = self._loop.create_future()
        self._waiting.append(PendingDelivery(message, stored, self._loop.time(), headers))
        self._something_waits.set()
        return stored

    @property
    def _owes(self) -> bool:
        """Whether somebody has not been answered."""
        return self._unanswered > 0 or any(not d.stored.done() for d in (*self._held, *self._waiting))

    async def flush(self, seconds: float) -> None:
        """Wait a moment for what is under way."""
        if self._owes:
            self._flushed = self._loop.create_future()
            await asyncio.wait({self._flushed}, timeout=seconds)

    async def drop(self) -> None:
        """Let go of the producer and of everything it still holds."""
        self._sending.cancel()
        self._refuse()
        await close_producer(self._producer)
        # Nobody will ever finish what it held.
        self._give_back(self._held)
        self._held = []

    async def _send(self) -> str:
        """Batch after batch, until the producer is of no more use: why it is."""
        try:
            while True:
                await self._something_waits.wait()
                if (reason := await self._send_batch()) is not None:
                    return reason
        finally:
            self._refuse()

    async def _send_batch(self) -> str | None:
        batch = self._pack()
        size = sum(len(delivery.message) for delivery in self._held)
        partition = self._choose(size)
        storing = asyncio.create_task(self._store(batch, partition))
        try:
            sent = self._loop.time()
            # One timer for all of a batch, for the first of them: none waits longer than it may.
            await asyncio.wait({storing}, timeout=max(0.0, self._held[0].arrived + self._timeout - sent))
            if not storing.done():
                log.warning("producer.stalled", topic=self._topic)
                self._is_held_late = True
                self.stalled_at = partition
                self._refuse()
                # Its first may have waited for the batch before it. Once this one is due itself, another producer and
                # another partition take sooner what comes than this leader does: Kafka may be electing the next one.
                await asyncio.wait({storing}, timeout=sent + self._timeout - self._loop.time())
                if not storing.done():
                    return f"nothing acknowledged for {self._timeout:g} s"
                log.info("producer.recovered", topic=self._topic)
            if storing.cancelled():
                return "cancelled by the library"
            stored = storing.result()
        except (MessageSizeTooLargeError, RecordListTooLargeError) as error:
            return await self._take_apart(size, type(error).__name__)
        except KafkaError as error:
            # A message refused for good leaves a gap in the sequence, after which the broker refuses all that follow.
            return type(error).__name__
        except Exception as error:
            log.exception("producer.failed", topic=self._topic)
            return type(error).__name__
        finally:
            storing.cancel()
        held, self._held, self._is_held_late = self._held, [], False
        self._give_back(held)
        self.stored += 1
        self._unanswered += 1
        self._answer(held, stored, turns=_TURNS if self._waiting else 0)
        return None

    async def _take_apart(self, size: int, reason: str) -> str | None:
        """Refuse a message that is too large for its topic; send those again that were only together with it.

        Like any message refused for good it leaves a gap in the sequence, so another producer goes on. What arrives
        meanwhile waits.
        """
        held, self._held, self._is_held_late = self._held, [], False
        if len(held) == 1:
            log.warning("delivery.too_large", topic=self._topic, bytes=size)
            self._give_back(held)
            held[0].refuse(TOO_LARGE.format(topic=self._topic))
        else:
            self._most = max(_LEAST, min(self._most, size) // 2)
            self._alone = len(held)
            self._waiting.extendleft(reversed(held))
            self._something_waits.set()
        self._alone = min(self._alone, len(self._waiting))
        producer = None if self._renew is None else await self._renew()
        if producer is None:
            return reason
        closing = asyncio.create_task(close_producer(self._producer), name="ingest-close")
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        self._producer = producer
        return None

    def _answer(self, held: list[PendingDelivery], stored: RecordMetadata, turns: int) -> None:
        """Answer an acknowledged batch after so many turns of the loop, all of it within one callback."""
        if turns:
            self._loop.call_soon(self._answer, held, stored, turns - 1)
            return
        self._unanswered -= 1
        for offset, delivery in enumerate(held, stored.offset):
            delivery.accept(f"{stored.partition}-{offset}")
        self._note_flushed()

    def _pack(self) -> BatchBuilder:
        """Move what waits into a batch, as much as goes in; the first always does."""
        batch = self._producer.create_batch()
        waiting, size = self._waiting, 0
        while waiting:
            first = waiting[0]
            if batch.append(timestamp=None, key=None, value=first.message, headers=[*first.headers]) is None:
                break
            size += len(waiting[0].message)
            self._held.append(waiting.popleft())
            if self._alone:
                self._alone -= 1
                break
            if waiting and size + len(waiting[0].message) > self._most:
                break
        if not waiting:
            self._something_waits.clear()
        return batch

    async def _store(self, batch: BatchBuilder, partition: int) -> RecordMetadata:
        acknowledgement = await self._producer.send_batch(batch, self._topic, partition=partition)
        return await acknowledgement

    def _refuse(self) -> None:
        """Answer all that wait. What the producer does not hold yet will not be sent either."""
        waiting = [*self._waiting]
        self._waiting.clear()
        self._something_waits.clear()
        self._give_back(waiting)
        for delivery in (*self._held, *waiting):
            delivery.refuse()
        self._note_flushed()

    def _note_flushed(self) -> None:
        if self._flushed is not None and not self._flushed.done() and not self._owes:
            self._flushed.set_result(None)

    def _give_back(self, deliveries: Sequence[PendingDelivery]) -> None:
        self._budget.give_back(sum(len(delivery.message) for delivery in deliveries), count=len(deliveries))

    def _choose(self, size: int) -> int:
        """The partition that has been given the fewest bytes: batches differ in size, and may do so in turn."""
        cluster = self._producer.client.cluster
        # Those with a leader; if none has one, any will do to find out.
        known = cluster.available_partitions_for_topic(self._topic) or cluster.partitions_for_topic(self._topic) or {0}
        known = known - self._avoided or known
        if known != self._spread.keys():
            # Counted anew: one that is back must not take everything until it has caught up.
            self._spread = dict.fromkeys(sorted(known), 0)
        partition = min(self._spread, key=self._spread.__getitem__)
        self._spread[partition] += size
        return partition


async def close_producer(producer: AIOKafkaProducer) -> None:
    """Let go at once. Its own stop() would wait for ever for batches that nobody takes."""
    producer._closed = True
    closing = {asyncio.create_task(producer._sender.close()), asyncio.create_task(producer.client.close())}
    for seconds in _CLOSE_SECONDS:
        done, closing = await asyncio.wait(closing, timeout=seconds)
        for task in done:
            if not task.cancelled() and (error := task.exception()) is not None:
                log.warning("producer.close_failed", reason=type(error).__name__)
        if not closing:
            return
        for task in closing:
            # The sender waits for the request under way, a connection for a peer that no longer reads.
            task.cancel()

"""Writes deliveries to Kafka and waits for the acknowledgement: the first law, log first.

Owns the producer, its reconnection, and the bound on what waits in memory. Knows nothing of HTTP nor of what a body
says. While Kafka is away a delivery is refused at once; the producer is built anew until it is back.

Deliveries that arrive while a produce request is under way share the next one: a batch of our own, with one deadline
and one acknowledgement.

An idempotent producer of aiokafka never gives a message up: it sends it again for as long as it lives. So a refused
delivery counts against the bound until the producer has really let go of it, and a producer that gets nothing
acknowledged for a while is dropped with all it holds. What was refused may be stored all the same; its repetition does
no harm, because the state is a fold that does not care.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from api.client_lifecycle import begun_whole
from api.http.errors import ApiError, NotStoredError, OverloadedError
from api.settings import Settings
from api.write.limits import Budget
from schemas.deliveries import Delivery, encode_delivery
from schemas.topics import DELIVERIES, MAX_MESSAGE, Topic

log = structlog.get_logger("api")

_BATCH = 512 << 10
_CONNECT_SECONDS = 5.0
_BETWEEN_TRIES_SECONDS = 0.5
# After this long without an acknowledgement, though some are due, the producer is dropped and built anew.
_STALL_SECONDS = 3.0
_FLUSH_SECONDS = 0.2
# First the time for an orderly end, then for each cancellation: aiokafka swallows some.
_CLOSE_SECONDS = (0.3, 0.1, 0.1)
_RETRY_AFTER = 2
# The loop turns so often until aiokafka has written a request. If another batch waits, its request leaves first and the
# answers to the last one are written while Kafka works on it: the api idled a sixth of the time under load, and a
# twelfth so (14% more deliveries a second). Where nothing waits there is nothing to be late for.
_TURNS = 6


Answered = Callable[[str | ApiError], None]
"""Told once what became of a delivery: its id when it is stored, else NotStoredError."""


class DeliveryLog(Protocol):
    """Where deliveries go."""

    async def start(self) -> None:
        """Begin to connect; does not wait for Kafka."""
        ...

    async def stop(self) -> None:
        """Let go of the connection; what still waits is refused."""
        ...

    async def accept(self, delivery: Delivery) -> str:
        """Store, and return the delivery's id once the broker has acknowledged it. Raises NotStoredError."""
        ...

    def hand_over(self, delivery: Delivery, answered: Answered) -> None:
        """As `accept`, for who has no task that could wait: calls `answered` later, or raises NotStoredError now."""
        ...

    def problems(self) -> list[str]:
        """What keeps deliveries from being taken; empty when they are."""
        ...


class Ingest:
    """The log of deliveries in Kafka."""

    def __init__(
        self,
        settings: Settings,
        make_producer: Callable[[], AIOKafkaProducer] | None = None,
        *,
        topic: Topic = DELIVERIES,
    ) -> None:
        self._topic = topic.full_name(settings.prefix)
        self._timeout = settings.produce_timeout_seconds
        self._budget = Budget(count=settings.max_in_flight_deliveries, size=settings.max_in_flight_bytes)
        self._make_producer = make_producer or (lambda: _producer(settings))
        self._link: _Link | None = None
        self._trouble = "Kafka has not been reached yet"
        self._connecting: asyncio.Task[None] | None = None
        self._dropping: set[asyncio.Task[None]] = set()

    @property
    def ready(self) -> bool:
        """Whether a delivery would be taken now."""
        return self._link is not None and not self._link.is_stalled

    def problems(self) -> list[str]:
        """What keeps deliveries from being taken; empty when they are."""
        return [] if self.ready else [f"webhooks are not taken: {self._trouble}"]

    async def start(self) -> None:
        """Begin to connect; does not wait for Kafka."""
        self._connecting = asyncio.create_task(self._stay_connected(), name="ingest")

    async def stop(self) -> None:
        """Give what is under way a moment, then let go."""
        link, self._link = self._link, None
        if self._connecting is not None:
            self._connecting.cancel()
            with suppress(asyncio.CancelledError):
                await self._connecting
        if link is not None:
            await link.flush(_FLUSH_SECONDS)
            self._drop(link)
        if self._dropping:
            await asyncio.wait(self._dropping)

    async def accept(self, delivery: Delivery) -> str:
        """Store, and return the delivery's id once the broker has acknowledged it.

        Raises NotStoredError when Kafka does not acknowledge in time or is known to be away, OverloadedError when too
        much already waits.
        """
        return await self.append(encode_delivery(delivery))

    def hand_over(self, delivery: Delivery, answered: Answered) -> None:
        """As `accept`, for who has no task that could wait.

        `answered` is called later, within the callback that brings the acknowledgement of the whole batch; what is
        known to be refused is raised now.
        """
        self._store(encode_delivery(delivery), answered)

    async def append(self, message: bytes) -> str:
        """Store a message as it is; else as `accept`."""
        outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._store(message, partial(_settle, outcome))
        return await outcome

    def _store(self, message: bytes, answered: Answered) -> None:
        link = self._link
        if link is None or link.is_stalled:
            raise NotStoredError(_REFUSAL, retry_after=_RETRY_AFTER)
        if not self._budget.take(len(message)):
            msg = "too many deliveries wait for Kafka"
            raise OverloadedError(msg, retry_after=1)
        link.store(message, answered)

    async def _stay_connected(self) -> None:
        while True:
            link = await self._connect()
            if link is None:
                await asyncio.sleep(_BETWEEN_TRIES_SECONDS)
                continue
            log.info("producer.connected", topic=self._topic)
            self._link = link
            reason = await link.lost()
            self._link = None
            self._trouble = "Kafka does not acknowledge"
            log.warning("producer.dropped", topic=self._topic, reason=reason)
            # In the background: it may take as long as the request that is under way, and Kafka may be back before.
            self._drop(link)

    async def _connect(self) -> "_Link | None":
        producer = self._make_producer()
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await begun_whole(producer.start())
                await producer.partitions_for(self._topic)
        except (KafkaError, TimeoutError, OSError) as error:
            trouble = f"Kafka or its topic {self._topic} cannot be reached ({type(error).__name__})"
            if trouble != self._trouble:
                log.warning("producer.connect_failed", topic=self._topic, reason=type(error).__name__)
            self._trouble = trouble
            await _close(producer)
            return None
        except BaseException:
            await _close(producer)
            raise
        return _Link(producer, self._topic, timeout=self._timeout, budget=self._budget)

    def _drop(self, link: "_Link") -> None:
        task = asyncio.create_task(link.drop(), name="ingest-drop")
        self._dropping.add(task)
        task.add_done_callback(self._dropping.discard)


_REFUSAL = "the delivery was not stored: Kafka does not acknowledge; send it again"


def _settle(future: "asyncio.Future[str]", outcome: str | ApiError) -> None:
    if future.done():  # who waited has gone
        return
    if isinstance(outcome, ApiError):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


@dataclass(slots=True)
class _Waiting:
    """A delivery that Kafka has not acknowledged."""

    message: bytes
    answered: Answered | None
    """None once it has been called."""
    arrived: float

    def answer(self, outcome: str | ApiError) -> None:
        answered, self.answered = self.answered, None
        if answered is not None:
            try:
                answered(outcome)
            except Exception:
                # The others of the batch must hear of it all the same.
                log.exception("delivery.answer_failed")


class _Link:
    """One producer from its start until it is dropped.

    One produce request is under way at a time; what arrives meanwhile waits and is the next batch. So deliveries gather
    by themselves under load, and one that comes alone goes at once.
    """

    def __init__(self, producer: AIOKafkaProducer, topic: str, *, timeout: float, budget: Budget) -> None:
        self._producer = producer
        self._topic = topic
        self._timeout = timeout
        self._budget = budget
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Waiting] = deque()
        self._something_waits = asyncio.Event()
        # Of the batch that the producer holds, whether or not its deliveries have been refused.
        self._held: list[_Waiting] = []
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

    def store(self, message: bytes, answered: Answered) -> None:
        """Send with the next batch.

        The message was taken from the budget, to which it is given back once the producer holds it no more.
        """
        self._waiting.append(_Waiting(message, answered, self._loop.time()))
        self._something_waits.set()

    @property
    def _owes(self) -> bool:
        """Whether somebody has not been answered."""
        return self._unanswered > 0 or any(d.answered is not None for d in (*self._held, *self._waiting))

    async def flush(self, seconds: float) -> None:
        """Wait a moment for what is under way."""
        if self._owes:
            self._flushed = self._loop.create_future()
            await asyncio.wait({self._flushed}, timeout=seconds)

    async def drop(self) -> None:
        """Let go of the producer and of everything it still holds."""
        self._sending.cancel()
        self._refuse()
        await _close(self._producer)
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
        storing = asyncio.create_task(self._store(batch, self._choose(size)))
        try:
            sent = self._loop.time()
            # One timer for all of a batch, for the first of them: none waits longer than it may.
            await asyncio.wait({storing}, timeout=max(0.0, self._held[0].arrived + self._timeout - sent))
            if not storing.done():
                log.warning("producer.stalled", topic=self._topic)
                self._is_held_late = True
                self._refuse()
                patience = sent + self._timeout + _STALL_SECONDS - self._loop.time()
                await asyncio.wait({storing}, timeout=patience)
                if not storing.done():
                    return f"nothing acknowledged for {_STALL_SECONDS:g} s"
                log.info("producer.recovered", topic=self._topic)
            if storing.cancelled():
                return "cancelled by the library"
            stored = storing.result()
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
        self._unanswered += 1
        self._answer(held, stored, turns=_TURNS if self._waiting else 0)
        return None

    def _answer(self, held: list[_Waiting], stored: RecordMetadata, turns: int) -> None:
        """Answer an acknowledged batch after so many turns of the loop, all of it within one callback."""
        if turns:
            self._loop.call_soon(self._answer, held, stored, turns - 1)
            return
        self._unanswered -= 1
        for offset, delivery in enumerate(held, stored.offset):
            delivery.answer(f"{stored.partition}-{offset}")
        self._note_flushed()

    def _pack(self) -> BatchBuilder:
        """Move what waits into a batch, as much as goes in; the first always does."""
        batch = self._producer.create_batch()
        waiting = self._waiting
        while waiting and batch.append(timestamp=None, key=None, value=waiting[0].message) is not None:
            self._held.append(waiting.popleft())
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
            delivery.answer(NotStoredError(_REFUSAL, retry_after=_RETRY_AFTER))
        self._note_flushed()

    def _note_flushed(self) -> None:
        if self._flushed is not None and not self._flushed.done() and not self._owes:
            self._flushed.set_result(None)

    def _give_back(self, deliveries: Sequence[_Waiting]) -> None:
        self._budget.give_back(sum(len(delivery.message) for delivery in deliveries), count=len(deliveries))

    def _choose(self, size: int) -> int:
        """The partition that has been given the fewest bytes: batches differ in size, and may do so in turn."""
        cluster = self._producer.client.cluster
        # Those with a leader; if none has one, any will do to find out.
        known = cluster.available_partitions_for_topic(self._topic) or cluster.partitions_for_topic(self._topic) or {0}
        if known != self._spread.keys():
            # Counted anew: one that is back must not take everything until it has caught up.
            self._spread = dict.fromkeys(sorted(known), 0)
        partition = min(self._spread, key=self._spread.__getitem__)
        self._spread[partition] += size
        return partition


def _producer(settings: Settings) -> AIOKafkaProducer:
    return AIOKafkaProducer(
        **settings.kafka.options(),
        client_id="floorcast-ingest",
        enable_idempotence=True,
        acks="all",
        max_batch_size=_BATCH,
        max_request_size=MAX_MESSAGE,
        # A request without an answer is sent again after this time; the broker knows it by its sequence number.
        request_timeout_ms=int(settings.produce_timeout_seconds * 1000),
        metadata_max_age_ms=60_000,
    )


async def _close(producer: AIOKafkaProducer) -> None:
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

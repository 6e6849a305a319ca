"""Writes deliveries to Kafka and waits for the acknowledgement: the first law, log first.

Owns the producer, its reconnection, and the bound on what waits in memory. Knows nothing of HTTP nor of what a body
says. While Kafka is away a delivery is refused at once; the producer is built anew until it is back.

An idempotent producer of aiokafka never gives a message up: it sends it again for as long as it lives. So a refused
delivery counts against the bound until the producer has really let go of it, and a producer that gets nothing
acknowledged for a while is dropped with all it holds. What was refused may be stored all the same; its repetition does
no harm, because the state is a fold that does not care.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError, ProducerClosed
from aiokafka.structs import RecordMetadata

from api.errors import NotStoredError, OverloadedError
from api.limits import Budget
from api.settings import Settings
from schemas.deliveries import Delivery, encode_delivery
from schemas.topics import DELIVERIES, MAX_MESSAGE, Topic

log = structlog.get_logger("api")

_BATCH = 512 << 10
# aiokafka keeps one request per broker under way, so deliveries gather by themselves under load.
_LINGER_MS = 0
_CONNECT_SECONDS = 5.0
_BETWEEN_TRIES_SECONDS = 0.5
# After this long without an acknowledgement, though some are due, the producer is dropped and built anew.
_STALL_SECONDS = 3.0
# So long may a refused delivery lie in a producer that gets others acknowledged.
_HELD_SECONDS = 10.0
_FLUSH_SECONDS = 0.2
# First the time for an orderly end, then for each cancellation: aiokafka swallows some.
_CLOSE_SECONDS = (0.3, 0.1, 0.1)
_RETRY_AFTER = 2


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

    async def append(self, message: bytes) -> str:
        """Store a message as it is; else as `accept`."""
        link = self._link
        if link is None or link.is_stalled:
            raise NotStoredError(_REFUSAL, retry_after=_RETRY_AFTER)
        size = len(message)
        if not self._budget.take(size):
            msg = "too many deliveries wait for Kafka"
            raise OverloadedError(msg, retry_after=1)
        return await link.store(message, self._timeout, lambda: self._budget.give_back(size))

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
                await producer.start()
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
        return _Link(producer, self._topic)

    def _drop(self, link: "_Link") -> None:
        task = asyncio.create_task(link.drop(), name="ingest-drop")
        self._dropping.add(task)
        task.add_done_callback(self._dropping.discard)


_REFUSAL = "the delivery was not stored: Kafka does not acknowledge; send it again"


class _Link:
    """One producer from its start until it is dropped."""

    def __init__(self, producer: AIOKafkaProducer, topic: str) -> None:
        self._producer = producer
        self._topic = topic
        self._loop = asyncio.get_running_loop()
        self._lost: asyncio.Future[str] = self._loop.create_future()
        self._acknowledged_at = self._loop.time()
        self._giving_up: asyncio.TimerHandle | None = None
        self._turn = 0
        self._partition = self._choose()
        self._held: dict[asyncio.Future[RecordMetadata], Callable[[], None]] = {}

    @property
    def is_stalled(self) -> bool:
        """Whether an acknowledgement is overdue, or none will ever come."""
        return self._giving_up is not None or self._lost.done()

    async def lost(self) -> str:
        """Wait until this producer is of no more use, and say why."""
        return await self._lost

    async def store(self, message: bytes, timeout: float, release: Callable[[], None]) -> str:
        """Send and wait. `release` is called once the producer holds the message no more."""
        started = self._loop.time()
        partition = self._partition
        try:
            async with asyncio.timeout(timeout):
                future = await self._producer.send(self._topic, message, partition=partition)
        except BaseException as error:
            # It never entered a batch.
            release()
            if isinstance(error, TimeoutError | KafkaTimeoutError):
                self._on_timeout(started, partition)
            elif isinstance(error, KafkaError):
                self._lose(error)
            else:
                raise
            raise NotStoredError(_REFUSAL, retry_after=_RETRY_AFTER) from None

        def on_done(done: "asyncio.Future[RecordMetadata]") -> None:
            if (held := self._held.pop(done, None)) is not None:
                held()
            error = done.exception()
            if error is None:
                self._on_acknowledged(partition)
            else:
                self._lose(error)

        self._held[future] = release
        future.add_done_callback(on_done)
        # Neither wait_for, which would cancel the future so that nobody would see when the producer lets go of the
        # message, nor asyncio.wait, which makes twice as much of a future and a timer (a tenth of a delivery's time).
        answered: asyncio.Future[None] = self._loop.create_future()

        def wake(*_: object) -> None:
            if not answered.done():
                answered.set_result(None)

        future.add_done_callback(wake)
        timer = self._loop.call_at(started + timeout, wake)
        try:
            await answered
        finally:
            timer.cancel()
            future.remove_done_callback(wake)
        if not future.done():
            self._on_timeout(started, partition)
            self._loop.call_later(_HELD_SECONDS, self._lose_if_held, future)
        elif future.exception() is None:
            stored = future.result()
            return f"{stored.partition}-{stored.offset}"
        raise NotStoredError(_REFUSAL, retry_after=_RETRY_AFTER)

    async def flush(self, seconds: float) -> None:
        """Wait a moment for what is under way."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._producer.flush()

    async def drop(self) -> None:
        """Let go of the producer and of everything it still holds."""
        self._lose(ProducerClosed())
        if self._giving_up is not None:
            self._giving_up.cancel()
        await _close(self._producer)
        # Nobody will ever finish what it held.
        while self._held:
            _, release = self._held.popitem()
            release()

    def _on_acknowledged(self, partition: int) -> None:
        self._acknowledged_at = self._loop.time()
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None
            log.info("producer.recovered", topic=self._topic)
        self._move_on(partition)

    def _on_timeout(self, started: float, partition: int) -> None:
        self._move_on(partition)
        if self._acknowledged_at < started and self._giving_up is None and not self._lost.done():
            log.warning("producer.stalled", topic=self._topic)
            reason = f"nothing acknowledged for {_STALL_SECONDS:g} s"
            self._giving_up = self._loop.call_later(_STALL_SECONDS, self._set_lost, reason)

    def _lose(self, error: BaseException) -> None:
        # A message refused for good leaves a gap in the sequence, after which the broker refuses all that follow.
        self._set_lost(type(error).__name__)

    def _lose_if_held(self, future: "asyncio.Future[RecordMetadata]") -> None:
        # One partition may hang while the others go on; what waits for it must not fill the memory.
        if future in self._held:
            self._set_lost(f"a delivery not acknowledged for {_HELD_SECONDS:g} s")

    def _set_lost(self, reason: str) -> None:
        if not self._lost.done():
            self._lost.set_result(reason)

    def _move_on(self, partition: int) -> None:
        """To another partition once the present one's batch has gone: large batches, evenly spread."""
        if partition == self._partition:
            self._turn += 1
            self._partition = self._choose()

    def _choose(self) -> int:
        cluster = self._producer.client.cluster
        # Those with a leader; if none has one, any will do to find out.
        known = cluster.available_partitions_for_topic(self._topic) or cluster.partitions_for_topic(self._topic) or {0}
        return int(sorted(known)[self._turn % len(known)])


def _producer(settings: Settings) -> AIOKafkaProducer:
    return AIOKafkaProducer(
        bootstrap_servers=settings.broker,
        client_id="floorcast-ingest",
        enable_idempotence=True,
        acks="all",
        linger_ms=_LINGER_MS,
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

"""Writes deliveries to Kafka and waits for the acknowledgement: the first law, log first.

Owns the producer, its reconnection, and the bound on what waits in memory. Knows nothing of HTTP nor of what a body
says. While Kafka is away a delivery is refused at once; the producer is built anew until it is back. While it says
nothing a few wait, each for its time, by a producer that stays until there is another.

Deliveries that arrive while a produce request is under way share the next one (producer_session.py). What was refused
may be stored all the same; its repetition does no harm, because the state is a fold that does not care.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from api.settings import Settings
from api.write.limits import Budget
from api.write.own_definitions import SpokenDefinitions
from api.write.producer_session import ProducerSession
from api.write.producers import close_producer, delivery_producer
from api.write.refusals import REFUSAL, RETRY_AFTER, BacklogFullError, UnacknowledgedError
from schemas import tasks
from schemas.deliveries import Delivery, encode_delivery
from schemas.kafka_clients import begun_whole
from schemas.kafka_refusals import missing_right, what_refuses
from schemas.topics import DELIVERIES, Topic
from schemas.tracing import OFF, Attributes, Headers, Tracing

log = structlog.get_logger("api")

_CONNECT_SECONDS = 5.0
_BETWEEN_TRIES_SECONDS = 0.5
_FLUSH_SECONDS = 0.2
DOUBT_SECONDS = 5.0
"""So long after a stall nothing is called ready that has not acknowledged anything since."""

_UNACKNOWLEDGED = "Kafka does not acknowledge"


class DeliveryLog(Protocol):
    """Where deliveries go."""

    async def start(self) -> None:
        """Begin to connect; does not wait for Kafka."""

    async def stop(self) -> None:
        """Let go of the connection; what still waits is refused."""

    async def accept(self, delivery: Delivery) -> str:
        """Store, and return the delivery's id once the broker has acknowledged it. Raises UnacknowledgedError."""

    def problems(self) -> list[str]:
        """What keeps deliveries from being taken; empty when they are."""


class Ingest:
    """The log of deliveries in Kafka."""

    def __init__(
        self,
        settings: Settings,
        make_producer: Callable[[], AIOKafkaProducer] | None = None,
        *,
        topic: Topic = DELIVERIES,
        explain: Callable[[str], Awaitable[str | None]] | None = None,
        tracing: Tracing = OFF,
        definitions: Callable[[], str] | None = None,
    ) -> None:
        """`explain`: says what stood in the way of whoever got an error of this name from Kafka, if it knows.

        `definitions`: the digest by which this api goes now; None: nobody is told.
        """
        self._topic = topic.full_name(settings.prefix)
        self._kafka = settings.kafka
        self._tracing = tracing
        self._spoken = None if definitions is None else SpokenDefinitions(definitions)
        self._timeout = settings.produce_timeout_seconds
        self._budget = Budget(count=settings.max_in_flight_deliveries, size=settings.max_in_flight_bytes)
        self._make_producer = make_producer or (lambda: delivery_producer(settings))
        self._session: ProducerSession | None = None
        self._explain = explain or (
            lambda error: what_refuses(settings.kafka, error, operation="Write", topic=self._topic)
        )
        self._trouble = "Kafka has not been reached yet"
        self._is_away = False
        """Whether Kafka refused the last producer, rather than said nothing."""
        self._doubted_until = 0.0
        self._connecting: asyncio.Task[None] | None = None
        self._dropping: set[asyncio.Task[None]] = set()

    @property
    def ready(self) -> bool:
        """Whether a delivery would be taken now, as far as can be told.

        A broker that hangs is connected to like any other. So after a stall only an acknowledgement counts, or that
        nobody was refused for a while.
        """
        session = self._session
        if session is None or session.is_over:
            return False
        if session.refused_at is not None:
            return time.monotonic() >= session.refused_at + DOUBT_SECONDS
        return session.stored > 0 or time.monotonic() >= self._doubted_until

    def problems(self) -> list[str]:
        """What keeps deliveries from being taken; empty when they are."""
        return [] if self.ready else [f"webhooks are not taken: {self._trouble}"]

    async def start(self) -> None:
        """Begin to connect; does not wait for Kafka."""
        self._connecting = asyncio.create_task(tasks.without_end(self._stay_connected, "ingest"), name="ingest")

    async def stop(self) -> None:
        """Give what is under way a moment, then let go."""
        session, self._session = self._session, None
        await tasks.end([self._connecting])
        if session is not None:
            await session.flush(_FLUSH_SECONDS)
            self._drop(session)
        if self._dropping:
            await asyncio.wait(self._dropping)

    async def accept(self, delivery: Delivery) -> str:
        """Store, and return the delivery's id once the broker has acknowledged it.

        Raises UnacknowledgedError when Kafka does not acknowledge in time or is known to be away, BacklogFullError when
        too much already waits.
        """
        message = encode_delivery(delivery)
        spoken = () if self._spoken is None else self._spoken.headers(time.monotonic())
        if not self._tracing.is_on:
            return await self.append(message, spoken)
        attributes: Attributes = {"messaging.system": "kafka", "messaging.destination.name": self._topic}
        with self._tracing.span(f"send {self._topic}", "producer", attributes=attributes) as span:
            id = await self.append(message, (*self._tracing.headers, *spoken))
            span.note({"floorcast.delivery": id})
            return id

    def append(self, message: bytes, headers: Headers = ()) -> Awaitable[str]:
        """Store a message as it is; else as `accept`."""
        session = self._session
        if session is None or not session.has_room:
            raise UnacknowledgedError(REFUSAL, retry_after=RETRY_AFTER)
        if not self._budget.take(len(message)):
            msg = "too many deliveries wait for Kafka"
            raise BacklogFullError(msg, retry_after=1)
        return session.store(message, headers)

    async def _stay_connected(self) -> None:
        while True:
            session, current = await self._connect(), self._session
            if current is not None and not current.is_stalled:
                # It has recovered while another was made.
                if session is not None:
                    self._drop(session)
                session = current
            elif session is None:
                if self._is_away:
                    self._replace(None)
                await asyncio.sleep(_BETWEEN_TRIES_SECONDS)
                continue
            else:
                log.info("producer.connected", topic=self._topic)
                self._replace(session)
            self._trouble = _UNACKNOWLEDGED
            reason = await session.lost()
            right = missing_right(self._kafka, reason, operation="Write", topic=self._topic)
            self._trouble = right or _UNACKNOWLEDGED
            what = "producer.dropped" if session.is_over else "producer.doubted"
            log.warning(what, topic=self._topic, reason=reason)
            if session.is_over:
                self._replace(None)

    def _replace(self, session: ProducerSession | None) -> None:
        """Take what comes from now on by another producer. One that gets no answers stays until there is one."""
        before, self._session = self._session, session
        if before is None:
            return
        if before.refused_at is not None:
            self._doubted_until = time.monotonic() + DOUBT_SECONDS
        # In the background: it may take as long as the request that is under way, and Kafka may be back before.
        self._drop(before)

    async def _connect(self) -> ProducerSession | None:
        producer = await self._begin_producer()
        if producer is None:
            return None
        return ProducerSession(
            producer, self._topic, timeout=self._timeout, budget=self._budget, renew=self._begin_producer
        )

    async def _begin_producer(self) -> AIOKafkaProducer | None:
        """One that knows its topic; None: Kafka cannot be reached, for which the trouble is noted."""
        producer = self._make_producer()
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await begun_whole(producer.start())
                await producer.partitions_for(self._topic)
        except (KafkaError, TimeoutError, OSError) as error:
            self._is_away = not isinstance(error, TimeoutError)
            await close_producer(producer)
            name = type(error).__name__
            trouble = await self._explain(name) or f"Kafka or its topic {self._topic} cannot be reached ({name})"
            if trouble != self._trouble:
                log.warning("producer.connect_failed", topic=self._topic, reason=type(error).__name__, problem=trouble)
            self._trouble = trouble
            return None
        except BaseException:
            await close_producer(producer)
            raise
        return producer

    def _drop(self, session: ProducerSession) -> None:
        task = asyncio.create_task(session.drop(), name="ingest-drop")
        self._dropping.add(task)
        task.add_done_callback(self._dropping.discard)

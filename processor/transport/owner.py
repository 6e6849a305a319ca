"""The one writer of a partition: a producer under a name whose epoch the broker knows.

Owns the fence, the sizes of what is sent and the renewal of the name. Does not know what the messages mean, nor when a
partition is gained or lost.

Uses of private names (aiokafka 0.14.0): `_txn_manager.producer_id`, `.producer_epoch`, `.set_pid_and_epoch`.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError, ProducerFenced
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from processor.transport.fail_stop import FAILED, FENCED, Die, die
from schemas.topics import FENCE

Message = tuple[bytes | None, bytes | None]
"""Key and value; a value of None deletes the key in a compacted topic."""

MESSAGE_LIMIT = 2 * 1024 * 1024
"""Bytes of key and value of one message. The topics' `max.message.bytes` leaves room for the batch around it."""

BATCH_BYTES = 900_000
"""Messages are packed into batches up to this size. One message may be larger, up to the limit."""

ACQUIRE_SECONDS = 60.0
STALE_SECONDS = 20 * 3600.0
"""After so long without a renewal an owner writes no more. The broker forgets the epochs of a partition in which nobody
writes after a day (`producer.id.expiration.ms`), and could not refuse it then."""

log = structlog.get_logger(__name__)


class MessageTooLargeError(ValueError):
    """A message that no topic takes. Raised before anything of the same send has left."""

    def __init__(self, *, topic: str, size: int) -> None:
        super().__init__(f"{topic}: a message of {size} bytes is above the limit of {MESSAGE_LIMIT}")
        self.topic = topic
        self.size = size


class Owner:
    """The only writer of partition `partition` of `topics`, under the producer id that belongs to `name`.

    An idempotent producer without transactions. Whoever takes the name next gets the same id and epoch + 1; from its
    first record in a partition on, its fence, the broker refuses all older epochs there. So all that older owners
    ever wrote lies below the fence, and whoever has read up to it knows everything.

    A refused write ends the process with 75, any other failure to send with 70. An outage of the broker is neither: a
    send waits until it is over, because an idempotent batch may be repeated safely and never expires.
    """

    def __init__(
        self,
        *,
        bootstrap: str,
        name: str,
        topics: Sequence[str],
        partition: int,
        request_timeout_seconds: float = 30.0,
        die: Die = die,
    ) -> None:
        self.name = name
        self.topics = tuple(topics)
        self.partition = partition
        self.identity: tuple[int, int] | None = None
        """Producer id and epoch, once acquired."""
        self._bootstrap = bootstrap
        self._request_timeout_ms = int(request_timeout_seconds * 1000)
        self._die = die
        self._producer: AIOKafkaProducer | None = None
        self._lock = asyncio.Lock()
        self._taken_at = 0.0

    async def acquire(self) -> dict[str, int]:
        """Take the name and fence all older owners; return the offset of our fence in each topic.

        Read up to these offsets before the first send: only then is what is in memory all that was ever written.
        """
        async with self._lock:
            return await self._take(await self._next_identity())

    async def renew(self) -> None:
        """Take the name again. Due every few hours.

        The broker forgets a name that nobody takes for 7 days, and the epoch in a partition without writes after a day.
        """
        async with self._lock:
            if self._producer is None or self.identity is None:
                return
            producer_id, epoch = self.identity
            identity = await self._next_identity()
            # Somebody owned the partition in between, so what we remember is old, and a fence of ours would make it
            # win.
            if identity != (producer_id, epoch + 1):
                self._die(
                    FENCED, f"{self.name}: renewal gave {identity} after {self.identity}, another owner was there"
                )
            await self._take(identity)

    async def prove(self) -> None:
        """Write a fence under the kept epoch. If the broker takes it, nobody has written since we last did."""
        async with self._lock:
            await self._fence()

    async def send(self, messages: Mapping[str, Sequence[Message]], *, timestamp_ms: int | None = None) -> None:
        """Write to our own partition of each topic; return when all is acknowledged."""
        await self.send_to(
            {(topic, self.partition): batch for topic, batch in messages.items()}, timestamp_ms=timestamp_ms
        )

    async def send_to(
        self, messages: Mapping[tuple[str, int], Sequence[Message]], *, timestamp_ms: int | None = None
    ) -> None:
        """Write to the given (topic, partition)s; return when all is acknowledged.

        Other owners write to these too, and no fence of ours may lie in them: it is for messages that do no harm when
        stale.
        """
        async with self._lock:
            await self._send(messages, timestamp_ms)

    async def close(self) -> None:
        """Stop the producer, after a send or a renewal in progress. The name stays ours until somebody takes it."""
        async with self._lock:
            producer, self._producer = self._producer, None
            if producer is not None:
                await producer.stop()

    async def _next_identity(self) -> tuple[int, int]:
        async with asyncio.timeout(ACQUIRE_SECONDS):
            producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, transactional_id=self.name)
            try:
                await producer.start()  # InitProducerId; no transaction is ever begun
                return producer._txn_manager.producer_id, producer._txn_manager.producer_epoch
            finally:
                await producer.stop()

    async def _take(self, identity: tuple[int, int]) -> dict[str, int]:
        old, self._producer = self._producer, None
        if old is not None:
            await old.stop()
        self.identity = identity
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            enable_idempotence=True,
            acks="all",
            linger_ms=0,
            max_batch_size=BATCH_BYTES,
            request_timeout_ms=self._request_timeout_ms,
        )
        producer._txn_manager.set_pid_and_epoch(*identity)  # before start(): so it does not ask for another
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
        self._producer = producer
        self._taken_at = time.time()
        return await self._fence()

    async def _fence(self) -> dict[str, int]:
        value = b"%d/%d" % (self.identity or (-1, -1))
        acknowledged = await self._send({(topic, self.partition): [(FENCE, value)] for topic in self.topics}, None)
        return {metadata.topic: metadata.offset for metadata in acknowledged}

    async def _send(
        self, messages: Mapping[tuple[str, int], Sequence[Message]], timestamp_ms: int | None
    ) -> list[RecordMetadata]:
        producer = self._producer
        if producer is None:
            self._die(FENCED, f"{self.name}: send without owning the partition")
        if time.time() - self._taken_at > STALE_SECONDS:
            self._die(FENCED, f"{self.name}: not renewed for so long that the broker may have forgotten the epoch")
        for (topic, _), batch in messages.items():
            for key, value in batch:
                size = len(key or b"") + len(value or b"")
                if size > MESSAGE_LIMIT:
                    raise MessageTooLargeError(topic=topic, size=size)
        try:
            # Together, so that batches for several partitions travel in one request; those of one partition go in
            # order.
            acknowledged = await asyncio.gather(
                *(
                    self._send_all(producer, topic, partition, batch, timestamp_ms)
                    for (topic, partition), batch in messages.items()
                    if batch
                )
            )
        except ProducerFenced as error:
            self._die(FENCED, f"{self.name}: fenced, a newer owner than {self.identity} has the partition", error=error)
        except Exception as error:
            self._die(FAILED, f"{self.name}: sending failed: {error!r}", error=error)
        return [metadata for batches in acknowledged for metadata in batches]

    async def _send_all(
        self,
        producer: AIOKafkaProducer,
        topic: str,
        partition: int,
        messages: Sequence[Message],
        timestamp_ms: int | None,
    ) -> list[RecordMetadata]:
        """Whole batches: six times as fast as one `send` per message. The next is packed while the last one travels."""
        acknowledgements: list[asyncio.Future[RecordMetadata]] = []
        rest = iter(messages)
        message = next(rest, None)
        while message is not None:
            batch = producer.create_batch()
            while (
                message is not None
                and batch.append(key=message[0], value=message[1], timestamp=timestamp_ms) is not None
            ):
                message = next(rest, None)
            batch.close()
            acknowledgements.append(await self._submit(producer, batch, topic, partition))
        return [await acknowledgement for acknowledgement in acknowledgements]

    async def _submit(
        self, producer: AIOKafkaProducer, batch: BatchBuilder, topic: str, partition: int
    ) -> asyncio.Future[RecordMetadata]:
        while True:
            try:
                acknowledgement: asyncio.Future[RecordMetadata] = await producer.send_batch(
                    batch, topic, partition=partition
                )
            except KafkaTimeoutError:  # the one before it is still on its way, this one was not taken
                log.warning("owner.send_delayed", owner=self.name, topic=topic, partition=partition)
            else:
                return acknowledgement

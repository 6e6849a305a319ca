"""The one writer of a partition: a producer under a name whose epoch the broker knows.

Owns the fence, the numbering and sizes of what is sent and the renewal of the name. Does not know what the messages
mean, nor when a partition is gained or lost; how they get to Kafka is known in outgoing.py.
"""

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence

from aiokafka.errors import ProducerFenced

from processor.transport.fail_stop import FAILED, FENCED, Die, die
from processor.transport.outgoing import Outgoing
from processor.transport.packing import KeyAndValue, Packed, pack, pack_with_headers
from schemas.fences import encode_fence
from schemas.log_marks import Place
from schemas.machine_clock import machine_clock
from schemas.topics import FENCE
from schemas.tracing import Headers

MESSAGE_LIMIT = 2 * 1024 * 1024
"""Bytes of key and value of one message. The topics' `max.message.bytes` leaves room for the batch around it."""

BATCH_BYTES = 900_000
"""Messages are packed into batches up to this size. One message may be larger, up to the limit."""

ACQUIRE_SECONDS = 60.0
STALE_SECONDS = 20 * 3600.0
"""After so long without a renewal an owner writes no more. The broker forgets the epochs of a partition in which nobody
writes after a day (`producer.id.expiration.ms`), and could not refuse it then."""

_NONE: Mapping[Place, Headers] = {}
_LAST_SEQUENCE = 0x7FFFFFFF
"""Kafka numbers the messages of a producer in a partition, and begins again at 0 after this one."""


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
        name: str,
        topics: Sequence[str],
        partition: int,
        outgoing: Outgoing,
        definitions: str = "",
        die: Die = die,
    ) -> None:
        """`outgoing`: the way out, shared with the other owners of this process.

        `definitions`: the digest of those by which it writes, which its fences say; empty: what it writes has none.
        """
        self.name = name
        self.topics = tuple(topics)
        self.partition = partition
        self.identity: tuple[int, int] | None = None
        """Producer id and epoch, while the partition is owned."""
        self.written: dict[str, int] = {}
        """Of our own topics: up to here at least all is acknowledged, exclusive."""
        self.proved_at = 0
        """When the last send began that was acknowledged (microseconds): until then nobody else has written there."""
        self._outgoing = outgoing
        self._definitions = definitions
        self._die = die
        self._lock = asyncio.Lock()
        self._sequences: dict[Place, int] = {}
        self._taken_at = 0.0

    async def acquire(self) -> dict[str, int]:
        """Take the name and fence all older owners; return the offset of our fence in each topic.

        Read up to these offsets before the first send: only then is what is in memory all that was ever written.
        """
        async with self._lock:
            await self._outgoing.join(self)
            return await self._take(await self._next_identity())

    async def renew(self) -> None:
        """Take the name again. Due every few hours.

        The broker forgets a name that nobody takes for 7 days, and the epoch in a partition without writes after a day.
        """
        async with self._lock:
            if self.identity is None:
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

    async def send(
        self,
        messages: Mapping[str, Sequence[KeyAndValue]],
        *,
        timestamp_ms: int | None = None,
        headers: Mapping[str, Headers] | None = None,
    ) -> None:
        """Write to our own partition of each topic; return when all is acknowledged.

        `headers`: of each message to a topic.
        """
        await self.send_to(
            {(topic, self.partition): batch for topic, batch in messages.items()},
            timestamp_ms=timestamp_ms,
            headers={(topic, self.partition): carried for topic, carried in (headers or {}).items()},
        )

    async def send_to(
        self,
        messages: Mapping[Place, Sequence[KeyAndValue]],
        *,
        timestamp_ms: int | None = None,
        headers: Mapping[Place, Headers] | None = None,
    ) -> Mapping[Place, int]:
        """Write to the given (topic, partition)s; when all is acknowledged, where the last batch of each begins.

        Other owners write to these too, and no fence of ours may lie in them: it is for messages that do no harm when
        stale. `headers`: of each message to a place.
        """
        async with self._lock:
            return await self._send(messages, timestamp_ms, headers or {})

    async def close(self) -> None:
        """Send no more, after a send or a renewal in progress. The name stays ours until somebody takes it."""
        async with self._lock:
            self.identity = None
            await self._outgoing.leave(self)

    async def _next_identity(self) -> tuple[int, int]:
        async with asyncio.timeout(ACQUIRE_SECONDS):
            return await self._outgoing.next_identity(self.name)

    async def _take(self, identity: tuple[int, int]) -> dict[str, int]:
        await self._outgoing.drop(self)  # what a send that was cancelled has left, under the older epoch
        self.identity = identity
        self._sequences = {}
        self._taken_at = time.time()
        return await self._fence()

    async def _fence(self) -> dict[str, int]:
        value = encode_fence(self.identity or (-1, -1), self._definitions)
        fences = await self._send({(topic, self.partition): [(FENCE, value)] for topic in self.topics}, None)
        for (topic, partition), offset in fences.items():
            if offset < 0:
                self._die(FAILED, f"{self.name}: {topic}[{partition}] does not say where the fence is")
        return {topic: offset for (topic, _), offset in fences.items()}

    async def _send(
        self,
        messages: Mapping[Place, Sequence[KeyAndValue]],
        timestamp_ms: int | None,
        headers: Mapping[Place, Headers] = _NONE,
    ) -> dict[Place, int]:
        """The offset of the last batch in each partition."""
        if self.identity is None:
            self._die(FENCED, f"{self.name}: send without owning the partition")
        if time.time() - self._taken_at > STALE_SECONDS:
            self._die(FENCED, f"{self.name}: not renewed for so long that the broker may have forgotten the epoch")
        began_at = machine_clock()
        if timestamp_ms is None:
            timestamp_ms = began_at // 1000
        lots = [_Lot(place, batch, timestamp_ms, headers.get(place, ())) for place, batch in messages.items() if batch]
        try:
            offsets = await self._ship(lots)
        except ProducerFenced as error:
            self._die(FENCED, f"{self.name}: fenced, a newer owner than {self.identity} has the partition", error=error)
        except Exception as error:
            self._die(FAILED, f"{self.name}: sending failed: {error!r}", error=error)
        for (topic, partition), offset in offsets.items():
            if partition == self.partition and topic in self.topics:
                self.written[topic] = max(self.written.get(topic, 0), offset + 1)
                self.proved_at = began_at
        return offsets

    async def _ship(self, lots: "list[_Lot]") -> dict[Place, int]:
        """Batch by batch of each partition; the next ones are packed while the last ones travel."""
        under_way: deque[asyncio.Future[dict[Place, int]]] = deque()
        offsets: dict[Place, int] = {}
        while lots or under_way:
            if lots:
                stamped = [(lot.place, self._stamped(lot.place, lot.packed)) for lot in lots]
                under_way.append(self._outgoing.ship(self, stamped))
                lots = [lot for lot in lots if lot.pack_next()]
            if not lots or len(under_way) > 1:
                offsets |= await under_way.popleft()
        return offsets

    def _stamped(self, place: Place, packed: Packed) -> bytes:
        producer_id, epoch = self.identity or (-1, -1)
        sequence = self._sequences.get(place, 0)
        self._sequences[place] = (sequence + packed.count) & _LAST_SEQUENCE
        return packed.stamped(producer_id, epoch, sequence)


class _Lot:
    """What goes to one partition, and the batch of it that is next."""

    __slots__ = ("_headers", "_messages", "_rest", "_timestamp_ms", "packed", "place")

    def __init__(self, place: Place, messages: Sequence[KeyAndValue], timestamp_ms: int, headers: Headers) -> None:
        """Packs the first batch. Raises MessageTooLargeError."""
        self.place = place
        self._messages = messages
        self._timestamp_ms = timestamp_ms
        self._headers = headers
        self.packed, self._rest = self._pack(0)
        # What is too large is alone in its batch: to look at each message takes half as long as to pack it.
        if self._rest < len(messages) or self.packed.count == 1:
            for key, value in messages:
                size = len(key or b"") + len(value or b"")
                if size > MESSAGE_LIMIT:
                    raise MessageTooLargeError(topic=place[0], size=size)

    def pack_next(self) -> bool:
        """Whether there is another batch."""
        if self._rest == len(self._messages):
            return False
        self.packed, self._rest = self._pack(self._rest)
        return True

    def _pack(self, first: int) -> tuple[Packed, int]:
        if self._headers:
            return pack_with_headers(
                self._messages, first, timestamp_ms=self._timestamp_ms, limit=BATCH_BYTES, headers=self._headers
            )
        return pack(self._messages, first, timestamp_ms=self._timestamp_ms, limit=BATCH_BYTES)

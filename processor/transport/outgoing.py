"""The way out of a process: what all its owners send, in as few produce requests as there can be.

Owns the connection, what waits for it, and the repetition of what Kafka has not acknowledged. Does not know what is
sent, and does not stamp it: who may write is the owners' affair (owner.py).

A worker has tens of owners, and each batch of a stage is a send. With a producer of aiokafka for each owner that made
330 requests a second of 1,000 events, each with its task, its encoding and its acknowledgement; without them the worker
computes a sixth less. While requests are under way the sends of all owners gather, and go with the next.

Of aiokafka 0.14.0 this uses the client (`AIOKafkaClient`) and the requests of its protocol, which it does not document.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

import structlog
from aiokafka.client import AIOKafkaClient, ConnectionGroup, CoordinationType
from aiokafka.errors import (
    ConcurrentTransactions,
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    DuplicateSequenceNumber,
    InvalidProducerEpoch,
    KafkaError,
    NodeNotReadyError,
    NotCoordinatorError,
    ProducerFenced,
    RequestTimedOutError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import InitProducerIdRequest
from aiokafka.structs import TopicPartition

from processor.transport.rights import TopicRightError
from processor.transport.shipments import Shipment, ShippedBatch
from schemas.kafka import QUICK_MS, Address, kafka_options
from schemas.kafka_clients import is_cancelled
from schemas.kafka_patience import limit_waiting
from schemas.log_marks import Place

BACKOFF_SECONDS = 0.1
ANSWER_SECONDS = 4.0
"""So long a request may take. Less than Kafka needs to elect others for what a broker led that hangs."""
_OF_ANSWER = 0.375
"""After so much of it a leader says that its followers lack a write. It answers one request after the other, so the
second of two takes twice as long; a leader that says nothing even then hangs itself."""
UNKNOWN_SECONDS = 30.0
"""So long a partition may be unknown to Kafka before what goes there is refused."""

REQUEST_BYTES = 16 << 20
"""Of all batches of one request; the first goes in any case."""

UNDER_WAY = 2
"""Requests to one broker at a time. While they are under way the rest gathers. At 1,000 events/s a batch waited 3.5 ms
with one, for 3.4 that its request then took, and waits 1.7 with two, of which there are a tenth more."""

MOST_UNDER_WAY = 4
MUCH = 128 << 10
"""So many requests at a time where more bytes than this wait."""

_ALL = -1
_TRANSACTION_MS = 60_000
"""Of transactions that never begin; Kafka wants to know."""

log = structlog.get_logger(__name__)


class Outgoing:
    """One connection to each broker of a cluster, shared by owners. Connects for the first that joins.

    What one sender sends to one partition goes in order and never two at a time, so that all of it may be repeated.
    An outage is no error: what is not acknowledged is sent again for as long as its sender has not left.
    """

    def __init__(
        self,
        bootstrap: Address,
        *,
        request_timeout_seconds: float = 30.0,
        unknown_seconds: float = UNKNOWN_SECONDS,
        make_client: Callable[..., AIOKafkaClient] = AIOKafkaClient,
    ) -> None:
        self._bootstrap = bootstrap
        self._make_client = make_client
        self._timeout_ms = int(request_timeout_seconds * 1000)
        self._answer_seconds = min(ANSWER_SECONDS, request_timeout_seconds)
        self._unknown_seconds = unknown_seconds
        self._client: AIOKafkaClient | None = None
        self._members: set[object] = set()
        self._joining = asyncio.Lock()
        self._waiting: dict[Place, deque[ShippedBatch]] = {}
        self._size = 0
        """Bytes that wait."""
        self._under_way: set[tuple[object, Place]] = set()
        self._requests: Counter[int] = Counter()
        """Under way to each broker, those included that wait to be repeated."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._looking: asyncio.Handle | None = None
        self._seeking: asyncio.Task[None] | None = None
        self._leavers: dict[object, asyncio.Future[None]] = {}

    # Who sends

    async def join(self, sender: object) -> None:
        """Connect, if this is the first. KafkaError: no broker can be reached."""
        async with self._joining:
            if self._client is None:
                client = self._make_client(
                    **kafka_options(self._bootstrap), request_timeout_ms=self._timeout_ms, client_id="floorcast-owners"
                )
                # A name that is asked for twice has two epochs, so its coordinator has longer to write it down.
                name_seconds = min(QUICK_MS, self._timeout_ms) / 1000
                limit_waiting(client, self._answer_seconds, coordinator_seconds=name_seconds)
                try:
                    await client.bootstrap()
                except BaseException:
                    await client.close()
                    raise
                self._client = client
            self._members.add(sender)

    async def leave(self, sender: object) -> None:
        """Drop what this sender has not sent; the connections too, if it was the last."""
        await self.drop(sender)
        async with self._joining:
            self._members.discard(sender)
            if not self._members and self._client is not None:
                client, self._client = self._client, None
                for task in (*self._tasks, *([self._seeking] if self._seeking else [])):
                    task.cancel()
                if self._looking is not None:
                    self._looking.cancel()
                    self._looking = None
                await client.close()

    async def drop(self, sender: object) -> None:
        """Send nothing more of what this sender has handed over; wait for what is under way, which is not repeated."""
        for place in list(self._waiting):
            queue = self._waiting[place]
            kept = deque(batch for batch in queue if batch.sender is not sender)
            for batch in queue:
                if batch.sender is sender:
                    self._size -= len(batch.content)
                    batch.shipment.outcome.cancel()
            if kept:
                self._waiting[place] = kept
            else:
                del self._waiting[place]
        if self._is_under_way(sender):
            left = self._leavers.get(sender)
            if left is None:
                left = self._leavers[sender] = asyncio.get_running_loop().create_future()
            await asyncio.shield(left)

    async def next_identity(self, name: str) -> tuple[int, int]:
        """Producer id and epoch of a name: the same id as ever, and an epoch of which all older ones are refused.

        Repeats until Kafka gives one; the caller limits the time. KafkaError: it never will.
        """
        client = self._connected
        while True:
            try:
                if client.get_random_node() is None:  # aiokafka takes for granted that one is known
                    raise NodeNotReadyError
                node = await client.coordinator_lookup(CoordinationType.TRANSACTION, name)
                request = InitProducerIdRequest(name, _TRANSACTION_MS)
                answer = await client.send(node, request, group=ConnectionGroup.COORDINATION)
            except (CoordinatorNotAvailableError, NodeNotReadyError, RequestTimedOutError, OSError) as error:
                log.debug("owners.name_delayed", reason=type(error).__name__)
                await client.force_metadata_update()
            except KafkaError as error:
                if not error.retriable:
                    raise type(error)(name) from error
                await client.force_metadata_update()
            else:
                error_type = for_code(answer.error_code)
                if not answer.error_code:
                    return answer.producer_id, answer.producer_epoch
                if error_type not in _NAMED_LATER:
                    raise error_type(name)
            await asyncio.sleep(BACKOFF_SECONDS)

    def ship(self, sender: object, batches: Iterable[tuple[Place, bytes]]) -> "asyncio.Future[dict[Place, int]]":
        """Send stamped batches, one for a partition. When all are acknowledged: the first offset of each.

        The future's error is ProducerFenced where Kafka knows a newer epoch of their producer, any other KafkaError
        where it refuses them for good. An offset of -1: it was acknowledged before, and Kafka no longer knows where.
        """
        batches = list(batches)
        shipment, now = Shipment(len(batches)), time.monotonic()
        for place, content in batches:
            self._waiting.setdefault(place, deque()).append(ShippedBatch(sender, place, content, shipment, now))
            self._size += len(content)
        self._look_soon()
        return shipment.outcome

    # What is sent

    @property
    def _connected(self) -> AIOKafkaClient:
        if self._client is None:
            msg = "nobody has joined"
            raise RuntimeError(msg)
        return self._client

    def _look_soon(self) -> None:
        # Not at once: stages that were given their batches together send in the same turn of the loop.
        if self._looking is None:
            self._looking = asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        """Send what can be sent now."""
        self._looking = None
        if self._client is None:
            return
        for node, batches in self._by_broker():
            self._requests[node] += 1
            for batch in batches.values():
                queue = self._waiting[batch.place]
                queue.remove(batch)
                if not queue:
                    del self._waiting[batch.place]
                self._size -= len(batch.content)
                self._under_way.add((batch.sender, batch.place))
            task = asyncio.create_task(self._request(node, batches))
            self._tasks.add(task)
            task.add_done_callback(partial(self._on_end, node, batches))

    def _by_broker(self) -> Iterator[tuple[int, dict[Place, ShippedBatch]]]:
        """What goes into the next request to each broker that may have one: of each partition one batch."""
        cluster, chosen = self._connected.cluster, dict[int, dict[Place, ShippedBatch]]()
        sizes: Counter[int] = Counter()
        for place, queue in self._waiting.items():
            node = cluster.leader_for_partition(TopicPartition(*place))
            if node is None or node < 0:
                self._seek()
                continue
            if self._requests[node] >= (MOST_UNDER_WAY if self._size >= MUCH else UNDER_WAY):
                continue
            batch = next((batch for batch in queue if (batch.sender, place) not in self._under_way), None)
            if batch is None or (sizes[node] and sizes[node] + len(batch.content) > REQUEST_BYTES):
                continue
            sizes[node] += len(batch.content)
            chosen.setdefault(node, {})[place] = batch
        yield from chosen.items()

    async def _request(self, node: int, batches: Mapping[Place, ShippedBatch]) -> None:
        again: list[ShippedBatch] = []
        try:
            answer = await self._connected.send(node, self._request_of(batches))
        except KafkaError as error:
            log.warning("owners.not_acknowledged", broker=node, reason=type(error).__name__)
            for batch in batches.values():
                self._judge(batch, error, again)
        except asyncio.CancelledError:
            # aiokafka cancels requests of its own when it closes a connection.
            if is_cancelled():
                raise
            again.extend(batches.values())
        else:
            for topic, partitions in answer.topics:
                for partition, code, offset, *_ in partitions:
                    batch = batches[topic, partition]
                    if not code or code == DuplicateSequenceNumber.errno:
                        batch.shipment.acknowledge(batch.place, offset)
                    else:
                        error_type = for_code(code)
                        refused = error_type is TopicAuthorizationFailedError
                        self._judge(batch, TopicRightError(topic, "Write") if refused else error_type(), again)
        if again:
            await asyncio.sleep(BACKOFF_SECONDS)
            self._wait_again(again)

    def _request_of(self, batches: Mapping[Place, ShippedBatch]) -> ProduceRequest:
        topics: dict[str, list[tuple[int, bytes]]] = {}
        for (topic, partition), batch in batches.items():
            topics.setdefault(topic, []).append((partition, batch.content))
        waits_ms = int(self._answer_seconds * _OF_ANSWER * 1000)
        return ProduceRequest(transactional_id=None, required_acks=_ALL, timeout=waits_ms, topics=list(topics.items()))

    def _wait_again(self, batches: Iterable[ShippedBatch]) -> None:
        """Before all that their senders have handed over since: that nothing overtakes them."""
        for batch in batches:
            if batch.sender in self._leavers:
                batch.shipment.outcome.cancel()
                continue
            self._waiting.setdefault(batch.place, deque()).appendleft(batch)
            self._size += len(batch.content)

    def _judge(self, batch: ShippedBatch, error: KafkaError, again: list[ShippedBatch]) -> None:
        if error.retriable:
            if getattr(error, "invalid_metadata", False):
                self._connected.force_metadata_update()
            again.append(batch)
        elif isinstance(error, InvalidProducerEpoch):
            batch.shipment.refuse(ProducerFenced())
        else:
            batch.shipment.refuse(error)

    def _on_end(self, node: int, batches: Mapping[Place, ShippedBatch], task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._requests[node] -= 1
        error = None if task.cancelled() else task.exception()
        for batch in batches.values():
            self._under_way.discard((batch.sender, batch.place))
            if error is not None:
                batch.shipment.refuse(error)
        for sender in [sender for sender in self._leavers if not self._is_under_way(sender)]:
            self._leavers.pop(sender).set_result(None)
        if self._waiting:
            self._look()

    def _is_under_way(self, sender: object) -> bool:
        return any(who is sender for who, _ in self._under_way)

    # Where it is sent

    def _seek(self) -> None:
        if self._seeking is None:
            self._seeking = asyncio.create_task(self._seek_leaders())
            self._seeking.add_done_callback(self._on_sought)

    def _on_sought(self, task: "asyncio.Task[None]") -> None:
        self._seeking = None
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            for queue in self._waiting.values():
                for batch in queue:
                    batch.shipment.refuse(error)
            self._waiting.clear()
            self._size = 0
        self._look_soon()

    async def _seek_leaders(self) -> None:
        """Ask for the leaders of all partitions to which something waits; refuse what Kafka does not know."""
        client = self._connected
        for topic in {topic for topic, _ in self._waiting}:
            client.add_topic(topic)
        await client.force_metadata_update()
        cluster, unknown = client.cluster, False
        for place in list(self._waiting):
            if place[1] in (cluster.partitions_for_topic(place[0]) or ()):
                unknown = unknown or cluster.leader_for_partition(TopicPartition(*place)) in {None, -1}
                continue
            unknown = True
            queue = self._waiting[place]
            while queue and time.monotonic() - queue[0].at > self._unknown_seconds:
                batch = queue.popleft()
                self._size -= len(batch.content)
                batch.shipment.refuse(UnknownTopicOrPartitionError(f"{place[0]}[{place[1]}]"))
            if not queue:
                del self._waiting[place]
        if unknown:
            await asyncio.sleep(BACKOFF_SECONDS)


_NAMED_LATER = {
    CoordinatorNotAvailableError,
    NotCoordinatorError,
    CoordinatorLoadInProgressError,
    ConcurrentTransactions,
}

"""A producer whose acknowledgements the test gives, and a log of deliveries over such ones."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError

from api.write.ingest import Ingest
from schemas.deliveries import Delivery, decode_delivery
from tests.api.live import make_settings

PATIENCE_SECONDS = 60.0
SHORT_SECONDS = 0.5


def make_delivery(body: bytes = b"{}") -> Delivery:
    return Delivery("feed", 1_773_850_890_344_000, {"content-type": "application/json"}, body)


class FakeBatch:
    """Takes so many messages."""

    def __init__(self, capacity: int) -> None:
        self.values: list[bytes] = []
        self.headers: list[list[tuple[str, bytes]]] = []
        self._capacity = capacity

    def append(
        self, *, timestamp: int | None, key: bytes | None, value: bytes, headers: list[tuple[str, bytes]]
    ) -> object:
        if len(self.values) == self._capacity:
            return None
        self.values.append(value)
        self.headers.append(headers)
        return object()


class FakeProducer:
    """A producer whose acknowledgements the test gives, unless it is prompt."""

    def __init__(
        self,
        *,
        partitions: int = 4,
        capacity: int = 1_000,
        failure: Exception | None = None,
        is_prompt: bool = False,
        largest: int | None = None,
        leaders: int = 4,
    ) -> None:
        """`largest`: bytes of a batch that its topic takes; it answers at once then.

        Partitions are led in turn by so many brokers.
        """
        self.failure = failure
        self.is_prompt = is_prompt
        self._largest = largest
        self.sent: list[tuple[int, list[bytes], asyncio.Future[SimpleNamespace]]] = []
        self.headers: list[list[tuple[str, bytes]]] = []
        """Of each message sent."""
        self._capacity = capacity
        self.is_closed = False
        known = set(range(partitions))
        cluster = SimpleNamespace(
            available_partitions_for_topic=lambda _topic: known,
            leader_for_partition=lambda place: place.partition % leaders,
        )
        self.client = SimpleNamespace(cluster=cluster, close=self._close)
        self._sender = SimpleNamespace(close=self._close)

    async def _close(self) -> None:
        self.is_closed = True

    async def start(self) -> None:
        if self.failure is not None:
            raise self.failure

    async def partitions_for(self, _topic: str) -> set[int]:
        return {0}

    def create_batch(self) -> FakeBatch:
        return FakeBatch(self._capacity)

    async def send_batch(self, batch: FakeBatch, _topic: str, *, partition: int) -> asyncio.Future[SimpleNamespace]:
        future: asyncio.Future[SimpleNamespace] = asyncio.get_running_loop().create_future()
        self.sent.append((partition, batch.values, future))
        self.headers += batch.headers
        if self._largest is not None:
            if sum(map(len, batch.values)) > self._largest:
                future.set_exception(MessageSizeTooLargeError())
            else:
                future.set_result(SimpleNamespace(partition=partition, offset=0))
        if self.is_prompt:
            self.acknowledge_all()
        return future

    def acknowledge_all(self) -> None:
        offset = 0
        for partition, values, future in self.sent:
            if not future.done():
                future.set_result(SimpleNamespace(partition=partition, offset=offset))
            offset += len(values)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running(
    data: Path, producers: list[FakeProducer], definitions: Callable[[], str] | None = None, **settings: Any
) -> AsyncIterator[Ingest]:
    """An ingest that takes the producers one after the other; then Kafka is away."""
    supply = iter(producers)
    given: Any = lambda: next(supply, None) or FakeProducer(failure=KafkaConnectionError("away"))  # noqa: E731
    made = make_settings(data, **{"produce_timeout_seconds": SHORT_SECONDS, **settings})
    ingest = Ingest(made, given, definitions=definitions)
    await ingest.start()
    try:
        yield ingest
    finally:
        await ingest.stop()


def is_connected(ingest: Ingest) -> bool:
    """Whether it has a producer of which nothing is overdue; after a stall that is not called ready yet."""
    return ingest._session is not None and not ingest._session.is_stalled


def bodies(producer: FakeProducer) -> list[list[bytes]]:
    """What each batch held, in the order in which they were sent."""
    return [[decode_delivery(message).body for message in values] for _, values, _ in producer.sent]


def accept_all(ingest: Ingest, numbers: range) -> list[asyncio.Task[str]]:
    return [asyncio.create_task(ingest.accept(make_delivery(b"%d" % number))) for number in numbers]

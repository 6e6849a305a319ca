"""Reading a topic from its beginning and following it, outside any group: for recounts and replays.

Owns the consumer and its positions, and that it asks Kafka for nothing while nobody reads. Does not decode.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NoReturn, Self, TypeVar

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from processor.transport.administration import administration
from processor.transport.fetched import Fetched, Stored, fold_into
from processor.transport.rights import raise_missing_right
from schemas.kafka import Address, kafka_options
from schemas.kafka_clients import stop_quietly
from schemas.progress import Progress, progress_in
from schemas.topics import FENCE

FETCH_BYTES = 8 << 20
AT_ONCE = 5_000

T = TypeVar("T")

log = structlog.get_logger(__name__)


class MissingTopicError(Exception):
    """The topic is not there."""

    def __init__(self, topic: str) -> None:
        super().__init__(f"topic {topic} is not there")


class Follower:
    """One topic, read once, and the ends of any topic. Use as an async context manager.

    `wait_ms`: how long the broker may hold a question for more; one for ends waits behind it. `at_once`: how many
    records `read_to` hands over at once.
    """

    def __init__(self, bootstrap: Address, topic: str, *, wait_ms: int = 20, at_once: int = AT_ONCE) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._at_once = at_once
        self._partitions: dict[str, int] = {}
        self._wait_ms = wait_ms
        self._consumer: AIOKafkaConsumer = None  # until there is a topic to be read
        self.positions: dict[int, int] = {}
        """Partition -> the next offset to be read."""

    async def __aenter__(self) -> Self:
        partitions = await self._partitions_of(self._topic)
        self._consumer = AIOKafkaConsumer(
            **kafka_options(self._bootstrap),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=FETCH_BYTES,
            fetch_max_wait_ms=self._wait_ms,
        )
        await self._consumer.start()
        self._consumer.assign(partitions)
        self._consumer.pause(*partitions)
        for tp, offset in (await self._consumer.beginning_offsets(partitions)).items():
            self._consumer.seek(tp, offset)
            self.positions[tp.partition] = offset
        return self

    async def __aexit__(self, *_error: object) -> None:
        await stop_quietly(self._consumer)

    def seek(self, positions: Mapping[int, int]) -> None:
        """Go on from these offsets, in partitions that have not lost what lies before them."""
        for partition, offset in positions.items():
            if partition in self.positions and offset > self.positions[partition]:
                self._consumer.seek(TopicPartition(self._topic, partition), offset)
                self.positions[partition] = offset

    async def ends(self, topic: str | None = None) -> dict[int, int]:
        """The end offset of each partition of a topic; of the one followed if none is named."""
        (found,) = await self.ends_of([topic or self._topic])
        return found

    async def ends_of(self, topics: Sequence[str]) -> list[dict[int, int]]:
        """The end offset of each partition of each of these topics, asked for in one request to each leader."""
        partitions = [await self._partitions_of(topic) for topic in topics]
        found = await self._consumer.end_offsets([tp for of_topic in partitions for tp in of_topic])
        return [{tp.partition: found[tp] for tp in of_topic} for of_topic in partitions]

    async def _partitions_of(self, topic: str) -> list[TopicPartition]:
        if topic not in self._partitions:
            self._partitions[topic] = await _partitions(self._bootstrap, topic)
        return [TopicPartition(topic, partition) for partition in range(self._partitions[topic])]

    async def since(self, instant: int) -> dict[int, tuple[int, int]]:
        """Per partition the first message dated at `instant` or later by its producer: offset and date (µs).

        Partitions that have none are left out.
        """
        asked = dict.fromkeys(await self._partitions_of(self._topic), instant // 1000)
        found = await self._consumer.offsets_for_times(asked)
        return {
            tp.partition: (first.offset, first.timestamp * 1000) for tp, first in found.items() if first is not None
        }

    async def read_to(self, ends: Mapping[int, int], apply: Callable[[int, list[Fetched]], None]) -> None:
        """Read at least up to these offsets, exclusive; `apply` is called with partition and records."""
        with self._asking():
            while any(self.positions[partition] < end for partition, end in ends.items()):
                fetched = await self._consumer.getmany(timeout_ms=1000, max_records=self._at_once)
                for tp, records in fetched.items():
                    self.positions[tp.partition] = records[-1].offset + 1
                    apply(tp.partition, records)
                if not fetched:
                    # Compaction may have taken the last records below the end: a tombstone, at night.
                    for partition in self.positions:
                        position = await self._consumer.position(TopicPartition(self._topic, partition))
                        self.positions[partition] = max(self.positions[partition], position)

    async def wait(self, seconds: float, apply: Callable[[int, list[Fetched]], None]) -> None:
        """Read what comes, as soon as it comes, for at most so long."""
        with self._asking():
            fetched = await self._consumer.getmany(timeout_ms=int(seconds * 1000))
        for tp, records in fetched.items():
            self.positions[tp.partition] = records[-1].offset + 1
            apply(tp.partition, records)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        # aiokafka fetches ahead. A worker asks five times a second how far its stages are: it got every word of it, in
        # 66 requests a second at 1,000 events/s, and its questions for ends waited behind them.
        partitions = self._consumer.assignment()
        self._consumer.resume(*partitions)
        try:
            yield
        finally:
            self._consumer.pause(*partitions)


async def read_through(bootstrap: Address, topic: str, apply: Callable[[int, list[Fetched]], None]) -> None:
    """Read a topic from its beginning to where it ends now. Raises KafkaError, MissingTopicError."""
    async with Follower(bootstrap, topic) as follower:
        await follower.read_to(await follower.ends(), apply)


async def newest_of(bootstrap: Address, topic: str) -> dict[bytes, bytes]:
    """The last value of each key of a compacted topic that has one. Raises KafkaError, MissingTopicError."""
    found: dict[bytes, bytes] = {}
    await read_through(bootstrap, topic, lambda _, records: fold_into(found, records))
    return found


async def newest_read(
    bootstrap: Address, topic: str, decode: Callable[[bytes], T], on_unreadable: Callable[[Fetched], None]
) -> dict[bytes, T]:
    """As `newest_of`, decoded. A value that cannot be is handed to `on_unreadable` and left out, as if none were there.

    For what is made anew where it is missing.
    """
    newest: dict[bytes, Fetched] = {}

    def apply(_partition: int, records: list[Fetched]) -> None:
        for record in records:
            if record.key is None or record.key == FENCE:
                continue
            newest.pop(record.key, None)
            if record.value is not None:
                newest[record.key] = record

    await read_through(bootstrap, topic, apply)
    found: dict[bytes, T] = {}
    for key, record in newest.items():
        try:
            found[key] = decode(record.value or b"")
        except (msgspec.MsgspecError, UnicodeDecodeError):  # of a newer build, or of nobody
            on_unreadable(record)
    return found


def log_unreadable(record: Fetched) -> None:
    """Say in the log where a message lies that nobody can read. Not what is wrong with it: that may name a value."""
    log.error("message.unreadable", topic=record.topic, partition=record.partition, offset=record.offset)


async def again_and_again(follow: Callable[[], Awaitable[object]], interrupted: str, *, pause: float) -> NoReturn:
    """Follow for ever: once more after a pause whenever Kafka, or the topic, was away.

    `interrupted`: the event by which the log says so.
    """
    while True:
        try:
            await follow()
        except (KafkaError, OSError, TimeoutError, MissingTopicError) as error:
            log.warning(interrupted, error=type(error).__name__)
        await asyncio.sleep(pause)


def take_progress(held: dict[tuple[str, int], Progress], records: Iterable[Stored]) -> None:
    """Bring (stage, partition) -> progress up to date with messages of the topic `progress`."""
    for record in records:
        if record.key is not None and record.key != FENCE and record.value is not None:
            found = progress_in(record.key, record.value)
            if found is not None:
                held[found[0]] = found[1]


async def _partitions(bootstrap: Address, topic: str) -> int:
    async with administration(bootstrap) as admin:
        (description,) = await admin.describe_topics([topic])
    if description["error_code"]:
        raise_missing_right(topic, description["error_code"], "Read")
        raise MissingTopicError(topic)
    return len(description["partitions"])

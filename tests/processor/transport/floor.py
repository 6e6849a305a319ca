"""A floor for the contract tests: topics, events with a known truth, worker processes, and what they published.

Owns the subprocesses it started. Waiting is always polling with a deadline.
"""

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Self, TypeVar

import msgspec
import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from processor.transport.fetched import Stored
from processor.transport.packing import KeyAndValue
from processor.transport.reading import read_to
from schemas.topics import FENCE
from tests.forking import Forked
from tests.processor.transport.counting import recount
from tests.processor.transport.counting_worker import Orders

T = TypeVar("T")
ROOT = Path(__file__).parents[3]
COMPACTED = {
    "cleanup.policy": "compact",
    "segment.ms": "100",
    "min.cleanable.dirty.ratio": "0.001",
    "min.compaction.lag.ms": "0",
    "max.compaction.lag.ms": "100",
    "delete.retention.ms": "0",
}


async def create_topics(bootstrap: str, names: Iterable[str], *, partitions: int, configs: Mapping[str, str]) -> None:
    """Topics of one copy. They keep what is stamped long ago, as fixtures are: Kafka's own default is a week."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics(
            [
                NewTopic(
                    name,
                    num_partitions=partitions,
                    replication_factor=1,
                    topic_configs={"retention.ms": "-1", **configs},
                )
                for name in names
            ]
        )
    finally:
        await admin.close()


async def produce(bootstrap: str, topic: str, partition: int, messages: Iterable[KeyAndValue]) -> None:
    """Write whole batches, in order."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_batch_size=900_000)
    await producer.start()
    try:
        acknowledgements = []
        batch = producer.create_batch()
        for key, value in messages:
            if batch.append(key=key, value=value, timestamp=None) is None:
                acknowledgements.append(await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                batch.append(key=key, value=value, timestamp=None)
        if batch.record_count():
            acknowledgements.append(await producer.send_batch(batch, topic, partition=partition))
        for acknowledgement in acknowledgements:
            await acknowledgement
    finally:
        await producer.stop()


async def ends_of(bootstrap: str, topic: str, partitions: int) -> dict[tuple[str, int], int]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        ends = await consumer.end_offsets([TopicPartition(topic, partition) for partition in range(partitions)])
        return {(tp.topic, tp.partition): end for tp, end in ends.items()}
    finally:
        await consumer.stop()


async def committed(bootstrap: str, group: str) -> dict[tuple[str, int], int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(group)
        return {(tp.topic, tp.partition): meta.offset for tp, meta in offsets.items()}
    finally:
        await admin.close()


async def eventually(ask: Callable[[], Awaitable[T]], right: Callable[[T], bool], *, seconds: float = 90.0) -> T:
    """Ask until the answer is right; return the last answer in any case, for the assertion to show."""
    deadline = time.monotonic() + seconds
    while True:
        answer = await ask()
        if right(answer) or time.monotonic() > deadline:
            return answer
        await asyncio.sleep(0.1)


class Worker:
    """One started worker process and its log."""

    def __init__(self, orders: Orders, log: Path) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = Forked[bytes](
                [
                    sys.executable,
                    "-m",
                    "tests.processor.transport.counting_worker",
                    msgspec.json.encode(orders).decode(),
                ],
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        return self.log.read_text()

    def lines(self, start: str) -> list[str]:
        return [line[3:] for line in self.said().splitlines() if line.startswith(f"## {start}")]

    async def has_said(self, start: str, times: int = 1, *, seconds: float = 90.0) -> None:
        await self._until(lambda: len(self.lines(start)) >= times, f"say {times} x {start!r}", seconds)

    async def has_logged(self, words: str, *, seconds: float = 90.0) -> None:
        """Anywhere in a line, of whatever library."""
        await self._until(lambda: words in self.said(), f"log {words!r}", seconds)

    async def is_frozen(self, *, seconds: float = 90.0) -> None:
        process = psutil.Process(self.process.pid)
        await self._until(lambda: process.status() == psutil.STATUS_STOPPED, "freeze", seconds)

    async def ended(self, *, seconds: float = 90.0) -> int:
        deadline = time.monotonic() + seconds
        while (code := self.process.poll()) is None:
            if time.monotonic() > deadline:
                msg = f"the worker did not end:\n{self.said()[-4000:]}"
                raise AssertionError(msg)
            await asyncio.sleep(0.05)
        return code

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def _until(self, right: Callable[[], bool], what: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not right():
            if self.process.poll() is not None or time.monotonic() > deadline:
                msg = f"the worker did not {what} (exit code {self.process.poll()}):\n{self.said()[-4000:]}"
                raise AssertionError(msg)
            await asyncio.sleep(0.02)


class Floor:
    """Topics of one test with a known truth, and its workers."""

    def __init__(
        self, *, bootstrap: str, prefix: str, folder: Path, partitions: int = 2, stages: tuple[str, ...] = ("changes",)
    ) -> None:
        self.bootstrap = bootstrap
        self.prefix = prefix
        self.partitions = partitions
        self.stages = stages
        self.events: dict[tuple[str, int], list[KeyAndValue]] = {}
        self._folder = folder
        self._workers: list[Worker] = []
        self._random = random.Random(prefix)

    async def __aenter__(self) -> Self:
        sources = [f"{self.prefix}{stage}" for stage in self.stages]
        await create_topics(self.bootstrap, sources, partitions=self.partitions, configs={})
        outputs = [f"{source}-{kind}" for source in sources for kind in ("ledger", "counts")]
        await create_topics(self.bootstrap, outputs, partitions=self.partitions, configs=COMPACTED)
        return self

    async def __aexit__(self, *_: object) -> None:
        for worker in self._workers:
            if worker.process.poll() is None:
                worker.process.kill()
                worker.process.wait()

    async def happen(self, events: int) -> None:
        """Let `events` revisions happen in each partition of each stage: many of the same records, some stale."""
        for stage in self.stages:
            for partition in range(self.partitions):
                place = (stage, partition)
                past = self.events.setdefault(place, [])
                new = [self._event(stage, partition, len(past) + i) for i in range(events)]
                past += new
                await produce(self.bootstrap, f"{self.prefix}{stage}", partition, new)

    def _event(self, stage: str, partition: int, number: int) -> KeyAndValue:
        record = self._random.randrange(300 + number // 4)
        revision = max(0, number - self._random.randrange(50))
        rep = self._random.randrange(20)
        return f"{stage}-{partition}-r{record}".encode(), f"{revision}|rep{rep}".encode()

    def start(self, name: str, **orders: object) -> Worker:
        wanted = msgspec.convert(
            {
                "bootstrap": self.bootstrap,
                "prefix": self.prefix,
                "datadir": str(self._folder / name),
                "worker_id": name,
                "partitions": self.partitions,
                "stages": list(self.stages),
            }
            | orders,
            Orders,
        )
        worker = Worker(wanted, self._folder / f"{name}-{len(self._workers)}.log")
        self._workers.append(worker)
        return worker

    async def differences(self) -> list[str]:
        """Where the last published values are not the recount's, in ledger and counts of every partition."""
        found: list[str] = []
        for (stage, partition), events in self.events.items():
            rows, counts = recount(events)
            for kind, truth in (("ledger", rows), ("counts", counts)):
                published = await self.published(f"{self.prefix}{stage}-{kind}", partition)
                found += [
                    f"{stage}-{kind}[{partition}] {key!r}: {published.get(key)!r}, not {truth.get(key)!r}"
                    for key in sorted(truth.keys() | published.keys())
                    if truth.get(key) != published.get(key)
                ]
        return found

    async def published(self, topic: str, partition: int) -> dict[bytes, bytes]:
        """Give the last value of each key."""
        last: dict[bytes, bytes] = {}
        for record in await self._records(topic, partition):
            assert record.key is not None
            if record.value is None:
                last.pop(record.key, None)
            elif record.key != FENCE:
                last[record.key] = record.value
        return last

    async def _records(self, topic: str, partition: int) -> list[Stored]:
        ends = await ends_of(self.bootstrap, topic, self.partitions)
        found: list[Stored] = []
        place = (topic, partition)
        await read_to(self.bootstrap, {place: ends[place]}, lambda _topic, _partition, records: found.extend(records))
        return found

    async def committed(self) -> dict[tuple[str, int], int]:
        return await committed(self.bootstrap, f"{self.prefix}workers")

    async def stored(self, topic: str, partition: int) -> int:
        """How many records the partition still holds."""
        return len(await self._records(topic, partition))

    async def newest_epoch(self, kind: str, partition: int) -> int:
        """Give the epoch in the last fence of a partition; -1 without any."""
        fences = [r for r in await self._records(f"{self.prefix}{kind}", partition) if r.key == FENCE]
        return int((fences[-1].value or b"").partition(b"/")[2]) if fences else -1

    async def nothing_differs(self, *, seconds: float = 30.0) -> list[str]:
        return await eventually(self.differences, lambda found: not found, seconds=seconds)

    async def committed_equals_ends(self, *, seconds: float = 15.0) -> tuple[dict[tuple[str, int], int], ...]:
        async def ask() -> tuple[dict[tuple[str, int], int], ...]:
            ends: dict[tuple[str, int], int] = {}
            for stage in self.stages:
                ends |= await ends_of(self.bootstrap, f"{self.prefix}{stage}", self.partitions)
            return await self.committed(), ends

        return await eventually(ask, lambda answer: answer[0] == answer[1], seconds=seconds)

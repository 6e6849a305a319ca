"""A floorcast of several workers as somebody would run it, whose every process and every link can be spoiled.

Owns the processes (Kafka, workers, api), the folder, the topics and the links. A process that dies is started again,
with the same back-off as under `floorcast up`; nothing is left at the end, whatever happened. Knows nothing of what is
posted or served.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import yaml
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from deploy.local.broker import LocalBroker
from deploy.local.kafka_folder import Door
from deploy.local.supervisor import Backoff, ChildProgram
from deploy.local.up import make_topics
from processor.transport.fetched import Fetched
from processor.transport.following import Follower
from schemas.config import Config, load_config
from schemas.topics import FENCE, TOPICS, Topic
from tests.faults.link import Link
from tests.ports import held_port

HOST = "127.0.0.1"
PARTITIONS = 4
CONNECTION = "feed"
CONFIGURATION: dict[str, object] = {
    "organisation": {"name": "Faults", "timezone": "Asia/Kuala_Lumpur", "currency": "USD"},
    "connections": {CONNECTION: {"kind": "generic", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}},
    "teams": {"north": {"name": "North"}},
    "reps": {"r-1": {"name": "Ana Lim", "team": "north"}},
    "lead_response": {"rules": [{"when": {"source": "demo_request"}, "sla": "5m"}, {"sla": "1h"}]},
    "currency_rates": {"EUR": "1.08"},
    "pipelines": {
        "sales": {"steps": ["discovery", "demo", "proposal", "negotiation"], "won": ["won"], "lost": ["lost"]}
    },
    "goals": {
        "calls": {"metric": "calls_made", "period": "week", "amounts": [{"each": 40}]},
        "won": {"metric": "revenue_won", "period": "month", "amounts": [{"each": "5000"}, {"amount": "90000"}]},
    },
}
COMPACTED_WITHIN_MS = 5_000
"""No message of a compacted topic escapes the cleaner for longer."""

_COMMAND = Path(sys.executable).with_name("floorcast")
_START_SECONDS = 90.0
_STOP_SECONDS = 8.0
_KAFKA_SECONDS = 180.0
_COMPACTION_SECONDS = 60.0
_TAIL = 100
_UNLIMITED_LOG = 1 << 40


async def until(done: Callable[[], bool], what: str, seconds: float = _START_SECONDS) -> None:
    """Look until it is so."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"after {seconds:g} s: not {what}"
        await asyncio.sleep(0.05)


class Brokers(Protocol):
    """What a floorcast here needs to know of the Kafka that it runs on."""

    in_sync: int
    """So many copies acknowledge a write."""

    @property
    def address(self) -> str:
        """Where it is, without a link in between."""
        ...

    def address_of(self, member: str) -> str:
        """Where it is for a process of this name."""
        ...


class Kafka:
    """The local Kafka with a link in front of it for the api and one for the first worker; all others go directly."""

    in_sync = 1

    def __init__(self, folder: Path, *, linked: bool = False) -> None:
        """`linked`: the links are used; they run in this process and cost time."""
        self._linked = linked
        self.api_link, self.worker_link = Link(), Link()
        doors = [Door(link.target, link.port) for link in (self.api_link, self.worker_link)]
        self._broker = LocalBroker(folder, die_with_parent=True, short_lived=True, doors=doors)

    async def __aenter__(self) -> Self:
        await self.api_link.__aenter__()
        await self.worker_link.__aenter__()
        try:
            await self.start()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Its folder is thrown away.
        await self.kill()
        await self.api_link.__aexit__(None, None, None)
        await self.worker_link.__aexit__(None, None, None)

    @property
    def address(self) -> str:
        """Where it is, without a link in between."""
        return self._broker.bootstrap

    def address_of(self, member: str) -> str:
        """Where it is for a process of this name."""
        link = {"api": self.api_link, "worker-1": self.worker_link}.get(member) if self._linked else None
        return self.address if link is None else f"{HOST}:{link.port}"

    @property
    def alive(self) -> bool:
        return self._broker.alive

    async def start(self) -> None:
        """Start it (again); raises UpError."""
        await asyncio.to_thread(self._broker.start, _KAFKA_SECONDS)

    async def kill(self) -> None:
        """Kill -9."""
        await asyncio.to_thread(self._broker.kill)

    async def stop(self) -> None:
        """Stop it in an orderly way."""
        await asyncio.to_thread(self._broker.stop)


class Member:
    """One process of floorcast, started again when it dies for as long as it is wanted."""

    def __init__(self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str], port: int) -> None:
        self.name = name
        self.log = log
        self.url = f"http://{HOST}:{port}"
        """Where it answers for itself."""
        self.ends: list[int] = []
        """The exit codes of its lives so far; negative: the signal."""
        self.wanted = False
        self._program = ChildProgram(
            name=name, command=command, log=log, environment=environment, max_log_bytes=_UNLIMITED_LOG
        )
        self._keeper: asyncio.Task[None] | None = None
        self._started_at = 0.0

    @property
    def pid(self) -> int:
        found = self._program.pid
        assert found is not None, f"{self.name} was never started"
        return found

    @property
    def alive(self) -> bool:
        """Whether a process of it runs, frozen ones too."""
        return self._keeper is not None and self._program.pid is not None and _runs(self._program.pid)

    async def start(self) -> None:
        """Start it, and keep it."""
        self.wanted = True
        await self._start()
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.name}")

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process that runs; what comes of it is the keeper's."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    async def stop(self, *, by_force: bool = False) -> None:
        """End it for good."""
        self.wanted = False
        if self._keeper is None:
            return
        if by_force:
            self._program.kill()
        await self._program.stop(_STOP_SECONDS)
        await self._keeper
        self._keeper = None

    async def restart(self, number: signal.Signals) -> None:
        """End it by this signal and start it at once, without any back-off."""
        self.wanted = False
        self.send(number)
        if self._keeper is not None:
            try:
                async with asyncio.timeout(_STOP_SECONDS):
                    await asyncio.shield(self._keeper)
            except TimeoutError:
                self._program.kill()
                await self._keeper
        await self.start()

    def words(self) -> str:
        """All that it wrote."""
        try:
            return self.log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    async def _start(self) -> None:
        self._started_at = time.monotonic()
        await self._program.start()

    async def _keep(self) -> None:
        backoff = Backoff()
        while True:
            code = await self._program.wait()
            self.ends.append(code)
            delay = backoff.delay(time.monotonic() - self._started_at)
            deadline = time.monotonic() + delay
            while self.wanted and time.monotonic() < deadline:
                await asyncio.sleep(0.05)
            if not self.wanted:
                return
            await self._start()


class Stack:
    """A floorcast with topics of its own on a Kafka that others may use as well. Use as an async context manager."""

    def __init__(
        self,
        folder: Path,
        kafka: Brokers,
        *,
        workers: int = 2,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.kafka = kafka
        self.prefix = f"f{secrets.token_hex(4)}."
        self.config_file = folder / "floorcast.yaml"
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("FLOORCAST_")},
            "FLOORCAST_PREFIX": self.prefix,
            "FLOORCAST_PARTITIONS": str(PARTITIONS),
            "PYTHONUNBUFFERED": "1",
            **(environment or {}),
        }
        self.workers = [self.new_worker(number) for number in range(1, workers + 1)]
        self.api = self._member("api", [])

    @property
    def config(self) -> Config:
        return load_config(self.config_file, os.environ)

    @property
    def members(self) -> list[Member]:
        return [*self.workers, self.api]

    def new_worker(self, number: int) -> Member:
        """One more worker, not started yet."""
        return self._member(f"worker-{number}", ["--worker-id", f"w{number}"])

    def _member(self, name: str, arguments: list[str]) -> Member:
        port = held_port()
        command = [sys.executable, str(_COMMAND), name.partition("-")[0], "--config", str(self.config_file)]
        command += ["--broker", self.kafka.address_of(name), "--data", str(self.folder / name)]
        command += ["--port", str(port), *arguments]
        return Member(name, command, self.folder / f"{name}.log", self._environment, port)

    async def __aenter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config_file.write_text(yaml.safe_dump(CONFIGURATION), encoding="utf-8")
        await make_topics(self.config_file, self.kafka.address, self.prefix, PARTITIONS)
        await self._compact_soon()
        try:
            await self.start()
        except BaseException:
            await self.stop(by_force=True)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop(by_force=True)

    async def start(self) -> None:
        """Start workers and api."""
        for member in self.members:
            await member.start()

    async def stop(self, *, by_force: bool = False) -> None:
        """End workers and api."""
        await asyncio.gather(*(member.stop(by_force=by_force) for member in self.members))

    def topic(self, topic: Topic) -> str:
        """As Kafka knows it."""
        return topic.full_name(self.prefix, 1)

    async def kept(self, topic: Topic) -> dict[tuple[int, bytes], bytes]:
        """The last value of each key of a compacted topic, by partition."""
        found: dict[tuple[int, bytes], bytes] = {}
        for partition, record in await self.records(topic):
            if record.key is None or record.key == FENCE:
                continue
            if record.value is None:
                found.pop((partition, record.key), None)
            else:
                found[partition, record.key] = record.value
        return found

    async def records(self, topic: Topic) -> list[tuple[int, Fetched]]:
        """All that lies in a topic."""
        found: list[tuple[int, Fetched]] = []

        def apply(partition: int, records: list[Fetched]) -> None:
            found.extend((partition, record) for record in records)

        async with Follower(self.kafka.address, self.topic(topic)) as follower:
            await follower.read_to(await follower.ends(), apply)
        return found

    async def compact(self) -> str:
        """Make Kafka clean the compacted topics; return once of each key hardly more than the last value is left."""
        compacted = [topic for topic in TOPICS if topic.compacted]
        deadline = time.monotonic() + _COMPACTION_SECONDS
        while True:
            await self._roll(compacted)
            stored = {topic: await self.records(topic) for topic in compacted}
            before = sum(_ends(records) for records in stored.values())
            left = sum(len(records) for records in stored.values())
            surplus = {
                topic.name: len(records) - len({(partition, record.key) for partition, record in records})
                for topic, records in stored.items()
            }
            if all(count <= _TAIL for count in surplus.values()):
                return f"{before} messages compacted to {left}"
            assert time.monotonic() < deadline, f"not compacted: {surplus}"
            await asyncio.sleep(1)

    async def _roll(self, topics: Sequence[Topic]) -> None:
        """Kafka cleans all but the newest segment, and begins a new one only when something is written."""
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka.address)
        await producer.start()
        try:
            for topic in topics:
                for partition in range(topic.partitions(log=PARTITIONS, derived=PARTITIONS)):
                    await producer.send(self.topic(topic), b"", key=FENCE, partition=partition)
            await producer.flush()
        finally:
            await producer.stop()

    async def _compact_soon(self) -> None:
        """Let the cleaner work all the time, also below the workers' hands."""
        kept = self.config.retention.records
        resources = [
            ConfigResource(
                ConfigResourceType.TOPIC,
                self.topic(topic),
                {
                    **topic.settings(kept),
                    "min.insync.replicas": str(self.kafka.in_sync),
                    "max.compaction.lag.ms": str(COMPACTED_WITHIN_MS),
                },
            )
            for topic in TOPICS
            if topic.compacted
        ]
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka.address)
        await admin.start()
        try:
            await admin.alter_configs(resources)
        finally:
            await admin.close()


def _ends(records: Sequence[tuple[int, Fetched]]) -> int:
    ends: dict[int, int] = {}
    for partition, record in records:
        ends[partition] = max(ends.get(partition, 0), record.offset + 1)
    return sum(ends.values())


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

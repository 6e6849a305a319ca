"""Three nodes of Kafka on this machine, each a broker and a voter of the quorum, as a floor in earnest has them.

Owns the nodes and what can be done to them: each may be killed, stopped, frozen and started again. Sessions and
elections are Kafka's own defaults, not the short ones of the local Kafka: what floorcast does meanwhile is the point.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from deploy.local.broker import ensure_jars
from deploy.local.kafka_folder import fill, new_id
from deploy.local.kafka_jvm import TEMPLATES, launch
from tests.faults.quorum import leader_of_quorum, order_replicas
from tests.ports import held_port

HOST = "127.0.0.1"
NODES = 3
_START_SECONDS = 240.0
_STOP_SECONDS = 40.0
_QUICK_MS = 2_000
_BETWEEN_LOOKS_SECONDS = 0.2

# Of a name that stands twice the last one counts. What the template shortens for one node is Kafka's default again.
_SETTINGS = """
node.id={number}
log.dirs=log
listeners=CLIENT://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=CLIENT://{host}:{port}
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.quorum.voters={voters}
broker.heartbeat.interval.ms=2000
broker.session.timeout.ms=9000
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
"""


class Node:
    """One of them, with a folder and ports that stay."""

    def __init__(self, folder: Path, number: int) -> None:
        self.number = number
        self.port, self.controller_port = held_port(), held_port()
        self._folder = folder / f"node-{number}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def voter(self) -> str:
        return f"{self.number}@{HOST}:{self.controller_port}"

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def lay_out(self, cluster_id: str, voters: str) -> None:
        """Make its folder."""
        self._folder.mkdir(parents=True)
        template = (TEMPLATES / "server.properties").read_text(encoding="utf-8")
        settings = _SETTINGS.format(
            number=self.number, host=HOST, port=self.port, controller=self.controller_port, voters=voters
        )
        (self._folder / "kafka.properties").write_text(template + settings, encoding="ascii")
        fill(self._folder / "log", cluster_id, str(self.number))

    def start(self) -> None:
        """Start its process; whether it serves is not waited for."""
        assert not self.alive, f"node {self.number} runs already"
        self._process = launch(self._folder, _classpath(), die_with_parent=True, short_lived=True, is_recorded=False)

    def send(self, number: signal.Signals) -> None:
        """SIGSTOP and SIGCONT freeze and thaw it."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill -9, frozen or not."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """Let it hand over what it leads, and end."""
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()


class Cluster:
    """All of them. Use as an async context manager."""

    in_sync = 2
    """So many copies acknowledge a write."""

    def __init__(self, folder: Path) -> None:
        self.nodes = [Node(folder, number) for number in range(1, NODES + 1)]

    async def __aenter__(self) -> Self:
        cluster_id = new_id()
        voters = ",".join(node.voter for node in self.nodes)
        for node in self.nodes:
            node.lay_out(cluster_id, voters)
        try:
            for node in self.nodes:
                await asyncio.to_thread(node.start)
            await self.until_whole()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Its folder is thrown away.
        await asyncio.gather(*(asyncio.to_thread(node.kill) for node in self.nodes))

    @property
    def address(self) -> str:
        """Where they are."""
        return ",".join(node.address for node in self.nodes)

    def address_of(self, _member: str) -> str:
        """Everybody goes there directly."""
        return self.address

    def node(self, number: int) -> Node:
        return self.nodes[number - 1]

    async def controller(self) -> int:
        """The node that leads the quorum."""
        async with self._client() as client:
            return await leader_of_quorum(client, client.get_random_node())

    async def leaders(self, topic: str) -> dict[int, int]:
        """The node that leads each partition of a topic."""
        return {
            found["partition"]: found["leader"]
            for described in await self._topics(topic)
            for found in described["partitions"]
        }

    async def move(self, wanted: Mapping[str, Mapping[int, Sequence[int]]]) -> None:
        """Give partitions of topics copies on other nodes, the first of which leads; return once it is so."""
        async with self._client() as client:
            await order_replicas(client, client.get_random_node(), wanted)
        deadline = time.monotonic() + _START_SECONDS
        while not await self._is_so(wanted):
            assert time.monotonic() < deadline, "Kafka did not move the partitions"
            await asyncio.sleep(_BETWEEN_LOOKS_SECONDS)

    async def until_whole(self) -> None:
        """Wait until every node serves and every partition has all its copies."""
        deadline = time.monotonic() + _START_SECONDS
        lacking = "nobody answers"
        while True:
            ended = [node.number for node in self.nodes if not node.alive]
            assert not ended, f"ended by themselves: nodes {ended}"
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                lacking = await self._lacking()
                if not lacking:
                    return
            assert time.monotonic() < deadline, f"the cluster is not whole: {lacking}"
            await asyncio.sleep(_BETWEEN_LOOKS_SECONDS)

    async def _lacking(self) -> str:
        async with self._admin() as admin:
            brokers = len((await admin.describe_cluster())["brokers"])
            if brokers < NODES:
                return f"{brokers} of {NODES} nodes"
            topics = await admin.list_topics()
            described = await admin.describe_topics(topics) if topics else []
        short = [
            f"{topic['topic']}[{found['partition']}]"
            for topic in described
            for found in topic["partitions"]
            if set(found["isr"]) != set(found["replicas"]) or found["leader"] < 0
        ]
        return f"copies of {len(short)} partitions, such as {short[0]}" if short else ""

    async def _is_so(self, wanted: Mapping[str, Mapping[int, Sequence[int]]]) -> bool:
        for topic in await self._topics(*wanted):
            for found in topic["partitions"]:
                nodes = list(wanted[topic["topic"]].get(found["partition"], found["replicas"]))
                if found["replicas"] != nodes or set(found["isr"]) != set(nodes):
                    return False
        return True

    async def _topics(self, *names: str) -> list[dict[str, Any]]:
        async with self._admin() as admin:
            return list(await admin.describe_topics(list(names)))

    @contextlib.asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.address, request_timeout_ms=_QUICK_MS)
        try:
            await admin.start()
            yield admin
        finally:
            await admin.close()

    @contextlib.asynccontextmanager
    async def _client(self) -> AsyncIterator[AIOKafkaClient]:
        client = AIOKafkaClient(bootstrap_servers=self.address, request_timeout_ms=_QUICK_MS)
        try:
            await client.bootstrap()
            yield client
        finally:
            await client.close()


def _classpath() -> str:
    return os.pathsep.join(map(str, ensure_jars()))

"""`floorcast stream NAME` as a process on a real Kafka: killed, started again, started twice."""

import asyncio
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import yaml

from deploy.pulse import is_fresh
from deploy.streaming.events import mark_of
from deploy.streaming.positions import read_positions
from processor.transport.administration import ensure_topics
from processor.transport.fetched import Fetched
from processor.transport.following import Follower
from schemas.deliveries import Delivery, decode_delivery
from schemas.exit_codes import ExitCode
from schemas.instants import DAY
from schemas.machine_clock import machine_clock
from schemas.topics import DELIVERIES
from tests.deploy.streaming.payloads import CHANNEL, CONNECTOR, ORGANIZATION, settings, won
from tests.fakes.salesforce_events import FakeEvents, FakeTokens
from tests.forking import COMMAND, Forked

pytestmark = pytest.mark.kafka
CLIENT = ("client", "secret-of-the-client")


@pytest.fixture
def bus() -> FakeEvents:
    return FakeEvents(organization=ORGANIZATION, topics=(CHANNEL,), keepalive=1.0)


@pytest.fixture
def endpoint(bus: FakeEvents) -> Iterator[str]:
    with bus.serving() as found:
        yield found


@pytest.fixture
async def world(bus: FakeEvents, endpoint: str, kafka: str, prefix: str, tmp_path: Path) -> AsyncIterator["World"]:
    tokens = FakeTokens(bus, client=CLIENT)
    await ensure_topics(
        kafka, prefix=prefix, generation=1, partitions=2, log_partitions=3, records_kept=400 * DAY, on_altered=None
    )
    with tokens.serving() as url:
        config = tmp_path / "floorcast.yaml"
        connection = settings(
            api={"url": url, "client_id": CLIENT[0], "client_secret": CLIENT[1]},
            stream={"topics": [CHANNEL], "endpoint": endpoint, "tls": False},
        )
        config.write_text(
            yaml.safe_dump(
                {"organisation": {"name": "A", "timezone": "UTC", "currency": "EUR"}, "connections": {"sf": connection}}
            )
        )
        found = World(kafka, prefix, config, tmp_path)
        try:
            yield found
        finally:
            found.end()


class World:
    def __init__(self, kafka: str, prefix: str, config: Path, folder: Path) -> None:
        self.kafka = kafka
        self.prefix = prefix
        self._config = config
        self._folder = folder
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, name: str = "sf") -> subprocess.Popen[bytes]:
        flags = [
            "--config",
            str(self._config),
            "--broker",
            self.kafka,
            "--prefix",
            self.prefix,
            "--data",
            str(self._folder),
        ]
        with (self._folder / f"stream-{len(self._started)}.log").open("wb") as log:
            process = Forked[bytes]([COMMAND, "stream", name, *flags], stdout=log, stderr=log)
        self._started.append(process)
        return process

    def words(self) -> str:
        return "\n".join(path.read_text() for path in sorted(self._folder.glob("stream-*.log")))

    def end(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.wait()

    async def log(self) -> list[Delivery]:
        """What lies in the log, by its place."""
        found: list[Delivery] = []

        def apply(_partition: int, records: list[Fetched]) -> None:
            found.extend(decode_delivery(record.value or b"") for record in records)

        async with Follower(self.kafka, DELIVERIES.full_name(self.prefix)) as follower:
            await follower.read_to(await follower.ends(), apply)
        return found

    async def ids(self) -> list[str]:
        told = [change.id for delivery in await self.log() for change in CONNECTOR.parse(delivery).changes]
        return [id for id, before in zip(told, ["", *told], strict=False) if id != before]

    async def until(self, done: Callable[[], "asyncio.Future[bool] | bool"], seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while True:
            found = done()
            if found if isinstance(found, bool) else await found:
                return
            assert time.monotonic() < deadline, self.words()
            await asyncio.sleep(0.1)


def ids_of(numbers: range) -> list[str]:
    return [won(number)["ChangeEventHeader"]["recordIds"][0] for number in numbers]


async def test_a_killed_stream_loses_and_doubles_nothing_and_a_second_one_ends(
    world: World, bus: FakeEvents, tmp_path: Path
) -> None:
    first = world.start()
    for number in range(300):
        bus.publish(CHANNEL, won(number, machine_clock() // 1000))
    # It is killed in the midst of them.
    await world.until(lambda: asyncio.ensure_future(_some(world)))
    first.send_signal(signal.SIGKILL)
    first.wait()
    for number in range(300, 400):
        bus.publish(CHANNEL, won(number, machine_clock() // 1000))
    second = world.start()
    await world.until(lambda: asyncio.ensure_future(_all(world, 400)))
    assert await world.ids() == ids_of(range(400))
    assert second.poll() is None, world.words()
    assert is_fresh(tmp_path, time.time())

    third = world.start()
    assert await asyncio.to_thread(third.wait, 60) == ExitCode.OWNED_BY_ANOTHER
    assert second.poll() is None, world.words()
    assert "another process" in world.words()

    # Where nothing happens its place moves on all the same, and it goes on there.
    before = (await read_positions(world.kafka, world.prefix))["sf", CHANNEL]

    async def moved() -> bool:
        return (await read_positions(world.kafka, world.prefix))["sf", CHANNEL].replay_id != before.replay_id

    await world.until(lambda: asyncio.ensure_future(moved()))
    second.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(second.wait, 60) == 0
    bus.publish(CHANNEL, won(400, machine_clock() // 1000))
    world.start()
    await world.until(lambda: asyncio.ensure_future(_all(world, 401)))
    assert await world.ids() == ids_of(range(401))
    assert bus.subscriptions[-1][1] == 2, "it goes on, and does not begin anew"
    assert all(mark_of(delivery, "sf", CHANNEL) for delivery in await world.log())


async def test_a_name_without_a_stream_is_named(world: World) -> None:
    process = world.start("hub")
    assert await asyncio.to_thread(process.wait, 60) == ExitCode.WRONG_USE
    assert "connections.hub" in world.words()
    assert "sf" in world.words()


async def _some(world: World) -> bool:
    return bool(await world.ids())


async def _all(world: World, count: int) -> bool:
    return len(await world.ids()) >= count

"""The worker's own port, over real sockets, with shards that do nothing; and the end of a worker that stands still."""

import asyncio
import http.client
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from processor import health, telemetry
from processor.known_keys import take_keys
from processor.telemetry import Vitals, Watchman, WorkerMetrics
from processor.transport.fail_stop import FAILED, Die
from processor.transport.shards import LiveShards, StagePartition
from schemas.devices import AccessBook, HashedKey, key_of
from schemas.keys import ApiScope, KeyStore, create_key, new_key
from schemas.progress import Progress
from tests.processor.transport.test_shards import FakeRecord, FakeShard

TOPIC = "floorcast.deliveries"
_PATIENCE_SECONDS = 20.0


class CountingShard(FakeShard):
    """Counts an event for each message, on top of what was counted before this worker had the partition."""

    stage = "normalise"

    def __init__(self, partition: int) -> None:
        super().__init__(partition)
        self.progress = Progress(counters={"events": 1000})

    async def process(self, records: list[Any]) -> None:
        self.progress.count("events", len(records))


class FakeEnds:
    """Every source ends at the same offset; or Kafka does not say."""

    def __init__(self, end: int | None) -> None:
        self.end = end
        self.is_closed = False

    async def ask(self, places: Iterable[StagePartition]) -> dict[StagePartition, int] | None:
        return None if self.end is None else dict.fromkeys(places, self.end)

    async def close(self) -> None:
        self.is_closed = True


class Worker:
    """Live shards, their vitals and metrics, and what would have ended the process."""

    def __init__(self) -> None:
        self.ended: list[tuple[int, str]] = []
        self.live = LiveShards({TOPIC: CountingShard})
        self.vitals = Vitals(self.live)
        self.registry = CollectorRegistry()
        self.metrics = WorkerMetrics(self.vitals, self.live, self.registry)
        self.live.observer = self.metrics

    async def work(self) -> None:
        await self.live.assign([(TOPIC, 0), (TOPIC, 1)])
        self.live.sought((TOPIC, 0), 0)
        self.live.sought((TOPIC, 1), 0)
        await self.live.process((TOPIC, 0), [FakeRecord(0), FakeRecord(1), FakeRecord(2)])

    def die(self, code: int, why: str, *, error: BaseException | None = None) -> None:
        self.ended.append((code, why))

    @contextmanager
    def watched(
        self, *, stall_seconds: float = 120.0, look_seconds: float = 0.01, keys: KeyStore | None = None
    ) -> Iterator[int]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port: int = listener.getsockname()[1]
            with Watchman(
                self.vitals,
                self.registry,
                listener,
                stall_seconds=stall_seconds,
                keys=keys,
                die=cast(Die, self.die),
                look_seconds=look_seconds,
            ):
                yield port


@pytest.fixture
def worker() -> Worker:
    return Worker()


def get(port: int, path: str, method: str = "GET", token: str | None = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_SECONDS)
    try:
        connection.request(method, path, headers={} if token is None else {"authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_worker_is_alive_before_it_is_ready(worker: Worker) -> None:
    with worker.watched() as port:
        before = get(port, "/livez")[0], get(port, "/readyz")
        asyncio.run(worker.work())
        after = get(port, "/livez?verbose"), get(port, "/readyz")[0]

    assert before == (200, (503, "shards are not loaded yet\n"))
    assert after == ((200, "alive\n"), 200)


def test_a_worker_is_not_ready_while_kafka_is_away_and_again_once_it_answers(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "AWAY_SECONDS", 0.2)
    monkeypatch.setattr(telemetry, "_AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(telemetry, "BEAT_SECONDS", 0.001)
    ends = FakeEnds(None)

    async def suffer(port: int) -> list[tuple[int, str]]:
        await worker.work()
        tasks = [
            asyncio.create_task(worker.vitals.beat(worker.metrics.on_lag)),
            asyncio.create_task(worker.vitals.follow_ends(ends)),
        ]
        said = [await until_status(port, 503)]
        said.append(await asyncio.to_thread(get, port, "/livez"))
        ends.end = 3
        said.append(await until_status(port, 200))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return said

    async def until_status(port: int, status: int) -> tuple[int, str]:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while (said := await asyncio.to_thread(get, port, "/readyz"))[0] != status:
                await asyncio.sleep(0.005)
        return said

    with worker.watched() as port:
        away, lives, back = asyncio.run(suffer(port))

    assert away[1].startswith("Kafka has not answered for ")
    assert (lives, back) == ((200, "alive\n"), (200, "ready\n"))
    assert worker.ended == []


def test_a_worker_without_a_partition_asks_kafka_all_the_same(worker: Worker) -> None:
    asked: list[list[StagePartition]] = []

    class Ends(FakeEnds):
        async def ask(self, places: Iterable[StagePartition]) -> dict[StagePartition, int] | None:
            asked.append(list(places))
            return await super().ask(asked[-1])

    async def follow() -> None:
        following = asyncio.create_task(worker.vitals.follow_ends(Ends(3)))
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while not worker.vitals.answers:
                await asyncio.sleep(0)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

    asyncio.run(follow())

    assert asked == [[(TOPIC, 0)]]


def test_the_metrics_tell_what_was_done_and_what_waits(worker: Worker) -> None:
    asyncio.run(worker.work())
    worker.vitals.ends = {(TOPIC, 0): 10, (TOPIC, 1): 0}
    worker.metrics.on_lag(0.002)
    with worker.watched() as port:
        found = samples(get(port, "/metrics")[1])

    def value(name: str, **labels: str) -> float:
        return found[f"floorcast_worker_{name}", frozenset(labels.items())]

    # What was counted before this worker had the partition is not its own.
    assert value("events_total", stage="normalise") == 3
    assert value("messages_total", stage="normalise") == 3
    assert value("batch_seconds_count", stage="normalise") == 1
    assert value("load_seconds_count", stage="normalise") == 2
    assert value("shards_loaded", topic=TOPIC) == 2
    assert value("offset_done", topic=TOPIC, partition="0") == 3
    assert value("lag_records", topic=TOPIC, partition="0") == 7
    assert value("loop_lag_seconds_count") == 1
    assert value("ready") == 1
    assert any(name == "floorcast_worker_info" for name, _ in found)


def test_the_metrics_want_a_key_as_soon_as_there_is_one(worker: Worker, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"

    def ask(path: str, *headers: str) -> int:
        with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_SECONDS) as client:
            client.sendall("\r\n".join([f"GET {path} HTTP/1.1", "Host: w", *headers, "", ""]).encode())
            return int(client.recv(64).split()[1])

    with worker.watched(keys=KeyStore(file, loopback=True)) as port:
        assert ask("/metrics") == 200
        token = create_key(file, ApiScope.BOARD, now=1)
        expired = create_key(file, ApiScope.ADMIN, now=1, expires_at=2)

        assert ask("/metrics") == 401
        assert ask("/metrics", f"authorization:  bearer {token}") == 200
        assert ask("/metrics", f"Authorization: Bearer {expired}") == 401
        assert ask("/metrics", f"Authorization: Basic {token}") == 401
        own = create_key(file, ApiScope.REP, now=1, rep="r-1")
        assert ask("/metrics", f"Authorization: Bearer {own}") == 401, "one person's key shows that person's page alone"
        assert (ask("/livez"), ask("/readyz")) == (200, 503)
        file.write_text("not readable")
        assert ask("/metrics") == 401, "a file that cannot be read opens no door"


def test_the_metrics_want_a_key_where_only_kafka_knows_one(worker: Worker, tmp_path: Path) -> None:
    keys, book = KeyStore(tmp_path / "keys.json", loopback=True), AccessBook()
    keys.shared = book
    key, token = new_key(ApiScope.BOARD, now=1)
    made = HashedKey(key.id, key)

    with worker.watched(keys=keys) as port:
        assert get(port, "/metrics")[0] == 401, "nobody knows yet whether there is a key"
        book.is_known = True
        assert get(port, "/metrics")[0] == 200
        take_keys(book, [_Stored(b"key|x", b"{"), _Stored(key_of(made), msgspec.json.encode(made))])
        assert get(port, "/metrics")[0] == 401
        assert get(port, "/metrics", token=token)[0] == 200
        take_keys(book, [_Stored(key_of(made), msgspec.json.encode(HashedKey(key.id)))])
        assert get(port, "/metrics", token=token)[0] == 200, "no key is left, and none is needed"


class _Stored(NamedTuple):
    key: bytes
    value: bytes
    offset: int = 0
    timestamp: int = 0


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/", 404), ("POST", "/livez", 405), ("HEAD", "/metrics", 200)]
)
def test_nothing_else_is_answered(worker: Worker, method: str, path: str, status: int) -> None:
    with worker.watched() as port:
        assert get(port, path, method)[0] == status


@pytest.mark.parametrize(
    "said", [b"\x16\x03\x01\r\n\r\n", b"GET /livez\r\n\r\n", b"GET " + b"a" * 20_000 + b"\r\n\r\n"]
)
def test_what_is_not_http_gets_no_health(worker: Worker, said: bytes) -> None:
    with worker.watched() as port, socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_SECONDS) as client:
        client.sendall(said)
        answer = b""
        with suppress(ConnectionResetError):
            answer = client.recv(65_536)

    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")


def test_a_loop_that_stands_still_is_told_and_then_ended(worker: Worker) -> None:
    asyncio.run(worker.work())  # and no beat ever after
    with worker.watched(stall_seconds=0.1) as port:
        until(lambda: bool(worker.ended))
        status, reason = get(port, "/livez")

    assert worker.ended[0][0] == FAILED
    assert worker.ended[0][1].startswith("no progress: the event loop has not turned for ")
    assert (status, reason[:14]) == (503, "the event loop")


def test_batches_that_stand_still_end_a_worker_whose_loop_turns(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "BEAT_SECONDS", 0.001)
    ends = FakeEnds(10)

    async def stand() -> None:
        await worker.work()
        tasks = [
            asyncio.create_task(worker.vitals.beat(worker.metrics.on_lag)),
            asyncio.create_task(worker.vitals.follow_ends(ends)),
        ]
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while not worker.ended:
                await asyncio.sleep(0.005)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # Longer than a busy machine keeps a loop from turning: that would end the worker for another reason.
    with worker.watched(stall_seconds=3):
        asyncio.run(stand())

    assert any("floorcast.deliveries[" in why and "stands still" in why for _, why in worker.ended)
    assert ends.is_closed


def test_a_worker_without_a_port_is_watched_all_the_same(worker: Worker) -> None:
    with Watchman(
        worker.vitals, worker.registry, None, stall_seconds=0.1, die=cast(Die, worker.die), look_seconds=0.01
    ):
        until(lambda: bool(worker.ended))

    assert worker.ended[0][0] == FAILED

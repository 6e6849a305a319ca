"""What a worker tells of itself: metrics, and `/livez`, `/readyz` and `/metrics` on a port of its own.

Owns the form of all of it, and the thread that answers and watches: beside the worker's event loop, so that it can
still say that the loop stands still. What "alive" means is processor/health.py. Personal data and secrets never get
here.
"""

import asyncio
import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple, Protocol

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from processor.health import LOOK_SECONDS, STILL_SECONDS, Signs, Watch
from processor.transport.fail_stop import FAILED, Die, die
from processor.transport.shards import LiveShards, Shard, StagePartition
from schemas.keys import ApiScope, KeyStore
from schemas.machine_clock import machine_clock

BEAT_SECONDS = 0.5
ENDS_SECONDS = 5.0
_AGAIN_SECONDS = 1.0
"""Until Kafka is asked again that did not answer."""
BATCH_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
LOAD_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
LAG_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30)

_REQUEST_SECONDS = 5.0
_MAX_HEAD = 8 * 1024
_MAX_CLIENTS = 32
_LAST_WORDS_SECONDS = 5.0
_TEXT = "text/plain; charset=utf-8"

log = structlog.get_logger(__name__)


class SourceEnds(Protocol):
    """Where the topics end that are read: see `processor.transport.ends`."""

    async def ask(self, places: Iterable[StagePartition]) -> dict[StagePartition, int] | None: ...

    async def close(self) -> None: ...


class Vitals:
    """What the worker's event loop leaves for the thread beside it to see."""

    def __init__(self, live: LiveShards) -> None:
        self._live = live
        self.beats = 0
        self.answers = 0
        self.ends: Mapping[StagePartition, int] | None = None
        self.before: Mapping[StagePartition, int] = {}
        """What was done when the ends were asked for."""

    def signs(self) -> Signs:
        """As it is now. Called in another thread: every part is copied or replaced whole."""
        live = self._live
        assigned = frozenset(live.assigned)
        return Signs(self.beats, live.ready, assigned, dict(live.done), self.ends, live.steps, self.answers)

    async def beat(self, on_lag: Callable[[float], None]) -> None:
        """Turn with the loop, and tell how much too late each turn came (seconds)."""
        while True:
            due = time.monotonic() + BEAT_SECONDS
            await asyncio.sleep(BEAT_SECONDS)
            self.beats += 1
            on_lag(max(0.0, time.monotonic() - due))

    async def follow_ends(self, ends: SourceEnds) -> None:
        """Ask again and again where the source partitions end."""
        # Who has none asks all the same: whether Kafka answers it must know too.
        spare = [(topic, 0) for topic in sorted(self._live.topics)[:1]]
        try:
            while True:
                before = dict(self._live.done)
                self.ends, self.before = await ends.ask(sorted(self._live.assigned) or spare), before
                self.answers += self.ends is not None
                await asyncio.sleep(_AGAIN_SECONDS if self.ends is None else ENDS_SECONDS)
        finally:
            await ends.close()


class WorkerMetrics:
    """The metrics of one worker; `processor.transport.shards.Observer`."""

    def __init__(self, vitals: Vitals, live: LiveShards, registry: CollectorRegistry) -> None:
        self._events = Counter(
            "floorcast_worker_events", "Changes and engagements taken, by stage.", ["stage"], registry=registry
        )
        self._messages = Counter(
            "floorcast_worker_messages", "Kafka messages taken, repetitions too.", ["stage"], registry=registry
        )
        self._batches = Histogram(
            "floorcast_worker_batch_seconds",
            "From a fetched batch to the acknowledgement of all that came of it.",
            ["stage"],
            buckets=BATCH_BUCKETS,
            registry=registry,
        )
        self._loads = Histogram(
            "floorcast_worker_load_seconds",
            "How long a shard took to be loaded.",
            ["stage"],
            buckets=LOAD_BUCKETS,
            registry=registry,
        )
        self._lag = Histogram(
            "floorcast_worker_loop_lag_seconds",
            "How late the event loop comes round.",
            buckets=LAG_BUCKETS,
            registry=registry,
        )
        self._counted: dict[StagePartition, int] = {}
        registry.register(_Standing(vitals, live))
        ProcessCollector(registry=registry)

    def shard_loaded(self, place: StagePartition, shard: Shard, seconds: float) -> None:
        """A shard was loaded."""
        self._loads.labels(_stage(place, shard)).observe(seconds)
        self._counted[place] = _events(shard)

    def batch_done(self, place: StagePartition, shard: Shard, messages: int, seconds: float) -> None:
        """A batch is processed and acknowledged."""
        stage, events = _stage(place, shard), _events(shard)
        self._messages.labels(stage).inc(messages)
        self._batches.labels(stage).observe(seconds)
        self._events.labels(stage).inc(max(0, events - self._counted.get(place, events)))
        self._counted[place] = events

    def on_lag(self, seconds: float) -> None:
        """The event loop came round so late."""
        self._lag.observe(seconds)


def _stage(place: StagePartition, shard: Shard) -> str:
    return str(getattr(shard, "stage", place[0]))


def _events(shard: Shard) -> int:
    """What the shard has counted since its partition began; it does not count repetitions."""
    progress = getattr(shard, "progress", None)
    return 0 if progress is None else int(progress.counters.get("events", 0))


class _Standing(Collector):
    """What is so at the moment of the question."""

    def __init__(self, vitals: Vitals, live: LiveShards) -> None:
        self._vitals = vitals
        self._live = live

    def collect(self) -> Iterator[Metric]:
        """All gauges."""
        signs = self._vitals.signs()
        info = GaugeMetricFamily("floorcast_worker_info", "1, with the version.", labels=["version"])
        info.add_metric([_version()], 1)
        yield info
        yield GaugeMetricFamily("floorcast_worker_ready", "1 once all shards are loaded.", value=int(signs.ready))
        loaded = GaugeMetricFamily("floorcast_worker_shards_loaded", "Shards in memory, by source.", labels=["topic"])
        for topic in sorted(self._live.topics):
            loaded.add_metric([topic], sum(place[0] == topic for place in self._live.loaded))
        yield loaded
        done = GaugeMetricFamily(
            "floorcast_worker_offset_done", "Up to here all is processed, exclusive.", labels=["topic", "partition"]
        )
        lag = GaugeMetricFamily(
            "floorcast_worker_lag_records", "Records that wait in the source.", labels=["topic", "partition"]
        )
        for (topic, partition), offset in sorted(signs.done.items()):
            done.add_metric([topic, str(partition)], offset)
            end = (signs.ends or {}).get((topic, partition))
            if end is not None:
                # The ends are some seconds old, so what is done may lie behind them. But what was done before they
                # were asked for does so only where the log is shorter than what was read: that is told.
                least = min(0, end - self._vitals.before.get((topic, partition), 0))
                lag.add_metric([topic, str(partition)], max(least, end - offset))
        yield done
        yield lag


def _version() -> str:
    try:
        return version("floorcast")
    except PackageNotFoundError:
        return "unknown"


class PathAnswer(NamedTuple):
    """What a path says."""

    status: int
    content_type: str
    body: bytes


class Watchman:
    """The thread that answers on the worker's port and ends a worker that stands still. Use as a context manager.

    `listener` is a bound socket, or None for no port. `keys`: where there is one, `/metrics` is for whoever shows a key
    of scope board. A worker is ended with 70 after `stall_seconds` without progress.
    """

    def __init__(
        self,
        vitals: Vitals,
        registry: CollectorRegistry,
        listener: socket.socket | None,
        *,
        stall_seconds: float,
        keys: KeyStore | None = None,
        die: Die = die,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._vitals = vitals
        self._registry = registry
        self._listener = listener
        self._stall_seconds = stall_seconds
        self._keys = keys
        self._die = die
        self._look_seconds = look_seconds
        self._watch = Watch()
        self._clients = 0
        self._loop = asyncio.new_event_loop()
        self._ending = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="watchman", daemon=True)

    def __enter__(self) -> "Watchman":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(_REQUEST_SECONDS)

    def answer(self, path: str, token: str | None = None) -> PathAnswer:
        """What is said at a path, now, to whoever shows that token."""
        signs = self._vitals.signs()
        if path == "/livez":
            problem = self._watch.problem(min(STILL_SECONDS, self._stall_seconds))
            return (
                PathAnswer(200, _TEXT, b"alive\n")
                if problem is None
                else PathAnswer(503, _TEXT, f"{problem}\n".encode())
            )
        if path == "/readyz":
            missing = self._watch.missing(signs)
            if not missing:
                return PathAnswer(200, _TEXT, b"ready\n")
            return PathAnswer(503, _TEXT, "".join(f"{line}\n" for line in missing).encode())
        if path == "/metrics":
            if not self._may_read(token):
                return PathAnswer(401, _TEXT, b"an API key is needed: Authorization: Bearer fc_...\n")
            return PathAnswer(200, CONTENT_TYPE_LATEST, generate_latest(self._registry))
        return PathAnswer(404, _TEXT, b"there are /livez, /readyz and /metrics\n")

    def _may_read(self, token: str | None) -> bool:
        if self._keys is None or self._keys.is_open:
            return True
        key = None if token is None else self._keys.find(token, machine_clock())
        return key is not None and key.scope.includes(ApiScope.BOARD)

    def _run(self) -> None:
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        server = None
        if self._listener is not None:
            server = await asyncio.start_server(self._attend, sock=self._listener, limit=_MAX_HEAD)
        try:
            while not self._ending.is_set():
                self._look()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._look_seconds):
                        await self._ending.wait()
        finally:
            if server is not None:
                server.close()
                await server.wait_closed()

    def _look(self) -> None:
        self._watch.look(time.monotonic(), self._vitals.signs())
        problem = self._watch.problem(self._stall_seconds)
        if problem is not None:
            # What holds the worker may also hold its log; then it ends without last words.
            last = threading.Timer(_LAST_WORDS_SECONDS, os._exit, (FAILED,))
            last.daemon = True
            last.start()
            try:
                self._die(FAILED, f"no progress: {problem}")
            finally:
                last.cancel()

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        try:
            if self._clients <= _MAX_CLIENTS:
                async with asyncio.timeout(_REQUEST_SECONDS):
                    writer.write(self._response(await reader.readuntil(b"\r\n\r\n")))
                    await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            return  # whoever asks so slowly or so long gets no answer
        finally:
            self._clients -= 1
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _response(self, head: bytes) -> bytes:
        words = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            answer = PathAnswer(400, _TEXT, b"this is not an HTTP/1.1 request\n")
        elif words[0] not in ("GET", "HEAD"):
            answer = PathAnswer(405, _TEXT, b"GET only\n")
        else:
            answer = self.answer(words[1].partition("?")[0], _token(head))
        lines = (
            f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
            f"Content-Type: {answer.content_type}",
            f"Content-Length: {len(answer.body)}",
            *(("WWW-Authenticate: Bearer",) if answer.status == 401 else ()),
            "Cache-Control: no-store",
            "X-Content-Type-Options: nosniff",
            "Connection: close",
        )
        return "\r\n".join((*lines, "", "")).encode() + (b"" if words[0] == "HEAD" else answer.body)


def _token(head: bytes) -> str | None:
    """The API key of a request's head, if it shows one."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"authorization":
            scheme, _, token = value.decode("latin-1").strip().partition(" ")
            return token.strip() if scheme.lower() == "bearer" else None
    return None

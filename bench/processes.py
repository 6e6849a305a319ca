"""A floor of its own for a bench: one local Kafka, and the processes on it that the bench asks for.

Owns folders, ports, start and end of the processes; each ends with the bench. Measures nothing.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Self

import psutil

from deploy.local.broker import LocalBroker
from processor.transport.administration import ensure_topics
from schemas.instants import DAY

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - of this benchmark's own floor
READY_SECONDS = 300.0
_prefixes = (f"bench{number}." for number in count())
"""A floor has topics of its own, also on a Kafka that it shares."""
_BETWEEN_LOOKS_SECONDS = 0.01


class BenchError(Exception):
    """A bench cannot say anything: something did not start, or an answer was wrong."""


@dataclass
class Started:
    """A process that a bench has started."""

    name: str
    process: "subprocess.Popen[bytes]"
    url: str
    log: Path
    began: float
    log_begins_at: int = 0
    """Its first byte in the log, which earlier ones of the name may have written to."""

    def get(self, path: str, timeout: float = 30.0) -> bytes:
        """The body of an answer."""
        with urllib.request.urlopen(f"{self.url}{path}", timeout=timeout) as answer:  # noqa: S310 - http, loopback
            body: bytes = answer.read()
            return body

    def until_ready(self, path: str = "/readyz", seconds: float = READY_SECONDS) -> float:
        """Wait until it answers 200 there; seconds since its start."""
        while time.monotonic() < self.began + seconds:
            if self.process.poll() is not None:
                msg = f"{self.name} ended with {self.process.returncode}: {self._last_words()}"
                raise BenchError(msg)
            try:
                self.get(path, timeout=5.0)
            except (urllib.error.URLError, OSError):
                time.sleep(_BETWEEN_LOOKS_SECONDS)
            else:
                return time.monotonic() - self.began
        msg = f"{self.name} is not ready after {seconds:g} s: {self._last_words()}"
        raise BenchError(msg)

    @property
    def memory(self) -> int:
        """Bytes that are this process' own (unique set size)."""
        return int(psutil.Process(self.process.pid).memory_full_info().uss)

    @property
    def cpu_seconds(self) -> float:
        """That it has computed so far."""
        return cpu_seconds(self.process.pid)

    def events(self) -> list[dict[str, Any]]:
        """What it has logged since its start, each line that is JSON."""
        lines = self.log.read_bytes()[self.log_begins_at :].splitlines()
        return [json.loads(line) for line in lines if line.startswith(b"{")]

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it in order; by force if it does not go."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                self.kill()

    def _last_words(self) -> str:
        return self.log.read_text(errors="replace")[-1500:]


@dataclass
class Floor:
    """One Kafka with floorcast's topics. Use as a context manager."""

    partitions: int = 4
    settings: Mapping[str, str] = field(default_factory=dict)
    """Further `FLOORCAST_…` of all processes, without that beginning."""
    config: Mapping[str, object] = field(default_factory=dict)
    """What `floorcast.yaml` says beside organisation and connection."""
    prefix: str = field(default_factory=lambda: next(_prefixes))

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="floorcast-bench-")))
            self.broker = stack.enter_context(LocalBroker(self.folder / "kafka", die_with_parent=True))
            self.make_topics(self.prefix)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def make_topics(self, prefix: str, partitions: int | None = None) -> None:
        """The catalogue's topics under a prefix: a floor of its own on the same Kafka, with no record yet."""
        self.prefix, self.partitions = prefix, partitions or self.partitions
        (self.folder / "floorcast.yaml").write_text(json.dumps(CONFIG | dict(self.config)))  # YAML holds JSON
        asyncio.run(
            ensure_topics(
                self.bootstrap, prefix=prefix, generation=1, partitions=self.partitions, records_kept=400 * DAY
            )
        )

    @property
    def bootstrap(self) -> str:
        """Where Kafka is."""
        return self.broker.bootstrap

    @contextmanager
    def worker(self, name: str = "worker", *, state: Path | None = None) -> Iterator[Started]:
        """A worker, started; see `Started.until_ready`. Each has a name, so that its partitions come at once.

        `state`: the folder of its checkpoints; None: it has none.
        """
        checkpoints = () if state is None else ("--state", str(state))
        with self._started("worker", "--worker-id", f"{self.prefix}{name}", *checkpoints, name=name) as started:
            yield started

    @contextmanager
    def api(self, role: str = "all") -> Iterator[Started]:
        """An api, started."""
        with self._started("api", "--role", role, name="api") as started:
            yield started

    @contextmanager
    def _started(self, command: str, *arguments: str, name: str) -> Iterator[Started]:
        floorcast = str(Path(sys.executable).with_name("floorcast"))
        port = free_port()
        given = ["--config", str(self.folder / "floorcast.yaml"), "--broker", self.bootstrap, "--port", str(port)]
        settings = {"PREFIX": self.prefix, "PARTITIONS": str(self.partitions), **self.settings}
        with start(
            [floorcast, command, *given, "--data", str(self.folder / name), *arguments],
            name=name,
            port=port,
            log=self.folder / f"{name}.log",
            environment={f"FLOORCAST_{setting}": value for setting, value in settings.items()},
        ) as started:
            yield started


CONFIG: dict[str, object] = {
    "organisation": {"name": "Bench", "timezone": "Asia/Kuala_Lumpur", "currency": "USD"},
    "connections": {"feed": {"kind": "generic", "secrets": [SECRET]}},
}


@contextmanager
def start(
    command: Sequence[str], *, name: str, port: int, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Started]:
    """A process that listens on that port of this machine; it is ended with the block."""
    with log.open("ab") as output:
        began, at = time.monotonic(), output.tell()
        process = subprocess.Popen(list(command), stdout=output, stderr=output, env=_environment(environment or {}))
    started = Started(name, process, f"http://127.0.0.1:{port}", log, began, at)
    try:
        yield started
    finally:
        started.stop()


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    # Where it is set, every start compiles all libraries anew: seconds that an installation by pip does not pay.
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | dict(given)


@contextmanager
def empty_server(log: Path) -> Iterator[Started]:
    """Uvicorn with bench/empty.py, ready: what any endpoint on this machine can reach at most."""
    port = free_port()
    options = "--loop uvloop --http httptools --no-access-log --log-level error --host 127.0.0.1 --port"
    command = [sys.executable, "-m", "uvicorn", "bench.empty:app", *options.split(), str(port)]
    with start(command, name="empty endpoint", port=port, log=log) as started:
        started.until_ready("/framework")
        yield started


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def cpu_seconds(pid: int | None) -> float:
    """That a process has computed so far, in user and kernel mode."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)

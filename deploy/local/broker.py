"""A local Apache Kafka: one node (broker and controller) as a child process, its log in a data folder.

It owns the child, the folder's lock, and the ports. The folder's layout is `deploy.local.kafka_folder`, how the child
is started `deploy.local.kafka_jvm`, where the jars come from `deploy.local.kafka_jars`; topics and clients are none of
its business.

    data/kafka.lock          held while a broker of this folder runs
    data/kafka.properties    written at each start: deploy/kafka/server.properties, and this start's ports
    data/kafka.log           what the JVM printed; the start before is kafka.log.1
    data/kafka.env           its login (deploy.local.login), where it asks for one
    data/kafka/              Kafka's own: meta.properties with the cluster id, and the log of every partition
"""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import NoReturn, Self

from filelock import FileLock, Timeout

from deploy.local import kafka_jars, kafka_probe
from deploy.local.kafka_folder import (
    HOST,
    Door,
    cluster_id_of,
    folder_in_use,
    is_held,
    lay_out,
    write_properties,
)
from deploy.local.kafka_jvm import launch
from deploy.local.login import make_login
from deploy.local.ports import UpError, free_port
from deploy.local.private import make_private
from processor.machine import outlive_hangup
from schemas.exit_codes import ExitCode
from schemas.kafka import PLAIN, Kafka, Security

START_SECONDS = 300.0
"""A Kafka that cannot start ends by itself. On a machine with much else to do one that can takes minutes."""
_PROBE_SECONDS = 2.0
_BETWEEN_PROBES_SECONDS = 0.05
_TRIES_FOR_FREE_PORTS = 3
_LOG_TAIL_BYTES = 64 * 1024
_REASON_LENGTH = 300


def ensure_jars(cancelled: threading.Event | None = None) -> list[Path]:
    """Return Kafka's jars, each with the sum of the committed list; what the cache lacks is downloaded."""
    jars, cache = kafka_jars.read_list(), kafka_jars.cache_folder()
    return kafka_jars.ensure(jars, cache, kafka_jars.download_with_jgo, cancelled or threading.Event())


@dataclass
class LocalBroker:
    """One Kafka node on the folder `data`. After `stop` or `kill` it can be started again, on the same port."""

    data: Path
    port: int = 0  # 0: a free one, chosen at the first start and kept
    die_with_parent: bool = False  # Linux: kill -9 of this process takes the broker with it
    doors: Sequence[Door] = ()
    short_lived: bool = False  # it will end within minutes: spare what only pays off later
    is_recorded: bool = False  # it leaves an archive (deploy.local.kafka_archive) at its end
    authenticates: bool = False  # it asks every client for the login of its folder
    login: Security | None = field(default=None, init=False, repr=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)
    _lock: FileLock | None = field(default=None, init=False, repr=False)
    _stop_asked: threading.Event = field(default_factory=threading.Event, init=False, repr=False)

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def kafka(self) -> Kafka:
        """How a client gets in."""
        return Kafka(self.bootstrap, self.login or PLAIN)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, timeout: float = START_SECONDS) -> str:
        """Return the address once Kafka answers a metadata request there. The timeout counts from the JVM's start."""
        if self.alive:
            raise UpError([f"the broker on {self.data} runs already"], ExitCode.WRONG_USE)
        self._release()
        self._stop_asked.clear()
        self.data = self.data.absolute()
        try:
            self._take_folder()
            self.login = make_login(self.data) if self.authenticates else None
            if is_held(self.data / "kafka"):
                raise folder_in_use(self.data)
            cluster_id = cluster_id_of(self.data / "kafka")
            _check_port(self.port)
            classpath = os.pathsep.join(map(str, ensure_jars(self._stop_asked)))
            if cluster_id is None:
                cluster_id = lay_out(self.data)
            self._launch_and_await(classpath, cluster_id, timeout)
        except OSError as error:
            self.kill()
            raise UpError(
                [f"Kafka cannot start on {self.data}: {error.filename or self.data}: {error.strerror or error}"],
                ExitCode.WRONG_USE,
            ) from None
        except BaseException:
            self.kill()
            raise
        return self.bootstrap

    def stop(self, timeout: float = 10.0) -> None:
        """End the broker: SIGTERM, and SIGKILL when it has not gone in time. May be called in any state and thread."""
        self._stop_asked.set()
        process = self._process
        if process is not None:
            process.terminate()
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._release()

    def kill(self) -> None:
        """End the broker as a crash would: SIGKILL."""
        self._stop_asked.set()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._release()

    def wait(self) -> int:
        """Block until the JVM has ended, and return its return code (negative: the signal)."""
        if self._process is None:
            raise UpError([f"the broker on {self.data} was not started"], ExitCode.WRONG_USE)
        return self._process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def _take_folder(self) -> None:
        make_private(self.data)
        # Not bound to a thread: who stops the broker need not be who started it.
        lock = FileLock(self.data / "kafka.lock", thread_local=False, mode=0o600)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise folder_in_use(self.data) from None
        self._lock = lock

    def _launch_and_await(self, classpath: str, cluster_id: str, timeout: float) -> None:
        chosen_by_us = self.port == 0
        for tries_left in reversed(range(_TRIES_FOR_FREE_PORTS)):
            port, controller_port = self.port or free_port(HOST, 0), free_port(HOST, 0)
            write_properties(self.data / "kafka.properties", "kafka", port, controller_port, self.doors, self.login)
            _rotate(self.data / "kafka.log")
            if self._stop_asked.is_set():
                self._fail_stopped()
            self._process = launch(
                self.data,
                classpath,
                die_with_parent=self.die_with_parent,
                short_lived=self.short_lived,
                is_recorded=self.is_recorded,
            )
            if self._await_ready(port, cluster_id, timeout):
                self.port = port
                return
            # Between choosing a free port and Kafka's taking it, another process may have been faster.
            taken = re.search(r"failed to bind to \S+:(\d+)", _tail(self.data / "kafka.log"), re.IGNORECASE)
            retry = taken is not None and (chosen_by_us or int(taken[1]) != port)
            if not (retry and tries_left):
                raise _died(self.data, port, taken is not None and int(taken[1]) == port)

    def _await_ready(self, port: int, cluster_id: str, timeout: float) -> bool:
        """Return True once Kafka serves, False if it has ended by itself."""
        deadline = time.monotonic() + timeout
        login = None if self.login is None else (self.login.username or "", self.login.password or "")
        while self.alive:
            try:
                cluster = kafka_probe.ask(HOST, port, _PROBE_SECONDS, login)
            except (OSError, ValueError):
                cluster = None
            # A broker lists itself once the controller lets it take clients.
            if cluster is not None and cluster.id == cluster_id and (HOST, port) in cluster.brokers:
                return True
            if time.monotonic() > deadline:
                raise UpError(
                    [f"Kafka did not come up within {timeout:g} s; see {self.data / 'kafka.log'}"], ExitCode.UNREACHABLE
                )
            time.sleep(_BETWEEN_PROBES_SECONDS)
        if self._stop_asked.is_set():
            self._fail_stopped()
        return False

    def _fail_stopped(self) -> NoReturn:
        raise UpError([f"the broker on {self.data} was stopped while it started"], ExitCode.UNREACHABLE)

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None


class _StopAskedError(BaseException):
    """SIGTERM or SIGINT came. Not an `Exception`: nothing on the way may take it for an error of its own."""


def run_broker(data: Path, port: int, *, authenticates: bool = False) -> int:
    """Run the local Kafka until SIGTERM or SIGINT; the exit code."""

    def ask_to_stop(_signal: int, _frame: FrameType | None) -> NoReturn:
        # Once only: a second Ctrl-C must not interrupt the stopping.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise _StopAskedError

    outlive_hangup(lambda: None)
    broker = LocalBroker(data, port, die_with_parent=True, authenticates=authenticates)
    before = signal.signal(signal.SIGTERM, ask_to_stop), signal.signal(signal.SIGINT, ask_to_stop)
    try:
        print(f"kafka ready {broker.start()}", flush=True)  # noqa: T201 - the command's output
        code = broker.wait()
        raise _died_later(broker.data, code)
    except UpError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the command's output
        return error.exit_code
    except _StopAskedError:
        return 0
    finally:
        broker.stop()
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])


def _port_in_use(port: int) -> UpError:
    return UpError(
        [f"port {port} on {HOST} is in use; stop what listens there or name another port for Kafka"], ExitCode.WRONG_USE
    )


def _check_port(port: int) -> None:
    if not 0 <= port <= 65535:
        raise UpError([f"port {port} is out of range"], ExitCode.WRONG_USE)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        # As Java does: a port whose connections of a moment ago still linger is free.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            raise _port_in_use(port) from None


def _rotate(log: Path) -> None:
    if log.exists():
        log.replace(log.with_name("kafka.log.1"))


def _died(data: Path, port: int, port_was_taken: bool) -> UpError:
    if port_was_taken:
        return _port_in_use(port)
    text = _tail(data / "kafka.log")
    if "Failed to acquire lock" in text:
        return folder_in_use(data)
    return UpError([f"Kafka did not come up: {_reason(text)}; see {data / 'kafka.log'}"], ExitCode.UNREACHABLE)


def _died_later(data: Path, code: int) -> UpError:
    return UpError(
        [f"Kafka ended by itself (status {code}): {_reason(_tail(data / 'kafka.log'))}; see {data / 'kafka.log'}"],
        ExitCode.UNREACHABLE,
    )


def _reason(text: str) -> str:
    """Find the last line of Kafka's log that looks like why."""
    lines = [line for line in text.splitlines() if re.search(r"ERROR|FATAL|Exception|Error:", line)]
    causes = [line for line in lines if not line.startswith("\tat ")]
    return " ".join(causes[-1].split())[:_REASON_LENGTH] if causes else "it gave no reason"


def _tail(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _LOG_TAIL_BYTES))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""

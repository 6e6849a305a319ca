"""A whole floorcast: `floorcast up` as a subprocess on a folder of its own, forked with all its children, or anew.

Owns the life of that subprocess and of its children: start until `ready`, kill -9 of one or of all, orderly stop, and
the proof that nothing is left. Knows nothing of numbers.
"""

import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
import yaml

from deploy.local.login import read_login
from deploy.local.target import Running, find_running
from schemas.kafka import PLAIN, Kafka
from tests.forking import COMMAND, Forked
from tests.integration.commands import run_command, without_settings
from tests.integration.waiting import pauses
from tests.ports import held_port

READY_SECONDS = 600.0
STOP_SECONDS = 120.0
_NAMES = {
    "worker": "floorcast worker ",
    "api": "floorcast api ",
    "kafka": " kafka.Kafka ",
    "verify": "floorcast verify ",
}


def until(done: Callable[[], bool], what: str, seconds: float = READY_SECONDS) -> None:
    """Look until it is so."""
    deadline, pause = time.monotonic() + seconds, pauses()
    while not done():
        assert time.monotonic() < deadline, f"after {seconds:g} s: not {what}"
        time.sleep(next(pause))


class FloorProcess:
    """`floorcast up` on `folder/data`, configured by `folder/floorcast.yaml`, always at the same port."""

    def __init__(
        self,
        folder: Path,
        configuration: Mapping[str, object],
        environment: Mapping[str, str] | None = None,
        *,
        kafka: str | None = None,
        anew: bool = False,
    ) -> None:
        """`kafka`: the address of one that is there, in which it gets a prefix of its own; else it starts its own.

        `anew`: its processes are started as its users start them, and not forked.
        """
        self._popen: type[subprocess.Popen[bytes]] = subprocess.Popen if anew else Forked
        self.folder = folder
        self._kafka: tuple[str, ...] = () if kafka is None else ("--broker", kafka)
        # Who wants the recount that `up` makes every few minutes says how often.
        self._settings = {"FLOORCAST_VERIFY_EVERY": "off"} | dict(environment or {})
        self.prefix = "floorcast." if kafka is None else f"u{uuid.uuid4().hex[:8]}."
        self._settings["FLOORCAST_PREFIX"] = self.prefix
        self.key: str | None = None
        """An API key, where somebody made one."""
        self.data = folder / "data"
        self.configure(configuration)
        self._port = held_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._up: subprocess.Popen[bytes] | None = None
        self._starts = 0

    @property
    def config_file(self) -> Path:
        return self.folder / "floorcast.yaml"

    @property
    def running(self) -> Running:
        """How to reach it."""
        found = find_running(self.data)
        assert found is not None, self.words()
        return found

    @property
    def kafka(self) -> Kafka:
        """How a client gets into its Kafka."""
        return Kafka(self.running.broker, read_login(self.data) or PLAIN)

    def configure(self, configuration: Mapping[str, object]) -> None:
        """Write `floorcast.yaml`; takes effect at the next start."""
        self.config_file.write_text(yaml.safe_dump(dict(configuration)), encoding="utf-8")

    def set(self, environment: Mapping[str, str]) -> None:
        """Other settings, from its next start on, in place of what it was told of the way into Kafka."""
        self._settings = {name: value for name, value in self._settings.items() if "KAFKA" not in name}
        self._settings |= environment
        self._kafka = ("--broker", environment["FLOORCAST_BROKER"])

    def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        self.launch()
        until(lambda: self._says_ready() or self._ended(), "ready")
        assert self._says_ready(), self.words()

    def wait_for_end(self) -> tuple[int, str]:
        """Wait until it has ended by itself; the exit code and what it said."""
        until(self._ended, "ended")
        assert self._up is not None
        return self._up.wait(), self._output("err").read_text(encoding="utf-8")

    def launch(self) -> None:
        """Start it."""
        self._starts += 1
        command: list[str | Path] = [
            COMMAND,
            "up",
            "--config",
            self.config_file,
            "--port",
            str(self._port),
            "--data",
            self.data,
        ]
        with self._output("out").open("wb") as out, self._output("err").open("wb") as err:
            self._up = self._popen(
                [*command, *self._kafka],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=without_settings() | self._settings,
            )

    def stop(self) -> None:
        """Ask it to end (SIGTERM); it must, and nothing may be left of it."""
        assert self._up is not None
        self._up.send_signal(signal.SIGTERM)
        try:
            assert self._up.wait(STOP_SECONDS) == 0, self.words()
        finally:
            left = self.processes()
            self.kill_everything()
        assert left == [], f"still there: {[process.pid for process in left]}"

    def kill(self, name: str) -> int:
        """Kill -9 one child (`worker`, `api`, `kafka`) without waiting for what comes of it; the pid it had."""
        found = self.child(name)
        found.kill()
        return found.pid

    def hang_up(self, name: str, until_said: str) -> None:
        """Send SIGHUP to one child, and wait until it has said so in its log; it must be the same one after that."""
        child, log = self.child(name), self.data / "logs" / f"{name}.log"
        before = log.read_text(encoding="utf-8").count(until_said)
        child.send_signal(signal.SIGHUP)
        until(lambda: log.read_text(encoding="utf-8").count(until_said) > before, f"{name} says {until_said}")
        assert self.child(name).pid == child.pid

    def wait_for_another(self, name: str, than: int) -> None:
        """Wait until a killed child has been started again."""
        until(lambda: any(pid != than for pid in self._pids(name)), f"another {name}")

    def kill_everything(self) -> None:
        """Kill -9 every process of it, `up` first, so that it starts nothing again."""
        if self._up is not None:
            self._up.kill()
        for process in self.processes():
            _kill(process)
        if self._up is not None:
            self._up.wait()
            self._up = None
        until(lambda: not self.processes(), "gone")

    def child(self, name: str) -> psutil.Process:
        """The process of that name."""
        (pid,) = self._pids(name)
        return psutil.Process(pid)

    def processes(self) -> list[psutil.Process]:
        """Every process that is about our folder: `up`, its children, and what those may have left behind."""
        return [process for process in psutil.process_iter() if str(self.folder) in _command_line(process)]

    def verify(self, seconds: float = READY_SECONDS) -> tuple[int, str]:
        """Run `floorcast verify`; its exit code and what it printed."""
        return self.run("verify", seconds=seconds)

    def run(self, *words: str, seconds: float = READY_SECONDS) -> tuple[int, str]:
        """Run a command, with its flags, on its folder; the exit code and what it printed."""
        words = (*words, "--data", str(self.data))
        return run_command(*words, folder=self.folder, environment=without_settings(), seconds=seconds)

    def words(self) -> str:
        """What it and its children said, for the message of a failed test."""
        files = [self._output("out"), self._output("err"), *sorted((self.data / "logs").glob("*.log"))]
        return "\n".join(
            f"--- {file.name}\n{file.read_text(encoding='utf-8', errors='replace')[-4000:]}"
            for file in files
            if file.exists()
        )

    def _output(self, stream: str) -> Path:
        return self.folder / f"up-{self._starts}.{stream}"

    def _says_ready(self) -> bool:
        return f"ready {self.url}\n" in self._output("out").read_text(encoding="utf-8")

    def _ended(self) -> bool:
        return self._up is not None and self._up.poll() is not None

    def _pids(self, name: str) -> list[int]:
        mark = _NAMES[name]
        # A child is first a small program that binds its life to its parent's: it names the command as well, and
        # becomes it.
        return [process.pid for process in self._children() if mark in _command_line(process)]

    def _children(self) -> list[psutil.Process]:
        """The descendants of `up`: also Kafka, whose command line does not name the folder."""
        assert self._up is not None
        return psutil.Process(self._up.pid).children(recursive=True)


def _command_line(process: psutil.Process) -> str:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return ""
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return

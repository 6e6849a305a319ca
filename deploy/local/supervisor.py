"""Children that are kept alive: started again when they die, ended in order.

Owns the life of child processes, their log files and what is said about them. Knows nothing of Kafka, HTTP or
floorcast's commands: `deploy.local.up` says what the children are.

    launch(kafka) ── launch(worker) ── launch(api)          each has a keeper: died → back-off → start
    stop():  api ◀── worker ◀── kafka                       the last one launched ends first
"""

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from deploy.local.ports import UpError
from deploy.local.private import FOLDER, UMASK, private_opener
from processor.machine import bound_to_this_process
from schemas import tasks
from schemas.exit_codes import ExitCode

FIRST_DELAY_SECONDS = 0.2
LONGEST_DELAY_SECONDS = 10.0
PROVEN_SECONDS = 30.0
STOP_SECONDS = 9.0
MAX_LOG_BYTES = 16 * 1024 * 1024
REFUSALS = frozenset({ExitCode.WRONG_USE, ExitCode.UNREACHABLE})
"""Exit codes of a child that cannot run as it is configured: starting it again would not help."""

_LAST_LINES = 12
_LAST_BYTES = 16 * 1024
_LINE_LENGTH = 500


class Child(Protocol):
    """Something that runs beside us, dies and can be started again."""

    @property
    def name(self) -> str: ...

    @property
    def stop_seconds(self) -> float:
        """How long it may take to end, at least."""

    async def start(self) -> None:
        """Start it (again). Raises UpError."""

    async def wait(self) -> int:
        """Its exit code once it has ended; negative: the signal that killed it."""

    async def stop(self, timeout: float) -> None:
        """End it, by force when it has not gone in time. May be called in any state."""

    def kill(self) -> None:
        """End it by force, now. May be called in any state."""

    def last_words(self) -> list[str]:
        """The end of what it wrote since its start."""


class Backoff:
    """How long to wait before a child is started again: longer each time, until one has lived long enough."""

    def __init__(self) -> None:
        self._next = FIRST_DELAY_SECONDS

    def delay(self, lived_seconds: float) -> float:
        """Seconds to wait now, after a life of `lived_seconds`."""
        if lived_seconds >= PROVEN_SECONDS:
            self._next = FIRST_DELAY_SECONDS
        delay, self._next = self._next, min(self._next * 2, LONGEST_DELAY_SECONDS)
        return delay


def describe_end(code: int) -> str:
    """An exit code as `wait` gives it, in words."""
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


@dataclass
class ChildProgram:
    """A child process in a session of its own, so that a terminal's Ctrl-C does not reach it, with a log file."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    stop_seconds: float = 2.0
    max_log_bytes: int = MAX_LOG_BYTES
    log_check_seconds: float = 60.0
    _process: asyncio.subprocess.Process | None = field(default=None, init=False, repr=False)
    _log_start: int = field(default=0, init=False, repr=False)

    @property
    def pid(self) -> int | None:
        """Of the process that runs or ran last."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        try:
            self.log.parent.mkdir(FOLDER, parents=True, exist_ok=True)
            self._cap_log()
            with open(self.log, "ab", opener=private_opener) as log:
                self._log_start = log.tell()
                self._process = await asyncio.create_subprocess_exec(
                    *bound_to_this_process(self.command),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=dict(self.environment),
                    start_new_session=True,
                    umask=UMASK,
                )
        except OSError as error:
            raise UpError([f"{self.name} cannot be started: {error.strerror or error}"], 2) from None

    async def wait(self) -> int:
        if self._process is None:
            raise UpError([f"{self.name} was not started"], 2)
        ended = asyncio.ensure_future(self._process.wait())
        try:
            while True:
                done, _ = await asyncio.wait({ended}, timeout=self.log_check_seconds)
                if done:
                    return ended.result()
                self._cap_log()
        finally:
            ended.cancel()

    async def stop(self, timeout: float) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        _signal(process, signal.SIGTERM)
        try:
            # Not wait_for: in Python 3.11 it may swallow a cancellation that comes with the end of the process.
            async with asyncio.timeout(timeout):
                await process.wait()
        except TimeoutError:
            _signal(process, signal.SIGKILL)
            await process.wait()

    def kill(self) -> None:
        if self._process is not None:
            _signal(self._process, signal.SIGKILL)

    def hang_up(self) -> None:
        """Let it read its files again (SIGHUP), if it runs."""
        if self._process is not None:
            _signal(self._process, signal.SIGHUP)

    def last_words(self) -> list[str]:
        try:
            with self.log.open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                log.seek(max(self._log_start if self._log_start <= size else 0, size - _LAST_BYTES))
                text = log.read(_LAST_BYTES).decode(errors="replace")
        except OSError:
            return []
        lines = [told for line in text.splitlines() if (told := _told(line)).strip()]
        # Who refuses to run says so twice, for people and for programs.
        lines = [line for number, line in enumerate(lines) if not any(line in other for other in lines[:number])]
        return [line[:_LINE_LENGTH] for line in lines][-_LAST_LINES:]

    def _cap_log(self) -> None:
        """Keep one older log. The file is copied and emptied, as the child may have it open (to append)."""
        older = self.log.with_name(f"{self.log.name}.1")
        # Whatever hinders it must not end the watch over the child; and a full disk needs the room most of all.
        with suppress(OSError):
            if self.log.stat().st_size > self.max_log_bytes:
                with suppress(OSError):
                    older.write_bytes(self.log.read_bytes())
                os.truncate(self.log, 0)
                self._log_start = 0


def _told(line: str) -> str:
    """A line as it is; of a structured log the sentence why something is so, or nothing where it tells no trouble."""
    try:
        entry = json.loads(line) if line.startswith("{") else None
    except ValueError:
        return line
    if not isinstance(entry, dict):
        return line
    if entry.get("level") in ("debug", "info"):
        return ""
    return str(entry["why"]) if entry.get("why") and not entry.get("traceback") else line


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except ProcessLookupError:  # it ended in this moment
        return


class Supervisor:
    """Launches children one after another, keeps each alive, and ends them: the first one last."""

    def __init__(
        self,
        say: Callable[[str], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], "asyncio.Future[None]"] | None = None,
    ) -> None:
        self._say = say
        self._clock = clock
        self._sleep = sleep or (lambda seconds: asyncio.ensure_future(asyncio.sleep(seconds)))
        self._children: list[Child] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._stopping = False
        self.settled = False
        """Set once all children do their work: from then on a refusal is tried again like any other end."""
        self.refused: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        """The exit code of a child that refused to start."""

    async def launch(self, child: Child) -> None:
        """Start a child and keep it alive from now on. Raises UpError if its first start fails."""
        self._children.append(child)  # before it runs: a stop in between must reach it
        began = self._clock()
        await child.start()
        self._keepers.append(asyncio.create_task(self._keep(child, began), name=f"keep {child.name}"))

    async def stop(self, seconds: float = STOP_SECONDS) -> None:
        """End all children within `seconds`: the one that was launched first after all others."""
        self._stopping = True
        await tasks.end(self._keepers)
        if self._children:
            # The first one is what the others stand on. They have all the time that it leaves, whatever each takes:
            # on a busy machine an end takes seconds.
            deadline, (first, *others) = self._clock() + seconds, self._children
            left = seconds - first.stop_seconds
            await asyncio.gather(*(child.stop(max(child.stop_seconds, left)) for child in others))
            await first.stop(max(first.stop_seconds, deadline - self._clock()))

    def kill(self) -> None:
        """End all children by force, now."""
        self._stopping = True
        for child in reversed(self._children):
            child.kill()

    async def _keep(self, child: Child, began: float) -> None:
        backoff = Backoff()
        while True:
            code = await child.wait()
            lived = self._clock() - began
            if self._stopping:
                return
            if lived < PROVEN_SECONDS and code > 0:  # one that was killed has nothing to say about it
                for line in child.last_words():
                    self._say(f"  {child.name}: {line}")
            if code in REFUSALS and not self.settled:
                self._say(f"{child.name} cannot run ({describe_end(code)})")
                if not self.refused.done():
                    self.refused.set_result(code)
                return
            delay = backoff.delay(lived)
            self._say(f"{child.name} died ({describe_end(code)}), starting again in {delay:g} s")
            await self._sleep(delay)
            began = await self._start_again(child, backoff)

    async def _start_again(self, child: Child, backoff: Backoff) -> float:
        """Start it until that succeeds; when the new life began."""
        while True:
            began = self._clock()
            try:
                await child.start()
            except UpError as error:
                delay = backoff.delay(0)
                self._say(f"{child.name} did not start ({error}), trying again in {delay:g} s")
                await self._sleep(delay)
            else:
                return began

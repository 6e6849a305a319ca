"""Processes of floorcast, forked from one that has imported what they need: most of what a start costs is imports.

Owns how a process comes to be that is as if `subprocess.Popen` had started it: a child of whoever asks, with its own
id, exit status, signals, environment, folder and words in the list of processes. Whoever looks at how floorcast is
started, or whether another start reads the same of what is stored (Python orders sets anew in each), uses Popen.

    a test ── command, environment, what is open ──▶ stem ── fork ──▶ go-between ── fork ──▶ the process
      ▲                                                                ends at once            │
      └──────────── its parent from then on ◀──────────────────────────────────────────────────┘

`up` has a stem of its own for its children, forked before it begins.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import inspect
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Any, AnyStr, NoReturn

import msgspec

from deploy.cli.left_out import left_out
from processor.machine import bound_to_this_process

COMMAND = Path(sys.executable).with_name("floorcast")
ROOT = Path(__file__).parents[1]

# Of those that are started most often: what they import before they do anything, and while they do it.
_FOR_PROCESSES = ("structlog", "api.app", "api.logs", "api.settings", "processor.app", "processor.logs",
                  "processor.settings")  # fmt: skip
_FOR_COMMANDS = (
    "deploy.cli", "deploy.cli.common", "deploy.cli.processes", "deploy.cli.replay", "deploy.cli.topics",
    "deploy.cli.up", "deploy.cli.verify", "deploy.local.target", "deploy.lookups.owner", "processor.replay.hand",
    "schemas.config",
)  # fmt: skip
_PATIENCE_SECONDS = 600.0
_LARGEST_REQUEST_BYTES = 1 << 17
_ROOM_FOR_WORDS = " " * 8192  # In the memory of its own command line, for that of who is forked from it.
_DIES_WITH_PARENT, _ADOPTS = 1, 36  # PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER
_BETWEEN_LOOKS_SECONDS = 0.0005
_system = ctypes.CDLL(None)


class _Asked(msgspec.Struct):
    words: list[str]
    """What follows the name of Python."""
    environment: dict[str, str]
    folder: str
    parent: int
    has_own_session: bool
    umask: int
    is_bound: bool
    """Whether it is killed when its parent ends."""


class Forked(subprocess.Popen[AnyStr]):
    """As Popen. What is no program of this Python, or needs more than a fork can give, is started anew."""

    def _execute_child(self, *given: Any) -> None:
        start_anew = super()._execute_child  # type: ignore[misc]
        asked = inspect.signature(start_anew).bind(*given).arguments
        words, is_bound = _program_of(asked["args"])
        if words is None or any(asked[more] for more in ("preexec_fn", "pass_fds", "shell")):
            start_anew(*given)
            return
        pipes: list[int] = [asked[end] for end in ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")]
        environment = os.environ if asked["env"] is None else asked["env"]
        request = _Asked(
            words,
            {os.fsdecode(name): os.fsdecode(value) for name, value in environment.items()},
            folder=os.path.abspath(asked["cwd"] or "."),
            parent=os.getpid(),
            has_own_session=bool(asked["start_new_session"]),
            umask=asked["umask"],
            is_bound=is_bound,
        )
        try:
            opened = [known if pipe < 0 else pipe for known, pipe in enumerate((pipes[0], pipes[3], pipes[5]))]
            self.pid: int = _stem().fork(request, opened)
            self._child_created = True
        finally:
            self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]


def _program_of(command: Any) -> tuple[list[str] | None, bool]:
    """What follows Python's name in a command, if it is a program of ours, and whether it is bound to who starts it."""
    words = [os.fsdecode(word) for word in ([command] if isinstance(command, str | bytes | os.PathLike) else command)]
    binding = bound_to_this_process([])
    is_bound = bool(binding) and words[: len(binding)] == binding
    if is_bound:
        words = words[len(binding) :]
    if words[0] == str(COMMAND):
        return words, is_bound
    is_python = (
        words[0] == sys.executable and len(words) > 1 and (words[1] in {"-c", "-m"} or not words[1].startswith("-"))
    )
    return (words[1:] if is_python else None), is_bound


class _Stem:
    """Where processes are forked from. It ends when nobody is there any more who could ask."""

    def __init__(self, asking: socket.socket) -> None:
        asking.settimeout(_PATIENCE_SECONDS)
        self._asking = asking
        self._turn = threading.Lock()

    def fork(self, request: _Asked, opened: Sequence[int]) -> int:
        """Give the id of a new child of this process."""
        with self._turn, _adopting():
            socket.send_fds(self._asking, [msgspec.json.encode(request)], opened)
            return int(self._asking.recv(64))

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """End what it forks from."""
        self._asking.close()
        process.wait()


@contextmanager
def _adopting() -> Iterator[None]:
    """Who is left behind by a descendant of this process becomes its child meanwhile."""
    _control(_ADOPTS, 1)
    try:
        yield
    finally:
        _control(_ADOPTS, 0)


def _control(what: int, value: int) -> None:
    if _system.prctl(what, value, 0, 0, 0):
        message = "prctl"
        raise OSError(message)


_first = threading.Lock()
_stems: list[_Stem] = []


def _stem() -> _Stem:
    """This process's own."""
    with _first:
        if not _stems:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                program = f"from {__name__} import be_stem; be_stem({theirs.fileno()})"
                environment = {name: value for name, value in os.environ.items() if not name.startswith("FLOORCAST_")}
                process = subprocess.Popen(
                    [sys.executable, "-c", program, _ROOM_FOR_WORDS],
                    cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                )  # fmt: skip
            _stems.append(_Stem(ours))
            atexit.register(_stems[0].end, process)
        return _stems[0]


def be_stem(asked_at: int) -> NoReturn:
    """Import, and fork for whoever asks there. Called in a process of its own; returns in none."""
    gc.disable()
    with left_out():
        for name in _FOR_PROCESSES:
            import_module(name)
    for name in _FOR_COMMANDS:
        import_module(name)
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    stem = socket.socket(fileno=asked_at)
    asked, opened = _forked(stem)
    while asked.words[1:2] in (["up"], ["demo"]):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.fork():
            theirs.close()
            _begin_to_fork(ours)
            break
        for descriptor in opened:
            os.close(descriptor)
        ours.close()
        stem.close()
        stem = theirs
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        asked, opened = _forked(stem)
    _become(asked, opened)
    stem.send(str(os.getpid()).encode())
    stem.close()
    os.chdir(asked.folder)
    _run(asked.words)
    sys.exit(0)


def _begin_to_fork(asking: socket.socket) -> None:
    """What this process starts of floorcast from now on is forked there."""
    _stems[:] = [_Stem(asking)]
    subprocess.Popen = Forked  # type: ignore[misc]


def _forked(stem: socket.socket) -> tuple[_Asked, list[int]]:
    """Fork for each that asks; comes back in what is to be its process, once that is its child."""
    while True:
        request, opened, _, _ = socket.recv_fds(stem, _LARGEST_REQUEST_BYTES, 3)
        if not request:
            os._exit(0)
        if os.fork() == 0:
            break
        for descriptor in opened:
            os.close(descriptor)
    go_between = os.getpid()
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    asked = msgspec.json.decode(request, type=_Asked)
    while os.getppid() == go_between:
        time.sleep(_BETWEEN_LOOKS_SECONDS)
    if os.getppid() != asked.parent:
        os._exit(1)
    return asked, opened


def _become(asked: _Asked, opened: Sequence[int]) -> None:
    """Let this process have what was asked for, but for its folder, which may be none."""
    if asked.is_bound:
        _control(_DIES_WITH_PARENT, signal.SIGKILL)
        if os.getppid() != asked.parent:
            os._exit(1)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if asked.has_own_session:
        os.setsid()
    if asked.umask >= 0:
        os.umask(asked.umask)
    for known, descriptor in enumerate(opened):
        os.dup2(descriptor, known)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(asked.environment)
    time.tzset()
    sys.orig_argv[:] = [sys.executable, *asked.words]
    _be_listed_as(sys.orig_argv)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(write_through="PYTHONUNBUFFERED" in asked.environment)
    gc.enable()


def _be_listed_as(words: Sequence[str]) -> None:
    """Let lists of processes show these words, in the memory of those that the stem was started with."""
    fields = Path("/proc/self/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    begin, end = (int(fields[place - 3]) for place in (48, 49))  # arg_start, arg_end: proc_pid_stat(5)
    shown = "\0".join(words).encode(errors="surrogateescape")[: end - begin - 1]
    ctypes.memmove(begin, shown.ljust(end - begin, b"\0"), end - begin)


def _run(words: list[str]) -> None:
    """As Python does with these words."""
    if words[0] == "-c":
        sys.argv = ["-c", *words[2:]]
        exec(compile(words[1], "<string>", "exec"), vars(sys.modules["__main__"]))  # noqa: S102
    elif words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")

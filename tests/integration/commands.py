"""Commands of floorcast, each a process of its own: forked from one that has imported what they need.

Most of what a short command costs is its imports. Whoever kills one, or looks at how it starts, starts it anew.

    a test ── arguments, environment, folder, where its words go ──▶ stem ── fork ──▶ keeper ── fork ──▶ the command
           ◀── its process id, and how it ended ───────────────────────────────────── keeper
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import msgspec

COMMAND = Path(sys.executable).with_name("floorcast")
PATIENCE_SECONDS = 600.0
# Of the commands that are asked for most often. What others need besides they import themselves.
_IMPORTED = (
    "deploy.cli.common", "deploy.cli.replay", "deploy.cli.topics", "deploy.cli.verify", "deploy.local.target",
    "processor.replay.hand", "schemas.config",
)  # fmt: skip
_LARGEST_REQUEST_BYTES = 1 << 20


class _Asked(msgspec.Struct):
    arguments: list[str]
    environment: dict[str, str]
    folder: str


def without_settings() -> dict[str, str]:
    """The environment of these tests, but for what is said of a floorcast in it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("FLOORCAST_")}


def run_command(
    *arguments: str | Path, folder: Path, environment: Mapping[str, str], seconds: float = PATIENCE_SECONDS
) -> tuple[int, str]:
    """Run `floorcast` with these arguments in a folder; its exit code, and all that it wrote. Raises TimeoutError."""
    asked = _Asked([str(each) for each in arguments], dict(environment), str(folder))
    words, its_words = os.pipe()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as keeper:
            keeper.connect(_stem()[0])
            socket.send_fds(keeper, [msgspec.json.encode(asked)], [its_words])
            os.close(its_words)
            its_words = -1
            keeper.settimeout(seconds)
            command = int(keeper.recv(64))
            said = _all_of(words, command, time.monotonic() + seconds)
            return int(keeper.recv(64)), said
    finally:
        os.close(words)
        if its_words >= 0:
            os.close(its_words)


def _all_of(words: int, command: int, deadline: float) -> str:
    """What comes until nobody writes there any more."""
    found = bytearray()
    while True:
        if not select.select([words], [], [], max(0.0, deadline - time.monotonic()))[0]:
            os.kill(command, signal.SIGKILL)
            raise TimeoutError(found.decode(errors="replace"))
        part = os.read(words, 65536)
        if not part:
            return found.decode()
        found += part


@cache
def _stem() -> tuple[str, subprocess.Popen[bytes]]:
    """Where the process that commands are forked from is asked, and itself. It ends with this one."""
    address = f"\0floorcast-commands-{os.getpid()}-{time.monotonic_ns()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(address)
        listening.listen(64)
        os.set_inheritable(listening.fileno(), True)
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(listening.fileno())],
            cwd=Path(__file__).parents[2], env=without_settings(), stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, pass_fds=[listening.fileno()],
        )  # fmt: skip
    return address, process


def _be_stem(listening: socket.socket) -> _Asked:
    """Fork for whoever asks, until the process that started this one is gone; comes back in what is to be a command."""
    while True:
        ready, _, _ = select.select([listening, sys.stdin], [], [])
        if sys.stdin in ready:
            sys.exit(0)
        asking, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            return _be_keeper(asking)
        asking.close()


def _be_keeper(asking: socket.socket) -> _Asked:
    """Fork once more, and say what becomes of it; comes back in what is to be a command."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    request, (words,), _, _ = socket.recv_fds(asking, _LARGEST_REQUEST_BYTES, 1)
    command = os.fork()
    if command:
        os.close(words)
        with suppress(OSError):  # nobody waits for it any more
            asking.send(str(command).encode())
            asking.send(str(os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])).encode())
        os._exit(0)
    asking.close()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for taken, known in ((nothing, 0), (words, 1), (words, 2)):
        os.dup2(taken, known)
    os.close(nothing)
    os.close(words)
    return msgspec.json.decode(request, type=_Asked)


def _main() -> NoReturn:
    for name in _IMPORTED:
        import_module(name)
    program = import_module("deploy.cli").main
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    asked = _be_stem(socket.socket(fileno=int(sys.argv[1])))
    os.environ.clear()
    os.environ.update(asked.environment)
    os.chdir(asked.folder)
    sys.argv = [str(COMMAND), *asked.arguments]
    sys.modules["__main__"].__package__ = None  # by which a command would be called as this file is
    program()
    raise AssertionError


if __name__ == "__main__":
    _main()

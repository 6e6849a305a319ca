"""What only some systems have, and what takes its place elsewhere. Nothing else of the program names a system.

What has no substitute is left out: a worker computes the same, it only is not ended with whoever started it.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

# Asks Linux to kill this process when the thread that started it ends, and becomes the command that follows. A process
# of its own and not `preexec_fn`, which may deadlock where the parent has threads. Whoever starts it hears the hangup
# of a terminal and says what becomes of it; until the command says so for itself, it is ignored.
_BIND = """\
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
os.execv(sys.argv[2], sys.argv[2:])
"""
_SESSION = Path("/proc/self/autogroup")


def processors() -> int:
    """How many processors this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def binds_children() -> bool:
    """Whether a child can be ended together with its parent, however that ends."""
    return sys.platform == "linux"


def bound_to_this_process(command: Sequence[str]) -> list[str]:
    """The command, such that it is killed when the thread that starts it ends; elsewhere than on Linux as it is.

    There a child whose parent was killed lives on: the next `up` on its folder finds it and says so.
    """
    if not binds_children():
        return list(command)
    # Isolated and without site-packages: a few milliseconds.
    return [sys.executable, "-I", "-S", "-c", _BIND, str(os.getpid()), *command]


def survives_fork() -> bool:
    """Whether what was imported works on in a fork; elsewhere libraries of the system do not."""
    return sys.platform == "linux"


def give_way(niceness: int) -> None:
    """Let everybody else go first.

    Linux shares processors among sessions, and being nice counts within one only: a child of `up` has its own.
    """
    os.nice(niceness)
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            _SESSION.write_text(str(niceness), encoding="ascii")


def outlive_hangup(say: Callable[[], None]) -> None:
    """Go on when the terminal goes, and call `say`. Called once, in the main thread."""

    def hear(_number: int, _frame: FrameType | None) -> None:
        say()

    signal.signal(signal.SIGHUP, hear)

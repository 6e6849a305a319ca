"""Processes that are forked are as those that are started anew, to whoever started them."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from deploy.local.private import UMASK
from processor.machine import bound_to_this_process
from tests.forking import COMMAND, Forked

TELLS = (
    "import os, sys; print(os.getcwd(), sorted(os.environ), sys.argv[1:], sys.stdin.read(), os.umask(0), flush=True)"
)
SLEEPS = "import time; print('here', flush=True); time.sleep(600)"


def python(*words: str) -> list[str]:
    return [sys.executable, "-c", *words]


def test_it_has_what_it_is_given(tmp_path: Path) -> None:
    given: dict[str, Any] = {"cwd": tmp_path, "env": {"FLOORCAST_PREFIX": "x.", "TZ": "Asia/Tokyo"}, "umask": UMASK}
    told = []
    starts: list[Any] = [subprocess.Popen, Forked]
    for start in starts:
        with start(python(TELLS, "a", "b"), stdin=-1, stdout=-1, text=True, **given) as process:
            told.append(process.communicate("said", timeout=120)[0])

    assert told[0].startswith(str(tmp_path))
    assert told[0].replace("'LC_CTYPE', ", "") == told[1]


def test_it_is_a_child_that_is_listed_by_its_words() -> None:
    with Forked[bytes](python(SLEEPS, "a"), stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"here\n"
        seen = psutil.Process(process.pid)
        assert (seen.ppid(), os.getsid(process.pid)) == (os.getpid(), process.pid)
        assert [word for word in seen.cmdline() if word] == [*python(SLEEPS, "a")]
        process.terminate()

    assert process.returncode == -signal.SIGTERM


@pytest.mark.parametrize(("ends", "code"), [("sys.exit(7)", 7), ("1 / 0", 1), ("", 0), ("os.kill(os.getpid(), 9)", -9)])
def test_how_it_ends_is_known(ends: str, code: int) -> None:
    with Forked[bytes](python(f"import os, sys; {ends}"), stderr=subprocess.DEVNULL) as process:
        assert process.wait(120) == code


def test_commands_are_forked() -> None:
    with Forked[bytes]([COMMAND, "check", "--help"], stdout=subprocess.PIPE) as process:
        assert b"Usage: floorcast check" in process.communicate(timeout=120)[0]


def test_others_are_started_as_ever() -> None:
    with Forked[bytes](["echo", "here"], stdout=subprocess.PIPE) as process:
        assert process.communicate(timeout=120)[0] == b"here\n"
    with pytest.raises(FileNotFoundError):
        Forked[bytes](["/there/is/none"])


def test_who_is_bound_ends_with_who_started_it() -> None:
    asks = (
        "import subprocess, sys, time; from processor.machine import bound_to_this_process as bound\n"
        "from tests.forking import Forked\n"
        f"child = Forked(bound([sys.executable, '-c', {SLEEPS!r}]), stdout=subprocess.PIPE)\n"
        "print(child.pid, child.stdout.readline(), flush=True); time.sleep(600)"
    )
    with subprocess.Popen(python(asks), cwd=Path(__file__).parents[1], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline().split()[0]))
        assert child.is_running()
        parent.kill()
        psutil.wait_procs([child], timeout=60)
        assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_what_is_bound_to_another_is_started_as_ever() -> None:
    binding = bound_to_this_process(python("print('here')"))
    binding[binding.index(str(os.getpid()))] = "1"  # who has gone in the meantime
    with Forked[bytes](binding, stdout=subprocess.PIPE) as process:
        assert process.communicate(timeout=120)[0] == b""
    assert process.returncode == 1

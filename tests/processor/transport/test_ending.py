"""A worker that ends of itself and is told to end meanwhile, with a real process and real signals."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.supervisor import STOP_SECONDS
from processor.transport.ending import END_SECONDS
from tests.forking import Forked

PROGRAM = """
import asyncio, signal, sys
import uvloop
from mode import Service
from processor.transport import ending
from processor.transport.ending import EndingWorker

if "stuck" in sys.argv:
    ending.END_SECONDS = 0.5
asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
says = lambda line: print(line, flush=True)

class Slow(Service):
    async def on_started(self):
        if "itself" in sys.argv:
            loop.call_later(0.1, worker.end_itself)
        says("started")

    async def on_stop(self):
        says("stopping")
        await asyncio.sleep(600 if "stuck" in sys.argv else 1)

worker = EndingWorker(Slow(), loop=loop, override_logging=False, quiet=True)
try:
    worker.execute_from_commandline()
except SystemExit as end:
    says(f"ended {end.code}")
    if "late" in sys.argv:
        sys.stdin.readline()
    says(f"told {worker.was_told}")
"""


def run_program(*words: str) -> subprocess.Popen[str]:
    return Forked(
        [sys.executable, "-c", PROGRAM, *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_who_ends_of_itself_was_not_told() -> None:
    with run_program("itself") as process:
        assert [line_of(process) for _ in range(4)] == ["started", "stopping", "ended 0", "told False"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_is_told_ends_and_knows_it(number: signal.Signals) -> None:
    with run_program() as process:
        assert line_of(process) == "started"
        process.send_signal(number)
        assert [line_of(process) for _ in range(3)] == ["stopping", "ended 0", "told True"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_is_told_while_it_ends_of_itself_knows_it(number: signal.Signals) -> None:
    with run_program("itself") as process:
        assert [line_of(process) for _ in range(2)] == ["started", "stopping"]
        process.send_signal(number)
        assert [line_of(process) for _ in range(2)] == ["ended 0", "told True"]


def test_who_is_told_after_its_loop_has_stopped_knows_it() -> None:
    with run_program("itself", "late") as process:
        assert [line_of(process) for _ in range(3)] == ["started", "stopping", "ended 0"]
        process.send_signal(signal.SIGTERM)
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        assert line_of(process) == "told True"


@pytest.mark.parametrize("itself", [[], ["itself"]])
def test_who_was_told_and_waits_for_what_does_not_come_ends_all_the_same(itself: list[str]) -> None:
    with run_program("stuck", *itself) as process:
        assert line_of(process) == "started"
        if itself:
            assert line_of(process) == "stopping"
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=30)[0]
    assert process.returncode == 0
    *_, unfinished, ended = said.splitlines()
    assert "worker.ended_unfinished" in unfinished
    assert "process.ended" in ended
    assert "told True" not in said


def test_it_ends_before_whoever_supervises_it_loses_patience() -> None:
    assert END_SECONDS < STOP_SECONDS
    page = " ".join(Path("docs/reference/cli.md").read_text(encoding="utf-8").split())
    assert f"waits {END_SECONDS:g} seconds for it and then ends with 0 without committing" in page

"""Processes that are told to end by real signals: with 0, and the log's last line says so.

Here before they have begun, or while they work and need no orderly end.
"""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.forking import COMMAND, Forked
from tests.integration.commands import without_settings

CONFIG = "organisation: {name: x, timezone: UTC, currency: USD}\nconnections: {files: {kind: file}}\n"
_SECONDS = 60
"""Against hanging; a Kafka that says nothing would be waited for as long as that by nobody."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    "command",
    [
        ["worker"], ["api", "--host", "0.0.0.0", "--port", "0"], ["lookups"], ["stream", "crm"],  # noqa: S104
        ["verify", "--url", "http://127.0.0.1:1", "--every", "1m"],
    ],
    ids=lambda command: command[0],
)  # fmt: skip
def test_who_still_waits_for_kafka_ends_with_0(command: list[str], number: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "floorcast.yaml").write_text(CONFIG, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(_SECONDS)
        broker = f"127.0.0.1:{silent.getsockname()[1]}"
        with Forked[bytes](
            [COMMAND, *command, "--broker", broker, "--data", tmp_path / "data"],
            cwd=tmp_path, env=without_settings(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process:  # fmt: skip
            try:
                connection, _ = silent.accept()
                with connection:
                    process.send_signal(number)
                    said, _ = process.communicate(timeout=_SECONDS)
            finally:
                process.kill()
    assert process.returncode == 0, said
    assert b"Traceback" not in said
    assert_says_the_end(said)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_needs_no_orderly_end_is_ended_in_the_middle_of_its_work(number: signal.Signals) -> None:
    program = """
import asyncio
import typer
from deploy.cli.keeping_log import KeepsLog
app = typer.Typer()

async def work() -> None:
    print("works", flush=True)
    await asyncio.Event().wait()

@app.command(cls=KeepsLog)
def last() -> None:
    asyncio.run(work())

app()
"""
    with Forked[bytes](
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=without_settings()
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(number)
        _, said = process.communicate(timeout=_SECONDS)

    assert process.returncode == 0, said
    assert_says_the_end(said)


def assert_says_the_end(said: bytes) -> None:
    last = json.loads(said.splitlines()[-1])
    assert (last["event"], last["code"], last["why"]) == ("process.ended", 0, "it was told to end")

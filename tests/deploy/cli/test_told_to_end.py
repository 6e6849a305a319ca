"""Processes that are told to end before they have begun, by real signals: nothing is under way, so they end with 0."""

import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.forking import COMMAND, Forked
from tests.integration.commands import without_settings

CONFIG = "organisation: {name: x, timezone: UTC, currency: USD}\nconnections: {files: {kind: file}}\n"
_SECONDS = 60
"""Against hanging; a Kafka that says nothing would be waited for as long as that by nobody."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("command", [["worker"], ["api", "--host", "0.0.0.0", "--port", "0"]])  # noqa: S104
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

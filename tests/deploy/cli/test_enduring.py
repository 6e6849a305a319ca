"""What is written to stderr raises nothing, whatever becomes of it: by real files, pipes and processes."""

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.cli.enduring import EnduringFile
from tests.forking import COMMAND
from tests.integration.commands import without_settings

FULL = Path("/dev/full")
CONFIG = "organisation: {name: x, timezone: UTC, currency: USD}\nconnections: {files: {kind: file}}\n"
_SECONDS = 60


def test_what_a_full_disk_does_not_take_is_counted_and_told_with_the_next_line(tmp_path: Path) -> None:
    descriptor = os.open(FULL, os.O_WRONLY)
    try:
        file = EnduringFile(descriptor)
        assert [file.write(b'{"event": "one"}\n'), file.write(b'{"event": "two"}\n')] == [17, 17]
        there = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
        os.dup2(there, descriptor)  # there is room again
        os.close(there)
        file.write(b'{"event": "three"}\n')
        file.write(b'{"event": "four"}\n')
    finally:
        os.close(descriptor)
    lost, *others = [json.loads(line) for line in (tmp_path / "log").read_text().split("\n") if line]
    assert (lost["event"], lost["writes"], lost["level"]) == ("log.lost", 2, "warning")
    assert others == [{"event": "three"}, {"event": "four"}]


def test_a_line_that_was_cut_off_spoils_no_other() -> None:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETFL, os.O_NONBLOCK)
    room = fcntl.fcntl(writing, fcntl.F_GETPIPE_SZ)
    line = b'{"event": "%s"}\n' % (b"x" * (2 * room))
    file = EnduringFile(writing)
    assert file.write(line) == len(line)
    assert os.read(reading, 4 * room) == line[:room]
    file.write(b'{"event": "after"}\n')
    os.close(writing)
    rest = os.read(reading, room).split(b"\n")
    os.close(reading)
    assert rest[0] == b""  # it ends what was cut off
    assert [json.loads(each)["event"] for each in rest if each] == ["log.lost", "after"]


def test_a_reader_that_is_gone_and_a_file_that_is_closed_end_nobody() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    file = EnduringFile(writing)
    assert file.write(b"nobody reads this\n") == 18
    file.close()
    os.close(writing)
    assert file.write(b"nor this\n") == 9


@pytest.mark.parametrize(
    ("command", "code"),
    [(["api"], 2), (["worker"], 2), (["up"], 2), (["lookups"], 3), (["stream", "files"], 3)],
)
def test_who_refuses_to_run_says_so_by_its_code_on_a_full_disk_too(
    command: list[str], code: int, tmp_path: Path
) -> None:
    (tmp_path / "floorcast.yaml").write_text(CONFIG + "nonsense: true\n", encoding="utf-8")
    with FULL.open("wb") as full:
        ended = subprocess.run(
            [COMMAND, *command, "--broker", "127.0.0.1:1"], cwd=tmp_path, env=without_settings(),
            stdout=subprocess.PIPE, stderr=full, timeout=_SECONDS, check=False,
        )  # fmt: skip
    assert ended.returncode == code, ended.stdout


_ENDS = """
from deploy.cli.enduring import outlive_lost_stderr
outlive_lost_stderr()
from processor.logs import configure_logging
from processor.transport.fail_stop import die
configure_logging()
die(70, "what is to be said")
"""


def test_a_worker_that_must_end_at_once_ends_though_it_cannot_say_why() -> None:
    with FULL.open("wb") as full:
        ended = subprocess.run([sys.executable, "-c", _ENDS], stderr=full, timeout=_SECONDS, check=False)
    assert ended.returncode == 70


_IS_LOGGED = """
from deploy.cli.enduring import outlive_lost_stderr
outlive_lost_stderr()
from api.logs import configure_logs
configure_logs()
import structlog
structlog.get_logger().warning("view.interrupted")
"""


def test_an_api_whose_line_cannot_be_written_goes_on() -> None:
    with FULL.open("wb") as full:
        ended = subprocess.run([sys.executable, "-c", _IS_LOGGED], stderr=full, timeout=_SECONDS, check=False)
    assert ended.returncode == 0

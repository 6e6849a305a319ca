"""The pulse of a process that listens nowhere, and the probe that looks at it."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from deploy import pulse
from deploy.pulse import OLD_SECONDS, is_fresh, with_pulse


async def until(file: Path, later_than: float) -> None:
    async with asyncio.timeout(30):
        while not file.exists() or file.stat().st_mtime <= later_than:
            await asyncio.sleep(0.005)


async def test_it_goes_on_while_the_loop_turns_and_ends_with_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "EVERY_SECONDS", 0.01)
    file = tmp_path / "lookups" / "pulse"

    async def work() -> int:
        await until(file, 0)
        await until(file, file.stat().st_mtime)
        held = file.stat().st_mtime
        time.sleep(0.05)  # the loop hangs
        assert file.stat().st_mtime == held
        await until(file, held)
        return 7

    assert await with_pulse(tmp_path / "lookups", work()) == 7
    ended = file.stat().st_mtime
    await asyncio.sleep(0.05)
    assert file.stat().st_mtime == ended


async def test_what_the_work_raises_is_raised(tmp_path: Path) -> None:
    async def work() -> None:
        raise LookupError("lost")

    with pytest.raises(LookupError, match="lost"):
        await with_pulse(tmp_path, work())


async def test_a_folder_that_cannot_be_written_to_is_said_once_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "EVERY_SECONDS", 0.005)
    (tmp_path / "lookups").write_text("in the way")

    async def work() -> str:
        await asyncio.sleep(0.1)
        (tmp_path / "lookups").unlink()
        await until(tmp_path / "lookups" / "pulse", 0)
        return "done"

    with capture_logs() as log:
        assert await with_pulse(tmp_path / "lookups", work()) == "done"
    assert [line["event"] for line in log] == ["pulse.not_written"]


def test_fresh_is_what_was_touched_within_a_minute(tmp_path: Path) -> None:
    assert not is_fresh(tmp_path, time.time())
    (tmp_path / "stream-sf").mkdir()
    file = tmp_path / "stream-sf" / "pulse"
    file.touch()
    at = file.stat().st_mtime
    assert is_fresh(tmp_path, at + OLD_SECONDS)
    assert not is_fresh(tmp_path, at + OLD_SECONDS + 0.1)


@pytest.mark.parametrize(("age", "code"), [(None, 1), (0, 0), (2 * OLD_SECONDS, 1)])
def test_the_probe_says_it_by_its_exit_code(tmp_path: Path, age: float | None, code: int) -> None:
    if age is not None:
        (tmp_path / "verify").mkdir()
        file = tmp_path / "verify" / "pulse"
        file.touch()
        os.utime(file, (time.time() - age,) * 2)
    probe = [sys.executable, "-m", "deploy.pulse"]
    done = subprocess.run(probe, env={**os.environ, "FLOORCAST_DATA": str(tmp_path)}, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (code, b"")

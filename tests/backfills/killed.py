"""Kill -9 of everything half-way through a back-fill, while the CRM lives on: afterwards every number is the CRM's."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import msgspec

from deploy.lookups.backfill import BackfillMark
from deploy.verification.differences import differences
from deploy.verification.pieces import expected_rows
from deploy.verification.recount import recount
from deploy.verification.verify import fetch
from schemas.config import load_config
from schemas.windows import WINDOWS
from tests.backfills.crms import CONNECTION, Crm
from tests.integration.floor_process import FloorProcess

_COMMAND = Path(sys.executable).with_name("floorcast")
_HALF_WAY_SECONDS = 120.0
_SAME_SECONDS = 240.0
"""What no webhook told is looked for a minute after it happened."""
_BETWEEN_LOOKS_SECONDS = 2.0


class Killed:
    """One CRM, and the floorcast on a folder beside it. The API is served by whoever calls `run`."""

    def __init__(self, crm: Crm, folder: Path, *, kafka: str | None = None, say: Callable[[str], None] = print) -> None:
        self.crm = crm
        self.floor = FloorProcess(folder, crm.configuration(), kafka=kafka)
        self._say = say

    def run(self, *, acts: int) -> list[str]:
        """The whole story; what differs at its end. `acts`: what people do in each of its parts."""
        try:
            self.floor.start()
            self.crm.floorcast = self.floor.url
            self._break_off(acts)
            self.crm.floorcast = ""
            self.crm.act(acts)
            self.floor.start()
            self.crm.floorcast = self.floor.url
            self._go_on()
            self.crm.act(acts)
            found = self._wait()
            self.floor.stop()
            return found
        finally:
            self.floor.kill_everything()

    def _backfill(self) -> "subprocess.Popen[str]":
        command: list[str | Path] = [_COMMAND, "backfill", CONNECTION, "--since", "2d", "--data", self.floor.data]
        return subprocess.Popen(
            [*command, "--config", self.floor.config_file],
            cwd=self.floor.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={name: value for name, value in os.environ.items() if not name.startswith("FLOORCAST_")},
        )  # fmt: skip

    def _break_off(self, acts: int) -> None:
        process = self._backfill()
        try:
            self.crm.act(acts)
            mark = self.floor.data / "lookups" / f"{CONNECTION}.backfill.json"
            deadline = time.monotonic() + _HALF_WAY_SECONDS
            while not self._is_half_way(mark):
                assert process.poll() is None, f"it was complete before it was half-way: {process.communicate()[0]}"
                assert time.monotonic() < deadline, "it does not get on"
                time.sleep(0.01)
        finally:
            self.floor.kill_everything()
            process.kill()
            process.communicate()
        self._say(f"killed half-way: {mark.read_text()}")

    def _is_half_way(self, path: Path) -> bool:
        try:
            mark = msgspec.json.decode(path.read_bytes(), type=BackfillMark)
        except OSError:
            return False
        return len(mark.done) * 2 >= len(mark.objects) - 1

    def _go_on(self) -> None:
        process = self._backfill()
        said, _ = process.communicate(timeout=_HALF_WAY_SECONDS)
        assert process.returncode == 0, f"{said}\n{self.floor.words()}"
        assert "goes on where it was stopped" in said, said

    def _wait(self) -> list[str]:
        """Until nothing differs any more; else what does."""
        deadline, begun = time.monotonic() + _SAME_SECONDS, time.monotonic()
        found = ["nothing was compared"]
        while found and time.monotonic() < deadline:
            time.sleep(_BETWEEN_LOOKS_SECONDS)
            found = asyncio.run(self._differences())
        self._say(f"{len(found)} differences after {time.monotonic() - begun:.0f} s")
        return found

    async def _differences(self) -> list[str]:
        config = load_config(self.floor.config_file, os.environ)
        found: list[str] = []
        async with httpx.AsyncClient(base_url=self.floor.url, timeout=60, trust_env=False) as client:
            for window in WINDOWS:
                served = await fetch(client, {"window": window})
                now = max(served.organisation_at, served.reps_at)
                with self.crm.world.crm.lock:
                    books = recount(self.crm.world.truth(now), config)
                found += [
                    f"{window}: {each}" for each in differences(expected_rows(books, served.of(window)), served.rows)
                ]
        return found

"""What a machine can lack: room on a disk, memory, the right time. Owns how Linux is made to withhold it.

Each needs something that not every machine has (root, control groups v1, libfaketime); without it a round is skipped.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from tests.faults.running import Skipped

DISK_BYTES = 160 << 20
_MEMORY = Path("/sys/fs/cgroup/memory")
_FAKETIME = "faketime/libfaketime.so.1"


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system that is soon full, mounted in `folder`."""
    place = folder / "kafka"
    place.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "floorcast-faults", place],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        msg = "a small disk needs root"
        raise Skipped(msg)
    try:
        yield place
    finally:
        # Also while the last process that had a file open on it is still going.
        subprocess.run(["umount", "--lazy", place], check=False)


class MemoryLimit:
    """A limit on what a process takes from now on. A context manager; whoever is started later is free of it."""

    def __init__(self, pid: int, *, extra_bytes: int) -> None:
        self._group = _MEMORY / f"floorcast-faults-{uuid4().hex[:8]}"
        self._pid = pid
        self._limit = extra_bytes
        self.peak = 0

    def __enter__(self) -> Self:
        try:
            self._group.mkdir()
            (self._group / "memory.limit_in_bytes").write_text(str(self._limit))
            # What it has by now stays with the group it comes from.
            (self._group / "cgroup.procs").write_text(str(self._pid))
        except OSError as error:
            with suppress(OSError):
                self._group.rmdir()
            msg = f"a memory limit needs root and control groups v1 ({error.strerror})"
            raise Skipped(msg) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.peak = int((self._group / "memory.max_usage_in_bytes").read_text())
        for pid in (self._group / "cgroup.procs").read_text().split():
            with suppress(OSError):
                (_MEMORY / "cgroup.procs").write_text(pid)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            with suppress(OSError):
                self._group.rmdir()
                return
            time.sleep(0.1)


def clock_environment(folder: Path) -> Mapping[str, str]:
    """Variables of a process whose clock `set_clock` can turn. Durations are measured rightly."""
    library = next((found for folder in _library_folders() if (found := folder / _FAKETIME).exists()), None)
    if library is None:
        msg = "a wrong clock needs libfaketime (Debian: faketime)"
        raise Skipped(msg)
    folder.mkdir(parents=True, exist_ok=True)
    set_clock(folder, 0.0)
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(folder / "clock"),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def set_clock(folder: Path, ahead_seconds: float) -> None:
    """Turn the clock of all processes that have the variables of this folder."""
    file = folder / "clock.new"
    file.write_text(f"{ahead_seconds:+.0f}")
    file.rename(folder / "clock")


def _library_folders() -> list[Path]:
    """Those of the system, and those in them for one kind of machine."""
    roots = [root for root in (Path("/usr/lib"), Path("/usr/lib64")) if root.is_dir()]
    return [folder for root in roots for folder in (root, *(found for found in root.iterdir() if found.is_dir()))]

"""Commands of floorcast, each a process of its own that is forked: see tests/forking.py.

Whoever kills one, or looks at how it starts, starts it anew.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.forking import COMMAND, Forked

PATIENCE_SECONDS = 600.0


def without_settings() -> dict[str, str]:
    """The environment of these tests, but for what is said of a floorcast in it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("FLOORCAST_")}


def run_command(
    *arguments: str | Path, folder: Path, environment: Mapping[str, str], seconds: float = PATIENCE_SECONDS
) -> tuple[int, str]:
    """Run `floorcast` with these arguments in a folder; its exit code, and all that it wrote. Raises TimeoutError."""
    with Forked[bytes](
        [COMMAND, *arguments],
        cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as command:  # fmt: skip
        try:
            said, _ = command.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as late:
            command.kill()
            raise TimeoutError((late.stdout or b"").decode(errors="replace")) from None
        return command.returncode, said.decode()

"""The end of the process, in a process of its own."""

import subprocess
import sys
from pathlib import Path

from processor.transport.fail_stop import FAILED

ENDING = f"""
import atexit
from processor.transport.fail_stop import die
atexit.register(print, "atexit ran")
secret = "Ana Lim"
try:
    raise ValueError("the reason")
except ValueError as error:
    die({FAILED}, "it could not go on", error=error)
"""


def test_dying_says_why_and_runs_nothing_else() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", ENDING], cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False
    )

    assert ended.returncode == FAILED
    assert "it could not go on" in ended.stdout
    assert "the reason" in ended.stdout
    assert "Ana Lim" not in ended.stdout
    assert "atexit ran" not in ended.stdout

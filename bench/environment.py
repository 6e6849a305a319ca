"""The Python engines' own environment: their packages are in the dependency group `bench`, not in what users install.

They pin libraries that floorcast pins otherwise, so they get a virtual environment of their own, made by the lock
`bench/requirements.lock`. Owns that environment; runs nothing in it.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCK = Path(__file__).with_name("requirements.lock")
FOLDER = ROOT / ".venv-bench"


class InstallError(Exception):
    """It cannot be made; the message is the installer's."""


def python() -> Path:
    """Its interpreter. What is missing is installed first."""
    interpreter = FOLDER / "bin" / "python"
    marker, wanted = FOLDER / "installed", hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if marker.is_file() and marker.read_text() == wanted:
        return interpreter
    uv = [sys.executable, "-m", "uv"]
    _run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(FOLDER)])
    _run([*uv, "pip", "install", "--quiet", "--python", str(interpreter), "--require-hashes", "-r", str(LOCK)])
    marker.write_text(wanted)
    return interpreter


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise InstallError(done.stderr.strip()[-500:])

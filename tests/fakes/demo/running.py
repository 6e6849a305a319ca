"""A `floorcast up` as a child: until it is ready, and ended in order."""

import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

_COMMAND = Path(sys.executable).with_name("floorcast")
_STOP_SECONDS = 15.0


class FloorcastError(Exception):
    """It has ended before it was ready."""


class Floorcast:
    """Use as a context manager; `url` is there once it is entered."""

    def __init__(self, config: Path, data: Path, port: int, say: Callable[[str], None]) -> None:
        self._flags = ["--config", str(config), "--data", str(data)]
        self._port = port
        self._say = say
        self.url = ""

    def __enter__(self) -> "Floorcast":
        command = [sys.executable, str(_COMMAND), "up", *self._flags, "--port", str(self._port)]
        # A session of its own: a terminal's Ctrl-C reaches it through us, in order.
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("ready "):
                self.url = line.split()[1]
                return self
            self._say(line.rstrip())
        msg = f"floorcast up has ended with {self._process.wait()}"
        raise FloorcastError(msg)

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def run(self, words: Sequence[str]) -> int:
        """A command beside it; its exit code."""
        return subprocess.run([sys.executable, str(_COMMAND), *words, *self._flags], check=False).returncode

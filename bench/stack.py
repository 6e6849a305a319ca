"""A running floorcast for a benchmark: `floorcast up` in a folder of its own, ended afterwards."""

import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - of this benchmark's own floor
CONFIG = f"""
organisation: {{name: Bench, timezone: Asia/Kuala_Lumpur, currency: USD}}
connections:
  feed: {{kind: generic, secrets: ["{SECRET}"]}}
"""
START_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Stack:
    """Where it runs."""

    url: str
    folder: Path


@contextmanager
def running_stack() -> Iterator[Stack]:
    """Start everything on free ports; stop it at the end."""
    with tempfile.TemporaryDirectory(prefix="floorcast-bench-") as name, socket.socket() as free:
        folder = Path(name)
        (folder / "floorcast.yaml").write_text(CONFIG)
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        command = [str(Path(sys.executable).with_name("floorcast")), "up", "--port", str(port)]
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
            try:
                for line in process.stdout or ():
                    if line.startswith("ready "):
                        break
                else:
                    raise SystemExit(process.wait())
                yield Stack(f"http://127.0.0.1:{port}", folder)
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=20)

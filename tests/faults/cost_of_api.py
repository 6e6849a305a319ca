"""What an api costs who asks for the most: `python -m tests.faults.cost_of_api`.

Owns the measuring. `/metrics` of many reps in one process, with how long its event loop did nothing else; and one
connection on which requests are sent ahead and no answer is read, against a process of its own, with its memory.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil
import uvloop
from rich.console import Console

from bench.exposition import measure
from deploy.local.ports import free_port

REPS = 20_000
SENT = 64 << 20
"""Bytes that are sent ahead at most."""
CONFIG = """
organisation: {name: Acme, timezone: UTC, currency: EUR}
connections: {feed: {kind: generic, secrets: ["whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="]}}
"""
REQUESTS = {
    "GET /livez": b"GET /livez HTTP/1.1\r\nHost: floor\r\n\r\n",
    "GET /openapi.json": b"GET /openapi.json HTTP/1.1\r\nHost: floor\r\n\r\n",
    "POST of 512 KiB": b"POST /webhooks/feed HTTP/1.1\r\nHost: floor\r\nContent-Type: application/json\r\n"
    b"Content-Length: 524288\r\n\r\n" + b" " * 524_288,
}
console = Console(soft_wrap=True)


def main() -> None:
    """Print a line for each."""
    blocked, times, _ = uvloop.run(measure(REPS, 4, time.thread_time))
    console.print(
        f"/metrics with {REPS:,} reps: the loop computed {blocked[0] * 1000:.0f} ms at a stretch, then at most"
        f" {max(blocked[1:]) * 1000:.0f} ms; answered in {times[0]:.2f} s, then {max(times[1:]):.2f} s",
        markup=False,
    )
    for what, request in REQUESTS.items():
        sent, grown, alive = _pipelined(request)
        console.print(
            f"{what}, sent ahead, no answer read: {sent / 2**20:.1f} MiB taken, the api grew by {grown / 2**20:.0f} MiB"
            f" and {'answers others' if alive else 'ANSWERS NOBODY'}",
            markup=False,
        )


def _pipelined(request: bytes) -> tuple[int, int, bool]:
    """Bytes that were taken, bytes that the api grew by, and whether it answers another connection meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        place, port = Path(folder), free_port("127.0.0.1", 0)
        (place / "floorcast.yaml").write_text(CONFIG)
        variables = {name: value for name, value in os.environ.items() if not name.startswith("FLOORCAST_")}
        api = subprocess.Popen(
            [str(Path(sys.executable).with_name("floorcast")), "api", "--port", str(port)],
            env=variables | {"FLOORCAST_BROKER": "127.0.0.1:9"},
            cwd=place, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            while not _lives(port):
                time.sleep(0.1)
            process = psutil.Process(api.pid)
            before = peak = process.memory_info().rss
            sent = 0
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.settimeout(3)
                with suppress(OSError):
                    while sent < SENT:
                        sent += client.send(request[sent % len(request) :] + request * (65_536 // len(request)))
                        peak = max(peak, process.memory_info().rss)
                peak = max(peak, process.memory_info().rss)
                return sent, peak - before, _lives(port)
        finally:
            api.terminate()
            api.wait()


def _lives(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as client:
            client.sendall(REQUESTS["GET /livez"])
            return client.recv(100).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


if __name__ == "__main__":
    main()

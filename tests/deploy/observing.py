"""Prometheus, Alertmanager and their tools as tests use them: found, started on a free loopback port, and stopped.

The configurations are the committed ones; only addresses and intervals are the test's.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
PROMETHEUS = REPOSITORY / "deploy" / "prometheus"
ALERTMANAGER = REPOSITORY / "deploy" / "alertmanager"
PATIENCE_SECONDS = 45.0

_T = TypeVar("_T")


def tool(*names: str) -> str:
    """Find a program; without it the test is skipped, but fails where `CI` is set: there it must not pass unseen."""
    for name in names:
        found = shutil.which(name)
        if found is not None:
            return found
    reason = f"needs {names[0]}: apt install prometheus prometheus-alertmanager"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def run(*command: str, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    """Run a tool to its end, within a minute."""
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def complaints(exposition: bytes) -> list[str]:
    """What promtool has against an exposition. That a count of days is no length of time it cannot know."""
    done = subprocess.run(
        [tool("promtool"), "check", "metrics"], input=exposition, capture_output=True, timeout=60, check=False
    )
    said = (done.stdout + done.stderr).decode().splitlines()
    counts = [f"floorcast_{name}_days use base unit" for name in ("crm", "scheduled", "tool")]
    assert done.returncode == (3 if said else 0)
    return [line for line in said if not line.startswith(tuple(counts))]


def until(look: Callable[[], _T | None], why: Callable[[], object]) -> _T:
    """Look until there is something; then that. Fails with `why` when patience ends."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            pytest.fail(f"not within {PATIENCE_SECONDS} s: {why()}")
        time.sleep(0.1)


def get(url: str, **parameters: str) -> Any:
    """The JSON answer."""
    with urllib.request.urlopen(f"{url}?{urlencode(parameters)}", timeout=10) as answer:  # noqa: S310 - loopback
        return json.load(answer)


def query(prometheus: str, expr: str) -> list[Any]:
    """The result of an instant query. Raises urllib.error.HTTPError for one that cannot be evaluated."""
    found: list[Any] = get(f"http://{prometheus}/api/v1/query", query=expr)["data"]["result"]
    return found


def prometheus_config(*, target: str, token: Path, alertmanager: str | None = None) -> dict[str, Any]:
    """Read the committed configuration and point it at the test's own processes."""
    config: dict[str, Any] = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(PROMETHEUS / name) for name in config["rule_files"]]
    config["scrape_configs"] = [job for job in config["scrape_configs"] if job["job_name"] == "floorcast"]
    (job,) = config["scrape_configs"]
    job["authorization"]["credentials_file"] = str(token)
    job["static_configs"] = [{"targets": [target]}]
    config["alerting"]["alertmanagers"] = (
        [] if alertmanager is None else [{"static_configs": [{"targets": [alertmanager]}]}]
    )
    return config


def alertmanager_config(sink: str) -> dict[str, Any]:
    """Read the committed configuration and let every receiver post to `sink`, at once."""
    config: dict[str, Any] = yaml.safe_load((ALERTMANAGER / "alertmanager.yml").read_text())
    config["templates"] = [str(ALERTMANAGER / name) for name in config["templates"]]
    config["route"]["group_wait"] = "500ms"
    config["receivers"] = [
        {"name": receiver["name"], "webhook_configs": [{"url": f"http://{sink}/{receiver['name']}"}]}
        for receiver in config["receivers"]
    ]
    return config


@contextmanager
def running_prometheus(folder: Path, config: dict[str, Any]) -> Iterator[str]:
    """Start Prometheus with a configuration; gives `host:port` once it is ready."""
    file = _written(folder / "prometheus.yml", config)
    with _running(
        tool("prometheus"),
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        # An alert that fires before Alertmanager is discovered is lost, and sent again after this: a minute otherwise.
        "--rules.alert.resend-delay=1s",
        folder=folder,
    ) as address:
        yield address


@contextmanager
def running_alertmanager(folder: Path, config: dict[str, Any]) -> Iterator[str]:
    """Start Alertmanager with a configuration; gives `host:port` once it is ready."""
    file = _written(folder / "alertmanager.yml", config)
    with _running(
        tool("prometheus-alertmanager", "alertmanager"),
        f"--config.file={file}",
        f"--storage.path={folder / 'alerts'}",
        "--cluster.listen-address=",
        folder=folder,
    ) as address:
        yield address


def _written(path: Path, config: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(config))
    return path


@contextmanager
def _running(program: str, *arguments: str, folder: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = "127.0.0.1:{1}".format(*listener.getsockname())
    log = folder / f"{Path(program).name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, *arguments, f"--web.listen-address={address}", "--log.level=warn"],
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
    try:
        until(lambda: process.poll() is not None or _is_ready(address), log.read_text)
        if process.poll() is not None:
            pytest.fail(f"{program} ended: {log.read_text()}")
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/-/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@dataclass
class Sink:
    """Takes what Alertmanager posts; knows which receiver it was for."""

    address: str = ""
    posted: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def alerts(self, receiver: str) -> list[dict[str, Any]]:
        """Every alert that a receiver was told of, as often as it was."""
        return [alert for name, message in list(self.posted) if name == receiver for alert in message["alerts"]]

    def names(self, receiver: str) -> set[str]:
        """The names of these alerts."""
        return {alert["labels"]["alertname"] for alert in self.alerts(receiver)}


@contextmanager
def running_sink() -> Iterator[Sink]:
    """Listen for notifications."""
    sink = Sink()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            sink.posted.append((self.path.strip("/"), json.loads(body)))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sink.address = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

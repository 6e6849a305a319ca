"""How the api ends: for a while it serves on and says that it is not ready; a second signal cuts that short."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.api.fakes import FakeIngest
from tests.api.live import make_app, make_settings, serving_by

_PATIENCE_SECONDS = 20.0


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(("drain", "signals"), [(0.5, 1), (300.0, 2)])
def test_it_serves_on_and_is_not_ready_until_it_ends(tmp_path: Path, drain: float, signals: int) -> None:
    settings = make_settings(tmp_path, drain_seconds=drain, role="ingest")
    app = make_app(settings, FakeIngest())
    with serving_by(app, settings) as (server, (host, port)), httpx.Client(base_url=f"http://{host}:{port}") as client:
        assert client.get("/readyz").status_code == 200
        server.handle_exit(signal.SIGTERM, None)
        told = client.get("/readyz")
        assert (told.status_code, told.json()["detail"]) == (503, "this process was told to end")
        assert client.get("/livez").status_code == 200
        assert not app.state.stopping.is_set()
        if signals == 2:
            server.handle_exit(signal.SIGTERM, None)
        until(app.state.stopping.is_set)
        assert not server.force_exit


def test_without_a_setting_it_ends_at_once(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, role="ingest")
    app = make_app(settings, FakeIngest())
    with serving_by(app, settings) as (server, _):
        server.handle_exit(signal.SIGTERM, None)
        until(app.state.stopping.is_set)

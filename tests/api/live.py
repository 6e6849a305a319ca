"""A real server of the api on a free loopback port, in a thread of this process."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from api.app import create_app
from api.serving import build_server
from api.settings import Settings
from api.write.ingest import DeliveryLog
from schemas.config import Config, parse_config
from schemas.connectors.base import Connector
from tests.api.fakes import FakeConnector

CONFIG = """
organisation: {name: Acme, timezone: Asia/Kuala_Lumpur, currency: USD}
connections:
  feed: {kind: generic, secrets: ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}
  crm: {kind: generic, secrets: ["whsec_Q3JtU2VjcmV0Q3JtU2VjcmV0Q3JtU2VjcmV0"], public_url: "https://floor.example/in/"}
"""
_PATIENCE_SECONDS = 20.0


def make_config() -> Config:
    """Make a configuration with the connections `feed` and `crm`."""
    return parse_config(CONFIG, {})


def make_settings(data: Path, **changes: Any) -> Settings:
    """Make settings with a data directory of the test's own."""
    return Settings(data=data, **changes)


def make_app(settings: Settings, ingest: DeliveryLog, *, connector: Connector | None = None, **more: Any) -> FastAPI:
    """Make the api with a stand-in for both connectors."""
    connector = connector or FakeConnector()
    return create_app(settings, make_config(), ingest=ingest, connectors={"feed": connector, "crm": connector}, **more)


@contextmanager
def serving(app: FastAPI, settings: Settings) -> Iterator[tuple[str, int]]:
    """Serve the app with all limits; gives its address."""
    with serving_by(app, settings) as (_, address):
        yield address


@contextmanager
def serving_by(app: FastAPI, settings: Settings) -> Iterator[tuple[uvicorn.Server, tuple[str, int]]]:
    """Serve the app with all limits; gives the server and its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    address: tuple[str, int] = listener.getsockname()
    server = build_server(app, settings)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not server.started and thread.is_alive() and time.monotonic() < deadline:
        thread.join(0.01)
    assert server.started
    try:
        yield server, address
    finally:
        server.should_exit = True
        thread.join(_PATIENCE_SECONDS)
        assert not thread.is_alive()

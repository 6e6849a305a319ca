"""What every test may ask for: the run's Kafka, and topic names of its own on it.

One broker serves the whole run. Under pytest-xdist the controller owns it, because it outlives every worker: it starts
the broker when the first worker asks for it, and ends it after the last.
"""

from __future__ import annotations

import gc
import logging
import os
import socket
import socketserver
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import structlog
from hypothesis import settings

from deploy.local.broker import LocalBroker
from deploy.local.kafka_archive import make_archive
from deploy.local.ports import UpError

# Where the environment forbids bytecode, every process that a test starts would compile floorcast anew, and every run
# the tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# `--hypothesis-profile short`: for what is slower by a multiple, such as the sanitizers.
settings.register_profile("short", max_examples=10, deadline=None)
# How long an example takes says more of the machine than of the code. A quarter of what Hypothesis would try by itself,
# for two cores; `--hypothesis-profile default` tries them all.
settings.register_profile("plain", max_examples=25, deadline=None)
settings.load_profile("plain")

_START_SECONDS = 300.0  # The first one may download Kafka.
_desk = pytest.StashKey["_BrokerDesk"]()


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of the run's Kafka. Tests that use it are marked `kafka`."""
    worker_input: dict[str, Any] | None = getattr(request.config, "workerinput", None)
    if worker_input is None:
        make_archive()  # Every Kafka of the run starts by it.
        with LocalBroker(tmp_path_factory.mktemp("kafka"), die_with_parent=True, short_lived=True) as broker:
            yield broker.bootstrap
        return
    with socket.create_connection(("127.0.0.1", worker_input["broker_desk"]), timeout=_START_SECONDS) as desk:
        ok, _, answer = desk.makefile(encoding="utf-8").read().partition(" ")
    if ok != "ready":
        pytest.fail(answer)
    yield answer


@pytest.fixture
def prefix() -> str:
    """Make a topic prefix that no other test has, such as `t4f2a91c3.`."""
    return f"t{uuid.uuid4().hex[:8]}."


@pytest.fixture(autouse=True)
def _logs_stay_as_they_are() -> Iterator[None]:
    """What sets up the log of a process is run in a process of its own: another test would look for lines in vain."""
    before = _of_logs()
    yield
    assert _of_logs() == before, "the test has set up the log of the process"


def _of_logs() -> list[Any]:
    ours = structlog.get_config()
    levels = [logging.getLogger(name).level for name in ("", "aiokafka", "faust", "uvicorn")]
    return [ours["wrapper_class"], ours["logger_factory"], ours["cache_logger_on_first_use"], *levels]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that no worker ends long after the others. Modules stay together."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    folder = item.path.parent.name
    if folder in {"integration", "faults"}:
        return 0
    if item.get_closest_marker("kafka") or item.get_closest_marker("browser"):
        return 1
    return 2 if folder in {"tests", "core"} else 3


def pytest_collection_finish() -> None:
    """All that was imported stays until the end: the collector need not look through it again and again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """In the controller of pytest-xdist, for each worker that is about to start."""
    if _desk not in node.config.stash:
        node.config.stash[_desk] = _BrokerDesk()
    node.workerinput["broker_desk"] = node.config.stash[_desk].server_address[1]


def pytest_unconfigure(config: pytest.Config) -> None:
    if _desk in config.stash:
        config.stash[_desk].close()


class _BrokerDesk(socketserver.TCPServer):
    """Tells every worker that connects where the broker is; the first one waits until it is up."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _BrokerClerk)
        self._folder = TemporaryDirectory(prefix="floorcast-tests-")
        # It serves for so many minutes that both compilers pay off: see deploy/local/kafka_jvm.py.
        self._broker = LocalBroker(Path(self._folder.name), die_with_parent=True)
        self._thread = threading.Thread(target=self.serve_forever, name="broker-desk", daemon=True)
        self._thread.start()

    def answer(self) -> str:
        try:
            if not self._broker.alive:
                make_archive()  # Every Kafka of the run starts by it.
                self._broker.start()
        except UpError as error:
            return f"failed {error}"
        return f"ready {self._broker.bootstrap}"

    def close(self) -> None:
        self._broker.stop()  # Also ends a start that a worker still waits for.
        self.shutdown()
        self._thread.join()
        self.server_close()
        self._folder.cleanup()


class _BrokerClerk(socketserver.BaseRequestHandler):
    server: _BrokerDesk

    def handle(self) -> None:
        self.request.sendall(self.server.answer().encode())

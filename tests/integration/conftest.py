"""What integration tests share: a sink for alerts, a floorcast that tells it of them, and somebody who asks.

One `floorcast up` serves a module, on the run's Kafka under a prefix of its own. The module says by `configuration`
how it is configured, and by `ENVIRONMENT` by what settings, where `{sink}` stands for the sink. A module that kills
Kafka itself has a fixture `floor` of its own, without `kafka`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.integration.floor_process import FloorProcess
from tests.integration.served import Reader
from tests.sinks import HttpSink


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sink() -> AsyncIterator[HttpSink]:
    """Takes what the module's floor tells its channels."""
    async with HttpSink() as receiving:
        yield receiving


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def floor(
    request: pytest.FixtureRequest, sink: HttpSink, kafka: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[FloorProcess]:
    """Run a floorcast for the module, configured by its `configuration(url of the sink)`."""
    folder = tmp_path_factory.mktemp("floor")
    settings = getattr(request.module, "ENVIRONMENT", {})
    environment = {name: value.format(sink=sink.url) for name, value in settings.items()}
    process = FloorProcess(folder, request.module.configuration(sink.url), environment, kafka=kafka)
    try:
        await asyncio.to_thread(process.start)
        yield process
        await asyncio.to_thread(process.stop)
    finally:
        await asyncio.to_thread(process.kill_everything)


@pytest_asyncio.fixture(loop_scope="module")
async def reader(floor: FloorProcess) -> AsyncIterator[Reader]:
    """Ask the module's floor, with a connection of this test's own."""
    async with Reader(floor.url) as asking:
        yield asking

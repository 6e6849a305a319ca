"""What became of the Kafka of a `floorcast up` while nobody looked: a log cut off on disk, and more partitions.

One `floorcast up` serves the module, with a Kafka of its own, and each test ends and starts it. So their order matters.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from prometheus_client.parser import text_string_to_metric_families

from schemas.exit_codes import ExitCode
from schemas.kafka import kafka_options
from schemas.topics import DELIVERIES
from tests.forking import COMMAND
from tests.integration.floor_process import READY_SECONDS, FloorProcess
from tests.integration.served import Reader
from tests.integration.test_log_truth import command, configuration, post, readiness, until_ready_with, until_refused
from tests.integration.waiting import eventually
from tests.ports import held_port

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="module")]

POSTED = 100
_ENDED = re.compile(r'"code": 70, "why": "floorcast\.deliveries\[\d\] was read up to offset \d+ and')


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def floor(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FloorProcess]:
    process = FloorProcess(tmp_path_factory.mktemp("own"), configuration(""))
    try:
        await asyncio.to_thread(process.start)
        yield process
    finally:
        await asyncio.to_thread(process.kill_everything)


def cut_off(floor: FloorProcess) -> None:
    """Take the end off each partition of the log, as a disk does that was not written to its end."""
    kafka = floor.data / "kafka"
    for log in kafka.glob(f"{floor.prefix}{DELIVERIES.name}-*/*.log"):
        # In the midst of the last batch, which is lost with it.
        os.truncate(log, max(0, log.stat().st_size - 10))
    # Else Kafka believes its own notes of where logs end. One that took too long to stop has left none.
    (kafka / ".kafka_cleanshutdown").unlink(missing_ok=True)


def lags(text: str, topic: str) -> list[float]:
    return [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "floorcast_consumer_lag_records" and sample.labels["topic"] == topic
    ]


async def test_a_log_that_was_cut_off_on_disk_stops_the_stage_and_a_replay_mends_it(
    floor: FloorProcess, reader: Reader
) -> None:
    # In more batches than there are partitions: of some a part is left.
    for first in range(0, POSTED, 20):
        await post(floor, first, 20)
    await until_ready_with(reader, POSTED)
    await asyncio.to_thread(floor.stop)
    cut_off(floor)

    await asyncio.to_thread(floor.launch)

    async def is_taking() -> bool:
        try:
            return (await readiness(reader, "ingest"))[0] == 200
        except OSError:
            return False

    await eventually(is_taking, "deliveries are taken", READY_SECONDS)
    said = await until_refused(reader, "deliveries", "floorcast replay")
    assert re.search(r"deliveries\[\d\] (was read up to|has lost|ends at)", said), said

    async def worker_has_said_it() -> bool:
        return _ENDED.search((floor.data / "logs" / "worker.log").read_text()) is not None

    await eventually(worker_has_said_it, "said by the worker", READY_SECONDS)
    assert min(lags(await reader.text("/metrics"), DELIVERIES.name)) < 0
    code, said = await command(floor, "replay")
    assert code == 0, said
    found = re.search(r"(\d+) changes", said)
    assert found is not None, said
    left = int(found[1])
    assert 0 < left < POSTED
    await until_ready_with(reader, left)


async def test_partitions_that_were_added_before_a_start_are_taken_in_by_what_it_says(
    floor: FloorProcess, reader: Reader
) -> None:
    async def calls() -> int:
        answer = await reader.get("/v1/organisation/metrics", window="7d", metrics="calls_made")
        return int(answer["metrics"]["calls_made"])

    before = await calls()
    admin = AIOKafkaAdminClient(**kafka_options(floor.kafka))
    await admin.start()
    await admin.create_partitions({DELIVERIES.full_name(floor.prefix): NewPartitions(6)})
    await admin.close()
    await asyncio.to_thread(floor.stop)

    await asyncio.to_thread(floor.launch)
    code, said = await asyncio.to_thread(floor.wait_for_end)

    assert code == ExitCode.WRONG_USE, said
    mended = re.search(r"floorcast (replay --partitions 6) takes the new ones in", said)
    alone = re.search(r"floorcast (broker --data \S+ --port) 9092 runs this Kafka alone", said)
    assert mended is not None, said
    assert alone is not None, said
    port = str(held_port())
    with subprocess.Popen([COMMAND, *alone[1].split(), port], cwd=floor.folder, stdout=subprocess.PIPE) as broker:
        try:
            assert broker.stdout is not None
            ready = await asyncio.to_thread(broker.stdout.readline)
            assert ready.startswith(b"kafka ready"), ready
            code, said = await command(floor, *mended[1].split(), "--broker", f"127.0.0.1:{port}")
            assert code == 0, said
        finally:
            broker.send_signal(signal.SIGTERM)
    await asyncio.to_thread(floor.start)

    await until_ready_with(reader, before)
    await post(floor, 2 * POSTED, 30)
    await until_ready_with(reader, before + 30)
    code, said = await asyncio.to_thread(floor.verify)
    assert code == 0, said

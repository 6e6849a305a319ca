"""`floorcast replay` where Kafka has let the start of the log go: what only the old generation knows is carried on."""

import asyncio
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from processor.transport.following import Follower
from processor.transport.generations import read_served
from schemas.instants import HOUR
from schemas.kafka import Address, kafka_options
from schemas.topics import DELIVERIES
from tests.integration.floor_process import FloorProcess
from tests.integration.posted import Posted, clock, hostile_deliveries
from tests.integration.served import Reader, all_differences, settle
from tests.integration.test_replay import configuration, replay, until_served

pytestmark = pytest.mark.kafka


async def let_go_of_most(broker: Address, topic: str) -> None:
    """As retention does: of every partition only the last tenth is left."""
    async with Follower(broker, topic) as follower:
        ends = dict(await follower.ends())
    admin = AIOKafkaAdminClient(**kafka_options(broker))
    await admin.start()
    try:
        await admin.delete_records(
            {TopicPartition(topic, partition): RecordsToDelete(end * 9 // 10) for partition, end in ends.items()}
        )
    finally:
        await admin.close()
    async with Follower(broker, topic) as follower:
        assert all(follower.positions[partition] >= end * 9 // 10 > 0 for partition, end in ends.items())


async def test_numbers_stay_right_although_the_log_begins_in_the_middle(tmp_path: Path, kafka: str) -> None:
    floor = FloorProcess(tmp_path, configuration("https://sink.invalid"), kafka=kafka)
    try:
        await asyncio.to_thread(floor.start)
        posted = Posted(floor.url, floor.config_file)
        broker, prefix = floor.kafka, floor.running.prefix
        async with Reader(floor.url) as reader:
            await posted.post(hostile_deliveries(seed=31, events=800, now=clock() - HOUR, connections=("feed",)))
            await settle(reader, broker, prefix)
            await let_go_of_most(broker, DELIVERIES.full_name(prefix))
            before = await read_served(broker, prefix, 4)

            code, words = await replay(floor, "--partitions", "3")

            assert code == 0, words
            assert "is as it was" in words
            await until_served(reader, before.generation + 1)
            assert (await read_served(broker, prefix, 4)).partitions == 3
            assert await all_differences(reader, posted.books(), posted.config) == []
            # Old records go on from where they were: this edits, repeats and deletes.
            await posted.post(hostile_deliveries(seed=31, events=1000, now=clock() - HOUR, connections=("feed",)))
            await settle(reader, broker, prefix)
            assert await all_differences(reader, posted.books(), posted.config) == []
        await asyncio.to_thread(floor.stop)
    finally:
        await asyncio.to_thread(floor.kill_everything)

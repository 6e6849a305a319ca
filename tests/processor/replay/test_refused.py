"""A replay that is refused has changed nothing that lies on the broker."""

import asyncio
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from processor.replay.replay import replay
from processor.transport.administration import TopicsError, add_partitions, ensure_topics, partitions_of
from schemas.topics import DELIVERIES, TOPICS
from tests.builders import make_config

pytestmark = pytest.mark.kafka


async def test_settings_are_looked_at_before_partitions_are_added_or_topics_deleted(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    config = make_config()
    for generation in (1, 2):
        await ensure_topics(
            kafka, prefix=prefix, generation=generation, partitions=2, records_kept=config.retention.records
        )
    deliveries = DELIVERIES.full_name(prefix)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    changed = ConfigResource(ConfigResourceType.TOPIC, deliveries, configs={"retention.ms": "3600000"})
    await admin.alter_configs([changed])
    await admin.close()
    await add_partitions(kafka, {deliveries: 3})
    names = [topic.full_name(prefix, generation) for generation in (1, 2, 3) for topic in TOPICS]
    while (before := await partitions_of(kafka, names))[deliveries] < 3:  # a broker tells of it after a moment
        await asyncio.sleep(0.05)

    with pytest.raises(TopicsError) as refused:
        await replay(
            bootstrap=kafka, prefix=prefix, config=config, config_file=tmp_path / "none", folder=tmp_path, partitions=3
        )

    assert [line for line in refused.value.problems if "retention.ms is 3600000" in line]
    assert all("floorcast topics --alter" in line for line in refused.value.problems)
    assert await partitions_of(kafka, names) == before

"""What a real Kafka, and one that knows less, says of topics."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.metadata import MetadataRequest, MetadataResponse_v5

from schemas.kafka_facts import KafkaFacts
from schemas.log_marks import UNTOLD, ClusterFacts, EpochEnd, TopicFacts


@pytest.mark.kafka
async def test_ids_epochs_ends_and_settings_of_topics_that_are_there(kafka: str, prefix: str) -> None:
    name = f"{prefix}deliveries"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([NewTopic(name, 2, 1, topic_configs={"max.message.bytes": "4000"})])
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    for _ in range(3):
        await producer.send_and_wait(name, b"one", partition=1)
    await producer.stop()
    asking = KafkaFacts(kafka)
    try:
        first = await asking.topics([name, f"{prefix}nothing"])
        ends = await asking.ends({((name, 0), 0), ((name, 1), 0), ((name, 1), 7)})
        settings = await asking.settings([name])
        await admin.delete_topics([name])
        async with asyncio.timeout(30):
            while (await asking.topics([name])).topics:
                await asyncio.sleep(0.05)
            await admin.create_topics([NewTopic(name, 1, 1)])
            while not (again := await asking.topics([name])).topics:
                await asyncio.sleep(0.05)
    finally:
        await asking.close()
        await admin.close()

    assert first.topics.keys() == {name}
    assert first.topics[name].epochs == {0: 0, 1: 0}
    assert len(first.topics[name].id) == 16
    assert ends == {((name, 0), 0): EpochEnd(0, 0), ((name, 1), 0): EpochEnd(0, 3), ((name, 1), 7): EpochEnd(-1, -1)}
    assert settings[name]["max.message.bytes"] == "4000"
    assert again.topics[name].id != first.topics[name].id


async def test_a_kafka_that_tells_neither_ids_nor_epochs_is_asked_the_old_way(monkeypatch: pytest.MonkeyPatch) -> None:
    asking = KafkaFacts("nowhere:1")

    async def ask(request: Any, node: int | None = None) -> Any:
        if not isinstance(request, MetadataRequest):
            raise IncompatibleBrokerVersion("too old")
        topics: list[Any] = [
            (0, "there", False, [(0, 0, 4, [4, 5], [4], []), (0, 1, 5, [5], [5], [])]),
            (3, "gone", False, []),
        ]
        return SimpleNamespace(API_VERSION=MetadataResponse_v5.API_VERSION, topics=topics, brokers=[4, 5])

    monkeypatch.setattr(asking, "_ask", ask)

    assert await asking.topics(["there", "gone"]) == ClusterFacts(
        {"there": TopicFacts(b"", {0: UNTOLD, 1: UNTOLD}, 1)}, 2
    )
    assert await asking.ends({(("there", 0), 3)}) == {}

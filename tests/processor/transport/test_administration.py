"""What the topics of the catalogue take, on a real broker."""

import time

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import InvalidTimestampError, NodeNotReadyError

from processor.transport.administration import ensure_topics
from schemas.instants import DAY
from schemas.topics import TOPICS
from tests.processor.transport.floor import create_topics

pytestmark = pytest.mark.kafka


async def test_a_clock_that_is_hours_wrong_somewhere_keeps_nothing_out(kafka: str, prefix: str) -> None:
    await ensure_topics(kafka, prefix=prefix, generation=1, partitions=1, records_kept=400 * DAY)
    plain = f"{prefix}plain"
    await create_topics(kafka, [plain], partitions=1, configs={})
    now_ms = time.time_ns() // 1_000_000
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    try:
        for wrong_ms in (2 * 3600 * 1000, -2 * 3600 * 1000):
            for topic in TOPICS:
                name = topic.full_name(prefix, 1)
                await producer.send_and_wait(name, b"value", key=b"key", timestamp_ms=now_ms + wrong_ms)
        # The broker's own rule, which the topics are free of.
        with pytest.raises(InvalidTimestampError):
            await producer.send_and_wait(plain, b"value", timestamp_ms=now_ms + 2 * 3600 * 1000)
    finally:
        await producer.stop()


async def test_a_broker_that_does_not_know_itself_yet_is_asked_again(
    kafka: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    list_topics, asked = AIOKafkaAdminClient.list_topics, 0

    async def not_yet(admin: AIOKafkaAdminClient) -> list[str]:
        nonlocal asked
        asked += 1
        if asked <= 2:
            raise NodeNotReadyError
        found: list[str] = await list_topics(admin)
        return found

    monkeypatch.setattr(AIOKafkaAdminClient, "list_topics", not_yet)

    made = await ensure_topics(kafka, prefix=prefix, generation=1, partitions=1, records_kept=400 * DAY)

    assert len(made) == len(TOPICS)
    assert asked == 3

"""Reading a topic outside any group: everything in order, and no request while nobody reads."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.fetch import FetchRequest

from processor.transport.fetched import Fetched
from processor.transport.following import Follower, newest_read
from processor.transport.packing import KeyAndValue
from schemas.topics import FENCE
from tests.processor.transport.floor import create_topics, ends_of, produce

pytestmark = pytest.mark.kafka


class Read:
    """What a follower has handed over, by partition."""

    def __init__(self) -> None:
        self.values: dict[int, list[int]] = {0: [], 1: []}

    def apply(self, partition: int, records: list[Fetched]) -> None:
        self.values[partition] += [int(record.value or b"-1") for record in records]


@pytest.fixture
async def topic(kafka: str, prefix: str) -> str:
    name = f"{prefix}followed"
    await create_topics(kafka, [name], partitions=2, configs={})
    await ends_of(kafka, name, 2)  # asks until Kafka knows it
    return name


@pytest.fixture
async def follower(kafka: str, topic: str) -> AsyncIterator[Follower]:
    async with Follower(kafka, topic, at_once=7) as follower:
        yield follower


@pytest.fixture
def fetches(monkeypatch: pytest.MonkeyPatch) -> list[FetchRequest]:
    """The requests for records that have left so far."""
    sent: list[FetchRequest] = []
    send = AIOKafkaClient.send

    async def note(client: AIOKafkaClient, node: int, request: Any, **rest: Any) -> Any:
        if isinstance(request, FetchRequest):
            sent.append(request)
        return await send(client, node, request, **rest)

    monkeypatch.setattr(AIOKafkaClient, "send", note)
    return sent


def numbered(first: int, after: int) -> list[KeyAndValue]:
    return [(b"key", b"%d" % number) for number in range(first, after)]


async def test_nothing_is_asked_for_while_nobody_reads_and_nothing_is_missed(
    kafka: str, topic: str, fetches: list[FetchRequest], follower: Follower
) -> None:
    read = Read()
    for part in range(0, 100, 20):
        await produce(kafka, topic, 0, numbered(part, part + 20))
        await produce(kafka, topic, 1, numbered(part, part + 10))
        asked = len(fetches)
        await asyncio.sleep(0.1)
        assert len(fetches) == asked

        await follower.read_to(await follower.ends(), read.apply)

        assert read.values[0] == list(range(part + 20))
        assert len(read.values[1]) == part // 2 + 10
        assert len(fetches) > asked


async def test_who_waits_is_told_as_soon_as_something_comes(kafka: str, topic: str, follower: Follower) -> None:
    read = Read()
    await follower.wait(0.05, read.apply)
    assert read.values == {0: [], 1: []}

    waiting = asyncio.create_task(follower.wait(60, read.apply))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await produce(kafka, topic, 1, numbered(0, 3))
    async with asyncio.timeout(40):
        await waiting

    assert read.values == {0: [], 1: [0, 1, 2]}


async def test_a_wait_that_was_given_up_loses_nothing(kafka: str, topic: str, follower: Follower) -> None:
    read = Read()
    waiting = asyncio.create_task(follower.wait(60, read.apply))
    await asyncio.sleep(0.1)
    waiting.cancel()
    await asyncio.wait([waiting])
    await produce(kafka, topic, 0, numbered(0, 10))

    await follower.read_to(await follower.ends(), read.apply)

    assert read.values[0] == list(range(10))


async def test_what_cannot_be_read_is_told_with_its_place_and_left_out(kafka: str, topic: str) -> None:
    wrong: list[tuple[str, int, int]] = []
    await produce(
        kafka,
        topic,
        1,
        [
            (b"a", b"\x01"),
            (b"b", b"\xc1"),
            (b"c", b"\x03"),
            (b"a", b"\xc1"),
            (b"b", b"\x02"),
            (FENCE, b"\xc1"),
            (b"c", None),
        ],
    )

    found = await newest_read(
        kafka,
        topic,
        msgspec.msgpack.Decoder(int).decode,
        lambda record: wrong.append((record.topic, record.partition, record.offset)),
    )

    assert found == {b"b": 2}
    assert wrong == [(topic, 1, 3)], "what was written over since is nobody's concern"

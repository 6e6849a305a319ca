"""The log of deliveries: an answer only after the acknowledgement, a refusal at once while Kafka is away.

Most of it against a producer of the test's own, whose acknowledgements the test gives; the rest against a real broker.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, OutOfOrderSequenceNumber

from api.write.ingest import Ingest
from api.write.refusals import BacklogFullError, UnacknowledgedError
from deploy.local.broker import LocalBroker
from schemas.deliveries import Delivery, decode_delivery
from tests.api.kafka_topics import create_topic, read_all
from tests.api.live import make_settings
from tests.api.write.producers import (
    PATIENCE_SECONDS,
    FakeProducer,
    accept_all,
    bodies,
    make_delivery,
    running,
    until,
)


async def test_delivery_is_accepted_once_it_is_acknowledged_and_not_before(tmp_path: Path) -> None:
    producer = FakeProducer()

    async with running(tmp_path, [producer], produce_timeout_seconds=PATIENCE_SECONDS) as ingest:
        await until(lambda: ingest.ready)
        accepting = asyncio.create_task(ingest.accept(make_delivery(b"raw")))
        await until(lambda: bool(producer.sent))
        assert not accepting.done()
        producer.acknowledge_all()

        assert await accepting == "0-0"
        assert [decode_delivery(message).body for message in producer.sent[0][1]] == [b"raw"]


async def test_start_does_not_wait_for_kafka_and_says_what_is_missing(tmp_path: Path) -> None:
    away, back = FakeProducer(failure=KafkaConnectionError("away")), FakeProducer()

    async with running(tmp_path, [away, back]) as ingest:
        assert not ingest.ready
        assert "Kafka" in ingest.problems()[0]
        with pytest.raises(UnacknowledgedError) as refusal:
            await ingest.accept(make_delivery())
        await until(lambda: ingest.ready)

        assert (refusal.value.retry_after or 0) > 0
        assert away.is_closed
        assert ingest.problems() == []


async def test_producer_that_failed_for_good_is_replaced(tmp_path: Path) -> None:
    broken, whole = FakeProducer(), FakeProducer()

    async with running(tmp_path, [broken, whole], produce_timeout_seconds=PATIENCE_SECONDS) as ingest:
        await until(lambda: ingest.ready)
        accepting = asyncio.create_task(ingest.accept(make_delivery()))
        await until(lambda: bool(broken.sent))
        broken.sent[0][2].set_exception(OutOfOrderSequenceNumber())
        with pytest.raises(UnacknowledgedError):
            await accepting
        await until(lambda: ingest.ready and broken.is_closed)
        again = asyncio.create_task(ingest.accept(make_delivery()))
        await until(lambda: bool(whole.sent))
        whole.acknowledge_all()

        assert await again == "0-0"


async def test_a_delivery_that_is_too_large_refuses_none_that_came_with_it(tmp_path: Path) -> None:
    producers = [FakeProducer(largest=600) for _ in range(3)]

    async with running(tmp_path, producers, produce_timeout_seconds=PATIENCE_SECONDS) as ingest:
        await until(lambda: ingest.ready)
        accepting = [
            asyncio.create_task(ingest.accept(make_delivery(body)))
            for body in (b"{}", b"x" * 90 * 10, b"[]", b"x", b"y")
        ]
        results = await asyncio.gather(*accepting, return_exceptions=True)
        later = await ingest.accept(make_delivery())

    refused = [result for result in results if isinstance(result, Exception)]
    assert [type(each) for each in refused] == [UnacknowledgedError]
    assert "max.message.bytes" in str(refused[0])
    assert isinstance(results[1], UnacknowledgedError)
    assert later
    stored = [value for producer in producers for _, values, future in producer.sent if future.exception() is None
              for value in values]  # fmt: skip
    assert len(stored) == len(set(stored)) + 1  # `{}` came twice


async def test_bytes_that_wait_are_bounded(tmp_path: Path) -> None:
    producer = FakeProducer()

    async with running(tmp_path, [producer], max_in_flight_bytes=1 << 20) as ingest:
        await until(lambda: ingest.ready)
        with pytest.raises(BacklogFullError):
            await ingest.accept(make_delivery(bytes(1 << 20)))

        assert not producer.sent


async def test_deliveries_at_a_slow_pace_go_to_the_partitions_in_turn(tmp_path: Path) -> None:
    producer = FakeProducer(partitions=3)

    async with running(tmp_path, [producer], produce_timeout_seconds=PATIENCE_SECONDS) as ingest:
        await until(lambda: ingest.ready)
        for count in range(1, 7):
            accepting = asyncio.create_task(ingest.accept(make_delivery()))
            await until(lambda count=count: len(producer.sent) == count)  # type: ignore[misc]
            producer.acknowledge_all()
            await accepting

    assert [partition for partition, *_ in producer.sent] == [0, 1, 2, 0, 1, 2]


async def test_deliveries_that_come_together_share_a_batch(tmp_path: Path) -> None:
    producer = FakeProducer(partitions=3)

    async with running(tmp_path, [producer], produce_timeout_seconds=PATIENCE_SECONDS) as ingest:
        await until(lambda: ingest.ready)
        accepting = accept_all(ingest, range(3))
        await until(lambda: bool(producer.sent))
        producer.acknowledge_all()

        assert await asyncio.gather(*accepting) == ["0-0", "0-1", "0-2"]
        assert bodies(producer) == [[b"0", b"1", b"2"]]


async def test_what_arrives_while_a_request_is_under_way_shares_the_next(tmp_path: Path) -> None:
    producer = FakeProducer(capacity=3)

    async with running(tmp_path, [producer], produce_timeout_seconds=PATIENCE_SECONDS) as ingest:
        await until(lambda: ingest.ready)
        accepting = accept_all(ingest, range(1))
        await until(lambda: len(producer.sent) == 1)
        accepting += accept_all(ingest, range(1, 6))
        for count in (2, 3, 3):
            await asyncio.sleep(0)
            producer.acknowledge_all()
            await until(lambda count=count: len(producer.sent) == count)  # type: ignore[misc]

        assert await asyncio.gather(*accepting) == ["0-0", "1-1", "1-2", "1-3", "2-4", "2-5"]
        assert bodies(producer) == [[b"0"], [b"1", b"2", b"3"], [b"4", b"5"]]


async def test_batches_of_different_sizes_are_spread_by_their_bytes(tmp_path: Path) -> None:
    producer = FakeProducer(partitions=2)

    async with running(tmp_path, [producer], produce_timeout_seconds=PATIENCE_SECONDS) as ingest:
        await until(lambda: ingest.ready)
        for round_, count in enumerate([1, 9] * 10, 1):
            accepting = accept_all(ingest, range(count))
            await until(lambda round_=round_: len(producer.sent) == round_)  # type: ignore[misc]
            producer.acknowledge_all()
            await asyncio.gather(*accepting)

    given = [sum(len(values) for to, values, _ in producer.sent if to == partition) for partition in range(2)]
    assert abs(given[0] - given[1]) <= 9


async def test_caller_that_goes_away_takes_nobody_with_it(tmp_path: Path) -> None:
    producer = FakeProducer()

    async with running(tmp_path, [producer], produce_timeout_seconds=PATIENCE_SECONDS) as ingest:
        await until(lambda: ingest.ready)
        gone, staying = accept_all(ingest, range(2))
        await until(lambda: bool(producer.sent))
        gone.cancel()
        await asyncio.wait({gone})
        producer.acknowledge_all()

        assert await staying == "0-1"


async def test_delivery_is_refused_at_the_end_where_nothing_was_acknowledged(tmp_path: Path) -> None:
    producer = FakeProducer()

    async with running(tmp_path, [producer], produce_timeout_seconds=PATIENCE_SECONDS) as ingest:
        with pytest.raises(UnacknowledgedError):
            await ingest.accept(make_delivery())
        await until(lambda: ingest.ready)
        (waiting,) = accept_all(ingest, range(1))
        await until(lambda: bool(producer.sent))

    with pytest.raises(UnacknowledgedError):
        await waiting


async def test_request_that_waits_leaves_before_the_answers_to_the_last_one(tmp_path: Path) -> None:
    producer = FakeProducer(capacity=2)
    sent_when_told: list[int] = []

    async with running(tmp_path, [producer], produce_timeout_seconds=PATIENCE_SECONDS) as ingest:
        await until(lambda: ingest.ready)
        for waiting in accept_all(ingest, range(3)):
            waiting.add_done_callback(lambda _outcome: sent_when_told.append(len(producer.sent)))
        await until(lambda: len(producer.sent) == 1)
        producer.acknowledge_all()
        await until(lambda: len(producer.sent) == 2)
        producer.acknowledge_all()
        await until(lambda: len(sent_when_told) == 3)

    assert sent_when_told == [2, 2, 2]


async def test_end_gives_what_is_under_way_a_moment(tmp_path: Path) -> None:
    producer = FakeProducer()

    async with running(tmp_path, [producer], produce_timeout_seconds=PATIENCE_SECONDS) as ingest:
        await until(lambda: ingest.ready)
        (waiting,) = accept_all(ingest, range(1))
        await until(lambda: bool(producer.sent))
        stopping = asyncio.create_task(ingest.stop())
        await asyncio.sleep(0)
        producer.acknowledge_all()
        await stopping

    assert await waiting == "0-0"


@asynccontextmanager
async def connected(data: Path, bootstrap: str, prefix: str, **settings: Any) -> AsyncIterator[Ingest]:
    ingest = Ingest(make_settings(data, broker=bootstrap, prefix=prefix, **settings))
    await ingest.start()
    try:
        await until(lambda: ingest.ready)
        yield ingest
    finally:
        await ingest.stop()


@pytest.mark.kafka
async def test_accepted_means_stored(tmp_path: Path, kafka: str, prefix: str) -> None:
    await create_topic(kafka, f"{prefix}deliveries", 4)
    bodies = [b"%d" % number for number in range(300)]

    async with connected(tmp_path, kafka, prefix) as ingest:
        ids = await asyncio.gather(*(ingest.accept(make_delivery(body)) for body in bodies))
    stored = await read_all(kafka, f"{prefix}deliveries", 4, set(ids))

    assert {place: delivery.body for place, delivery in stored.items()} == dict(zip(ids, bodies, strict=True))


@pytest.mark.kafka
async def test_largest_delivery_is_stored(tmp_path: Path, kafka: str, prefix: str) -> None:
    await create_topic(kafka, f"{prefix}deliveries", 1)
    largest = Delivery("feed", 1, {"x": "a" * 30_000}, bytes(1 << 20))

    async with connected(tmp_path, kafka, prefix) as ingest:
        place = await ingest.accept(largest)

    assert await read_all(kafka, f"{prefix}deliveries", 1, {place}) == {place: largest}


@pytest.mark.kafka
async def test_topic_that_does_not_exist_yet_is_waited_for(tmp_path: Path, kafka: str, prefix: str) -> None:
    ingest = Ingest(make_settings(tmp_path, broker=kafka, prefix=prefix))
    await ingest.start()
    try:
        await until(lambda: f"{prefix}deliveries" in "".join(ingest.problems()))
        await create_topic(kafka, f"{prefix}deliveries", 2)
        await until(lambda: ingest.ready)

        assert await ingest.accept(make_delivery()) in {"0-0", "1-0"}
    finally:
        await ingest.stop()


@pytest.mark.kafka
async def test_deliveries_are_refused_while_the_broker_is_dead_and_taken_when_it_is_back(
    tmp_path: Path, prefix: str
) -> None:
    broker = LocalBroker(tmp_path / "kafka", die_with_parent=True, short_lived=True)
    await asyncio.to_thread(broker.start)
    try:
        await create_topic(broker.bootstrap, f"{prefix}deliveries", 2)
        async with connected(tmp_path, broker.bootstrap, prefix, produce_timeout_seconds=2.0) as ingest:
            before = await ingest.accept(make_delivery(b"before"))
            await asyncio.to_thread(broker.kill)
            refused = [asyncio.create_task(ingest.accept(make_delivery(b"lost"))) for _ in range(100)]
            outcomes = await asyncio.gather(*refused, return_exceptions=True)
            # Long enough that the producer is given up and built anew.
            await until(
                lambda: "not acknowledge" in "".join(ingest.problems()) or "reached" in "".join(ingest.problems())
            )
            await asyncio.to_thread(broker.start)
            await until(lambda: ingest.ready)
            after = await ingest.accept(make_delivery(b"after"))
        stored = await read_all(broker.bootstrap, f"{prefix}deliveries", 2, {before, after})
    finally:
        await asyncio.to_thread(broker.stop)

    assert {type(outcome) for outcome in outcomes} == {UnacknowledgedError}
    assert (stored[before].body, stored[after].body) == (b"before", b"after")

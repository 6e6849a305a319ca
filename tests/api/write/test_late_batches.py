"""A broker that hangs, or waits for one: what is late holds up nobody else, and who waits is answered in time."""

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiokafka.errors import MessageSizeTooLargeError, OutOfOrderSequenceNumber

from api.write.refusals import BacklogFullError, UnacknowledgedError
from tests.api.write.clock import on_a_clock_of_its_own
from tests.api.write.producers import (
    PATIENCE_SECONDS,
    SHORT_SECONDS,
    FakeProducer,
    accept_all,
    bodies,
    is_connected,
    make_delivery,
    running,
    until,
)


@on_a_clock_of_its_own
async def test_without_acknowledgement_it_is_refused_and_then_all_but_a_few_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.write.producer_session.KNOCKERS", 2)
    producer = FakeProducer(leaders=1)

    async with running(tmp_path, [producer]) as ingest:
        await until(lambda: ingest.ready)
        with pytest.raises(UnacknowledgedError):
            await ingest.accept(make_delivery())
        assert not ingest.ready
        waiting = accept_all(ingest, range(5))
        await asyncio.sleep(0.01)
        refused = [each for each in waiting if each.done()]
        producer.acknowledge_all()

        assert len(refused) == 3
        assert {type(each.exception()) for each in refused} == {UnacknowledgedError}
        await until(lambda: len(producer.sent) == 2)
        producer.acknowledge_all()
        assert len(await asyncio.gather(*(each for each in waiting if each not in refused))) == 2
        assert ingest.ready


@on_a_clock_of_its_own
async def test_behind_a_late_batch_the_next_goes_to_another_leader(tmp_path: Path) -> None:
    producer = FakeProducer(leaders=2)  # of 0 and 2 the one, of 1 and 3 the other

    async with running(tmp_path, [producer], produce_timeout_seconds=PATIENCE_SECONDS / 100) as ingest:
        await until(lambda: ingest.ready)
        (first,) = accept_all(ingest, range(1))
        await until(lambda: len(producer.sent) == 1)
        (second,) = accept_all(ingest, range(1, 2))
        await until(lambda: len(producer.sent) == 2)
        (third,) = accept_all(ingest, range(2, 3))
        partitions = [partition for partition, *_ in producer.sent]
        producer.sent[1][2].set_result(SimpleNamespace(partition=1, offset=7))
        assert await second == "1-7"
        await until(lambda: len(producer.sent) == 3)
        producer.sent[2][2].set_result(SimpleNamespace(partition=3, offset=8))
        assert await third == "3-8"
        assert ingest.ready
        with pytest.raises(UnacknowledgedError):
            await first
        # That one hangs is no reason to send people away.
        assert ingest.ready

    assert partitions == [0, 1]
    assert [partition for partition, *_ in producer.sent] == [0, 1, 3]


@on_a_clock_of_its_own
async def test_producer_of_which_one_leader_hangs_is_kept_though_little_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.write.producer_session._USELESS", 1.5)
    producer = FakeProducer()

    async with running(tmp_path, [producer]) as ingest:
        await until(lambda: ingest.ready)
        (hung,) = accept_all(ingest, range(1))
        await until(lambda: ingest._session is not None and bool(ingest._session._late))
        (taken,) = accept_all(ingest, range(1))
        await until(lambda: len(producer.sent) == 2)
        producer.sent[1][2].set_result(SimpleNamespace(partition=1, offset=0))
        assert await taken == "1-0"
        with pytest.raises(UnacknowledgedError):
            await hung
        session = ingest._session
        await asyncio.sleep(3 * SHORT_SECONDS)

        assert ingest.ready
        assert ingest._session is session
        assert not producer.is_closed


@on_a_clock_of_its_own
async def test_where_all_leaders_are_late_what_waits_goes_to_the_first_that_answers(tmp_path: Path) -> None:
    producer = FakeProducer(partitions=2)

    async with running(tmp_path, [producer], produce_timeout_seconds=3.0) as ingest:
        await until(lambda: ingest.ready)
        waiting = []
        for count in (1, 2):
            waiting += accept_all(ingest, range(1))
            await until(lambda count=count: len(producer.sent) == count)  # type: ignore[misc]
        waiting += accept_all(ingest, range(2, 4))
        await until(lambda: ingest._session is not None and len(ingest._session._late) == 2)
        assert len(producer.sent) == 2
        producer.sent[1][2].set_result(SimpleNamespace(partition=1, offset=0))
        await until(lambda: len(producer.sent) == 3)
        producer.sent[2][2].set_result(SimpleNamespace(partition=1, offset=1))

        assert await asyncio.gather(*waiting[1:]) == ["1-0", "1-1", "1-2"]
        # The late one is still good for whoever waits.
        producer.sent[0][2].set_result(SimpleNamespace(partition=0, offset=0))
        assert await waiting[0] == "0-0"


@on_a_clock_of_its_own
async def test_everybody_is_refused_after_a_time_of_their_own(tmp_path: Path) -> None:
    producer, ends = FakeProducer(leaders=1), list[float]()
    now = asyncio.get_running_loop().time

    async with running(tmp_path, [producer]) as ingest:
        await until(lambda: ingest.ready)
        waiting, began = [], list[float]()
        for number in range(3):
            began.append(now())
            (task,) = accept_all(ingest, range(number, number + 1))
            task.add_done_callback(lambda _: ends.append(now()))
            waiting.append(task)
            await asyncio.sleep(SHORT_SECONDS / 4)
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} == {UnacknowledgedError}
    assert all(end - start >= SHORT_SECONDS for start, end in zip(began, ends, strict=True))
    assert bodies(producer) == [[b"0"]]  # what waited behind it was never sent


@on_a_clock_of_its_own
async def test_late_batch_that_fails_for_good_ends_the_producer(tmp_path: Path) -> None:
    broken, whole = FakeProducer(), FakeProducer(is_prompt=True)

    async with running(tmp_path, [broken, whole], produce_timeout_seconds=2.0) as ingest:
        await until(lambda: ingest.ready)
        (accepting,) = accept_all(ingest, range(1))
        await until(lambda: ingest._session is not None and bool(ingest._session._late))
        broken.sent[0][2].set_exception(OutOfOrderSequenceNumber())
        with pytest.raises(UnacknowledgedError):
            await accepting
        await until(lambda: ingest.ready and broken.is_closed)

        assert await ingest.accept(make_delivery()) == "0-0"


@on_a_clock_of_its_own
async def test_what_is_too_large_behind_a_late_batch_refuses_nobody_else(tmp_path: Path) -> None:
    first, *rest = producers = [FakeProducer(leaders=2), *[FakeProducer(is_prompt=True) for _ in range(3)]]

    async with running(tmp_path, producers, produce_timeout_seconds=PATIENCE_SECONDS / 20) as ingest:
        await until(lambda: ingest.ready)
        (late,) = accept_all(ingest, range(1))
        await until(lambda: ingest._session is not None and bool(ingest._session._late))
        (neighbour, large) = accept_all(ingest, range(1, 3))
        await until(lambda: len(first.sent) == 2)
        first.sent[1][2].set_exception(MessageSizeTooLargeError())
        assert all(await asyncio.gather(neighbour, large))
        assert not first.is_closed
        first.sent[0][2].set_result(SimpleNamespace(partition=0, offset=7))
        assert await late == "0-7"
        await until(lambda: first.is_closed)

        assert ingest.ready
        assert bodies(rest[0]) == [[b"1"], [b"2"]]
        assert not rest[1].sent


@on_a_clock_of_its_own
async def test_what_becomes_of_a_producer_that_was_left_says_nothing_of_the_next(tmp_path: Path) -> None:
    left, second = producers = [FakeProducer(leaders=2), FakeProducer(is_prompt=True)]

    async with running(tmp_path, producers, produce_timeout_seconds=PATIENCE_SECONDS / 20) as ingest:
        await until(lambda: ingest.ready)
        (late,) = accept_all(ingest, range(1))
        await until(lambda: ingest._session is not None and bool(ingest._session._late))
        (large,) = accept_all(ingest, range(1, 2))
        await until(lambda: len(left.sent) == 2)
        left.sent[1][2].set_exception(MessageSizeTooLargeError())
        with pytest.raises(UnacknowledgedError):
            await large
        await until(lambda: ingest._session is not None and ingest._session._producer is second)
        left.sent[0][2].set_exception(OutOfOrderSequenceNumber())

        assert await late == "2-0"
        await until(lambda: left.is_closed)
        assert ingest.ready
        assert not second.is_closed


@on_a_clock_of_its_own
async def test_producer_that_is_being_made_at_the_end_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = producers = [FakeProducer(largest=10), FakeProducer()]
    begun = asyncio.Event()

    async def slowly() -> None:
        begun.set()
        await asyncio.sleep(SHORT_SECONDS)

    monkeypatch.setattr(second, "start", slowly)
    async with running(tmp_path, producers, produce_timeout_seconds=PATIENCE_SECONDS) as ingest:
        await until(lambda: ingest.ready)
        (large,) = accept_all(ingest, range(1))
        await begun.wait()

    assert isinstance((await asyncio.gather(large, return_exceptions=True))[0], UnacknowledgedError)
    assert first.is_closed
    assert second.is_closed


@on_a_clock_of_its_own
async def test_late_batch_that_is_too_large_is_sent_again_one_by_one(tmp_path: Path) -> None:
    first, *rest = producers = [FakeProducer(), *[FakeProducer(largest=600) for _ in range(4)]]

    async with running(tmp_path, producers, produce_timeout_seconds=PATIENCE_SECONDS / 20) as ingest:
        await until(lambda: ingest.ready)
        together = [asyncio.create_task(ingest.accept(make_delivery(body))) for body in (b"a", b"x" * 1000, b"b", b"c")]
        await until(lambda: ingest._session is not None and bool(ingest._session._late))
        (other,) = accept_all(ingest, range(1))
        await until(lambda: len(first.sent) == 2)
        first.sent[0][2].set_exception(MessageSizeTooLargeError())
        await asyncio.sleep(0.05)
        assert not other.done()
        first.sent[1][2].set_result(SimpleNamespace(partition=1, offset=7))
        assert await other == "1-7"
        small, large, *more = await asyncio.gather(*together, return_exceptions=True)

        assert isinstance(large, UnacknowledgedError)
        assert "max.message.bytes" in str(large)
        assert all(isinstance(each, str) for each in (small, *more))
        assert ingest.ready
    assert [body for producer in rest for each in bodies(producer) for body in each] == [b"a", b"x" * 1000, b"b", b"c"]
    assert all(producer.is_closed for producer in producers if producer.sent)


@on_a_clock_of_its_own
async def test_after_a_stall_it_is_ready_once_something_is_acknowledged_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.write.ingest.DOUBT_SECONDS", 3600.0)
    monkeypatch.setattr("api.write.producer_session._USELESS", 1.5)
    hung, whole = FakeProducer(), FakeProducer(is_prompt=True)

    async with running(tmp_path, [hung, whole]) as ingest:
        await until(lambda: ingest.ready)
        with pytest.raises(UnacknowledgedError):
            await ingest.accept(make_delivery())
        assert ingest.problems() == ["webhooks are not taken: Kafka does not acknowledge"]
        await until(lambda: is_connected(ingest) and hung.is_closed)

        assert not ingest.ready  # it is connected to like any other

        await ingest.accept(make_delivery())
        assert ingest.ready


@on_a_clock_of_its_own
async def test_producer_that_seems_useless_stays_until_there_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.write.producer_session._USELESS", 1.5)
    hung, silent, begun = FakeProducer(leaders=1), FakeProducer(), asyncio.Event()

    async def never() -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(silent, "start", never)
    async with running(tmp_path, [hung, silent]) as ingest:
        await until(lambda: ingest.ready)
        with pytest.raises(UnacknowledgedError):
            await ingest.accept(make_delivery())
        await asyncio.wait_for(begun.wait(), PATIENCE_SECONDS)
        (knocking,) = accept_all(ingest, range(1))
        await asyncio.sleep(0)
        hung.acknowledge_all()
        await until(lambda: len(hung.sent) == 2)
        hung.acknowledge_all()

        assert await knocking == "1-1"
        assert not hung.is_closed


@on_a_clock_of_its_own
async def test_what_a_stalled_producer_holds_counts_until_it_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.write.producer_session._USELESS", 1.5)
    stalled, fresh = FakeProducer(), FakeProducer(is_prompt=True)

    async with running(tmp_path, [stalled, fresh], max_in_flight_deliveries=2) as ingest:
        await until(lambda: ingest.ready)
        refused = [asyncio.create_task(ingest.accept(make_delivery())) for _ in range(3)]
        outcomes = await asyncio.gather(*refused, return_exceptions=True)
        with pytest.raises(BacklogFullError):
            await ingest.accept(make_delivery())
        await until(lambda: is_connected(ingest) and stalled.is_closed and not ingest._dropping)
        accepted = [asyncio.create_task(ingest.accept(make_delivery())) for _ in range(2)]

        assert [type(outcome) for outcome in outcomes] == [UnacknowledgedError, UnacknowledgedError, BacklogFullError]
        assert await asyncio.gather(*accepted) == ["0-0", "0-1"]

"""A worker ends itself, with words, where its topics contradict what its shards have read and written."""

from collections.abc import Collection, Mapping
from typing import NoReturn

import pytest
from aiokafka.errors import KafkaConnectionError

from processor.transport.fail_stop import FAILED
from processor.transport.log_watch import LogWatch, WatchedPartition
from schemas.log_marks import ClusterFacts, EpochAsked, EpochEnd, LogMark, TopicFacts

NAME = "t.g1.ledger"


class EndedError(Exception):
    """The process ended."""


def end(code: int, why: str, *, error: BaseException | None = None) -> NoReturn:
    assert code == FAILED
    raise EndedError(why)


class Cluster:
    """One topic of one partition, as Kafka tells of it."""

    def __init__(self) -> None:
        self.id = b"one"
        self.is_there = True
        self.partitions = 1
        self.epoch = 0
        self.ended: dict[int, int] = {}
        self.end = 0
        self.failures = 0

    async def topics(self, names: Collection[str]) -> ClusterFacts:
        if self.failures:
            self.failures -= 1
            raise KafkaConnectionError
        epochs = dict.fromkeys(range(self.partitions), self.epoch)
        return ClusterFacts({NAME: TopicFacts(self.id, epochs)} if self.is_there else {})

    async def ends(self, asked: Collection[EpochAsked]) -> Mapping[EpochAsked, EpochEnd]:
        return {each: EpochEnd(each[1], self.ended.get(each[1], self.end)) for each in asked}

    async def close(self) -> None:
        """Nothing is open."""

    def elect(self, keeps: int) -> None:
        self.ended[self.epoch] = self.end = keeps
        self.epoch += 1


class Bench:
    def __init__(self) -> None:
        self.cluster = Cluster()
        self.told = self.doubted = 0
        self.watch = LogWatch(self.cluster, {NAME: 1}, doubt=self._doubt, die=end)
        self.offset = 0

    def followed(self, *, can_be_made_anew: bool = False) -> WatchedPartition:
        def tell() -> None:
            self.told += 1

        return WatchedPartition((NAME, 0), lambda: self.offset, can_be_made_anew=can_be_made_anew, on_new_mark=tell)

    def _doubt(self) -> None:
        self.doubted += 1

    async def write(self, count: int) -> None:
        self.offset += count
        self.cluster.end += count
        await self.watch.look()


async def test_marks_follow_what_is_written_and_are_told_once_a_look() -> None:
    bench = Bench()
    followed = bench.followed()
    await bench.watch.begin([followed], {})

    await bench.write(10)
    await bench.watch.look()

    assert followed.mark == LogMark(b"one", 0, 10)
    assert (bench.told, bench.doubted) == (1, 0)


async def test_a_tail_that_is_lost_ends_the_worker_and_names_the_replay() -> None:
    bench = Bench()
    await bench.watch.begin([bench.followed()], {})
    await bench.write(10)

    bench.cluster.elect(keeps=4)
    bench.cluster.end = 500

    with pytest.raises(EndedError, match=r"ledger\[0\] was read up to offset 10.*floorcast replay"):
        await bench.watch.look()


async def test_what_can_be_made_anew_ends_the_worker_and_needs_nobody() -> None:
    bench = Bench()
    await bench.watch.begin([bench.followed(can_be_made_anew=True)], {})

    bench.cluster.id = b"two"

    with pytest.raises(EndedError, match="publishes it anew"):
        await bench.watch.look()


async def test_a_topic_that_a_broker_does_not_know_for_a_moment_is_not_missed() -> None:
    bench = Bench()
    await bench.watch.begin([bench.followed()], {})

    bench.cluster.is_there = False
    await bench.watch.look()
    bench.cluster.is_there = True
    await bench.watch.look()
    bench.cluster.is_there = False
    await bench.watch.look()

    with pytest.raises(EndedError, match="ledger is missing: floorcast topics creates it"):
        await bench.watch.look()


async def test_what_an_earlier_owner_left_is_compared_before_anything_is_believed() -> None:
    bench = Bench()
    bench.cluster.elect(keeps=34)
    bench.cluster.end = 200

    with pytest.raises(EndedError, match="lost its tail from 34 on"):
        await bench.watch.begin([bench.followed()], {(NAME, 0): LogMark(b"one", 0, 100)})
    assert bench.doubted == 1


async def test_a_beginning_waits_for_kafka() -> None:
    bench = Bench()
    bench.cluster.failures = 2

    await bench.watch.begin([bench.followed()], {})

    assert bench.cluster.failures == 0


async def test_what_was_left_is_watched_no_more() -> None:
    bench = Bench()
    followed = bench.followed()
    await bench.watch.begin([followed], {})
    await bench.write(10)

    bench.watch.leave(followed)
    bench.cluster.id = b"two"

    await bench.watch.look()

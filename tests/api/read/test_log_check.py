"""The api does not believe what lies on the broker: what it says, and when it reads its view anew."""

import asyncio
from collections.abc import Callable, Collection, Mapping

import pytest

from api.read.log_check import LogCheck, ReadSoFar
from schemas.generations import first_generation, wanted_of
from schemas.instants import DAY
from schemas.log_marks import ClusterFacts, EpochAsked, EpochEnd, LogMark, Place, TopicFacts
from schemas.progress import Progress
from schemas.topics import DELIVERIES, LEDGER, PANES, TOPICS

_PATIENCE_SECONDS = 60.0
PREFIX = "t."
SERVED = first_generation(1)
LOG = DELIVERIES.full_name(PREFIX)
VIEWED = PANES.full_name(PREFIX)


class Cluster:
    """Every topic of the catalogue; each partition ends at 100 until a test says otherwise."""

    def __init__(self) -> None:
        self.ids = {name: name.encode() for name in wanted_of(PREFIX, SERVED)}
        self.partitions = dict(wanted_of(PREFIX, SERVED))
        self.end: dict[Place, int] = {}
        self.changed: dict[str, dict[str, str]] = {}
        self.on_ends: Callable[[], object] = lambda: None

    async def topics(self, names: Collection[str]) -> ClusterFacts:
        return ClusterFacts(
            {
                name: TopicFacts(self.ids[name], dict.fromkeys(range(self.partitions[name]), 0))
                for name in names
                if name in self.ids
            }
        )

    async def ends(self, asked: Collection[EpochAsked]) -> Mapping[EpochAsked, EpochEnd]:
        self.on_ends()
        return {each: EpochEnd(each[1], self.end.get(each[0], 100)) for each in asked}

    async def settings(self, names: Collection[str]) -> Mapping[str, Mapping[str, str | None]]:
        kept = {topic.full_name(PREFIX): topic.settings(DAY) for topic in TOPICS}
        return {name: dict(kept[name]) | self.changed.get(name, {}) for name in names}

    async def close(self) -> None:
        """Nothing is open."""


class Bench:
    def __init__(self) -> None:
        self.cluster = Cluster()
        self.now = 7_000_000
        self.anew = 0
        self.view: object = "first"
        self.is_whole = True
        self.progress: dict[tuple[str, int], Progress] = {}
        self.positions: dict[Place, int] = {(VIEWED, 0): 90}
        self.check = LogCheck(
            self.cluster,
            prefix=PREFIX,
            reading=lambda: ReadSoFar(self.view, SERVED, self.positions, self.progress, self.is_whole),
            on_lost=self.lose,
            clock=lambda: self.now,
        )

    def lose(self) -> None:
        self.anew += 1

    async def looks(self, count: int = 2) -> list[str]:
        for _ in range(count):
            await self.check.look()
        return list(self.check.problems())


async def test_nothing_is_believed_before_the_first_look() -> None:
    bench = Bench()

    assert not bench.check.has_looked
    assert await bench.looks() == []
    assert bench.check.has_looked
    assert bench.check.doubted_since is None


async def test_a_look_at_what_is_not_loaded_yet_does_not_do() -> None:
    """What stages say of their topics is read with the view: an api was ready for a moment on a log without its end."""
    bench = Bench()
    bench.is_whole = False
    assert await bench.looks() == []
    assert not bench.check.has_looked

    bench.is_whole = True
    bench.progress["normalise", 0] = Progress(100, marks={"deliveries": LogMark(LOG.encode(), 0, 100)})
    bench.cluster.end[LOG, 0] = 34
    problems = await bench.looks()

    assert bench.check.has_looked
    assert [line for line in problems if "has lost its tail from 34 on" in line]


async def test_a_stage_that_has_read_more_than_there_is_is_named_and_the_doubt_is_dated() -> None:
    bench = Bench()
    bench.progress["normalise", 0] = Progress(100, marks={"deliveries": LogMark(LOG.encode(), 0, 100)})
    assert await bench.looks() == []

    bench.cluster.end[LOG, 0] = 34

    assert await bench.looks(1) == [
        "t.deliveries[0] was read up to offset 100 and has lost its tail from 34 on: "
        "floorcast replay makes all numbers anew"
    ]
    assert bench.check.doubted_since == bench.now
    assert bench.check.ingest_problems() == []
    assert bench.anew == 0


async def test_a_topic_that_the_view_was_read_from_is_read_anew() -> None:
    bench = Bench()
    await bench.looks()

    bench.cluster.ids[VIEWED] = b"another"

    assert await bench.looks(1) == [
        "topic t.g1.panes was deleted and made anew since it was read: the view is read anew"
    ]
    assert bench.anew == 1
    bench.view = "second"
    assert await bench.looks(1) == []


async def test_a_view_that_is_ahead_of_its_topic_is_read_anew() -> None:
    bench = Bench()
    bench.positions[VIEWED, 0] = 101

    assert "up to offset 101 and ends at 100" in (await bench.looks(1))[0]
    assert bench.anew == 1


async def test_numbers_are_doubted_until_the_worker_has_published_into_the_new_topic() -> None:
    bench = Bench()
    bench.positions = {}
    bench.progress["ledger", 0] = Progress(5, marks={"panes": LogMark(b"the one that is gone", 0, 7)})

    assert await bench.looks(1) == [
        "topic t.g1.panes was deleted and made anew since it was read: its worker publishes it anew"
    ]
    bench.progress["ledger", 0] = Progress(5, marks={"panes": LogMark(VIEWED.encode(), 0, 7)})
    assert await bench.looks(1) == []


async def test_records_that_are_made_anew_need_a_replay() -> None:
    bench = Bench()
    bench.progress["ledger", 0] = Progress(5, marks={"ledger": LogMark(b"the one that is gone", 0, 7)})

    assert LEDGER.full_name(PREFIX) in (found := (await bench.looks(1))[0])
    assert found.endswith("floorcast replay makes all numbers anew")


async def test_webhooks_are_refused_only_where_their_own_topic_is_gone() -> None:
    bench = Bench()
    await bench.looks()
    del bench.cluster.ids[VIEWED]
    assert await bench.looks() == ["topic t.g1.panes is missing: floorcast topics creates it"]
    assert bench.check.ingest_problems() == []

    del bench.cluster.ids[LOG]
    await bench.looks()

    assert bench.check.ingest_problems() == ["topic t.deliveries is missing: floorcast topics creates it"]


async def test_partitions_that_were_added_are_named() -> None:
    bench = Bench()
    bench.cluster.partitions[LOG] = 3

    assert await bench.looks() == [
        "topic t.deliveries has 3 partitions and not 1: floorcast replay --partitions 3 takes them in"
    ]


async def test_settings_by_which_numbers_go_wrong_are_named() -> None:
    bench = Bench()
    bench.cluster.changed = {LOG: {"cleanup.policy": "compact"}, VIEWED: {"max.message.bytes": "1000"}}

    assert await bench.looks(1) == [
        "topic t.deliveries: cleanup.policy is compact, wanted delete",
        "topic t.g1.panes: max.message.bytes is 1000, wanted 2162688 (floorcast topics --alter sets it)",
    ]


async def test_settings_that_were_mended_are_seen_at_the_next_look() -> None:
    bench = Bench()
    bench.cluster.changed = {LOG: {"cleanup.policy": "compact"}}
    assert await bench.looks(1)

    bench.cluster.changed = {}

    assert await bench.looks(1) == []


async def test_what_was_right_stays_so_while_another_generation_is_looked_at() -> None:
    bench = Bench()
    await bench.looks()

    bench.check.look_soon()

    assert bench.check.has_looked


async def test_a_look_that_fails_is_told_and_the_next_one_may_mend_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.read.log_check.LOOK_SECONDS", 0.0)
    bench = Bench()
    bench.cluster.changed = {LOG: {"max.message.bytes": "very large"}}
    await bench.check.start()
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not bench.check.problems():
            await asyncio.sleep(0)

        assert bench.check.problems() == ["Kafka's topics cannot be looked at (ValueError); the log says why"]
        bench.cluster.changed = {}
        while bench.check.problems():
            await asyncio.sleep(0)
    await bench.check.stop()


async def test_another_generation_is_judged_once_it_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.read.log_check.LOOK_SECONDS", 3600.0)
    bench = Bench()
    looked = asyncio.Event()
    bench.cluster.on_ends = looked.set
    await bench.check.start()
    bench.cluster.changed = {LOG: {"cleanup.policy": "compact"}}
    await looked.wait()
    while not bench.check.problems():
        await asyncio.sleep(0)
    looked.clear()

    bench.check.look_soon()

    assert not bench.check.has_looked
    assert bench.check.problems() == []  # they were of the one before
    async with asyncio.timeout(_PATIENCE_SECONDS):
        await looked.wait()
        while not bench.check.problems():
            await asyncio.sleep(0)
    await bench.check.stop()

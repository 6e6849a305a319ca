import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

import pytest

from processor.agents import watermark
from processor.agents.watermark import Watermark
from processor.transport.following import Follower
from schemas.progress import Progress, encode_progress, progress_key
from schemas.topics import DELIVERIES, ENGAGEMENTS, PROGRESS, RECORD_CHANGES, Topic
from tests.processor.agents.test_checkpoints import PLACE, Record


class Log(Follower):
    """Topics of one partition, in place of Kafka."""

    def __init__(self) -> None:
        self.end_of = {PLACE.topic(topic): 0 for topic in (DELIVERIES, RECORD_CHANGES, ENGAGEMENTS)}
        self.told: list[Record] = []
        self.positions = {0: 0}
        self.asked = 0

    def follow(self, _bootstrap: object, topic: str) -> Follower:
        assert topic == PLACE.topic(PROGRESS)
        return self

    async def __aenter__(self) -> Self:
        self.positions = {0: 0}
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Nothing is open."""

    async def ends_of(self, topics: Sequence[str]) -> list[dict[int, int]]:
        self.asked += 1
        await asyncio.sleep(0)
        return [{0: self.end_of.get(topic, len(self.told))} for topic in topics]

    async def ends(self, topic: str | None = None) -> dict[int, int]:
        (found,) = await self.ends_of([topic or PLACE.topic(PROGRESS)])
        return found

    async def read_to(self, ends: Mapping[int, int], apply: Callable[[int, list[Any]], None]) -> None:
        came = self.told[self.positions[0] : ends[0]]
        self.positions = {0: ends[0]}
        apply(0, came)

    def write(self, topic: Topic) -> None:
        self.end_of[PLACE.topic(topic)] += 1

    def tell(self, stage: str, offset: int) -> None:
        self.told.append(Record(0, progress_key(stage, 0), encode_progress(Progress(offset))))


class Floor:
    def __init__(self) -> None:
        self.log = Log()
        self.now = 0
        self.watermark = Watermark(PLACE, self.clock, follow=self.log.follow)

    def clock(self) -> int:
        self.now += 1
        return self.now

    async def rounds(self, count: int) -> None:
        began = self.now
        async with asyncio.timeout(60):
            while self.now < began + count:
                await asyncio.sleep(0)

    def do_all(self) -> None:
        for stage, topic in (("normalise", DELIVERIES), ("ledger", RECORD_CHANGES), ("responses", ENGAGEMENTS)):
            self.log.tell(stage, self.log.end_of[PLACE.topic(topic)])


@pytest.fixture
async def floor(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Floor]:
    monkeypatch.setattr(watermark, "BETWEEN_ROUNDS_SECONDS", 0)
    monkeypatch.setattr(watermark, "BETWEEN_LOOKS_SECONDS", 0)
    floor = Floor()
    async with running(floor):
        yield floor


@asynccontextmanager
async def running(floor: Floor) -> AsyncIterator[None]:
    floor.watermark.begin()
    try:
        yield
    finally:
        await floor.watermark.end()


async def test_a_floor_at_rest_is_asked_once_a_round_and_time_goes_on(floor: Floor) -> None:
    floor.log.write(DELIVERIES)
    floor.do_all()
    await floor.rounds(3)
    asked, settled_at, began = floor.log.asked, floor.watermark.settled_at, floor.now

    await floor.rounds(100)

    assert floor.log.asked - asked <= floor.now - began + 1
    assert floor.watermark.settled_at >= settled_at + 99


@pytest.mark.parametrize(
    ("topic", "stage"), [(DELIVERIES, "normalise"), (RECORD_CHANGES, "ledger"), (ENGAGEMENTS, "responses")]
)
async def test_nothing_is_settled_while_a_stage_has_not_done_what_came(floor: Floor, topic: Topic, stage: str) -> None:
    floor.do_all()
    await floor.rounds(10)
    floor.log.write(topic)
    written_at = floor.now
    for _ in range(200):
        await asyncio.sleep(0)

    assert floor.watermark.settled_at <= written_at

    floor.log.tell(stage, 1)
    await floor.rounds(3)
    assert floor.watermark.settled_at > written_at


async def test_whoever_derives_by_other_definitions_is_heard_of_at_rest(floor: Floor) -> None:
    floor.do_all()
    await floor.rounds(10)
    assert floor.watermark.is_current
    other = encode_progress(Progress(0, definitions="others"))
    floor.log.told.append(Record(0, progress_key("ledger", 0), other))
    await floor.rounds(3)

    assert not floor.watermark.is_current


async def test_what_was_not_waited_for_to_the_end_is_asked_for_again(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Patience came to an end, and all is counted as known: but the stage is not done, and is asked for each round."""
    monkeypatch.setattr(watermark, "PATIENCE_SECONDS", -1)
    floor.log.write(DELIVERIES)
    await floor.rounds(10)
    asked, began = floor.log.asked, floor.now
    await floor.rounds(10)

    assert floor.log.asked - asked >= 5 * (floor.now - began - 1)

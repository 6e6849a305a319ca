"""The life of shards, with shards that do nothing but remember."""

import asyncio
import gc
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

import pytest

from processor.transport import shards
from processor.transport.fail_stop import FAILED
from processor.transport.fetched import Fetched
from processor.transport.shards import Capture, LiveShards

TOPIC = "deliveries"


class DiedError(Exception):
    """The process would have ended."""


def raise_instead(code: int, why: str, *, error: BaseException | None = None) -> NoReturn:
    msg = f"{code}: {why}"
    raise DiedError(msg) from error


@dataclass
class FakeRecord:
    offset: int
    topic: str = TOPIC
    partition: int = 0
    timestamp: int = 0
    key: bytes | None = None
    value: bytes | None = None


class FakeShard:
    """Remembers what it was asked to do. `gate` holds back whatever runs, until it is set."""

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.running = 0
        self.read = 0
        self.written: Capture | None = None
        """What writes down what it holds."""

    @property
    def owner(self) -> "FakeShard":
        return self

    def resume(self, offset: int) -> None:
        pass

    async def suspend(self) -> None:
        pass

    def capture(self, *, is_last: bool) -> Capture | None:
        return self.written

    async def load(self) -> None:
        await self._do("load")

    async def process(self, records: list[Fetched]) -> None:
        await self._do(f"process {records[0].offset}..{records[-1].offset}")

    async def tick(self, now: int) -> None:
        await self._do(f"tick {now}")

    async def renew(self) -> None:
        await self._do("renew")

    async def prove(self) -> None:
        await self._do("prove")

    async def close(self) -> None:
        await self._do("close")

    async def _do(self, what: str) -> None:
        assert self.running == 0
        self.running += 1
        try:
            self.asked.append(what)
            await self.gate.wait()
        finally:
            self.running -= 1


class Bench:
    """Live shards of one stage, and every shard that was ever made."""

    def __init__(self) -> None:
        self.made: list[FakeShard] = []
        self.hold = False
        """Whether shards are made with a closed gate."""
        self.live = LiveShards({TOPIC: self._make}, die=raise_instead)

    def _make(self, partition: int) -> FakeShard:
        shard = FakeShard(partition)
        if self.hold:
            shard.gate.clear()
        self.made.append(shard)
        return shard

    def release(self) -> None:
        self.hold = False
        for shard in self.made:
            shard.gate.set()

    async def assign(self, *partitions: int) -> None:
        await self.live.assign([(TOPIC, partition) for partition in partitions])

    async def process(self, first: int, last: int) -> None:
        await self.live.process((TOPIC, 0), [FakeRecord(offset) for offset in range(first, last + 1)])


async def until(right: Callable[[], bool]) -> None:
    """Let the loop turn until it is so."""
    for _ in range(1000):
        if right():
            return
        await asyncio.sleep(0)
    pytest.fail("it never came to it")


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_a_kept_shard_is_proved_and_not_loaded_again(bench: Bench) -> None:
    await bench.assign(0, 1)
    await bench.assign(0, 2)

    assert [(shard.partition, shard.asked) for shard in bench.made] == [
        (0, ["load", "prove"]),
        (1, ["load", "close"]),
        (2, ["load"]),
    ]
    assert bench.live.ready


async def test_a_partition_that_comes_back_gets_a_new_shard(bench: Bench) -> None:
    await bench.assign(0)
    await bench.assign()
    await bench.assign(0)

    assert [shard.asked for shard in bench.made] == [["load", "close"], ["load"]]


async def test_what_was_cancelled_in_the_middle_of_a_batch_is_not_kept(bench: Bench) -> None:
    await bench.assign(0)
    bench.made[0].gate.clear()
    batch = asyncio.create_task(bench.process(0, 4))
    await asyncio.sleep(0)
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch
    bench.made[0].gate.set()
    await bench.assign(0)

    assert [shard.asked for shard in bench.made] == [["load", "process 0..4", "close"], ["load"]]


async def test_a_load_overtaken_by_the_next_rebalance_begins_again(bench: Bench) -> None:
    await bench.assign(1)
    bench.hold = True
    overtaken = asyncio.create_task(bench.assign(0, 1))
    await until(lambda: len(bench.made) == 2 and bench.made[1].running == 1)
    overtaken.cancel()
    bench.release()
    await bench.assign(0, 1)

    assert [(shard.partition, shard.asked) for shard in bench.made[1:]] == [(0, ["load", "close"]), (0, ["load"])]


async def test_steps_change_with_each_load_and_within_a_long_one(bench: Bench) -> None:
    seen = [bench.live.steps]
    bench.hold = True
    assignment = asyncio.create_task(bench.assign(0))
    await until(lambda: bench.made != [] and bench.made[0].running == 1)
    seen.append(bench.live.steps)
    bench.made[0].read += 1000
    seen.append(bench.live.steps)
    bench.release()
    await assignment
    seen.append(bench.live.steps)
    await bench.assign(0)  # proved
    seen.append(bench.live.steps)

    assert seen == [0, 0, 1000, 1001, 1002]


async def test_loads_run_together(bench: Bench) -> None:
    bench.hold = True
    assignment = asyncio.create_task(bench.assign(0, 1, 2))
    await until(lambda: [shard.running for shard in bench.made] == [1, 1, 1])

    assert not bench.live.ready
    bench.release()
    await assignment
    assert bench.live.ready


async def test_done_follows_the_batches_and_forgets_lost_partitions(bench: Bench) -> None:
    await bench.assign(0, 1)
    bench.live.sought((TOPIC, 0), 10)
    bench.live.sought((TOPIC, 1), 3)
    await bench.process(10, 19)
    await bench.assign(0)

    assert bench.live.done == {(TOPIC, 0): 20}


async def test_a_batch_that_comes_again_is_processed_again(bench: Bench) -> None:
    await bench.assign(0)
    await bench.process(0, 9)
    await bench.process(5, 12)

    assert bench.made[0].asked == ["load", "process 0..9", "process 5..12"]


async def test_a_gap_ends_the_process(bench: Bench) -> None:
    await bench.assign(0)
    await bench.process(0, 9)

    with pytest.raises(DiedError, match=rf"{FAILED}: deliveries\[0\]: a gap, offset 10 was due and 11 came"):
        await bench.process(11, 12)


async def test_a_batch_of_a_partition_that_is_not_ours_ends_the_process(bench: Bench) -> None:
    with pytest.raises(DiedError, match="not loaded"):
        await bench.process(0, 1)


async def test_a_tick_waits_for_the_batch_of_its_shard_only(bench: Bench) -> None:
    await bench.assign(0, 1)
    bench.made[0].gate.clear()
    batch = asyncio.create_task(bench.process(0, 4))
    await asyncio.sleep(0)
    tick = asyncio.create_task(bench.live.tick(7))
    await until(lambda: bench.made[1].asked == ["load", "tick 7"])

    assert bench.made[0].asked == ["load", "process 0..4"]
    bench.made[0].gate.set()
    await batch
    await tick
    assert bench.made[0].asked == ["load", "process 0..4", "tick 7"]


async def test_during_a_rebalance_nothing_ticks_or_is_renewed(bench: Bench) -> None:
    await bench.assign(0)
    await bench.live.suspend()
    await bench.live.tick(7)
    await bench.live.renew()

    assert bench.made[0].asked == ["load"]
    assert not bench.live.ready


async def test_a_rebalance_waits_for_a_tick_in_progress(bench: Bench) -> None:
    await bench.assign(0)
    bench.made[0].gate.clear()
    tick = asyncio.create_task(bench.live.tick(7))
    await until(lambda: bench.made[0].asked == ["load", "tick 7"])
    suspension = asyncio.create_task(bench.live.suspend())
    await asyncio.sleep(0)

    assert not suspension.done()
    bench.made[0].gate.set()
    await suspension
    assert bench.made[0].running == 0
    await tick


async def test_the_end_waits_only_so_long_for_what_is_written_down(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And whatever still writes then is told so."""
    monkeypatch.setattr(shards, "LAST_SECONDS", 0.01)
    told = asyncio.Event()

    async def never() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            told.set()

    await bench.live.assign([(TOPIC, 0), (TOPIC, 1)])
    for shard in bench.made:
        shard.written = never
    await bench.live.close()

    assert told.is_set()
    assert [shard.asked for shard in bench.made] == [["load", "close"], ["load", "close"]]


async def test_closing_closes_every_shard(bench: Bench) -> None:
    await bench.assign(0, 1)
    await bench.live.close()

    assert [shard.asked for shard in bench.made] == [["load", "close"], ["load", "close"]]


async def test_what_a_load_left_in_cycles_is_let_go() -> None:
    """Consumers of a load lie in cycles with what they fetched last: tens of megabytes, for as long as the worker."""

    class Cycle:
        """Refers to itself."""

        def __init__(self) -> None:
            self.itself = self

    left: list[weakref.ref[Cycle]] = []

    class Leaving(FakeShard):
        """Leaves garbage when it is loaded."""

        async def load(self) -> None:
            left.append(weakref.ref(Cycle()))
            assert not gc.isenabled()

    live = LiveShards({TOPIC: Leaving}, die=raise_instead)
    await live.assign([(TOPIC, 0), (TOPIC, 1)])

    assert [cycle() for cycle in left] == [None, None]
    assert gc.isenabled()


async def test_what_was_set_aside_and_is_garbage_since_is_found_at_the_next_renewal() -> None:
    class Cycle:
        """Refers to itself."""

        def __init__(self) -> None:
            self.itself = self

    class Holding(FakeShard):
        """Holds something that is set aside with it."""

        def __init__(self, partition: int) -> None:
            super().__init__(partition)
            self.held: Cycle | None = Cycle()
            made.append(self)

    made: list[Holding] = []
    live = LiveShards({TOPIC: Holding}, die=raise_instead)
    await live.assign([(TOPIC, 0)])
    (shard,) = made
    assert shard.held is not None
    left = weakref.ref(shard.held)
    shard.held = None
    gc.collect()
    assert left() is not None, "what was set aside is not looked at"

    await live.renew()

    assert left() is None
    assert gc.isenabled()

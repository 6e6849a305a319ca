"""The stage notify with channels and an owner in memory: who is told what, while receivers fail and workers go."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import pytest
from msgspec.structs import replace

from processor.agents.channels.base import Channel, ChannelUnavailableError, RefusedError
from processor.agents.notify import GIVE_UP, NotifyShard
from processor.agents.restoring import Published
from processor.agents.stage import Deployment
from processor.core.definitions import definitions_of
from processor.core.outbox import SUMMARY_AFTER
from processor.transport.outgoing import Outgoing
from processor.transport.packing import KeyAndValue
from schemas.alerts import Alert, AlertFrame, encode_frame
from schemas.config.alerts import QuietHours
from schemas.dead_letters import decode_dead_letter
from schemas.instants import DAY, HOUR, SECOND
from schemas.topics import OUTBOX
from tests.alert_builders import START, make_alert
from tests.builders import make_config

DEPLOYMENT = Deployment(
    bootstrap="nowhere:1",
    prefix="t.",
    generation=1,
    partitions=4,
    log_partitions=4,
    definitions=definitions_of(make_config()),
    digest="of no configuration",
    connectors={},
    outgoing=Outgoing("nowhere:1"),
)
ROWS = DEPLOYMENT.topic(OUTBOX)


@dataclass
class FakeOwner:
    """Keeps what is written."""

    values: dict[bytes, bytes] = field(default_factory=dict)
    letters: list[str] = field(default_factory=list)

    async def send(self, messages: Mapping[str, Sequence[KeyAndValue]], **_how: object) -> None:
        await asyncio.sleep(0)
        for key, value in messages.get(ROWS, ()):
            if value is None:
                self.values.pop(key or b"", None)
            else:
                self.values[key or b""] = value

    async def send_to(
        self, messages: Mapping[tuple[str, int], Sequence[KeyAndValue]], *, headers: object = None
    ) -> None:
        self.letters += [decode_dead_letter(value or b"").detail for batch in messages.values() for _, value in batch]

    async def close(self) -> None:
        pass


@dataclass
class FakeChannel:
    """Remembers what it was told. `failure` is raised instead when one is set; `gate` holds back whatever is sent."""

    at_once: int = 1
    parallel: int = 4
    spacing_seconds: float = 0.0
    repeat_seconds: float | None = None
    told: list[list[str]] = field(default_factory=list)
    tries: int = 0
    failure: Exception | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def send(self, alerts: Sequence[Alert], now: int) -> None:
        self.tries += 1
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        self.told.append([f"{alert.lead} {alert.event}" for alert in alerts])

    async def announce(self, told: Sequence[Alert], now: int) -> None:
        self.tries += 1
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        self.told.append([alert.notice.title for alert in told if alert.notice is not None])

    async def summarize(self, alerts: Sequence[Alert], now: int) -> None:
        self.tries += 1
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        self.told.append([f"summary of {len(alerts)}"])

    async def close(self) -> None:
        pass


@dataclass
class FakeRecord:
    value: bytes | None
    offset: int
    key: bytes | None = None
    topic: str = "notifications"
    partition: int = 0
    timestamp: int = 0


class OfflineShard(NotifyShard):
    """Reads its rows back from memory."""

    rows: Mapping[bytes, bytes]

    async def recover(self) -> Published:
        return {ROWS: dict(self.rows)}


def raise_instead(code: int, why: str, *, error: BaseException | None = None) -> NoReturn:
    raise AssertionError(why) from error


class Bench:
    """Shards that follow each other on the same rows, and a clock that the test turns."""

    def __init__(self) -> None:
        self.now = START + HOUR
        self.owner = FakeOwner()
        self.channels: dict[str, FakeChannel] = {}
        self.shard: OfflineShard
        self._offset = 0

    async def start(self, **channels: FakeChannel) -> None:
        quiet: dict[str, QuietHours | None] = dict.fromkeys(channels)
        made: Mapping[str, Channel] = channels
        self.channels = channels
        self.shard = OfflineShard(
            0, DEPLOYMENT, make_channels=lambda: made, quiet=quiet, clock=lambda: self.now, die=raise_instead
        )
        self.shard.rows = self.owner.values
        owner: Any = self.owner
        self.shard.owner = owner
        await self.shard.load()

    async def tell(self, channel: str, *alerts: Alert) -> None:
        record: Any = FakeRecord(encode_frame(AlertFrame(channel, list(alerts))), self._offset)
        self._offset += 1
        await self.shard.process([record])

    async def tick(self, after: int = 0) -> None:
        self.now += after
        await self.shard.tick(self.now)


async def until(right: Callable[[], bool]) -> None:
    for _ in range(2000):
        if right():
            return
        await asyncio.sleep(0)
    pytest.fail("it never came to it")


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    for channel in made.channels.values():
        channel.gate.set()
    await made.shard.close()


async def test_a_channel_is_told_at_once_and_the_row_says_so(bench: Bench) -> None:
    floor = FakeChannel()
    await bench.start(floor=floor)
    await bench.tell("floor", make_alert())
    await until(lambda: floor.told == [["l1 raised"]])
    await bench.tell("floor", make_alert().resolved(bench.now))

    await until(lambda: bench.owner.values == {})
    assert floor.told == [["l1 raised"], ["l1 resolved"]]


async def test_rows_that_are_none_are_let_go_and_the_others_are_told(bench: Bench) -> None:
    """Else each start would fail of them again."""
    floor = FakeChannel(failure=ChannelUnavailableError("answered 503"))
    await bench.start(floor=floor)
    await bench.tell("floor", make_alert())
    await until(lambda: floor.tries == 1)
    await bench.shard.close()
    bench.owner.values |= {b"\xff": b"", b"floor\0l9": b"no row", b"floor\0\0l9": b"no row", b"gone\0l1": b"no row"}
    again = FakeChannel()
    await bench.start(floor=again)
    await bench.tick(after=400 * SECOND)
    await until(lambda: again.told == [["l1 raised"]])

    assert [*bench.owner.values] == [b"floor\0" + make_alert().id.encode()]
    assert bench.owner.letters == [
        f"row {name!r} of {ROWS} is none" for name in ("\N{REPLACEMENT CHARACTER}", "floor\0l9", "floor\0\0l9")
    ]


async def test_a_channel_that_hangs_holds_up_neither_batches_nor_other_channels(bench: Bench) -> None:
    hangs, floor = FakeChannel(), FakeChannel()
    hangs.gate.clear()
    await bench.start(hangs=hangs, floor=floor)
    await bench.tell("hangs", make_alert("l1"))
    await bench.tell("floor", make_alert("l2"))

    await until(lambda: floor.told == [["l2 raised"]])
    assert hangs.told == []


async def test_a_receiver_that_is_away_gets_everything_when_it_is_back(bench: Bench) -> None:
    floor = FakeChannel(failure=ChannelUnavailableError("answered 503"))
    await bench.start(floor=floor)
    await bench.tell("floor", *(make_alert(f"l{number}") for number in range(8)))
    await until(lambda: floor.tries == 4)
    tries = floor.tries
    await bench.tick(after=30 * SECOND)
    await until(lambda: floor.tries > tries)
    floor.failure = None

    async def all_told() -> None:
        while len(floor.told) < 8:
            await bench.tick(after=400 * SECOND)
            for _ in range(20):
                await asyncio.sleep(0)

    await asyncio.wait_for(all_told(), 60)
    assert sorted(told for (told,) in floor.told) == [f"l{number} raised" for number in range(8)]


async def test_a_receiver_that_is_away_is_asked_with_one_message_only(bench: Bench) -> None:
    floor = FakeChannel(failure=ChannelUnavailableError("answered 503"))
    await bench.start(floor=floor)
    await bench.tell("floor", *(make_alert(f"l{number}") for number in range(50)))
    await until(lambda: floor.tries == 4)
    for _ in range(50):
        await asyncio.sleep(0)
    assert floor.tries == 4  # those under way at first
    await bench.tick(after=400 * SECOND)
    for _ in range(50):
        await asyncio.sleep(0)

    assert floor.tries == 5


async def test_what_is_refused_is_set_aside_and_the_rest_is_told(bench: Bench) -> None:
    floor = FakeChannel(failure=RefusedError("answered 400"), parallel=1)
    await bench.start(floor=floor)
    await bench.tell("floor", make_alert("bad"))
    await until(lambda: floor.tries == 1)
    floor.failure = None
    await bench.tell("floor", make_alert("good"))

    await until(lambda: floor.told == [["good raised"]])
    await bench.tick(after=SECOND)
    await until(lambda: floor.told == [["good raised"], ["bad raised"]])


async def test_a_channel_with_a_fault_of_its_own_ends_nothing(bench: Bench) -> None:
    broken, floor = FakeChannel(failure=ZeroDivisionError()), FakeChannel()
    await bench.start(broken=broken, floor=floor)
    await bench.tell("broken", make_alert())
    await until(lambda: broken.tries == 1)
    await bench.tell("floor", make_alert())

    await until(lambda: floor.told == [["l1 raised"]])


async def test_a_burst_becomes_one_message(bench: Bench) -> None:
    floor = FakeChannel(at_once=500, parallel=1, spacing_seconds=2.0)
    await bench.start(floor=floor)
    await bench.tell("floor", make_alert("first"))
    await until(lambda: len(floor.told) == 1)
    for number in range(30):
        await bench.tell("floor", make_alert(f"l{number}"))
    assert len(floor.told) == 1
    await bench.tick(after=2 * SECOND)

    await until(lambda: len(floor.told) == 2)
    assert len(floor.told[1]) == 30


async def test_the_next_owner_tells_what_was_not_told_and_nothing_else(bench: Bench) -> None:
    dies = FakeChannel(parallel=1)
    await bench.start(floor=dies)
    await bench.tell("floor", make_alert("told"))
    await until(lambda: dies.told == [["told raised"]])
    dies.gate.clear()
    await bench.tell("floor", make_alert("under way"))
    first = bench.shard
    floor = FakeChannel()
    await bench.start(floor=floor)
    await bench.tick()

    await until(lambda: floor.told == [["under way raised"]])
    dies.gate.set()
    await first.close()


async def test_after_three_days_it_is_given_up(bench: Bench) -> None:
    floor = FakeChannel(failure=ChannelUnavailableError("answered 503"), parallel=1)
    await bench.start(floor=floor)
    await bench.tell("floor", make_alert())
    await until(lambda: floor.tries == 1)
    await bench.tick(after=GIVE_UP + HOUR)

    await until(lambda: bench.owner.values == {})
    assert bench.shard.progress.counters["given_up.floor"] == 1


async def test_what_waits_for_a_channel_that_was_taken_away_is_dropped(bench: Bench) -> None:
    floor = FakeChannel(failure=ChannelUnavailableError("answered 503"))
    await bench.start(floor=floor)
    await bench.tell("floor", make_alert())
    assert bench.owner.values
    await bench.shard.close()
    await bench.start(another=FakeChannel())

    assert bench.owner.values == {}


async def test_a_batch_that_ends_during_a_rebalance_is_written(bench: Bench) -> None:
    floor = FakeChannel()
    await bench.start(floor=floor)
    await bench.shard.suspend()
    await bench.tell("floor", make_alert())

    assert len(bench.owner.values) == 1
    assert floor.told == []
    await bench.tick()
    await until(lambda: floor.told == [["l1 raised"]])


async def test_what_was_told_during_a_rebalance_is_written_when_the_partition_stays(bench: Bench) -> None:
    floor = FakeChannel()
    floor.gate.clear()
    await bench.start(floor=floor)
    raised = make_alert()
    await bench.tell("floor", raised, raised.resolved(bench.now))
    await until(lambda: floor.tries == 1)
    suspension = asyncio.create_task(bench.shard.suspend())
    await asyncio.sleep(0)
    floor.gate.set()
    await suspension
    assert floor.told == [["l1 raised"]]
    assert len(bench.owner.values) == 1
    await bench.tick()

    await until(lambda: bench.owner.values == {})
    assert floor.told == [["l1 raised"], ["l1 resolved"]]


async def test_a_receiver_that_forgets_is_told_again_what_is_open(bench: Bench) -> None:
    floor = FakeChannel(at_once=500, repeat_seconds=60.0)
    await bench.start(floor=floor)
    await bench.tick()
    await bench.tell("floor", make_alert())
    await until(lambda: len(floor.told) == 1)
    await bench.tick(after=30 * SECOND)
    await bench.tick(after=30 * SECOND)

    await until(lambda: floor.told == [["l1 raised"], ["l1 raised"]])


def late(number: int) -> Alert:
    return replace(make_alert(f"l{number}"), quiet="summary")


async def test_what_was_told_late_is_one_message_in_spite_of_a_restart(bench: Bench) -> None:
    floor = FakeChannel()
    await bench.start(floor=floor)
    await bench.tell("floor", *(late(number) for number in range(900)), make_alert("now"))
    await until(lambda: floor.told == [["now raised"]])
    await bench.shard.close()
    await bench.start(floor=floor)
    await bench.tick(SUMMARY_AFTER)
    await until(lambda: len(floor.told) == 2)
    await bench.tick(HOUR)
    await bench.tell("floor", *(late(number).resolved(bench.now) for number in range(900)))
    await bench.tick(HOUR)

    assert floor.told == [["now raised"], ["summary of 900"]]


async def test_a_summary_that_is_refused_is_tried_again_and_given_up_after_three_days(bench: Bench) -> None:
    floor = FakeChannel(failure=RefusedError("answered 400"))
    await bench.start(floor=floor)
    await bench.tell("floor", late(1))
    for _ in range(4):
        await bench.tick(DAY)
        await until(lambda: not bench.shard._lanes["floor"].tasks)
    tries = floor.tries
    floor.failure = None
    await bench.tick(DAY)

    assert tries > 1
    assert floor.told == []
    assert bench.shard.progress.counters["given_up.floor"] == 1

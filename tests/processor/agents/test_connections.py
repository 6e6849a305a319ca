"""Who follows the states of connections, with the topic in memory, and the shard that tells of them."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Never

import pytest

from processor.agents import connections
from processor.agents.connections import watch_connections
from processor.core.missed import MissedBook
from schemas import tasks
from schemas.alerts import Alert
from schemas.connection_states import ConnectionState, encode_state
from schemas.instants import HOUR
from tests.processor.agents.test_thresholds import NINE, FakeRecord


class FakeFollower:
    """Of one topic: what lies there, and what comes."""

    def __init__(self) -> None:
        self.records: list[FakeRecord] = []
        self.position = 0
        self.failures: list[Exception] = []

    def __call__(self, *_args: Any, **_settings: Any) -> "FakeFollower":
        self.position = 0
        return self

    async def __aenter__(self) -> "FakeFollower":
        if self.failures:
            raise self.failures.pop()
        return self

    async def __aexit__(self, *_error: object) -> None:
        pass

    async def ends(self) -> dict[int, int]:
        return {0: len(self.records)}

    async def read_to(self, ends: Mapping[int, int], apply: Any) -> None:
        news, self.position = self.records[self.position : ends[0]], ends[0]
        if news:
            apply(0, news)

    async def wait(self, _seconds: float, apply: Any) -> None:
        await asyncio.sleep(0.001)
        await self.read_to(await self.ends(), apply)

    def say(self, connection: str, missed: int, at: int) -> None:
        state = ConnectionState(at=at, missed_day={"call": missed}, changed_day=200)
        self.records.append(FakeRecord(connection.encode(), encode_state(state)))


@pytest.fixture
def follower(monkeypatch: pytest.MonkeyPatch) -> FakeFollower:
    found = FakeFollower()
    monkeypatch.setattr(connections, "Follower", found)
    monkeypatch.setattr(connections, "AFTER_FAILURE_SECONDS", 0.001)
    return found


class Told:
    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    async def turn(self, turned: Sequence[Alert]) -> None:
        self.alerts += turned

    async def wait_for(self, count: int) -> list[str]:
        async with asyncio.timeout(60):
            while len(self.alerts) < count:
                await asyncio.sleep(0.001)
        await asyncio.sleep(0.02)
        return [alert.event for alert in self.alerts]


def watch(told: Told, book: MissedBook) -> asyncio.Task[Never]:
    watching = watch_connections("nowhere:1", "t.connection-states", book, {"hub"}, turn=told.turn, clock=lambda: NINE)
    return asyncio.create_task(watching)


async def test_what_is_missed_is_told_once_and_so_is_that_it_is_so_no_more(follower: FakeFollower) -> None:
    told, follower.failures = Told(), [OSError()]
    follower.say("hub", 200, NINE - HOUR)  # what was so before the newest word
    follower.say("gone", 200, NINE)
    follower.say("hub", 3, NINE)
    watching = watch(told, MissedBook())
    assert await told.wait_for(1) == ["raised"]

    follower.records.append(FakeRecord(b"hub", b"of another version"))
    follower.say("hub", 4, NINE + HOUR)
    follower.say("hub", 1, NINE + 2 * HOUR)
    assert await told.wait_for(2) == ["raised", "resolved"]
    await tasks.end([watching])

    assert [alert.crossing and alert.crossing.value for alert in told.alerts] == [0.015, 0.005]


async def test_after_a_restart_nobody_is_told_again(follower: FakeFollower) -> None:
    told, book = Told(), MissedBook()
    follower.say("hub", 3, NINE)
    first = watch(told, book)
    await told.wait_for(1)
    await tasks.end([first])

    again = MissedBook()
    again.restore(told.alerts[0])
    second = watch(told, again)
    follower.say("hub", 5, NINE + HOUR)
    assert await told.wait_for(1) == ["raised"]
    await tasks.end([second])

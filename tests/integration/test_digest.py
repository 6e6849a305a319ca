"""The day in one message, of a floorcast whose every process is killed around the instant at which it is due.

Each channel is told of the day once: one that has been told is not told again after the kill, one that had not answered
yet is told by the next worker, and what was in between when everything ended is told by the worker that starts later on
the same day. The organisation's clock says about noon whenever this runs, so that no midnight comes between.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from aiohttp import web

from schemas.instants import to_datetime
from tests.integration.floor_process import FloorProcess
from tests.integration.posted import clock, noon, post
from tests.integration.served import Reader
from tests.integration.test_alerts import answer
from tests.integration.waiting import eventually
from tests.sinks import HttpSink, Received

pytestmark = [pytest.mark.kafka]

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - of a sink

Json = dict[str, Any]


ZONE = noon()


def there() -> datetime:
    """What the clocks of the organisation say."""
    return to_datetime(clock()).astimezone(ZoneInfo(ZONE))


def configuration(prompt: str, slow: str, *, at: str) -> Json:
    channels = {
        "prompt": {"kind": "webhook", "url": f"{prompt}/prompt", "secret": SECRET, "allow_private": True},
        "slow": {"kind": "slack", "url": f"{slow}/slow", "allow_private": True},
    }
    return {
        "organisation": {"name": "Days", "timezone": ZONE, "currency": "USD"},
        "connections": {"feed": {"kind": "generic", "secrets": [SECRET]}},
        "reps": {"r-1": {"name": "Ana Lim"}},
        "alerts": {"channels": channels},
        "digest": {"at": at, "days": "mon-sun", "to": ["prompt", "slow"]},
    }


@pytest_asyncio.fixture
async def prompt() -> AsyncIterator[HttpSink]:
    async with HttpSink() as receiving:
        yield receiving


@pytest_asyncio.fixture
async def slow() -> AsyncIterator[HttpSink]:
    """A chat that does not answer the first time."""
    async with HttpSink(answers=lambda number: None if number == 1 else web.Response()) as receiving:
        yield receiving


def days(sink: HttpSink) -> list[Received]:
    return [each for each in sink.received if each.path == "/slow" or each.json["type"] == "digest"]


async def told(sink: HttpSink, number: int, *, seconds: float = 120.0) -> None:
    async def is_told() -> bool:
        return len(days(sink)) >= number

    await eventually(is_told, f"told {number} times", seconds=seconds)


async def noted(floor: FloorProcess, channel: str) -> None:
    """Wait until the worker has written down that it has told a channel: killed before, it tells it again."""
    line = f'floorcast_notifications_total{{channel="{channel}",outcome="told"}} 1\n'
    async with Reader(floor.url) as reader:

        async def is_noted() -> bool:
            return line in await reader.text("/metrics")

        await eventually(is_noted, f"{channel} noted as told")


async def counted(floor: FloorProcess, calls: int) -> None:
    """Wait until a call that is posted now is counted: by then the worker has long looked at what is due."""
    await post(floor.url, floor.config_file, answer(f"call-{calls}", clock()))
    async with Reader(floor.url) as reader:

        async def is_counted() -> bool:
            row = await reader.get("/v1/organisation/metrics", window="24h", metrics="calls_made")
            return bool(row["metrics"]["calls_made"] == calls)

        await eventually(is_counted, f"{calls} calls counted")


async def test_a_day_is_told_once_whatever_is_killed_around_its_hour(
    prompt: HttpSink, slow: HttpSink, kafka: str, tmp_path: Path
) -> None:
    floor = FloorProcess(tmp_path, configuration(prompt.url, slow.url, at="23:59"), kafka=kafka)
    try:
        await asyncio.to_thread(floor.start)
        await counted(floor, 1)
        due = (there() + timedelta(minutes=1)).replace(second=0)
        floor.configure(configuration(prompt.url, slow.url, at=f"{due:%H:%M}"))
        code, said = await asyncio.to_thread(floor.run, "reload")
        assert code == 0, said
        # Nothing is told before it is due; then everything is killed while one channel has not answered.
        assert days(prompt) == days(slow) == [] or there() >= due
        await told(prompt, 1, seconds=120.0 + max(0.0, (due - there()).total_seconds()))
        await told(slow, 1)
        await noted(floor, "prompt")
        await asyncio.to_thread(floor.kill_everything)
        first = days(prompt)[0].json

        await asyncio.to_thread(floor.start)
        await told(slow, 2)
        await noted(floor, "slow")
        await counted(floor, 2)
        # And whoever tells is killed once more, now that all of them are told.
        await asyncio.to_thread(floor.wait_for_another, "worker", floor.kill("worker"))
        await counted(floor, 3)

        assert [each.json["id"] for each in days(prompt)] == [first["id"]]
        assert len(days(slow)) == 2  # the first went unanswered
        assert first["data"]["metrics"]["calls_made"]["value"] == 1
    finally:
        await asyncio.to_thread(floor.kill_everything)


async def test_an_hour_at_which_nothing_ran_is_made_up_for_on_the_same_day(
    prompt: HttpSink, slow: HttpSink, kafka: str, tmp_path: Path
) -> None:
    floor = FloorProcess(tmp_path, configuration(prompt.url, slow.url, at="23:59"), kafka=kafka)
    try:
        await asyncio.to_thread(floor.start)
        await counted(floor, 1)
        assert days(prompt) == []

        # As if the hour had come while nobody ran who tells: the next worker reads the file when it starts.
        floor.configure(configuration(prompt.url, slow.url, at="00:01"))
        await asyncio.to_thread(floor.wait_for_another, "worker", floor.kill("worker"))
        await told(prompt, 1)
        await told(slow, 1)
        await counted(floor, 2)

        assert len(days(prompt)) == 1
    finally:
        await asyncio.to_thread(floor.kill_everything)

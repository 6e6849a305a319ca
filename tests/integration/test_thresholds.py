"""Limits of metrics on a running floorcast: crossed by the clock alone, by events, and across kill -9; told once.

One `floorcast up` serves the module. Its organisation lives where it is noon, so that no day ends under the test. There
is a limit for each of the next minutes: whatever the start takes, one of them comes when everything is ready.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import aiohttp
import pytest

from deploy.simulator.known import CrmEvent
from schemas.instants import HOUR, MINUTE, SECOND, format_instant, parse_instant, to_datetime
from tests.integration.floor_process import FloorProcess
from tests.integration.posted import clock, post
from tests.integration.served import Reader
from tests.integration.waiting import comes_to, eventually
from tests.sinks import HttpSink

pytestmark = [pytest.mark.kafka]

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - of a sink
MINUTES = 8

Json = dict[str, Any]


@cache
def began_at() -> int:
    """When the first of these tests began, which in a whole run is long after they were collected."""
    return clock()


def configuration(sink: str) -> Json:
    began = began_at()
    hours_ahead = 12 - to_datetime(began).hour
    minutes = [to_datetime(began + hours_ahead * HOUR + number * MINUTE) for number in range(1, MINUTES)]
    limits = {
        f"few-{number}": {"metric": "calls_made", "per": "rep", "below": 10, "at": f"{at:%H:%M}"}
        for number, at in enumerate(minutes, 1)
    }
    million = {
        "metric": "revenue_won", "per": "organisation", "window": "today", "reaches": "1000000.00", "level": "breach",
    }  # fmt: skip
    busy = {"metric": "calls_made", "per": "team", "window": "24h", "above": 30}
    return {
        # POSIX counts the other way.
        "organisation": {"name": "Limits", "timezone": f"Etc/GMT{-hours_ahead:+d}", "currency": "USD"},
        "connections": {"feed": {"kind": "generic", "secrets": [SECRET]}},
        "teams": {"north": {"name": "North"}},
        "reps": {"r-1": {"team": "north"}, "r-2": {"team": "north"}},
        "alerts": {
            "channels": {
                "floor": {"kind": "webhook", "url": f"{sink}/hook", "secret": SECRET, "allow_private": True},
                "chat": {"kind": "slack", "url": f"{sink}/chat", "allow_private": True},
            },
            "thresholds": limits | {"million": million, "busy": busy},
        },
        "goals": {
            "quota": {
                "metric": "revenue_won",
                "period": "year",
                "amounts": [{"amount": "1000000"}],
                "milestones": [1],
            },
        },
    }


def call(rep: str, number: int) -> CrmEvent:
    at = format_instant(clock())
    fields = {"rep": rep, "direction": "outbound", "dialed_at": at}
    return {"record": "call", "id": f"c-{rep}-{number}", "changed_at": at, "fields": fields}


def deal(number: int, amount: str, status: str = "won") -> CrmEvent:
    at = format_instant(clock())
    fields = {"rep": "r-1", "status": status, "amount": amount, "currency": "USD", "closed_at": at}
    return {"record": "deal", "id": f"d-{number}", "changed_at": at, "fields": fields}


async def alerts_of(reader: Reader, threshold: str, state: str = "open") -> list[Json]:
    found = await reader.get("/v1/alerts", state=state, limit="500")
    return [alert for alert in found["rows"] if alert.get("threshold") == threshold]


def hooks(sink: HttpSink, threshold: str) -> list[Json]:
    posts = [post.json for post in sink.received if post.path == "/hook"]
    return [hook for hook in posts if hook["data"].get("threshold") == threshold]


def of_goal(sink: HttpSink) -> list[str]:
    """What was told of the goal's milestone."""
    posts = [post.json for post in sink.received if post.path == "/hook"]
    return [hook["type"] for hook in posts if hook["data"].get("goal") == "quota"]


def milestone_is(sink: HttpSink, *types: str) -> Callable[[], Awaitable[bool]]:
    async def is_so() -> bool:
        return of_goal(sink) == [*types]

    return is_so


async def metrics(floor: FloorProcess) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"{floor.url}/metrics") as answer:
        return await answer.text()


@pytest.mark.asyncio(loop_scope="module")
async def test_too_few_calls_by_that_minute_are_told_without_any_event(
    floor: FloorProcess, sink: HttpSink, reader: Reader
) -> None:
    calls = [call("r-1", number) for number in range(9)] + [call("r-2", number) for number in range(10)]
    await post(floor.url, floor.config_file, *calls)

    async def are_counted() -> bool:
        row = await reader.get("/v1/teams/north/metrics", window="today", metrics="calls_made")
        return bool(row["metrics"]["calls_made"] == 19)

    await eventually(are_counted, "counted")
    number = (clock() + 2 * SECOND) // MINUTE - began_at() // MINUTE + 1
    assert number < MINUTES, "the start took too long"
    name, due_at = f"few-{number}", (began_at() // MINUTE + number) * MINUTE

    async def is_told() -> Any:
        return hooks(sink, name)

    (told,) = await eventually(is_told, "told", 180)
    (alert,) = await alerts_of(reader, name)
    assert told["type"] == "alert.raised"
    assert told["data"]["id"] == alert["id"]
    assert {field: alert[field] for field in ("kind", "lead", "rep", "team", "metric", "window", "value", "limit")} == {
        "kind": "metric_threshold", "lead": None, "rep": "r-1", "team": "north", "metric": "calls_made",
        "window": "today", "value": 9, "limit": 10,
    }  # fmt: skip
    assert alert["due_at"] == format_instant(due_at)
    lateness = (parse_instant(alert["raised_at"]) - due_at) / SECOND
    print(f"\na limit: raised {lateness:.2f} s after it was due")  # noqa: T201 - the figure is what is asked for
    assert f'floorcast_threshold_alerts_open{{threshold="{name}",level="warn"}} 1' in await metrics(floor)

    await post(floor.url, floor.config_file, call("r-1", 9))

    async def is_resolved() -> Any:
        return len(hooks(sink, name)) == 2

    await eventually(is_resolved, "resolved")
    assert hooks(sink, name)[1]["type"] == "alert.resolved"
    assert hooks(sink, name)[1]["data"]["value"] == 10
    await comes_to(lambda: alerts_of(reader, name), [])
    said = [post.body.decode() for post in sink.received]
    assert any("rep r-1 (team North): 9, below 10 at" in text for text in said), said


@pytest.mark.asyncio(loop_scope="module")
async def test_a_milestone_is_told_once_whatever_becomes_of_it_afterwards(
    floor: FloorProcess, sink: HttpSink, reader: Reader
) -> None:
    async def is_open() -> Any:
        return await alerts_of(reader, "million")

    async def is_not_open() -> bool:
        return not await alerts_of(reader, "million")

    await post(floor.url, floor.config_file, deal(1, "900000.00"))
    await post(floor.url, floor.config_file, deal(2, "200000.50"))
    (alert,) = await eventually(is_open, "raised")
    await eventually(milestone_is(sink, "alert.raised"), "told of the goal")
    assert (alert["value"], alert["limit"], alert["currency"]) == ("1100000.50", "1000000.00", "USD")

    await post(floor.url, floor.config_file, deal(2, "200000.50", "lost"))
    await eventually(is_not_open, "resolved")
    await eventually(milestone_is(sink, "alert.raised", "alert.resolved"), "told that the goal is not reached")
    await post(floor.url, floor.config_file, deal(2, "200000.50"))
    (again,) = await eventually(is_open, "open again")

    assert again["id"] == alert["id"]
    assert [hook["type"] for hook in hooks(sink, "million")] == ["alert.raised", "alert.resolved"]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_worker_that_is_killed_tells_nothing_twice_and_what_crossed_meanwhile(
    floor: FloorProcess, sink: HttpSink, reader: Reader
) -> None:
    before = await alerts_of(reader, "million")
    pid = floor.kill("worker")
    await post(floor.url, floor.config_file, *(call("r-2", number) for number in range(10, 21)))
    await asyncio.to_thread(floor.wait_for_another, "worker", pid)

    async def is_told() -> Any:
        return hooks(sink, "busy")

    (told,) = await eventually(is_told, "told")

    assert (told["data"]["team"], told["data"]["value"]) == ("north", 31)
    assert await alerts_of(reader, "million") == before
    # The goal is reached again, which is not told again in that period.
    assert of_goal(sink) == ["alert.raised", "alert.resolved"]
    open_ones = (await reader.get("/v1/alerts", state="open", limit="500"))["rows"]
    assert "goal" not in {alert["kind"] for alert in open_ones}
    ids = [(hook["data"]["id"], hook["type"]) for post in sink.received if post.path == "/hook" for hook in [post.json]]
    assert len(ids) == len(set(ids))

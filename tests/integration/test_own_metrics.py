"""Metrics of one's own on a running floorcast: written while it runs, counted from the first record on, taken back."""

import asyncio
from typing import Any

import aiohttp
import pytest

from tests.integration.floor_process import FloorProcess
from tests.integration.posted import Posted, clock, hostile_deliveries
from tests.integration.served import Reader, settle
from tests.integration.waiting import until_true

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="module")]

METRICS = """\
metrics:
  all_calls: {unit: count, type: simple, from: call, at: dialed_at, credit: rep, agg: count}
  inbound_calls:
    {unit: count, type: simple, from: call, where: {direction: inbound}, at: dialed_at, credit: rep, agg: count}
  outbound_share: {unit: ratio, type: ratio, numerator: calls_made, denominator: all_calls}
"""


def configuration(_sink: str) -> dict[str, Any]:
    return {
        "organisation": {"name": "Integration", "timezone": "UTC", "currency": "USD"},
        "connections": {"feed": {"kind": "generic", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}},
    }


async def test_metrics_are_defined_changed_and_taken_back_under_load(floor: FloorProcess, reader: Reader) -> None:
    posted = Posted(floor.url, floor.config_file)
    deliveries = hostile_deliveries(seed=5, events=600, now=clock(), connections=("feed",))
    half = len(deliveries) // 2
    await posted.post(deliveries[:half])
    before = (await reader.get("/v1/metrics"))["rows"]

    own = floor.config_file.with_name("metrics.yaml")
    own.write_text(METRICS)
    await reload(floor)
    await posted.post(deliveries[half:])  # while worker and api turn to it
    await until_served(reader, {"all_calls", "inbound_calls", "outbound_share"})
    row = await settled(floor, reader, "calls_made,all_calls,inbound_calls,outbound_share")
    assert row["all_calls"] == row["calls_made"] + row["inbound_calls"] > row["calls_made"]
    assert row["outbound_share"] == row["calls_made"] / row["all_calls"]

    own.write_text(METRICS.replace("from: call", "from: cal", 1))
    assert (await reload(floor, code=2)).startswith(f"{own}:2: metrics.all_calls.from: there is no fact cal")
    for name in ("api", "worker"):  # asked past `up`, each looks for itself
        await asyncio.to_thread(floor.hang_up, name, "metrics.all_calls.from: there is no fact cal")
    assert (await settled(floor, reader, "all_calls,outbound_share")).items() <= row.items()
    assert (await reader.ask("/readyz"))[0] == 200

    own.unlink()
    await reload(floor)
    await until_served(reader, set(), gone=frozenset({"all_calls"}))
    assert (await reader.get("/v1/metrics"))["rows"] == before


async def test_no_answer_is_between_the_old_and_the_new_of_a_changed_metric(
    floor: FloorProcess, reader: Reader
) -> None:
    posted = Posted(floor.url, floor.config_file)
    deliveries = hostile_deliveries(seed=6, events=600, now=clock(), connections=("feed",))
    own = floor.config_file.with_name("metrics.yaml")
    line = "metrics: {{talks: {{unit: count, type: simple, from: {}, at: happened_at, credit: rep, agg: count}}}}"
    forms = [
        line.format("call"),
        line.format("call, where: {direction: inbound}"),
        line.format("call, where: {direction: outbound}"),
    ]
    await posted.post(deliveries)
    own.write_text(forms[0])
    await reload(floor)
    await until_served(reader, {"talks"})
    whole = await settled(floor, reader, "talks")
    before = whole["talks"]
    for form, is_asked in ((forms[1], True), (forms[2], False)):
        own.write_text(form)
        if is_asked:
            await reload(floor)
        # Else the worker alone comes to know of it. What is posted once more changes no number.
        again = asyncio.create_task(posted.post(deliveries))
        if not is_asked:
            floor.kill("worker")
        seen = await sampled(reader, before)
        await again
        after = (await settled(floor, reader, "talks"))["talks"]
        assert seen == [before, after]
        assert after != before
        before = after
    code, said = await asyncio.to_thread(floor.verify)
    assert code == 0, said


async def test_a_worker_says_once_that_an_api_goes_by_other_files_and_nothing_when_both_have_the_same(
    floor: FloorProcess, reader: Reader
) -> None:
    def said() -> list[str]:
        lines = (floor.data / "logs" / "worker.log").read_text(encoding="utf-8").splitlines()
        return [line for line in lines if "definitions.differ" in line and "the files of this worker say" in line]

    async def is_said() -> bool:
        return bool(said())

    posted = Posted(floor.url, floor.config_file)
    deliveries = hostile_deliveries(seed=7, events=200, now=clock(), connections=("feed",))
    await posted.post(deliveries)  # by the same files
    await settle(reader, floor.kafka, floor.prefix)
    assert said() == []

    floor.config_file.with_name("metrics.yaml").write_text(METRICS)
    await asyncio.to_thread(floor.hang_up, "api", "reload.loading")
    await posted.post(deliveries)
    await until_true(is_said, 60)
    assert (await reader.ask("/readyz"))[0] == 200

    await asyncio.to_thread(floor.hang_up, "worker", "reload.begins")
    await until_served(reader, {"all_calls"})
    # Whoever starts says at once by which definitions it goes.
    await asyncio.to_thread(floor.wait_for_another, "api", floor.kill("api"))
    await posted.post(deliveries)
    await until_true(lambda: is_ready(reader), 90)
    await settle(reader, floor.kafka, floor.prefix)
    assert len(said()) == 1


async def sampled(reader: Reader, before: int) -> list[int]:
    """What is served while it changes: each value once, as often as it turns to it, and for a while after the first."""
    seen = [before]
    async with asyncio.timeout(90):
        ends = None
        while ends is None or asyncio.get_running_loop().time() < ends:
            row = await reader.get("/v1/organisation/metrics", window="year", metrics="talks")
            if row["metrics"]["talks"] != seen[-1]:
                seen.append(row["metrics"]["talks"])
                ends = asyncio.get_running_loop().time() + 5
            await asyncio.sleep(0.04)
    return seen


async def reload(floor: FloorProcess, *, code: int = 0) -> str:
    """Have the floor read its files again; what the command said."""
    ended, said = await asyncio.to_thread(floor.run, "reload")
    assert ended == code, said
    return said


async def is_ready(reader: Reader) -> bool:
    """Whether the api answers, and is."""
    try:
        return bool((await reader.ask("/readyz"))[0] == 200)
    except aiohttp.ClientError:
        return False


async def until_served(reader: Reader, wanted: set[str], *, gone: frozenset[str] = frozenset()) -> None:
    """Wait until these are in the catalogue; ready all the while."""
    async with asyncio.timeout(90):
        while True:
            assert (await reader.ask("/readyz"))[0] == 200
            names = {each["name"] for each in (await reader.get("/v1/metrics"))["rows"]}
            if wanted <= names and not gone & names:
                return
            await asyncio.sleep(0.2)


async def settled(floor: FloorProcess, reader: Reader, metrics: str) -> dict[str, Any]:
    """The organisation's numbers once nothing of what was posted is missing."""
    await settle(reader, floor.kafka, floor.prefix)
    row: dict[str, Any] = (await reader.get("/v1/organisation/metrics", window="year", metrics=metrics))["metrics"]
    return row

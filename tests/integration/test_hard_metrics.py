"""What is hard to count of one's own, on a running floorcast: shuffled, twice, after kill -9, changed under load."""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from deploy.simulator.known import CrmEvent
from deploy.verification.books import Books
from deploy.verification.definitions import Definitions, of_file
from deploy.verification.recount import recount
from processor.transport.fetched import Fetched
from processor.transport.following import Follower
from schemas.catalogue.defined import bound_under
from schemas.config import Config
from schemas.config.rules import rules_of
from schemas.instants import to_datetime
from schemas.panes import Pane, decode_pane
from schemas.topics import FENCE, PANES
from tests.hard_metrics import SECTIONS, hard_metrics
from tests.integration.floor_process import FloorProcess
from tests.integration.hard_events import hard_events, last_clock_change
from tests.integration.parts import Parts
from tests.integration.posted import Outgoing, Posted, clock, post_of
from tests.integration.served import SETTLE_SECONDS, Reader, settle

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="module")]

SECTION = SECTIONS["new york"]
CONFIGURATION: dict[str, Any] = {
    "organisation": {"name": "Hard", "timezone": SECTION["timezone"], "currency": "USD", "calendar": "office"},
    "connections": {"feed": {"kind": "generic", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}},
    "calendars": SECTION["calendars"],
    "teams": SECTION["teams"],
    "lead_response": SECTION["lead_response"],
    "reps": {"r1": {"name": "Ana", "since": "2026-01-01"}, "r2": {"aliases": {"feed": ["old-2"]}}},
    "currency_rates": {"EUR": "1.083"},
}
ZONE = ZoneInfo(SECTION["timezone"])
EVENTS = int(os.environ.get("HARD_EVENTS", "900"))
"""`make hard` has more."""
SETTLE = max(SETTLE_SECONDS, EVENTS / 10)
"""Seconds within which all that was posted is to be served."""
OTHERS = ("leads_touched", "received", "talks", "profit", "written")
"""Metrics that move neither by the clock nor by the change."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def floor(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FloorProcess]:
    process = FloorProcess(tmp_path_factory.mktemp("hard"), CONFIGURATION, kafka=kafka)
    today = to_datetime(clock()).date()
    text = hard_metrics((today - timedelta(days=1)).isoformat(), today.isoformat())
    process.config_file.with_name("metrics.yaml").write_text(text)
    try:
        await asyncio.to_thread(process.start)
        yield process
        await asyncio.to_thread(process.stop)
    finally:
        await asyncio.to_thread(process.kill_everything)


@pytest.fixture(scope="module")
def events() -> list[CrmEvent]:
    return hard_events(3, EVENTS, clock(), ZONE)


def deliveries(events: list[CrmEvent], chance: random.Random, name: str) -> list[Outgoing]:
    """The events in no order, some at once."""
    events = chance.sample(events, len(events))
    found, at = [], 0
    while at < len(events):
        size = chance.randint(1, 12)
        found.append(("feed", post_of(events[at : at + size], f"{name}-{at}", chance)))
        at += size
    return found


async def test_hard_metrics_equal_the_recount_whatever_happens(floor: FloorProcess, events: list[CrmEvent]) -> None:
    chance, posted = random.Random("hard"), Posted(floor.url, floor.config_file)
    half = len(events) // 2
    async with Reader(floor.url) as reader:
        await posted.post(deliveries(events[:half], chance, "first"))
        killed = floor.kill("worker")
        # The first half once more, shuffled among the second, while the worker is away.
        await posted.post(deliveries(events, chance, "all"))
        await asyncio.to_thread(floor.wait_for_another, "worker", killed)
        await settle(reader, floor.kafka, floor.prefix, SETTLE)
    code, said = await asyncio.to_thread(floor.verify, SETTLE)
    assert code == 0, said


async def test_segments_and_comparisons_equal_the_recount(floor: FloorProcess, events: list[CrmEvent]) -> None:
    posted = Posted(floor.url, floor.config_file)
    async with Reader(floor.url) as reader:
        await posted.post(deliveries(events, random.Random("parts"), "parts"))
        await settle(reader, floor.kafka, floor.prefix, SETTLE)
        config, definitions = posted.config, of_file(floor.config_file)
        books = recount(posted.changes(config), config, definitions)
        assert_works_across_a_clock_change(books, definitions)
        parts = Parts(reader, books, definitions, config.organisation.zone, config.organisation.currency)
        found = [await parts.segment_differences("7d")]
        found += [await parts.comparison_differences(window) for window in ("today", "7d", "month")]
    lines = [line for _, lines in found for line in lines]
    assert lines == [], "\n".join(lines[:20])
    assert all(compared > 300 for compared, _ in found), found


def assert_works_across_a_clock_change(books: Books, definitions: Definitions) -> None:
    """Some of what is measured in working hours began before clocks were changed, and is over."""
    changed_at, counted = last_clock_change(ZONE, clock()), definitions.metrics["worked_on"]
    deals = [one.fact for one in books.counted if one.measure.entry is counted and one.what]
    assert sum(deal["created_at"] < changed_at <= deal["closed_at"] for deal in deals) > 1


async def test_a_change_under_load_derives_only_what_is_changed(floor: FloorProcess, events: list[CrmEvent]) -> None:
    chance, posted = random.Random("again"), Posted(floor.url, floor.config_file)
    again = deliveries(events, chance, "again")
    own = floor.config_file.with_name("metrics.yaml")
    before, panes = posted.config, Panes(floor)
    async with Reader(floor.url) as reader:
        await panes.read()
        old = await numbers(reader)
        own.write_text(own.read_text().replace("agg: days", "agg: days, where: {rep: r1}"))
        load = asyncio.create_task(posted.post(again))  # what is known already changes no number
        code, said = await asyncio.to_thread(floor.run, "reload")
        assert code == 0, said
        seen = await sampled(reader, old)
        await load
        await settle(reader, floor.kafka, floor.prefix, SETTLE)
    await panes.read()

    new = seen[-1]
    assert seen == [old, new]
    assert new["busy_days"] < old["busy_days"]
    assert {name: new[name] for name in OTHERS} == {name: old[name] for name in OTHERS}
    assert panes.changed == cells_of(before, "busy_days") ^ cells_of(posted.config, "busy_days")
    code, said = await asyncio.to_thread(floor.verify, SETTLE)
    assert code == 0, said


class Panes:
    """What lies in the topic: which cells of it are others than they were when it was read before."""

    def __init__(self, floor: FloorProcess) -> None:
        self._floor = floor
        self._held: dict[bytes, Pane] = {}
        self.changed: set[int] = set()

    async def read(self) -> None:
        """Read all there is."""
        found: dict[bytes, Pane] = {}

        def take(_partition: int, records: list[Fetched]) -> None:
            for record in records:
                if record.key is not None and record.key != FENCE:
                    found[record.key] = {} if record.value is None else decode_pane(record.value)

        topic = PANES.full_name(self._floor.prefix, 1)
        async with Follower(self._floor.kafka, topic) as follower:
            await follower.read_to(await follower.ends(), take)
        for key, pane in found.items() if self._held else ():
            before = self._held.get(key, {})
            # Minutes of two days ago go by themselves.
            self.changed |= {
                cell for cell in before.keys() | pane.keys() if pane and before.get(cell) != pane.get(cell)
            }
        self._held = found


def cells_of(config: Config, metric: str) -> frozenset[int]:
    return bound_under(config.defined, rules_of(config)).metrics[metric].cells


async def numbers(reader: Reader) -> dict[str, Any]:
    row = await reader.get("/v1/organisation/metrics", window="year", metrics=",".join(("busy_days", *OTHERS)))
    metrics: dict[str, Any] = row["metrics"]
    return metrics


async def sampled(reader: Reader, before: dict[str, Any]) -> list[dict[str, Any]]:
    """What is served while it changes, each once; for a while after the first change."""
    seen = [before]
    async with asyncio.timeout(SETTLE):
        ends = None
        while ends is None or asyncio.get_running_loop().time() < ends:
            found = await numbers(reader)
            if found != seen[-1]:
                seen.append(found)
                ends = asyncio.get_running_loop().time() + 3
            await asyncio.sleep(0.04)
    return seen

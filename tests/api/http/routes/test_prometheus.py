"""`GET /metrics` of a whole api: the numbers of the view beside those of the process."""

import asyncio
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from api.app import build_read_side, create_app
from api.settings import Settings
from tests.api.fakes import FakeIngest
from tests.api.reading import Floor
from tests.builders import change


async def test_webhooks_are_counted_beside_the_numbers_of_the_floor(tmp_path: Path) -> None:
    floor = Floor(tmp_path)
    settings, registry = Settings(data=tmp_path), CollectorRegistry()
    floor.app = create_app(
        settings,
        floor.config,
        ingest=FakeIngest(),
        state={"read_side": build_read_side(settings, floor.config, registry, clock=floor.clock)},
        registry=registry,
        clock=floor.clock,
    )

    text = (await floor.get("/metrics")).text

    assert 'floorcast_deliveries_total{connection="feed",outcome="accepted"} 0.0' in text
    assert "floorcast_end_to_end_seconds_count 0.0" in text
    assert text.count("# TYPE floorcast_deliveries_total") == 1
    assert "floorcast_ready 0" in text


async def test_durations_that_end_before_they_start_are_counted_by_the_metric_that_leaves_them_out(
    tmp_path: Path,
) -> None:
    floor = Floor(tmp_path)
    won: dict[str, Any] = {"status": "won", "created_at": "2026-03-18T10:00Z"}
    at = "2026-03-18T11:00Z"
    floor.take(
        change("deal", "d1", at, rep="r1", closed_at="2026-03-18T09:00Z", **won),
        change("deal", "d2", at, rep="r1", closed_at="2026-03-17T09:00Z", **won),
        change("deal", "d3", at, closed_at="2026-03-18T11:00Z", **won),
    )

    def told(text: str) -> list[str]:
        return [line for line in text.splitlines() if line.startswith('floorcast_negative_durations{metric="sales_')]

    names = ("sales_cycle_days_p50", "sales_cycle_days_mean")
    before = told((await floor.get("/metrics")).text)
    assert before == [f'floorcast_negative_durations{{metric="{name}"}} 2' for name in names]
    floor.take(change("deal", "d1", "2026-03-18T12:00Z", closed_at="2026-03-18T11:00Z"))
    after = told((await floor.get("/metrics")).text)
    assert after == [f'floorcast_negative_durations{{metric="{name}"}} 1' for name in names]


async def test_answers_are_made_while_many_scrape(tmp_path: Path) -> None:
    floor = Floor(tmp_path)
    floor.read_side.broadcaster.pin(("today",), floor.now)
    floor.take(change("call", "c1", rep="r1", direction="outbound", dialed_at="2026-03-18T15:00Z"))

    answers = await asyncio.gather(*(floor.get("/metrics") for _ in range(8)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert 'floorcast_calls_made{rep="r1",team="north",window="today"} 1\n' in answers[0].text


async def test_scrape_leaves_the_loop_to_others_between_its_pieces(tmp_path: Path) -> None:
    floor = Floor(tmp_path)
    floor.read_side.broadcaster.pin(("today",), floor.now)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    answer = await floor.get("/metrics")
    counting.cancel()

    metrics = answer.text.count("# TYPE floorcast_")
    assert metrics > 20
    assert turns > 20

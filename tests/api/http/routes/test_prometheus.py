"""`GET /metrics` of a whole api: the numbers of the view beside those of the process."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from api.app import build_read_side, create_app
from api.read.exported_part import windows_in_whole
from api.settings import Settings
from schemas.config import ConfigError, parse_config
from tests.api.fakes import FakeIngest
from tests.api.reading import Floor, floor_config
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


@pytest.mark.parametrize(
    ("reps", "people"),
    [("all", {"r1", "r2", "r3", "r4"}), ("none", set()), ({"top": 1, "by": "calls_made"}, {"r3"})],
)
async def test_who_has_series_is_chosen_in_the_configuration(tmp_path: Path, reps: Any, people: set[str]) -> None:
    config = floor_config(prometheus={"windows": ["today", "1h"], "reps": reps})
    floor = Floor(tmp_path, config)
    floor.read_side.broadcaster.pin(windows_in_whole(config), floor.now)
    calls = [("r1", "15:00"), ("r3", "15:10"), ("r3", "15:20"), ("r2", "09:00")]
    floor.take(
        *(
            change("call", f"c{number}", rep=rep, direction="outbound", dialed_at=f"2026-03-18T{at}Z")
            for number, (rep, at) in enumerate(calls)
        )
    )

    text = (await floor.get("/metrics")).text
    lines = [line for line in text.splitlines() if line.startswith("floorcast_calls_made{")]

    assert {line.partition('rep="')[2].partition('"')[0] for line in lines if "rep=" in line} == people
    teams = [line for line in lines if "rep=" not in line]
    assert teams == (
        []
        if reps == "all"
        else [
            'floorcast_calls_made{team="north",window="today"} 2',
            'floorcast_calls_made{team="south",window="today"} 2',
            'floorcast_calls_made{team="north",window="1h"} 1',
            'floorcast_calls_made{team="south",window="1h"} 2',
        ]
    )
    assert ('floorcast_calls_made{rep="r3",team="south",window="1h"} 2' in lines) == ("r3" in people)


@pytest.mark.parametrize(
    ("reps", "why"),
    [
        ("{top: 5, by: calls_maid}", "prometheus.reps.by: there is no metric 'calls_maid'; did you mean 'calls_made'?"),
        ("{top: 0, by: calls_made}", "prometheus.reps"),
        ("{top: 5}", "prometheus.reps"),
        ("some", "prometheus.reps"),
    ],
)
def test_an_export_that_means_nothing_is_refused_by_its_name(reps: str, why: str) -> None:
    text = "organisation: {name: A, timezone: UTC, currency: USD}\n"
    text += "connections: {feed: {kind: generic, secrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw]}}\n"
    with pytest.raises(ConfigError) as refused:
        parse_config(f"{text}prometheus: {{reps: {reps}}}\n", {})

    assert all("floorcast.yaml:3: prometheus.reps" in problem for problem in refused.value.problems)
    assert any(why in problem for problem in refused.value.problems)

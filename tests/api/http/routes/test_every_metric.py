"""Every metric of the catalogue at every address that takes one: nothing is answered 500, and no two disagree."""

from pathlib import Path
from typing import Any

import pytest

from schemas.catalogue.reading import shipped
from tests.api.reading import Floor, floor_config
from tests.builders import change

AT = "2026-03-18T10:00Z"
LISTS = """
dimensions:
  product: {of: deal.product, values: {Pro: [pro]}}
  size: {of: deal.size, values: {Small: [smb]}}
  source: {of: lead.source, values: {Web: [web]}}
  lost_reason: {of: deal.lost_reason, values: {Price: [price]}}
metrics: {}
"""
ROUTES = ("/v1/reps/metrics", "/v1/reps/r1/metrics", "/v1/teams/north/metrics", "/v1/organisation/metrics")


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Floor:
    reps = {
        "r1": {"team": "north", "since": "2026-01-05"}, "r2": {"team": "north"}, "r3": {"team": "north"}, "r4": {},
    }  # fmt: skip
    config = floor_config(defines=LISTS, reps=reps, currency_rates={"EUR": "1.1"})
    made = Floor(Path(tmp_path_factory.mktemp("floor")), config)
    made.take(
        change("lead", "l1", AT, rep="r1", received_at="2026-03-17T10:00Z", source="web", value="10", customer="c1"),
        change("lead", "l1", AT, status="qualified"),
        change("lead", "l2", AT, rep="r2", received_at=AT, source="list_bought", value="10", currency="EUR"),
        change("call", "c1", AT, rep="r1", lead="l1", direction="outbound", dialed_at=AT, talk_seconds=90),
        change("call", "c2", AT, rep="r2", direction="outbound", dialed_at=AT, automated=True, logged_at=AT),
        change("email", "e1", AT, rep="r1", lead="l1", direction="outbound", sent_at=AT, thread="t", contacts=["p1"]),
        change("email", "e2", AT, rep="r1", direction="inbound", sent_at="2026-03-18T10:05Z", thread="t"),
        change("meeting", "m1", AT, rep="r1", lead="l1", kind="demo", outcome="held", starts_at=AT, booked_at=AT),
        change("deal", "d1", AT, rep="r1", lead="l1", created_at="2026-03-01T10:00Z", closed_at=AT, status="won",
               amount="100", list_amount="120", cost="30", product="pro", size="smb", kind="new",
               customer="c1", units=2),
        change("deal", "d2", AT, rep="r2", lead="l2", created_at=AT, closed_at="2026-03-18T11:00Z", status="lost",
               amount="50", currency="EUR", stage="offer", lost_reason="price", creator="r1"),
        change("deal", "d3", AT, rep="r3", created_at=AT, status="open", amount="7", currency="JPY", stage="talk"),
        change("credit", "k1", AT, rep="r1", at=AT, amount="5", deal="d1"),
        change("subscription", "s1", AT, rep="r1", customer="c1", starts_at="2026-01-01T00:00Z", ends_at=AT,
               monthly_amount="20"),
        change("subscription", "s2", AT, rep="r1", customer="c1", starts_at=AT, monthly_amount="30"),
        change("activity", "a1", AT, rep="r1", kind="tool_used", at=AT),
        change("activity", "a2", AT, rep="r1", kind="visitors", at=AT, value="40"),
        change("activity", "a3", AT, rep="r1", kind="cost", at=AT, value="40"),
    )  # fmt: skip
    return made


@pytest.mark.parametrize("window", ["today", "24h", "month"])
@pytest.mark.parametrize("path", ROUTES)
async def test_all_of_them_in_rows_with_every_comparison(floor: Floor, path: str, window: str) -> None:
    kinds = "previous,last_year,share,benchmark" + (",team,best" if "/reps" in path else "")
    answer = await floor.read(path, window=window, compare=kinds)

    for row in answer.get("rows", [answer]):
        assert [*row["metrics"]] == [*shipped().metrics]
        for compared in row["compare"].values():
            assert compared["metrics"].keys() <= row["metrics"].keys()
    table = await floor.get(path, window=window, format="csv")
    assert table.text.splitlines()[0].endswith(",".join(shipped().metrics))


@pytest.mark.parametrize("by", ["team", "tenure", "region", "product", "kind", "source", "response_band"])
async def test_those_of_a_dimension_in_segments(floor: Floor, by: str) -> None:
    view = floor.view
    dimension = view.dimensions.get(by)
    is_of_person = dimension is None or dimension.is_of_person
    names = [name for name in view.catalogue if is_of_person or view.lacking(name, by) is None]
    assert names
    asked: dict[str, Any] = {"window": "month", "by": by, "metrics": ",".join(names), "compare": "previous,share"}

    row = await floor.read("/v1/organisation/metrics", **asked)

    assert row["segments"]
    for segment in row["segments"]:
        assert [*segment["metrics"]] == names
    others = [name for name in view.catalogue if name not in names]
    for name in others[:1]:
        assert await floor.refused("/v1/organisation/metrics", by=by, metrics=name) == (422, "by")


@pytest.mark.parametrize("metric", shipped().metrics)
async def test_a_leaderboard_and_a_series_say_what_a_row_says(floor: Floor, metric: str) -> None:
    row = await floor.read("/v1/reps/r1/metrics", metrics=metric)
    board = await floor.read(f"/v1/leaderboards/{metric}", limit=3)
    is_funnel = floor.view.catalogue[metric].type == "funnel"

    assert {entry["rep"]: entry["value"] for entry in board["entries"]}.get("r1", row["metrics"][metric]) == (
        row["metrics"][metric]
    )
    if is_funnel:
        assert await floor.refused(f"/v1/series/{metric}", rep="r1") == (422, "metric")
        return
    for step in ("1d", "1mo"):
        series = await floor.read(f"/v1/series/{metric}", rep="r1", step=step, from_="2026-03-18", by="team")
        assert all(point.keys() >= {"from", "to", "value", "segments"} for point in series["points"])
        if step == "1d":
            assert series["points"][0]["value"] == row["metrics"][metric]


async def test_all_of_them_for_who_stands_out_and_in_prometheus(floor: Floor) -> None:
    assert (await floor.read("/v1/standouts", window="year"))["rows"] is not None
    assert (await floor.get("/metrics")).status_code == 200

"""`/v1/funnels`: the steps of a pipeline and of leads, whole and by a dimension, for those who may see them."""

from pathlib import Path
from typing import Any

from schemas.config import Config
from tests.api.reading import Floor, floor_config
from tests.builders import change

PIPELINES = {
    "sales": {"steps": ["lead", "talk", "offer"], "won": ["closed"], "labels": {"talk": "First talk"}},
    "renewals": {"steps": ["due", "offer"]},
}
OWN = """
dimensions:
  product: {of: deal.product, values: {Pro: [pro]}, other: Other}
metrics:
  by_product: {unit: ratio, type: funnel, from: deal, path: stage, mode: visited, credit: rep, by: [product]}
"""


def config(**more: Any) -> Config:
    return floor_config(**{"pipelines": PIPELINES, "defines": OWN} | more)


def deal(id: str, rep: str, *stages: str, **fields: Any) -> list[Any]:
    return [
        change(
            "deal", id, f"2026-03-1{2 + place}T02:00Z", rep=rep, stage=stage, **{"pipeline": "sales", **fields}
        )
        for place, stage in enumerate(stages)
    ]  # fmt: skip


def counts(answer: Any) -> list[tuple[Any, ...]]:
    return [(step["step"], step["entered"], step["advanced"], step["lost"], step["open"]) for step in answer["steps"]]


async def test_the_steps_of_a_pipeline_have_the_contract_shape(tmp_path: Path) -> None:
    floor = Floor(tmp_path, config())
    floor.take(*deal("d1", "r1", "lead", "talk"), *deal("d2", "r2", "lead", "offer"))
    floor.take(*deal("d3", "r1", "lead", status="lost"), *deal("d4", "r1", "due", pipeline="renewals"))

    answer = await floor.read("/v1/funnels/stage_conversion", window="month")

    assert answer["steps"][0] == {
        "step": "lead", "label": "Lead", "entered": 3, "advanced": 2, "lost": 1, "open": 0,
        "conversion": 2 / 3, "leak": 1 / 3, "time_in_stage_days_p50": 1.0, "running": 0, "oldest_running_seconds": None,
    }  # fmt: skip
    assert counts(answer)[1:] == [("talk", 2, 1, 0, 1), ("offer", 1, 0, 0, 1), ("won", 0, 0, 0, 0)]
    talk, last = answer["steps"][1], answer["steps"][-1]
    assert (talk["label"], talk["running"]) == ("First talk", 1)
    assert talk["oldest_running_seconds"] == 5 * 86_400 + 13 * 3600 + 30 * 60 + 20
    assert (last["conversion"], last["leak"]) == (None, None)
    assert (answer["worst"], answer["pipeline"], answer["as_of"]) == (None, "sales", "2026-03-18T15:30:20.500Z")
    row = await floor.read("/v1/organisation/metrics", window="month", metrics="stage_conversion")
    assert row["metrics"] == {"stage_conversion": 0.0}


async def test_a_pipeline_a_rep_or_a_team_is_chosen(tmp_path: Path) -> None:
    floor = Floor(tmp_path, config())
    floor.take(
        *deal("d1", "r1", "lead", "closed"), *deal("d2", "r3", "lead"), *deal("d3", "r3", "due", pipeline="renewals")
    )

    async def read(**asked: str) -> list[tuple[Any, ...]]:
        asked |= {} if "to" in asked else {"window": "month"}
        return counts(await floor.read("/v1/funnels/stage_conversion", **asked))

    assert (await read(pipeline="renewals"))[0] == ("due", 1, 0, 0, 1)
    assert (await read(rep="r3"))[0] == ("lead", 1, 0, 0, 1)
    assert (await read(team="north"))[-1] == ("won", 1, 1, 0, 0)
    assert (await read(from_="2026-03-13", to="2026-03-14"))[0] == ("lead", 0, 0, 0, 0)


async def test_the_worst_step_is_where_the_largest_share_is_lost(tmp_path: Path) -> None:
    floor = Floor(tmp_path, config())
    for number in range(20):
        floor.take(*deal(f"d{number}", "r1", "lead", "talk", status="lost" if number < 8 else "open"))
    for number in range(10):
        floor.take(*deal(f"x{number}", "r1", "lead", status="lost"))

    answer = await floor.read("/v1/funnels/stage_conversion", window="month")

    assert counts(answer)[:2] == [("lead", 30, 20, 10, 0), ("talk", 20, 0, 8, 12)]
    assert answer["worst"] == "talk"


async def test_by_a_dimension_each_label_has_its_steps(tmp_path: Path) -> None:
    floor = Floor(tmp_path, config())
    floor.take(*deal("d1", "r1", "lead", "talk", product="pro"), *deal("d2", "r3", "lead"), *deal("d3", "r4", "lead"))

    def firsts(answer: Any) -> list[tuple[Any, int]]:
        return [(*part["by"].values(), part["steps"][0]["entered"]) for part in answer["segments"]]

    own = await floor.read("/v1/funnels/by_product", window="month", by="product")
    assert firsts(own) == [("Pro", 1), ("Other", 2)]
    assert firsts(await floor.read("/v1/funnels/by_product", window="month", by="team")) == [
        ("north", 1), ("south", 1), (None, 1),
    ]  # fmt: skip


async def test_leads_have_a_funnel_without_pipelines(tmp_path: Path) -> None:
    floor = Floor(tmp_path)
    floor.take(
        change("lead", "l1", "2026-03-17T01:00Z", rep="r1", received_at="2026-03-17T01:00Z"),
        change("lead", "l2", "2026-03-17T01:00Z", rep="r1", received_at="2026-03-17T01:00Z", status="disqualified"),
        change("deal", "d1", "2026-03-18T01:00Z", lead="l1", status="won", created_at="2026-03-17T02:00Z"),
    )

    answer = await floor.read("/v1/funnels/lead_funnel", window="month")

    assert counts(answer) == [
        ("received", 2, 1, 1, 0), ("answered", 1, 1, 0, 0), ("qualified", 1, 1, 0, 0), ("deal", 1, 1, 0, 0),
        ("won", 1, 1, 0, 0),
    ]  # fmt: skip
    empty = await floor.read("/v1/funnels/stage_conversion")
    assert (empty["steps"], empty["worst"]) == ([], None)


async def test_what_cannot_be_asked_is_refused_by_name(tmp_path: Path) -> None:
    floor = Floor(tmp_path, config())

    for asked, field in (
        ({"path": "calls_made"}, "metric"),
        ({"path": "nothing"}, "metric"),
        ({"path": "stage_conversion", "pipeline": "x"}, "pipeline"),
        ({"path": "lead_funnel", "pipeline": "sales"}, "pipeline"),
        ({"path": "stage_conversion", "by": "product"}, "by"),
        ({"path": "stage_conversion", "by": "x"}, "by"),
        ({"path": "stage_conversion", "rep": "r1", "team": "north"}, "team"),
    ):
        path = asked.pop("path")
        assert await floor.refused(f"/v1/funnels/{path}", **asked) == (422, field)
    assert await floor.refused("/v1/funnels/stage_conversion", rep="x") == (404, "rep")
    rows = await floor.refused("/v1/organisation/metrics", metrics="by_product", by="product")
    assert rows == (422, "by")


async def test_a_key_of_a_team_sees_only_that(tmp_path: Path) -> None:
    floor = Floor(tmp_path, config())
    key = floor.key("board", team="north")

    async def status(**asked: str) -> int:
        return (await floor.get("/v1/funnels/stage_conversion", headers=key, **asked)).status_code

    assert await status() == 403
    assert await status(team="south") == 403
    assert await status(team="north") == 200
    assert await status(rep="r3") == 404


async def test_the_clock_alone_makes_no_new_answer(tmp_path: Path) -> None:
    floor = Floor(tmp_path, config())
    floor.take(*deal("d1", "r1", "lead"))
    first = await floor.get("/v1/funnels/stage_conversion", window="month")
    floor.now += 5_000_000

    later = await floor.get("/v1/funnels/stage_conversion", window="month")

    assert first.headers["etag"] == later.headers["etag"]
    assert first.json()["steps"] != later.json()["steps"]


async def test_a_window_that_is_not_kept_has_steps_without_numbers(tmp_path: Path) -> None:
    floor = Floor(tmp_path, config(retention={"records": "40d"}))
    floor.take(*deal("d1", "r1", "lead", "talk", product="pro"))

    for asked in ({"window": "quarter"}, {"from_": "2026-02-05", "to": "2026-03-18"}):
        answer = await floor.read("/v1/funnels/by_product", by="product", **asked)
        assert [step["step"] for step in answer["steps"]] == ["lead", "talk", "offer", "won"]
        assert {value for step in answer["steps"] for name, value in step.items() if name not in {"step", "label"}} == {
            None
        }
        assert answer["unavailable"] == {"by_product": "kept since 2026-02-06"}
        assert [part["steps"][0]["entered"] for part in answer["segments"]] == [None, None]
        assert (await floor.read("/v1/funnels/by_product", by="team", **asked))["segments"] == []
    kept = await floor.read("/v1/funnels/by_product", from_="2026-02-06", to="2026-03-18")
    assert "unavailable" not in kept
    assert kept["steps"][0]["entered"] == 1

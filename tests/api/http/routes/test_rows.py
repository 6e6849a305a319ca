"""What rows are asked for with: `compare`, `by` and CSV; shapes, errors and what a key may see."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from deploy.verification.recount import recount
from schemas.records import RecordChange
from tests.api.reading import Floor, floor_config
from tests.builders import change
from tests.segments import segments

AT = "2026-03-18T10:00Z"
LATER = "2026-03-18T12:00Z"


def dialled(rep: str | None, id: str, at: str = AT) -> RecordChange:
    return change("call", id, at, rep=rep, direction="outbound", dialed_at=at)


@pytest.fixture
def floor(tmp_path: Path) -> Floor:
    reps = {
        "r1": {"name": "=1+1", "team": "north"}, "r2": {"name": 'Zoë "Z", Ünal\nLim', "team": "north"},
        "r3": {"name": "@c", "team": "south"},
    }  # fmt: skip
    made = Floor(tmp_path, floor_config(teams={"north": {"name": "+North"}, "south": {}}, reps=reps))
    made.take(
        dialled("r1", "c1"), dialled("r1", "c2"), dialled("r1", "c3", "2026-03-17T10:00Z"), dialled(None, "c4"),
        change("deal", "d1", AT, rep="r1", status="won", closed_at=AT, amount="-20"),
    )  # fmt: skip
    return made


async def test_comparison_has_the_contract_shape(floor: Floor) -> None:
    asked: dict[str, Any] = {"metrics": "calls_made,connect_rate", "compare": "previous,team,share"}
    row = await floor.read("/v1/reps/r1/metrics", **asked)

    assert [*row["compare"]] == ["previous", "team", "share"]
    assert row["compare"]["previous"] == {
        "window": {"name": "previous", "from": "2026-03-16T16:00:00.000Z", "to": "2026-03-17T15:31:00.000Z"},
        "metrics": {"calls_made": 1, "connect_rate": 0.0},
        "bounds": {},
        "change": {"calls_made": 1.0, "connect_rate": None},
    }
    assert row["compare"]["team"]["metrics"]["calls_made"] == 1
    assert row["compare"]["share"]["metrics"] == {"calls_made": {"team": 1.0, "organisation": 2 / 3}}
    rows = await floor.read("/v1/reps/metrics", **asked)
    assert [each["compare"]["team"]["change"]["calls_made"] for each in rows["rows"]] == [1.0, -1.0, None]
    assert (await floor.read("/v1/organisation/metrics", **asked | {"compare": "share"}))["compare"]["share"]


@pytest.mark.parametrize(
    ("path", "asked", "field"),
    [
        ("/v1/reps/r1/metrics", {"compare": "next"}, "compare"),
        ("/v1/teams/north/metrics", {"compare": "team"}, "compare"),
        ("/v1/organisation/metrics", {"compare": "previous,best"}, "compare"),
        ("/v1/reps/metrics", {"by": "product"}, "by"),
        ("/v1/reps/metrics", {"by": "colour"}, "by"),
        ("/v1/reps/metrics", {"metrics": "calls_made", "by": "kind"}, "by"),
        ("/v1/reps/metrics", {"format": "xml"}, "format"),
        ("/v1/reps/metrics", {"limit": 0}, "limit"),
        ("/v1/reps/metrics", {"limit": 1001}, "limit"),
        ("/v1/reps/metrics", {"limit": 1, "cursor": "x"}, "cursor"),
        ("/v1/reps/metrics", {"cursor": "WzAsInIxIl0"}, "cursor"),
        ("/v1/stream", {"by": "team"}, "by"),
        ("/v1/stream", {"compare": "previous"}, "compare"),
        ("/v1/leaderboards/calls_made", {"format": "csv"}, "format"),
    ],
)
async def test_what_means_nothing_is_named(floor: Floor, path: str, asked: dict[str, str], field: str) -> None:
    assert await floor.refused(path, **asked) == (422, field)


async def test_a_key_of_a_team_learns_no_share_of_the_organisation(floor: Floor) -> None:
    asked: dict[str, Any] = {"metrics": "calls_made", "compare": "share"}
    answer = await floor.get("/v1/reps/r1/metrics", headers=floor.key(team="north"), **asked)

    assert answer.json()["compare"]["share"]["metrics"] == {"calls_made": {"team": 1.0}}


async def test_table_has_a_line_for_each_rep_and_no_cell_is_a_formula(floor: Floor) -> None:
    asked: dict[str, Any] = {"metrics": "calls_made,connect_rate,revenue_won", "compare": "previous"}
    answer = await floor.get("/v1/reps/metrics", format="csv", **asked)

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    head, *lines = csv.reader(io.StringIO(answer.content.decode("utf-8"), newline=""), strict=True)
    window = "window,from,to,as_of,currency"
    assert ",".join(head) == f"rep,name,team,{window},calls_made,connect_rate,revenue_won"
    span = ["today", "2026-03-17T16:00:00.000Z", "2026-03-18T16:00:00.000Z", "2026-03-18T15:30:20.500Z", "USD"]
    assert lines == [
        ["r1", "'=1+1", "north", *span, "2", "0.0", "-20.00"],
        ["r2", 'Zoë "Z", Ünal\nLim', "north", *span, "0", "", "0.00"],
        ["r3", "'@c", "south", *span, "0", "", "0.00"],
    ]
    assert answer.content.count(b"\r\n") == 4


async def test_table_of_a_team_and_of_the_organisation_and_of_segments(floor: Floor) -> None:
    asked: dict[str, Any] = {"format": "csv", "metrics": "calls_made"}
    team = (await floor.get("/v1/teams/north/metrics", **asked)).text.split("\r\n")
    whole = (await floor.get("/v1/organisation/metrics", **asked, by="team")).text.split("\r\n")

    assert team[0] == "team,name,window,from,to,as_of,currency,calls_made"
    assert team[1].startswith("north,'+North,today,")
    assert team[1].endswith(",,2")
    assert whole[0] == "window,from,to,as_of,currency,team,calls_made"
    assert [line.split(",")[-2:] for line in whole[1:-1]] == [["north", "2"], ["", "1"]]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/csv", "text/csv"), ("*/*", "application/json"), ("application/json, text/csv;q=0.5", "application/json"),
        ("text/csv, */*;q=0.1", "text/csv"), ("text/csv;q=0", "application/json"), ("text/csv;q=x", "application/json"),
    ],
)  # fmt: skip
async def test_a_client_says_which_form_it_takes(floor: Floor, accept: str, kind: str) -> None:
    answer = await floor.get("/v1/reps/r1/metrics", headers={"accept": accept})

    assert answer.headers["content-type"].startswith(kind)
    assert answer.headers["vary"].lower().startswith("accept")
    asked = await floor.get("/v1/reps/r1/metrics", headers={"accept": accept}, format="json")
    assert asked.headers["content-type"] == "application/json"


async def test_each_form_has_an_etag_of_its_own_that_the_clock_does_not_move(floor: Floor) -> None:
    path = "/v1/reps/r1/metrics"
    asked: dict[str, Any] = {"metrics": "calls_made"}
    json, table = [await floor.get(path, **asked, format=form) for form in ("json", "csv")]
    floor.now += 1000

    again = await floor.get(path, headers={"if-none-match": table.headers["etag"]}, **asked, format="csv")
    assert again.status_code == 304
    assert json.headers["etag"] != table.headers["etag"]


async def test_bands_of_the_time_to_an_answer_are_the_configurations(tmp_path: Path) -> None:
    rules = {"response_bands": ["10m", "2h"], "rules": [{"sla": "1h"}]}
    floor = Floor(tmp_path, floor_config(lead_response=rules))
    said = [change("lead", f"l{place}", AT, rep="r1", received_at=AT) for place in range(3)]
    said += [
        change("email", "e0", LATER, rep="r1", lead="l0", direction="outbound", sent_at="2026-03-18T10:10Z"),
        change("email", "e1", LATER, rep="r1", lead="l1", direction="outbound", sent_at="2026-03-18T10:11Z"),
    ]
    floor.take(*said)

    row = await floor.read("/v1/organisation/metrics", metrics="lead_qualification_rate", by="response_band")

    told = {part["by"]["response_band"]: part["metrics"]["lead_qualification_rate"] for part in row["segments"]}
    assert told == {"10m": 0.0, "2h": 0.0, "later": None, "never": 0.0, "unknown": None}
    recounted = segments(
        recount(said, floor.config), "lead_qualification_rate", "response_band", now=floor.now, window="today"
    )
    assert told == {label: None if value is None else float(value) for label, value in recounted.items()}
    with pytest.raises(ValueError, match="must ascend"):
        floor_config(lead_response={"response_bands": ["1h", "5m"]})


@pytest.mark.parametrize(
    ("by", "metric", "lacking"),
    [
        ("stage", "time_in_stage_days_p50", "pipelines of floorcast.yaml name no steps"),
        ("size", "deals_won", "metrics.yaml lists no values of it"),
    ],
)
async def test_a_dimension_without_values_says_where_they_come_from(
    tmp_path: Path, by: str, metric: str, lacking: str
) -> None:
    answer = await Floor(tmp_path).get("/v1/organisation/metrics", metrics=metric, by=by)

    assert answer.status_code == 422
    assert answer.json()["detail"] == f"by: {by} is not kept: {lacking}"


async def test_an_attribute_of_people_is_a_dimension_of_every_metric(tmp_path: Path) -> None:
    config = floor_config(
        defines="dimensions: {desk: {of: rep.attributes.desk}}",
        reps={"r1": {"attributes": {"desk": "3"}}, "r2": {}},
    )
    floor = Floor(tmp_path, config)
    at = "2026-03-18T05:00Z"
    floor.take(
        *(change("call", rep, at, rep=rep, direction="outbound", dialed_at=at) for rep in ("r1", "r2", "r3")),
        change("rep", "r3", at, attributes='{"desk":4}'),
    )

    row = await floor.read("/v1/organisation/metrics", metrics="calls_made", by="desk")

    assert [(one["by"]["desk"], one["metrics"]["calls_made"]) for one in row["segments"]] == [
        ("3", 1), ("4", 1), (None, 1),
    ]  # fmt: skip

"""The catalogue, the roster and rows of metrics: shapes, windows, ids, errors, ETags."""

from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest

from schemas.catalogue import begins_at_zero
from schemas.instants import DAY, HOUR, MINUTE, SECOND, format_instant
from schemas.windows import WINDOWS
from tests.api.reading import Floor, floor_config
from tests.builders import change, instant, make_config
from tests.oracle import METRICS, differences, recount

STRANGE_IDS = (
    "ns:1/2",
    "a b",
    "metrics",
    "x/metrics",
    "Zoë/Ünal",
    "100%",
    "a?b#c",
    "waiting",
    "'quoted\"",
    "+1",
    "a/../b",
)


@pytest.fixture
def floor(tmp_path: Path) -> Floor:
    return Floor(tmp_path)


def dialled(rep: str | None, id: str, at: str, **fields: Any) -> Any:
    return change("call", id, at, rep=rep, direction="outbound", dialed_at=at, **fields)


async def test_catalogue_names_label_unit_direction_definition_and_version(floor: Floor) -> None:
    answer = await floor.read("/v1/metrics")

    assert [row["name"] for row in answer["rows"]] == list(floor.view.catalogue)
    assert set(METRICS) <= {row["name"] for row in answer["rows"]}
    fields = "name label unit better type additive definition description version versions by tags owner benchmark"
    assert all([*row] == fields.split() for row in answer["rows"])
    assert all(row["definition"] == row["description"] for row in answer["rows"])
    (calls,) = (row for row in answer["rows"] if row["name"] == "calls_made")
    assert calls | {"definition": "", "description": "", "by": []} == {
        "name": "calls_made", "label": "Calls made", "unit": "count", "better": "higher", "type": "simple",
        "additive": True, "definition": "", "description": "", "version": 1,
        "versions": [{"version": 1, "since": None, "note": None}], "by": [],
        "tags": ["leading", "efficiency", "activity"],
        "owner": None, "benchmark": None,
    }  # fmt: skip
    lower = {row["name"] for row in answer["rows"] if row["better"] == "lower"}
    assert lower >= {"lead_response_seconds_p50", "lead_response_seconds_p90", "sales_cycle_days_p50", "deals_lost"}
    assert not lower & {"talk_seconds", "calls_made", "win_rate", "lead_response_within_sla"}
    additive = {row["name"] for row in answer["rows"] if row["additive"]}
    assert additive >= {"calls_made", "talk_seconds", "revenue_won", "open_pipeline"}
    assert not additive & {"win_rate", "lead_response_seconds_p50", "reps_active", "contacts_mailed"}
    assert answer["as_of"] == "2026-03-18T15:30:20.500Z"


async def test_catalogue_has_what_a_user_defines(tmp_path: Path) -> None:
    text = (
        "metrics: {demos: {unit: count, owner: revops, benchmark: {value: 3, source: us}, type: simple, from: meeting, "
        "at: starts_at, credit: rep, agg: count}, talk_seconds: false}"
    )
    answer = await Floor(tmp_path, floor_config(defines=text)).read("/v1/metrics")

    assert answer["rows"][-1] | {"versions": []} == {
        "name": "demos", "label": "Demos", "unit": "count", "better": "higher", "type": "simple",
        "additive": True, "definition": "Demos.", "description": "Demos.", "version": 1, "versions": [], "by": [],
        "tags": [], "owner": "revops", "benchmark": {"value": "3", "source": "us"},
    }  # fmt: skip
    assert "talk_seconds" not in {row["name"] for row in answer["rows"]}


async def test_roster_has_everybody_of_the_file_and_of_the_records(floor: Floor) -> None:
    floor.take(
        change("rep", "r1", name="Somebody", team="south"),
        change("rep", "r9", name="Ina", team="west", active=False),
        dialled("stranger", "c1", "2026-03-18T10:00Z"),
    )

    reps = {row["rep"]: row for row in (await floor.read("/v1/reps"))["rows"]}
    teams = {row["team"]: row for row in (await floor.read("/v1/teams"))["rows"]}

    assert reps["r1"] == {"rep": "r1", "name": "Ana", "team": "north", "active": True, "in_roster": True}
    assert reps["r9"] == {"rep": "r9", "name": "Ina", "team": "west", "active": False, "in_roster": True}
    assert reps["stranger"] == {
        "rep": "stranger", "name": "stranger", "team": None, "active": True, "in_roster": False,
    }  # fmt: skip
    assert reps["r4"]["team"] is None
    assert teams["west"] == {"team": "west", "name": "west", "reps": ["r9"]}
    assert teams["north"] == {"team": "north", "name": "North", "reps": ["r1", "r2"]}


async def test_row_of_a_rep_has_the_contract_shape(floor: Floor) -> None:
    floor.take(dialled("r1", "c1", "2026-03-18T15:00Z"))

    row = await floor.read("/v1/reps/r1/metrics", metrics="calls_made,connect_rate")

    assert row == {
        "rep": "r1", "name": "Ana", "team": "north",
        "window": {"name": "today", "from": "2026-03-17T16:00:00.000Z", "to": "2026-03-18T16:00:00.000Z"},
        "as_of": "2026-03-18T15:30:20.500Z",
        "metrics": {"calls_made": 1, "connect_rate": 0.0},
        "bounds": {},
    }  # fmt: skip


async def test_row_of_a_team_has_no_rep_and_the_organisations_neither(floor: Floor) -> None:
    floor.take(
        dialled("r1", "c1", "2026-03-18T15:00Z"),
        dialled("r3", "c2", "2026-03-18T15:00Z"),
        dialled(None, "c3", "2026-03-18T15:00Z"),
    )

    north = await floor.read("/v1/teams/north/metrics", metrics="calls_made")
    everybody = await floor.read("/v1/organisation/metrics", metrics="calls_made")

    assert (north["team"], "rep" in north, north["metrics"]) == ("north", False, {"calls_made": 1})
    assert not {"rep", "team", "name"} & everybody.keys()
    assert everybody["metrics"] == {"calls_made": 3}


async def test_list_has_rows_and_as_of(floor: Floor) -> None:
    everybody = await floor.read("/v1/reps/metrics", window="1h", metrics="calls_made")
    north = await floor.read("/v1/reps/metrics", window="1h", team="north")

    assert set(everybody) == {"rows", "as_of"}
    assert [row["rep"] for row in everybody["rows"]] == ["r1", "r2", "r3", "r4"]
    assert [row["rep"] for row in north["rows"]] == ["r1", "r2"]
    assert all(list(row["metrics"]) == list(floor.view.catalogue) for row in north["rows"])


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 1000])
async def test_pages_of_a_list_are_the_list(floor: Floor, limit: int) -> None:
    whole = await floor.read("/v1/reps/metrics", metrics="calls_made")
    path, rows, sizes = "/v1/reps/metrics", [], []
    answer = await floor.get(path, metrics="calls_made", limit=limit)
    while True:
        page = answer.json()
        rows += page["rows"]
        sizes.append(len(page["rows"]))
        assert set(page) == {"rows", "as_of", "next"}
        assert ("link" in answer.headers) == (page["next"] is not None)
        if page["next"] is None:
            break
        address = answer.headers["link"].removeprefix("<").removesuffix('>; rel="next"')
        assert httpx.URL(address).params["cursor"] == page["next"]
        answer = await floor.get(address)

    assert rows == whole["rows"]
    assert all(size == limit for size in sizes[:-1])


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/reps/metrics", "limit"), ("/v1/leaderboards/calls_made", "limit"), ("/v1/leads/waiting", "limit"),
        ("/v1/goals", "count"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("given", ["1_0", "1.0", "+5", "05", " 5", "5 ", "1e1", "0x1", "\u0663", "", "five"])
async def test_a_number_is_read_as_it_is_written(floor: Floor, path: str, name: str, given: str) -> None:
    answer = await floor.get(f"{path}?{urlencode({name: given})}")

    assert (answer.status_code, answer.json()["field"]) == (422, name)
    assert "is not a whole number like 50" in answer.json()["detail"]


async def test_a_page_is_of_the_team_that_is_asked_for_and_goes_on_where_somebody_came(floor: Floor) -> None:
    first = await floor.read("/v1/reps/metrics", team="north", limit=1)
    floor.take(change("rep", "r11", name="New", team="north"), change("rep", "a", name="Before", team="north"))
    second = await floor.read("/v1/reps/metrics", team="north", limit=1, cursor=first["next"])
    third = await floor.read("/v1/reps/metrics", team="north", limit=1, cursor=second["next"])

    assert [page["rows"][0]["rep"] for page in (first, second, third)] == ["r1", "r11", "r2"]
    assert third["next"] is None


async def test_nothing_is_0_for_counts_and_null_for_ratios(floor: Floor) -> None:
    metrics = (await floor.read("/v1/reps/r1/metrics"))["metrics"]

    assert (metrics["calls_made"], metrics["talk_seconds"], metrics["revenue_won"]) == (0, 0, "0.00")
    absent = {name for name, value in metrics.items() if value is None}
    assert {"connect_rate", "lead_response_seconds_p50", "win_rate", "average_deal_size", "cac"} <= absent
    by_days = {"leads_per_rep", "crm_usage", "crm_adoption", "tool_usage"}  # somebody is here all the same
    assert absent == {name for name in metrics if not begins_at_zero(floor.view.catalogue, name)} - by_days


async def test_currency_stands_on_rows_with_money_only(floor: Floor) -> None:
    with_money = await floor.read("/v1/reps/r1/metrics", metrics="revenue_won,calls_made")
    without = await floor.read("/v1/reps/r1/metrics", metrics="calls_made")

    assert with_money["currency"] == "USD"
    assert "currency" not in without


async def test_bound_says_how_long_a_percentile_is_at_least(floor: Floor) -> None:
    floor.take(change("lead", "l1", rep="r1", received_at="2026-03-18T14:00Z"))

    row = await floor.read("/v1/reps/r1/metrics", metrics="lead_response_seconds_p50,leads_due")

    assert row["metrics"] == {"lead_response_seconds_p50": None, "leads_due": 1}
    assert row["bounds"] == {"lead_response_seconds_p50": 5420.5}


@pytest.mark.parametrize("window", WINDOWS)
async def test_every_window_is_served_as_the_recount_has_it(floor: Floor, window: str) -> None:
    ages = (0, 4 * MINUTE, 5 * MINUTE, 59 * MINUTE, 23 * HOUR, 24 * HOUR, 2 * DAY, 8 * DAY, 35 * DAY, 100 * DAY)
    log = [
        change(
            "call", f"c{age}", floor.now - age, rep=f"r{number % 4 + 1}", direction="outbound",
            dialed_at=floor.now - age, answered_at=floor.now - age, ended_at=floor.now - age + 61 * SECOND,
        )
        for number, age in enumerate(ages)
    ]  # fmt: skip
    floor.take(*log)

    rows: dict[str, Any] = {"teams": {}, "reps": {}}
    for row in (await floor.read("/v1/reps/metrics", window=window))["rows"]:
        rows["reps"][row["rep"]] = {"metrics": row["metrics"], "bounds": row["bounds"]}
    for team in ("north", "south"):
        row = await floor.read(f"/v1/teams/{team}/metrics", window=window)
        rows["teams"][team] = {"metrics": row["metrics"], "bounds": row["bounds"]}
    row = await floor.read("/v1/organisation/metrics", window=window)
    rows["organisation"] = {"metrics": row["metrics"], "bounds": row["bounds"]}

    assert differences(recount(log, floor.config).rows(now=floor.now, window=window), rows) == []  # type: ignore[arg-type]
    assert rows["organisation"]["metrics"]["calls_made"] > 0 or window == "yesterday"


async def test_dates_are_both_included(floor: Floor) -> None:
    floor.take(
        dialled("r1", "before", "2026-03-15T15:59:59.999Z"),
        dialled("r1", "first", "2026-03-15T16:00Z"),
        dialled("r1", "last", "2026-03-17T15:59:59.999Z"),
        dialled("r1", "after", "2026-03-17T16:00Z"),
    )

    row = await floor.read("/v1/reps/r1/metrics", from_="2026-03-16", to="2026-03-17", metrics="calls_made")

    assert row["metrics"] == {"calls_made": 2}
    assert row["window"] == {
        "name": "2026-03-16/2026-03-17",
        "from": "2026-03-15T16:00:00.000Z",
        "to": "2026-03-17T16:00:00.000Z",
    }


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)], ids=["spring forward", "fall back"]
)
async def test_day_of_a_clock_change_has_its_real_length(tmp_path: Path, day: str, hours: int) -> None:
    floor = Floor(tmp_path, make_config(timezone="Europe/Berlin"), now=f"{day}T23:59+01:00")

    window = (await floor.read("/v1/organisation/metrics", from_=day, to=day))["window"]

    assert instant(window["to"]) - instant(window["from"]) == hours * HOUR


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("/v1/reps/nobody/metrics", {}, (404, "rep")),
        ("/v1/teams/nowhere/metrics", {}, (404, "team")),
        ("/v1/reps/metrics", {"team": "nowhere"}, (404, "team")),
        ("/v1/reps", {"team": "nowhere"}, (404, "team")),
        ("/v1/reps/r1/metrics", {"window": "2h"}, (422, "window")),
        ("/v1/reps/metrics", {"window": ""}, (422, "window")),
        ("/v1/organisation/metrics", {"metrics": "calls_made,nonsense"}, (422, "metrics")),
        ("/v1/organisation/metrics", {"metrics": ","}, (200, None)),
        ("/v1/organisation/metrics", {"from": "2026-03-18", "to": "2026-03-17"}, (422, "to")),
        ("/v1/organisation/metrics", {"from": "2026-03-18"}, (422, "to")),
        ("/v1/organisation/metrics", {"to": "2026-03-18"}, (422, "from")),
        ("/v1/organisation/metrics", {"from": "18 March", "to": "2026-03-18"}, (422, "from")),
        ("/v1/organisation/metrics", {"window": "today", "from": "2026-03-18", "to": "2026-03-18"}, (422, "window")),
        ("/v1/organisation/metrics", {"from": "0001-01-01", "to": "0001-01-01"}, (422, "from")),
        ("/v1/organisation/metrics", {"from": "2026-03-18", "to": "9999-12-31"}, (422, "to")),
        ("/v1/organisation/metrics", {"from": "2020-01-01", "to": "2026-03-18"}, (422, "to")),
        ("/v1/organisation/metrics", {"window": ["today", "1h"]}, (422, "window")),
        ("/v1/reps/metrics", {"team": ["north", "north"]}, (422, "team")),
    ],
)
async def test_what_is_unknown_is_named(
    floor: Floor, path: str, query: dict[str, Any], expected: tuple[int, str | None]
) -> None:
    answer = await floor.get(path, **query)

    assert (answer.status_code, answer.json().get("field")) == expected, answer.text
    if expected[0] != 200:
        assert answer.headers["content-type"] == "application/problem+json"
        assert "\n" not in answer.json()["detail"]


async def test_error_names_what_was_asked_for(floor: Floor) -> None:
    assert "'nobody'" in (await floor.get("/v1/reps/nobody/metrics")).json()["detail"]
    assert "'2h'" in (await floor.get("/v1/reps/r1/metrics", window="2h")).json()["detail"]
    assert "'nonsense'" in (await floor.get("/v1/reps/metrics", metrics="nonsense")).json()["detail"]


@pytest.mark.parametrize("rep", STRANGE_IDS)
async def test_id_of_a_rep_may_hold_any_character(floor: Floor, rep: str) -> None:
    floor.take(dialled(rep, "c1", "2026-03-18T15:00Z"), change("rep", "m", team=f"team {rep}"))

    row = await floor.read(f"/v1/reps/{quote(rep, safe='')}/metrics", metrics="calls_made")
    team = await floor.read(f"/v1/teams/{quote(f'team {rep}', safe='')}/metrics", metrics="calls_made")

    assert (row["rep"], row["metrics"]) == (rep, {"calls_made": 1})
    assert team["team"] == f"team {rep}"


async def test_list_of_all_reps_is_not_taken_for_a_rep(floor: Floor) -> None:
    floor.take(dialled("metrics", "c1", "2026-03-18T15:00Z"))

    assert "rows" in await floor.read("/v1/reps/metrics")
    assert (await floor.refused("/v1/reps//metrics"))[0] == 404


async def test_etag_is_of_the_values_and_not_of_the_instant(floor: Floor) -> None:
    floor.take(dialled("r1", "c1", "2026-03-18T15:00Z"))
    before = await floor.get("/v1/reps/metrics")
    floor.now += 5 * SECOND

    unchanged = await floor.get("/v1/reps/metrics", headers={"if-none-match": before.headers["etag"]})
    floor.take(dialled("r1", "c2", "2026-03-18T15:01Z"))
    changed = await floor.get("/v1/reps/metrics", headers={"if-none-match": before.headers["etag"]})

    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert unchanged.headers["etag"] == before.headers["etag"]
    assert changed.status_code == 200
    assert changed.headers["etag"] != before.headers["etag"]


@pytest.mark.parametrize("header", ["*", "W/{}", '"other", {}'])
async def test_if_none_match_takes_lists_and_weak_tags(floor: Floor, header: str) -> None:
    tag = (await floor.get("/v1/teams")).headers["etag"]

    answer = await floor.get("/v1/teams", headers={"if-none-match": header.format(tag)})

    assert answer.status_code == 304


async def test_bound_that_only_grows_keeps_the_etag_and_one_that_sinks_does_not(floor: Floor) -> None:
    query: dict[str, Any] = {"metrics": "lead_response_seconds_p50"}
    floor.take(
        change("lead", "l1", rep="r1", received_at="2026-03-18T10:00Z"),
        change("lead", "l2", rep="r1", received_at="2026-03-18T13:00Z"),
    )
    before = await floor.get("/v1/reps/r1/metrics", **query)
    floor.now += SECOND

    grown = await floor.get("/v1/reps/r1/metrics", headers={"if-none-match": before.headers["etag"]}, **query)
    floor.take(change("lead", "l1", floor.now, deleted=True))
    sunk = await floor.get("/v1/reps/r1/metrics", headers={"if-none-match": before.headers["etag"]}, **query)

    assert grown.status_code == 304
    assert sunk.status_code == 200
    assert sunk.json()["metrics"] == before.json()["metrics"]
    assert sunk.json()["bounds"]["lead_response_seconds_p50"] < before.json()["bounds"]["lead_response_seconds_p50"]


async def test_no_number_is_served_while_the_view_loads(floor: Floor) -> None:
    floor.read_side.consumer.is_loaded = False

    for path in (
        "/v1/metrics", "/v1/reps", "/v1/teams", "/v1/reps/metrics", "/v1/reps/r1/metrics", "/v1/teams/north/metrics",
        "/v1/organisation/metrics", "/v1/leaderboards/calls_made", "/v1/series/calls_made", "/v1/leads/waiting",
        "/v1/leads/l1", "/v1/alerts", "/v1/dead-letters", "/v1/stream",
    ):  # fmt: skip
        answer = await floor.get(path)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1"), path


async def test_name_that_is_asked_for_twice_is_served_once(floor: Floor) -> None:
    row = await floor.read("/v1/reps/r1/metrics", metrics=" calls_made, calls_made ,")

    assert row["metrics"] == {"calls_made": 0}


async def test_answer_is_as_of_the_instant_it_names(floor: Floor) -> None:
    floor.now = instant("2026-03-18T15:30:20.500Z") + 999
    floor.take(change("lead", "l1", rep="r1", received_at=floor.now - HOUR))

    row = await floor.read("/v1/reps/r1/metrics", metrics="leads_due")

    assert row["as_of"] == format_instant(floor.now)
    assert row["metrics"] == {"leads_due": 0}  # it is due 999 microseconds after that

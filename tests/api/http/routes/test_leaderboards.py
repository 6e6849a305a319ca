"""Leaderboards (order, ties, limits) and series (steps, clock changes, what is kept)."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from schemas.instants import HOUR, MINUTE
from tests.api.reading import Floor, floor_config
from tests.builders import change, instant, make_config


@pytest.fixture
def floor(tmp_path: Path) -> Floor:
    return Floor(tmp_path)


def calls(rep: str, count: int, at: str = "2026-03-18T15:00Z", **fields: Any) -> list[Any]:
    return [
        change("call", f"{rep}-{number}-{at}", at, rep=rep, direction="outbound", dialed_at=at, **fields)
        for number in range(count)
    ]


def won(rep: str, amount: str, deal: str | None = None) -> Any:
    return change(
        "deal", deal or f"d-{rep}", "2026-03-18T15:00Z", rep=rep, status="won", amount=amount, currency="USD",
        created_at="2026-03-01T00:00Z", closed_at="2026-03-18T15:00Z",
    )  # fmt: skip


def places(answer: Any) -> list[tuple[int | None, str, Any]]:
    return [(entry["rank"], entry["rep"], entry["value"]) for entry in answer["entries"]]


async def test_leaderboard_has_the_contract_shape(floor: Floor) -> None:
    floor.take(*calls("r3", 2))

    answer = await floor.read("/v1/leaderboards/calls_made", limit="1")

    assert answer == {
        "metric": "calls_made",
        "window": {"name": "today", "from": "2026-03-17T16:00:00.000Z", "to": "2026-03-18T16:00:00.000Z"},
        "as_of": "2026-03-18T15:30:20.500Z",
        "entries": [{"rank": 1, "rep": "r3", "name": "Cleo", "team": "south", "value": 2, "target": None}],
    }


async def test_ties_share_a_rank_and_the_next_one_is_skipped(floor: Floor) -> None:
    floor.take(*calls("r1", 1), *calls("r2", 3), *calls("r3", 3))

    answer = await floor.read("/v1/leaderboards/calls_made")

    assert places(answer) == [(1, "r2", 3), (1, "r3", 3), (3, "r1", 1), (4, "r4", 0)]


async def test_who_has_no_value_comes_last_without_a_rank(floor: Floor) -> None:
    floor.take(*calls("r2", 2), *calls("r1", 1, answered_at="2026-03-18T15:00:05Z"))

    answer = await floor.read("/v1/leaderboards/connect_rate")

    assert places(answer) == [(1, "r1", 1.0), (2, "r2", 0.0), (None, "r3", None), (None, "r4", None)]


async def test_money_is_ordered_as_numbers_and_not_as_text(floor: Floor) -> None:
    floor.take(won("r1", "900.00"), won("r2", "10000"), won("r3", "9000.10"), won("r4", "-5"))

    answer = await floor.read("/v1/leaderboards/revenue_won")

    assert places(answer) == [
        (1, "r2", "10000.00"), (2, "r3", "9000.10"), (3, "r1", "900.00"), (4, "r4", "-5.00"),
    ]  # fmt: skip
    assert answer["currency"] == "USD"


async def test_shorter_waiting_is_better_and_longer_talk_too(floor: Floor) -> None:
    for rep, minutes in (("r1", 20), ("r2", 10)):
        floor.take(
            change("lead", f"l-{rep}", rep=rep, received_at="2026-03-18T14:00Z"),
            *calls(
                rep, 1, f"2026-03-18T14:{minutes}Z", lead=f"l-{rep}",
                answered_at=f"2026-03-18T14:{minutes}Z", ended_at=f"2026-03-18T14:{minutes}:30Z" if rep == "r2"
                else f"2026-03-18T14:{minutes}:50Z",
            ),
        )  # fmt: skip

    response = await floor.read("/v1/leaderboards/lead_response_seconds_p50", limit="2")
    talk = await floor.read("/v1/leaderboards/talk_seconds", limit="2")

    assert places(response) == [(1, "r2", 600), (2, "r1", 1200)]
    assert places(talk) == [(1, "r1", 50), (2, "r2", 30)]


async def test_leaderboard_of_a_team_ranks_its_reps_alone(floor: Floor) -> None:
    floor.take(*calls("r3", 9), *calls("r2", 1))

    answer = await floor.read("/v1/leaderboards/calls_made", team="north", window="1h")

    assert places(answer) == [(1, "r2", 1), (2, "r1", 0)]


@pytest.mark.parametrize("metric", ["calls_made", "revenue_won", "connect_rate"])
async def test_who_has_left_is_shown_while_there_is_something_to_show(floor: Floor, metric: str) -> None:
    floor.take(change("rep", "r8", active=False), change("rep", "r9", active=False), *calls("r9", 1), won("r9", "1"))
    floor.take(*(change("call", "r9-0-2026-03-18T15:00Z", "2026-03-18T15:01Z", outcome="connected"),))

    answer = await floor.read(f"/v1/leaderboards/{metric}")

    shown = [rep for _, rep, _ in places(answer)]
    assert "r9" in shown
    assert "r8" not in shown


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("/v1/leaderboards/nonsense", {}, (422, "metric")),
        ("/v1/leaderboards/calls_made", {"window": "2h"}, (422, "window")),
        ("/v1/leaderboards/calls_made", {"team": "nowhere"}, (404, "team")),
        ("/v1/leaderboards/calls_made", {"limit": "0"}, (422, "limit")),
        ("/v1/series/nonsense", {}, (422, "metric")),
        ("/v1/series/calls_made", {"rep": "nobody"}, (404, "rep")),
        ("/v1/series/calls_made", {"team": "nowhere"}, (404, "team")),
        ("/v1/series/calls_made", {"rep": "r1", "team": "north"}, (422, "team")),
        ("/v1/series/calls_made", {"step": "1h"}, (422, "step")),
        ("/v1/series/calls_made", {"from": "2026-03-18", "to": "2026-03-17"}, (422, "to")),
        ("/v1/series/calls_made", {"to": "0001-01-02"}, (422, "to")),
        ("/v1/series/calls_made", {"from": "9999-12-31"}, (422, "from")),
        ("/v1/series/calls_made", {"step": "1m", "from": "2026-03-16", "to": "2026-03-18"}, (422, "from")),
        ("/v1/series/calls_made", {"step": "1m", "from": "2026-03-10", "to": "2026-03-10"}, (422, "to")),
    ],
)
async def test_what_means_nothing_is_named(
    floor: Floor, path: str, query: dict[str, str], expected: tuple[int, str]
) -> None:
    assert await floor.refused(path, **query) == expected


async def test_series_of_days_has_a_point_for_each_and_today_is_the_last(floor: Floor) -> None:
    floor.take(*calls("r1", 2), *calls("r1", 1, "2026-03-12T15:59:59Z"), *calls("r2", 5))

    answer = await floor.read("/v1/series/calls_made", rep="r1")

    assert (answer["metric"], answer["step"], answer["rep"]) == ("calls_made", "1d", "r1")
    assert [point["value"] for point in answer["points"]] == [1, 0, 0, 0, 0, 0, 2]
    assert answer["points"][0]["from"] == "2026-03-11T16:00:00.000Z"
    assert answer["points"][-1]["to"] == "2026-03-18T16:00:00.000Z"


async def test_series_without_rep_and_team_is_the_organisations(floor: Floor) -> None:
    floor.take(*calls("r1", 2), *calls("r3", 1))

    everybody = await floor.read("/v1/series/calls_made", from_="2026-03-18")
    south = await floor.read("/v1/series/calls_made", from_="2026-03-18", team="south")

    assert [point["value"] for point in everybody["points"]] == [3]
    assert not {"rep", "team"} & everybody.keys()
    assert [point["value"] for point in south["points"]] == [1]
    assert south["team"] == "south"


async def test_series_of_minutes_ends_with_the_current_one(floor: Floor) -> None:
    floor.take(*calls("r1", 2, "2026-03-18T15:29:59Z"), *calls("r1", 1, "2026-03-18T15:30:00Z"))

    answer = await floor.read("/v1/series/calls_made", step="1m")

    points = answer["points"]
    assert (points[0]["from"], points[-1]["from"]) == ("2026-03-17T16:00:00.000Z", "2026-03-18T15:30:00.000Z")
    assert [point["value"] for point in points[-2:]] == [2, 1]
    assert sum(point["value"] for point in points) == 3


async def test_minutes_that_are_not_kept_any_more_are_left_out_instead_of_0(floor: Floor) -> None:
    answer = await floor.read("/v1/series/calls_made", step="1m", from_="2026-03-16", to="2026-03-17")

    assert answer["points"][0]["from"] == "2026-03-16T15:31:00.000Z"
    assert answer["points"][-1]["to"] == "2026-03-17T16:00:00.000Z"


@pytest.mark.parametrize(
    ("first", "last", "hours"),
    [("2026-03-28", "2026-03-30", [24, 23, 24]), ("2026-10-24", "2026-10-26", [24, 25, 24])],
    ids=["spring forward", "fall back"],
)
async def test_days_of_a_series_follow_each_other_over_a_clock_change(
    tmp_path: Path, first: str, last: str, hours: list[int]
) -> None:
    floor = Floor(tmp_path, make_config(timezone="Europe/Berlin"), now=f"{last}T12:00Z")

    points = (await floor.read("/v1/series/calls_made", from_=first, to=last))["points"]

    assert [(instant(point["to"]) - instant(point["from"])) // HOUR for point in points] == hours
    assert all(one["to"] == other["from"] for one, other in pairwise(points))


async def test_minutes_of_a_day_of_25_hours_are_all_there(tmp_path: Path) -> None:
    config = make_config(timezone="Europe/Berlin", retention={"minutes": "72h"})
    floor = Floor(tmp_path, config, now="2026-10-26T12:00+01:00")

    points = (await floor.read("/v1/series/calls_made", step="1m", from_="2026-10-24", to="2026-10-25"))["points"]

    assert len(points) == (24 + 25) * 60
    assert all(instant(point["to"]) - instant(point["from"]) == MINUTE for point in points)


async def test_default_week_of_a_series_holds_seven_days_after_a_clock_change(tmp_path: Path) -> None:
    floor = Floor(tmp_path, make_config(timezone="Europe/Berlin"), now="2026-03-30T00:30+02:00")

    points = (await floor.read("/v1/series/calls_made"))["points"]

    assert len(points) == 7


async def test_series_of_a_money_metric_says_its_currency(tmp_path: Path) -> None:
    floor = Floor(tmp_path, floor_config(currency="JPY"))

    answer = await floor.read("/v1/series/revenue_won", from_="2026-03-18")

    assert (answer["currency"], answer["points"][0]["value"]) == ("JPY", "0")


async def test_what_is_remembered_is_forgotten_with_the_next_change(floor: Floor) -> None:
    floor.take(*calls("r1", 1))
    before = await floor.get("/v1/leaderboards/calls_made")
    floor.now += 5_000_000
    again = await floor.get("/v1/leaderboards/calls_made")
    floor.take(*calls("r1", 3))

    after = await floor.get("/v1/leaderboards/calls_made")

    # The same values at a later instant: only that is another one.
    assert again.json() == {**before.json(), "as_of": "2026-03-18T15:30:25.500Z"}
    assert again.headers["etag"] == before.headers["etag"]
    assert after.headers["etag"] != before.headers["etag"]
    assert after.json()["entries"][0]["value"] == 3


async def test_what_is_remembered_is_of_one_team_limit_and_window(floor: Floor) -> None:
    floor.take(*calls("r1", 2), *calls("r3", 1))
    whole = await floor.read("/v1/leaderboards/calls_made")

    south = await floor.read("/v1/leaderboards/calls_made", team="south")
    first = await floor.read("/v1/leaderboards/calls_made", limit="1")
    minutes = await floor.read("/v1/leaderboards/calls_made", window="5m")

    assert {entry["team"] for entry in south["entries"]} == {"south"}
    assert len(first["entries"]) == 1
    assert [entry["value"] for entry in minutes["entries"]] == [0] * len(whole["entries"])

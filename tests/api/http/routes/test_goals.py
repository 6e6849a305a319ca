"""Goals in answers: in rows, on leaderboards, in `/v1/goals`; of file and records, for those who may see them."""

from pathlib import Path
from typing import Any

import pytest

from schemas.config import Config
from tests.api.reading import Floor, floor_config
from tests.builders import change

AFTER_DAY_15 = "2026-04-21T22:30:00Z"
"""Berlin's 22 April has just begun: 15 of April's 22 working days are over."""
OFFICE = {"timezone": "Europe/Berlin", "hours": {"mon-fri": ["09:00-18:00"]}}


def goals_config(goals: dict[str, Any], **more: Any) -> Config:
    return floor_config(
        **{"timezone": "Europe/Berlin", "calendar": "office", "calendars": {"office": OFFICE}, "goals": goals} | more
    )


def quota(*amounts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"metric": "revenue_won", "period": "month", "amounts": [*amounts], **more}


EACH = {"since": "2026-01-01", "each": "90000"}


def won(rep: str, amount: str, at: str = "2026-04-20T10:00Z") -> Any:
    return change(
        "deal", f"d-{rep}-{amount}-{at}", at, rep=rep, status="won", amount=amount, currency="USD",
        created_at="2026-04-01T00:00Z", closed_at=at,
    )  # fmt: skip


def floor_of(path: Path, goals: dict[str, Any], now: str = AFTER_DAY_15, **more: Any) -> Floor:
    return Floor(path, goals_config(goals, **more), now)


async def rows_of(floor: Floor, **asked: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await floor.read("/v1/goals", **asked))["rows"]
    return rows


WORKED = {
    "target": "90000.00",
    "attainment": 0.7777777777777778,
    "gap": "-20000.00",
    "expected": "61363.64",
    "pace": 1.1407407407407408,
    "projection": "102666.67",
    "needed_per_day": "2857.14",
    "state": "ahead",
}


async def test_a_row_has_the_goal_of_its_window_beside_its_metrics(tmp_path: Path) -> None:
    floor = floor_of(tmp_path, {"quota": quota(EACH)})
    floor.take(won("r1", "70000"))

    row = await floor.read("/v1/reps/r1/metrics", window="month", metrics="revenue_won,calls_made")

    assert row["goals"] == {"revenue_won": {"goal": "quota", **WORKED}}
    assert (await floor.read("/v1/reps/r1/metrics", window="month", metrics="calls_made"))["goals"] == {}
    assert (await floor.read("/v1/reps/r1/metrics", window="1h"))["goals"] == {}


async def test_without_goals_a_row_is_as_it_always_was(tmp_path: Path) -> None:
    assert "goals" not in await Floor(tmp_path).read("/v1/reps/r1/metrics")


async def test_a_row_of_goals_has_the_contract_shape(tmp_path: Path) -> None:
    floor = floor_of(tmp_path, {"quota": quota(EACH)})
    floor.take(won("r1", "70000"))

    answer = await floor.read("/v1/goals", rep="r1")

    assert answer == {
        "rows": [
            {
                "goal": "quota",
                "metric": "revenue_won",
                "scope": "rep",
                "rep": "r1",
                "name": "Ana",
                "team": "north",
                "period": {"name": "month", "from": "2026-03-31T22:00:00.000Z", "to": "2026-04-30T22:00:00.000Z"},
                "actual": "70000.00",
                **WORKED,
                "share_at_goal": None,
                "fit": None,
                "deals_needed": 1,
                "leads_needed": None,
                "currency": "USD",
            }
        ],
        "as_of": "2026-04-21T22:30:00.000Z",
        "next": None,
    }


async def test_the_organisation_comes_first_then_teams_then_reps(tmp_path: Path) -> None:
    floor = floor_of(tmp_path, {"quota": quota(EACH, {"since": "2026-01-01", "team": "south", "amount": "50000"})})
    floor.take(won("r1", "90000"), won("r2", "30000"), won("r3", "1"))

    rows = await rows_of(floor)

    assert [(row["scope"], row["rep"], row["team"], row["target"], row["share_at_goal"]) for row in rows] == [
        ("organisation", None, None, "360000.00", 0.25),
        ("team", None, "north", "180000.00", 0.5),
        ("team", None, "south", "50000.00", 0.0),
        ("rep", "r1", "north", "90000.00", None),
        ("rep", "r2", "north", "90000.00", None),
        ("rep", "r3", "south", "90000.00", None),
        ("rep", "r4", None, "90000.00", None),
    ]
    assert [row["state"] for row in rows[:4]] == ["behind", "on_track", "behind", "reached"]
    assert rows[3]["needed_per_day"] == "0.00"
    assert (rows[3]["deals_needed"], rows[3]["leads_needed"]) == (0, 0)


async def test_pages_hold_every_row_once(tmp_path: Path) -> None:
    calls = {"metric": "calls_made", "period": "week", "amounts": [{"each": 10}]}
    floor = floor_of(tmp_path, {"quota": quota(EACH), "calls": calls})
    whole = await rows_of(floor, count=2)

    found: list[dict[str, Any]] = []
    cursor: dict[str, Any] = {}
    for _ in range(20):
        answer = await floor.read("/v1/goals", count=2, limit=3, **cursor)
        found += answer["rows"]
        if answer["next"] is None:
            break
        cursor = {"cursor": answer["next"]}

    assert found == whole
    assert len(whole) == 7 * 4
    assert [(row["goal"], row["period"]["from"][:10]) for row in whole[:4]] == [
        ("quota", "2026-02-28"),
        ("quota", "2026-03-31"),
        ("calls", "2026-04-12"),
        ("calls", "2026-04-19"),
    ]


async def test_a_period_that_is_over_is_reached_or_missed_and_says_how_the_goal_fits(tmp_path: Path) -> None:
    floor = floor_of(tmp_path, {"quota": quota(EACH)}, now="2026-05-04T08:00:00Z")
    floor.take(won("r1", "90000"), won("r2", "90000"), won("r4", "100000"))

    for asked in ("previous", "2026-04-30"):
        organisation, north, south, *people = await rows_of(floor, period=asked)
        assert (organisation["state"], organisation["share_at_goal"], organisation["fit"]) == ("missed", 0.75, "fits")
        assert (north["state"], north["fit"], south["fit"]) == ("reached", "too_low", "too_high")
        assert [row["state"] for row in people] == ["reached", "reached", "missed", "reached"]
        assert people[2]["needed_per_day"] is None
        assert people[2]["projection"] == "0.00"
    assert [row["fit"] for row in await rows_of(floor)] == [None] * 7


async def test_a_quarter_of_a_monthly_goal_is_three_months_of_it(tmp_path: Path) -> None:
    floor = floor_of(tmp_path, {"quota": quota(EACH)})

    row = await floor.read("/v1/teams/north/metrics", window="quarter", metrics="revenue_won")
    assert row["goals"]["revenue_won"]["target"] == "540000.00"
    row = await floor.read("/v1/reps/r1/metrics", from_="2026-04-22", to="2026-04-24", metrics="revenue_won")
    assert row["goals"]["revenue_won"]["target"] == "12272.73"
    row = await floor.read("/v1/reps/r1/metrics", window="today", metrics="revenue_won")
    assert row["goals"]["revenue_won"]["expected"] == "0.00"
    assert row["goals"]["revenue_won"]["pace"] is None
    assert row["goals"]["revenue_won"]["state"] == "on_track"


async def test_of_several_goals_that_of_the_windows_own_period_is_meant(tmp_path: Path) -> None:
    def calls(period: str, each: int) -> dict[str, Any]:
        return {"metric": "calls_made", "period": period, "amounts": [{"each": each}]}

    floor = floor_of(tmp_path, {"year": calls("year", 2610), "month": calls("month", 220), "week": calls("week", 50)})

    async def meant(**window: Any) -> str:
        row = await floor.read("/v1/reps/r1/metrics", metrics="calls_made", **window)
        return str(row["goals"]["calls_made"]["goal"])

    assert await meant(window="month") == "month"
    assert await meant(window="year") == "year"
    assert await meant(window="today") == "week"
    assert await meant(window="quarter") == "year"
    assert await meant(from_="2026-04-01", to="2026-04-30") == "month"
    assert await meant(from_="2026-04-01", to="2026-04-29") == "month"
    assert await meant(from_="2025-12-31", to="2026-01-01") == "week"
    assert await meant(from_="2025-12-01", to="2026-01-31") == "year"

    listed = await floor.read("/v1/reps/r1/metrics", window="week", metrics="calls_made", goals="all")
    found = [(goal["goal"], goal["target"]) for goal in listed["goals"]["calls_made"]]
    assert found == [("week", 50), ("month", 50), ("year", 50)]


async def test_what_has_no_weight_on_days_stands_as_it_is(tmp_path: Path) -> None:
    floor = floor_of(
        tmp_path,
        {
            "rate": {
                "metric": "win_rate",
                "period": "month",
                "amounts": [{"rep": "r1", "amount": "0.4"}, {"team": "north", "amount": "0.6"}],
            },
            "losses": {"metric": "deals_lost", "period": "month", "amounts": [{"rep": "r1", "amount": 4}]},
        },
    )
    lost = change(
        "deal", "d-lost", "2026-04-20T09:00Z", rep="r1", status="lost", created_at="2026-04-01T00:00Z",
        closed_at="2026-04-20T09:00Z",
    )  # fmt: skip
    floor.take(won("r1", "10"), lost)

    row = await floor.read("/v1/reps/r1/metrics", window="week", metrics="win_rate,deals_lost")

    nothing = dict.fromkeys(("gap", "expected", "pace", "projection", "needed_per_day"))
    assert row["goals"] == {
        "win_rate": {"goal": "rate", "target": 0.4, "attainment": 1.25, "state": "reached", **nothing},
        "deals_lost": {"goal": "losses", "target": 4, "attainment": 4.0, "state": "reached", **nothing},
    }
    north = await floor.read("/v1/teams/north/metrics", window="month", metrics="win_rate,deals_lost")
    assert north["goals"]["win_rate"]["state"] == "behind"
    assert "deals_lost" not in north["goals"]
    assert (await floor.read("/v1/reps/r1/metrics", window="quarter", metrics="win_rate"))["goals"] == {}


async def test_a_leaderboard_shows_targets_and_ranks_by_attainment(tmp_path: Path) -> None:
    floor = floor_of(
        tmp_path, {"quota": quota({"each": 100}, {"rep": "r1", "amount": 1000}, {"rep": "r4", "amount": 0})}
    )
    floor.take(won("r1", "500"), won("r2", "75"), won("r3", "75"), won("r4", "9000"))

    def places(answer: Any) -> list[Any]:
        return [(each["rank"], each["rep"], each["value"], each["target"]) for each in answer["entries"]]

    assert places(await floor.read("/v1/leaderboards/revenue_won", window="month")) == [
        (1, "r4", "9000.00", None),
        (2, "r1", "500.00", "1000.00"),
        (3, "r2", "75.00", "100.00"),
        (3, "r3", "75.00", "100.00"),
    ]
    ranked = await floor.read("/v1/leaderboards/revenue_won", window="month", rank="attainment")
    assert places(ranked) == [
        (1, "r2", "75.00", "100.00"),
        (1, "r3", "75.00", "100.00"),
        (3, "r1", "500.00", "1000.00"),
        (None, "r4", "9000.00", None),
    ]
    assert [each["attainment"] for each in ranked["entries"]] == [0.75, 0.75, 0.5, None]


async def test_records_say_absences_and_amounts_and_take_them_back(tmp_path: Path) -> None:
    floor = floor_of(
        tmp_path, {"quota": quota({"since": "2026-01-01", "each": 2200})},
        reps={"r1": {"team": "north", "aliases": {"feed": ["crm-1"]}}},
    )  # fmt: skip

    async def target(rep: str = "r1") -> Any:
        rows = await rows_of(floor, rep=rep)
        return rows[0]["target"] if rows else None

    assert await target() == "2200.00"
    floor.take(change("absence", "a1", rep="crm-1", from_="2026-04-01", to="2026-04-02"))
    floor.take(change("absence", "a2", rep="r1", from_="2026-04-02", to="2026-04-03", share="0.5"))
    assert await target() == "1950.00"
    floor.take(change("absence", "a1", "2026-04-01T00:00Z", deleted=True))
    assert await target() == "2100.00"
    floor.take(change("goal", "g1", goal="quota", rep="crm-1", since="2026-01-01", amount="4400"))
    assert await target() == "4200.00"
    floor.take(change("goal", "g2", goal="quota", since="2026-04-01", amount="7000"))
    floor.take(change("goal", "g3", goal="quota", team="north", since="2026-04-01", amount="6000"))
    floor.take(change("goal", "g4", goal="quotas", rep="r1", since="2026-04-01", amount="1"))
    assert [row["target"] for row in await rows_of(floor)] == ["7000.00", "6000.00", "4200.00"]
    floor.take(change("goal", "g1", "2026-04-01T00:00Z", deleted=True))
    assert await target() == "2100.00"
    floor.take(change("rep", "r9", name="Nina", since="2026-04-22"))
    assert await target("r9") == "700.00"
    floor.take(change("rep", "r9", "2026-04-23T09:00Z", active=False))
    assert await target("r9") == "200.00"


async def test_whom_only_records_name_and_whom_the_file_calls_inactive_have_no_goal(tmp_path: Path) -> None:
    reps = {"r1": {}, "r2": {"active": False}, "r3": {"active": False, "until": "2026-04-10"}}
    floor = floor_of(tmp_path, {"quota": quota({"each": 2200})}, reps=reps)
    floor.take(won("r7", "5"))

    rows = await rows_of(floor)

    assert [(row["rep"], row["target"]) for row in rows] == [
        (None, "3000.00"),
        ("r1", "2200.00"),
        ("r3", "800.00"),
    ]


async def test_an_etag_stays_while_only_the_clock_moves(tmp_path: Path) -> None:
    floor = floor_of(tmp_path, {"quota": quota(EACH)}, now="2026-04-22T08:00:00Z")
    floor.take(won("r1", "70000"))
    asked: dict[str, Any] = {"window": "month", "metrics": "revenue_won"}
    nothing: dict[str, Any] = {}

    for path, query in (("/v1/reps/r1/metrics", asked), ("/v1/goals", nothing)):
        floor.now = floor.now // 3_600_000_000 * 3_600_000_000
        first = await floor.get(path, **query)
        floor.now += 60_000_000
        later = await floor.get(path, **query)
        assert first.json() != later.json()
        assert first.headers["etag"] == later.headers["etag"]
        known = await floor.get(path, headers={"if-none-match": first.headers["etag"]}, **query)
        assert known.status_code == 304
    floor.take(won("r1", "1"))
    assert (await floor.get("/v1/goals")).headers["etag"] != first.headers["etag"]


async def test_a_key_of_a_team_sees_its_own(tmp_path: Path) -> None:
    floor = floor_of(tmp_path, {"quota": quota(EACH)})
    everybody, north = floor.key("board"), floor.key("board", team="north")

    def seen(answer: Any) -> list[Any]:
        return [(row["scope"], row["rep"] or row["team"]) for row in answer.json()["rows"]]

    assert len(seen(await floor.get("/v1/goals", everybody))) == 7
    own = [("team", "north"), ("rep", "r1"), ("rep", "r2")]
    assert seen(await floor.get("/v1/goals", north)) == own
    assert seen(await floor.get("/v1/goals", everybody, team="north")) == own
    assert seen(await floor.get("/v1/goals", everybody, team="south", rep="r1")) == []
    assert (await floor.get("/v1/goals", north, team="south")).status_code == 403
    assert (await floor.get("/v1/goals", north, rep="r3")).status_code == 404
    assert (await floor.get("/v1/goals")).status_code == 401


@pytest.mark.parametrize(
    ("asked", "status", "field"),
    [
        ({"goal": "quotas"}, 422, "goal"),
        ({"period": "next"}, 422, "period"),
        ({"period": "2026-02-30"}, 422, "period"),
        ({"period": "1969-12-31"}, 422, "period"),
        ({"count": "0"}, 422, "count"),
        ({"cursor": "WzBd"}, 422, "cursor"),
        ({"rep": "nobody"}, 404, "rep"),
        ({"team": "nowhere"}, 404, "team"),
        ({"window": "month"}, 422, "window"),
    ],
)
async def test_what_is_not_understood_is_refused(
    tmp_path: Path, asked: dict[str, str], status: int, field: str
) -> None:
    floor = floor_of(tmp_path, {"quota": quota(EACH)})

    assert await floor.refused("/v1/goals", **asked) == (status, field)
    assert await floor.refused("/v1/organisation/metrics", goals="some") == (422, "goals")


async def test_prometheus_has_the_attainment_of_the_current_period(tmp_path: Path) -> None:
    floor = floor_of(tmp_path, {"quota": quota({"each": 100})})
    floor.take(won("r1", "50"))

    text = (await floor.get("/metrics")).text

    lines = [line for line in text.splitlines() if line.startswith("floorcast_goal_attainment{")]
    assert lines == [
        'floorcast_goal_attainment{goal="quota",scope="organisation",rep="",team=""} 0.125',
        'floorcast_goal_attainment{goal="quota",scope="team",rep="",team="north"} 0.25',
        'floorcast_goal_attainment{goal="quota",scope="team",rep="",team="south"} 0.0',
        'floorcast_goal_attainment{goal="quota",scope="rep",rep="r1",team="north"} 0.5',
        'floorcast_goal_attainment{goal="quota",scope="rep",rep="r2",team="north"} 0.0',
        'floorcast_goal_attainment{goal="quota",scope="rep",rep="r3",team="south"} 0.0',
        'floorcast_goal_attainment{goal="quota",scope="rep",rep="r4",team=""} 0.0',
    ]


async def test_what_was_reached_in_a_period_that_is_not_kept_is_null_and_said(tmp_path: Path) -> None:
    goals = {
        "quota": quota({"each": 100}),
        "rate": {"metric": "win_rate", "period": "month", "amounts": [{"amount": "0.5"}]},
    }
    floor = floor_of(tmp_path, goals, retention={"records": "40d"})
    floor.take(won("r1", "70", "2026-03-14T10:00Z"), won("r1", "90"))

    before, now = await rows_of(floor, rep="r1", count=2)

    unknown = ("actual", "attainment", "gap", "pace", "projection", "needed_per_day", "state", "deals_needed")
    assert (before["target"], before["expected"]) == ("100.00", "100.00")
    assert {before[name] for name in unknown} == {None}
    assert before["unavailable"] == {"revenue_won": "kept since 2026-03-12"}
    assert now["actual"] == "90.00"
    assert "unavailable" not in now
    organisation, rate = (await rows_of(floor, period="previous"))[:2]
    assert (organisation["share_at_goal"], organisation["fit"]) == (None, None)
    assert (rate["goal"], rate["actual"], rate["state"]) == ("rate", None, None)
    row = await floor.read("/v1/reps/r1/metrics", window="month", metrics="revenue_won")
    assert row["metrics"] == {"revenue_won": "90.00"}
    row = await floor.read("/v1/reps/r1/metrics", from_="2026-03-01", to="2026-04-30", metrics="revenue_won")
    assert row["metrics"] == {"revenue_won": None}
    assert (row["goals"]["revenue_won"]["attainment"], row["goals"]["revenue_won"]["state"]) == (None, None)
    board = await floor.read("/v1/leaderboards/revenue_won", from_="2026-03-01", to="2026-04-30", rank="attainment")
    assert [(each["rank"], each["value"], each["attainment"]) for each in board["entries"]] == [(None, None, None)] * 4


async def test_who_was_in_two_teams_in_a_period_counts_in_the_share_of_both(tmp_path: Path) -> None:
    goals = {
        "quota": quota({"each": 100}),
        "rate": {"metric": "win_rate", "period": "month", "amounts": [
            {"rep": "r9", "amount": "0.5"}, {"team": "north", "amount": "0.5"}, {"team": "south", "amount": "0.5"},
        ]},
    }  # fmt: skip
    floor = floor_of(tmp_path, goals, reps={"r1": {"team": "north"}})
    floor.take(change("rep", "r9", "2026-03-01T09:00Z", name="Nina", team="north"), won("r9", "100"))
    floor.take(change("rep", "r9", "2026-04-10T09:00Z", team="south"))

    shares = {(row["goal"], row["team"]): row["share_at_goal"] for row in await rows_of(floor) if row["scope"] != "rep"}

    assert shares == {
        ("quota", None): 0.5, ("quota", "north"): 0.5, ("quota", "south"): 1.0,
        ("rate", "north"): 1.0, ("rate", "south"): 1.0,
    }  # fmt: skip

"""What a screen of the configuration is told: every answer to it goes by its privacy."""

import json
from pathlib import Path
from typing import Any

import pytest

from api.read.discretion import discretion_of, windows_of
from api.read.piecemeal import at_once
from api.read.subscriptions import Filter
from tests.api.reading import Floor, floor_config
from tests.builders import change

TODAY = "2026-03-18T12:00:00Z"


def screens(privacy: dict[str, Any], **more: Any) -> dict[str, Any]:
    tiles = [{"kind": "leaderboard", "metric": "calls_made"}, {"kind": "leads"}]
    return {"wall": {"privacy": privacy, "scenes": [{"name": "Today", "tiles": tiles}], **more}}


def floor(path: Path, privacy: dict[str, Any], **more: Any) -> Floor:
    goals = more.pop("goals", {})
    floor = Floor(path, floor_config(screens=screens(privacy, **more), goals=goals))
    for rep, calls in (("r1", 3), ("r2", 2), ("r3", 1)):
        floor.take(
            *(change("call", f"{rep}-{n}", TODAY, rep=rep, direction="outbound", dialed_at=TODAY) for n in range(calls))
        )
    floor.take(change("lead", "l-9", "2026-03-18T15:00:00Z", rep="r3", received_at="2026-03-18T15:00:00Z"))
    return floor


def snapshot(floor: Floor) -> dict[str, Any]:
    screen = floor.config.screens["wall"]
    discretion = discretion_of(floor.config, "wall")
    teams = frozenset(screen.teams) or None
    wanted = Filter(windows=windows_of(screen), teams=teams, discretion=discretion)
    data = at_once(floor.read_side.broadcaster.snapshot(wanted, lambda: floor.now)).split(b"data: ")[1]
    found: dict[str, Any] = json.loads(data)
    return found


def test_the_stream_of_a_screen_says_nothing_of_those_whom_it_does_not_show(tmp_path: Path) -> None:
    found = snapshot(floor(tmp_path, {"top": 2}))

    assert [row["name"] for row in found["rows"] if "rep" in row] == ["Ana", "Ben"]
    assert [(lead["lead"], lead["rep"], lead["name"]) for lead in found["leads"]] == [("l-9", None, None)]
    assert "Cleo" not in json.dumps(found)
    assert "Dora" not in json.dumps(found)
    assert [row["metrics"]["calls_made"] for row in found["rows"] if "rep" not in row and "team" not in row] == [6]


@pytest.mark.parametrize(
    "path", ["/v1/leaderboards/calls_made", "/v1/leads/waiting", "/v1/goals", "/v1/series/calls_made"]
)
async def test_no_answer_to_it_names_them(tmp_path: Path, path: str) -> None:
    answer = await floor(tmp_path, {"top": 2}).get(path, screen="wall")

    assert answer.status_code == 200
    assert not {"Cleo", "Dora", "r3", "r4"} & set(answer.text.replace('"', " ").split())


@pytest.mark.parametrize(
    ("teams", "told", "kept"), [(["north"], ["Ana", "Ben"], ["Cleo", "Dora"]), (["north", "south"], ["Cleo"], ["Dora"])]
)
async def test_a_screen_for_some_teams_is_told_of_no_others(
    tmp_path: Path, teams: list[str], told: list[str], kept: list[str]
) -> None:
    goals = {"calls": {"metric": "calls_made", "period": "day", "amounts": [{"each": 4}]}}
    asked = floor(tmp_path, {}, teams=teams, goals=goals)

    board, found = [
        (await asked.get(path, screen="wall")).text for path in ("/v1/leaderboards/calls_made", "/v1/goals")
    ]

    assert all(name in board and name in found for name in told)
    assert not any(name in board or name in found for name in kept)
    assert (await asked.read("/v1/leads/waiting", screen="wall"))["total"] == int("Cleo" in told)
    assert (await asked.refused("/v1/series/calls_made", screen="wall"))[0] == 403
    assert (await asked.refused("/v1/leaderboards/calls_made", screen="wall", team="east"))[0] == 403
    assert [row["scope"] for row in (await asked.read("/v1/goals", screen="wall"))["rows"]].count("organisation") == 0


async def test_a_leaderboard_has_as_many_as_the_screen_shows(tmp_path: Path) -> None:
    found = await floor(tmp_path, {"top": 2, "names": "none"}).read("/v1/leaderboards/calls_made", screen="wall")

    assert [(entry["rank"], entry["name"], entry["value"]) for entry in found["entries"]] == [
        (1, None, 3),
        (2, None, 2),
    ]
    assert all(entry["rep"].startswith("p-") for entry in found["entries"])


async def test_who_asks_for_a_screen_is_that_screen_whatever_else_they_might_see(tmp_path: Path) -> None:
    open_floor = floor(tmp_path, {"top": 2})

    assert (await open_floor.get("/v1/reps/metrics")).status_code == 200
    assert (await open_floor.refused("/v1/reps/metrics", screen="wall"))[0] == 403
    assert (await open_floor.refused("/v1/series/calls_made", screen="wall", rep="r3"))[0] == 403


async def test_without_privacy_nothing_is_kept_from_it(tmp_path: Path) -> None:
    found = snapshot(floor(tmp_path, {}))

    assert [row["name"] for row in found["rows"] if "rep" in row] == ["Ana", "Ben", "Cleo", "Dora"]
    assert found["leads"][0]["name"] == "Cleo"


async def test_the_page_has_the_settings_of_its_screen_and_nothing_inline_that_runs(tmp_path: Path) -> None:
    page = await floor(tmp_path, {}, language="fa", title="</script><b>").get("/board/wall")

    assert '<html lang="fa" dir="rtl"' in page.text
    assert "</script><b>" not in page.text.split("settings", 1)[1].split("main.js")[0].replace("</script>\n", "")
    assert page.text.count("<script") == 2
    assert 'type="application/json"' in page.text


@pytest.mark.parametrize(
    ("path", "parameters", "said"),
    [
        ("/board/floor", {}, "There is no screen “floor”"),
        ("/board/wall", {"scene": "Nothing"}, "has no scene"),
        ("/board/wall", {"scene": "Today", "tile": "3"}, "has no tile 3"),
        ("/board/wall", {"scene": "Today", "tile": "99.0"}, "has no tile 99.0"),
        ("/board/wall", {"scene": "Today", "tile": " 99 "}, "has no tile  99 "),
    ],
)
async def test_what_there_is_not_is_said_in_words(
    tmp_path: Path, path: str, parameters: dict[str, str], said: str
) -> None:
    page = await floor(tmp_path, {}).get(path, headers={"accept": "text/html"}, **parameters)

    assert page.status_code == 404
    assert said in page.text


@pytest.mark.parametrize("tile", ["1e0", "٣", "9" * 5000, "x", "1.5"])
async def test_what_is_no_number_of_a_tile_is_said_to_be_none(tmp_path: Path, tile: str) -> None:
    page = await floor(tmp_path, {}).get("/board/wall", headers={"accept": "text/html"}, scene="Today", tile=tile)

    assert page.status_code == 422


async def test_a_site_that_may_hold_a_screen_in_a_frame_is_named(tmp_path: Path) -> None:
    framed = floor(tmp_path, {}, frame_ancestors=["https://wiki.example.com"])

    headers = (await framed.get("/board/wall")).headers

    assert "frame-ancestors 'self' https://wiki.example.com" in headers["content-security-policy"]
    assert headers["x-frame-options"] != "DENY"
    assert (await framed.get("/v1/metrics")).headers["x-frame-options"] == "DENY"

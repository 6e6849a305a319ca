"""A key of one rep: on every address it gets what is their own, or is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from api.http.scopes import OPEN_TO_REPS
from api.read.subscriptions import Filter
from processor.core.milestones import MilestoneBook
from schemas.alerts import encode_alert
from schemas.keys import ApiScope, create_key
from schemas.topics import THRESHOLD_ALERTS
from tests.api.reading import Floor, floor_config, subscribe
from tests.builders import change, instant

NOW = "2026-03-18T12:00Z"
OTHERS = ("quist", "Zebulon", "vole", "Wilma", "faraway", "Far away", "theirs")
"""What the answers to Ana's key never hold: people, teams, leads and deals of others."""
GOALS = {
    "calls": {"metric": "calls_made", "period": "month", "milestones": [0.5, 1], "amounts": [{"each": 1}]},
    "revenue": {"metric": "revenue_won", "period": "month", "amounts": [{"each": "10"}]},
}


def config() -> Any:
    return floor_config(
        teams={"north": {"name": "North"}, "faraway": {"name": "Far away"}},
        reps={
            "r-17": {"name": "Ana", "team": "north"},
            "quist": {"name": "Zebulon", "team": "north"},
            "vole": {"name": "Wilma", "team": "faraway"},
        },
        goals=GOALS,
        pipelines={"main": {"steps": ["demo", "offer"]}},
    )


def of(rep: str, name: str) -> list[Any]:
    """Something of every kind that belongs to somebody."""
    own = f"{name}-{rep}"
    return [
        change("call", f"c-{own}", rep=rep, direction="outbound", dialed_at="2026-03-18T10:00Z"),
        change("lead", f"l-{own}", rep=rep, name=name, received_at="2026-03-18T09:00Z"),
        change(
            "deal",
            f"w-{own}",
            rep=rep,
            name=name,
            status="won",
            amount=40,
            currency="USD",
            closed_at="2026-03-18T10:00Z",
        ),
        change(
            "deal",
            f"o-{own}",
            rep=rep,
            name=name,
            status="open",
            stage="demo",
            pipeline="main",
            amount=9,
            currency="USD",
        ),
    ]


@pytest.fixture
def floor(tmp_path: Path) -> Floor:
    floor = Floor(tmp_path, config(), NOW)
    floor.take(
        *of("r-17", "own"),
        *of("quist", "theirs"),
        *of("vole", "theirs"),
        # Ana's lead, which was somebody else's, and which somebody else has answered.
        change("lead", "l-handed", "2026-03-18T08:00Z", rep="quist", received_at="2026-03-18T08:00Z"),
        change("lead", "l-handed", "2026-03-18T08:30Z", rep="r-17"),
        change("call", "c-handed", rep="vole", lead="l-handed", direction="outbound", dialed_at="2026-03-18T09:00Z"),
    )
    book = MilestoneBook(floor.view)
    book.rebase(floor.view)
    for alert in book.look(floor.now, floor.now):
        floor.view.apply(THRESHOLD_ALERTS.name, alert.id.encode(), encode_alert(alert))
    return floor


@pytest.fixture
def key(floor: Floor) -> dict[str, str]:
    token = create_key(floor.settings.keys, ApiScope.REP, now=floor.now, rep="r-17")
    return {"authorization": f"Bearer {token}"}


def addresses(floor: Floor) -> list[str]:
    """Every address under /v1 that can be asked, in several ways; the stream does not end and has a test of its own."""
    metric = {"leaderboards": "calls_made", "series": "calls_made", "funnels": "stage_conversion"}
    found = []
    for route in floor.app.routes:
        if not isinstance(route, APIRoute) or "GET" not in (route.methods or ()) or route.path == "/v1/stream":
            continue
        path = route.path_format
        paths = [path]
        for name, ids in {"rep": ["r-17", "quist", "vole"], "team": ["north", "faraway"], "code": ["ABCDEF"]}.items():
            paths = [each.replace("{" + name + "}", id) for each in paths for id in (ids if name in path else [""])]
        leads = ["l-own-r-17", "l-handed", "l-theirs-quist", "l-theirs-vole"]
        paths = [each.replace("{lead}", lead) for each in paths for lead in (leads if "{lead}" in path else [""])]
        paths = [
            each.replace("{metric}", metric.get(each.split("/")[2], "") if each.startswith("/v1/") else "")
            for each in paths
        ]
        asked = ["", "?rep=quist", "?rep=vole", "?team=north", "?team=faraway", "?rep=r-17&team=faraway", "?state=all"]
        asked += ["?compare=team", "?compare=best", "?compare=share", "?by=team", "?screen=floor", "?format=csv"]
        found += [each + more for each in paths for more in asked]
    return found


async def test_no_answer_names_anybody_else(floor: Floor, key: dict[str, str]) -> None:
    told = 0
    for path in addresses(floor):
        if not path.startswith(("/v1/", "/metrics", "/board")):
            continue
        answer = await floor.get(path, headers=key)
        if answer.status_code == 200:
            told += 1
            assert not [word for word in OTHERS if word in answer.text], path
        else:
            # A code of a screen needs no key, and this process pairs none.
            assert answer.status_code in {403, 404, 422, *([503] if "/codes/" in path else [])}, path
    assert told > 30


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/reps/quist/metrics", 404),
        ("/v1/reps/vole/metrics", 404),
        ("/v1/teams/north/metrics", 403),
        ("/v1/teams/faraway/metrics", 403),
        ("/v1/organisation/metrics", 403),
        ("/v1/leads/l-theirs-quist", 404),
        ("/v1/leads/waiting?rep=quist", 404),
        ("/v1/leads/open?rep=quist", 404),
        ("/v1/deals/open?rep=quist", 404),
        ("/v1/goals?rep=quist", 404),
        ("/v1/goals?team=north", 403),
        ("/v1/wins?team=faraway", 403),
        ("/v1/series/calls_made", 403),
        ("/v1/series/calls_made?rep=quist", 404),
        ("/v1/funnels/stage_conversion", 403),
        ("/v1/funnels/stage_conversion?rep=quist", 404),
        ("/v1/leaderboards/calls_made?team=faraway", 403),
        ("/v1/stream?reps=quist", 404),
        ("/v1/stream?teams=north", 403),
        ("/v1/reps/r-17/metrics?compare=best", 403),
        ("/v1/standouts", 403),
        ("/v1/dead-letters", 403),
        ("/v1/connections", 403),
        ("/v1/screens", 403),
        ("/metrics", 403),
        ("/board/floor", 403),
        ("/floor", 403),
    ],
)
async def test_what_is_of_others_is_refused(floor: Floor, key: dict[str, str], path: str, status: int) -> None:
    assert (await floor.get(path, headers=key)).status_code == status


async def test_lists_hold_their_own(floor: Floor, key: dict[str, str]) -> None:
    async def rows(path: str) -> list[Any]:
        found = (await floor.get(path, headers=key)).json()
        listed: list[Any] = found.get("rows") or found["entries"]
        return listed

    assert [row["rep"] for row in await rows("/v1/reps")] == ["r-17"]
    assert [(row["team"], row["reps"]) for row in await rows("/v1/teams")] == [("north", ["r-17"])]
    assert [row["metrics"]["calls_made"] for row in await rows("/v1/reps/metrics?metrics=calls_made")] == [1]
    assert [(row["rep"], row["value"]) for row in await rows("/v1/leaderboards/calls_made")] == [("r-17", 1)]
    assert [row["lead"] for row in await rows("/v1/leads/waiting")] == ["l-own-r-17"]
    assert {row["lead"] for row in await rows("/v1/leads/open")} == {"l-own-r-17", "l-handed"}
    assert [row["deal"] for row in await rows("/v1/deals/open")] == ["o-own-r-17"]
    assert {row["rep"] for row in await rows("/v1/wins")} == {"r-17"}
    assert {row["rep"] for row in await rows("/v1/goals")} == {"r-17"}
    assert {row["rep"] for row in await rows("/v1/alerts?state=all")} == {"r-17"}
    assert (await floor.get("/v1/funnels/stage_conversion?rep=r-17", headers=key)).json()["rep"] == "r-17"
    assert (await floor.get("/v1/series/calls_made?rep=r-17", headers=key)).status_code == 200


async def test_a_lead_of_their_own_does_not_say_who_else_had_it(floor: Floor, key: dict[str, str]) -> None:
    lead = (await floor.get("/v1/leads/l-handed", headers=key)).json()

    assert lead["rep"] == "r-17"
    assert [holder["rep"] for holder in lead["holders"]] == ["r-17"]
    assert lead["touch"]["rep"] is None


async def test_the_stream_tells_their_own(floor: Floor, key: dict[str, str]) -> None:
    wanted = Filter(reps=frozenset({"r-17"}))
    subscription, first = subscribe(floor.read_side.broadcaster, wanted, floor.now)
    snapshot = json.loads(first.split(b"data: ")[1])
    floor.now = instant("2026-03-18T12:01Z")
    floor.take(
        change("call", "c-9", rep="quist", direction="outbound", dialed_at="2026-03-18T11:00Z"),
        change("call", "c-8", rep="quist", lead="l-own-r-17", direction="outbound", dialed_at="2026-03-18T11:00Z"),
        change("deal", "w-9", rep="quist", status="won", amount=1, currency="USD", closed_at="2026-03-18T11:00Z"),
        change("call", "c-7", rep="r-17", direction="outbound", dialed_at="2026-03-18T11:00Z"),
    )
    floor.read_side.broadcaster.flush(floor.now)
    told = subscription.drain().decode()

    assert [row["rep"] for row in snapshot["rows"]] == ["r-17"]
    assert [lead["lead"] for lead in snapshot["leads"]] == ["l-own-r-17"]
    assert {win["rep"] for win in snapshot["wins"]} == {"r-17"}
    assert '"calls_made":2' in told
    assert "answered" in told
    assert not [word for word in OTHERS if word in told + json.dumps(snapshot)]


async def test_nothing_is_done_with_it(floor: Floor, key: dict[str, str]) -> None:
    for path in ("/v1/alerts/a/acknowledge", "/v1/screens/pair", "/floor/alerts/a/acknowledge"):
        assert (await floor.post(path, {}, headers=key)).status_code == 403, path


async def test_it_opens_no_board_by_its_token(floor: Floor, key: dict[str, str]) -> None:
    token = key["authorization"].removeprefix("Bearer ")

    assert (await floor.get(f"/board/floor?token={token}")).status_code == 403
    cookie = {"cookie": f"floorcast_board_floor={token}"}
    assert (await floor.get("/v1/leaderboards/calls_made?screen=floor&team=faraway", headers=cookie)).status_code == 403


async def test_a_key_of_somebody_who_is_not_there_shows_nobody(floor: Floor) -> None:
    token = create_key(floor.settings.keys, ApiScope.REP, now=floor.now, rep="gone")
    key = {"authorization": f"Bearer {token}"}

    assert (await floor.get("/v1/reps", headers=key)).json()["rows"] == []
    assert (await floor.get("/v1/reps/gone/metrics", headers=key)).status_code == 404
    assert (await floor.get("/v1/reps/quist/metrics", headers=key)).status_code == 404


def test_every_address_of_reps_is_there(floor: Floor) -> None:
    """A misspelt line of the table would open nothing, and say so nowhere."""
    paths = {route.path for route in floor.app.routes if isinstance(route, APIRoute)}

    assert paths >= OPEN_TO_REPS

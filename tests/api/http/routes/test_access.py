"""What each key may see: scopes, the team limit and expiry, on every route that reads."""

from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from api.http.scopes import UnnamedAddressError, scope_of
from schemas.instants import HOUR
from schemas.keys import ApiScope
from tests.api.reading import Floor
from tests.builders import change

BOARD = (
    "/v1/metrics", "/v1/freshness", "/v1/leads/waiting", "/v1/leaderboards/calls_made", "/v1/series/calls_made",
    "/v1/wins", "/board/floor", "/metrics",
)  # fmt: skip
READ = (
    "/v1/reps", "/v1/teams", "/v1/reps/metrics", "/v1/reps/r1/metrics", "/v1/teams/north/metrics",
    "/v1/organisation/metrics", "/v1/leads/l1", "/v1/alerts",
)  # fmt: skip
ADMIN = ("/v1/dead-letters", "/v1/connections")
RANKS = {"board": 0, "read": 1, "admin": 2}


@pytest.fixture
def floor(tmp_path: Path) -> Floor:
    floor = Floor(tmp_path)
    floor.take(
        change("lead", "l1", rep="r1", received_at="2026-03-18T15:00Z"),
        change("lead", "l3", rep="r3", received_at="2026-03-18T15:00Z"),
        change("lead", "l0", received_at="2026-03-18T15:00Z"),
        change("call", "c1", rep="r1", direction="outbound", dialed_at="2026-03-18T15:00Z"),
        change("call", "c3", rep="r3", direction="outbound", dialed_at="2026-03-18T15:00Z"),
    )
    return floor


@pytest.mark.parametrize("scope", RANKS)
async def test_scope_opens_its_routes_and_no_others(floor: Floor, scope: str) -> None:
    key = floor.key(scope)

    for needed, paths in (("board", BOARD), ("read", READ), ("admin", ADMIN)):
        for path in paths:
            expected = 200 if RANKS[scope] >= RANKS[needed] else 403
            assert (await floor.get(path, headers=key)).status_code == expected, path


async def test_nothing_is_served_without_a_key_once_there_is_one(floor: Floor) -> None:
    floor.key()

    for path in (*BOARD, *READ, *ADMIN, "/v1/stream"):
        assert (await floor.refused(path))[0] == 401, path
        assert (await floor.refused(path, headers={"authorization": "Bearer fc_x.y"}))[0] == 401, path


async def test_who_has_no_key_is_not_told_whether_the_view_loads(floor: Floor) -> None:
    floor.key()
    floor.read_side.consumer.is_loaded = False

    assert (await floor.refused("/v1/reps/metrics"))[0] == 401


async def test_key_that_has_expired_opens_nothing(floor: Floor) -> None:
    key = floor.key(expires_at=floor.now + HOUR)
    floor.now += HOUR

    assert (await floor.refused("/v1/reps", headers=key))[0] == 401


async def test_limited_key_sees_its_own_team(floor: Floor) -> None:
    key = floor.key("admin", team="north")

    async def rows(path: str) -> list[str]:
        found = (await floor.get(path, headers=key)).json()
        return [row.get("rep") or row.get("team") for row in found.get("rows") or found["entries"]]

    assert await rows("/v1/reps") == ["r1", "r2"]
    assert await rows("/v1/teams") == ["north"]
    assert await rows("/v1/reps/metrics") == ["r1", "r2"]
    assert await rows("/v1/reps/metrics?team=north") == ["r1", "r2"]
    assert await rows("/v1/leaderboards/calls_made") == ["r1", "r2"]
    assert await rows("/v1/leads/waiting") == ["r1"]
    assert (await floor.get("/v1/alerts", headers=key)).json()["rows"] == []
    for path in (
        "/v1/reps/r1/metrics", "/v1/teams/north/metrics", "/v1/series/calls_made?rep=r1",
        "/v1/series/calls_made?team=north", "/v1/leads/l1", "/v1/metrics", "/v1/freshness", "/board/floor",
    ):  # fmt: skip
        assert (await floor.get(path, headers=key)).status_code == 200, path


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/reps?team=south", 403),
        ("/v1/reps?team=nowhere", 403),
        ("/v1/reps/metrics?team=south", 403),
        ("/v1/reps/r3/metrics", 404),
        ("/v1/reps/r4/metrics", 404),
        ("/v1/teams/south/metrics", 403),
        ("/v1/organisation/metrics", 403),
        ("/v1/leaderboards/calls_made?team=south", 403),
        ("/v1/series/calls_made", 403),
        ("/v1/series/calls_made?rep=r3", 404),
        ("/v1/series/calls_made?team=south", 403),
        ("/v1/leads/waiting?team=south", 403),
        ("/v1/leads/waiting?rep=r3", 404),
        ("/v1/leads/l3", 404),
        ("/v1/leads/l0", 404),
        ("/v1/dead-letters", 403),
        ("/v1/stream?teams=south", 403),
        ("/v1/stream?teams=north,south", 403),
        ("/v1/stream?reps=r3", 422),
        ("/v1/stream?reps=r1", 422),
        ("/metrics", 403),
    ],
)
async def test_limited_key_sees_nothing_of_others(floor: Floor, path: str, status: int) -> None:
    key = floor.key("admin", team="north")

    assert (await floor.refused(path, headers=key))[0] == status


async def test_rep_of_another_team_cannot_be_told_from_one_that_does_not_exist(floor: Floor) -> None:
    key = floor.key(team="north")

    other = await floor.get("/v1/reps/r3/metrics", headers=key)
    nobody = await floor.get("/v1/reps/r9/metrics", headers=key)

    assert other.json()["detail"].replace("r3", "r9") == nobody.json()["detail"]


async def test_limited_key_of_a_team_that_is_gone_is_told_so(floor: Floor) -> None:
    key = floor.key(team="nowhere")

    assert await floor.refused("/v1/reps/metrics", headers=key) == (404, "team")
    assert await floor.refused("/v1/stream", headers=key) == (404, "team")


async def test_wallboard_puts_its_token_into_a_cookie_that_opens_what_it_shows(floor: Floor) -> None:
    token = floor.key("board")["authorization"].removeprefix("Bearer ")

    opened = await floor.get(f"/board/floor?token={token}&window=1h")
    cookie = {"cookie": opened.headers["set-cookie"].partition(";")[0]}

    assert (opened.status_code, opened.headers["location"]) == (303, "/board/floor?window=1h")
    for path in ("/board/floor", *(f"/v1/{each}?screen=floor" for each in ("metrics", "freshness", "leads/waiting"))):
        assert (await floor.get(path, headers=cookie)).status_code == 200, path


async def test_unknown_screen_is_named(floor: Floor) -> None:
    assert await floor.refused("/board/nowhere") == (404, "screen")


async def test_every_route_has_its_line_in_the_table_of_scopes(floor: Floor) -> None:
    found: dict[tuple[str, str], ApiScope | None] = {}
    for route in floor.app.routes:
        # Of whatever kind: what is mounted too, and what FastAPI adds by itself.
        assert isinstance(route, Route | Mount), f"{route}: Identity looks at HTTP alone"
        if isinstance(route, Mount):
            found["GET", f"{route.path}/"] = scope_of("GET", f"{route.path}/")
        else:
            assert route.methods, f"{route} takes whatever is asked"
            found |= {(method, route.path_format): scope_of(method, route.path_format) for method in route.methods}

    open_ones = {path for (_, path), scope in found.items() if scope is None}
    assert open_ones == {
        "/", "/livez", "/readyz", "/openapi.json", "/static/", "/docs", "/docs/start.js",
        "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css", "/docs/runbooks", "/docs/runbooks/",
        "/docs/runbooks/{name}.md", "/v1/screens/codes", "/v1/screens/codes/{code}", "/floor/key", "/me/key",
    }  # fmt: skip
    actions = {path for (method, path), scope in found.items() if method == "POST" and scope is ApiScope.ADMIN}
    assert actions == {
        "/v1/alerts/{alert}/acknowledge", "/v1/alerts/{alert}/snooze", "/v1/screens/pair", "/v1/screens/{device}",
        "/floor/alerts",
    }  # fmt: skip


async def test_what_no_rule_names_is_open_to_nobody_also_where_a_route_is_behind_it(floor: Floor) -> None:
    async def said(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("secret")

    floor.app.router.routes[:0] = [
        Route("/added", said),
        Route("/docsadmin", said),
        Route("/webhooks-of-all", said),
        Mount("/mounted", routes=[Route("/inside", said)]),
    ]
    floor.app.add_api_route("/told", said)

    for path in ("/added", "/docsadmin", "/webhooks-of-all", "/mounted/inside", "/told", "/nowhere"):
        with pytest.raises(UnnamedAddressError):
            scope_of("GET", path)
        for key in ({}, floor.key("admin")):
            answer = await floor.get(path, headers=key)
            assert (answer.status_code, answer.json()["detail"]) == (404, "Not Found"), path


async def test_an_address_that_needs_no_key_does_not_open_those_that_only_begin_like_it(floor: Floor) -> None:
    floor.key()

    for path in ("/v1/screens/codesx", "/v1/screens/codes-of-all"):
        assert (await floor.post(path, {"scene": "s"})).status_code == 401, path
    assert scope_of("POST", "/webhooks/feed") is None
    assert scope_of("GET", "/docs") is None


async def test_id_that_looks_like_an_address_of_boards_is_no_way_in(floor: Floor) -> None:
    floor.take(change("lead", "waiting/l9", rep="r1", received_at="2026-03-18T15:00Z"))

    for path in ("/v1/leads/waiting/l9", "/v1/leads/waiting%2Fl9", "/v1/reps/metrics", "/v1/metrics/", "/v1//metrics"):
        assert (await floor.get(path, headers=floor.key("board"))).status_code == 403, path


@pytest.mark.parametrize("action", ["acknowledge", "snooze"])
@pytest.mark.parametrize("scope", ["board", "read"])
async def test_action_needs_an_admin(floor: Floor, action: str, scope: str) -> None:
    answer = await floor.post(f"/v1/alerts/a/{action}", {"for": "1h"}, headers=floor.key(scope))

    assert answer.status_code == 403


@pytest.mark.parametrize("action", ["acknowledge", "snooze"])
async def test_a_cookie_acts_for_nobody_not_even_for_an_admin(floor: Floor, action: str) -> None:
    token = floor.key("admin")["authorization"].removeprefix("Bearer ")
    opened = await floor.get(f"/board/floor?token={token}")
    cookie = {"cookie": opened.headers["set-cookie"].partition(";")[0]}

    answer = await floor.post(f"/v1/alerts/a/{action}?screen=floor", {"for": "1h"}, headers=cookie)

    assert answer.status_code == 403
    assert (await floor.get("/v1/dead-letters?screen=floor", headers=cookie)).status_code == 403

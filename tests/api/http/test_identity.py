"""Who asks: keys and their scopes, the cookies of boards, an api that is open, and what every answer carries."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request
from starlette.responses import PlainTextResponse, Response

from api.http.identity import Access, access_of, cookie_of, redirect_without_token
from schemas.instants import DAY
from schemas.keys import ApiScope, create_key
from tests.api.fakes import FakeIngest
from tests.api.live import make_app, make_settings
from tests.api.reading import Floor, floor_config
from tests.builders import change

NOW = 1_773_850_890_344_000
PATHS = {"board": "/v1/leaderboards/probe", "read": "/v1/probe", "admin": "/v1/connections/probe"}
"""An address of each scope."""


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "data" / "keys.json"


Ask = Callable[..., Awaitable[httpx.Response]]


def make_guarded_app(keys: Path, **settings: str) -> FastAPI:
    app = make_app(make_settings(keys.parent, **settings), FakeIngest(), clock=lambda: NOW)
    router = APIRouter()

    @router.get(PATHS["board"])
    @router.get(PATHS["read"])
    @router.get(PATHS["admin"])
    async def guarded(request: Request) -> dict[str, str | None]:
        access = access_of(request)
        return {"scope": access.scope, "team": access.team}

    @router.get("/board/{screen}")
    async def wall(request: Request, screen: str) -> Response:
        return redirect_without_token(
            request, f"/board/{screen}", cookie_of(screen), needs_key=True
        ) or PlainTextResponse(screen)

    app.router.routes[:0] = router.routes
    return app


@pytest.fixture
def settings() -> dict[str, str]:
    return {}


@pytest.fixture
def ask(keys: Path, settings: dict[str, str]) -> Ask:
    app = make_guarded_app(keys, **settings)

    async def get(
        path: str, *, host: str = "127.0.0.1:8080", client: str = "127.0.0.1", scheme: str = "http", **headers: str
    ) -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(client, 4711))
        async with httpx.AsyncClient(transport=transport) as asking:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return await asking.get(httpx.URL(f"{scheme}://{host}{path}"), headers=named)

    return get


class TestAccess:
    @pytest.mark.parametrize(
        ("scope", "allowed"),
        [
            (ApiScope.BOARD, {"board": 200, "read": 403, "admin": 403}),
            (ApiScope.READ, {"board": 200, "read": 200, "admin": 403}),
            (ApiScope.ADMIN, {"board": 200, "read": 200, "admin": 200}),
        ],
    )
    async def test_scope_decides(self, ask: Ask, keys: Path, scope: ApiScope, allowed: dict[str, int]) -> None:
        token = create_key(keys, scope, now=NOW)

        assert {
            name: (await ask(PATHS[name], Authorization=f"Bearer {token}")).status_code for name in allowed
        } == allowed

    async def test_team_of_the_key_reaches_the_route(self, ask: Ask, keys: Path) -> None:
        token = create_key(keys, ApiScope.READ, now=NOW, team="north")

        answer = await ask(PATHS["read"], Authorization=f"bearer {token}")

        assert answer.json() == {"scope": "read", "team": "north"}

    @pytest.mark.parametrize("authorization", ["Bearer fc_a.b", "Bearer", "Basic YTpi", ""])
    async def test_invalid_key_is_answered_401_with_a_challenge(self, ask: Ask, keys: Path, authorization: str) -> None:
        create_key(keys, ApiScope.READ, now=NOW)

        answer = await ask(PATHS["read"], Authorization=authorization)

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.headers["content-type"] == "application/problem+json"

    async def test_invalid_key_is_refused_even_where_the_api_is_open(self, ask: Ask) -> None:
        assert (await ask(PATHS["read"], Authorization="Bearer fc_a.b")).status_code == 401

    async def test_health_needs_no_key(self, ask: Ask, keys: Path) -> None:
        create_key(keys, ApiScope.READ, now=NOW)

        assert [(await ask(path)).status_code for path in ("/livez", "/readyz?role=ingest")] == [200, 200]

    async def test_what_there_is_not_is_no_secret_but_under_v1_it_is(self, ask: Ask, keys: Path) -> None:
        create_key(keys, ApiScope.READ, now=NOW)

        assert (await ask("/nowhere")).status_code == 404
        assert (await ask("/v1/nowhere")).status_code == 401

    def test_team_limit_shows_that_team_alone(self) -> None:
        limited, free = Access(ApiScope.READ, team="north"), Access(ApiScope.READ)

        assert [limited.allows_team(team) for team in ("north", "south", None)] == [True, False, False]
        assert [free.allows_team(team) for team in ("north", "south", None)] == [True, True, True]


class TestOpenApi:
    async def test_without_keys_this_machine_may_do_all(self, ask: Ask) -> None:
        assert (await ask(PATHS["admin"])).status_code == 200

    @pytest.mark.parametrize("host", ["localhost:8080", "[::1]:8080", "127.0.0.1"])
    async def test_it_knows_its_local_names(self, ask: Ask, host: str) -> None:
        assert (await ask(PATHS["read"], host=host)).status_code == 200

    async def test_it_refuses_a_foreign_host_name(self, ask: Ask) -> None:
        assert (await ask(PATHS["read"], host="rebound.example:8080")).status_code == 401

    async def test_it_is_the_same_machine_by_an_address_of_ipv4_within_ipv6(self, ask: Ask) -> None:
        assert (await ask(PATHS["read"], client="::ffff:127.0.0.1")).status_code == 200
        assert (await ask(PATHS["read"], client="::ffff:10.0.0.1")).status_code == 401

    async def test_it_refuses_another_machine(self, ask: Ask) -> None:
        assert (await ask(PATHS["read"], client="192.0.2.7")).status_code == 401

    @pytest.mark.parametrize(
        "header", ["Forwarded", "X_Forwarded_For", "X_Forwarded_Proto", "X_Forwarded_Host", "Via", "X_Real_IP"]
    )
    @pytest.mark.parametrize("settings", [{}, {"trusted_proxies": "127.0.0.0/8"}], ids=["nobody's", "a trusted one's"])
    async def test_it_answers_nobody_through_a_proxy(self, ask: Ask, keys: Path, header: str) -> None:
        path = PATHS["read"]

        assert (await ask(path, **{header: "127.0.0.1"})).status_code == 401
        assert (await ask("/board/floor", **{header: "127.0.0.1"})).status_code == 401

        token = create_key(keys, ApiScope.READ, now=NOW)
        assert (await ask(path, Authorization=f"Bearer {token}", **{header: "127.0.0.1"})).status_code == 200


class TestBoardCookie:
    async def test_token_becomes_the_cookie_of_its_board_and_leaves_the_address(self, ask: Ask, keys: Path) -> None:
        token = create_key(keys, ApiScope.BOARD, now=NOW, expires_at=NOW + DAY)

        answer = await ask(f"/board/north?theme=dark&token={token}")

        assert (answer.status_code, answer.headers["location"]) == (303, "/board/north?theme=dark")
        name, _, rest = answer.headers["set-cookie"].partition("=")
        assert name == "floorcast_board_north"
        assert all(part in rest.lower() for part in ("httponly", "samesite=lax", "max-age=86400", "path=/"))
        assert "secure" not in rest.lower()
        assert token not in answer.headers["location"]
        assert answer.headers["referrer-policy"] == "no-referrer"

    async def test_cookie_shows_boards_and_never_more(self, ask: Ask, keys: Path) -> None:
        token = create_key(keys, ApiScope.ADMIN, now=NOW)
        cookie = f"floorcast_board_north={token}"

        assert (await ask("/board/north", Cookie=cookie)).status_code == 200
        assert (await ask(f"{PATHS['board']}?screen=north", Cookie=cookie)).status_code == 200
        assert (await ask(f"{PATHS['read']}?screen=north", Cookie=cookie)).status_code == 403
        assert (await ask(f"{PATHS['admin']}?screen=north", Cookie=cookie)).status_code == 403

    async def test_only_the_cookie_of_the_board_that_asks_counts(self, ask: Ask, keys: Path) -> None:
        north, south = (create_key(keys, ApiScope.BOARD, now=NOW, team=team) for team in ("north", "south"))
        cookies = f"floorcast_board_north={north}; floorcast_board_south={south}; floorcast_board_old=fc_a.b"

        for screen in ("north", "south"):
            answer = await ask(f"{PATHS['board']}?screen={screen}", Cookie=cookies)
            assert answer.json()["team"] == screen
        for query in ("", "?screen=", "?screen=east", "?screen=old", "?screen=north&screen=east", "?screen=a%3Db"):
            assert (await ask(f"{PATHS['board']}{query}", Cookie=cookies)).status_code == 401, query
        assert (await ask("/board/floor", Cookie=cookies)).status_code == 401
        assert (await ask(PATHS["board"], Cookie=f"floorcast_board={north}")).status_code == 401

    async def test_only_a_screen_that_there_is_wants_a_key(self, ask: Ask, keys: Path) -> None:
        create_key(keys, ApiScope.BOARD, now=NOW)

        statuses = {
            path: (await ask(path)).status_code for path in ("/board/floor", "/board/nowhere", "/board/no/where")
        }

        assert statuses == {"/board/floor": 401, "/board/nowhere": 200, "/board/no/where": 404}

    async def test_invalid_token_is_answered_401(self, ask: Ask) -> None:
        answer = await ask("/board/north?token=fc_a.b")

        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers

    async def test_address_without_a_token_is_left_alone(self, ask: Ask) -> None:
        assert (await ask("/board/north")).text == "north"

    async def test_cookie_is_secure_where_the_connection_is(self, ask: Ask, keys: Path) -> None:
        token = create_key(keys, ApiScope.BOARD, now=NOW)

        answer = await ask(f"/board/north?token={token}", scheme="https")

        assert "; secure" in answer.headers["set-cookie"].lower()

    @pytest.mark.parametrize(
        ("settings", "is_secure"),
        [({}, False), ({"trusted_proxies": "10.0.0.0/8"}, False), ({"trusted_proxies": "10.1.1.1, 127.0.0.1"}, True)],
        ids=["nobody is trusted", "another is", "this one is"],
    )
    async def test_a_trusted_proxy_is_believed_that_there_is_tls(
        self, ask: Ask, keys: Path, *, is_secure: bool
    ) -> None:
        token = create_key(keys, ApiScope.BOARD, now=NOW)

        for headers in ({"X_Forwarded_Proto": "https"}, {"Forwarded": 'for=192.0.2.7;proto="https"'}):
            answer = await ask(f"/board/north?token={token}", **headers)
            assert ("; secure" in answer.headers["set-cookie"].lower()) is is_secure

    @pytest.mark.parametrize("settings", [{"trusted_proxies": "127.0.0.1,10.0.0.0/8"}])
    @pytest.mark.parametrize(
        ("headers", "is_secure"),
        [
            ({"Forwarded": "for=192.0.2.7;proto=https, for=10.0.0.2;proto=http"}, True),
            ({"Forwarded": "for=192.0.2.7;proto=http, for=10.0.0.2;proto=https"}, False),
            ({"Forwarded": "for=10.9.9.9;proto=https, for=192.0.2.7;proto=http"}, False),
            ({"X_Forwarded_For": "192.0.2.7, 10.0.0.2", "X_Forwarded_Proto": "https, http"}, True),
            ({"X_Forwarded_For": "192.0.2.7, 10.0.0.2", "X_Forwarded_Proto": "https"}, True),
            ({"X_Forwarded_For": "192.0.2.7", "X_Forwarded_Proto": "https, http"}, False),
            ({"X_Forwarded_Proto": "gopher"}, False),
        ],
    )
    async def test_of_two_proxies_the_one_to_which_the_client_came_knows(
        self, ask: Ask, keys: Path, headers: dict[str, str], *, is_secure: bool
    ) -> None:
        token = create_key(keys, ApiScope.BOARD, now=NOW)

        answer = await ask(f"/board/north?token={token}", **headers)

        assert ("; secure" in answer.headers["set-cookie"].lower()) is is_secure


@pytest.mark.parametrize("path", ["/livez", "/board/nowhere", "/docs", "/openapi.json", "/webhooks/nobody", "/no"])
async def test_every_answer_carries_the_security_headers_and_a_name(ask: Ask, path: str) -> None:
    headers = (await ask(path)).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    policy = headers["content-security-policy"]
    assert all(part in policy for part in ("default-src 'none'", "script-src 'self';", "frame-ancestors 'none'"))
    assert headers["x-request-id"] != (await ask(path)).headers["x-request-id"]


async def test_a_screen_that_a_reload_brought_is_one_and_asks_for_a_key(tmp_path: Path) -> None:
    """Who may see what goes by the configuration that is served, and not by that of the start."""
    floor = Floor(tmp_path)
    floor.take(change("lead", "n", rep="r1", received_at="2026-03-18T15:00Z"))
    floor.take(change("lead", "s", rep="r3", received_at="2026-03-18T15:00Z"))
    key = floor.key("board")
    assert (await floor.get("/board/two", headers=key)).status_code == 404
    scenes = [{"name": "a", "tiles": [{"kind": "leads"}]}]

    floor.view.config = floor_config(screens={"two": {"teams": ["south"], "scenes": scenes}})

    assert (await floor.get("/board/two")).status_code == 401
    assert (await floor.get("/board/two", headers=key)).status_code == 200
    assert (await floor.get("/board/floor", headers=key)).status_code == 404
    waiting = await floor.get("/v1/leads/waiting", headers=key, screen="two")
    assert [lead["lead"] for lead in waiting.json()["rows"]] == ["s"]

"""Keys, scopes, the wallboard's cookie, and the headers that every answer carries."""

import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI, Request
from starlette.responses import PlainTextResponse, Response

from api.http.identity import BOARD_COOKIE, Access, redirect_with_cookie, require
from api.http.keys import (
    ApiScope,
    KeyFileError,
    KeyStore,
    UnknownKeyError,
    create_key,
    ephemeral_key,
    has_keys,
    list_keys,
    revoke_key,
)
from api.settings import is_loopback
from schemas.instants import DAY
from tests.api.fakes import FakeIngest
from tests.api.live import make_app, make_settings

NOW = 1_773_850_890_344_000


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "data" / "keys.json"


class TestKeyFile:
    def test_token_is_shown_once_and_stored_as_a_hash(self, keys: Path) -> None:
        token = create_key(keys, ApiScope.READ, now=NOW, team="north", expires_at=NOW + DAY)

        (key,) = list_keys(keys)
        assert token.startswith(f"fc_{key.id}.")
        assert len(token.partition(".")[2]) >= 43
        assert (key.scope, key.team, key.created_at, key.expires_at) == (ApiScope.READ, "north", NOW, NOW + DAY)
        assert token.partition(".")[2] not in keys.read_text(encoding="utf-8")

    def test_file_is_for_its_owner_alone_and_nothing_is_left_beside_it(self, keys: Path) -> None:
        create_key(keys, ApiScope.READ, now=NOW)
        create_key(keys, ApiScope.READ, now=NOW)

        assert stat.S_IMODE(keys.stat().st_mode) == 0o600
        assert {file.name for file in keys.parent.iterdir()} <= {"keys.json", "keys.lock"}

    def test_revoked_key_is_gone_and_the_others_stay(self, keys: Path) -> None:
        for _ in range(3):
            create_key(keys, ApiScope.READ, now=NOW)
        first, second, third = list_keys(keys)

        revoke_key(keys, second.id)

        assert list_keys(keys) == [first, third]

    def test_revoking_an_unknown_key_says_so(self, keys: Path) -> None:
        with pytest.raises(UnknownKeyError, match="nothing"):
            revoke_key(keys, "nothing")

    def test_no_file_means_no_keys(self, keys: Path) -> None:
        assert not has_keys(keys)

    @pytest.mark.parametrize("content", ["", "[]", '{"keys": [{"id": 1}]}', "\0"])
    def test_broken_file_is_an_error_that_names_it(self, keys: Path, content: str) -> None:
        keys.parent.mkdir()
        keys.write_text(content, encoding="utf-8")

        with pytest.raises(KeyFileError, match=r"keys\.json"):
            has_keys(keys)


class TestKeyStore:
    def test_key_is_found_by_its_whole_token_only(self, keys: Path) -> None:
        token = create_key(keys, ApiScope.READ, now=NOW)
        store = KeyStore(keys, loopback=True)

        assert store.find(token, NOW) == list_keys(keys)[0]
        changed = [token[:-1], token + "A", token.swapcase(), token.partition(".")[0], "fc_.", "", "fc_é." + token]
        assert [store.find(other, NOW) for other in changed] == [None] * len(changed)

    def test_key_ends_at_its_expiry(self, keys: Path) -> None:
        token = create_key(keys, ApiScope.READ, now=NOW, expires_at=NOW + DAY)
        store = KeyStore(keys, loopback=True)

        assert store.find(token, NOW + DAY - 1) is not None
        assert store.find(token, NOW + DAY) is None

    def test_revocation_takes_effect_without_a_restart(self, keys: Path) -> None:
        token = create_key(keys, ApiScope.READ, now=NOW)
        create_key(keys, ApiScope.READ, now=NOW)
        store = KeyStore(keys, loopback=True)
        assert store.find(token, NOW) is not None

        revoke_key(keys, list_keys(keys)[0].id)

        assert store.find(token, NOW) is None

    def test_first_key_closes_what_was_open(self, keys: Path) -> None:
        store = KeyStore(keys, loopback=True)
        assert store.is_open

        create_key(keys, ApiScope.BOARD, now=NOW)

        assert not store.is_open

    def test_nothing_but_loopback_is_ever_open(self, keys: Path) -> None:
        assert not KeyStore(keys, loopback=False).is_open

    def test_a_key_that_the_process_was_started_with_reads_and_leaves_doors_as_they_are(self, keys: Path) -> None:
        token, sha256 = ephemeral_key()
        store = KeyStore(keys, loopback=True, verifier_sha256=sha256)
        assert store.is_open

        create_key(keys, ApiScope.BOARD, now=NOW)
        found = store.find(token, NOW)

        assert not store.is_open
        assert found is not None
        assert (found.scope, found.team, found.is_expired(NOW + 1000 * DAY)) == (ApiScope.READ, None, False)
        assert store.find(ephemeral_key()[0], NOW) is None
        assert KeyStore(keys, loopback=True).find(token, NOW) is None
        assert len(list_keys(keys)) == 1

    def test_broken_file_lets_nobody_in(self, keys: Path) -> None:
        token = create_key(keys, ApiScope.ADMIN, now=NOW)
        store = KeyStore(keys, loopback=True)
        keys.write_text("broken", encoding="utf-8")

        assert not store.is_open
        assert store.find(token, NOW) is None


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("LocalHost", True),
        ("0.0.0.0", False),  # noqa: S104 - what must not pass for loopback
        ("::", False),
        ("192.168.1.4", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine_alone(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


Ask = Callable[..., Awaitable[httpx.Response]]


def make_guarded_app(keys: Path, *, host: str = "127.0.0.1") -> FastAPI:
    app = make_app(make_settings(keys.parent, host=host), FakeIngest(), clock=lambda: NOW)
    for scope in ApiScope:

        @app.get(f"/{scope}")
        async def guarded(access: Annotated[Access, Depends(require(scope))]) -> dict[str, str | None]:
            return {"scope": access.scope, "team": access.team}

    @app.get("/{screen:path}")
    async def wall(request: Request, screen: str) -> Response:
        return redirect_with_cookie(request) or PlainTextResponse(screen)

    return app


@pytest.fixture
def ask(keys: Path) -> Ask:
    app = make_guarded_app(keys)

    async def get(
        path: str, *, host: str = "127.0.0.1:8080", raw_path: bytes | None = None, **headers: str
    ) -> httpx.Response:
        url = httpx.URL(f"http://{host}{path}")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
            return await client.get(url.copy_with(raw_path=raw_path) if raw_path else url, headers=headers)

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
            path: (await ask(f"/{path}", Authorization=f"Bearer {token}")).status_code for path in allowed
        } == allowed

    async def test_team_of_the_key_reaches_the_route(self, ask: Ask, keys: Path) -> None:
        token = create_key(keys, ApiScope.READ, now=NOW, team="north")

        answer = await ask("/read", Authorization=f"bearer {token}")

        assert answer.json() == {"scope": "read", "team": "north"}

    @pytest.mark.parametrize("authorization", ["Bearer fc_a.b", "Bearer", "Basic YTpi", ""])
    async def test_invalid_key_is_answered_401_with_a_challenge(self, ask: Ask, keys: Path, authorization: str) -> None:
        create_key(keys, ApiScope.READ, now=NOW)

        answer = await ask("/read", Authorization=authorization)

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.headers["content-type"] == "application/problem+json"

    async def test_invalid_key_is_refused_even_where_the_api_is_open(self, ask: Ask) -> None:
        assert (await ask("/read", Authorization="Bearer fc_a.b")).status_code == 401

    async def test_without_keys_this_machine_may_do_all(self, ask: Ask) -> None:
        assert (await ask("/admin")).status_code == 200

    @pytest.mark.parametrize("host", ["localhost:8080", "[::1]:8080", "127.0.0.1"])
    async def test_open_api_knows_its_local_names(self, ask: Ask, host: str) -> None:
        assert (await ask("/read", host=host)).status_code == 200

    async def test_open_api_refuses_a_foreign_host_name(self, ask: Ask) -> None:
        assert (await ask("/read", host="rebound.example:8080")).status_code == 401

    async def test_health_needs_no_key(self, ask: Ask, keys: Path) -> None:
        create_key(keys, ApiScope.READ, now=NOW)

        assert [(await ask(path)).status_code for path in ("/livez", "/readyz?role=ingest")] == [200, 200]

    def test_team_limit_shows_that_team_alone(self) -> None:
        limited, free = Access(ApiScope.READ, team="north"), Access(ApiScope.READ)

        assert [limited.allows_team(team) for team in ("north", "south", None)] == [True, False, False]
        assert [free.allows_team(team) for team in ("north", "south", None)] == [True, True, True]


class TestBoardCookie:
    async def test_token_becomes_a_cookie_and_leaves_the_address(self, ask: Ask, keys: Path) -> None:
        token = create_key(keys, ApiScope.BOARD, now=NOW, expires_at=NOW + DAY)

        answer = await ask(f"/wall/north?theme=dark&token={token}")

        assert (answer.status_code, answer.headers["location"]) == (303, "/wall/north?theme=dark")
        cookie = answer.headers["set-cookie"].lower()
        assert all(part in cookie for part in ("httponly", "samesite=lax", "max-age=86400", "path=/"))
        assert token not in answer.headers["location"]
        assert answer.headers["referrer-policy"] == "no-referrer"

    async def test_cookie_shows_boards_and_never_more(self, ask: Ask, keys: Path) -> None:
        token = create_key(keys, ApiScope.ADMIN, now=NOW)
        cookie = f"{BOARD_COOKIE}={token}"

        assert (await ask("/board", Cookie=cookie)).status_code == 200
        assert (await ask("/admin", Cookie=cookie)).status_code == 403

    async def test_invalid_token_is_answered_401(self, ask: Ask) -> None:
        answer = await ask("/wall/north?token=fc_a.b")

        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers

    async def test_redirect_never_leaves_this_site(self, ask: Ask, keys: Path) -> None:
        token = create_key(keys, ApiScope.BOARD, now=NOW)

        answer = await ask("/", raw_path=f"//evil.example/x?token={token}".encode())

        assert (answer.status_code, answer.headers["location"]) == (303, "/evil.example/x")

    async def test_address_without_a_token_is_left_alone(self, ask: Ask) -> None:
        assert (await ask("/wall/north")).text == "wall/north"


@pytest.mark.parametrize("path", ["/livez", "/wall/nowhere", "/docs", "/openapi.json", "/webhooks/nobody"])
async def test_every_answer_carries_the_security_headers(ask: Ask, path: str) -> None:
    headers = (await ask(path)).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    policy = headers["content-security-policy"]
    assert all(part in policy for part in ("default-src 'none'", "script-src 'self';", "frame-ancestors 'none'"))

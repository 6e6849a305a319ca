"""`/v1/screens`: pairing by a code, what screens say of themselves, and what they are told."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import tell_device
from api.http.routes.screens import Screens
from api.read.subscriptions import Filter
from schemas.devices import CODE_LASTS, CODE_LETTERS, AccessBook, Command, Heartbeat
from schemas.instants import SECOND
from tests.api.fakes import FakeAccessLog
from tests.api.reading import Floor, floor_config, subscribe

SCENES = [{"name": "Today", "tiles": [{"kind": "leads"}]}, {"name": "Month", "tiles": [{"kind": "leads"}]}]
BROWSER = {"accept": "text/html"}


class Wall:
    """An api with keys, and what a browser without one and an administrator ask of it."""

    def __init__(self, path: Path, **screens: Any) -> None:
        self.log = FakeAccessLog()
        self.floor = Floor(path, floor_config(screens=screens or {"floor": {"scenes": SCENES}}))
        self.paired = Screens(AccessBook(is_known=True), self.log)
        self.floor.app.state.screens = self.paired
        self.floor.app.state.keys.shared = self.paired.book
        self.admin = self.floor.key("admin")

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        transport = httpx.ASGITransport(self.floor.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
            return await client.request(method, path, json=body, headers=headers)

    async def code(self) -> dict[str, str]:
        answer = await self.ask("POST", "/v1/screens/codes", {})
        assert answer.status_code == 201, answer.text
        found: dict[str, str] = answer.json()
        return found

    async def poll(self, code: dict[str, str]) -> httpx.Response:
        return await self.ask("GET", f"/v1/screens/codes/{code['code']}", authorization=f"Bearer {code['claim']}")

    async def pair(self, code: str, **more: Any) -> httpx.Response:
        return await self.ask("POST", "/v1/screens/pair", {"code": code, "screen": "floor", **more}, **self.admin)

    async def device(self, **more: Any) -> tuple[str, str]:
        """A device that was paired, and its token."""
        code = await self.code()
        assert (await self.pair(code["code"], **more)).status_code == 201
        answer = await self.poll(code)
        assert answer.status_code == 200
        return answer.json()["device"], answer.cookies["floorcast_board_floor"]


@pytest.fixture
def wall(tmp_path: Path) -> Wall:
    return Wall(tmp_path)


async def test_a_code_is_paired_and_its_browser_gets_the_cookie_once(wall: Wall) -> None:
    code = await wall.code()
    assert len(code["code"]) == 6
    assert set(code["code"]) <= set(CODE_LETTERS)
    assert ((await wall.poll(code)).status_code, (await wall.poll(code)).json()) == (202, {"state": "waiting"})

    typed = f"{code['code'][:3].lower()}-{code['code'][3:].lower()}"
    paired = await wall.pair(typed, name="Lobby")
    claimed = await wall.poll(code)

    assert paired.status_code == 201
    assert paired.json() | {"device": ""} == {"device": "", "screen": "floor", "team": None, "name": "Lobby"}
    assert claimed.json() == {"device": paired.json()["device"], "screen": "floor"}
    assert "HttpOnly" in claimed.headers["set-cookie"]
    assert (await wall.poll(code)).status_code == 404
    assert (await wall.pair(code["code"])).status_code == 404
    page = await wall.ask(
        "GET", "/board/floor", cookie=f"floorcast_board_floor={claimed.cookies['floorcast_board_floor']}"
    )
    assert page.status_code == 200
    assert f'data-device="{paired.json()["device"]}"' in page.text


async def test_secrets_are_stored_as_hashes_only(wall: Wall) -> None:
    code = await wall.code()
    await wall.pair(code["code"])
    token = (await wall.poll(code)).cookies["floorcast_board_floor"]

    stored = b"".join(value or b"" for _, value in wall.log.records).decode()
    assert code["claim"] not in stored
    assert token not in stored


async def test_another_api_knows_it_from_the_log(wall: Wall) -> None:
    device, _ = await wall.device(team="north")
    book = AccessBook(is_known=True)
    for name, value in wall.log.records:
        book.apply(name, value)

    assert book == wall.paired.book
    key = book.find(device)
    assert key is not None
    assert (key.screen, key.team) == ("floor", "north")


async def test_a_code_of_somebody_else_or_of_before_is_none(wall: Wall) -> None:
    code = await wall.code()
    assert (await wall.poll(code | {"claim": "x"})).status_code == 404

    wall.floor.now += CODE_LASTS

    assert (await wall.poll(code)).status_code == 404
    assert (await wall.pair(code["code"])).status_code == 404


@pytest.mark.parametrize(
    ("more", "field"), [({"screen": "nothing"}, "screen"), ({"team": "nothing"}, "team"), ({"kind": "x"}, "kind")]
)
async def test_what_there_is_not_is_named(wall: Wall, more: dict[str, str], field: str) -> None:
    refused = await wall.pair((await wall.code())["code"], **more)

    assert refused.status_code == 422
    assert field in refused.json()["detail"] + str(refused.json().get("field"))


async def test_who_asks_for_many_codes_or_guesses_waits(wall: Wall) -> None:
    for _ in range(6):
        await wall.code()
    refused = await wall.ask("POST", "/v1/screens/codes", {})
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0

    guesses = [await wall.pair("ZZZZZZ") for _ in range(11)]
    assert [guess.status_code for guess in guesses] == [404] * 10 + [429]
    assert int(guesses[-1].headers["retry-after"]) > 0


@pytest.mark.parametrize("scope", ["read", "board"])
async def test_only_an_administrator_pairs_and_lists(wall: Wall, scope: str) -> None:
    key = wall.floor.key(scope)

    assert (await wall.ask("GET", "/v1/screens", **key)).status_code == 403
    assert (await wall.ask("POST", "/v1/screens/pair", {"code": "ABCDEF", "screen": "floor"}, **key)).status_code == 403
    assert (await wall.ask("GET", "/v1/screens")).status_code == 401


async def test_a_screen_is_listed_with_what_it_says_and_for_how_long_it_was_silent(wall: Wall) -> None:
    device, token = await wall.device(name="Lobby")
    said = {"build": "b1", "scene": "Month", "size": "1920x1080"}
    beat = await wall.ask("POST", "/v1/screens/heartbeat", said, authorization=f"Bearer {token}")
    assert beat.status_code == 204

    (row,) = (await wall.ask("GET", "/v1/screens", **wall.admin)).json()["rows"]
    assert row | said == row
    assert (row["device"], row["name"], row["team"], row["online"]) == (device, "Lobby", None, True)

    wall.floor.now += 31 * SECOND
    (row,) = (await wall.ask("GET", "/v1/screens", **wall.admin)).json()["rows"]
    assert not row["online"]


async def test_a_device_reads_what_its_screen_shows_and_nothing_else(tmp_path: Path) -> None:
    tiles = [{"kind": "leaderboard", "metric": "calls_made"}]
    wall = Wall(tmp_path, floor={"privacy": {"names": "none"}, "scenes": [{"name": "A", "tiles": tiles}]})
    _, token = await wall.device(team="north")
    key = {"authorization": f"Bearer {token}"}

    board = (await wall.ask("GET", "/v1/leaderboards/calls_made", **key)).json()
    assert [entry["name"] for entry in board["entries"]] == [None, None]
    for path in ("/v1/screens", "/v1/dead-letters", "/v1/reps/metrics", "/metrics", "/v1/reps"):
        assert (await wall.ask("GET", path, **key)).status_code == 403, path


async def test_a_revoked_screen_is_gone_for_good(wall: Wall) -> None:
    device, token = await wall.device()
    await wall.paired.forget(wall.paired.book.devices[device])

    assert (await wall.ask("GET", "/v1/metrics?screen=floor", authorization=f"Bearer {token}")).status_code == 401
    assert (await wall.ask("GET", "/v1/screens", **wall.admin)).json()["rows"] == []
    assert (await wall.ask("POST", f"/v1/screens/{device}", {"reload": True}, **wall.admin)).status_code == 404


@pytest.mark.parametrize(
    ("said", "status"),
    [({"identify": True}, 202), ({"reload": True}, 202), ({"scene": "Month"}, 202), ({"scene": "No"}, 422), ({}, 422)],
)
async def test_a_screen_is_told_what_to_do(wall: Wall, said: dict[str, Any], status: int) -> None:
    device, _ = await wall.device()

    answer = await wall.ask("POST", f"/v1/screens/{device}", said, **wall.admin)

    assert answer.status_code == status
    if status == 202:
        assert answer.json() == {"delivered": False}
    assert (await wall.ask("POST", "/v1/screens/nobody", said, **wall.admin)).status_code == 404


async def test_a_screen_whose_stream_has_gone_is_told_nothing_though_it_was_heard_of_a_moment_ago(wall: Wall) -> None:
    device, token = await wall.device()
    said = {"build": "1", "scene": "Today", "size": "1920x1080"}
    cookie = {"cookie": f"floorcast_board_floor={token}"}
    assert (await wall.ask("POST", "/v1/screens/heartbeat?screen=floor", said, **cookie)).status_code == 204

    async def delivered() -> bool:
        answer = await wall.ask("POST", f"/v1/screens/{device}", {"identify": True}, **wall.admin)
        found: bool = answer.json()["delivered"]
        return found

    assert not await delivered()
    subscribe(wall.floor.read_side.broadcaster, Filter(device=device), wall.floor.now)
    assert await delivered()


async def test_a_screen_of_another_api_is_told_by_it(wall: Wall) -> None:
    device, _ = await wall.device()
    await wall.paired.put(Heartbeat(device, wall.floor.now))

    answer = await wall.ask("POST", f"/v1/screens/{device}", {"reload": True}, **wall.admin)

    assert answer.json() == {"delivered": True}


def test_only_that_screen_hears_it_and_only_in_time(wall: Wall) -> None:
    broadcaster = wall.floor.read_side.broadcaster
    own, _ = subscribe(broadcaster, Filter(device="d1"), wall.floor.now)
    other, _ = subscribe(broadcaster, Filter(), wall.floor.now)

    tell_device(wall.floor.read_side, wall.paired.book, Command("d1", wall.floor.now, scene="Month"), wall.floor.now)
    tell_device(wall.floor.read_side, wall.paired.book, Command("d1", 0, reload=True), wall.floor.now)

    assert b'event: screen\ndata: {"scene":"Month"}' in own.drain()
    assert other.drain() == b""
    assert broadcaster.has_device("d1")


async def test_a_browser_without_a_key_gets_a_page_to_pair_it_in_the_language_of_the_screen(tmp_path: Path) -> None:
    wall = Wall(tmp_path, floor={"language": "fa", "scenes": SCENES})

    page = await wall.ask("GET", "/board/floor", **BROWSER)

    assert page.status_code == 401
    assert 'lang="fa" dir="rtl"' in page.text
    assert 'id="code"' in page.text
    assert (await wall.ask("GET", "/board/floor")).headers["content-type"] == "application/problem+json"

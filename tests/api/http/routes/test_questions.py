"""What was asked before is answered without the framework, and nobody can tell by the answer."""

import asyncio
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.app import create_app
from api.http.keys import UnknownKeyError, revoke_key
from api.http.routes.questions import QuestionGate, Questions
from api.read.read_side import ReadSide
from api.read.response_cache import ResponseCache
from schemas.instants import DAY, SECOND
from tests.api.reading import Floor
from tests.builders import change

PATH = "/v1/leaderboards/calls_made"
ADDRESSES = (
    PATH,
    PATH + "?window=7d&limit=2",
    PATH + "?team=north",
    PATH + "?team=east",
    PATH + "?from=2026-03-17&to=2026-03-18",
    "/v1/leaderboards/leads_waiting",
    "/v1/leaderboards/revenue_won?window=5m",
)
WRONG = (PATH + "?window=9d&limit=x", PATH + "?limit=0", PATH + "?from=2026-03-17", "/v1/leaderboards/nonsense")
REPS = ("r1", "r2", "r3")
KEYS = ("none", "wrong", "read", "north", "brief")


class Twice:
    """One view behind two apis: one that remembers, and one that reads every request and makes every answer anew."""

    def __init__(self, data: Path) -> None:
        self.floor = Floor(data)
        self.fresh = create_app(
            self.floor.settings, self.floor.config, state={"read_side": self.floor.read_side}, clock=self.floor.clock
        )
        self.fresh.state.questions = Questions(most=0)
        self.keys: dict[str, dict[str, str]] = {"none": {}, "wrong": {"authorization": "Bearer fc_x.y"}}
        self.tags: dict[str, str] = {}

    async def both(self, path: str, headers: dict[str, str]) -> httpx.Response:
        """The answer of the one that remembers, which is that of the other."""
        read_side: ReadSide = self.floor.read_side
        response_cache, read_side.response_cache = read_side.response_cache, ResponseCache(most=0)
        transport = httpx.ASGITransport(self.fresh)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
            made = await client.get(path, headers=headers)
        read_side.response_cache = response_cache
        found = await self.floor.get(path, headers=headers)
        assert (found.status_code, found.headers, found.content) == (made.status_code, made.headers, made.content)
        return found

    async def ask(self, path: str, key: str, *, has_it: bool) -> None:
        headers = dict(self.keys.get(key, {}))
        if has_it and path in self.tags:
            headers["if-none-match"] = self.tags[path]
        answer = await self.both(path, headers)
        if answer.status_code == 200:
            self.tags[path] = answer.headers["etag"]


def steps() -> st.SearchStrategy[list[tuple[Any, ...]]]:
    asking = st.tuples(
        st.just("ask"), st.sampled_from(ADDRESSES + WRONG), st.sampled_from(KEYS),
        st.booleans(),
    )  # fmt: skip
    return st.lists(
        st.one_of(
            asking,
            asking,
            st.tuples(st.just("call"), st.sampled_from(REPS)),
            st.tuples(st.just("lead"), st.sampled_from(REPS)),
            st.tuples(st.just("move"), st.sampled_from(REPS), st.sampled_from(("north", "south", "east"))),
            st.tuples(st.just("wait"), st.sampled_from((1, 60, 600, 86_400))),
            st.tuples(st.just("key"), st.sampled_from(("read", "north", "brief"))),
            st.tuples(st.just("revoke"), st.sampled_from(("read", "north", "brief"))),
            st.tuples(st.just("load"), st.booleans()),
        ),
        max_size=25,
    )


@given(steps=steps())
@settings(max_examples=30, deadline=None)
def test_remembered_answers_are_those_that_are_made_anew_whatever_happens(steps: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as data:
        asyncio.run(_do(Twice(Path(data)), steps))


async def _do(twice: Twice, steps: list[tuple[Any, ...]]) -> None:
    floor = twice.floor
    for number, (step, *what) in enumerate(steps):
        at = floor.now
        match step:
            case "ask":
                await twice.ask(what[0], what[1], has_it=what[2])
            case "call":
                floor.take(change("call", f"c{number}", at, rep=what[0], direction="outbound", dialed_at=at))
            case "lead":
                floor.take(change("lead", f"l{number}", at, rep=what[0], received_at=at))
            case "move":
                floor.take(change("rep", what[0], at, name=what[0], team=what[1]))
            case "wait":
                floor.now += what[0] * SECOND
            case "key":
                twice.keys[what[0]] = floor.key(
                    "board",
                    team="north" if what[0] == "north" else None,
                    expires_at=at + 300 * SECOND if what[0] == "brief" else None,
                )
            case "revoke" if what[0] in twice.keys:
                token = twice.keys[what[0]]["authorization"].removeprefix("Bearer fc_")
                with suppress(UnknownKeyError):
                    revoke_key(floor.settings.keys, token.partition(".")[0])
            case "load":
                floor.read_side.consumer.is_loaded = what[0]
        # So that there is always something that could be response_cache for too long.
        await twice.ask(ADDRESSES[number % len(ADDRESSES)], "read", has_it=False)
    for address in ADDRESSES:
        for key in KEYS:
            await twice.ask(address, key, has_it=False)


@pytest.fixture
def floor(tmp_path: Path) -> Floor:
    return Floor(tmp_path)


@pytest.fixture
def passes_framework(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many requests the gate did not answer itself."""
    gate = floor.app.gate  # type: ignore[attr-defined]
    assert isinstance(gate, QuestionGate)
    passed: list[str] = []
    framework = gate.app

    async def counting(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope["path"])
        await framework(scope, receive, send)

    monkeypatch.setattr(gate, "app", counting)
    return lambda: len(passed)


async def test_framework_reads_an_address_once_and_each_key_may_ask_it(
    floor: Floor, passes_framework: Callable[[], int]
) -> None:
    keys = [floor.key("read"), floor.key("board", team="north")]

    answers = [await floor.get(PATH, headers=key) for key in keys * 2]

    assert passes_framework() == 1
    assert [len(answer.json()["entries"]) for answer in answers] == [4, 2, 4, 2]


async def test_key_is_asked_for_each_time(floor: Floor, passes_framework: Callable[[], int]) -> None:
    key = floor.key("board", expires_at=floor.now + DAY)
    assert (await floor.get(PATH, headers=key)).status_code == 200

    statuses = [(await floor.refused(PATH))[0]]
    floor.now += DAY
    statuses.append((await floor.refused(PATH, headers=key))[0])

    assert statuses == [401, 401]
    assert passes_framework() == 1


async def test_refused_requests_leave_nothing_behind(floor: Floor, passes_framework: Callable[[], int]) -> None:
    floor.key()

    for path in (PATH, *WRONG):
        for _ in range(2):
            assert (await floor.get(path)).status_code == 401

    assert passes_framework() == 2 * (1 + len(WRONG))


async def test_unexpected_error_is_a_bare_500(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    await floor.read(PATH)
    monkeypatch.setattr(floor.view.calendar, "day_of", lambda _now: 1 / 0)

    answer = await floor.get(PATH)

    assert (answer.status_code, answer.json()["type"]) == (500, "urn:floorcast:problem:internal")
    assert answer.headers["x-frame-options"] == "DENY"


async def test_number_of_addresses_is_bounded(floor: Floor, passes_framework: Callable[[], int]) -> None:
    for limit in range(1, 301):
        await floor.read(PATH, limit=str(limit))

    await floor.read(PATH, limit="300")
    await floor.read(PATH, limit="1")

    assert passes_framework() == 301

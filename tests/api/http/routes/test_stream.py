"""`/v1/stream` over a real server: headers, first event, changes, heartbeat, end."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.http.open_streams import OpenStreams
from api.read.subscriptions import QUEUE
from schemas.instants import SECOND
from schemas.keys import list_keys, revoke_key
from tests.api.live import serving
from tests.api.reading import Floor
from tests.builders import change

_PATIENCE_SECONDS = 30.0


class LiveFloor(Floor):
    """A floor whose server runs in a thread; what the test does to the view it does on the server's event loop."""

    loop: asyncio.AbstractEventLoop

    @contextmanager
    def served(self) -> Iterator[str]:
        @self.app.get("/docs/loop")
        async def loop() -> None:
            self.loop = asyncio.get_running_loop()

        with serving(self.app, self.settings) as (host, port):
            httpx.get(f"http://{host}:{port}/docs/loop", timeout=_PATIENCE_SECONDS).raise_for_status()
            yield f"http://{host}:{port}"

    def tell(self, *changes: Any) -> None:
        """Let the CRM say this, and tell the clients."""
        done = threading.Event()

        def apply() -> None:
            self.take(*changes)
            self.read_side.broadcaster.flush(self.now)
            done.set()

        self.loop.call_soon_threadsafe(apply)
        assert done.wait(_PATIENCE_SECONDS)


class Events:
    """Events of a stream, one after the other; comments are counted."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.iter_lines()
        self.comments = 0
        self.retry = ""
        self.id = ""

    def next(self) -> tuple[str, Any]:
        kind = ""
        for line in self._lines:
            if line.startswith(":"):
                self.comments += 1
            name, _, value = line.partition(": ")
            if name == "id":
                self.id = value
            elif name == "retry":
                self.retry = value
            elif name == "event":
                kind = value
            elif name == "data":
                return kind, json.loads(value)
        raise EOFError

    def next_of(self, kind: str) -> Any:
        while True:
            found, data = self.next()
            if found == kind:
                return data


@pytest.fixture
def floor(tmp_path: Path) -> LiveFloor:
    return LiveFloor(tmp_path)


@contextmanager
def stream(url: str, path: str = "/v1/stream", **headers: str) -> Iterator[Events]:
    with (
        httpx.Client(timeout=_PATIENCE_SECONDS) as client,
        client.stream("GET", url + path, headers=headers) as response,
    ):
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        yield Events(response)


def call(id: str, rep: str = "r1") -> Any:
    return change("call", id, rep=rep, direction="outbound", dialed_at="2026-03-18T15:00Z")


def test_first_a_snapshot_then_what_changes(floor: LiveFloor) -> None:
    floor.take(call("c1"), change("lead", "l1", rep="r1", received_at="2026-03-18T15:00Z"))
    with floor.served() as url, stream(url) as events:
        kind, snapshot = events.next()
        first_id = events.id
        floor.tell(call("c2"))
        news = events.next_of("metrics")

    assert kind == "snapshot"
    assert {"rows", "leads", "alerts", "freshness", "server_time"} <= snapshot.keys()
    assert [row.get("rep") or row.get("team") for row in snapshot["rows"]] == [
        None, "north", "south", "r1", "r2", "r3", "r4",
    ]  # fmt: skip
    assert [lead["lead"] for lead in snapshot["leads"]] == ["l1"]
    changed = {row.get("rep") or row.get("team"): row["metrics"] for row in news["rows"]}
    assert changed == {who: {"calls_made": 2, "calls_by_hand": 2} for who in (None, "north", "r1")}
    instance, _, number = first_id.rpartition(":")
    assert instance
    assert events.id.rpartition(":")[0] == instance
    assert int(events.id.rpartition(":")[2]) > int(number)


def test_client_that_comes_back_gets_what_it_missed(floor: LiveFloor) -> None:
    with floor.served() as url:
        with stream(url) as events:
            events.next()
            seen = events.id
        floor.tell(call("c1"))
        with stream(url, **{"last-event-id": seen}) as events:
            kind, news = events.next()

    assert kind == "metrics"
    assert {row.get("rep") or row.get("team") for row in news["rows"]} == {None, "north", "r1"}


@pytest.mark.parametrize("seen", ["", "nonsense", "other:1", "²:²", ":", "a:b:c", "9" * 400, "x:" + "9" * 5000])
def test_id_that_means_nothing_here_gets_a_snapshot(floor: LiveFloor, seen: str) -> None:
    with floor.served() as url, stream(url, **{"last-event-id": seen.encode("latin-1")}) as events:  # type: ignore[arg-type]
        assert events.next()[0] == "snapshot"


def test_filters_narrow_rows_leads_and_metrics(floor: LiveFloor) -> None:
    floor.take(
        change("lead", "l1", rep="r1", received_at="2026-03-18T15:00Z"),
        change("lead", "l3", rep="r3", received_at="2026-03-18T15:00Z"),
    )
    path = "/v1/stream?teams=south&reps=r1&metrics=calls_made&windows=1h,today"
    with floor.served() as url, stream(url, path) as events:
        snapshot = events.next()[1]

    assert {row.get("rep") or row.get("team") for row in snapshot["rows"]} == {"south", "r3", "r1"}
    assert {row["window"]["name"] for row in snapshot["rows"]} == {"1h", "today"}
    assert all(list(row["metrics"]) == ["calls_made"] for row in snapshot["rows"])
    assert [lead["lead"] for lead in snapshot["leads"]] == ["l1", "l3"]


def test_limited_key_streams_its_team_alone(floor: LiveFloor) -> None:
    floor.take(change("lead", "l3", rep="r3", received_at="2026-03-18T15:00Z"))
    key = floor.key("board", team="north")
    with floor.served() as url, stream(url, **key) as events:
        snapshot = events.next()[1]
        floor.tell(call("c1", "r3"), change("lead", "l4", rep="r3", received_at="2026-03-18T15:00Z"))
        floor.tell(call("c2"))
        kind, news = events.next()
        while kind == "freshness":
            kind, news = events.next()

    assert {row.get("rep") or row.get("team") for row in snapshot["rows"]} == {"north", "r1", "r2"}
    assert snapshot["leads"] == []
    assert {row.get("rep") or row.get("team") for row in news["rows"]} == {"north", "r1"}


def test_heartbeat_comes_while_nothing_happens(floor: LiveFloor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.http.routes.stream.HEARTBEAT_SECONDS", 1)
    with (
        floor.served() as url,
        httpx.Client(timeout=_PATIENCE_SECONDS) as client,
        client.stream("GET", f"{url}/v1/stream") as response,
    ):
        assert any(line.startswith(":") for line in response.iter_lines())


@pytest.mark.parametrize("how", ["revoked", "expired"])
def test_key_that_is_taken_away_ends_its_stream_and_its_browser_asks_at_once_why(floor: LiveFloor, how: str) -> None:
    key = floor.key("board", expires_at=floor.now + SECOND if how == "expired" else None)
    with floor.served() as url, stream(url, **key) as events:
        events.next()
        if how == "revoked":  # nothing else happens, and no time passes
            revoke_key(floor.settings.keys, list_keys(floor.settings.keys)[0].id)
            floor.loop.call_soon_threadsafe(floor.read_side.broadcaster.wake)
        else:
            floor.now += 2 * SECOND
            floor.tell(call("c1"))
        with pytest.raises(EOFError):
            events.next_of("metrics")
        assert events.retry == "100"


def test_client_that_has_gone_leaves_nothing_behind(floor: LiveFloor) -> None:
    with floor.served() as url:
        with stream(url) as events:
            events.next()
            assert floor.read_side.broadcaster.clients == 1
        # What is sent to the closed connection shows that nobody is there.
        for number in range(QUEUE):
            floor.tell(call(f"c{number}"))
            if not floor.read_side.broadcaster.clients:
                break

    assert floor.read_side.broadcaster.clients == 0


def refused(url: str, headers: dict[str, str]) -> tuple[int, str, str]:
    answer = httpx.get(f"{url}/v1/stream", headers=headers, timeout=_PATIENCE_SECONDS)
    return answer.status_code, answer.json()["detail"], answer.headers["retry-after"]


def test_one_key_leaves_streams_to_others(floor: LiveFloor) -> None:
    greedy, modest = floor.key(), floor.key("board")
    floor.app.state.streams = OpenStreams(most=3, most_of_key=2)
    with floor.served() as url, stream(url, **greedy) as first, stream(url, **greedy) as second:
        assert [events.next()[0] for events in (first, second)] == ["snapshot", "snapshot"]
        too_many_of_key = refused(url, greedy)
        with stream(url, **modest) as third:
            assert third.next()[0] == "snapshot"
            too_many = refused(url, modest)

    assert too_many_of_key == (429, "too many streams of this key are open", "5")
    assert too_many == (503, "too many streams are open", "5")


def test_a_stream_that_has_ended_makes_room(floor: LiveFloor) -> None:
    headers = floor.key()
    floor.app.state.streams = OpenStreams(most=1, most_of_key=1)
    with floor.served() as url:
        with stream(url, **headers) as events:
            events.next()
            assert refused(url, headers)[0] == 429
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:  # until the server has seen that the client has gone
            with httpx.stream("GET", f"{url}/v1/stream", headers=headers, timeout=_PATIENCE_SECONDS) as answer:
                if answer.status_code == 200:
                    break
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"windows": ""}, (422, "windows")),
        ({"windows": "today,2h"}, (422, "windows")),
        ({"metrics": "nonsense"}, (422, "metrics")),
        ({"teams": "nowhere"}, (404, "team")),
        ({"reps": "r1,nobody"}, (404, "rep")),
        ({"reps": ",".join(map(str, range(501)))}, (422, "reps")),
    ],
)
async def test_filter_that_means_nothing_is_named(
    floor: LiveFloor, query: dict[str, str], expected: tuple[int, str]
) -> None:
    assert await floor.refused("/v1/stream", **query) == expected

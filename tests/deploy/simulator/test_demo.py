"""Posting: signatures and forms that the connector takes, the schedule, sending again; and the demo's own settings."""

import asyncio
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from aiohttp import web

from deploy.simulator import running
from deploy.simulator.floor import Mix, SimulatedFloor
from deploy.simulator.posting import (
    DeliveryPoster,
    HttpSender,
    PayloadForm,
    Post,
    PostingError,
    ServerAnswer,
    Summary,
    posts,
    write_delivery,
)
from deploy.simulator.truth import changes_of, write_truth
from processor.core.normalise import normalise
from schemas.config import load_config
from schemas.connectors import build_connector
from schemas.connectors.base import SignedRequest
from schemas.connectors.generic import Generic
from schemas.connectors.standard_webhooks import read_key
from schemas.deliveries import encode_delivery
from schemas.instants import HOUR, SECOND
from schemas.progress import Progress
from tests.deploy.simulator.floors import events

START = 1_774_000_000 * SECOND
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the example of the documentation
KEY = read_key(SECRET, "secret")
CONFIG = running.config_for("feed", SECRET, "UTC")


class FakeClock:
    """Time passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)  # who can run now does so now
        self.now += seconds


class FakeServer:
    """Gives the answers it was told to, then 202, and remembers what came when."""

    def __init__(self, clock: FakeClock, *answers: ServerAnswer | Exception) -> None:
        self._clock = clock
        self._answers = list(answers)
        self.requests: list[tuple[float, Mapping[str, str], bytes]] = []

    async def __call__(self, headers: Mapping[str, str], body: bytes) -> ServerAnswer:
        self.requests.append((self._clock.now, headers, body))
        answer = self._answers.pop(0) if self._answers else ServerAnswer(202)
        if isinstance(answer, Exception):
            raise answer
        return answer


def poster(clock: FakeClock, server: FakeServer) -> DeliveryPoster:
    return DeliveryPoster(
        server, KEY, clock=clock, wall_clock=lambda: START / SECOND, sleep=clock.sleep, patience_seconds=60
    )


def some_posts(count: int, rate: float = 10) -> list[Post]:
    return list(posts(SimulatedFloor(1, mix=Mix(0, 0, 0, 0)), start=START, rate=rate, count=count, largest=1))


@pytest.mark.parametrize("form", list(PayloadForm))
async def test_each_form_is_authentic_and_says_the_same(form: PayloadForm) -> None:
    told = list(events(1, 20, START))[-1:]
    headers, body = write_delivery(told, form, "d-1")
    clock = FakeClock()
    server = FakeServer(clock)
    post = Post(0, "d-1", headers, body, 1)

    await poster(clock, server).post_all([post], Summary())

    connector = Generic(keys=[KEY])
    connector.verify(SignedRequest("POST", "http://floor.example/webhooks/feed", server.requests[0][1], body), START)
    parsed = connector.parse(post.as_received("feed", START + HOUR))
    assert [(change.kind, change.id) for change in parsed.changes] == [(told[0]["record"], told[0]["id"])]


async def test_posts_go_out_by_the_schedule() -> None:
    clock = FakeClock()
    server = FakeServer(clock)

    await poster(clock, server).post_all(some_posts(50), Summary())

    assert [round(at - 1000, 3) for at, _, _ in server.requests] == [index / 10 for index in range(50)]


async def test_a_delivery_that_is_not_taken_is_sent_again_after_the_time_asked_for() -> None:
    clock = FakeClock()
    server = FakeServer(clock, ServerAnswer(503, 2.0), ServerAnswer(429, 7.0), ConnectionError("reset"))
    summary = Summary()

    await poster(clock, server).post_all(some_posts(1), summary)

    assert len({body for _, _, body in server.requests}) == 1
    assert [round(at - 1000, 1) for at, _, _ in server.requests][:3] == [0, 2, 9]
    assert (summary.events, summary.tries_again, len(server.requests)) == (1, 3, 4)


@pytest.mark.parametrize("status", [400, 401, 404, 413, 415])
async def test_a_refusal_for_good_ends_the_posting(status: int) -> None:
    clock = FakeClock()

    with pytest.raises(PostingError, match=f"HTTP {status}") as refused:
        await poster(clock, FakeServer(clock, ServerAnswer(status))).post_all(some_posts(500), Summary())

    assert refused.value.exit_code == 2


async def test_nobody_answering_for_long_ends_the_posting() -> None:
    clock = FakeClock()
    silence = [ConnectionError("refused") for _ in range(200)]

    with pytest.raises(PostingError, match="nobody answers") as refused:
        await poster(clock, FakeServer(clock, *silence)).post_all(some_posts(1), Summary())

    assert refused.value.exit_code == 3


async def test_an_end_lets_what_is_under_way_arrive_and_begins_nothing_more() -> None:
    clock = FakeClock()
    server = FakeServer(clock)
    working = poster(clock, server)

    async def end_later(headers: Mapping[str, str], body: bytes) -> ServerAnswer:
        if len(server.requests) == 5:
            working.end()
        return await server(headers, body)

    working._send = end_later
    summary = Summary()
    await working.post_all(some_posts(500), summary, keep=True)

    assert summary.deliveries == len(summary.taken) == len(server.requests) < 20


def test_history_comes_first_and_at_once() -> None:
    made = list(posts(SimulatedFloor(1), start=START, rate=10, count=30, since=6 * HOUR, history=500))

    assert sum(post.events for post in made) == 530
    assert [post.due for post in made] == sorted(post.due for post in made)
    assert sum(post.events for post in made if post.due == 0) >= 500


async def test_posts_reach_a_server_over_http() -> None:
    seen: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        seen.append(await request.read())
        return web.Response(status=503, headers={"Retry-After": "0"}) if len(seen) == 1 else web.Response(status=202)

    application = web.Application()
    application.router.add_post("/webhooks/feed", take)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        async with HttpSender(f"http://127.0.0.1:{port}/webhooks/feed") as send:
            summary = Summary()
            await DeliveryPoster(send, KEY).post_all(some_posts(20, rate=10_000), summary)
    finally:
        await runner.cleanup()

    assert (summary.events, summary.tries_again, len(seen)) == (20, 1, 21)


def test_the_truth_is_the_recount_of_what_was_taken(tmp_path: Path) -> None:
    made = list(posts(SimulatedFloor(1), start=START, rate=10, count=400))
    changes = changes_of(made, CONFIG, "feed", START + HOUR)

    write_truth(tmp_path / "truth.json", changes, CONFIG, START + HOUR)

    truth = json.loads((tmp_path / "truth.json").read_text())
    assert 0 < truth["changes"] < 400
    assert truth["rows"]["24h"]["organisation"]["metrics"]["calls_made"] > 0


def test_the_truth_takes_the_later_of_two_words_of_one_instant_in_a_delivery() -> None:
    said = [
        {"record": "call", "id": "c", "changed_at": "2026-03-18T09:00:00Z", "fields": {"direction": direction}}
        for direction in ("outbound", "inbound", "outbound", "inbound")
    ]
    post = Post(0, "m1", {"content-type": "application/json"}, json.dumps(said).encode(), len(said))

    changes = changes_of([post], CONFIG, "feed", START)

    assert max(changes, key=lambda change: change.version).fields["direction"] == "inbound"
    assert [change.version[1] >> 56 for change in changes] == [0, 1, 2, 3]


def test_the_truth_reads_deliveries_as_the_processor_does() -> None:
    """Numbers are hidden before versions are made: else two words of one instant end otherwise in the truth."""
    made = list(posts(SimulatedFloor(1), start=START, rate=10, count=400))
    log = [(offset, encode_delivery(post.as_received("feed", START + HOUR))) for offset, post in enumerate(made)]

    read = normalise(
        log, partition=0, connectors={"feed": build_connector(CONFIG.connections["feed"])}, progress=Progress()
    )

    assert any(b'"number"' in post.body for post in made)
    assert changes_of(made, CONFIG, "feed", START + HOUR) == read.changes


def test_the_demo_has_a_right_configuration_that_only_its_owner_can_read(tmp_path: Path) -> None:
    path = running.write_config(tmp_path, "Asia/Tokyo")

    config = load_config(path, {})

    assert config.organisation.timezone == "Asia/Tokyo"
    assert read_key(config.connections[running.CONNECTION].secrets[0].get_secret_value(), "")
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("hour", range(24))
def test_the_demo_has_hours_of_today_behind_it_at_any_time(hour: int) -> None:
    now = datetime(2026, 3, 18, hour, 30, tzinfo=UTC)

    zone = running.working_timezone(int(now.timestamp()) * SECOND, None)

    assert 12 <= now.astimezone(ZoneInfo(zone)).hour <= 18


def test_the_demo_keeps_the_local_time_zone_in_the_afternoon() -> None:
    now = int(datetime(2026, 3, 18, 15, tzinfo=UTC).timestamp()) * SECOND

    assert running.working_timezone(now, "Europe/Berlin") == "Europe/Berlin"
    assert running.working_timezone(now, "Asia/Tokyo") != "Asia/Tokyo"


def test_a_new_demo_forgets_the_last_one_but_its_lock(tmp_path: Path) -> None:
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / "00.log").write_text("old")
    (tmp_path / "worker-id").write_text("old")
    (tmp_path / "up.lock").touch()

    running.empty_folder(tmp_path)

    assert os.listdir(tmp_path) == ["up.lock"]


def test_the_floors_command_line_shows_no_secret(tmp_path: Path) -> None:
    program = running.floor_program("http://127.0.0.1:8080", tmp_path, tmp_path / "floorcast.yaml", rate=1.5, seed=7)

    assert "simulate" in program.command
    assert not any("whsec_" in word for word in program.command)

"""What every request passes: HEAD, compression, known values, other sites, the log, and parameters nobody knows."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from fastapi.routing import APIRoute

from api.http.conditional import is_among
from api.http.scopes import scope_of
from tests.api.fakes import FakeIngest
from tests.api.live import make_app, make_settings
from tests.api.reading import Floor, floor_config
from tests.builders import change

READ = (
    "/", "/livez", "/readyz", "/docs", "/openapi.json", "/static/board.css", "/board/floor", "/metrics", "/v1/metrics",
    "/v1/reps", "/v1/teams", "/v1/reps/metrics", "/v1/reps/r1/metrics", "/v1/organisation/metrics",
    "/v1/leaderboards/calls_made", "/v1/series/calls_made", "/v1/leads/waiting", "/v1/leads/l1", "/v1/alerts",
    "/v1/dead-letters", "/v1/freshness", "/v1/nowhere", "/v1/reps/nobody/metrics",
)  # fmt: skip


@pytest.fixture
def floor(tmp_path: Path) -> Floor:
    floor = Floor(tmp_path)
    floor.take(
        change("lead", "l1", rep="r1", received_at="2026-03-18T15:00Z"),
        *(
            change("call", f"c{n}", rep=f"r-{n}", direction="outbound", dialed_at="2026-03-18T15:00Z")
            for n in range(40)
        ),
    )
    return floor


async def ask(floor: Floor, method: str, path: str, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(floor.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080", headers=None) as client:
        client.headers.pop("accept-encoding")
        return await client.request(
            method, path, headers={name.replace("_", "-"): each for name, each in headers.items()}
        )


class TestHead:
    @pytest.mark.parametrize("path", READ)
    async def test_it_says_what_get_would_say_without_the_body(self, floor: Floor, path: str) -> None:
        whole, head = await ask(floor, "GET", path), await ask(floor, "HEAD", path)

        assert head.status_code == whole.status_code
        assert head.content == b""
        differing = {"x-request-id", "date"} | ({"content-length"} if path in {"/metrics", "/v1/freshness"} else set())
        assert {name: value for name, value in head.headers.items() if name not in differing} == {
            name: value for name, value in whole.headers.items() if name not in differing
        }

    async def test_a_stream_has_no_head(self, floor: Floor) -> None:
        answer = await ask(floor, "HEAD", "/v1/stream")

        assert (answer.status_code, answer.headers["allow"]) == (405, "GET")

    async def test_other_methods_are_told_that_there_is_a_head(self, floor: Floor) -> None:
        answer = await ask(floor, "POST", "/v1/reps", content_type="application/json")

        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


class TestCompression:
    async def test_answers_of_some_size_are_compressed_for_who_takes_it(self, floor: Floor) -> None:
        for path in ("/v1/reps/metrics", "/metrics", "/openapi.json"):
            plain = await ask(floor, "GET", path)
            transport = httpx.ASGITransport(floor.app)
            async with (
                httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
                client.stream("GET", path, headers={"accept-encoding": "br, gzip;q=0.5"}) as answer,
            ):
                raw = b"".join([piece async for piece in answer.aiter_raw()])

            assert "content-encoding" not in plain.headers
            assert answer.headers["content-encoding"] == "gzip"
            assert "Accept-Encoding" in answer.headers["vary"]
            assert len(gzip.decompress(raw)) == pytest.approx(len(plain.content), rel=0.01)
            assert len(raw) < len(plain.content) / 2

    async def test_small_answers_are_left_as_they_are(self, floor: Floor) -> None:
        assert "content-encoding" not in (await ask(floor, "GET", "/livez", accept_encoding="gzip")).headers

    @pytest.mark.parametrize("accepted", ["identity", "gzip;q=0", "br, gzip; q=0.0", "gzipped", "x-gzip"])
    async def test_who_does_not_take_it_gets_none(self, floor: Floor, accepted: str) -> None:
        answer = await ask(floor, "GET", "/v1/reps/metrics", accept_encoding=accepted)

        assert "content-encoding" not in answer.headers


class TestKnownValues:
    async def test_who_has_the_values_is_told_so(self, floor: Floor) -> None:
        for path in ("/v1/reps/metrics", "/v1/leaderboards/calls_made", "/v1/leads/waiting", "/board/floor"):
            first = await ask(floor, "GET", path)
            again = await ask(floor, "GET", path, if_none_match=f'"other", W/{first.headers["etag"]}')

            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == first.headers["etag"]
            assert "content-length" not in again.headers
            assert (await ask(floor, "GET", path, if_none_match='"other"')).status_code == 200
            assert (await ask(floor, "HEAD", path, if_none_match="*")).status_code == 304

    async def test_they_are_known_compressed_too(self, floor: Floor) -> None:
        first = await ask(floor, "GET", "/v1/reps/metrics", accept_encoding="gzip")
        again = await ask(floor, "GET", "/v1/reps/metrics", accept_encoding="gzip", if_none_match=first.headers["etag"])

        assert again.status_code == 304

    @pytest.mark.parametrize(
        ("known", "expected"),
        [('"a"', True), ('W/"a"', True), ('"b", "a"', True), ("*", True), ('"b"', False), ("", False), ("a", False)],
    )
    def test_tags_are_compared_weakly(self, known: str, *, expected: bool) -> None:
        assert is_among('"a"', known) is expected


class TestOtherSites:
    @pytest.fixture
    def floor(self, tmp_path: Path) -> Floor:
        return Floor(tmp_path, floor_config(cors=["https://wiki.example.com"]))

    async def test_pages_of_a_named_site_may_ask_with_a_key(self, floor: Floor) -> None:
        key = floor.key()["authorization"]
        asked = await ask(
            floor, "OPTIONS", "/v1/reps", origin="https://wiki.example.com",
            access_control_request_method="GET", access_control_request_headers="authorization",
        )  # fmt: skip
        answer = await ask(floor, "GET", "/v1/reps", origin="https://wiki.example.com", authorization=key)
        refused = await ask(floor, "GET", "/v1/reps", origin="https://wiki.example.com")

        assert asked.status_code == 200
        assert "authorization" in asked.headers["access-control-allow-headers"]
        for each, status in ((answer, 200), (refused, 401)):
            assert each.status_code == status
            assert each.headers["access-control-allow-origin"] == "https://wiki.example.com"
            assert "access-control-allow-credentials" not in each.headers

    async def test_pages_of_others_may_not(self, floor: Floor) -> None:
        answer = await ask(floor, "GET", "/v1/reps", origin="https://evil.example")
        asked = await ask(
            floor, "OPTIONS", "/v1/reps", origin="https://evil.example", access_control_request_method="GET"
        )

        assert "access-control-allow-origin" not in answer.headers
        assert asked.status_code == 400
        assert asked.headers["content-type"] == "application/problem+json"
        assert asked.json()["detail"] == "Disallowed CORS origin"

    async def test_where_none_is_named_nobody_is_told_anything(self, tmp_path: Path) -> None:
        answer = await ask(Floor(tmp_path / "other"), "GET", "/v1/reps", origin="https://wiki.example.com")

        assert not [name for name in answer.headers if name.startswith("access-control")]


class TestUnknownParameters:
    async def test_they_are_named(self, floor: Floor) -> None:
        paths = [
            route.path_format.format(rep="r1", team="north", metric="calls_made", lead="l1", alert="a", code="c")
            for route in floor.app.routes
            if isinstance(route, APIRoute) and route.path.startswith("/v1/") and "GET" in (route.methods or ())
        ]
        assert len(paths) > 10
        for path in paths:
            answer = await floor.get(path, windw="today")
            assert (answer.status_code, answer.json()["field"]) == (422, "windw"), path

    @pytest.mark.parametrize("query", ["window=today", "screen=floor", "window=today&team=north&screen=floor", ""])
    async def test_those_that_are_known_are_not(self, floor: Floor, query: str) -> None:
        assert (await floor.get(f"/v1/reps/metrics?{query}")).status_code == 200

    async def test_a_stream_knows_the_last_event_by_either_name(self, floor: Floor) -> None:
        assert (await floor.get("/v1/stream?lastEvent=a:1")).json()["field"] == "lastEvent"
        assert (await floor.get("/v1/stream?lastEventId=a:1&windows=nothing")).json()["field"] == "windows"

    async def test_who_may_not_ask_is_told_that_first(self, floor: Floor) -> None:
        floor.key()

        assert (await floor.get("/v1/reps?windw=today")).status_code == 401

    async def test_addresses_outside_of_v1_do_not_mind(self, floor: Floor) -> None:
        assert (await floor.get("/board/floor?theme=dark")).status_code == 200
        assert (await floor.get("/livez?probe=1")).status_code == 200


class TestLog:
    @pytest.fixture
    def lines(self) -> Iterator[list[Any]]:
        with structlog.testing.capture_logs() as lines:
            yield lines

    async def test_a_request_has_a_line_with_its_route_and_nothing_that_it_named(
        self, floor: Floor, lines: list[Any]
    ) -> None:
        canaries = {"authorization": "Bearer fc_canary.canary"}
        await floor.get("/v1/reps/canary/metrics?window=today&metrics=canary", headers=canaries)
        await floor.get("/v1/leads/canary")
        await floor.get("/canary?canary=canary")
        await floor.get("/board/floor?token=fc_canary.canary")

        found = [
            (line["method"], line["route"], line["status"]) for line in lines if line["event"] == "request.answered"
        ]
        assert found == [
            ("GET", None, 401), ("GET", "/v1/leads/{lead:text}", 404), ("GET", None, 404), ("GET", None, 401),
        ]  # fmt: skip
        assert "canary" not in str(lines)

    async def test_what_is_counted_elsewhere_has_none_unless_it_is_refused(
        self, floor: Floor, lines: list[Any]
    ) -> None:
        for path in ("/livez", "/metrics", "/static/board.css", "/docs", "///docs", "/static/nothing"):
            await floor.get(f"http://127.0.0.1{path}")

        assert [line["status"] for line in lines if line["event"] == "request.answered"] == [404]

    @pytest.mark.parametrize(("kept", "statuses"), [("all", [200, 404]), ("refused", [404]), ("none", [])])
    async def test_it_is_kept_as_the_setting_says(
        self, tmp_path: Path, lines: list[Any], kept: str, statuses: list[int]
    ) -> None:
        app = make_app(make_settings(tmp_path, access_log=kept), FakeIngest())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
            await client.get("/openapi.json")
            await client.get("/nowhere")

        assert [line["status"] for line in lines if line["event"] == "request.answered"] == statuses

    async def test_a_flood_of_refusals_is_not_a_flood_of_lines(
        self, floor: Floor, lines: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = [0]
        monkeypatch.setattr("api.http.request_log.time.monotonic_ns", lambda: now[0])
        for _ in range(300):
            await floor.get("/nowhere")
        now[0] += 1_000_000_000
        await floor.get("/nowhere")

        written = [line.get("left_out") for line in lines if line["event"] == "request.answered"]
        assert written == [None] * 200 + [100]


async def test_the_address_alone_leads_to_the_wallboard(floor: Floor, tmp_path: Path) -> None:
    answer = await floor.get("/")
    ingest = make_app(make_settings(tmp_path, role="ingest"), FakeIngest())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(ingest), base_url="http://127.0.0.1") as client:
        documentation = await client.get("/")
        no_board = await client.get("/board/floor", headers={"accept": "text/html"})

    assert (answer.status_code, answer.headers["location"]) == (307, "/board/floor")
    assert (documentation.status_code, documentation.headers["location"]) == (307, "/docs")
    assert (no_board.status_code, "There is no screen" in no_board.text) == (404, True)
    assert scope_of("GET", "/") is None

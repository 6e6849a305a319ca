"""The api as a whole: roles, errors, documentation, readiness; and the process: exit codes, signals, logs."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import orjson
import pytest
from fastapi import FastAPI, Query
from starlette.responses import Response, StreamingResponse

from api.settings import Settings
from schemas.connectors.standard_webhooks import read_key, sign
from tests.api.fakes import FakeIngest
from tests.api.kafka_topics import create_topic, read_all
from tests.api.live import CONFIG, make_app, make_config, make_settings, serving
from tests.forking import Forked
from tests.ports import held_port

_PATIENCE_SECONDS = 30.0


async def get(app: FastAPI, path: str, method: str = "GET") -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8080") as client:
        return await client.request(method, path)


@pytest.fixture
def ingest() -> FakeIngest:
    return FakeIngest()


async def test_services_run_while_the_app_runs(tmp_path: Path, ingest: FakeIngest) -> None:
    service = FakeIngest()
    app = make_app(make_settings(tmp_path), ingest, services=[service])

    async with app.router.lifespan_context(app):
        assert ingest.is_running
        assert service.is_running

    assert not ingest.is_running
    assert not service.is_running
    assert app.state.stopping.is_set()


async def test_service_that_fails_to_stop_keeps_no_other_from_stopping(tmp_path: Path, ingest: FakeIngest) -> None:
    class Stubborn(FakeIngest):
        async def stop(self) -> None:
            msg = "stubborn"
            raise RuntimeError(msg)

    app = make_app(make_settings(tmp_path), ingest, services=[Stubborn()])
    async with app.router.lifespan_context(app):
        pass

    assert not ingest.is_running


async def test_read_role_takes_no_webhooks(tmp_path: Path, ingest: FakeIngest) -> None:
    app = make_app(make_settings(tmp_path, role="read"), ingest)

    assert (await get(app, "/webhooks/feed", "POST")).status_code == 404
    assert (await get(app, "/readyz?role=ingest")).status_code == 503


async def test_ingest_role_exports_what_it_took(tmp_path: Path, ingest: FakeIngest) -> None:
    app = make_app(make_settings(tmp_path, role="ingest"), ingest)
    await get(app, "/webhooks/nobody", "POST")

    text = (await get(app, "/metrics")).text

    assert 'floorcast_deliveries_total{connection="_unknown",outcome="not_found"} 1.0' in text


async def test_readiness_names_what_is_missing_by_role(tmp_path: Path, ingest: FakeIngest) -> None:
    app = make_app(make_settings(tmp_path), ingest)
    app.state.readiness.add("read", lambda: ["panes are still being read"])

    answer = await get(app, "/readyz")

    assert (answer.status_code, answer.json()["detail"]) == (503, "panes are still being read")
    assert (await get(app, "/readyz?role=ingest")).status_code == 200


async def test_readiness_for_webhooks_follows_the_log(tmp_path: Path, ingest: FakeIngest) -> None:
    ingest.missing = ["webhooks are not taken: Kafka has not been reached yet"]

    answer = await get(make_app(make_settings(tmp_path), ingest), "/readyz?role=ingest")

    assert answer.status_code == 503
    assert "Kafka" in answer.json()["detail"]


async def test_unknown_address_is_a_problem(tmp_path: Path, ingest: FakeIngest) -> None:
    answer = await get(make_app(make_settings(tmp_path), ingest), "/nowhere")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["title"] == "Not Found"


async def test_invalid_parameter_is_named_and_its_value_is_not_repeated(tmp_path: Path, ingest: FakeIngest) -> None:
    app = make_app(make_settings(tmp_path), ingest)

    @app.get("/docs/limited")  # as an address that needs no key
    async def limited(limit: Annotated[int, Query(ge=1)]) -> int:
        return limit

    answer = await get(app, "/docs/limited?limit=canary")

    assert answer.status_code == 422
    assert answer.json()["field"] == "limit"
    assert "canary" not in answer.text


async def test_documentation_comes_from_this_process_alone(tmp_path: Path, ingest: FakeIngest) -> None:
    app = make_app(make_settings(tmp_path), ingest)

    page = (await get(app, "/docs")).text

    assert "://" not in page
    assert "<script>" not in page
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css", "start.js"):
        assert f'"/docs/{asset}"' in page
        assert (await get(app, f"/docs/{asset}")).status_code == 200
    assert (await get(app, "/openapi.json")).json()["info"]["title"] == "floorcast"


def test_every_setting_is_described() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_configuration_of_the_tests_is_valid() -> None:
    assert set(make_config().connections) == {"feed", "crm"}


# The process


_MAIN = "import sys; from api.app import main; from api.settings import Settings; sys.exit(main(Settings()))"


_BREAKS = """
import api.app
from schemas.tracing import Tracing

class Told(Tracing):
    def close(self):
        print("all is told")

def serve(*_):
    raise OSError("it breaks")

api.app.start_tracing, api.app.serve = lambda *_: Told(), serve
"""


def start(tmp_path: Path, program: str = _MAIN, **settings: Any) -> subprocess.Popen[bytes]:
    file = tmp_path / "floorcast.yaml"
    if not file.exists():
        file.write_text(CONFIG, encoding="utf-8")
    # Port 1 of this machine: nothing listens there, so Kafka is away.
    given = {"config": file, "data": tmp_path / "data", "broker": "127.0.0.1:1", **settings}
    environment = {f"FLOORCAST_{name.upper()}": str(value) for name, value in given.items()}
    return Forked(
        [sys.executable, "-c", program],
        env={**os.environ, **environment},
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def test_what_is_untold_of_traces_is_told_however_the_process_ends(tmp_path: Path) -> None:
    out, err = start(tmp_path, _BREAKS + _MAIN, port=held_port(), role="ingest").communicate(timeout=_PATIENCE_SECONDS)

    assert "it breaks" in err.decode()
    assert out.decode().strip().endswith("all is told")


@contextmanager
def running(tmp_path: Path, **settings: Any) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run the process until it answers; gives it with its address."""
    port = held_port()
    process = start(tmp_path, port=port, **settings)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                httpx.get(f"{url}/livez", timeout=_PATIENCE_SECONDS)
                break
            except httpx.TransportError:
                assert process.poll() is None, process.communicate()[1].decode()
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield process, url
    finally:
        process.kill()
        process.communicate()


def refused(tmp_path: Path, **settings: Any) -> str:
    """Why the process ends with exit code 2: all that it says is log, and the last line says so."""
    process = start(tmp_path, **settings)
    try:
        _, said = process.communicate(timeout=_PATIENCE_SECONDS)
    finally:
        process.kill()
    assert process.returncode == 2, said.decode()
    *_, last = [orjson.loads(line) for line in said.decode().splitlines()]
    assert (last["event"], last["code"]) == ("process.ended", 2)
    return str(last["why"])


def test_process_takes_signals_and_ends_in_order_while_kafka_is_away(tmp_path: Path) -> None:
    with running(tmp_path) as (process, url):
        not_stored = httpx.post(f"{url}/webhooks/feed", timeout=_PATIENCE_SECONDS)
        not_ready = httpx.get(f"{url}/readyz?role=ingest", timeout=_PATIENCE_SECONDS)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=_PATIENCE_SECONDS)

    assert (not_stored.status_code, not_ready.status_code) == (401, 503)
    assert process.returncode == 0
    events = [orjson.loads(line)["event"] for line in said.splitlines()]
    assert events[0] == "api.started"
    assert events[-1] == "api.stopped"


def test_stream_that_does_not_end_by_itself_does_not_keep_the_process(tmp_path: Path, ingest: FakeIngest) -> None:
    settings = make_settings(tmp_path)
    app = make_app(settings, ingest)

    @app.get("/docs/endless")  # as an address that needs no key
    async def endless() -> Response:
        async def events() -> AsyncIterator[str]:
            while True:
                yield "tick"
                await asyncio.Event().wait()

        return StreamingResponse(events())

    with httpx.Client(timeout=_PATIENCE_SECONDS) as client, ExitStack() as stack:
        with serving(app, settings) as (host, port):
            stream = stack.enter_context(client.stream("GET", f"http://{host}:{port}/docs/endless"))
            assert next(stream.iter_text()) == "tick"

        assert not ingest.is_running


@pytest.mark.kafka
def test_signed_delivery_is_answered_202_once_it_lies_in_kafka(tmp_path: Path, kafka: str, prefix: str) -> None:
    asyncio.run(create_topic(kafka, f"{prefix}deliveries", 2))
    body, now = b'{"record": "call"}', str(int(time.time()))
    key = read_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "secrets[0]")
    headers = {
        "content-type": "application/json",
        "webhook-id": "m-1",
        "webhook-timestamp": now,
        "webhook-signature": sign(key, message_id="m-1", timestamp=now, body=body),
    }

    with running(tmp_path, broker=kafka, prefix=prefix, role="ingest") as (_, url):
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while httpx.get(f"{url}/readyz", timeout=_PATIENCE_SECONDS).status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        answer = httpx.post(f"{url}/webhooks/feed", content=body, headers=headers, timeout=_PATIENCE_SECONDS)
        place = answer.json()["delivery"]
        stored = asyncio.run(read_all(kafka, f"{prefix}deliveries", 2, {place}))[place]

    assert answer.status_code == 202
    assert (stored.connection, stored.body) == ("feed", body)
    request = answer.headers["x-request-id"]
    assert stored.headers == {"content-type": "application/json", "webhook-id": "m-1", "floorcast-request": request}


@pytest.mark.kafka
def test_process_refuses_to_be_reached_from_outside_without_keys(tmp_path: Path, kafka: str, prefix: str) -> None:
    where = {"broker": kafka, "prefix": prefix}
    why = refused(tmp_path, host="0.0.0.0", port=held_port(), **where)  # noqa: S104 - what is refused

    assert "floorcast keys create" in why


def test_process_that_cannot_know_of_keys_yet_serves_nobody(tmp_path: Path) -> None:
    with running(tmp_path, host="0.0.0.0") as (process, url):  # noqa: S104 - what is served to nobody
        answers = [httpx.get(f"{url}/v1/{what}", timeout=_PATIENCE_SECONDS).status_code for what in ("reps", "metrics")]
        ready = httpx.get(f"{url}/readyz", timeout=_PATIENCE_SECONDS).status_code
        assert process.poll() is None

    assert set(answers) <= {401, 503}
    assert ready == 503


def test_process_says_in_one_line_that_its_port_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        why = refused(tmp_path, port=port)

    assert f"127.0.0.1:{port}" in why


def test_process_says_which_line_of_its_configuration_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "floorcast.yaml").write_text(CONFIG + "nonsense: 1\nbosh: 2\n", encoding="utf-8")

    why = refused(tmp_path)

    assert re.findall(r"floorcast\.yaml:\d+: (\w+): is not a setting", why) == ["nonsense", "bosh"]


def test_process_names_the_secret_that_it_cannot_use(tmp_path: Path) -> None:
    (tmp_path / "floorcast.yaml").write_text(CONFIG.replace("whsec_", "canary_"), encoding="utf-8")

    why = refused(tmp_path)

    assert "connections.feed.secrets.0" in why
    assert "canary" not in why

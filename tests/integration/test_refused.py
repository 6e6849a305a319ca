"""Kafka lets nobody in: worker and api say which login, certificate or right it was, and a worker ends with 3."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from deploy.local.broker import LocalBroker
from deploy.local.ports import free_port
from schemas.exit_codes import ExitCode
from tests.forking import COMMAND, Forked
from tests.integration.commands import without_settings

pytestmark = pytest.mark.kafka

CONFIG = """
organisation: {name: Acme, timezone: UTC, currency: EUR}
connections: {feed: {kind: generic, secrets: ["whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="]}}
"""
WRONG = {
    "FLOORCAST_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
    "FLOORCAST_KAFKA_SASL_MECHANISM": "PLAIN",
    "FLOORCAST_KAFKA_SASL_USERNAME": "floorcast",
    "FLOORCAST_KAFKA_SASL_PASSWORD": "another-secret-of-nobody",
}
TLS = {"FLOORCAST_KAFKA_SECURITY_PROTOCOL": "SSL"}
SECONDS = 240.0


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBroker]:
    broker = LocalBroker(tmp_path_factory.mktemp("kafka"), authenticates=True, short_lived=True, die_with_parent=True)
    with broker:
        yield broker


@pytest.fixture
async def untrusted(tmp_path: Path) -> AsyncIterator[str]:
    """Somebody who speaks TLS with a certificate that nobody has vouched for."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", key,
         "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def start(folder: Path, broker: str, variables: Mapping[str, str], *command: str) -> subprocess.Popen[bytes]:
    (folder / "floorcast.yaml").write_text(CONFIG)
    environment = without_settings() | {
        "FLOORCAST_BROKER": broker, "FLOORCAST_CONFIG": str(folder / "floorcast.yaml"),
        "FLOORCAST_DATA": str(folder / "data"), "FLOORCAST_WORKER_PORT": "0", **variables,
    }  # fmt: skip

    def fork() -> subprocess.Popen[bytes]:
        return Forked(
            [COMMAND, *command],
            cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    return await asyncio.to_thread(fork)


async def ended(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    out, err = await asyncio.to_thread(process.communicate, timeout=SECONDS)
    return process.returncode, (out + err).decode()


async def not_ready(folder: Path, broker: str, variables: Mapping[str, str], words: str) -> str:
    """What an api says until it says these words."""
    port = free_port("127.0.0.1", 0)
    process = await start(folder, broker, variables, "api", "--port", str(port))
    said = ""
    try:
        async with asyncio.timeout(SECONDS), httpx.AsyncClient(trust_env=False) as client:
            while words not in said:
                await asyncio.sleep(0.2)
                with contextlib.suppress(httpx.HTTPError):
                    answer = await client.get(f"http://127.0.0.1:{port}/readyz?role=ingest")
                    whole = await client.get(f"http://127.0.0.1:{port}/readyz")
                    assert {answer.status_code, whole.status_code} == {503}
                    said = answer.text if words in answer.text and words in whole.text else ""
    finally:
        process.terminate()
        said += (await ended(process))[1]
    return said


def why(said: str) -> str:
    """What the last line of a log says, all lines of which are JSON."""
    *_, last = [json.loads(line) for line in said.splitlines()]
    assert last["event"] == "process.ended"
    return str(last["why"])


async def test_a_refused_login_is_named_by_worker_and_api(kafka: LocalBroker, tmp_path: Path) -> None:
    words = f"Kafka at {kafka.bootstrap} refuses the login of 'floorcast'"
    code, said = await ended(await start(tmp_path, kafka.bootstrap, WRONG, "worker"))

    assert code == ExitCode.UNREACHABLE
    assert why(said) == words
    said += await not_ready(tmp_path, kafka.bootstrap, WRONG, words)
    assert "another-secret" not in said


async def test_a_broker_that_asks_for_a_login_is_named(kafka: LocalBroker, tmp_path: Path) -> None:
    words = f"Kafka at {kafka.bootstrap} ends the connection: does it ask for a login, or for TLS?"
    code, said = await ended(await start(tmp_path, kafka.bootstrap, {}, "worker"))

    assert code == ExitCode.UNREACHABLE
    assert words in said
    await not_ready(tmp_path, kafka.bootstrap, {}, words)


async def test_a_certificate_that_is_not_trusted_is_named_by_worker_and_api(untrusted: str, tmp_path: Path) -> None:
    words = f"the certificate of Kafka at {untrusted} is not trusted: self"
    code, said = await ended(await start(tmp_path, untrusted, TLS, "worker"))

    assert code == ExitCode.UNREACHABLE
    assert why(said).startswith(words)
    await not_ready(tmp_path, untrusted, TLS, words)


@pytest.mark.parametrize("command", ["worker", "api"])
async def test_a_file_that_is_not_there_is_named_by_its_setting(command: str, tmp_path: Path) -> None:
    variables = TLS | {"FLOORCAST_KAFKA_SSL_CAFILE": str(tmp_path / "none.pem")}
    code, said = await ended(await start(tmp_path, "127.0.0.1:9", variables, command))

    assert code == ExitCode.WRONG_USE
    assert json.loads(said.splitlines()[-1])["code"] == ExitCode.WRONG_USE
    assert "FLOORCAST_KAFKA_SSL_CAFILE" in why(said)

"""Any Kafka: by login over TLS, by certificate, by token, and with no right more than the documented ones."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import httpx
import pytest
import yaml
from aiokafka.admin import AIOKafkaAdminClient

from deploy.simulator.known import CrmEvent
from processor.transport.administration import add_partitions
from processor.transport.alteration import SettingDifference, alter
from schemas.exit_codes import ExitCode
from schemas.instants import format_instant
from schemas.kafka_rights import RIGHTS, Right
from tests.forking import COMMAND, Forked
from tests.integration.commands import run_command, without_settings
from tests.integration.floor_process import FloorProcess
from tests.integration.posted import clock, post
from tests.integration.secured import PASSWORD, SecuredKafka, give, secured_kafka
from tests.integration.served import Reader
from tests.integration.waiting import until_true
from tests.ports import held_port

pytestmark = pytest.mark.kafka

CONFIGURATION = {
    "organisation": {"name": "Acme", "timezone": "UTC", "currency": "EUR"},
    "connections": {"feed": {"kind": "generic", "secrets": ["whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="]}},
}
PREFIX = "sales."


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    with secured_kafka(tmp_path_factory.mktemp("secured")) as kafka:
        kafka.run(
            "kafka.admin.ConfigCommand", "--alter", "--add-config", f"SCRAM-SHA-512=[password={PASSWORD}]",
            "--entity-type", "users", "--entity-name", "ana",
        )  # fmt: skip
        for principal in ("User:ana", "User:CN=ana"):
            asyncio.run(give(kafka, principal, PREFIX, RIGHTS))
        yield kafka


def environment_of(kafka: SecuredKafka, folder: Path, listener: str, prefix: str) -> dict[str, str]:
    """Of a process that goes in there, with a `floorcast.yaml` in its folder."""
    (folder / "floorcast.yaml").write_text(yaml.safe_dump(CONFIGURATION))
    return without_settings() | kafka.environment(listener) | {"FLOORCAST_PREFIX": prefix, "FLOORCAST_PARTITIONS": "1"}


def run(
    kafka: SecuredKafka, folder: Path, listener: str, *command: str, prefix: str = PREFIX, **more: str
) -> tuple[int, str]:
    """The exit code of a command, and what it said."""
    environment = environment_of(kafka, folder, listener, prefix) | more
    code, said = run_command(*command, folder=folder, environment=environment)
    assert PASSWORD not in said
    return code, said


@pytest.mark.parametrize("listener", ["SCRAM", "MUTUAL", "TOKEN"])
def test_each_way_in_is_taken(kafka: SecuredKafka, tmp_path: Path, listener: str) -> None:
    code, said = run(kafka, tmp_path, listener, "topics")
    assert (code, said.splitlines()[-1]) == (0, "the topics are right")


@pytest.mark.parametrize(
    ("listener", "changed", "words"),
    [
        ("SCRAM", {"FLOORCAST_KAFKA_SASL_PASSWORD": "another"}, "refuses the login of 'ana'"),
        ("TOKEN", {"FLOORCAST_KAFKA_SASL_OAUTH_TOKEN_FILE": __file__}, "TOKEN_FILE: there is no token"),
        ("MUTUAL", {"FLOORCAST_KAFKA_SSL_CERTFILE": "", "FLOORCAST_KAFKA_SSL_KEYFILE": ""}, "Kafka at 127.0.0.1:"),
    ],
)
def test_who_is_not_let_in_is_told_why(
    kafka: SecuredKafka, tmp_path: Path, listener: str, changed: dict[str, str], words: str
) -> None:
    code, said = run(kafka, tmp_path, listener, "topics", **changed)
    assert code == ExitCode.UNREACHABLE
    assert words in said


@pytest.mark.parametrize(
    "command",
    ["connections list", "dead-letters list", "screens list", "replay", "verify --url http://127.0.0.1:9", "lookups"],
)
def test_every_command_says_why_it_is_not_let_in(kafka: SecuredKafka, tmp_path: Path, command: str) -> None:
    code, said = run(kafka, tmp_path, "SCRAM", *command.split(), FLOORCAST_KAFKA_SASL_PASSWORD="another")  # noqa: S106
    assert code == ExitCode.UNREACHABLE
    assert "refuses the login of 'ana'" in said


def test_a_token_that_kafka_does_not_take_is_told(kafka: SecuredKafka, tmp_path: Path) -> None:
    token = tmp_path / "another"
    token.write_text("not.a.token")
    code, said = run(kafka, tmp_path, "TOKEN", "topics", FLOORCAST_KAFKA_SASL_OAUTH_TOKEN_FILE=str(token))
    assert code == ExitCode.UNREACHABLE
    assert "refuses the login of 'the token'" in said


async def add_a_partition(kafka: SecuredKafka, log: str) -> None:
    await add_partitions(kafka.broker.bootstrap, {log: 2})


async def keep_an_hour(kafka: SecuredKafka, log: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.broker.bootstrap)
    await admin.start()
    try:
        assert (await alter(admin, [SettingDifference(log, "retention.ms", None, "3600000")]))[1] == []
    finally:
        await admin.close()


@dataclass(frozen=True)
class Taken:
    """A right that is taken away, and the command that cannot do without."""

    right: str
    command: str
    on: str
    """What it is missing on, after the prefix; empty: the right is named on any of several."""
    before: tuple[str, ...] = ("topics",)
    change: Callable[[SecuredKafka, str], Awaitable[None]] | None = None
    """What somebody else does to the log before."""
    instead: tuple[Right, ...] = ()
    said: str = ""
    """The right that is named, where it is another one that the one taken away implies."""
    leaves_all: bool = False
    """Whether its end comes before it has done anything that another case could meet with."""


DESCRIBE_CONFIGS = Right("Topic", "DescribeConfigs", "")
TAKEN = [
    Taken("Topic Read", "worker", "", leaves_all=True),
    Taken("Topic Write", "worker", ""),
    Taken("Topic Create", "topics", "", before=()),
    Taken("Topic Alter", "replay", "dead-letters", change=add_a_partition),
    Taken("Topic AlterConfigs", "worker", "", said="Topic DescribeConfigs", leaves_all=True),
    Taken("Topic AlterConfigs", "topics --alter", "deliveries", change=keep_an_hour, instead=(DESCRIBE_CONFIGS,)),
    Taken("Topic Delete", "replay", "", before=("topics", "replay")),
    Taken("Group Read", "worker", "g1.processor", leaves_all=True),
    Taken("TransactionalId Write", "worker", ""),
]


@pytest.fixture(scope="module")
def made(kafka: SecuredKafka, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A prefix under which all topics are there."""
    prefix = f"{uuid.uuid4().hex[:8]}."
    asyncio.run(give(kafka, "User:ana", prefix, RIGHTS))
    code, said = run(kafka, tmp_path_factory.mktemp("made"), "SCRAM", "topics", prefix=prefix)
    assert code == 0, said
    return prefix


def test_every_documented_right_is_taken_away() -> None:
    assert {case.right for case in TAKEN} == {f"{right.resource} {right.operation}" for right in RIGHTS}


@pytest.mark.parametrize("case", TAKEN, ids=lambda case: f"{case.right}, {case.command}")
async def test_a_missing_right_ends_a_worker_or_command_and_is_named(
    kafka: SecuredKafka, made: str, tmp_path: Path, case: Taken
) -> None:
    prefix = made if case.leaves_all else f"{uuid.uuid4().hex[:8]}."
    if not case.leaves_all:
        await give(kafka, "User:ana", prefix, RIGHTS)
        for each in case.before:
            code, said = await asyncio.to_thread(run, kafka, tmp_path, "SCRAM", each, prefix=prefix)
            assert code == 0, said
    if case.change is not None:
        await case.change(kafka, f"{prefix}deliveries")
    left = [right for right in RIGHTS if f"{right.resource} {right.operation}" != case.right]
    await give(kafka, "User:ana", prefix, [*left, *case.instead])

    code, said = await asyncio.to_thread(run, kafka, tmp_path, "SCRAM", *case.command.split(), prefix=prefix)

    words = f"does not give 'ana' the right {case.said or case.right} on {prefix}{case.on}"
    assert (code, words in said) == (ExitCode.UNREACHABLE, True), said


@pytest.mark.parametrize(
    ("taken", "path", "words"),
    [
        ("Topic Read", "/readyz", "the right Topic Read on {prefix}"),
        ("Topic Write", "/readyz?role=ingest", "the right Topic Write on {prefix}deliveries"),
    ],
)
async def test_an_api_stays_without_a_right_and_says_which(
    kafka: SecuredKafka, made: str, tmp_path: Path, taken: str, path: str, words: str
) -> None:
    prefix, port = made, held_port()
    await give(kafka, "User:ana", prefix, [right for right in RIGHTS if f"{right.resource} {right.operation}" != taken])
    with Forked[bytes](
        [COMMAND, "api", "--port", str(port)], env=environment_of(kafka, tmp_path, "SCRAM", prefix), cwd=tmp_path,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as api:  # fmt: skip
        try:
            async with httpx.AsyncClient(trust_env=False, base_url=f"http://127.0.0.1:{port}") as client:

                async def is_told() -> bool:
                    with contextlib.suppress(httpx.HTTPError):
                        answer = await client.get(path)
                        return answer.status_code == 503 and words.format(prefix=prefix) in answer.text
                    return False

                await until_true(is_told)
                assert (await client.get("/livez")).status_code == 200
        finally:
            api.terminate()


def test_no_right_reaches_beyond_the_prefix(kafka: SecuredKafka, tmp_path: Path) -> None:
    code, said = run(kafka, tmp_path, "MUTUAL", "topics", prefix="others.")
    assert code == ExitCode.UNREACHABLE
    assert "does not give 'the certificate' the right Topic Read on others." in said


async def test_a_whole_floor_with_the_least_rights_whose_certificate_and_login_are_rotated(
    kafka: SecuredKafka, tmp_path: Path
) -> None:
    """As docs/runbooks/rotate-secrets.md says."""
    environment = kafka.environment("MUTUAL")
    own = {name: tmp_path / f"own.{name}" for name in ("pem", "key")}
    kafka.put_certificate(own)
    environment |= {"FLOORCAST_KAFKA_SSL_CERTFILE": str(own["pem"]), "FLOORCAST_KAFKA_SSL_KEYFILE": str(own["key"])}
    floor = FloorProcess(tmp_path, CONFIGURATION, environment, kafka=environment["FLOORCAST_BROKER"])
    prefix = floor.prefix
    await give(kafka, "User:CN=ana", prefix, RIGHTS)
    try:
        await asyncio.to_thread(floor.start)
        async with Reader(floor.url) as reader:

            async def is_counted(calls: int) -> bool:
                try:
                    status, found = await reader.ask("/v1/reps/ana/metrics", window="today")
                except (aiohttp.ClientError, OSError):
                    return False
                return bool(status == 200 and found["metrics"]["calls_made"] == calls)

            await post(floor.url, floor.config_file, call(1))
            await until_true(lambda: is_counted(1))
            code, words = await asyncio.to_thread(run, kafka, tmp_path, "MUTUAL", "replay", prefix=prefix)
            assert code == 0, words
            await until_true(lambda: is_counted(1))

            before = own["pem"].read_bytes()
            kafka.put_certificate(own)
            assert own["pem"].read_bytes() != before
            changed = {name: environment[name] for name in environment if name.startswith("FLOORCAST_KAFKA_SSL")}
            assert (await asyncio.to_thread(run, kafka, tmp_path, "MUTUAL", "topics", prefix=prefix, **changed))[0] == 0
            for name in ("worker", "api"):
                child = floor.child(name)
                child.send_signal(signal.SIGTERM)
                await asyncio.to_thread(floor.wait_for_another, name, child.pid)
            await until_true(lambda: is_counted(1))
            await post(floor.url, floor.config_file, call(2))
            await until_true(lambda: is_counted(2))

        await asyncio.to_thread(floor.stop)
        await give(kafka, "User:ana", prefix, RIGHTS)
        floor.set(kafka.environment("SCRAM"))
        await give(kafka, "User:CN=ana", prefix, [])
        await asyncio.to_thread(floor.start)
        await post(floor.url, floor.config_file, call(3))
        async with Reader(floor.url) as reader:
            await until_true(lambda: is_counted(3))
        await asyncio.to_thread(floor.stop)
    finally:
        await asyncio.to_thread(floor.kill_everything)


def call(number: int) -> CrmEvent:
    at = format_instant(clock())
    fields = {"rep": "ana", "direction": "outbound", "dialed_at": at}
    return {"record": "call", "id": str(number), "changed_at": at, "fields": fields}


def test_the_documented_rights_are_words_of_kafka_s_own_tool() -> None:
    right = Right("Topic", "Read", "")
    assert right.command("User:ana", PREFIX) == (
        "--allow-principal User:ana --operation Read --topic sales. --resource-pattern-type prefixed"
    )

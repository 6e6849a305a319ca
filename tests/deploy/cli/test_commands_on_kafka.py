"""The commands that ask a running floorcast, against one on a real Kafka: a worker and an api, without an `up`.

One worker and one api serve the module; the api has keys.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest
from aiokafka import AIOKafkaProducer
from typer.testing import CliRunner, Result

from deploy.cli import app
from deploy.local.ports import UpError
from deploy.local.up import Surroundings, UpPlan
from schemas.deliveries import Delivery, encode_delivery
from schemas.topics import DELIVERIES
from tests.forking import Forked
from tests.integration.commands import run_command
from tests.ports import held_port

pytestmark = pytest.mark.kafka

CONFIG = """\
organisation: {name: Acme, timezone: UTC, currency: USD}
connections:
  feed: {kind: generic, secrets: ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}
"""
DIALER = '  dialer: {kind: generic, secrets: ["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"]}\n'
BROKEN = b'{"record": "call", "id": "c-2", \x1b[31m'
_PATIENCE_SECONDS = 60.0
_STOP_SECONDS = 20.0


def call(number: int) -> bytes:
    event = {
        "record": "call", "id": f"c-{number}", "changed_at": "2026-03-18T16:41:30.344Z",
        "fields": {"rep": "r-1", "direction": "outbound", "dialed_at": "2026-03-18T16:38:02.000Z"},
    }  # fmt: skip
    return json.dumps(event).encode()


def status_of(url: str) -> int | None:
    try:
        with urlopen(url, timeout=5) as answer:  # noqa: S310 - loopback
            return int(answer.status)
    except HTTPError as error:
        return error.code
    except (URLError, OSError):
        return None


def until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


class Floor:
    """A worker and an api on a prefix of their own."""

    def __init__(self, folder: Path, broker: str, prefix: str) -> None:
        self.folder = folder
        self.broker = broker
        self.prefix = prefix
        self.config = folder / "floorcast.yaml"
        self.config.write_text(CONFIG)
        self.data = folder / "data"
        self.worker_port = held_port()
        self.api_port = held_port()
        self.url = f"http://127.0.0.1:{self.api_port}"

    @contextmanager
    def running(self, command: str, ready: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        flags = ["--config", str(self.config), "--broker", self.broker, "--data", str(self.data), *arguments]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FLOORCAST_")}
        environment |= {"FLOORCAST_PREFIX": self.prefix}
        log = self.folder / f"{command}.log"
        with log.open("ab") as output:
            process = Forked[bytes](
                [sys.executable, "-c", "from deploy.cli import main; main()", command, *flags],
                cwd=self.folder,
                env=environment,
                stdout=output,
                stderr=output,
            )
        try:
            until(lambda: status_of(ready) == 200 or process.poll() is not None, f"{command} is not ready")
            assert process.poll() is None, log.read_text()
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen[bytes]]:
        port = str(self.worker_port)
        with self.running("worker", f"{self.worker_url}/readyz", "--port", port, "--worker-id", "w") as process:
            yield process

    @property
    def worker_url(self) -> str:
        return f"http://127.0.0.1:{self.worker_port}"

    def ask(self, *arguments: str, **environment: str) -> Result:
        """Run a command that is told by flags where this floorcast is."""
        return CliRunner().invoke(
            app, [*arguments, "--broker", self.broker, "--prefix", self.prefix], env={**environment}
        )

    def verify(self, *arguments: str, **environment: str) -> Result:
        return self.ask("verify", "--url", self.url, "--config", str(self.config), *arguments, **environment)

    def deliver(self, connection: str, *bodies: bytes) -> None:
        """Put deliveries into the log, as the api does."""
        asyncio.run(self._deliver(connection, bodies))

    async def _deliver(self, connection: str, bodies: Sequence[bytes]) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.broker)
        await producer.start()
        try:
            for body in bodies:
                kept = {"content-type": "application/json", "x-signature": "v1,secret"}
                delivery = Delivery(connection, time.time_ns() // 1000, kept, body)
                topic = DELIVERIES.full_name(self.prefix, 1)
                await producer.send_and_wait(topic, encode_delivery(delivery), partition=1)
        finally:
            await producer.stop()

    def letters(self, *arguments: str) -> list[dict[str, object]]:
        found: list[dict[str, object]] = json.loads(self.ask("dead-letters", "list", "--json", *arguments).stdout)
        return found

    def await_letters(self, count: int, *arguments: str) -> list[dict[str, object]]:
        until(lambda: len(self.letters(*arguments)) >= count, f"{count} dead letters")
        return self.letters(*arguments)


@pytest.fixture(scope="module")
def floor(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Floor:
    folder = tmp_path_factory.mktemp("commands")
    return Floor(folder, kafka, f"{folder.name}.")


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("FLOORCAST_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_letters_are_listed_shown_and_put_through_again_after_a_fix(floor: Floor) -> None:
    with floor.worker() as worker:
        floor.deliver("feed", call(1), BROKEN)
        floor.deliver("dialer", call(2), call(3))
        newest, *_, oldest = floor.await_letters(3)
        assert (newest["connection"], newest["reason"]) == ("dialer", "unknown_connection")
        assert (oldest["connection"], oldest["reason"]) == ("feed", "not_json")

        listed = floor.ask("dead-letters", "list", "--connection", "feed")
        assert len(listed.stdout.splitlines()) == 2
        assert str(oldest["id"]) in listed.stdout
        assert len(floor.letters("--limit", "1")) == 1

        shown = floor.ask("dead-letters", "show", str(oldest["id"]))
        assert (shown.exit_code, shown.stdout_bytes) == (0, BROKEN)
        assert "not_json" in shown.stderr
        assert "x-signature: (not shown)" in shown.stderr
        assert "secret" not in shown.stderr

        unknown = floor.ask("dead-letters", "show", "0-999999")
        assert (unknown.exit_code, unknown.stdout) == (2, "")

        in_vain = floor.ask("dead-letters", "replay", "--reason", "unknown_connection")
        assert in_vain.exit_code == 1
        assert "put 2 deliveries through again: 0 were read, 2 are dead letters again" in in_vain.stdout

        with urlopen(f"{floor.worker_url}/metrics", timeout=5) as answer:  # noqa: S310 - loopback
            metrics = answer.read().decode()
        assert 'floorcast_worker_events_total{stage="normalise"} 1.0' in metrics
        assert f'floorcast_worker_offset_done{{partition="1",topic="{floor.prefix}deliveries"}} 6.0' in metrics
        assert status_of(f"{floor.worker_url}/livez") == 200
    assert worker.returncode == 0

    floor.config.write_text(CONFIG + DIALER)
    with floor.worker():
        again = floor.ask("dead-letters", "replay", "--all")

    # Each content once, though those of the dialer have two letters each by now.
    assert "put 3 deliveries through again: 2 were read, 1 are dead letters again" in again.stdout
    assert again.exit_code == 1
    assert len(floor.letters("--reason", "not_json")) == 2


def test_names_that_nobody_knows_are_shown_with_the_connection_that_sends_them(floor: Floor) -> None:
    misspelt = b'[{"record":"call","id":"u","changed_at":"2026-03-18T16:41:30Z","fields":{"dialedat":1,"rep":"r"}}]'

    def ask(*arguments: str) -> Result:
        return floor.ask("connections", *arguments, "--config", str(floor.config))

    def told() -> list[object]:
        (unknown,) = [row["unknown"] for row in json.loads(ask("list", "--json").stdout) if row["connection"] == "feed"]
        assert isinstance(unknown, list)
        return unknown

    with floor.worker():
        floor.deliver("feed", misspelt, misspelt)
        until(lambda: told() == [{"record": "call", "name": "dialedat", "count": 2}], "the name is not told")
        log = floor.folder / "worker.log"  # it is said at the next tick
        until(lambda: "connection.unknown_names" in log.read_text(), "the log does not name it")

    shown = ask("show", "feed")
    assert (shown.exit_code, shown.stdout.splitlines()[-1].split()) == (0, ["call", "dialedat", "2"])
    unknown = ask("show", "fed")
    assert (unknown.exit_code, unknown.stdout) == (2, "")
    assert "did you mean 'feed'?" in unknown.stderr


def test_without_a_worker_a_replay_says_that_it_waits_for_one(floor: Floor) -> None:
    result = floor.ask("dead-letters", "replay", "--reason", "not_json", "--wait", "1")

    assert result.exit_code == 3
    assert "does a worker run?" in result.stderr


def test_verify_finds_an_api_by_flags_and_needs_its_key(floor: Floor) -> None:
    with (
        floor.worker(),
        floor.running("api", f"{floor.url}/livez", "--port", str(floor.api_port)),
    ):
        until(lambda: status_of(f"{floor.url}/readyz") == 200, "the api is not ready")
        token = CliRunner().invoke(app, ["keys", "create", "--scope", "read", "--data", str(floor.data)]).stdout.strip()
        board = CliRunner().invoke(app, ["keys", "create", "--scope", "board", "--data", str(floor.data)])
        refused = [floor.verify(), floor.verify("--key", board.stdout.strip()), floor.verify("--key", "fc_a.b")]
        right = floor.verify(FLOORCAST_API_KEY=token)
        flagged = floor.verify("--key", token)

    assert [result.exit_code for result in refused] == [2, 2, 2]
    assert all("FLOORCAST_API_KEY" in result.stderr for result in refused)
    assert (right.exit_code, flagged.exit_code) == (0, 0), right.output + right.stderr
    assert right.stdout.startswith("verified ")
    assert right.stdout.endswith(": 0 differences\n")
    assert floor.verify("--key", token).exit_code == 3  # nobody is there any more


def test_the_topics_can_be_checked_under_another_prefix(floor: Floor) -> None:
    assert floor.ask("topics", "--config", str(floor.config)).exit_code == 0  # makes them, where no other test has

    result = floor.ask("topics", "--config", str(floor.config))

    assert (result.exit_code, result.stdout) == (0, "the topics are right\n")


def test_topics_that_do_not_fit_a_changed_retention_are_altered_on_request(floor: Floor, tmp_path: Path) -> None:
    shorter = tmp_path / "shorter.yaml"
    shorter.write_text(CONFIG + "retention: {records: 100d}\n")
    assert floor.ask("topics", "--config", str(floor.config)).exit_code == 0

    refused = floor.ask("topics", "--config", str(shorter))
    altered = floor.ask("topics", "--alter", "--config", str(shorter))
    again = floor.ask("topics", "--config", str(shorter))
    back = floor.ask("topics", "--alter", "--config", str(floor.config))

    name = f"topic {floor.prefix}deliveries: retention.ms"
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert f"{name} is 34560000000, wanted 8640000000 (floorcast topics --alter sets it)\n" in refused.stderr
    assert altered.exit_code == 0
    lines = altered.stdout.splitlines()
    assert f"{name} is now 8640000000, was 34560000000 - Kafka deletes what is older than 100 days" in lines
    assert (len(lines), lines[-1]) == (5, "the topics are right")  # and the others that are kept so long
    assert (again.exit_code, again.stdout) == (0, "the topics are right\n")
    assert (back.exit_code, len(back.stdout.splitlines())) == (0, 5)


def test_up_alters_topics_on_a_kafka_of_its_own_only(floor: Floor, tmp_path: Path) -> None:
    longer = tmp_path / "longer.yaml"
    longer.write_text(CONFIG + "retention: {records: 500d}\n")
    assert floor.ask("topics", "--config", str(floor.config)).exit_code == 0
    said: list[str] = []

    def start(config: Path, *, own: bool) -> None:
        plan = UpPlan(
            config=config, data=floor.data, host="127.0.0.1", port=0, broker=None if own else floor.broker,
            prefix=floor.prefix, partitions=4, open_access=True,
        )  # fmt: skip
        asyncio.run(Surroundings().make_topics(floor.broker, plan, said.append))

    with pytest.raises(UpError, match=r"deliveries: .* \(floorcast topics --alter sets it\)"):
        start(longer, own=False)
    assert said == []
    start(longer, own=True)
    assert len(said) == 4
    start(floor.config, own=True)
    assert len(said) == 8


def test_a_worker_whose_port_is_taken_refuses_to_start(floor: Floor) -> None:
    with socket.create_server(("127.0.0.1", floor.worker_port)):
        flags = ["--config", str(floor.config), "--broker", floor.broker, "--port", str(floor.worker_port)]
        code, said = run_command(
            "worker", *flags, folder=floor.folder, environment=os.environ | {"FLOORCAST_PREFIX": floor.prefix}
        )

    assert code == 2
    assert f"port {floor.worker_port} on 127.0.0.1 cannot be opened" in said

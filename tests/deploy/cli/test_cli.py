"""The command line: exit codes, one-line errors, settings from the environment, and how children are named."""

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner, Result

import api.logs
import processor.logs
from deploy.cli import app, common
from deploy.cli.common import settings_of
from deploy.cli.program import COMMANDS
from deploy.local import ports, target, up
from deploy.settings import Settings, read_environment
from schemas.addresses import is_loopback
from schemas.kafka import Kafka
from tests.ports import refused_port

RIGHT = """\
organisation: {name: Acme, timezone: UTC, currency: USD}
connections:
  feed: {kind: generic, secrets: ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current folder, and none of this machine's settings."""
    before = dict(os.environ)
    for name in before:
        if name.startswith("FLOORCAST_") and name != "FLOORCAST_CACHE":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in set(os.environ) - set(before):
        del os.environ[name]  # what the command line took from `.env`


def floorcast(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def test_a_right_configuration_is_told_so(folder: Path) -> None:
    (folder / "floorcast.yaml").write_text(RIGHT)

    result = floorcast("check")

    assert (result.exit_code, result.stdout) == (0, "floorcast.yaml is right\n")


def test_a_command_says_itself_what_hinders_it_and_no_library_does() -> None:
    remark = "logging.getLogger('aiokafka.consumer').error('NotLeaderForPartitionError')"
    lines = f"import logging; from deploy.cli import program; program.app = lambda: {remark}; program.main()"

    done = subprocess.run([sys.executable, "-c", lines], check=True, capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("command", ["check", "up"])
def test_what_is_wrong_in_the_configuration_is_named_by_line_and_field(folder: Path, command: str) -> None:
    (folder / "floorcast.yaml").write_text(RIGHT.replace("UTC", "Mars/Olympus").replace("generic", "pigeon"))

    result = floorcast(command)

    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("floorcast.yaml:1: organisation.timezone: ")
    assert lines[1].startswith("floorcast.yaml:3: connections.feed.kind: ")


def test_a_secret_that_cannot_sign_is_named_and_not_shown(folder: Path) -> None:
    (folder / "floorcast.yaml").write_text(RIGHT.replace("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "not-a-secret"))

    result = floorcast("check")

    assert result.exit_code == 2
    assert "connections.feed.secrets" in result.stderr
    assert "not-a-secret" not in result.stderr


def test_a_port_in_use_is_refused_with_what_to_do(folder: Path) -> None:
    (folder / "floorcast.yaml").write_text(RIGHT)
    with listening() as listener:
        port = listener.getsockname()[1]
        result = floorcast("up", "--port", str(port))

    assert result.exit_code == 2
    assert result.stderr == f"port {port} on 127.0.0.1 is in use: choose another with --port\n"


def test_the_demo_refuses_a_port_in_use_too() -> None:
    with listening() as listener:
        result = floorcast("demo", "--port", str(listener.getsockname()[1]))

    assert result.exit_code == 2
    assert "is in use" in result.stderr


def test_up_beyond_loopback_needs_keys(folder: Path) -> None:
    (folder / "floorcast.yaml").write_text(RIGHT)

    result = floorcast("up", "--host", "0.0.0.0", "--port", "0")  # noqa: S104 - it is refused

    assert result.exit_code == 2
    assert "without API keys" in result.stderr


def test_what_is_not_advised_of_a_connection_is_said_at_each_start(folder: Path) -> None:
    """As the api's log does: who starts it sees the terminal."""
    crm = "  crm: {kind: hubspot, secrets: [abcdefgh], public_url: 'https://x.example', legacy_signatures: true}\n"
    (folder / "floorcast.yaml").write_text(RIGHT + crm)

    result = floorcast("up", "--host", "0.0.0.0", "--port", "0")  # noqa: S104 - it is refused

    said = [line.partition(": ")[0] for line in result.stderr.splitlines()]
    assert said[:2] == ["connections.crm.kind", "connections.crm.legacy_signatures"]


def test_a_kafka_that_does_not_answer_is_exit_code_3(folder: Path) -> None:
    (folder / "floorcast.yaml").write_text(RIGHT)

    verify = ["verify", "--url", "http://127.0.0.1:1"]
    for command in (["up", "--port", "0"], ["topics"], verify, ["dead-letters", "list"], ["connections", "list"]):
        with refused_port() as port:
            result = floorcast(*command, "--broker", f"127.0.0.1:{port}")

        assert result.exit_code == 3
        assert len([line for line in result.stderr.splitlines() if line.startswith("no Kafka answers at ")]) == 1


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["simulate", "--url", "http://127.0.0.1:1", "--connection", "crm"], "--connection"),
        (["simulate"], "--url"),
        (["simulate", "--url", "http://127.0.0.1:1", "--duplicates", "0.9", "--late", "0.9"], "shares"),
        (["simulate", "--url", "http://127.0.0.1:1", "--since", "yesterday"], "--since: 'yesterday' is not a duration"),
        (["simulate", "--url", "http://127.0.0.1:1", "--truth", "nowhere/truth.json"], "--truth"),
        (["topics"], "--broker"),
        (["verify"], "--broker"),
        (["verify", "--every", "often"], "--every"),
        (["verify", "--every", "1s"], "--every"),
        (["verify", "--every", "off"], "--every"),
        (["dead-letters", "list"], "--broker"),
        (["dead-letters", "replay"], "--all"),
        (["dead-letters", "replay", "0-1", "--all"], "--all"),
        (["dead-letters", "list", "--limit", "0"], "--limit"),
        (["up", "--port", "99999"], "--port"),
        (["up", "--broker", "kafka"], "--broker: 'kafka' is not HOST:PORT"),
        (["api", "--broker", "kafka:9092,other"], "--broker: 'other' is not HOST:PORT"),
        (["worker", "--broker", ""], "--broker: '' is not HOST:PORT"),
        (["worker", "--broker", "kafka:99999"], "--broker: 'kafka:99999' is not HOST:PORT"),
        (["worker", "--host", ""], "--host: "),
        (["dance"], "dance"),
    ],
)
def test_wrong_use_is_exit_code_2_and_names_what_is_wrong(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], word: str
) -> None:
    (folder / "floorcast.yaml").write_text(RIGHT)
    # That of api and worker would begin in this process.
    monkeypatch.setattr(api.logs, "configure_logs", lambda: None)
    monkeypatch.setattr(processor.logs, "configure_logging", lambda: None)

    result = floorcast(*arguments)

    assert result.exit_code == 2
    assert word in result.stderr


def test_a_variable_that_cannot_be_used_is_named(folder: Path) -> None:
    (folder / ".env").write_text("FLOORCAST_PORT=eighty\n")

    result = floorcast("check")

    assert result.exit_code == 2
    assert result.stderr.startswith("FLOORCAST_PORT: ")
    assert "eighty" not in result.stderr


def test_the_environment_wins_over_the_env_file_and_that_over_secret_files(folder: Path) -> None:
    (folder / ".env").write_text("A=env file\nB=env file\nD=pa$${word}\n")
    (folder / "secrets").mkdir()
    for name in ("A", "B", "C", "not-a-name"):
        (folder / "secrets" / name).write_text("secret file\n")

    found = read_environment({"A": "process"}, folder / ".env", folder / "secrets")

    assert found == {"A": "process", "B": "env file", "C": "secret file", "D": "pa$${word}"}


def test_a_flag_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOORCAST_PORT", "9000")
    monkeypatch.setenv("FLOORCAST_HOST", "localhost")

    settings = settings_of(Settings, port=9001, host=None)

    assert (settings.port, settings.host) == (9001, "localhost")


def test_settings_are_refused_by_their_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLOORCAST_PARTITIONS", "0")
    with pytest.raises(typer.Exit):
        settings_of(Settings, port=9001)
    assert capsys.readouterr().err.startswith("FLOORCAST_PARTITIONS: ")
    with pytest.raises(typer.Exit):
        settings_of(Settings, partitions=0)
    assert capsys.readouterr().err.startswith("--partitions: ")


@pytest.mark.parametrize("script", ["bin/floorcast", "elsewhere"], ids=["with the script", "without it"])
def test_the_process_list_names_the_command(folder: Path, script: str) -> None:
    (folder / "bin").mkdir()
    (folder / "bin" / "floorcast").touch()

    command = [*up.floorcast_command(folder / script), "worker", "--port", "0"]

    assert command[0] == sys.executable
    assert "floorcast worker" in " ".join(command)


def test_floorcast_runs_without_its_script() -> None:
    command = [sys.executable, "-c", "from deploy.cli import main; main() # floorcast", "check"]

    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(up.__file__).parents[2])},
    )

    assert (done.returncode, done.stderr) == (2, "floorcast.yaml: cannot be read: No such file or directory\n")


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [
        ("127.0.0.1", 8080, "http://127.0.0.1:8080"),
        ("0.0.0.0", 80, "http://127.0.0.1:80"),  # noqa: S104 - shown, not bound
        ("::1", 8080, "http://[::1]:8080"),
        ("floor.example", 8080, "http://floor.example:8080"),
    ],
)
def test_an_address_is_written_as_one_would_type_it(host: str, port: int, url: str) -> None:
    assert ports.address(host, port) == url


@pytest.mark.parametrize(
    ("host", "is_so"), [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True),
                        ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("floor.example", False)],  # noqa: S104
)  # fmt: skip
def test_only_this_machine_is_loopback(host: str, is_so: bool) -> None:
    assert is_loopback(host) is is_so


def test_an_up_that_was_killed_is_not_found(folder: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    gone = target.Running("http://127.0.0.1:8080", "127.0.0.1:9092", ended.pid, "floorcast.", "floorcast.yaml")
    (folder / "up.json").write_bytes(msgspec.json.encode(gone))

    assert target.find_running(folder) is None


def test_commands_find_the_demo_where_no_up_runs(folder: Path) -> None:
    (folder / "demo").mkdir()
    demo = target.Running("http://127.0.0.1:8081", "127.0.0.1:9093", os.getpid(), "floorcast.", "demo.yaml")
    (folder / "demo" / "up.json").write_bytes(msgspec.json.encode(demo))
    found = target.find_running(folder)
    assert found is not None
    assert found.url == "http://127.0.0.1:8081"

    own = msgspec.structs.replace(demo, url="http://127.0.0.1:8080")
    (folder / "up.json").write_bytes(msgspec.json.encode(own))

    found = target.find_running(folder)
    assert found is not None
    assert found.url == "http://127.0.0.1:8080"


def running_up(folder: Path, **changes: object) -> target.Running:
    found = target.Running("http://127.0.0.1:8080", "127.0.0.1:9092", os.getpid(), "acme.", "/etc/floorcast.yaml")
    found = msgspec.structs.replace(found, **changes)
    (folder / "up.json").write_bytes(msgspec.json.encode(found))
    return found


def test_a_running_up_says_where_everything_is(folder: Path) -> None:
    running_up(folder)

    found = target.find_target(Settings(data=folder))

    assert found == target.Instance(
        broker=Kafka("127.0.0.1:9092"),
        prefix="acme.",
        config=Path("/etc/floorcast.yaml"),
        url="http://127.0.0.1:8080",
    )


def test_what_is_named_wins_over_what_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running_up(folder)
    monkeypatch.setenv("FLOORCAST_PREFIX", "other.")

    found = target.find_target(Settings(data=folder, config=Path("mine.yaml")), "https://floor.example")

    assert (found.prefix, found.config, found.url) == ("other.", Path("mine.yaml"), "https://floor.example")
    assert found.broker == Kafka("127.0.0.1:9092")


def test_an_up_on_another_kafka_has_no_say(folder: Path) -> None:
    running_up(folder)

    found = target.find_target(Settings(data=folder, broker="kafka.example:9092"))

    assert found == target.Instance(
        broker=Kafka("kafka.example:9092"), prefix="floorcast.", config=Path("floorcast.yaml"), url=None
    )


def test_help_names_every_command() -> None:
    shown = floorcast("--help").stdout

    commands = (
        "up", "demo", "api", "worker", "broker", "topics", "check", "simulate", "verify", "keys", "dead-letters",
        "connections",
    )  # fmt: skip
    assert all(f"  {name} " in shown for name in commands)


def test_help_says_of_each_command_what_the_command_says_of_itself() -> None:
    found: Any = get_command(app)

    for name, (_, help) in COMMANDS.items():
        assert help == found.commands[name].get_short_help_str(300), name


def test_help_loads_nothing_that_a_command_needs() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from deploy.cli import app;"
        "CliRunner().invoke(app, ['--help']);"
        "print([name for name in ('faust', 'fastapi', 'aiokafka', 'aiohttp', 'pydantic') if name in sys.modules])"
    )
    root = Path(up.__file__).parents[2]

    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )

    assert done.stdout == "[]\n"


@pytest.mark.parametrize("tell", [common.say, common.announce])
def test_no_name_from_outside_moves_the_cursor_or_turns_a_line_around(
    tell: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    tell("column 'a\x1b[2J\x07\u202eb\x9bc\ud83d': two\nlines\tof é and リード")

    assert (
        "".join(capsys.readouterr()) == "column 'a\ufffd[2J\ufffd\ufffdb\ufffdc\ufffd': two\nlines\tof é and リード\n"
    )


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (FileExistsError(errno.EEXIST, "File exists", "data/imports"), 2, "data/imports: File exists\n"),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "the disk: No space left on device\n"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), 3, "no Kafka answers at "),
    ],
)
def test_a_file_that_cannot_be_written_is_not_said_of_kafka(
    error: OSError, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with refused_port() as port:
        about = target.Instance(f"127.0.0.1:{port}", "floorcast.", Path("floorcast.yaml"), url=None)
        with pytest.raises(typer.Exit) as ended, common.kafka_of(about):
            raise error

    assert ended.value.exit_code == code
    assert capsys.readouterr().err.startswith(words)

"""What a command that lasts says where it does not begin: JSON beside a log, plain words to a person."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ports import refused_port

PROGRAM = [sys.executable, "-c", "from deploy.cli import main; main()"]


@pytest.mark.parametrize(
    "command", [["lookups"], ["stream", "crm"], ["verify", "--url", "http://127.0.0.1:1", "--every", "1m"]]
)
def test_what_keeps_a_log_says_a_refusal_in_json_alone(command: list[str], tmp_path: Path) -> None:
    with refused_port() as port:
        words = [*command, "--broker", f"127.0.0.1:{port}", "--data", str(tmp_path)]
        done = subprocess.run([*PROGRAM, *words], capture_output=True, text=True, check=False)

    (said,) = [json.loads(line) for line in done.stderr.splitlines()]
    assert (done.returncode, said["event"], said["code"]) == (3, "process.ended", 3)
    assert said["why"].startswith("no Kafka answers at ")


@pytest.mark.parametrize(
    ("command", "setting", "why"),
    [
        (["worker", "--nonsense"], {}, "No such option: --nonsense"),
        (["api", "--port", "many"], {}, "Invalid value for '--port': "),
        (["lookups", "more"], {}, "Got unexpected extra argument(s) (more)"),
        (["stream"], {}, "Missing argument 'NAME'."),
        (["verify", "--every=5x"], {}, "--every: '5x' is not a duration"),
        (["verify", "--every", "5m", "--nonsense"], {}, "No such option: --nonsense"),
        (["lookups"], {"FLOORCAST_PORT": "many"}, "FLOORCAST_PORT: "),
        (["worker"], {"FLOORCAST_STALL": "many"}, "FLOORCAST_STALL: "),
    ],
)
def test_what_keeps_a_log_says_what_it_was_called_with_in_json_alone(
    command: list[str], setting: dict[str, str], why: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [*PROGRAM, *command], capture_output=True, text=True, check=False, cwd=tmp_path, env=os.environ | setting
    )

    (said,) = [json.loads(line) for line in done.stderr.splitlines()]
    assert (done.returncode, done.stdout, said["event"], said["code"]) == (2, "", "process.ended", 2)
    assert said["why"].startswith(why)


@pytest.mark.parametrize(("code", "ends"), [(0, [(0, "it was told to end")]), (70, [])])
def test_a_log_ends_with_its_end(code: int, ends: list[tuple[int, str]]) -> None:
    """Whoever ends with another code has said already why."""
    program = f"""
import typer
from deploy.cli.keeping_log import KeepsLog
app = typer.Typer()
@app.command(cls=KeepsLog)
def last() -> None:
    raise typer.Exit({code})
app()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    said = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.returncode == code
    assert [(line["code"], line["why"]) for line in said if line["event"] == "process.ended"] == ends


def test_what_nobody_foresaw_is_the_last_line_of_a_log_too() -> None:
    program = """
import typer
from deploy.cli.keeping_log import KeepsLog
app = typer.Typer()
@app.command(cls=KeepsLog)
def last() -> None:
    raise KeyError("place")
app()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    (said,) = [json.loads(line) for line in done.stderr.splitlines()]
    assert (done.returncode, said["event"], said["code"]) == (70, "process.ended", 70)
    assert said["why"] == "unexpected: KeyError('place')"
    assert "in last" in said["traceback"]


def test_a_person_at_a_terminal_is_shown_the_usage(tmp_path: Path) -> None:
    ours, its = pty.openpty()
    done = subprocess.run([*PROGRAM, "worker", "--nonsense"], stdout=its, stderr=its, check=False, cwd=tmp_path)
    os.close(its)
    said = os.read(ours, 4096).decode().splitlines()
    os.close(ours)

    assert (done.returncode, said[0].startswith("Usage: "), said[-1]) == (2, True, "Error: No such option: --nonsense")


def test_one_recount_is_called_wrongly_in_plain_words(tmp_path: Path) -> None:
    done = subprocess.run([*PROGRAM, "verify", "--nonsense"], capture_output=True, text=True, check=False, cwd=tmp_path)

    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, "Error: No such option: --nonsense")

"""The README's commands, exactly as they stand but for the port, against `floorcast up` with its own configuration."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, README, Block, blocks_of
from tests.integration.floor_process import FloorProcess

ADDRESS = "http://127.0.0.1:8080"
SECONDS = 30

pytestmark = pytest.mark.kafka


def _blocks(language: str, word: str) -> list[Block]:
    return [block for block in blocks_of(README) if block.language == language and word in block.text]


@pytest.fixture(scope="module")
def floor(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FloorProcess]:
    """Give a running floorcast on the first configuration that the README shows."""
    folder = tmp_path_factory.mktemp("readme")
    process = FloorProcess(folder, {}, kafka=kafka)
    process.config_file.write_text(_blocks("yaml", "organisation")[0].text, encoding="utf-8")
    try:
        process.start()
        yield process
        process.stop()
    finally:
        process.kill_everything()


def _shell(script: str, floor: FloorProcess) -> subprocess.Popen[str]:
    assert ADDRESS in script
    return subprocess.Popen(
        ["bash", "-euc", script.replace(ADDRESS, floor.url)],
        cwd=floor.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"NO_PROXY": "*", "no_proxy": "*"},
    )


def _run(script: str, floor: FloorProcess) -> str:
    with _shell(script, floor) as running:
        output, words = running.communicate(timeout=SECONDS)
    assert running.returncode == 0, words
    return output


def _first_line(script: str, floor: FloorProcess, begins: str) -> str:
    """Read until such a line comes, and leave."""
    with _shell(script, floor) as running:
        try:
            assert running.stdout is not None
            return next(line for line in running.stdout if line.startswith(begins))
        finally:
            running.kill()


def _until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def test_the_commands_of_the_readme_work_as_they_stand(floor: FloorProcess) -> None:
    (looks,) = _blocks("sh", "/v1/freshness")
    for line in looks.text.splitlines():
        if "/v1/stream" in line:
            assert _first_line(line, floor, "event:") == "event: snapshot\n"
        elif line.endswith("/metrics"):
            assert "\nfloorcast_ready 1" in _run(line, floor)
        else:
            assert "as_of" in json.loads(_run(line, floor)), line

    (post,) = _blocks("sh", "openssl dgst")
    (ask,) = _blocks("sh", "/v1/reps/r-17/metrics")
    once = {"calls_made": 1, "conversations": 1}
    assert set(json.loads(_run(post.text, floor))) == {"delivery"}
    _until(lambda: json.loads(_run(ask.text, floor))["metrics"] == once, "the call counts")

    _run(post.text, floor)
    code, words = floor.verify()
    assert code == 0, words
    assert json.loads(_run(ask.text, floor))["metrics"] == once


def test_the_python_of_the_guide_posts_what_is_taken(floor: FloorProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    (secret,) = floor_secrets(floor.config_file)
    (sample,) = (block for block in blocks_of(DOCS / "guides" / "connect-anything.md") if block.language == "python")
    (event, *_) = (block for block in blocks_of(DOCS / "guides" / "connect-anything.md") if block.language == "json")
    names: dict[str, Callable[..., int]] = {}
    exec(compile(sample.text, "connect-anything.md", "exec"), names)  # noqa: S102 - our own page

    status = names["send"](f"{floor.url}/webhooks/feed", secret, [json.loads(event.text)])

    assert status == 202


def floor_secrets(file: Path) -> list[str]:
    """The secrets of the connection `feed`."""
    from schemas.config import load_config

    return [secret.get_secret_value() for secret in load_config(file, {}).connections["feed"].secrets]

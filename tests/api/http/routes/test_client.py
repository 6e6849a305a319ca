"""A client is generated of the description, without a warning, and it says what the api says."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.fakes import FakeIngest
from tests.api.reading import Floor
from tests.builders import change

GENERATOR = Path(__file__).parents[4] / "build" / "client-generator"


@pytest.mark.skipif(not GENERATOR.is_dir() and "CI" not in os.environ, reason="`make dev` installs the generator")
async def test_client_is_generated_without_a_warning_and_reads_the_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    floor = Floor(tmp_path / "data", ingest=FakeIngest())
    floor.take(change("call", "c1", rep="r1", direction="outbound", dialed_at="2026-03-18T15:00Z"))
    description = tmp_path / "openapi.json"
    description.write_text(json.dumps(floor.app.openapi()), encoding="utf-8")

    # The generator formats what it makes with the ruff that is found first.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["generate", "--path", description, "--output-path", tmp_path / "made", "--meta", "none"]
    generated = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", *map(str, command), "--fail-on-warning"],
        env={**os.environ, "PYTHONPATH": str(GENERATOR), "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert (generated.returncode, "WARNING" in generated.stdout + generated.stderr) == (0, False), generated.stdout
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(GENERATOR))
    leaderboards = importlib.import_module("made.models.leaderboard_answer")
    answer = await floor.read("/v1/leaderboards/calls_made?window=today")
    read = leaderboards.LeaderboardAnswer.from_dict(answer)
    assert (read.entries[0].rep, read.entries[0].value) == ("r1", 1)

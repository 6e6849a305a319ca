"""The children of `up`: one process for each connection whose events are read."""

from pathlib import Path

import yaml

from deploy.cli import up
from deploy.local.supervisor import ChildProgram
from deploy.local.up import Surroundings, UpPlan
from deploy.settings import Settings
from tests.deploy.streaming.payloads import settings

API = {"url": "https://acme.my.salesforce.com", "client_id": "x", "client_secret": "y"}


def _plan(folder: Path, streams: list[str]) -> UpPlan:
    return UpPlan(
        config=folder / "floorcast.yaml", data=folder, host="127.0.0.1", port=8080, broker=None, prefix="floorcast.",
        partitions=4, open_access=True, streams=streams,
    )  # fmt: skip


def test_connections_with_a_stream_have_one(tmp_path: Path) -> None:
    config = tmp_path / "floorcast.yaml"
    connections = {
        "sf": settings(api=API, stream={}),
        "quiet": settings(api=API, secrets=["another-long-word-4711"]),
    }
    config.write_text(
        yaml.safe_dump(
            {"organisation": {"name": "A", "timezone": "UTC", "currency": "EUR"}, "connections": connections}
        )
    )
    made = up._plan(Settings(config=config, data=tmp_path), 8080, open_access=True, demo=None)

    assert (made.streams, made.asked) == (["sf"], ["quiet", "sf"])


def test_a_stream_is_a_process_of_its_own_with_its_own_log(tmp_path: Path) -> None:
    child = Surroundings().stream(_plan(tmp_path, ["sf"]), "127.0.0.1:9092", "sf")
    assert isinstance(child, ChildProgram)
    line = " ".join(child.command)
    assert " stream sf --config " in line
    assert "floorcast" in line.partition(" stream ")[0]
    assert child.log == tmp_path / "logs" / "stream-sf.log"
    assert child.name == "stream sf"

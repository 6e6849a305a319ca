"""SIGHUP of `up`: children read both files again, unless something in them is wrong."""

from pathlib import Path

import pytest

from deploy.local.supervisor import ChildProgram
from deploy.local.up import Reload

RIGHT = """\
organisation: {name: Acme, timezone: UTC, currency: USD}
connections:
  feed: {kind: generic, secrets: ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}
"""


class Heard(ChildProgram):
    """A child that only counts how often it was told."""

    times = 0

    def hang_up(self) -> None:
        self.times += 1


@pytest.fixture
def said() -> list[str]:
    """What `up` says."""
    return []


@pytest.fixture
def reload(tmp_path: Path, said: list[str]) -> Reload:
    """With two children."""
    (tmp_path / "floorcast.yaml").write_text(RIGHT)
    made = Reload(tmp_path / "floorcast.yaml", said.append)
    made.children += [Heard(name, ["true"], tmp_path / "log") for name in ("worker", "api")]
    return made


def times(reload: Reload) -> list[int]:
    return [child.times for child in reload.children if isinstance(child, Heard)]


def test_worker_and_api_are_told(reload: Reload, said: list[str]) -> None:
    reload()

    assert times(reload) == [1, 1]
    assert said == ["SIGHUP: worker and api read floorcast.yaml and metrics.yaml again"]


def test_a_file_with_an_error_is_named_and_changes_nothing(reload: Reload, said: list[str], tmp_path: Path) -> None:
    (tmp_path / "metrics.yaml").write_text("metrics: {a: {unit: count, type: simpl}}")

    reload()

    assert times(reload) == [0, 0]
    assert said[0] == "SIGHUP: nothing changes, as this is wrong:"
    assert said[1].startswith(f"  {tmp_path / 'metrics.yaml'}:1: metrics.a.type: must be one of simple")


def test_a_child_that_never_started_is_none_to_tell(tmp_path: Path) -> None:
    ChildProgram("worker", ["true"], tmp_path / "log").hang_up()

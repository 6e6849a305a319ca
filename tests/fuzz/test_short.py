"""The short form of `make fuzz`: the same inputs each time, and that a finding is told with how to have it again."""

from collections.abc import Iterator
from pathlib import Path
from time import process_time

import pytest

from tests.fuzz import __main__ as runner
from tests.fuzz import outside
from tests.fuzz.target import Target

INPUTS = 300
SECONDS = 20.0


@pytest.fixture(autouse=True, scope="module")
def _server() -> Iterator[None]:
    yield
    outside.SERVER.stop()


@pytest.mark.parametrize("name", runner.TARGETS)
def test_the_law_of_each_parser_holds_for_bytes_nobody_foresaw(name: str) -> None:
    target = runner.TARGETS[name]

    for data in target.corpus:
        target.check(data)

    assert runner.fuzz(target, seed=1, seconds=SECONDS, count=INPUTS) > 0


def test_what_was_tried_names_every_target() -> None:
    page = (Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8")

    assert [name for name in runner.TARGETS if f"`{name}`" not in page] == []


def test_a_finding_is_kept_and_can_be_had_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def holds(data: bytes) -> None:
        assert b"\xff" not in data

    target = Target("eights", [b"12345678"], holds)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runner, "TARGETS", {"eights": target})

    assert runner.main(["--seed", "5", "--count", "10000"]) == 1

    (kept,) = (tmp_path / runner.FOUND).iterdir()
    number = int(kept.stem.rpartition("-")[2])
    assert f"again: python -m tests.fuzz eights --seed 5 --only {number}" in capsys.readouterr().out
    assert kept.read_bytes() == target.input_of(5, number)
    assert runner.main(["eights", "--seed", "5", "--only", str(number)]) == 1
    assert runner.main(["eights", "--seed", "5", "--only", str(number - 1)]) == 0


def test_what_takes_too_long_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.target.CPU_SECONDS", 0.01)

    def holds(_data: bytes) -> None:
        end = process_time() + 0.05
        while process_time() < end:
            pass

    with pytest.raises(AssertionError, match=r"of CPU for 1 bytes"):
        Target("slow", [b"1"], holds).check(b"1")

"""Every case of tests/fixtures/files: the exit code, what becomes of each line, and the numbers that come of it."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from schemas.exit_codes import ExitCode
from tests.deploy.files.imports import NOW, Imports
from tests.oracle import recount

FILES = Path(__file__).parents[2] / "fixtures" / "files"
CASES = [
    (path, index)
    for path in sorted(FILES.glob("*.json"))
    for index in range(len(json.loads(path.read_text(encoding="utf-8"))["runs"]))
]


@pytest.mark.parametrize(("path", "index"), CASES, ids=[f"{path.stem}-{index + 1}" for path, index in CASES])
def test_a_file_makes_the_numbers_that_its_case_says(path: Path, index: int, tmp_path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    run = case["runs"][index]
    imports = Imports(case["config"], tmp_path)

    for step in run["steps"]:
        outcome = imports.run(step["command"][1:], FILES)
        said = "\n".join(imports.terminal.lines)
        assert (ExitCode.WRONG_USE if outcome is None else outcome.exit_code) == step["exit"], said
        if outcome is None:
            continue
        assert {name: count for name, count in outcome.lines.items() if count} == {
            name: count for name, count in step["lines"].items() if count
        }, said
        refused = {str(number): each.field for number, each in outcome.checked.refusals.items()}
        expected = {number: why.partition(":")[0] for number, why in step.get("refused", {}).items()}
        assert refused.keys() == expected.keys()
        assert all(refused[number] in field.split("|") for number, field in expected.items()), refused
    _compare(imports, run["metrics"])


def _compare(imports: Imports, expected: dict[str, Any]) -> None:
    books = recount(imports.changes(), imports.config)
    by: dict[str, dict[str, dict[str, Any]]] = expected["by"]
    shown = books.rows(now=NOW, window="year")
    names = [name for name in expected["names"] if name in shown["organisation"]["metrics"]]
    assert names
    for day in sorted({day for said in by.values() for day in said}):
        rows = books.rows(now=NOW, window=(date.fromisoformat(day), date.fromisoformat(day)))
        for rep, row in rows["reps"].items():
            assert _told(row["metrics"], names) == _told(by.get(rep, {}).get(day, {}), names), (rep, day)
        if day in by.get("*", {}):
            assert _told(rows["organisation"]["metrics"], names) == _told(by["*"][day], names), day
    for rep, row in shown["reps"].items():
        days = by.get(rep, {}).values()
        assert _told(row["metrics"], names) == {name: sum(_told(day, names)[name] for day in days) for name in names}, (
            rep
        )
    assert by.keys() - {"*"} <= shown["reps"].keys()


def _told(row: Mapping[str, Any], names: Sequence[str]) -> dict[str, Decimal]:
    return {name: Decimal(str(row.get(name) or 0)) for name in names}

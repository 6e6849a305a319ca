"""The house's own rules for code: how long a file may be, and that no measured figure stands where it would rot.

Each rule has a list of what broke it when it was made. The lists may only get shorter: what is mended is taken off.
"""

import ast
import io
import re
import tokenize
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MOST_LINES = 400
SHORT, USUAL = 100, 300
"""In `processor` and `schemas` half of the files at least have so few lines of code, and nine in ten."""
FILES = sorted(
    path.relative_to(ROOT)
    for package in ("api", "deploy", "processor", "schemas")
    for path in (ROOT / package).rglob("*.p*")
    if path.suffix in {".py", ".pyx", ".pxd"}
)

LONGER: dict[str, int] = {}
"""File -> lines of code that it may have."""

FIGURES: dict[str, int] = {
    "api/read/exposition.py": 1,
    "processor/app.py": 3,
    "processor/replay/hand.py": 1,
    "processor/transport/batches.py": 5,
    "processor/transport/following.py": 1,
    "processor/transport/outgoing.py": 2,
    "schemas/config/leads.py": 1,
    "schemas/instants.py": 1,
}
"""File -> measured figures that may stand in its docstrings and comments."""

TWINS = frozenset({
    "Conversion", "Definitions", "Duration", "Entered", "Entry", "Exact", "Formula", "Funnel", "Inquiry",
    "LeadClock", "LeadFacts", "Level", "Measure", "Record", "RepDays", "Response", "Simple", "Span", "Timing", "Touch",
    "answers", "closed_at", "is_connected", "share_of", "shipped", "shown", "smallest", "span_of", "stays", "writers",
})  # fmt: skip
"""What `deploy.verification` says again under the name that it has elsewhere: it means the same, by other code."""
IN_EACH_PROCESS = frozenset({"Settings", "main", "read_served"})
"""What every process has of its own, as `api` and `processor` never import each other."""
SERVED_AS = frozenset({"Benchmark"})
"""An entry of a file that REST gives back: the name of its model stands in OpenAPI."""

# A number with a unit of time, size or rate below what a person would set as a limit: seconds and minutes are settings,
# and whole MiB are limits of Kafka and HTTP.
_FIGURE = re.compile(
    r"(?<![\w.])\d[\d.,]*\s?(?:ms|µs|us|ns|kB|MB|GB|GiB|events/s|k/s|events a second|% (?:faster|slower|of))\b"
    r"|\b\d+(?:\.\d+)? times (?:as|the)\b"
)
_OF_OURS = re.compile(r"(?<![\w/.])(?:api|bench|deploy|docs|processor|schemas|tests)/[\w/-]+\.(?:py|pyx|pxd|js|md)\b")


@cache
def docstrings(path: Path) -> tuple[tuple[int, int, str], ...]:
    """First line, last line and text of every string that stands by itself."""
    return tuple(
        (node.lineno, node.end_lineno or node.lineno, node.value.value)
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    )


@cache
def lines_of_code(path: Path) -> int:
    """Lines that hold more than a comment or a docstring."""
    text = (ROOT / path).read_text(encoding="utf-8")
    if path.suffix != ".py":
        return sum(1 for line in text.splitlines() if line.strip() and not line.strip().startswith("#"))
    silent = {number for first, last, _ in docstrings(path) for number in range(first, last + 1)}
    return sum(
        1
        for number, line in enumerate(text.splitlines(), start=1)
        if number not in silent and line.strip() and not line.strip().startswith("#")
    )


def words_of(path: Path) -> Iterator[str]:
    """Comments and docstrings. In Cython: every line with a comment sign or quotes."""
    text = (ROOT / path).read_text(encoding="utf-8")
    if path.suffix != ".py":
        yield from (line for line in text.splitlines() if "#" in line or '"""' in line)
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    yield from (text for _, _, text in docstrings(path))


def test_no_file_is_longer_than_a_person_can_hold_in_mind() -> None:
    longer = {str(path): lines for path in FILES if (lines := lines_of_code(path)) > MOST_LINES}

    assert {path: lines for path, lines in longer.items() if lines > LONGER.get(path, MOST_LINES)} == {}
    assert LONGER.keys() <= longer.keys(), "take off the list what is short enough now"


@pytest.mark.parametrize("package", ["processor", "schemas"])
def test_most_files_are_short(package: str) -> None:
    lines = [lines_of_code(path) for path in FILES if path.parts[0] == package]

    assert sum(number <= SHORT for number in lines) >= len(lines) / 2
    assert sum(number <= USUAL for number in lines) >= len(lines) * 9 / 10


def imports_of(path: Path, modules: Collection[str]) -> Iterator[str]:
    """Which of these modules a file imports as it is loaded, and not for its types alone."""
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name in modules)
        elif isinstance(node, ast.ImportFrom):
            inner = (f"{node.module}.{name.name}" for name in node.names)
            yield from (each if each in modules else str(node.module) for each in inner if str(node.module) in modules)


def test_no_module_imports_itself_by_way_of_others() -> None:
    named = {".".join(path.with_suffix("").parts): path for path in FILES if path.suffix == ".py"}
    modules = {name.removesuffix(".__init__"): path for name, path in named.items()}
    graph = {name: {*imports_of(path, modules)} for name, path in modules.items()}

    assert sum(map(len, graph.values())) > len(modules)
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the way round


def _is_type(value: ast.expr) -> bool:
    """Whether what is given a name with a capital letter is a type."""
    if isinstance(value, ast.BinOp):
        return isinstance(value.op, ast.BitOr)
    return isinstance(value, ast.Subscript | ast.Constant | ast.Name) or ast.unparse(value).startswith("NewType(")


def public_names(path: Path) -> Iterator[str]:
    """Classes, functions and types that a module defines. What a decorator registers is known by its path or command,
    and another name for what has that name elsewhere is the same."""
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if not any(isinstance(each, ast.Call) for each in node.decorator_list):
                yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and _is_type(node.value):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (each.id for each in targets if isinstance(each, ast.Name) and each.id != each.id.upper())


def test_a_public_name_has_one_meaning() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in FILES:
        if path.suffix == ".py":
            for name in public_names(path):
                if not name.startswith("_"):
                    places[name].append(str(path))
    several = {name: paths for name, paths in places.items() if len(paths) > 1}
    twins = {name for name, paths in several.items() if len(paths) == 2 and "deploy/verification/" in "".join(paths)}

    assert len(places) > 2_000
    assert {name: several[name] for name in several.keys() - (TWINS & twins) - IN_EACH_PROCESS - SERVED_AS} == {}
    assert several.keys() >= (TWINS | IN_EACH_PROCESS | SERVED_AS), "take off the list what has another name now"


def test_files_that_docstrings_and_comments_name_are_there() -> None:
    named = {(str(path), name) for path in FILES for name in _OF_OURS.findall("\n".join(words_of(path)))}

    assert len(named) > 50
    assert {(path, name) for path, name in named if not (ROOT / name).exists()} == set()


def test_measured_figures_stand_in_the_docs_alone() -> None:
    found = Counter({str(path): len(_FIGURE.findall("\n".join(words_of(path)))) for path in FILES})

    assert {path: number for path, number in found.items() if number > FIGURES.get(path, 0)} == {}
    assert {path for path, number in FIGURES.items() if found[path] < number} == set(), "take off the list what is gone"

"""The way of one webhook, as docs/architecture.md tells it, is the way through the code; its words have one meaning."""

import ast
import re
from dataclasses import dataclass
from functools import cache

import pytest

from tests.docs.pages import DOCS, ROOT

PAGE = DOCS / "architecture.md"
TEXT = PAGE.read_text(encoding="utf-8")


@dataclass(frozen=True)
class Step:
    number: int
    file: str
    name: str
    """What does it: a function, a class, `Class.method`, or a topic or list of topics."""
    reached_from: int | None
    by: str


def rows_under(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    section = TEXT.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


STEPS = [
    Step(int(number), file, name, int(before) if before else None, by)
    for number, file, name, before, by in rows_under("The way of one webhook")
]


@cache
def parsed(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text(encoding="utf-8"))


def identifiers(file: str) -> set[str]:
    """Every name that a file uses, defines or imports; words in comments and docstrings are none."""
    found: set[str] = set()
    for node in ast.walk(parsed(file)):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name):
                found.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
    return found


def defined(file: str) -> set[str]:
    """What a file defines: functions, classes, `Class.method`, names at its top."""
    found: set[str] = set()
    for node in parsed(file).body:
        match node:
            case ast.ClassDef(name=name, body=body):
                found.add(name)
                found |= {
                    f"{name}.{inner.name}"
                    for inner in body
                    if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)
                }
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
    return found


def test_the_steps_are_numbered_and_all_but_the_first_are_reached_from_an_earlier_one() -> None:
    assert [step.number for step in STEPS] == list(range(1, len(STEPS) + 1))
    assert len(STEPS) > 15
    assert STEPS[0].reached_from is None
    assert all(step.reached_from is not None and step.reached_from < step.number for step in STEPS[1:])


@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step.number} {step.name}")
def test_a_step_is_where_the_page_says_and_the_one_before_leads_to_it(step: Step) -> None:
    assert step.name in defined(step.file)
    if step.reached_from is None:
        return
    before = STEPS[step.reached_from - 1]
    assert step.by in identifiers(before.file), f"{before.file} does not name {step.by}"
    # What leads there is what does it, or what both name: a topic, or what the step takes up.
    assert step.by == step.name.rpartition(".")[2] or step.by in identifiers(step.file)


def test_what_is_said_of_the_steps_names_steps_that_are_there() -> None:
    told = TEXT.split("## The way of one webhook\n", 1)[1].split("\n## ", 1)[0]
    numbers = {int(number) for group in re.findall(r"\(([\d, to]+)\)", told) for number in re.findall(r"\d+", group)}

    assert numbers
    assert numbers <= {step.number for step in STEPS}


def test_every_place_of_a_question_exists() -> None:
    places = [(place, name) for _, place, name in rows_under("Where things are found")]

    assert len(places) > 15
    assert [place for place, _ in places if not (ROOT / place).is_file()] == []
    assert [(place, name) for place, name in places if name and name not in defined(place)] == []


def test_a_word_has_one_meaning() -> None:
    words = [word for word, _ in rows_under("Words")]

    assert len(words) > 15
    assert len(set(words)) == len(words)

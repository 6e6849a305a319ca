"""Pipelines in `floorcast.yaml`, what funnels and the dimension of stages make of them, and how faults are named."""

from pathlib import Path

import pytest

from schemas.catalogue.defined import bound_under
from schemas.catalogue.funnel import FunnelReader
from schemas.catalogue.reading import read_metrics, shipped
from schemas.config import Config, ConfigError, load_config
from schemas.config.rules import rules_of
from schemas.definitions import definitions_digest

BASE = """\
organisation: {name: Acme, timezone: UTC, currency: EUR}
connections:
  crm: {kind: file, stages: {"7": {name: Offer}, "8": {name: Twice}, "9": {name: Twice}}}
"""
SALES = "pipelines:\n  sales: {steps: [lead, Offer], won: [closed], lost: [gone], labels: {lead: First}}\n"
OWN = "metrics:\n  own: {unit: ratio, type: funnel, from: deal, path: stage, mode: visited, credit: rep, "


def parsed(folder: Path, text: str, metrics: str | None = None) -> Config:
    (folder / "floorcast.yaml").write_text(BASE + text, "utf-8")
    if metrics is not None:
        (folder / "metrics.yaml").write_text(metrics, "utf-8")
    return load_config(folder / "floorcast.yaml", {})


def ways(config: Config, metric: str) -> list[tuple[str | None, dict[str, str]]]:
    reader = bound_under(config.defined, rules_of(config)).metrics[metric].reader
    assert isinstance(reader, FunnelReader)
    return [(way.pipeline, {step: way.labels[step] for step in way.path.steps}) for way in reader.ways]


def test_each_pipeline_has_its_steps_with_what_is_won_behind_them(tmp_path: Path) -> None:
    config = parsed(tmp_path, SALES + '  again: {steps: [lead, "8", closed], won: [closed]}\n')

    assert ways(config, "stage_conversion") == [
        ("sales", {"lead": "First", "7": "Offer", "won": "Won"}),
        ("again", {"lead": "Lead", "8": "Twice", "closed": "Closed"}),
    ]
    assert ways(parsed(tmp_path, ""), "stage_conversion") == []


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ("pipeline: x, steps: [a, b]}", [("x", ["a", "b", "won"])]),
        ("steps: [Offer, won]}", [("sales", ["7", "won"])]),
        ("pipeline: sales, steps: [lead]}", [("sales", ["lead", "won"])]),
        ("pipeline: sales}", [("sales", ["lead", "7", "won"])]),
    ],
)
def test_a_funnel_may_have_steps_of_its_own(tmp_path: Path, more: str, found: list[object]) -> None:
    config = parsed(tmp_path, SALES, OWN + more)

    assert [(name, [*steps]) for name, steps in ways(config, "own")] == found


def test_the_stages_are_the_labels_of_their_dimension(tmp_path: Path) -> None:
    metrics = "dimensions:\n  stage: {of: deal.stays.stage}\n"

    def labels(config: Config) -> tuple[str, ...]:
        return bound_under(config.defined, rules_of(config)).dimensions["stage"].labels

    both = SALES + '  again: {steps: [lead, "8", closed], won: [closed]}\n'
    assert labels(parsed(tmp_path, both, metrics)) == ("lead", "7", "8", "Other")
    assert labels(parsed(tmp_path, "", metrics)) == ()


def test_stages_are_a_definition(tmp_path: Path) -> None:
    assert definitions_digest(parsed(tmp_path, SALES)) != definitions_digest(
        parsed(tmp_path, SALES.replace("lead,", "lead, talk,"))
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("pipelines: {s: {steps: []}}", "pipelines.s.steps: "),
        ("pipelines: {s: {steps: [a, a]}}", "pipelines.s: a stands twice in steps and lost"),
        ("pipelines: {s: {steps: [a], lost: [a]}}", "pipelines.s: a stands twice in steps and lost"),
        ("pipelines: {s: {steps: [a, b], won: [a]}}", "pipelines.s: a stage of won is no other step"),
        ("pipelines: {s: {steps: [a], won: [b], lost: [b]}}", "pipelines.s: a stage of won is no other step"),
        ("pipelines: {s: {steps: [a, Twice]}}", "pipelines.s: several stages are called 'Twice': write the id"),
        ("pipelines: {s: {steps: [a], win: [b]}}", "pipelines.s.win: "),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parsed(tmp_path, text)

    assert problem in refused.value.problems[0]


def test_a_metric_that_goes_by_an_unknown_pipeline_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        parsed(tmp_path, SALES, OWN + "pipeline: slaes}")

    (problem,) = refused.value.problems
    assert problem.endswith(
        "metrics.yaml:2: metrics.own.pipeline: there is no pipeline 'slaes' under pipelines of floorcast.yaml; did you"
        " mean 'sales'?"
    )


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("from: deal, mode: visited", "path: is missing"),
        ("from: deal, path: stage, mode: seen", "mode: "),
        ("from: deal, path: stage, mode: visited, steps: [a, a]", "steps: names a step twice"),
        ("from: deal, path: stage, mode: visited, steps: [won, a]", "steps: won can only be the last step"),
        ("from: deal, path: stage, mode: visited, by: [none]", "there is no dimension"),
        ("from: lead, path: stage, mode: visited", "path: is of deals"),
        ("from: lead, mode: visited, steps: [received, called]", "steps.1: called is none of received"),
        ("from: call, mode: visited", "from: "),
        ("from: lead, mode: visited, unit: count", "unit: must be ratio"),
    ],
)
def test_what_is_wrong_with_a_funnel_is_named(more: str, problem: str) -> None:
    unit = "" if "unit" in more else "unit: ratio, "
    read = read_metrics(f"metrics:\n  own: {{{unit}type: funnel, credit: rep, {more}}}\n", "metrics.yaml", shipped())

    assert problem in "\n".join(read.problems)

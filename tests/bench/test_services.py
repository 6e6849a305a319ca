"""The short form of each bench of our own services: it still runs, and its answers are right. No figure is judged."""

import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from math import isfinite
from types import ModuleType

import pytest

from bench import __main__ as benchmark
from bench import freshness, glass, processes, replay
from bench.measuring import alternating, figures
from bench.population import Population
from bench.results import Bar, Result, Section
from bench.stack import Stack, running_stack
from deploy.local.broker import LocalBroker
from schemas.instants import DAY

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBroker]:
    """One Kafka for all of them: what each needs a Kafka of its own for is its figures."""
    with LocalBroker(tmp_path_factory.mktemp("kafka"), die_with_parent=True, short_lived=True) as broker:
        yield broker


@pytest.fixture(scope="module")
def stack(broker: LocalBroker) -> Iterator[Stack]:
    """One `floorcast up`, on that Kafka."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLOORCAST_BROKER", broker.bootstrap)
        patch.setenv("FLOORCAST_PREFIX", f"t{uuid.uuid4().hex[:8]}.")
        with running_stack() as stack:
            yield stack


ON_A_STACK: dict[str, ModuleType] = {"freshness": freshness, "glass": glass}
"""Each posts for people of its own."""
# Curves are made of what `recovery` and `workers` do: their short form takes a minute and tries nothing else.
ALONE = [name for name in benchmark.OWN if name not in {"curves", *ON_A_STACK}]


@pytest.mark.parametrize("name", [*ALONE, *ON_A_STACK])
def test_short_form_runs_and_is_right(
    name: str, broker: LocalBroker, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    for bench in (processes, replay):
        monkeypatch.setattr(bench, "LocalBroker", lambda *_, **__: nullcontext(broker))
    if name in ON_A_STACK:
        stack = request.getfixturevalue("stack")
        monkeypatch.setattr(ON_A_STACK[name], "running_stack", lambda: nullcontext(stack))
    section = benchmark.OWN[name](short=True, runs=1)

    assert section.slug == name
    assert section.short
    named = {result.name for result in section.results}
    for result in section.results:
        assert len(result.runs) == 1, result
        assert all(isfinite(value) for value in result.runs), result
        assert all(not bar.against or bar.against in named for bar in result.bars), result


def test_bench_that_fails_is_named_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*, short: bool, runs: int) -> Section:
        msg = "no Kafka"
        raise RuntimeError(msg)

    def works(*, short: bool, runs: int) -> Section:
        return Section("works", "Works", "", [Result("one", "", "", "s", [float(runs)])], short=short)

    monkeypatch.setattr(benchmark, "OWN", {"fails": fails, "works": works})
    monkeypatch.setattr(benchmark, "SUITES", ("fails", "works"))
    monkeypatch.setattr(sys, "argv", ["bench", "--short"])

    assert benchmark.main() == 1

    said = capsys.readouterr()
    assert "one" in said.out
    assert "failed: fails" in said.err


def test_figures_are_taken_in_turn() -> None:
    order: list[str] = []

    def measure(name: str) -> float:
        order.append(name)
        return len(order)

    assert alternating([lambda: measure("a"), lambda: measure("b")], 2) == [[1, 3], [2, 4]]
    assert order == ["a", "b", "a", "b"]


@pytest.mark.parametrize(
    ("bar", "said"),
    [
        (Bar(against="other", at_least=0.5), "of other: 0.5 (0.25-0.75), at least 0.5: reached"),
        (Bar(against="other", at_least=0.6), "of other: 0.5 (0.25-0.75), at least 0.6: MISSED"),
        (Bar(at_most=2.0), "at most 2: reached"),
        (Bar(at_most=1.0), "at most 1: MISSED"),
    ],
)
def test_bar_is_judged_by_the_median_of_its_ratios(bar: Bar, said: str) -> None:
    results = [Result("mine", "", "", "s", [1.0, 2.0, 3.0], [bar]), Result("other", "", "", "s", [4.0, 4.0, 4.0])]

    assert figures(Section("s", "S", "", results))[2].strip() == said


@pytest.mark.parametrize("late", [0.0, 0.5, 1.0])
def test_population_says_each_change_once_whatever_comes_late(late: float) -> None:
    population = Population(500, 20, until=10 * DAY, late=late)

    changes = list(population.changes())

    assert len({(change.kind, change.id) for change in changes}) == 500
    calls: Mapping[str, int] = population.calls
    assert calls == {rep: sum(_is_call_of(change, rep) for change in changes) for rep in calls}
    instants = [change.changed_at for change in changes]
    assert (instants == sorted(instants)) == (late == 0.0)
    assert max(instants) == population.until
    assert min(instants) > population.until - population.span


def _is_call_of(change: object, rep: str) -> bool:
    return getattr(change, "kind", "") == "call" and getattr(change, "fields", {}).get("rep") == rep

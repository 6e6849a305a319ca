"""Whatever a user may write, over whatever a CRM may say in whatever order: what is served is what the recount has."""

import random

import pytest
import yaml

from api.read.metric_rows import MetricRows
from api.read.view import ORGANISATION, View
from deploy.verification.books import Books
from deploy.verification.definitions import Definitions, with_own
from schemas.catalogue import Metric
from schemas.catalogue.base import Reading, shown
from schemas.catalogue.defined import bound_under
from schemas.catalogue.dimensions import ALWAYS
from schemas.catalogue.reading import read_metrics, shipped
from schemas.config import Config
from schemas.config.rules import rules_of
from schemas.documents.text import read_document
from schemas.floor import rep_scope, team_scope
from schemas.scopes import Scope
from schemas.windows import WINDOWS, span_of
from tests.any_metrics import DIMENSIONS, AnyMetrics, any_log
from tests.builders import make_config
from tests.hard_metrics import SECTIONS
from tests.oracle import differences, recount
from tests.pipeline import Pipeline, served
from tests.segments import segments
from tests.strategies import NOW, long_log
from tests.test_laws import batches, shuffled
from tests.test_retention_laws import KEPT, by_day, complete, run

READING = Reading(now=NOW, money_digits=2)
PIPELINES = {"p": {"steps": ["s1", "s2"], "won": ["s3"], "lost": ["s4"]}}
SCOPES: tuple[tuple[Scope, dict[str, str]], ...] = (
    (ORGANISATION, {}), (rep_scope("r1"), {"rep": "r1"}), (rep_scope("r2"), {"rep": "r2"}),
    (team_scope("north"), {"team": "north"}),
)  # fmt: skip


def accepted(chance: random.Random) -> tuple[str, list[str]]:
    """The text of a metrics.yaml without what `check` refuses, and the metrics in it; no shipped one."""
    metrics = AnyMetrics(chance).draw(14)
    while True:
        off = dict.fromkeys(shipped().metrics, False)
        said = {"dimensions": DIMENSIONS, "cold_sources": ["web"], "quiet_after": "1d", "metrics": {**metrics, **off}}
        text = yaml.safe_dump(said, sort_keys=False)
        read = read_metrics(text, "metrics.yaml", shipped())
        if not read.problems:
            return text, [*metrics]
        metrics = {name: entry for name, entry in metrics.items() if name not in read.broken}


@pytest.mark.parametrize("seed", range(16))
def test_any_metrics_of_any_log_equal_the_recount(seed: int) -> None:
    chance = random.Random(seed)
    text, names = accepted(chance)
    config = make_config(**SECTIONS[chance.choice([*SECTIONS])], pipelines=PIPELINES, defines=text)
    log = any_log(chance, 40)
    pipeline = Pipeline(config)
    for batch in batches(shuffled(log, seed), seed):
        pipeline.take(batch)

    check(names, pipeline.view(), recount(log, config, recounted(text)), config, chance)
    assert pipeline.restart() == 0


@pytest.mark.parametrize("seed", [0, 4, 10, 13])  # of three of them a level lasts longer than records are kept
def test_any_metrics_after_a_long_time_equal_the_recount(seed: int) -> None:
    chance = random.Random(seed)
    text, names = accepted(chance)
    config = make_config(**SECTIONS[chance.choice([*SECTIONS])], pipelines=PIPELINES, retention=KEPT, defines=text)
    log = complete(long_log(seed))
    pipeline = run(config, by_day(log, config, seed=seed), seed)

    check(names, pipeline.view(), recount(log, config, recounted(text)), config, chance)


def recounted(text: str) -> Definitions:
    return with_own(read_document(text, "metrics.yaml").value)


def check(names: list[str], view: View, books: Books, config: Config, chance: random.Random) -> None:
    """Some windows, and some segments of each."""
    for window in chance.sample(WINDOWS, 5):
        assert differences(books.rows(now=NOW, window=window), served(view, now=NOW, window=window)) == [], window
    bound = bound_under(config.defined, rules_of(config))
    for name in names:
        check_segments(bound.metrics[name], view, books, chance)


def check_segments(metric: Metric, view: View, books: Books, chance: random.Random) -> None:
    """Some of its segments, of somebody in some window."""
    name, window = metric.name, chance.choice(WINDOWS)
    persons = {by for by, held in DIMENSIONS.items() if held["of"].startswith("rep.")} | {ALWAYS}
    asked = sorted({*metric.segments, chance.choice(sorted(persons))})
    for by in asked if metric.entry.type != "funnel" else ():
        scope, whose = chance.choice(SCOPES)
        row = MetricRows(view, span_of(window, NOW, view.calendar), NOW, [name], by=by).row(scope)
        found = {one["by"][by]: one["metrics"][name] for one in row["segments"]}
        counted = segments(books, name, by, now=NOW, window=window, **whose)
        expected = {label: shown(value, metric.entry.unit, READING) for label, value in counted.items()}
        if by in persons:  # those who have something
            found, expected = (
                {label: one for label, one in of.items() if one and one != "0.00"} for of in (found, expected)
            )
        assert found == expected, (name, by, window, whose)

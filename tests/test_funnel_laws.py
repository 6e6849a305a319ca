"""Funnels over the whole pipeline: in any order and repeated, every step of every mode is what the recount reads."""

import random
from itertools import product
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from api.read.funnels import funnel_json, funnel_segments
from api.read.view import View
from deploy.verification.definitions import with_own
from deploy.verification.recount import recount
from schemas.catalogue.funnel import FunnelReader
from schemas.documents.text import read_document
from schemas.floor import ORGANISATION, Scope, rep_scope, team_scope
from schemas.instants import DAY, HOUR
from schemas.records import RecordChange
from schemas.windows import span_of
from tests.builders import change, make_config
from tests.pipeline import Pipeline
from tests.segments import funnel
from tests.strategies import NOW

MODES, ENTRIES, COHORTS = ("strict", "visited", "inferred"), ("first", "each"), ("entered", "created")
DEALS = {f"{mode}_{again}_{cohort}": (mode, again, cohort) for mode, again, cohort in product(MODES, ENTRIES, COHORTS)}
ENTRY = (
    "  {name}: {{unit: ratio, type: funnel, from: deal, path: stage, credit: rep, mode: {mode}, re_entry: {again},"
    " cohort: {cohort}, by: [product, source]}}\n"
)
LEADS = {f"leads_{mode}_{cohort}": (mode, cohort) for mode, cohort in product(MODES, COHORTS)}
LEAD_ENTRY = (
    "  {name}: {{unit: ratio, type: funnel, from: lead, credit: rep, mode: {mode}, cohort: {cohort},"
    " by: [source, response_band]}}\n"
)
METRICS = (
    "dimensions:\n  product: {of: deal.product, values: {Pro: [x]}, other: Other}\n"
    "  source: {of: lead.source, values: {Web: [web]}, other: Other}\nmetrics:\n"
    + "".join(ENTRY.format(name=name, mode=mode, again=again, cohort=cohort)
              for name, (mode, again, cohort) in DEALS.items())
    + "".join(LEAD_ENTRY.format(name=name, mode=mode, cohort=cohort) for name, (mode, cohort) in LEADS.items())
    + "  some: {unit: ratio, type: funnel, from: deal, path: stage, pipeline: other, steps: [b, Offer, won],"
    " mode: visited, credit: rep}\n"
)  # fmt: skip
CONFIG = make_config(
    timezone="Asia/Kuala_Lumpur",
    teams={"north": {}, "south": {}},
    reps={"r1": {"team": "north"}, "r2": {"team": "south", "aliases": {"feed": ["old-2"]}}, "r3": {}},
    pipelines={
        "sales": {"steps": ["a", "b", "Offer"], "won": ["closed"], "lost": ["gone"], "labels": {"c": "Offer"}},
        "other": {"steps": ["b", "a", "closed"], "won": ["closed"]},
    },
    defines=METRICS,
)
DEFINITIONS = with_own(read_document(METRICS, "metrics.yaml").value)
WINDOW = "30d"
AT = st.integers(0, 12).map(lambda place: NOW - 2 * DAY + place * HOUR)

Log = list[RecordChange]


@st.composite
def deal_changes(draw: Any, id: str) -> Log:
    found = []
    for _ in range(draw(st.integers(1, 7))):
        fields = draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "stage": st.sampled_from(["a", "b", "c", "x", "closed", "gone", None]),
                    "entered_stage_at": AT,
                    "status": st.sampled_from(["open", "won", "lost"]),
                    "rep": st.sampled_from(["r1", "r2", "old-2", "r3"]),
                    "pipeline": st.sampled_from(["sales", "other", None]),
                    "created_at": AT,
                    "closed_at": AT,
                    "lead": st.sampled_from(["l1", "l2"]),
                    "product": st.sampled_from(["x", "y"]),
                },
            )
        )
        if "entered_stage_at" in fields and "stage" not in fields:
            del fields["entered_stage_at"]
        found.append(change("deal", id, draw(AT), **fields))
    return found


@st.composite
def lead_changes(draw: Any, id: str) -> Log:
    found = [change("lead", id, draw(AT), rep=draw(st.sampled_from(["r1", "r2"])), received_at=draw(AT),
                    source=draw(st.sampled_from(["web", "fair"])))]  # fmt: skip
    status = st.sampled_from(["new", "qualified", "disqualified", "converted", "customer"])
    found += [change("lead", id, draw(AT), status=draw(status)) for _ in range(draw(st.integers(0, 2)))]
    if draw(st.booleans()):
        found.append(call(id, draw(AT), at=draw(AT)))
    return found


def call(lead: str, dialed_at: int, at: int) -> RecordChange:
    return change("call", f"c-{lead}", at, rep="r1", lead=lead, direction="outbound", dialed_at=dialed_at)


logs = st.tuples(
    deal_changes("d1"), deal_changes("d2"), deal_changes("d3"), lead_changes("l1"), lead_changes("l2")
).map(lambda parts: [one for part in parts for one in part])


def served(
    view: View, metric: str, scope: Scope, pipeline: str | None, by: tuple[str, str | None] | None, now: int = NOW
) -> Any:
    reader, span = view.funnel(metric), span_of(WINDOW, now, view.calendar)
    assert isinstance(reader, FunnelReader)
    if by is None:
        found: Any = funnel_json(view, reader, scope, span, now, pipeline)
    else:
        parts: Any = funnel_segments(view, metric, scope, span, now, pipeline, by[0])
        found = next((part for part in parts if part["by"] == {by[0]: by[1]}), {"steps": [], "worst": None})
    return [{name: value for name, value in step.items() if name != "label"} for step in found["steps"]]


def asked() -> list[tuple[str, str | None, tuple[str, str | None] | None]]:
    metrics: list[tuple[str, str | None, tuple[str, str | None] | None]] = []
    for name in DEALS:
        metrics += [(name, "sales", None), (name, "other", None), (name, None, ("source", "Web"))]
        metrics += [(name, "sales", ("product", "Other"))]
    metrics += [(name, None, by) for name in LEADS for by in (None, ("source", "Other"))]
    return [*metrics, ("stage_conversion", None, None), ("lead_funnel", None, None), ("some", None, None)]


SCOPES: list[tuple[Scope, dict[str, str]]] = [
    (ORGANISATION, {}),
    *((team_scope(team), {"team": team}) for team in ("north", "south")),
    *((rep_scope(rep), {"rep": rep}) for rep in ("r1", "r2", "r3")),
]


@settings(
    max_examples=10, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(log=logs, seed=st.integers(0, 2**16))
def test_each_step_of_each_mode_is_what_the_recount_reads(log: Log, seed: int) -> None:
    arriving = log + random.Random(seed).choices(log, k=5)
    random.Random(seed).shuffle(arriving)
    pipeline = Pipeline(CONFIG)
    for begin in range(0, len(arriving), 7):
        pipeline.take(arriving[begin : begin + 7])
    view, books = pipeline.view(), recount(log, CONFIG, DEFINITIONS)

    for metric, of, by in asked():
        for scope, whose in SCOPES:
            expected = funnel(books, metric, now=NOW, window=WINDOW, pipeline=of, by=by, **whose)["steps"]
            assert served(view, metric, scope, of, by) == expected, (metric, scope, of, by)
            if of is None and by is None:
                value = view.values(scope, span_of(WINDOW, NOW, view.calendar), NOW, [metric]).metrics[metric]
                exact = books.value(metric, now=NOW, window=WINDOW, **whose)
                assert value == (None if exact is None else float(exact))


AHEAD = st.integers(-12, 40).map(lambda hours: NOW - 30 * HOUR + hours * HOUR)


@st.composite
def leads_called_later(draw: Any) -> Log:
    """Leads of whom calls are noted that are still to come when they are told of; other partitions go on meanwhile."""
    found: Log = []
    for id in ("l1", "l2", "l3"):
        found += draw(lead_changes(id))
        found.append(call(id, draw(AHEAD), at=draw(AT)))
        found += draw(st.sampled_from([[], [change("deal", f"d-{id}", draw(AT), rep="r1", lead=id, status="won",
                                                   created_at=draw(AT), closed_at=draw(AHEAD))]]))  # fmt: skip
    return found


@settings(
    max_examples=8, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(log=leads_called_later(), seed=st.integers(0, 2**16), later=st.lists(st.integers(0, 60), min_size=1, max_size=3))
def test_a_first_touch_to_come_enters_its_step_by_the_readers_clock(log: Log, seed: int, later: list[int]) -> None:
    arriving = log[:]
    random.Random(seed).shuffle(arriving)
    pipeline = Pipeline(CONFIG)
    for begin in range(0, len(arriving), 3):
        pipeline.take(arriving[begin : begin + 3])
    view, books = pipeline.view(), recount(log, CONFIG, DEFINITIONS)

    for hours in sorted(later):
        now = pipeline.log_at + hours * HOUR
        for metric in (*LEADS, "lead_funnel"):
            bys = [None] if metric == "lead_funnel" else [
                None, ("source", "Other"), ("response_band", "15m"), ("response_band", "never")
            ]  # fmt: skip
            for scope, whose in SCOPES:
                for by in bys:
                    expected = funnel(books, metric, now=now, window=WINDOW, by=by, **whose)["steps"]
                    assert served(view, metric, scope, None, by, now) == expected, (metric, scope, by, hours)
                value = view.values(scope, span_of(WINDOW, now, view.calendar), now, [metric]).metrics[metric]
                exact = books.value(metric, now=now, window=WINDOW, **whose)
                assert value == (None if exact is None else float(exact))


def test_a_lead_is_answered_when_its_touch_comes_though_its_partition_is_silent() -> None:
    pipeline = Pipeline(CONFIG)
    pipeline.take([change("lead", "l1", NOW, rep="r1", received_at=NOW), call("l1", NOW + HOUR, at=NOW)])
    view = pipeline.view()

    def answered(now: int) -> tuple[int, int, int]:
        received, step, *_ = served(view, "lead_funnel", ORGANISATION, None, None, now)
        return received["running"], step["entered"], step["running"]

    assert answered(NOW + HOUR - 1) == (1, 0, 0)
    assert answered(NOW + HOUR) == (0, 1, 1)
    pipeline.pass_time(NOW + 2 * HOUR)
    view = pipeline.view()
    assert answered(NOW + 2 * HOUR) == (0, 1, 1)

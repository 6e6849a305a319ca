"""What a user may define, where it is hard: whatever comes first, or again, is served as the recount has it."""

import json
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.read.metric_rows import MetricRows
from api.read.view import ORGANISATION, View
from deploy.verification.definitions import Definitions, with_own
from schemas.catalogue.base import Reading, shown
from schemas.catalogue.facts import CLOCKS, STOPS
from schemas.catalogue.reading import shipped
from schemas.config import Config
from schemas.connectors.content import JSON as JSON_TYPE
from schemas.connectors.generic import Generic
from schemas.deliveries import Delivery
from schemas.documents.text import read_document
from schemas.floor import rep_scope, team_scope
from schemas.records import RecordChange
from schemas.windows import span_of
from tests.builders import make_config
from tests.hard_cases import CASES, NOON, Event, told
from tests.hard_metrics import SECTIONS, hard_metrics
from tests.oracle import differences, recount
from tests.pipeline import Pipeline, served
from tests.segments import segments as recounted_segments
from tests.strategies import NOW, logs
from tests.test_laws import SLOW, batches, shuffled

FEW = settings(SLOW, max_examples=12)
READING = Reading(now=NOW, money_digits=2)
ALL_KINDS = ("lead", "call", "email", "meeting", "deal", "rep", "subscription", "activity")
WINDOWS = ("1h", "24h", "today", "yesterday", "7d", "month")

HARD = hard_metrics("2026-03-17", "2026-03-18")

OF_CLOCKS = "\n".join(
    f"  m{place}_{number}: {{unit: {unit}, type: response, stat: {stat}, clock: {clock}, stop: {stop}{more}}}"
    for place, (clock, stop) in enumerate((clock, stop) for clock in CLOCKS for stop in STOPS)
    for number, (stat, unit, more) in enumerate(
        [
            ("within", "ratio", ", within: 30m" if place % 2 else ""),
            ("missed", "count", ", within: 1h"),
            [("due", "count", ""), ("p90", "seconds", ""), ("mean", "seconds", "")][place % 3],
            [
                ("p80", "seconds", ", within: 30m"),
                ("due", "count", ", within: 2h"),
                ("p10", "days", ", within: missed_after"),
            ][place % 3],
        ]
    )
)
OF_DAYS = """
  here: {unit: count, type: simple, from: rep.days, at: day, credit: rep, agg: distinct, of: rep}
  to_work: {unit: count, type: simple, from: rep.days, where: {scheduled: true}, at: day, credit: rep, agg: count}
  free: {unit: count, type: simple, from: rep.days, where: {scheduled: false, not: {rep: r3}}, at: day, credit: rep,
    agg: days}
  often_here: {unit: count, type: simple, from: rep.days, at: day, credit: rep, agg: distinct, of: rep, at_least: 3}
  worked:
    unit: count
    type: simple
    from: rep.days
    at: day
    credit: rep
    agg: count
    versions: [{where: {scheduled: true}}, {since: 2026-03-17}]
  days_of_all: {unit: count, type: simple, from: rep.days, where: {scheduled: true}, at: day, agg: count}
  people_of_all: {unit: count, type: simple, from: rep.days, at: day, agg: distinct, of: rep}
  days_of_nobody: {unit: count, type: simple, from: rep.days, at: day, agg: days}
  calls: {unit: count, type: simple, from: call, at: dialed_at, credit: rep, agg: count}
  calls_a_day: {unit: number, type: ratio, numerator: calls, denominator: to_work}
"""


@cache
def defined(name: str, own: str) -> tuple[Config, Definitions]:
    """A configuration that has these metrics and no shipped one, and the same for the recount."""
    head = "" if "metrics:" in own else "metrics:\n"
    text = head + own + "\n" + "".join(f"  {shipped}: false\n" for shipped in shipped().metrics)
    return make_config(**SECTIONS[name], defines=text), with_own(read_document(text, "metrics.yaml").value)


def piped(log: list[RecordChange], seed: int, config: Config) -> View:
    pipeline = Pipeline(config)
    for batch in batches(shuffled(log, seed), seed):
        pipeline.take(batch)
    return pipeline.view()


def check(name: str, own: str, log: list[RecordChange], seed: int, windows: tuple[str, ...] = WINDOWS) -> View:
    config, definitions = defined(name, own)
    view, books = piped(log, seed, config), recount(log, config, definitions)
    for window in windows:
        assert differences(books.rows(now=NOW, window=window), served(view, now=NOW, window=window)) == [], window
    return view


def segments(view: View, metric: str, by: str, window: str) -> dict[str | None, object]:
    row = MetricRows(view, span_of(window, NOW, view.calendar), NOW, [metric], by=by).row(ORGANISATION)
    return {one["by"][by]: one["metrics"][metric] for one in row["segments"]}


@pytest.mark.parametrize("name", SECTIONS)
@FEW
@given(log=logs(ALL_KINDS), seed=st.integers(0, 2**16))
def test_hard_metrics_of_a_user_equal_the_recount(name: str, log: list[RecordChange], seed: int) -> None:
    check(name, HARD, log, seed)


SEGMENTED = {
    "meetings_by_source": "source", "soon_won": "source", "reached_out": "way", "received": "source",
    "lost_of_web": "first_touch",
    "golden": "grade", "of_r2": "told", "busy_days": "tier",
    "talks": "team", "leads_touched": "team", "pipeline_now": "team",
}  # fmt: skip


@settings(FEW, max_examples=6)
@given(log=logs(ALL_KINDS, most=20), seed=st.integers(0, 2**16))
def test_segments_of_hard_metrics_equal_the_recount(log: list[RecordChange], seed: int) -> None:
    config, definitions = defined("kuala lumpur", HARD)
    view, books = piped(log, seed, config), recount(log, config, definitions)
    for metric, by in SEGMENTED.items():
        expected = recounted_segments(books, metric, by, now=NOW, window="7d")
        assert segments(view, metric, by, "7d") == {
            label: shown(value, view.catalogue[metric].unit, READING) for label, value in expected.items()
        }


@pytest.mark.parametrize("name", SECTIONS)
@FEW
@given(log=logs(("lead", "call", "email", "meeting", "rep")), seed=st.integers(0, 2**16))
def test_all_clocks_of_leads_equal_the_recount(name: str, log: list[RecordChange], seed: int) -> None:
    check(name, OF_CLOCKS, log, seed)


OF_OWNERS = "\n".join(
    f"  {stat}_{within}: {{unit: {unit}, type: response, stat: {stat}, clock: holder, stop: attempt, within: {within}}}"
    for within in ("sla", "20m", "21m", "40m")
    for stat, unit in (("due", "count"), ("missed", "count"), ("within", "ratio"), ("p50", "seconds"))
)
OF_OWNERS += (
    "\n  lost: {unit: number, type: response, stat: missed, clock: holder, stop: attempt, within: 20m, value: value}"
)


def test_an_owner_has_had_a_lead_long_enough_by_the_time_of_the_metric() -> None:
    said = [
        told("lead", "l1", "2026-03-18T08:00:00Z", rep="r1", value="7", received_at="2026-03-18T08:00:00Z"),
        told("lead", "l1", "2026-03-18T08:20:00Z", rep="r2"),
        told("call", "c1", NOON, rep="r2", lead="l1", direction="outbound", dialed_at="2026-03-18T08:50:00Z"),
    ]
    view = check("kuala lumpur", OF_OWNERS, said_in(said), 1)

    shown = view.values(rep_scope("r1"), span_of("today", NOW, view.calendar), NOW).metrics
    assert {name: shown[name] for name in ("due_sla", "due_20m", "due_21m", "due_40m")} == {
        "due_sla": 0, "due_20m": 1, "due_21m": 0, "due_40m": 0,
    }  # fmt: skip
    assert (shown["missed_20m"], shown["within_20m"], shown["within_21m"], shown["lost"]) == (1, 0, None, 7)


@pytest.mark.parametrize("name", SECTIONS)
@FEW
@given(log=logs(("rep", "absence", "call")), seed=st.integers(0, 2**16))
def test_people_and_days_equal_the_recount(name: str, log: list[RecordChange], seed: int) -> None:
    view = check(name, OF_DAYS, log, seed)
    config, definitions = defined(name, OF_DAYS)
    books = recount(log, config, definitions)
    assert segments(view, "here", "team", "7d") == recounted_segments(books, "here", "team", now=NOW, window="7d")


@pytest.mark.parametrize("case", CASES)
def test_each_hard_case_is_what_it_is_by_hand_shuffled_and_repeated(case: str) -> None:
    name, events, expected = CASES[case]
    log = said_in(events)
    for seed in range(6):
        view = check(name, HARD, [*log, *log], seed, ("today", "yesterday", "7d", "month"))
        for metric, whose, window, value in expected:
            assert read_of(view, metric, whose, window) == value, (metric, whose, window, seed)


def said_in(events: list[Event]) -> list[RecordChange]:
    delivery = Delivery("feed", NOW, {"content-type": JSON_TYPE}, json.dumps(events).encode())
    log = Generic(keys=()).parse_carefully(delivery)
    assert not log.problems
    assert not log.unknown
    return [*log.changes]


def read_of(view: View, metric: str, whose: str, window: str) -> object:
    """A value; of `metric label` that of one segment."""
    metric, _, label = metric.partition(" ")
    kind, _, id = whose.partition(" ")
    scope = ORGANISATION if not id else rep_scope(id) if kind == "rep" else team_scope(id)
    by = SEGMENTED[metric] if label else None
    row = MetricRows(view, span_of(window, NOW, view.calendar), NOW, [metric], by=by).row(scope)
    if by is None:
        return row["metrics"][metric]
    return next(one["metrics"][metric] for one in row["segments"] if one["by"][by] == label)

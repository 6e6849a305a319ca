"""What a user may define, where it is hard: whatever comes first, or again, is served as the recount has it."""

from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.read.metric_rows import MetricRows
from api.read.view import ORGANISATION, View
from deploy.verification.definitions import Definitions, with_own
from schemas.catalogue import shipped_catalogue
from schemas.catalogue.base import Reading, shown
from schemas.catalogue.facts import CLOCKS, STOPS
from schemas.config import Config
from schemas.documents.text import read_document
from schemas.records import RecordChange
from schemas.windows import span_of
from tests.builders import make_config
from tests.oracle import differences, recount
from tests.pipeline import Pipeline, served
from tests.strategies import NOW, logs
from tests.test_laws import SLOW, batches, shuffled

# Clocks went forward in America on 8 March.
SECTIONS: dict[str, dict[str, Any]] = {
    "kuala lumpur": {
        "timezone": "Asia/Kuala_Lumpur",
        "teams": {"north": {"name": "North"}, "south": {}},
        "reps": {"r1": {"name": "Ana", "team": "north", "since": "2026-03-01"}, "r2": {"aliases": {"feed": ["old-2"]}}},
        "currency_rates": {"EUR": [{"rate": "1.083"}, {"since": "2026-03-17", "rate": "1.1"}]},
        "lead_response": {"rules": [{"when": {"team": "south"}, "sla": "5m"}, {"sla": "1h"}]},
    },
    "new york": {
        "timezone": "America/New_York",
        "calendar": "office",
        "calendars": {
            "office": {"timezone": "America/New_York", "hours": {"mon-fri": ["09:00-17:00"], "sun": ["01:30-03:30"]}},
            "nights": {"timezone": "Australia/Lord_Howe", "hours": {"sun-thu": ["00:10-02:20", "20:00-24:00"]}},
        },
        "teams": {"south": {"calendar": "nights"}, "north": {}},
        "lead_response": {
            "start": "assigned", "stop": "contact", "credit": "owner", "responder": "team",
            "before_start": "exclude", "rules": [{"sla": "2h", "clock": "business"}],
        },
    },
}  # fmt: skip
FEW = settings(SLOW, max_examples=12)
READING = Reading(now=NOW, money_digits=2)
ALL_KINDS = ("lead", "call", "email", "meeting", "deal", "rep", "subscription", "activity")
WINDOWS = ("1h", "24h", "today", "yesterday", "7d", "month")

HARD = """
dimensions:
  source: {of: lead.source, values: {Web: [web]}, other: Other}
  first_touch: {of: lead.response, bands: [5m, 1h]}
  way: {of: call.direction}
cold_sources: [web]
quiet_after: 1d
metrics:
  # A level over a rep's move; one that falls when its lead ends.
  pipeline_now: {unit: money, type: level, from: deal, start: created_at, end: ended_at, credit: rep, agg: sum,
    value: amount}
  in_hand: {unit: count, type: level, from: lead, start: received_at, end: ended_at, credit: rep, agg: distinct,
    of: [customer, source]}
  # Different leads over a merge of them.
  leads_touched: {unit: count, type: simple, from: lead.touches, at: at, credit: rep, agg: distinct, of: lead}
  leads_called_twice: {unit: count, type: simple, from: call, at: dialed_at, credit: rep, agg: distinct, of: lead,
    at_least: 2, keep: 80d}
  # A version that begins on a day of moves.
  talks:
    unit: count
    type: simple
    from: call
    at: dialed_at
    credit: rep
    agg: count
    versions:
      - {note: all calls}
      - {since: 2026-03-17, where: {connected: true}}
      - {since: 2026-03-18, where: {direction: inbound}}
  # What is made of versions, has them too.
  talks_of_r1: {unit: ratio, type: ratio, numerator: {metric: talks, where: {rep: r1}}, denominator: talks}
  soon_lost: {unit: ratio, type: conversion, base: deals_since, to: {status: lost}, at_to: closed_at, within: 1h,
    open: due, failed: {status: won}}
  deals_since: {unit: count, type: simple, from: deal, at: created_at, agg: count,
    versions: [{credit: rep}, {since: 2026-03-18, credit: creator, where: {amount: {at_least: 20, below: 200}}}]}
  # Numbers that are exactly so.
  first_touches: {unit: count, type: simple, from: lead.touches, where: {number: [1, 3]}, at: at, credit: rep,
    agg: count}
  hundreds: {unit: count, type: simple, from: deal, where: {any: [{amount: 100.00}, {not: {amount: [50, "0.1"]}}]},
    at: created_at, agg: count}
  # One of two kinds says the label.
  reached_out: {unit: count, type: simple, from: [call, email], at: [dialed_at, sent_at], credit: rep, agg: count,
    by: [way]}
  # Told apart by what the lead says, which may come last.
  meetings_by_source: {unit: count, type: simple, from: meeting, at: [starts_at, booked_at], credit: people, agg: count,
    by: [source]}
  received: {unit: count, type: simple, from: lead, at: received_at, credit: rep, agg: count, by: [source]}
  # Terms that end at midnight in Kuala Lumpur.
  soon_qualified: {unit: ratio, type: conversion, base: received, to: {qualified_at: {is_set: true}},
    at_to: qualified_at, within: 30m, open: due}
  soon_won: {unit: ratio, type: conversion, to: {status: won}, at_to: closed_at, within: 30m, open: due, by: [source],
    base: deals_of_all}
  deals_of_all: {unit: count, type: simple, from: deal, at: created_at, credit: [creator, rep], agg: count,
    by: [source]}
  # Deals that come to name another lead.
  lost_of_web: {unit: count, type: simple, from: lead.deals, where: {status: lost, lead.source: web, followed: false},
    at: closed_at, credit: rep, agg: count, by: [first_touch]}
  sold_in: {unit: days, type: duration, from: lead.deals, start: lead.received_at, end: closed_at, stat: mean,
    credit: rep}
  # Working hours across a change of the clock.
  worked_on: {unit: seconds, type: duration, from: deal, start: created_at, end: closed_at, clock: business, stat: sum,
    credit: rep}
  # Some of each of the rest.
  customers_kept: {unit: ratio, type: level, from: subscription, start: starts_at, end: ends_at, credit: rep,
    agg: distinct, of: customer, stat: kept}
  busy_days: {unit: count, type: simple, from: [call, email, meeting], at: [logged_at, happened_at],
    credit: [logged_by, rep], agg: days}
  margin: {unit: money, type: ratio, numerator: profit, denominator: {metric: deals_of_all, where: {valued: true}}}
  profit: {unit: money, type: simple, from: deal, where: {any: [{status: won}, {amount: {at_least: 50}}]},
    at: created_at, credit: rep, agg: sum, value: amount - cost}
  value_late: {unit: money, type: response, stat: missed, within: 30m, value: value}
  answered_each: {unit: ratio, type: ratio, numerator: reached, denominator: written}
  reached: {unit: count, type: simple, from: thread.writers, where: {replied: true}, at: at, credit: rep, agg: count}
  written: {unit: count, type: simple, from: thread.writers, at: at, credit: rep, agg: count}
"""
"""The hard ones of a user: among them twelve kinds of what comes late, moves, merges or ends with a day."""

OF_CLOCKS = "\n".join(
    f"  {stat}_{clock}_{stop}: {{unit: {unit}, type: response, stat: {stat}, clock: {clock}, stop: {stop}{more}}}"
    for place, (clock, stop) in enumerate((clock, stop) for clock in CLOCKS for stop in STOPS)
    for stat, unit, more in (
        ("within", "ratio", ", within: 30m" if place % 2 else ""),
        ("missed", "count", ", within: 1h"),
        (("due", "count", ""), ("p90", "seconds", ""), ("mean", "seconds", ""))[place % 3],
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
  calls: {unit: count, type: simple, from: call, at: dialed_at, credit: rep, agg: count}
  calls_a_day: {unit: number, type: ratio, numerator: calls, denominator: to_work}
"""


@cache
def defined(name: str, own: str) -> tuple[Config, Definitions]:
    """A configuration that has these metrics and no shipped one, and the same for the recount."""
    head = "" if "metrics:" in own else "metrics:\n"
    text = head + own + "\n" + "".join(f"  {shipped}: false\n" for shipped in shipped_catalogue())
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
    "talks": "team", "leads_touched": "team", "pipeline_now": "team",
}  # fmt: skip


@settings(FEW, max_examples=6)
@given(log=logs(ALL_KINDS, most=20), seed=st.integers(0, 2**16))
def test_segments_of_hard_metrics_equal_the_recount(log: list[RecordChange], seed: int) -> None:
    config, definitions = defined("kuala lumpur", HARD)
    view, books = piped(log, seed, config), recount(log, config, definitions)
    for metric, by in SEGMENTED.items():
        expected = books.segments(metric, by, now=NOW, window="7d")
        assert segments(view, metric, by, "7d") == {
            label: shown(value, view.catalogue[metric].unit, READING) for label, value in expected.items()
        }


@pytest.mark.parametrize("name", SECTIONS)
@FEW
@given(log=logs(("lead", "call", "email", "meeting", "rep")), seed=st.integers(0, 2**16))
def test_all_clocks_of_leads_equal_the_recount(name: str, log: list[RecordChange], seed: int) -> None:
    check(name, OF_CLOCKS, log, seed)


@pytest.mark.parametrize("name", SECTIONS)
@FEW
@given(log=logs(("rep", "absence", "call")), seed=st.integers(0, 2**16))
def test_people_and_days_equal_the_recount(name: str, log: list[RecordChange], seed: int) -> None:
    view = check(name, OF_DAYS, log, seed)
    config, definitions = defined(name, OF_DAYS)
    books = recount(log, config, definitions)
    assert segments(view, "here", "team", "7d") == books.segments("here", "team", now=NOW, window="7d")

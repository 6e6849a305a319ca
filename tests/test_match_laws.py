"""Calls that a dialler and a CRM both tell of: whatever comes first, again, edited or undone, each is counted once."""

import random
from functools import cache
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from deploy.verification.definitions import Definitions, with_own
from schemas.catalogue.base import Reading, shown
from schemas.config import Config
from schemas.documents.text import read_document
from schemas.instants import MINUTE, SECOND
from schemas.numbers import hide
from schemas.records import RecordChange, make_change
from schemas.windows import WINDOWS
from tests.builders import make_config
from tests.oracle import differences, recount
from tests.pipeline import Pipeline, served
from tests.segments import segments as recounted_segments
from tests.strategies import NOW
from tests.test_hard_metrics import segments
from tests.test_laws import SLOW, batches, served_clock, shuffled

OWN = """
dimensions:
  source: {of: lead.source, values: {Web: [web]}, other: Other}
cold_sources: [web]
metrics:
  dialled: {unit: count, type: simple, from: call, at: dialed_at, credit: rep, agg: count, by: [source]}
  dial_days: {unit: count, type: simple, from: call, at: dialed_at, credit: rep, agg: days}
  talked_to: {unit: count, type: simple, from: call, where: {connected: true}, at: dialed_at, credit: rep,
    agg: distinct, of: lead}
  median_talk: {unit: seconds, type: duration, from: call, start: answered_at, end: ended_at, stat: p50, credit: rep}
"""
SECTIONS: dict[str, Any] = {
    "timezone": "Asia/Kuala_Lumpur",
    "connections": {
        "crm": {
            "kind": "generic",
            "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
            "match": {"calls": {"with": "air", "within": "90s"}},
        },
        "air": {"kind": "generic", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx"], "namespace": "air"},
    },
    "reps": {"r1": {"aliases": {"air": ["7"]}}},
}
KEY = b"key"


@cache
def defined() -> tuple[Config, Definitions]:
    return make_config(**SECTIONS, defines=OWN), with_own(read_document(OWN, "metrics.yaml").value)


def log_of(seed: int) -> list[RecordChange]:
    """What both may have said of a few calls within minutes, and of their leads: drawn from a seed alone, as it takes
    many changes that are alike until two calls match.
    """
    chance = random.Random(seed)
    return [_call(chance) if chance.random() < 0.75 else _lead(chance) for _ in range(chance.choice([6, 20, 40]))]


def _call(chance: random.Random) -> RecordChange:
    teller = chance.choice(["crm", "air"])
    fields = {
        "rep": chance.choice(["r1", "r1", "r1", "air:7", "r2"]),
        "lead": chance.choice(["l1", "l2", "l3", None]),
        "direction": chance.choice(["outbound"] * 5 + ["inbound"]),
        "dialed_at": NOW - 20 * MINUTE + 45 * SECOND * chance.randrange(5),
        "answered_at": chance.choice([NOW - 10 * MINUTE, None]),
        "ended_at": NOW - 8 * MINUTE,
        "outcome": chance.choice(["connected", "no_answer", "failed"]),
        "number": hide(chance.choice(["4930111"] * 4 + ["4930222"]), teller, KEY),
        "automated": chance.random() < 0.1,
    }
    if chance.random() < 0.4:
        fields = {name: fields[name] for name in chance.sample(sorted(fields), chance.randint(1, 3))}
        fields |= {name: None for name in fields if chance.random() < 0.1}
    if chance.random() < 0.15:
        fields["deleted"] = chance.random() < 0.6
    return _made(chance, "call", f"{teller}{chance.randint(1, 3)}", fields)


def _lead(chance: random.Random) -> RecordChange:
    fields = {
        "rep": chance.choice(["r1", "r2"]),
        "source": chance.choice(["web", "demo_request"]),
        "received_at": NOW - 25 * MINUTE,
        "merged_into": chance.choice([None, None, None, "l1", "l2"]),
    }
    if chance.random() < 0.1:
        fields["deleted"] = chance.random() < 0.5
    return _made(chance, "lead", chance.choice(["l1", "l2", "l3"]), fields)


def _made(chance: random.Random, kind: str, name: str, fields: dict[str, Any]) -> RecordChange:
    at = NOW - MINUTE + chance.randrange(20)
    return make_change(kind=kind, id=name, changed_at=at, fields=fields, received_at=NOW)


def piped(log: list[RecordChange], seed: int, config: Config) -> Pipeline:
    pipeline = Pipeline(config)
    for batch in batches(shuffled(log, seed), seed):
        pipeline.take(batch)
    return pipeline


@SLOW
@given(seed=st.integers(0, 2**32))
def test_every_number_equals_the_recount(seed: int) -> None:
    log = log_of(seed)
    config, definitions = defined()
    pipeline = piped(log, seed, config)

    view, books = pipeline.view(), recount(log, config, definitions)

    for window in WINDOWS:
        assert differences(books.rows(now=NOW, window=window), served(view, now=NOW, window=window)) == []
    expected = recounted_segments(books, "dialled", "source", now=NOW, window="7d")
    assert segments(view, "dialled", "source", "7d") == {
        label: shown(value, "count", Reading(now=NOW, money_digits=2)) for label, value in expected.items()
    }
    assert pipeline.repeated("crm") == len(books.repeated)
    calendars = config.business_calendars()
    assert {
        lead: served_clock(clock, config, calendars)
        for lead, clock in view.clocks.items()
        if clock.started_at is not None
    } == books.lead_clocks(NOW)


@SLOW
@given(seed=st.integers(0, 2**32))
def test_any_order_and_repetition_gives_the_same_bytes_and_so_does_a_restart(seed: int) -> None:
    log = log_of(seed)
    config, _ = defined()
    one, other = Pipeline(config), piped(log, seed, config)
    one.take(log)
    for pipeline in (one, other):
        pipeline.take(log)
        pipeline.pass_time(pipeline.log_at)

    assert one.state() == other.state()
    assert other.restart() == 0
    assert one.state() == other.state()

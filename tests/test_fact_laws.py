"""All facts, counted by a plan: any order, repetition and batching gives the same panes, and so does a restart.

Each fact is counted once plainly, and once by a field that is made of several records.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.core.plan import Evaluator
from schemas.catalogue.conditions import Condition, First, Flag, Is
from schemas.catalogue.facts import CLOSED, FACTS
from schemas.catalogue.plan import Form, Measure, Part, plan_of
from schemas.config import load_config
from schemas.instants import HOUR
from schemas.panes import decode_pane
from schemas.records import RecordChange
from schemas.topics import PANES
from tests.builders import change
from tests.pipeline import Pipeline, served
from tests.strategies import NOW, logs
from tests.test_laws import CONFIGS, SLOW, batches, shuffled

KINDS = ("lead", "call", "email", "meeting", "deal", "subscription", "credit", "activity")


def part(fact: str, at: str, when: Condition = True, credit: str = "rep") -> Part:
    return Part(fact, when, First((at,)), (credit,), Form.COUNT)


PARTS = {
    "touches": part("lead.touches", "at"),
    "cold": part("lead.touches", "at", Flag("cold")),
    "emails": part("lead.touches", "at", Is("kind", "email")),
    "qualified": part("lead", "qualified_at"),
    "ended": part("lead", "ended_at"),
    "won leads": part("lead", "won_at"),
    "customers": part("lead", "customer_at"),
    "booked": part("lead", "meeting_booked_at"),
    "called cold": part("lead", "first_cold_at"),
    "first deals": part("lead", "deal_at"),
    "lost": part("lead.deals", "closed_at", Is("status", "lost")),
    "followed": part("lead.deals", "closed_at", Flag("followed")),
    "closed after": part("lead.deals", "lead.qualified_at", CLOSED),
    "closed": part("deal", "closed_at"),
    "ends of deals": part("deal", "ended_at", credit="creator"),
    "entered": part("deal.stays", "entered_at"),
    "left": part("deal.stays", "left_at", Is("stage", "s1")),
    "writers": part("thread.writers", "at"),
    "replied": part("thread.writers", "at", Flag("replied")),
    "ends": part("customer.ends", "ends_at"),
    "renewed": part("customer.ends", "ends_at", Flag("renewed")),
    "calls of qualified": part("lead/call", "dialed_at", Is("lead.status", "qualified")),
    "answered": part("lead.clock/assigned/contact", "answered_at"),
    "in time": part("lead.clock/holder/attempt", "started_at", Flag("within_sla")),
    "due": part("lead.clock/reassigned/qualified", "due_at"),
    "given back": part("credit", "at"),
    "running": part("subscription", "starts_at"),
}
PLAN = plan_of(Measure((each,)) for each in PARTS.values())


def counting(name: str) -> Pipeline:
    pipeline = Pipeline(CONFIGS[name])
    held = pipeline._definitions
    pipeline._definitions = replace(held, counting=Evaluator(PLAN, held.aliases), cold_sources=frozenset({"web"}))
    pipeline._start()
    return pipeline


def counted(*changes: RecordChange) -> dict[str, int]:
    """What is counted of these in all days together, by the names above."""
    pipeline = counting("kuala lumpur")
    pipeline.take(changes)
    names = {Measure((each,)).name: name for name, each in PARTS.items()}
    found = dict.fromkeys(PARTS, 0)
    for (_, key), value in pipeline.topics[PANES.name].items():
        if b"|d" in key:
            for cell, amount in decode_pane(value).items():
                found[names[cell]] += amount
    return {name: number for name, number in found.items() if number}


def test_each_of_them_is_counted_by_exactly_one_stage() -> None:
    assert counted(
        change("lead", "l1", NOW, rep="r1", received_at=NOW, source="web", status="qualified"),
        change("call", "c1", NOW, rep="r1", lead="l1", direction="outbound", dialed_at=NOW, outcome="no_answer"),
        change("meeting", "m1", NOW, rep="r1", lead="l1", booked_at=NOW, outcome="scheduled"),
        change("deal", "d1", NOW, rep="r1", creator="r2", lead="l1", status="lost", created_at=NOW, stage="s1"),
        change("email", "e1", NOW, rep="r1", direction="outbound", sent_at=NOW, thread="t1"),
        change("email", "e2", NOW, direction="inbound", sent_at=NOW + 1, thread="t1"),
        change("subscription", "s1", NOW, rep="r1", customer="c1", starts_at=NOW - 9, ends_at=NOW),
        change("subscription", "s2", NOW, rep="r1", customer="c1", starts_at=NOW),
        change("subscription", "s3", NOW, rep="r1", starts_at=NOW - 9, ends_at=NOW),
        change("credit", "g1", NOW, rep="r1", customer="c1", at=NOW, amount=5),
    ) == {
        "touches": 1, "cold": 1, "qualified": 1, "booked": 1, "called cold": 1, "first deals": 1, "lost": 1,
        "followed": 1, "closed after": 1, "closed": 1, "ends of deals": 1, "entered": 1, "writers": 1, "replied": 1,
        "in time": 1, "due": 1, "ends": 2, "renewed": 1, "calls of qualified": 1, "given back": 1, "running": 3,
    }  # fmt: skip


def test_a_deal_that_names_another_lead_leaves_the_first() -> None:
    lead: dict[str, Any] = {"rep": "r1", "received_at": NOW, "status": "qualified"}

    found = counted(
        change("lead", "l1", NOW, **lead),
        change("lead", "l2", NOW, **lead | {"status": "new"}),
        change("deal", "d1", NOW, lead="l1", status="won", closed_at=NOW),
        change("deal", "d1", NOW + 1, lead="l2"),
    )

    assert (found.get("won leads"), found.get("closed after")) == (1, None)


@pytest.mark.parametrize("name", ["kuala lumpur", "owner"])
@SLOW
@given(log=logs(KINDS, most=50), seed=st.integers(0, 2**16))
def test_any_order_and_repetition_gives_the_same_bytes(name: str, log: list[RecordChange], seed: int) -> None:
    one, other = counting(name), counting(name)
    one.take(log)
    for batch in batches(shuffled(log, seed), seed):
        other.take(batch)
    for pipeline in (one, other):
        pipeline.take(log)
        pipeline.pass_time(pipeline.log_at)

    assert one.state() == other.state()
    assert other.restart() == 0
    assert one.state() == other.state()


def test_every_fact_is_among_them_that_is_made_of_records() -> None:
    assert {each.fact for each in PARTS.values()} >= {name for name in FACTS if "/" not in name} - {
        "call", "email", "meeting", "activity", "thread.answers", "rep.days",
    }  # fmt: skip


METRICS = """\
cold_sources: [web]
quiet_after: 1h
metrics:
"""
ENTRY = """\
  {name}:
    {{label: A, description: A., unit: count, type: simple, {rest}, credit: rep, agg: count}}
"""
OWN = {
    "touches": "from: lead.touches, at: at",
    "follow_ups": 'from: lead.touches, where: {number: {at_least: "2"}}, at: at',
    "cold_calls": "from: lead.touches, where: {cold: true}, at: at",
    "leads_called_cold": "from: lead, at: first_cold_at",
    "leads_qualified": "from: lead, where: {ended_at: {is_set: false}}, at: qualified_at",
    "deals_lost_unfollowed": "from: lead.deals, where: {status: lost, followed: false}, at: closed_at",
    "lost_web": "from: lead.deals, where: {lead.source: web}, at: closed_at",
    "stays": "from: deal.stays, where: {stage: s1, left_at: {is_set: true}}, at: left_at",
    "writers": "from: thread.writers, where: {replied: true}, at: at",
    "renewals": "from: customer.ends, where: {renewed: true}, at: ends_at",
    "credits_given": "from: credit, at: at",
    "crm": "from: [call, email], where: {happened_at: {is_set: true}}, at: [logged_at, happened_at]",
}


def test_a_user_counts_all_of_them(tmp_path: Path) -> None:
    entries = (ENTRY.format(name=name, rest=rest) for name, rest in OWN.items())
    (tmp_path / "metrics.yaml").write_text(METRICS + "".join(entries), encoding="utf-8")
    (tmp_path / "floorcast.yaml").write_text(
        "organisation: {name: Acme, timezone: UTC, currency: USD}\n"
        "connections: {feed: {kind: generic, secrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw]}}\n",
        encoding="utf-8",
    )
    pipeline = Pipeline(load_config(tmp_path / "floorcast.yaml", {}))
    pipeline.take(
        [
            change("lead", "l1", NOW, rep="r1", received_at=NOW, source="web", status="qualified"),
            change("call", "c1", NOW, rep="r1", lead="l1", direction="outbound", dialed_at=NOW - HOUR - 1),
            change("email", "e1", NOW, rep="r1", lead="l1", direction="outbound", sent_at=NOW - HOUR - 1, thread="t1"),
            change("email", "e2", NOW, direction="inbound", sent_at=NOW - 9, thread="t1", logged_at=NOW - 3),
            change("deal", "d1", NOW - 9, rep="r1", lead="l1", status="open", stage="s1"),
            change("deal", "d1", NOW, status="lost", stage="s2"),
            change("subscription", "s1", NOW, rep="r1", customer="c1", starts_at=NOW - 9, ends_at=NOW),
            change("subscription", "s2", NOW, rep="r1", customer="c1", starts_at=NOW),
            change("credit", "g1", NOW, rep="r1", at=NOW, amount=5),
        ]
    )

    row = served(pipeline.view(), now=NOW, window="7d")["organisation"]["metrics"]

    assert {name: row[name] for name in OWN} == {
        "touches": 2, "follow_ups": 1, "cold_calls": 1, "leads_called_cold": 1, "leads_qualified": 1,
        "deals_lost_unfollowed": 1, "lost_web": 1, "stays": 1, "writers": 1, "renewals": 1, "credits_given": 1,
        "crm": 3,
    }  # fmt: skip

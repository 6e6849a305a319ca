"""Retention keeps the laws: over a long time any order, repetition and batching gives the same, and what it should be.

Records, panes and clocks are compared with the recount, which reads retention in its own way
(deploy/verification/forgetting.py).
"""

import random
from collections.abc import Mapping

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from deploy.verification.definitions import with_own
from processor.core.definitions import definitions_of
from processor.core.retention import RetentionCutoff
from schemas.config import Config
from schemas.documents.text import read_document
from schemas.instants import DAY, HOUR
from schemas.late import REFUSED
from schemas.records import FIELDS, RecordChange, Value, make_change
from schemas.windows import WINDOWS
from tests.builders import make_config
from tests.oracle import differences, recount
from tests.pipeline import Pipeline, served
from tests.strategies import NOW, long_log
from tests.test_laws import EACH, SLOW, batches, served_clock

KEPT = {"minutes": "25h", "records": "30d"}
CONFIGS = {
    "kuala lumpur": make_config(timezone="Asia/Kuala_Lumpur", retention=KEPT),
    "owner": make_config(
        timezone="America/New_York",
        retention=KEPT,
        lead_response={"start": "reassigned", "responder": "owner", "credit": "owner"},
    ),
    "colleagues": make_config(
        timezone="Asia/Kolkata", retention=KEPT, lead_response={"responder": "team", "stop": "contact"}
    ),
}
FEW = settings(SLOW, max_examples=25)
SEEDS = st.integers(0, 2**32)
TOUCHES = frozenset({"call", "email", "meeting"})


def complete(log: list[RecordChange]) -> list[RecordChange]:
    """The same, but what is said of a touch after a month of silence is said in full.

    Of a part of it nobody knows what it belongs to any more: that is the limit of retention, not to be compared.
    """
    said_at: dict[tuple[str, str], int] = {}
    found = []
    for said in log:
        change, key = said, (said.kind, said.id)
        before = said_at.get(key)
        if change.kind in TOUCHES and before is not None and change.received_at - before > 29 * DAY:
            fields = dict.fromkeys(FIELDS[change.kind]) | {"deleted": False} | change.fields
            change = make_change(
                kind=change.kind, id=change.id, changed_at=change.changed_at, fields=fields,
                received_at=change.received_at,
            )  # fmt: skip
        said_at[key] = max(change.changed_at, before or 0)
        found.append(change)
    return found


def by_day(log: list[RecordChange], config: Config, *, seed: int | None = None) -> list[list[RecordChange]]:
    """What is delivered between two moves of the cutoff; with a seed in another order, and some of it twice.

    Over midnight nothing changes places: partitions are never so far apart as to tell.
    """
    cutoff = RetentionCutoff(definitions_of(config).calendar, config.retention.records)
    days: dict[int, list[RecordChange]] = {}
    for change in log:
        days.setdefault(cutoff.of(change.received_at), []).append(change)
    if seed is None:
        return list(days.values())
    chance = random.Random(seed)
    again = [day + chance.choices(day, k=len(day) // 2) for day in days.values()]
    for day in again:
        chance.shuffle(day)
    return again


def refused(pipeline: Pipeline) -> set[tuple[str, str, int, int]]:
    """What was not taken in at all."""
    late = (late.change for late in pipeline.late if late.reason == REFUSED)
    return {(change.kind, change.id, *change.version) for change in late}


def run(config: Config, days: list[list[RecordChange]], seed: int) -> Pipeline:
    """All of it taken in, in batches of any size."""
    pipeline = Pipeline(config)
    for day in days:
        for batch in batches(day, seed):
            pipeline.take(batch)
    # All partitions hear of the last day.
    pipeline.pass_time(pipeline.log_at)
    return pipeline


@pytest.mark.parametrize("name", CONFIGS)
@EACH
@given(log=SEEDS.map(long_log).map(complete), seed=st.integers(0, 2**16))
@example(log=complete(long_log(34)), seed=3)  # a mail names a thread by two changes that are heard at once
def test_every_number_and_clock_equals_the_recount_after_a_long_time(
    name: str, log: list[RecordChange], seed: int
) -> None:
    config = CONFIGS[name]

    view, books = run(config, by_day(log, config, seed=seed), seed).view(), recount(log, config)

    for window in WINDOWS:
        assert differences(books.rows(now=NOW, window=window), served(view, now=NOW, window=window)) == []
    calendars = config.business_calendars()
    clocks = {
        lead: served_clock(clock, config, calendars)
        for lead, clock in view.clocks.items()
        if clock.started_at is not None
    }
    assert clocks == books.lead_clocks(NOW)


@FEW
@given(log=SEEDS.map(long_log), seed=st.integers(0, 2**16))
@example(log=long_log(44), seed=0)  # a mail is said to have left long ago; before or after a call of the same day
@example(log=long_log(47), seed=7)  # all that a group holds leaves it on the day on which a call comes
@example(log=long_log(549), seed=30)  # what was newest in a group leaves it
@example(log=long_log(706), seed=1)  # a forgotten call speaks again, of before what its lead remembers
@example(log=long_log(751), seed=1)  # a deal is too old by its correction, which was said long ago
@example(log=long_log(824), seed=1)  # a forgotten mail leaves its thread and comes back within a day
def test_any_order_within_a_day_and_any_batches_give_the_same_bytes(log: list[RecordChange], seed: int) -> None:
    config = CONFIGS["kuala lumpur"]

    one = run(config, by_day(log, config), seed)
    other = run(config, by_day(log, config, seed=seed), seed + 1)

    assert one.state() == other.state()
    assert refused(one) == refused(other)


@FEW
@given(log=SEEDS.map(long_log), seed=st.integers(0, 2**16))
@example(log=long_log(8), seed=28)  # a merge is undone by a word of long ago, then the worker ends
def test_restarts_on_the_way_repair_nothing_and_change_nothing(log: list[RecordChange], seed: int) -> None:
    config, chance = CONFIGS["kuala lumpur"], random.Random(seed)
    undisturbed, restarted = run(config, by_day(log, config), seed), Pipeline(config)
    for day in by_day(log, config):
        for batch in batches(day, seed):
            restarted.take(batch)
            if chance.random() < 0.3:
                restarted.pass_time(restarted.log_at)
                assert restarted.restart() == 0
    restarted.pass_time(restarted.log_at)

    assert restarted.state() == undisturbed.state()


LASTING = """
metrics:
  lost: {unit: count, type: level, from: customer.ends, start: ends_at, credit: rep, agg: count}
  renewed: {unit: count, type: level, from: customer.ends, where: {renewed: true}, start: ends_at, agg: distinct, of: customer}
  answers: {unit: count, type: level, from: thread.answers, start: at, credit: rep, agg: count}
  written: {unit: count, type: level, from: thread.writers, start: at, credit: rep, agg: distinct, of: thread}
"""  # noqa: E501


def test_levels_of_customers_and_threads_stand_after_their_records_are_too_old() -> None:
    config = make_config(retention=KEPT, defines=LASTING)
    definitions = with_own(read_document(LASTING, "metrics.yaml").value)
    sold: dict[str, Value] = {"rep": "r1", "customer": "c1", "monthly_amount": "5"}
    mail: dict[str, Value] = {"rep": "r1", "thread": "t1", "automated": False}
    said: list[tuple[str, str, int, Mapping[str, Value]]] = [
        ("subscription", "s1", 95, {**sold, "starts_at": NOW - 99 * DAY, "ends_at": NOW - 80 * DAY}),
        ("subscription", "s2", 79, {**sold, "starts_at": NOW - 79 * DAY, "ends_at": NOW - 70 * DAY}),
        ("email", "m1", 61, {**mail, "direction": "outbound", "sent_at": NOW - 61 * DAY}),
        ("email", "m2", 60, {**mail, "direction": "inbound", "sent_at": NOW - 60 * DAY}),
        ("call", "k1", 0, {"rep": "r2", "direction": "outbound", "dialed_at": NOW - HOUR}),
    ]
    log = [
        make_change(kind=kind, id=id, changed_at=NOW - days * DAY, fields=fields, received_at=NOW - days * DAY)
        for kind, id, days, fields in said
    ]
    pipeline = run(config, by_day(log, config, seed=1), 1)
    pipeline.restart()

    rows, view = recount(log, config, definitions).rows(now=NOW, window="today"), pipeline.view()

    assert differences(rows, served(view, now=NOW, window="today")) == []
    shown = rows["reps"]["r1"]["metrics"], rows["organisation"]["metrics"]
    assert [(own["lost"], own["answers"], own["written"]) for own in shown] == [(2, 1, 1), (2, 1, 1)]
    assert shown[1]["renewed"] == 1

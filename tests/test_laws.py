"""The four laws, for any list of changes: any order and repetition gives the same state, equal to the batch recount."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.records import RecordChange
from schemas.windows import WINDOWS
from tests.builders import make_config
from tests.oracle import differences, recount
from tests.pipeline import Pipeline, served
from tests.strategies import NOW, logs

CONFIGS = {
    "kuala lumpur": make_config(
        timezone="Asia/Kuala_Lumpur",
        connections={"feed": {"kind": "generic", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}},
        teams={"north": {"name": "North"}},
        reps={"r1": {"name": "Ana", "team": "north"}, "r2": {"aliases": {"feed": ["old-2"]}}},
        lead_response={"rules": [{"when": {"source": "demo_request"}, "sla": "5m"}, {"sla": "1h"}]},
        currency_rates={"EUR": "1.083"},
    ),
    "contact": make_config(
        timezone="America/New_York", week_starts="sunday", lead_response={"stop": "contact", "start": "assigned"}
    ),
    "qualified": make_config(timezone="Australia/Lord_Howe", lead_response={"stop": "qualified"}),
    "automated": make_config(timezone="Europe/Berlin", lead_response={"automated": "include"}),
}

SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def shuffled(changes: list[RecordChange], seed: int) -> list[RecordChange]:
    """Another order, with repetitions."""
    chance = random.Random(seed)
    again = changes + chance.choices(changes, k=len(changes) // 2) if changes else []
    chance.shuffle(again)
    return again


def batches(changes: list[RecordChange], seed: int) -> list[list[RecordChange]]:
    """The same, in batches of any size."""
    chance, found = random.Random(seed), []
    while changes:
        size = chance.randint(1, 7)
        found.append(changes[:size])
        changes = changes[size:]
    return found


@pytest.mark.parametrize("name", CONFIGS)
@SLOW
@given(log=logs(), seed=st.integers(0, 2**16))
def test_every_served_number_equals_the_recount(name: str, log: list[RecordChange], seed: int) -> None:
    config = CONFIGS[name]
    pipeline = Pipeline(config)
    for batch in batches(shuffled(log, seed), seed):
        pipeline.take(batch)

    view, books = pipeline.view(), recount(log, config)

    for window in WINDOWS:
        assert differences(books.rows(now=NOW, window=window), served(view, now=NOW, window=window)) == []


@SLOW
@given(log=logs(), seed=st.integers(0, 2**16))
def test_any_order_and_repetition_gives_the_same_bytes(log: list[RecordChange], seed: int) -> None:
    config = CONFIGS["kuala lumpur"]
    one, other = Pipeline(config), Pipeline(config)
    one.take(log)
    for batch in batches(shuffled(log, seed), seed):
        other.take(batch)

    # Minute panes expire by the instant of the log, which is the same for both only at the end.
    one.take(log)
    other.take(log)

    assert one.state() == other.state()


@SLOW
@given(log=logs(), seed=st.integers(0, 2**16))
def test_deriving_anew_from_the_rows_changes_nothing(log: list[RecordChange], seed: int) -> None:
    pipeline = Pipeline(CONFIGS["kuala lumpur"])
    for batch in batches(log, seed):
        pipeline.take(batch)
    before = {topic: dict(values) for topic, values in pipeline.state().items()}

    repaired = pipeline.restart()

    assert repaired == 0
    assert pipeline.state() == before


@SLOW
@given(log=logs(("lead", "call"), most=60), seed=st.integers(0, 2**16))
def test_leads_merged_in_chains_and_cycles_keep_the_earliest_start_and_touch(
    log: list[RecordChange], seed: int
) -> None:
    config = CONFIGS["automated"]
    pipeline = Pipeline(config)
    for batch in batches(shuffled(log, seed), seed):
        pipeline.take(batch)

    clocks = {lead: clock for lead, clock in pipeline.view().clocks.items() if clock.started_at is not None}

    expected = recount(log, config).lead_clocks(NOW)
    assert {lead: (c.started_at, c.due_at, c.answered_at) for lead, c in clocks.items()} == {
        lead: (c["started_at"], c["due_at"], c["answered_at"]) for lead, c in expected.items()
    }

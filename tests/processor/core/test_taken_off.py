"""A contact that is taken off a record: its lead is answered by it no more, in whatever order that is heard."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.instants import MINUTE
from schemas.records import RecordChange, decode_record, fold_all, make_change
from tests.builders import change, instant, make_config
from tests.oracle import differences, recount
from tests.pipeline import Pipeline, served

NINE, NOW = instant("2026-03-18T09:00Z"), instant("2026-03-18T12:00Z")
CONFIG = make_config()
LEADS = [
    change("lead", name, NINE, rep="ana", received_at="2026-03-18T09:00Z", assigned_at="2026-03-18T09:00Z")
    for name in "ab"
]
CALL = change("call", "k", NINE, rep="ana", direction="outbound", dialed_at="2026-03-18T09:20Z")


def said(minute: int, lead: str, *, left: bool = False, kind: str = "call") -> RecordChange:
    name = "lead#left" if left else "lead"
    at = NINE + minute * MINUTE
    return make_change(kind=kind, id="k", changed_at=at, fields={name: lead}, received_at=at)


def answered(*changes: RecordChange) -> set[str]:
    pipeline = Pipeline(CONFIG)
    for each in (*LEADS, CALL, *changes):
        pipeline.take([each])
    return {name for name, clock in pipeline.view().clocks.items() if clock.answered_at is not None}


def test_who_is_taken_off_waits_again() -> None:
    assert answered(said(21, "a")) == {"a"}
    assert answered(said(21, "a"), said(22, "a", left=True)) == set()
    assert answered(said(22, "a", left=True), said(21, "a")) == set()
    assert answered(said(21, "a"), said(22, "a", left=True), said(23, "a")) == {"a"}


def test_taking_off_another_says_nothing_of_it() -> None:
    assert answered(said(21, "a"), said(22, "b"), said(23, "a", left=True)) == {"b"}


EVENTS = st.lists(st.tuples(st.integers(1, 6), st.sampled_from("ab"), st.booleans()), min_size=1, max_size=7)


@settings(max_examples=30, deadline=None)
@given(events=EVENTS, seed=st.integers(0, 2**16))
def test_any_order_gives_what_a_recount_gives_and_a_restart_changes_nothing(
    events: list[tuple[int, str, bool]], seed: int
) -> None:
    changes = [*LEADS, CALL, *(said(20 + minute, lead, left=left) for minute, lead, left in events)]
    shuffled = random.Random(seed).sample(changes, len(changes))
    one, other = Pipeline(CONFIG), Pipeline(CONFIG)
    one.take(changes)
    for each in shuffled:
        other.take([each])

    for pipeline in (one, other):
        rows = served(pipeline.view(), now=NOW, window="today")
        assert not list(differences(recount(changes, CONFIG).rows(now=NOW, window="today"), rows))
        assert pipeline.restart() == 0
    assert one.view().clocks == other.view().clocks
    assert one.rows["ledger"] == other.rows["ledger"]


@given(events=EVENTS, seed=st.integers(0, 2**16))
def test_the_row_is_the_same_in_any_order_and_however_states_are_joined(
    events: list[tuple[int, str, bool]], seed: int
) -> None:
    changes = [said(minute, lead, left=left, kind="email") for minute, lead, left in events]
    shuffled = random.Random(seed).sample(changes, len(changes))
    halves = [fold_all("email", shuffled[:3]), fold_all("email", shuffled[3:])]
    halves[0].merge(halves[1])

    row = fold_all("email", changes).encode()
    assert fold_all("email", shuffled).encode() == row
    assert halves[0].encode() == row
    assert decode_record(row).encode() == row

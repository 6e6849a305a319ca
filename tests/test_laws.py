"""The four laws, for any list of changes: any order and repetition gives the same state, equal to the batch recount."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.calendars import BusinessCalendar
from schemas.config import Config
from schemas.leads import LeadClock
from schemas.records import RecordChange
from schemas.windows import WINDOWS
from tests.builders import make_config
from tests.oracle import differences, recount
from tests.pipeline import Pipeline, served
from tests.strategies import NOW, logs

# Half an hour is put on and back there, in the middle of these hours.
_LORD_HOWE = {"island": {"timezone": "Australia/Lord_Howe", "hours": {"mon-sun": ["00:10-02:20", "08:00-17:00"]}}}

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
        timezone="America/New_York",
        week_starts="sunday",
        lead_response={"stop": "contact", "start": "assigned"},
        conversation={"calls": "outbound", "meetings": "none"},
    ),
    "qualified": make_config(
        timezone="Australia/Lord_Howe",
        lead_response={"stop": "qualified"},
        conversation={"calls": "none", "mails": "none"},
    ),
    "offices": make_config(
        timezone="Europe/Berlin",
        calendars={
            "berlin": {
                "timezone": "Europe/Berlin",
                "hours": {"mon-fri": ["09:00-12:30", "13:00-18:00"], "sat": ["10:00-14:00"]},
                "holidays": {"country": "DE", "subdivision": "BE", "extra": ["2026-03-17"]},
            },
            "denver": {"timezone": "America/Denver", "hours": {"sun-thu": ["00:00-03:15", "07:00-24:00"]}},
        },
        teams={"north": {"calendar": "berlin"}, "south": {"calendar": "denver"}},
        reps={"r1": {"team": "north"}, "r2": {"aliases": {"feed": ["old-2"]}}},
        lead_response={
            "warn_at": 0.7,
            "rules": [
                {"when": {"team": "south", "source": ["demo_request"]}, "sla": "3h", "clock": "business"},
                {"when": {"team": ["south"]}, "sla": "30m"},
                {"sla": "1h", "clock": "business"},
            ],
        },
    ),
    "owner": make_config(
        timezone="America/New_York",
        calendars={"always": {"timezone": "UTC", "hours": {"mon-sun": ["00:00-24:00"]}}} | _LORD_HOWE,
        teams={"north": {"calendar": "island"}},
        lead_response={
            "start": "reassigned",
            "responder": "owner",
            "credit": "owner",
            "before_start": "exclude",
            "rules": [{"sla": "2h", "clock": "business"}],
            "escalate_after": "1h",
        },
    ),
    "colleagues": make_config(
        timezone="Asia/Kolkata",
        calendar="denver",
        calendars=_LORD_HOWE
        | {"denver": {"timezone": "America/Denver", "hours": {"sun-thu": ["00:00-03:15", "07:00-24:00"]}}},
        teams={"south": {"calendar": "island"}, "north": {}},
        reps={"r2": {"aliases": {"feed": ["old-2"]}}},
        lead_response={"responder": "team", "stop": "contact", "rules": [{"sla": "2h", "clock": "business"}]},
    ),
    "automated": make_config(timezone="Europe/Berlin", lead_response={"automated": "include"}),
}

SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
EACH = settings(SLOW, max_examples=12)
"""For what is tried under every configuration."""


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


def served_clock(clock: LeadClock, config: Config, calendars: dict[str, BusinessCalendar]) -> dict[str, object]:
    """A clock at `NOW` as the recount writes it."""
    until = clock.answered_at if clock.is_undecided else None
    clock = clock.seen_at(NOW)
    state = clock.state(NOW, config.lead_response.warn_at)
    kind, _, touch = (clock.touch or "").partition("|")
    credited = clock.touch_rep if config.lead_response.credit == "sender" else clock.rep
    same = (
        "rep", "source", "team", "calendar", "is_business", "started_at", "due_at", "warn_at", "escalate_at",
        "answered_at", "response", "business_response", "assigned_response", "assigned_business_response",
        "attempted_at", "contacted_at", "qualified_at", "automated_at",
    )  # fmt: skip
    return {name: getattr(clock, name) for name in same} | {
        "counts_for": clock.rep if clock.answered_at is None else credited,
        "touch": (kind, touch) if clock.touch is not None else None,
        "business_waiting": clock.business_waiting(calendars, NOW),
        "holders": [
            {"rep": held.rep, "since": held.since, "until": held.until, "answered_at": held.answered_at}
            for held in clock.holders
        ],
        "inquiries": [
            {
                "started_at": inquiry.started_at, "due_at": inquiry.due_at, "answered_at": inquiry.answered_at,
                "rep": inquiry.touch_rep, "business_response": inquiry.business_response,
            }
            for inquiry in clock.inquiries
        ],
        "waiting": clock.is_waiting(NOW),
        "state": state if clock.is_waiting(NOW) else None,
        "until": until,
    }  # fmt: skip


@pytest.mark.parametrize("name", CONFIGS)
@EACH
@given(log=logs(), seed=st.integers(0, 2**16))
def test_every_served_number_equals_the_recount(name: str, log: list[RecordChange], seed: int) -> None:
    config = CONFIGS[name]
    pipeline = Pipeline(config)
    for batch in batches(shuffled(log, seed), seed):
        pipeline.take(batch)

    view, books = pipeline.view(), recount(log, config)

    for window in WINDOWS:
        assert differences(books.rows(now=NOW, window=window), served(view, now=NOW, window=window)) == []


@pytest.mark.parametrize("name", ["kuala lumpur", "offices", "colleagues"])
@SLOW
@given(log=logs(), seed=st.integers(0, 2**16))
def test_any_order_and_repetition_gives_the_same_bytes(name: str, log: list[RecordChange], seed: int) -> None:
    config = CONFIGS[name]
    one, other = Pipeline(config), Pipeline(config)
    one.take(log)
    for batch in batches(shuffled(log, seed), seed):
        other.take(batch)

    # Minute panes expire, and touches come, by the instant of the log, which is the same for both only at the end.
    for pipeline in (one, other):
        pipeline.take(log)
        pipeline.pass_time(pipeline.log_at)

    assert one.state() == other.state()


@pytest.mark.parametrize("name", ["kuala lumpur", "offices", "colleagues"])
@SLOW
@given(log=logs(), seed=st.integers(0, 2**16))
def test_deriving_anew_from_the_rows_changes_nothing(name: str, log: list[RecordChange], seed: int) -> None:
    pipeline = Pipeline(CONFIGS[name])
    for batch in batches(log, seed):
        pipeline.take(batch)
    # A restart gives all partitions the instant that only one of them may have seen.
    pipeline.pass_time(pipeline.log_at)
    before = {topic: dict(values) for topic, values in pipeline.state().items()}

    repaired = pipeline.restart()

    assert repaired == 0
    assert pipeline.state() == before


@pytest.mark.parametrize("name", CONFIGS)
@EACH
@given(log=logs(("lead", "call", "email", "meeting", "rep"), most=60), seed=st.integers(0, 2**16))
def test_every_clock_of_every_lead_equals_the_recount(name: str, log: list[RecordChange], seed: int) -> None:
    config = CONFIGS[name]
    pipeline = Pipeline(config)
    for batch in batches(shuffled(log, seed), seed):
        pipeline.take(batch)

    calendars = config.business_calendars()
    served_clocks = {
        lead: served_clock(clock, config, calendars)
        for lead, clock in pipeline.view().clocks.items()
        if clock.started_at is not None
    }

    assert served_clocks == recount(log, config).lead_clocks(NOW)


@SLOW
@given(log=logs(("lead", "call"), most=60), seed=st.integers(0, 2**16))
def test_leads_merged_in_chains_and_cycles_keep_the_earliest_start_and_touch(
    log: list[RecordChange], seed: int
) -> None:
    config = CONFIGS["automated"]
    pipeline = Pipeline(config)
    for batch in batches(shuffled(log, seed), seed):
        pipeline.take(batch)

    clocks = {lead: c.seen_at(NOW) for lead, c in pipeline.view().clocks.items() if c.started_at is not None}

    expected = recount(log, config).lead_clocks(NOW)
    assert {lead: (c.started_at, c.due_at, c.answered_at) for lead, c in clocks.items()} == {
        lead: (c["started_at"], c["due_at"], c["answered_at"]) for lead, c in expected.items()
    }

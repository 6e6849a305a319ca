"""What is kept of the log gives a recount of some days, or of some leads, everything that it has to see."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.verification.definitions import shipped
from deploy.verification.differences import differences
from deploy.verification.kept import KeptChanges, TooManyRecordsError
from deploy.verification.pieces import ServedWindow, expected_rows
from deploy.verification.recount import recount
from deploy.verification.rounds import of_windows
from deploy.verification.shapes import RecountedRows, RecountedWindow
from schemas.config import Config
from schemas.instants import DAY, HOUR
from schemas.records import RecordChange, Value, make_change
from tests.strategies import LEADS, NOW, logs

TODAY = NOW // DAY
MANY = 10_000
LEADS_AND_WHAT_TOUCHES_THEM = ("lead", "call", "rep")
# Of few kinds, so that records belong together across days.
some_logs = st.one_of(logs(), logs(("email",)), logs(("lead", "rep")), logs(LEADS_AND_WHAT_TOUCHES_THEM))
days_ago = st.sampled_from([0, 1, 2, 3, 74, 75])


@cache
def config(start: str = "received", zone: str = "Asia/Kuala_Lumpur") -> Config:
    return Config.model_validate(
        {
            "organisation": {"name": "Acme", "timezone": zone, "currency": "USD"},
            "connections": {"feed": {"kind": "generic", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}},
            "teams": {"north": {"name": "North"}, "south": {"name": "South"}},
            "reps": {"r1": {"name": "Ana", "team": "north", "aliases": {"feed": ["old-2"]}}},
            "lead_response": {"start": start, "rules": [{"when": {"team": "south"}, "sla": "5m"}, {"sla": "1h"}]},
            "currency_rates": {"EUR": "1.08"},
            "pipelines": {"p": {"steps": ["s1", "s2"]}},
        }
    )


def change(kind: str, id: str, *, at: int = NOW - HOUR, **fields: Value) -> RecordChange:
    return make_change(kind=kind, id=id, changed_at=at, fields=fields, received_at=NOW)


def day_of(day: int) -> date:
    return datetime(1970, 1, 1, tzinfo=UTC).date() + timedelta(days=day)


def kept(log: Sequence[RecordChange], most: int = MANY) -> KeptChanges:
    held = KeptChanges(most)
    held.add(log[::2])
    held.add(log)
    return held


def rows(changes: Sequence[RecordChange], chosen: Config, window: RecountedWindow) -> RecountedRows:
    """As `verify --every` compares them: without what may have begun before any of these days."""
    return of_windows(expected_rows(recount(changes, chosen), ServedWindow(window, NOW, NOW)), shipped())


@settings(max_examples=50, deadline=None)
@given(
    some_logs,
    st.sampled_from(["received", "assigned", "reassigned"]),
    st.sampled_from(["Asia/Kuala_Lumpur", "America/Los_Angeles"]),
    days_ago,
    st.integers(0, 1),
)
def test_days_recounted_from_what_is_given_for_them_are_as_in_the_recount_of_everything(
    log: list[RecordChange], start: str, zone: str, ago: int, length: int
) -> None:
    chosen = config(start, zone)
    last = TODAY - ago
    held = kept(log)
    given_days = list(held.between(last - length - 1, last + 1))
    days = (day_of(last - length), day_of(last))

    assert differences(rows(log, chosen, days), rows(given_days, chosen, days)) == []


@settings(max_examples=40, deadline=None)
@given(some_logs, st.sampled_from([("1h", 1), ("24h", 1), ("today", 1), ("yesterday", 2), ("7d", 7)]))
def test_windows_that_end_now_are_too(log: list[RecordChange], named: tuple[str, int]) -> None:
    window, back = named
    given_days = list(kept(log).between(TODAY - back - 1, TODAY + 1))

    assert differences(rows(log, config(), window), rows(given_days, config(), window)) == []


@settings(max_examples=40, deadline=None)
@given(logs(LEADS_AND_WHAT_TOUCHES_THEM), st.sets(st.sampled_from(LEADS), max_size=2))
def test_clocks_recounted_from_what_is_given_for_some_leads_are_as_in_the_recount_of_everything(
    log: list[RecordChange], leads: set[str]
) -> None:
    held = kept(log)
    everything = recount(log, config()).lead_clocks(NOW)
    around = recount(list(held.around(leads)), config()).lead_clocks(NOW)

    for lead in held.merged_with(leads):
        assert around.get(lead) == everything.get(lead)


@settings(max_examples=50, deadline=None)
@given(logs(LEADS_AND_WHAT_TOUCHES_THEM), st.integers(1, 3))
def test_every_lead_whose_clock_may_have_changed_is_named(log: list[RecordChange], news: int) -> None:
    held = KeptChanges(MANY)
    held.add(log[:-news])
    while held.take_fresh_leads(2):
        pass
    before = recount(log[:-news], config()).lead_clocks(NOW)

    held.add(log[-news:])
    fresh = held.merged_with(held.take_fresh_leads(MANY))

    after = recount(log, config()).lead_clocks(NOW)
    changed = {lead for lead in {*before, *after} if before.get(lead) != after.get(lead)}
    assert changed <= fresh
    assert held.take_fresh_leads(MANY) == []


BEFORE = NOW - 40 * DAY
BELONGS_TOGETHER = {
    "the mail that is answered": [
        change("email", "e1", rep="r3", sent_at=BEFORE, direction="outbound", thread="t"),
        change("email", "e2", rep="r3", sent_at=NOW, direction="inbound", thread="t"),
    ],
    "an edit that names no instant": [
        change("call", "c1", dialed_at=NOW, direction="outbound", rep="r3"),
        change("call", "c1", at=NOW + 1, outcome="connected", talk_seconds=90_000_000),
    ],
    "the touch of another day": [
        change("lead", "l1", rep="r3", received_at=NOW - HOUR, status="new"),
        change("call", "c1", rep="r2", dialed_at=BEFORE, direction="outbound", lead="l1"),
    ],
    "the start of a lead that was merged away": [
        change("lead", "l1", rep="r3", received_at=NOW - 2 * HOUR, status="new"),
        change("lead", "l2", rep="r3", received_at=BEFORE, status="new", merged_into="l1"),
    ],
    "who touched a lead that was merged away": [
        change("lead", "l1", rep="r3", received_at=NOW - 2 * HOUR, status="new"),
        change("lead", "l2", merged_into="l1"),
        change("call", "c1", rep="r2", dialed_at=BEFORE, direction="outbound", lead="l2"),
    ],
    "who is in which team": [
        change("rep", "r3", at=BEFORE, team="south"),
        change("call", "c1", dialed_at=NOW, direction="outbound", rep="r3"),
    ],
}


@pytest.mark.parametrize("log", BELONGS_TOGETHER.values(), ids=BELONGS_TOGETHER.keys())
def test_a_day_is_given_with(log: list[RecordChange]) -> None:
    days = (day_of(TODAY), day_of(TODAY))
    found = list(kept([*log, change("call", "other", dialed_at=BEFORE)]).between(TODAY - 1, TODAY + 1))

    assert differences(rows(log, config(), days), rows(found, config(), days)) == []
    assert all(differences(rows(log, config(), days), rows([one], config(), days)) for one in log)
    assert "other" not in {one.id for one in found}


def test_a_day_is_given_with_leads_that_were_handed_over_in_it() -> None:
    log = [
        change("lead", "l1", at=BEFORE, rep="r2", received_at=BEFORE, status="new"),
        change("lead", "l1", at=NOW - 2 * HOUR, rep="r3"),
    ]
    found = list(kept(log).between(TODAY - 1, TODAY + 1))

    expected = rows(log, config("reassigned"), (day_of(TODAY), day_of(TODAY)))
    assert expected["reps"]["r3"]["metrics"]["leads_due"] == 1
    assert differences(expected, rows(found, config("reassigned"), (day_of(TODAY), day_of(TODAY)))) == []


@pytest.mark.parametrize(
    ("news", "fresh"),
    [
        (change("call", "c1", at=NOW + 1, lead="l2"), {"l1", "l2"}),
        (change("lead", "l1", at=NOW + 1, merged_into="l2"), {"l1", "l2"}),
        (change("rep", "r1", team="south"), {"l1", "l2", "l3"}),
        (change("call", "c2", lead="l3"), {"l3"}),
        (change("call", "c3", dialed_at=NOW), set()),
    ],
    ids=["a touch that moves", "a merge", "a rep who moves", "a touch", "what is of no lead"],
)
def test_leads_are_named_of_which_something_new_was_said(news: RecordChange, fresh: set[str]) -> None:
    held = kept(
        [*(change("lead", lead, received_at=NOW) for lead in ("l1", "l2", "l3")), change("call", "c1", lead="l1")]
    )
    assert set(held.take_fresh_leads(2)) | set(held.take_fresh_leads(2)) == {"l1", "l2", "l3"}

    held.add([news])

    assert set(held.take_fresh_leads(MANY)) == fresh
    assert held.take_fresh_leads(MANY) == []


def test_changes_and_days_are_counted_once_however_often_they_come() -> None:
    call = change("call", "c1", dialed_at=NOW)
    moved = change("call", "c1", dialed_at=NOW - 3 * DAY)

    held = kept([call, moved, call])
    held.add([])

    assert len(held) == 2
    assert held.records_by_day() == {TODAY: 1, TODAY - 3: 1}


def test_what_is_not_of_these_days_is_not_given() -> None:
    held = kept([change("call", f"c{day}", dialed_at=NOW - day * DAY) for day in range(10)])

    assert sorted(found.id for found in held.between(TODAY - 4, TODAY - 3)) == ["c3", "c4"]


def test_more_than_is_recounted_at_once_is_refused() -> None:
    held = kept([change("call", f"c{n}", dialed_at=NOW, lead="everybody") for n in range(6)], most=5)

    with pytest.raises(TooManyRecordsError):
        list(held.between(TODAY, TODAY))
    with pytest.raises(TooManyRecordsError):
        list(held.around(["everybody"]))

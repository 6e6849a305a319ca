"""The materialized view: messages in any order, what is remembered, what has changed, what time changes."""

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.read.rows import lead_json, waiting_clocks
from api.read.view import DEAD_LETTERS_KEPT, DECODED_WINDOWS, ORGANISATION, Scope, View, rep_scope, team_scope
from schemas.dead_letters import DeadLetter, encode_dead_letter
from schemas.instants import DAY, HOUR, MINUTE
from schemas.leads import LeadClock, encode_clock
from schemas.panes import encode_pane, merge, pane_key
from schemas.records import Record, RecordChange
from schemas.topics import DEAD_LETTERS, FENCE, LEAD_CLOCKS, PANES, PROGRESS, ROSTER
from schemas.windows import WINDOWS, Window, day_window, minute_window, span_of
from tests.api.reading import ToldPipeline, floor_config, make_view
from tests.builders import change, instant, make_config
from tests.panes import pane_of
from tests.pipeline import served
from tests.strategies import NOW, logs

NOON = instant("2026-03-18T12:00Z")


def roster_message(rep: str, *changes: RecordChange) -> tuple[bytes, bytes]:
    record = Record("rep")
    for each in changes:
        record.fold(each)
    return f"rep|{rep}".encode(), record.encode()


def put(view: View, rep: str | None, window: Window, origin: str = "ledger.0", **pane: Any) -> None:
    view.apply(PANES.name, pane_key(origin, rep, window), encode_pane(pane_of(**pane)) if pane else None)


def calls(view: View, scope: Scope, window: str = "today", now: int = NOON) -> Any:
    return view.values(scope, span_of(window, now, view.calendar), now, ["calls_made"]).metrics["calls_made"]


TODAY = day_window(NOON // DAY)


def test_origins_of_a_pane_are_added_up() -> None:
    view = make_view(make_config())
    put(view, "r1", TODAY, "ledger.0", calls_made=2)
    put(view, "r1", TODAY, "responses.3", calls_made=3)

    assert calls(view, rep_scope("r1")) == 5
    assert calls(view, ORGANISATION) == 5


def test_message_that_comes_again_changes_nothing() -> None:
    view = make_view(make_config())
    for _ in range(3):
        put(view, "r1", TODAY, calls_made=2)

    assert calls(view, ORGANISATION) == 2


def test_tombstone_takes_a_pane_away_and_one_for_nothing_does_no_harm() -> None:
    view = make_view(make_config())
    put(view, "r1", TODAY)
    put(view, "r1", TODAY, "ledger.0", calls_made=2)
    put(view, "r1", TODAY, "ledger.1", calls_made=1)
    put(view, "r1", TODAY, "ledger.2")
    assert calls(view, rep_scope("r1")) == 3
    put(view, "r1", TODAY, "ledger.0")
    put(view, "r1", TODAY, "ledger.0")
    put(view, "r1", TODAY, "ledger.1")

    assert calls(view, rep_scope("r1")) == 0
    assert not view.is_known_rep("r1")


def test_fences_and_unknown_topics_are_passed_over() -> None:
    view = make_view(make_config())
    for topic in (PANES, ROSTER, LEAD_CLOCKS, PROGRESS, DEAD_LETTERS):
        view.apply(topic.name, FENCE, b"")
        view.apply(topic.name, None, b"")
    view.apply("something-else", b"key", b"value")

    assert not view.take_changes().panes


def test_pane_without_rep_counts_for_the_organisation_alone() -> None:
    view = make_view(make_config())
    put(view, None, TODAY, calls_made=4)

    assert calls(view, ORGANISATION) == 4
    assert view.reps() == []


def test_move_counts_for_the_new_team_from_its_day_on() -> None:
    view = make_view(make_config())
    yesterday = day_window(NOON // DAY - 1)
    put(view, "r1", yesterday, calls_made=1)
    put(view, "r1", TODAY, calls_made=10)
    assert calls(view, team_scope("north"), "7d") == 0
    view.apply(
        ROSTER.name,
        *roster_message(
            "r1", change("rep", "r1", NOON - 30 * DAY, team="north"), change("rep", "r1", NOON + HOUR, team="south")
        ),
    )

    assert calls(view, team_scope("north"), "7d") == 1
    assert calls(view, team_scope("south"), "7d") == 10
    assert calls(view, ORGANISATION, "7d") == 11


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(log=logs(), asks=st.lists(st.sampled_from(WINDOWS), max_size=4), seed=st.integers(0, 2**16))
def test_what_was_asked_before_makes_no_difference(log: list[RecordChange], asks: list[str], seed: int) -> None:
    """Merges are remembered: an early reader must leave nothing behind that a later change does not take along."""
    config = floor_config()
    asked = make_view(config)
    pipeline = ToldPipeline(config, asked)
    chance = random.Random(seed)
    while log:
        size = chance.randint(1, 5)
        pipeline.take(log[:size])
        log = log[size:]
        for window in asks:
            served(asked, now=NOW + chance.choice((0, HOUR, DAY)), window=window)

    fresh = pipeline.view()
    for window in WINDOWS:
        for now in (NOW, NOW + HOUR, NOW + 2 * DAY):
            assert served(asked, now=now, window=window) == served(fresh, now=now, window=window)


@given(
    panes=st.dictionaries(
        st.tuples(st.sampled_from(["r1", "r2", None]), st.integers(0, 4000)), st.integers(1, 9), max_size=30
    ),
    first=st.integers(0, 4000),
    length=st.integers(1, 3000),
    is_days=st.booleans(),
)
@settings(deadline=None)
def test_span_is_merged_whole_however_it_lies_over_the_blocks(
    panes: dict[tuple[str | None, int], int], first: int, length: int, is_days: bool
) -> None:
    view = make_view(make_config())
    for (rep, index), value in panes.items():
        put(view, rep, Window(index * 2 + is_days), calls_made=value)
    span = span_of("today" if is_days else "5m", NOON, view.calendar)
    span = type(span)(span.name, days=is_days, first=first, last=first + length - 1)
    for scope in (ORGANISATION, rep_scope("r1"), rep_scope("r3")):
        expected = sum(
            value
            for (rep, index), value in panes.items()
            if first <= index < first + length and scope in (ORGANISATION, Scope("rep", rep))
        )
        merged = view.merged(scope, span, NOON)  # whether or not it would still be kept
        assert view.result(merged, NOON, ["calls_made"]).metrics["calls_made"] == expected


def test_late_change_reaches_what_was_merged_of_a_whole_hour() -> None:
    view = make_view(make_config())
    put(view, "r1", minute_window(NOON - 5 * HOUR - MINUTE), calls_made=1)
    assert (calls(view, rep_scope("r1"), "24h"), calls(view, ORGANISATION, "24h")) == (1, 1)
    put(view, "r1", minute_window(NOON - 5 * HOUR - 2 * MINUTE), calls_made=1)

    assert (calls(view, rep_scope("r1"), "24h"), calls(view, ORGANISATION, "24h")) == (2, 2)


def test_nothing_is_kept_of_minutes_that_have_expired() -> None:
    view = make_view(make_config())
    minutes = [minute_window(NOON - n * MINUTE) for n in range(1500)]
    for minute in minutes:
        put(view, "r1", minute, calls_made=1)
        put(view, "r2", minute, calls_made=1)
    for window in ("5m", "1h", "24h"):
        served(view, now=NOON, window=window)
    assert calls(view, rep_scope("r1"), "24h") == 1440
    for minute in minutes:
        put(view, "r1", minute)
        put(view, "r2", minute)

    assert [*view.store.windows()] == []
    assert [*view.store.people()] == []
    assert view._rep_panes == {}
    assert view._groups.held == {}
    assert view._blocks == {}
    assert len(view._windows) == 0


def test_asking_for_empty_windows_leaves_nothing_behind() -> None:
    view = make_view(floor_config())
    for window in WINDOWS:
        served(view, now=NOON, window=window)

    assert (view._rep_panes, view._groups.held, view._blocks) == ({}, {}, {})


def test_panes_are_kept_as_bytes_until_they_are_read() -> None:
    view = make_view(make_config())
    put(view, "r1", TODAY, calls_made=1)
    put(view, "r1", minute_window(NOON), calls_made=1)

    assert view._rep_panes == {}
    calls(view, rep_scope("r1"))
    assert list(view._rep_panes) == [TODAY]


def test_only_so_many_windows_stay_decoded() -> None:
    view = make_view(make_config())
    for n in range(3 * DECODED_WINDOWS):
        put(view, "r1", minute_window(NOON - n * MINUTE), calls_made=1)
        span = span_of("5m", NOON - n * MINUTE, view.calendar)
        view.values(rep_scope("r1"), span, NOON)

    assert len(view._rep_panes) == DECODED_WINDOWS
    assert calls(view, rep_scope("r1"), "24h") == 3 * DECODED_WINDOWS


def test_merged_panes_that_are_remembered_are_never_changed_by_a_reader() -> None:
    view = make_view(make_config())
    put(view, "r1", TODAY, responses=[5, 7])
    put(view, "r2", TODAY, responses=[1])
    for _ in range(3):
        values = view.values(ORGANISATION, span_of("today", NOON, view.calendar), NOON)
        merge([*view._groups.held[TODAY].values()])

    assert values.metrics["lead_response_seconds_p50"] == 0.000005
    assert view._rep_pane(TODAY, "r1") == pane_of(responses=[5, 7])


def test_deals_without_a_rate_are_counted_and_uncounted_without_reading_panes() -> None:
    view = make_view(make_config())
    put(view, "r1", TODAY, without_rate=2, deals_won=3)
    put(view, None, day_window(20_000), "ledger.1", without_rate=1)
    put(view, "r1", minute_window(NOON), without_rate=2)
    assert view.deals_without_rate() == 3
    put(view, "r1", TODAY, deals_won=3)
    assert view.deals_without_rate() == 1
    put(view, None, day_window(20_000), "ledger.1")

    assert view.deals_without_rate() == 0
    assert view._rep_panes == {}


def test_changes_name_panes_leads_and_reps_once_and_are_taken_once() -> None:
    view = make_view(floor_config())
    put(view, "r1", TODAY, calls_made=1)
    put(view, "r1", TODAY, calls_made=2)
    view.apply(ROSTER.name, *roster_message("r7", change("rep", "r7", name="Ina")))

    changes = view.take_changes()

    assert changes.panes == {(TODAY, "r1")}
    assert changes.reps == {"r7"}
    again = view.take_changes()
    assert not any((again.panes, again.reps, again.leads, again.progress, again.everything))


def clock(lead: str, **fields: Any) -> LeadClock:
    given: dict[str, Any] = {
        "rep": "r1", "source": None, "status": "new", "started_at": NOON, "due_at": NOON + HOUR, "sla": HOUR,
    }  # fmt: skip
    return LeadClock(lead, **given | fields)


def test_lead_that_is_edited_often_is_looked_at_twice_only() -> None:
    view = make_view(make_config())
    for number in range(1000):
        view.apply(LEAD_CLOCKS.name, b"l1", encode_clock(clock("l1", source=str(number))))

    assert len(view._instants) == 2
    assert view.next_instant() == NOON + 45 * MINUTE


def test_lead_that_gets_another_due_instant_is_looked_at_then() -> None:
    view = make_view(make_config())
    view.apply(LEAD_CLOCKS.name, b"l1", encode_clock(clock("l1")))
    view.apply(LEAD_CLOCKS.name, b"l1", encode_clock(clock("l1", due_at=NOON + 5 * MINUTE, sla=5 * MINUTE)))
    view.take_changes()
    view.advance(NOON + 5 * MINUTE)

    changes = view.take_changes()

    assert changes.leads == {"l1"}
    assert (day_window(NOON // DAY), "r1") in changes.panes
    assert (minute_window(NOON), "r1") in changes.panes


@pytest.mark.parametrize(
    "now_is",
    [{"answered_at": NOON}, {"started_at": None, "due_at": None, "merged_into": "l2"}],
    ids=["answered", "merged"],
)
def test_lead_that_does_not_run_any_more_is_passed_over_when_its_instant_comes(now_is: dict[str, Any]) -> None:
    view = make_view(make_config())
    view.advance(NOON)
    view.apply(LEAD_CLOCKS.name, b"l1", encode_clock(clock("l1")))
    view.apply(LEAD_CLOCKS.name, b"l1", encode_clock(clock("l1", **now_is)))
    view.take_changes()
    view.advance(NOON + DAY)

    assert not view.take_changes().leads
    assert view.next_instant() is None


def test_touch_that_is_still_to_come_stops_nothing_until_its_instant() -> None:
    view = make_view(make_config())
    view.advance(NOON)
    planned = clock("l1", answered_at=NOON + 8 * HOUR, touch="call|c1", touch_rep="r2", attempted_at=NOON + 8 * HOUR)
    view.apply(LEAD_CLOCKS.name, b"l1", encode_clock(planned))
    revision = view.revision
    before = lead_json(view, view.clocks["l1"], NOON + 2 * HOUR)

    assert [held.lead for held in waiting_clocks(view, NOON + 2 * HOUR)] == ["l1"]
    assert (before["state"], before["answered_at"], before["touch"]) == ("breached", None, None)
    assert (before["attempted_at"], before["response_seconds"]) == (None, None)
    view.advance(NOON + 2 * HOUR)
    assert view.next_instant() == NOON + 8 * HOUR
    view.take_changes()
    view.advance(NOON + 8 * HOUR)

    changes = view.take_changes()
    after = lead_json(view, view.clocks["l1"], NOON + 8 * HOUR)
    assert changes.leads == {"l1"}
    assert {(day_window(NOON // DAY), "r1"), (day_window(NOON // DAY), "r2")} <= changes.panes
    assert view.waiting == {}
    assert view.revision > revision  # no answer that was remembered holds any more
    assert (after["state"], after["response_seconds"], after["touch"]["rep"]) == ("answered", 8 * 3600, "r2")


def test_lead_that_is_decided_stays_due_though_it_waits_no_more() -> None:
    view = make_view(make_config())
    view.apply(LEAD_CLOCKS.name, b"l1", encode_clock(clock("l1", status="disqualified")))
    view.take_changes()
    view.advance(NOON + HOUR)

    assert view.waiting == {}
    assert (day_window(NOON // DAY), "r1") in view.take_changes().panes


def test_clock_that_is_deleted_is_forgotten() -> None:
    view = make_view(make_config())
    view.apply(LEAD_CLOCKS.name, b"l1", encode_clock(clock("l1")))
    view.apply(LEAD_CLOCKS.name, b"l1", None)

    assert (view.clocks, view.waiting) == ({}, {})
    view.advance(NOON + DAY)


def test_dead_letters_are_bounded_and_the_oldest_go() -> None:
    view = make_view(make_config())
    for number in range(DEAD_LETTERS_KEPT + 5):
        letter = DeadLetter("feed", "not_json", "", 0, number, None, number)
        view.apply(DEAD_LETTERS.name, letter.id.encode(), encode_dead_letter(letter))

    assert len(view.dead_letters) == DEAD_LETTERS_KEPT
    assert next(iter(view.dead_letters)) == "0-5"

"""What is kept and what goes: rows, panes and groups by the cutoff of the log, one rule at a time."""

from typing import Any

from processor.core.definitions import definitions_of
from processor.core.groups import Groups
from processor.core.ledger import Ledger
from processor.core.outputs import GroupsOutput, LedgerOutput
from processor.core.panes import Message
from processor.core.retention import RetentionCutoff
from schemas.frames import Engagement
from schemas.instants import DAY, HOUR
from schemas.late import PAST, REFUSED
from schemas.panes import read_pane_key
from schemas.records import RecordChange
from schemas.windows import is_day
from tests.builders import change, instant, make_config

CONFIG = make_config(timezone="Asia/Kuala_Lumpur", retention={"minutes": "25h", "records": "30d"})
DEFINITIONS = definitions_of(CONFIG)
START = instant("2026-03-18T04:00:00Z")
"""Noon in Kuala Lumpur."""


def make_ledger() -> Ledger:
    return Ledger("ledger.0", DEFINITIONS)


def make_groups() -> Groups:
    return Groups("responses.0", DEFINITIONS)


def a_call(
    id: str, at: int, *, said_at: int | None = None, delivered_at: int | None = None, **more: Any
) -> RecordChange:
    return change(
        "call", id, at if said_at is None else said_at, delivered_at=delivered_at,
        **{"rep": "ana", "direction": "outbound", "dialed_at": at, **more},
    )  # fmt: skip


def days_of(messages: list[Message]) -> dict[int, bool]:
    """Day -> whether it has a pane, as these messages say."""
    keyed = ((read_pane_key(key)[2], value) for key, value in messages)
    return {window >> 1: value is not None for window, value in keyed if is_day(window)}


def fold(ledger: Ledger, *changes: RecordChange) -> LedgerOutput:
    return ledger.fold(changes, max(change.received_at for change in changes))


def engage(groups: Groups, *changes: RecordChange) -> GroupsOutput:
    engagements: list[Engagement] = fold(make_ledger(), *changes).engagements
    return groups.fold(engagements, max(change.received_at for change in changes))


def test_the_cutoff_moves_by_whole_days_of_the_organisation_and_never_back() -> None:
    cutoff = RetentionCutoff(DEFINITIONS.calendar, 30 * DAY)

    assert cutoff.advance(START)
    assert cutoff.starts_at == instant("2026-02-15T16:00:00Z")
    assert not cutoff.advance(START + 11 * HOUR)
    assert cutoff.advance(START + 12 * HOUR)
    assert not cutoff.advance(START)
    assert cutoff.starts_at == instant("2026-02-16T16:00:00Z")


def test_a_longer_retention_brings_no_part_of_a_day_back() -> None:
    cutoff = RetentionCutoff(DEFINITIONS.calendar, 90 * DAY)

    cutoff.restore(instant("2026-02-16T16:00:00Z"))
    cutoff.advance(START)

    assert cutoff.starts_at == instant("2026-02-16T16:00:00Z")


def test_in_another_time_zone_only_whole_days_are_left() -> None:
    cutoff = RetentionCutoff(DEFINITIONS.calendar, 90 * DAY)

    cutoff.restore(instant("2026-02-17T00:00:00Z"))

    assert cutoff.starts_at == instant("2026-02-17T16:00:00Z")


def test_a_row_and_its_day_expire_together() -> None:
    ledger = make_ledger()
    fold(ledger, a_call("1", START))

    before = fold(ledger, a_call("2", START + 30 * DAY + 11 * HOUR))
    after = fold(ledger, a_call("3", START + 31 * DAY))

    day = DEFINITIONS.calendar.day_of(START)
    assert days_of(before.panes).get(day) is None
    assert before.rows[0][1] is not None
    assert days_of(after.panes)[day] is False
    assert after.rows[0] == (b"call|1", None)
    assert len(ledger) == 2


def test_what_was_said_lately_is_remembered_however_old_it_is() -> None:
    # Otherwise a repetition of the first change would bring the call back.
    ledger = make_ledger()
    first = a_call("1", START)
    fold(ledger, first)
    fold(ledger, a_call("1", START - 100 * DAY, said_at=START + DAY))

    again = fold(ledger, first)

    assert again.duplicates == 1
    assert days_of(again.panes) == {}


def test_a_change_of_which_all_is_older_is_refused_whatever_is_held() -> None:
    ledger = make_ledger()
    fold(ledger, a_call("1", START, lead="l1"))

    output = fold(
        ledger, a_call("1", START - 40 * DAY, delivered_at=START), a_call("2", START - 40 * DAY, delivered_at=START)
    )

    assert [(late.reason, late.change.id, late.kept_from) for late in output.late] == [
        (REFUSED, "1", ledger.cutoff.starts_at), (REFUSED, "2", ledger.cutoff.starts_at),
    ]  # fmt: skip
    assert (output.rows, output.panes, output.engagements) == ([], [], [])


def test_what_is_said_now_of_what_is_older_counts_nowhere_and_is_late() -> None:
    ledger = make_ledger()
    old = a_call("1", START - 40 * DAY, said_at=START)

    output = fold(ledger, old, old)
    edited = fold(ledger, change("call", "1", START + 1, outcome="connected"))

    assert [(late.reason, late.change) for late in output.late] == [(PAST, old)]
    assert (output.panes, output.duplicates) == ([], 1)
    assert [late.change.fields for late in edited.late] == [{"outcome": "connected"}]


def test_a_call_moved_to_before_the_cutoff_leaves_its_day() -> None:
    ledger = make_ledger()
    fold(ledger, a_call("1", START))

    output = fold(ledger, a_call("1", START - 40 * DAY, said_at=START + 1))

    assert set(days_of(output.panes).values()) == {False}
    assert len(output.late) == 1


def test_open_deals_future_meetings_and_reps_never_expire() -> None:
    ledger = make_ledger()
    fold(
        ledger,
        change("rep", "ana", START, name="Ana"),
        change("deal", "open", START, status="open", created_at=START, amount="10"),
        change("deal", "unsaid", START, created_at=START),
        change("deal", "lost", START, status="lost", created_at=START, closed_at=START),
        change("meeting", "soon", START, starts_at=START + 200 * DAY),
    )

    output = fold(ledger, a_call("1", START + 190 * DAY))

    assert output.rows[:-1] == [(b"deal|lost", None)]


def test_an_open_deal_of_long_ago_is_taken_and_expires_once_it_was_closed_long_enough() -> None:
    ledger = make_ledger()
    old = change("deal", "d", START - 90 * DAY, delivered_at=START, status="open", created_at=START - 90 * DAY)
    fold(ledger, old)
    fold(ledger, change("deal", "d", START, status="won", closed_at=START, amount="10"))

    held = fold(ledger, a_call("1", START + 30 * DAY))
    gone = fold(ledger, a_call("2", START + 31 * DAY))

    assert (b"deal|d", None) not in held.rows
    assert (b"deal|d", None) in gone.rows


def test_many_rows_go_in_slices_and_none_comes_to_life_meanwhile() -> None:
    ledger = make_ledger()
    fold(ledger, *(a_call(str(number), START, outcome="connected") for number in range(1500)))
    later = START + 40 * DAY

    first = fold(ledger, a_call("new", later))
    partial = change("call", "1499", later, dialed_at=later)
    touched = fold(ledger, partial)
    rest = ledger.sweep(2000)

    assert [sum(row is None for _, row in output.rows) for output in (first, touched, rest)] == [500, 501, 499]
    # Of the old call nothing is left: the new one is no outbound call that somebody made, and nobody's.
    assert {read_pane_key(key)[1] for key, _ in touched.panes} == {None}
    assert (ledger.backlog, len(ledger)) == (0, 2)


def test_a_lead_that_has_ended_goes_with_its_touches_its_clock_and_its_panes() -> None:
    groups = make_groups()
    lead = change("lead", "l1", START, rep="ana", received_at=START, status="converted")
    engage(groups, lead, a_call("1", START + DAY, lead="l1"))

    kept = groups.fold([], START + 30 * DAY + 13 * HOUR)
    gone = groups.fold([], START + 31 * DAY + 13 * HOUR)

    assert kept.expired == []
    assert gone.expired == ["l1"]
    assert gone.clocks == [(b"l1", None)]
    assert sorted(gone.rows) == [(b"lead:l1\0call|1", None), (b"lead:l1\0lead|l1", None)]
    assert len(groups) == 0


def test_a_lead_that_has_not_ended_never_expires_and_is_answered_after_years() -> None:
    groups = make_groups()
    engage(groups, change("lead", "l1", START, rep="ana", received_at=START))
    later = START + 900 * DAY

    waited = groups.fold([], later)
    answered = engage(groups, a_call("1", later, lead="l1"))
    open_still = groups.fold([], later + 300 * DAY)
    engage(groups, change("lead", "l1", later + 301 * DAY, status="disqualified"))
    gone = groups.fold([], later + 332 * DAY + 13 * HOUR)

    assert (waited.clocks, waited.rows) == ([], [])
    assert answered.clocks[0][1] is not None
    assert (open_still.expired, open_still.rows) == ([], [])
    assert gone.expired == ["l1"]


def test_a_lead_that_has_not_ended_stays_in_the_ledger_too() -> None:
    ledger = make_ledger()
    said: dict[str, Any] = {"rep": "ana", "received_at": START}
    away: dict[str, Any] = {"rep": "ana", "from": "2026-03-18", "to": "2026-03-20"}
    fold(
        ledger,
        change("lead", "open", START, **said),
        change("lead", "ended", START, **said | {"status": "customer"}),
        change("lead", "merged", START, **said | {"merged_into": "open"}),
        change("subscription", "running", START, starts_at=START, customer="c1"),
        change("subscription", "over", START, starts_at=START, ends_at=START + DAY),
        change("goal", "g1", START, goal="quota", since="2026-03-01", amount=5),
        change("absence", "a1", START, **away),
    )

    gone = {key for key, row in fold(ledger, a_call("1", START + 40 * DAY)).rows if row is None}

    assert gone == {b"lead|ended", b"lead|merged", b"subscription|over", b"absence|a1"}


def test_what_goes_on_is_taken_however_old_it_is() -> None:
    old = START - 100 * DAY
    said = [
        change("lead", "l1", old, delivered_at=START, received_at=old, status="qualified"),
        change("lead", "l2", old, delivered_at=START, received_at=old, status="customer"),
        change("subscription", "s1", old, delivered_at=START, starts_at=old),
        change("subscription", "s2", old, delivered_at=START, starts_at=old, ends_at=old + DAY),
        change("goal", "g1", old, delivered_at=START, since="2025-01-01"),
        change("absence", "a1", old, delivered_at=START, to="2025-01-01"),
        change("absence", "a2", old, delivered_at=START, to="2026-03-18"),
    ]

    output = fold(make_ledger(), *said)

    assert [late.change.id for late in output.late if late.reason == REFUSED] == ["l2", "s2", "a1"]


def test_the_group_of_a_customer_stays_while_they_have_something() -> None:
    groups = make_groups()
    engage(
        groups,
        change("subscription", "s1", START, starts_at=START, ends_at=START + DAY, customer="c1"),
        change("subscription", "s2", START, starts_at=START, customer="c1"),
        change("subscription", "s3", START, starts_at=START, ends_at=START + DAY, customer="c2"),
    )

    gone = groups.fold([], START + 60 * DAY)

    assert [key.split(b"\0")[0] for key, row in gone.rows if row is None] == [b"customer:c2"]


def test_a_thread_goes_when_its_last_mail_is_old() -> None:
    groups = make_groups()
    mails = [
        change("email", f"m{n}", at, sent_at=at, thread="t", rep="ana", direction=direction)
        for n, (at, direction) in enumerate([(START, "outbound"), (START + DAY, "inbound")])
    ]
    engage(groups, *mails)

    assert groups.fold([], START + 31 * DAY).rows == []
    assert [row for _, row in groups.fold([], START + 32 * DAY).rows] == [None, None]


def test_reading_back_lets_go_what_nobody_let_go_before() -> None:
    ledger, successor = make_ledger(), make_ledger()
    at = START + 20 * DAY
    mail = change("email", "2", at, rep="ana", direction="outbound", sent_at=at, contacts=["c1"])
    rows = fold(ledger, a_call("1", START), mail).rows
    successor.restore({key: row for key, row in rows if row is not None})

    output = successor.rebuild({}, {}, {}, START + 31 * DAY)

    assert output.rows == [(b"call|1", None)]
    day = DEFINITIONS.calendar.day_of(START + 20 * DAY)
    # Of its day, too, what is kept for so many days.
    assert {key for key, _ in output.panes} == {f"ledger.0|ana|d{day}{part}".encode() for part in ("", ".35")}


def test_a_record_that_said_nothing_at_first_is_as_old_as_what_it_says_later() -> None:
    ledger = make_ledger()
    fold(ledger, change("email", "e", START))
    fold(ledger, change("email", "e", START - 19 * DAY, delivered_at=START + DAY, direction="outbound"))
    assert len(ledger) == 1

    # A worker that starts now finds it too old by its row alone, so it must be so for one that did not.
    output = ledger.fold([], START + 12 * DAY)

    assert output.rows == [(b"email|e", None)]
    assert len(ledger) == 0


def test_a_record_that_says_nothing_is_kept() -> None:
    ledger = make_ledger()
    fold(ledger, change("email", "e", START))

    assert ledger.fold([], START + 300 * DAY).rows == []
    assert len(ledger) == 1


def test_absences_and_goals_are_told_to_everybody_and_taken_back_when_they_go() -> None:
    ledger = make_ledger()
    away = change("absence", "a1", START, rep="ana", from_="2026-03-18", to="2026-03-19")
    goal = change("goal", "g1", START, goal="quota", rep="ana", amount="5")

    told = {key: row is not None for key, row in fold(ledger, away, goal).roster}
    assert told == {b"absence|a1": True, b"goal|g1": True}

    later = ledger.fold([], START + 60 * DAY)
    assert later.roster == [(b"absence|a1", None)]
    assert (b"absence|a1", None) in later.rows

    published = {b"absence|a1": b"old", b"rep|gone": b"old"}
    rebuilt = ledger.rebuild({}, published, {}, START + 60 * DAY)
    assert {key: row is not None for key, row in rebuilt.roster} == {
        b"goal|g1": True, b"absence|a1": False, b"rep|gone": False,
    }  # fmt: skip

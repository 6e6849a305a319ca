"""The oracle against worked examples: it must be right by hand before anything is compared with it."""

import random
from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from schemas.config import Config
from schemas.instants import DAY, MINUTE, SECOND
from schemas.records import RecordChange
from tests.builders import change, instant, make_config
from tests.oracle import METRICS, RecountedWindow, ServedValue, clocks_of, differences, recount, row_of, rows_of
from tests.pipeline import Pipeline

NOON = "2026-03-18T12:00Z"  # a Wednesday


def metric(changes: Sequence[RecordChange], name: str, **where: Any) -> ServedValue:
    return row_of(changes, **{"now": NOON, **where})["metrics"][name]


def at(clock: str) -> str:
    return f"2026-03-18T{clock}Z"


def call(name: str = "c", dialed: str = "10:00", /, **fields: Any) -> RecordChange:
    return change("call", name, **{"rep": "ana", "direction": "outbound", "dialed_at": at(dialed), **fields})


def talked(name: str, seconds: float, /, **fields: Any) -> RecordChange:
    return call(name, **{"outcome": "connected", "talk_seconds": seconds, **fields})


def mail(name: str, sent: str, direction: str = "outbound", /, **fields: Any) -> RecordChange:
    return change("email", name, **{"rep": "ana", "direction": direction, "sent_at": at(sent), **fields})


def lead(name: str = "l", received: str = "10:00", /, **fields: Any) -> RecordChange:
    return change("lead", name, **{"rep": "ana", "received_at": at(received), **fields})


def deal(name: str, status: str = "won", /, **fields: Any) -> RecordChange:
    return change("deal", name, **{"rep": "ana", "status": status, "closed_at": at("10:00"), **fields})


# --- Worked vectors --------------------------------------------------------------------------------------------------


def test_a_response_across_the_start_of_summer_time_is_elapsed_time() -> None:
    changes = [
        change("lead", "l", received_at="2026-03-28T23:30+01:00"),
        change("call", "c", lead="l", direction="outbound", dialed_at="2026-03-29T03:15+02:00"),
    ]

    row = row_of(
        changes,
        now="2026-03-29T12:00+02:00",
        window=(date(2026, 3, 28), date(2026, 3, 28)),
        config=make_config(timezone="Europe/Berlin"),
    )

    assert row["metrics"]["lead_response_seconds_p50"] == (2 * 60 + 45) * 60


def test_a_touch_known_before_its_lead_gives_the_same_answer_in_any_order_and_with_repetitions() -> None:
    changes = [mail("e", "10:07", lead="l"), lead("l", "10:00")]

    for told in (changes, changes[::-1], [*changes, *changes[::-1], *changes]):
        assert metric(told, "lead_response_seconds_p50") == 7 * 60


def test_the_clock_of_a_lead_runs_on_when_it_is_reassigned() -> None:
    changes = [
        change("lead", "l", at("10:00"), received_at=at("10:00")),
        change("lead", "l", at("10:05"), rep="ana"),
        change("lead", "l", at("10:50"), rep="ben"),
        call("c", "11:02", rep="ben", lead="l"),
    ]

    assert metric(changes, "lead_response_seconds_p50", rep="ben") == 62 * 60
    assert metric(changes, "lead_response_within_sla", rep="ben") == 0.0
    assert metric(changes, "leads_due", rep="ana") == 0


def test_a_lead_of_friday_evening_has_waited_half_a_business_hour_on_monday_morning() -> None:
    config = make_config(
        timezone="Europe/Berlin",
        calendars={"office": {"timezone": "Europe/Berlin", "hours": {"mon-fri": ["09:00-18:00"]}}},
        teams={"north": {"calendar": "office"}},
        reps={"ana": {"team": "north"}},
        lead_response={"rules": [{"sla": "1h", "clock": "business"}]},
    )
    friday, monday = "2026-03-20T17:{}+01:00", "2026-03-23T{}+01:00"
    changes = [
        change("lead", "l", rep="ana", received_at=friday.format("50"), assigned_at=friday.format("55")),
        change("email", "e", lead="l", direction="outbound", automated=True, sent_at=friday.format("50:05")),
        change("call", "c", rep="ana", lead="l", direction="outbound", dialed_at=monday.format("09:20")),
    ]

    clock = clocks_of(changes, now=monday.format("12:00"), config=config)["l"]

    assert (clock["response"], clock["business_response"]) == ((63 * 60 + 30) * MINUTE, 30 * MINUTE)
    assert clock["assigned_business_response"] == 25 * MINUTE
    assert clock["automated_at"] == instant(friday.format("50:05"))
    assert (clock["warn_at"], clock["due_at"], clock["escalate_at"]) == tuple(
        instant(monday.format(time)) for time in ("09:35", "09:50", "10:50")
    )


def test_owners_and_later_inquiries_have_clocks_beside_the_first() -> None:
    changes = [
        lead("l", "10:00", rep=None),
        change("lead", "l", at("10:05"), rep="ana"),
        change("lead", "l", at("10:50"), rep="ben"),
        call("c", "11:02", rep="ben", lead="l"),
        mail("again", "11:30", "inbound", lead="l"),
        mail("impatient", "11:40", "inbound", lead="l"),
        mail("reply", "11:45", lead="l"),
        mail("thanks", "11:50", "inbound", lead="l"),
    ]

    clock = clocks_of(changes, now=NOON)["l"]

    assert [(held["rep"], held["until"], held["answered_at"]) for held in clock["holders"]] == [
        ("ana", instant(at("10:50")), None),
        ("ben", None, instant(at("11:02"))),
    ]
    assert [(inquiry["started_at"], inquiry["answered_at"]) for inquiry in clock["inquiries"]] == [
        (instant(at("11:30")), instant(at("11:45"))),
        (instant(at("11:50")), None),
    ]


def ten_leads() -> list[RecordChange]:
    answered = (5, 10, 20, 30, 40, 50, 180)
    leads = [lead(f"l{number}", "06:00") for number in range(10)]
    start = instant(at("06:00"))
    return leads + [
        call(f"c{number}", lead=f"l{number}", dialed_at=start + minutes * MINUTE)
        for number, minutes in enumerate(answered)
    ]


def test_ten_leads_of_which_three_wait_have_a_censored_median_and_an_open_p90() -> None:
    row = row_of(ten_leads(), now=at("11:00"))

    assert row["metrics"]["leads_due"] == 10
    assert row["metrics"]["leads_answered"] == 7
    assert row["metrics"]["lead_response_within_sla"] == 0.6
    assert row["metrics"]["lead_response_seconds_p50"] == 45 * 60
    assert row["metrics"]["lead_response_seconds_p90"] is None
    assert row["bounds"] == {"lead_response_seconds_p90": 300 * 60}


def test_open_deals_are_in_no_win_rate() -> None:
    won = [deal(f"w{n}") for n in range(3)]
    lost = [deal(f"x{n}", "lost") for n in range(7)]
    still_open = [deal(f"o{n}", "open", closed_at=None) for n in range(90)]

    assert metric(won + lost + still_open, "win_rate") == 0.3


def test_a_call_deleted_later_is_gone_from_every_window() -> None:
    changes = [call("c1"), call("c2"), change("call", "c1", at("11:00"), deleted=True)]

    for window in ("4h", "24h", "today", "week", "month", "quarter", "year", "7d", "30d"):
        assert metric(changes, "calls_made", window=window) == 1, window


def test_a_deal_that_is_reopened_gives_its_revenue_back() -> None:
    changes = [deal("d", amount=500), change("deal", "d", at("10:20"), status="open")]

    assert metric(changes, "revenue_won") == "0.00"
    assert metric(changes, "deals_won") == 0


def test_a_deal_merged_into_another_counts_nowhere_and_gives_it_nothing() -> None:
    changes = [
        deal("d", amount=500),
        deal("e", "open", closed_at=None),
        deal("f", "lost"),
        change("deal", "d", at("10:20"), merged_into="e"),
        change("deal", "f", at("10:20"), merged_into="unheard-of"),
    ]

    assert metric(changes, "revenue_won") == "0.00"
    assert metric(changes, "deals_won") == metric(changes, "deals_lost") == 0
    undone = [*changes, change("deal", "d", at("10:30"), merged_into=None)]
    assert metric(undone, "revenue_won") == "500.00"


def test_what_a_rep_did_before_a_move_stays_with_the_old_team() -> None:
    changes = [
        change("rep", "ana", "2026-03-01T00:00Z", team="north"),
        change("rep", "ana", "2026-03-10T00:00Z", team="south"),
        call("c1", dialed_at="2026-03-09T23:59Z"),
        call("c2", dialed_at="2026-03-10T00:00Z"),
        call("c3", dialed_at="2026-03-11T09:00Z"),
    ]

    teams = rows_of(changes, now=NOON, window="month")["teams"]

    assert teams["north"]["metrics"]["calls_made"] == 1
    assert teams["south"]["metrics"]["calls_made"] == 2


def test_a_team_rate_is_made_of_sums_and_not_of_rates() -> None:
    config = make_config(teams={"north": {}}, reps={"ana": {"team": "north"}, "ben": {"team": "north"}})
    changes = [call(f"a{n}", outcome="connected" if n < 1 else "busy") for n in range(10)]
    changes += [call(f"b{n}", rep="ben", outcome="connected" if n < 50 else "busy") for n in range(100)]

    assert metric(changes, "connect_rate", config=config, team="north") == pytest.approx(51 / 110)


# --- The fold --------------------------------------------------------------------------------------------------------


def test_the_newest_change_wins_field_by_field() -> None:
    changes = [
        change("call", "c", at("10:03"), rep="ben"),
        change("call", "c", at("10:02"), outcome="connected"),
        change("call", "c", at("10:01"), rep="ana", direction="outbound", dialed_at=at("10:00"), outcome="busy"),
    ]

    assert metric(changes, "calls_connected", rep="ben") == 1
    assert metric(changes, "calls_made", rep="ana") == 0


def test_of_two_changes_of_one_instant_the_greater_digest_wins_whole() -> None:
    one = change("call", "c", at("10:00"), rep="ana", direction="outbound", dialed_at=at("10:00"))
    two = change("call", "c", at("10:00"), rep="ben", direction="outbound", dialed_at=at("10:00"))
    winner = "ana" if one.digest > two.digest else "ben"

    assert metric([one, two], "calls_made", rep=winner) == 1
    assert metric([two, one], "calls_made", rep=winner) == 1
    assert metric([two, one], "calls_made") == 1


def test_a_deleted_record_comes_back_when_the_crm_says_so() -> None:
    changes = [
        call("c"),
        change("call", "c", at("11:00"), deleted=True),
        change("call", "c", at("11:30"), deleted=False),
    ]

    assert metric(changes[:2], "calls_made") == 0
    assert metric(changes, "calls_made") == 1


def test_any_order_and_any_repetition_gives_the_same_rows() -> None:
    changes = [
        *ten_leads(),
        lead("l1", "06:00", merged_into="l2"),
        change("lead", "l3", at("09:00"), status="qualified", rep="ben"),
        deal("d", amount="12.345"),
        mail("e1", "08:00", thread="t"),
        mail("e2", "09:00", "inbound", thread="t"),
        change("rep", "ana", at("01:00"), team="north"),
        change("rep", "ana", at("03:00"), team="south"),
    ]
    shuffled = changes * 2
    random.Random(7).shuffle(shuffled)

    assert rows_of(shuffled, now=NOON) == rows_of(changes, now=NOON)
    assert clocks_of(shuffled, now=NOON) == clocks_of(changes, now=NOON)


# --- Calls, mails, meetings ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"outcome": "connected"}, 1),
        ({"answered_at": at("10:00")}, 1),
        ({}, 0),
        ({"outcome": "voicemail", "answered_at": at("10:00")}, 0),
        ({"outcome": "connected", "direction": "inbound"}, 0),
        ({"outcome": "connected", "internal": True}, 0),
        ({"outcome": "connected", "dialed_at": None}, 0),
    ],
    ids=["outcome", "answered", "neither", "voicemail", "inbound", "internal", "no instant"],
)
def test_a_connected_call_is_outbound_and_says_so_or_was_answered(fields: dict[str, Any], expected: int) -> None:
    assert metric([call("c", **fields)], "calls_connected") == expected


def test_talk_is_from_answer_to_end_of_connected_calls_of_both_directions() -> None:
    changes = [
        call("c1", answered_at=at("10:00"), ended_at=at("10:02"), talk_seconds=7),
        call("c2", direction="inbound", outcome="connected", talk_seconds=30.5),
        call("c3", answered_at=at("10:02"), ended_at=at("10:00")),
        call("c4", answered_at=at("10:00"), ended_at=at("10:30"), outcome="voicemail"),
    ]

    assert metric(changes, "talk_seconds") == 150.5
    assert metric(changes[:1], "talk_seconds") == 120


@pytest.mark.parametrize(("seconds", "expected"), [(59.9, 0), (60, 1)])
def test_a_call_is_a_conversation_from_a_minute_of_talk(seconds: float, expected: int) -> None:
    assert metric([talked("c", seconds)], "conversations") == expected
    assert metric([talked("c", seconds, direction="inbound")], "conversations") == expected


def test_the_least_talk_of_a_conversation_is_configured() -> None:
    config = make_config(conversation={"min_talk": "30s"})

    assert metric([talked("c", 30)], "conversations", config=config) == 1


@pytest.mark.parametrize(("calls", "expected"), [("both", 2), ("outbound", 1), ("inbound", 1), ("none", 0)])
def test_of_which_direction_a_conversation_is_is_configured(calls: str, expected: int) -> None:
    config = make_config(conversation={"calls": calls})
    changes = [talked("c1", 60), talked("c2", 60, direction="inbound")]

    assert metric(changes, "conversations", config=config) == expected
    assert metric(changes, "calls_connected", config=config) == 1


def test_automated_mails_are_counted_nowhere_even_when_they_may_answer_leads() -> None:
    config = make_config(lead_response={"automated": "include"})
    changes = [
        mail("e1", "09:00", thread="t", automated=True),
        mail("e2", "09:30", "inbound", thread="t"),
        mail("e3", "09:40", "inbound", thread="t", automated=True),
        mail("e4", "09:50", thread="t"),
    ]

    metrics = row_of(changes, now=NOON, config=config)["metrics"]

    assert (metrics["emails_sent"], metrics["emails_received"], metrics["conversations"]) == (1, 1, 0)


def test_an_answer_counts_for_the_rep_who_wrote_last_before_it() -> None:
    changes = [
        mail("e1", "09:00", thread="t"),
        mail("e2", "09:10", rep="ben", thread="t"),
        mail("e3", "09:20", "inbound", rep="ana", thread="t"),
        mail("e4", "09:30", thread="t"),
    ]

    assert metric(changes, "conversations", rep="ben") == 1
    assert metric(changes, "conversations", rep="ana") == 0


def test_mails_answer_only_what_was_sent_strictly_before_in_their_thread() -> None:
    same_instant = [mail("e1", "09:00", thread="t"), mail("e2", "09:00", "inbound", thread="t")]
    no_thread = [mail("e1", "09:00"), mail("e2", "09:10", "inbound")]
    other_thread = [mail("e1", "09:00", thread="t"), mail("e2", "09:10", "inbound", thread="u")]

    assert [metric(told, "conversations") for told in (same_instant, no_thread, other_thread)] == [0, 0, 0]


def test_of_two_mails_sent_at_one_instant_the_greater_id_is_answered() -> None:
    changes = [
        mail("e2", "09:00", rep="ben", thread="t"),
        mail("e1", "09:00", thread="t"),
        mail("e3", "09:10", "inbound", thread="t"),
    ]

    assert metric(changes, "conversations", rep="ben") == 1


def test_answers_count_once_per_rep_thread_and_day_at_the_first_of_them() -> None:
    changes = [
        mail("e1", "08:00", thread="t"),
        mail("e2", "09:00", "inbound", thread="t"),
        mail("e3", "11:30", "inbound", thread="t"),
        mail("e4", "11:31", rep="ben", thread="t"),
        mail("e5", "11:32", "inbound", thread="t"),
        mail("e6", "11:40", "inbound", thread="t", sent_at="2026-03-19T00:00Z"),
    ]

    assert metric(changes, "conversations", rep="ana") == 1
    assert metric(changes, "conversations", rep="ana", window="1h") == 0
    assert metric(changes, "conversations", rep="ben") == 1
    assert metric(changes, "conversations", window=(date(2026, 3, 18), date(2026, 3, 19))) == 3


def test_the_day_of_an_answer_is_the_organisations() -> None:
    changes = [
        mail("e1", "14:00", thread="t"),
        mail("e2", "15:59", "inbound", thread="t"),
        mail("e3", "16:00", "inbound", thread="t"),
    ]
    both_days = (date(2026, 3, 18), date(2026, 3, 19))

    config = make_config(timezone="Asia/Kuala_Lumpur")

    assert metric(changes, "conversations", window=both_days, config=config) == 2
    assert metric(changes, "conversations", window=both_days) == 1


def test_a_meeting_is_booked_by_its_booker_and_held_by_its_host() -> None:
    booked: dict[str, Any] = {"rep": "ana", "booked_at": at("09:00"), "starts_at": at("11:00")}
    changes = [
        change("meeting", "m1", **booked, booked_by="ben", outcome="held"),
        change("meeting", "m2", **booked, outcome="no_show"),
    ]

    ana, ben = (row_of(changes, now=NOON, rep=rep)["metrics"] for rep in ("ana", "ben"))

    assert (ana["meetings_booked"], ana["meetings_held"], ana["conversations"]) == (1, 1, 1)
    assert (ben["meetings_booked"], ben["meetings_held"], ben["conversations"]) == (1, 0, 0)
    assert metric(changes, "conversations", window="1h") == 0


# --- Persons and teams -----------------------------------------------------------------------------------------------


def test_aliases_lead_every_reference_to_the_rosters_id() -> None:
    config = make_config(reps={"ana": {"aliases": {"feed": ["77"]}}})
    changes = [
        call("c", rep="77"),
        change("meeting", "m", booked_by="77", booked_at=at("09:00")),
        lead("l", rep="77"),
        change("rep", "77", team="north"),
    ]

    rows = rows_of(changes, now=NOON, config=config)

    assert list(rows["reps"]) == ["ana"]
    assert rows["reps"]["ana"]["metrics"]["calls_made"] == 1
    assert rows["reps"]["ana"]["metrics"]["meetings_booked"] == 1
    assert rows["teams"]["north"]["metrics"]["leads_assigned"] == 1


def test_a_record_without_a_rep_counts_for_the_organisation_alone() -> None:
    rows = rows_of([call("c", rep=None)], now=NOON)

    assert rows["organisation"]["metrics"]["calls_made"] == 1
    assert rows["reps"] == {}
    assert rows["teams"] == {}


def test_a_rep_outside_the_roster_appears_in_no_team() -> None:
    rows = rows_of([call("c", rep="who")], now=NOON, config=make_config(teams={"north": {}}))

    assert rows["reps"]["who"]["metrics"]["calls_made"] == 1
    assert rows["teams"]["north"]["metrics"]["calls_made"] == 0


def test_the_files_team_wins_over_that_of_a_rep_record() -> None:
    config = make_config(teams={"north": {}}, reps={"ana": {"team": "north"}})
    rows = rows_of([change("rep", "ana", team="south"), call("c")], now=NOON, config=config)

    assert rows["teams"]["north"]["metrics"]["calls_made"] == 1
    assert rows["teams"]["south"]["metrics"]["calls_made"] == 0


def test_a_move_counts_from_the_start_of_its_day_and_the_first_team_extends_backwards() -> None:
    changes = [
        change("rep", "ana", "2026-03-17T12:00Z", team="north"),
        change("rep", "ana", at("11:00"), team="west"),
        change("rep", "ana", at("18:00"), team="south"),
        call("c1", dialed_at="2026-03-16T09:00Z"),
        call("c2", dialed_at=at("00:00")),
    ]

    teams = rows_of(changes, now=NOON, window="week")["teams"]

    assert {team: row["metrics"]["calls_made"] for team, row in teams.items()} == {"north": 1, "south": 1, "west": 0}


def test_the_day_of_a_move_is_the_organisations() -> None:
    changes = [
        change("rep", "ana", "2026-03-01T00:00Z", team="north"),
        change("rep", "ana", "2026-03-17T17:00Z", team="south"),
        call("c", dialed_at="2026-03-17T16:30Z"),
    ]

    assert metric(changes, "calls_made", team="south", config=make_config(timezone="Asia/Kuala_Lumpur")) == 1
    assert metric(changes, "calls_made", team="south", window="yesterday") == 1
    assert metric(changes, "calls_made", team="north", window="yesterday") == 0


def test_two_records_of_one_person_share_one_team_history() -> None:
    config = make_config(reps={"ana": {"aliases": {"feed": ["77"]}}})
    changes = [
        change("rep", "77", "2026-03-10T00:00Z", team="north"),
        change("rep", "ana", "2026-03-18T00:00Z", team="south"),
        call("c1", dialed_at="2026-03-17T09:00Z"),
        call("c2"),
    ]

    teams = rows_of(changes, now=NOON, window="week", config=config)["teams"]

    assert [teams[team]["metrics"]["calls_made"] for team in ("north", "south")] == [1, 1]


def test_a_deleted_rep_record_says_nothing_of_a_team() -> None:
    changes = [change("rep", "ana", team="north"), change("rep", "ana", at("11:00"), deleted=True), call("c")]

    rows = rows_of(changes, now=NOON)

    assert rows["teams"] == {}
    assert rows["reps"]["ana"]["metrics"]["calls_made"] == 1


def test_only_the_newest_64_team_entries_are_remembered() -> None:
    start = instant("2026-01-01T00:00Z")
    changes = [change("rep", "ana", start + number * MINUTE, team=f"t{number}") for number in range(66)]
    changes.append(call("c", dialed_at="2025-12-01T00:00Z"))

    rows = rows_of(changes, now=NOON, window=(date(2025, 12, 1), date(2025, 12, 1)))

    assert len(rows["teams"]) == 64
    assert rows["teams"]["t2"]["metrics"]["calls_made"] == 1


# --- Leads -----------------------------------------------------------------------------------------------------------


def test_a_lead_is_assigned_when_it_says_so_else_when_it_was_received() -> None:
    changes = [
        lead("l1", "10:00", assigned_at=at("11:30")),
        lead("l2", "10:00"),
        lead("l3", received_at=None),
        lead("l4", "10:00", merged_into="l2"),
    ]

    assert metric(changes, "leads_assigned") == 2
    assert metric(changes, "leads_assigned", window="1h") == 1


def test_a_lead_without_a_start_has_no_clock_and_is_assigned_all_the_same() -> None:
    changes = [lead("l", received_at=None, assigned_at=at("09:00")), call("c", lead="l")]

    assert metric(changes, "leads_assigned") == 1
    assert metric(changes, "leads_due") == 0
    assert clocks_of(changes, now=NOON) == {}


def test_the_clock_starts_with_the_assignment_where_so_configured() -> None:
    config = make_config(lead_response={"start": "assigned"})
    changes = [lead("l", "10:00", assigned_at=at("10:20")), call("c", "10:30", lead="l")]

    assert metric(changes, "lead_response_seconds_p50", config=config) == 10 * 60


@pytest.mark.parametrize(
    ("touch", "attempt", "contact"),
    [
        (call(lead="l", outcome="no_answer"), True, False),
        (call(lead="l", outcome="failed"), False, False),
        (call(lead="l", outcome="connected"), True, True),
        (call(lead="l", internal=True, outcome="connected"), False, False),
        (talked("c", 59, lead="l", direction="inbound"), False, True),
        (talked("c", 60, lead="l", direction="inbound"), True, True),
        (mail("e", "10:00", lead="l"), True, False),
        (mail("e", "10:00", lead="l", automated=True), False, False),
        (mail("e", "10:00", "inbound", lead="l"), False, True),
        (mail("e", "10:00", "inbound", lead="l", automated=True), False, False),
        (change("meeting", "m", lead="l", starts_at=at("10:00"), outcome="held"), True, True),
        (change("meeting", "m", lead="l", starts_at=at("10:00"), outcome="no_show"), False, False),
        (call(lead="l", dialed_at=None), False, False),
        (call(lead="other"), False, False),
    ],
)
def test_each_kind_of_touch_stops_the_clocks_it_should(touch: RecordChange, attempt: bool, contact: bool) -> None:
    for stop, expected in (("attempt", attempt), ("contact", contact)):
        config = make_config(lead_response={"stop": stop})

        assert metric([lead("l", "09:00"), touch], "leads_answered", config=config) == int(expected), stop


def test_an_automated_mail_answers_where_so_configured() -> None:
    config = make_config(lead_response={"automated": "include"})
    changes = [lead("l", "10:00"), mail("e", "10:01", lead="l", automated=True)]

    assert metric(changes, "lead_response_seconds_p50", config=config) == 60


def test_of_touches_at_one_instant_the_kind_and_then_the_id_decides() -> None:
    changes = [
        lead("l", "10:00"),
        mail("a", "10:05", lead="l"),
        call("c2", "10:05", lead="l"),
        call("c1", "10:05", lead="l", rep="ben"),
    ]

    clock = clocks_of(changes, now=NOON)["l"]

    assert clock["touch"] == ("call", "c1")
    assert (clock["rep"], clock["counts_for"]) == ("ana", "ben")


def test_a_touch_before_the_start_is_an_answer_in_no_time() -> None:
    assert metric([lead("l", "10:00"), call("c", "09:00", lead="l")], "lead_response_seconds_p90") == 0


def test_a_response_counts_for_who_gave_it_and_for_nobody_if_nobody_is_known() -> None:
    changes = [lead("l", "10:00"), call("c", "10:05", lead="l", rep=None)]

    assert metric(changes, "leads_answered") == 1
    assert rows_of(changes, now=NOON)["reps"]["ana"]["metrics"]["leads_due"] == 0


def test_qualification_is_the_first_status_ever_that_says_so() -> None:
    config = make_config(lead_response={"stop": "qualified"})
    changes = [
        lead("l", "10:00", rep="ben", status="new"),
        change("lead", "l", at("10:40"), status="converted"),
        change("lead", "l", at("10:30"), status="qualified"),
        change("lead", "l", at("10:50"), status="disqualified"),
        call("c", "10:01", lead="l"),
    ]

    clock = clocks_of(changes, now=NOON, config=config)["l"]

    assert clock["response"] == 30 * MINUTE
    assert (clock["touch"], clock["counts_for"]) == (("lead", "l"), "ben")


def test_qualification_is_taken_from_merged_leads_deleted_ones_too() -> None:
    config = make_config(lead_response={"stop": "qualified"})
    changes = [
        lead("l", "10:00"),
        lead("m", "10:10", merged_into="l"),
        change("lead", "m", at("10:30"), status="qualified"),
        change("lead", "m", at("11:00"), deleted=True),
    ]

    for said in (changes[:3], changes):
        assert clocks_of(said, now=NOON, config=config)["l"]["touch"] == ("lead", "m")


def test_a_merged_lead_gives_its_start_and_its_touches_to_the_end_of_the_chain() -> None:
    changes = [
        lead("a", "09:00", merged_into="b", rep="ben"),
        lead("b", "09:30", merged_into="c"),
        lead("c", "10:00"),
        call("k1", "09:20", lead="a"),
        call("k2", "10:20", lead="c"),
    ]

    clocks = clocks_of(changes, now=NOON)

    assert list(clocks) == ["c"]
    assert clocks["c"]["started_at"] == instant(at("09:00"))
    assert clocks["c"]["response"] == 20 * MINUTE
    assert metric(changes, "leads_due") == 1


def test_a_merge_that_is_undone_gives_both_leads_back() -> None:
    changes = [
        lead("a", "09:00", merged_into="b"),
        lead("b", "10:00"),
        change("lead", "a", at("11:00"), merged_into=None),
    ]

    assert {name: clock["started_at"] for name, clock in clocks_of(changes, now=NOON).items()} == {
        "a": instant(at("09:00")),
        "b": instant(at("10:00")),
    }


def test_in_a_circle_of_merges_the_smallest_id_is_the_root_also_of_those_that_lead_into_it() -> None:
    changes = [
        lead("a", "08:00", merged_into="d"),
        lead("d", "09:00", merged_into="c"),
        lead("c", "09:30", merged_into="b"),
        lead("b", "10:00", merged_into="d"),
        lead("self", "11:00", merged_into="self"),
    ]

    for told in (changes, changes[::-1]):
        clocks = clocks_of(told, now=NOON)

        assert sorted(clocks) == ["b", "self"]
        assert clocks["b"]["started_at"] == instant(at("08:00"))


def test_a_lead_merged_into_one_never_seen_lives_on_there_and_of_a_deleted_one_nothing_counts() -> None:
    unseen = [lead("a", "09:00", merged_into="nobody")]
    deleted = [lead("a", "09:00", merged_into="b"), change("lead", "b", received_at=at("08:00"), deleted=True)]

    assert metric(unseen, "leads_assigned") == 1
    assert list(clocks_of(unseen, now=NOON)) == ["nobody"]
    assert metric(deleted, "leads_assigned") == 0
    assert clocks_of(deleted, now=NOON) == {}


def test_a_root_takes_the_newest_word_of_those_merged_into_it_each_of_which_speaks_for_itself_first() -> None:
    """When they were merged does not matter: `a` is the first. What `b` said stays behind `c`, which has an owner."""
    told = [
        change("lead", "a", at("08:30"), received_at=at("08:30"), rep="r2", source="web", name="Ann"),
        change("lead", "a", at("09:10"), merged_into="d"),
        change("lead", "c", at("08:40"), received_at=at("08:00"), rep="r3"),
        change("lead", "b", at("09:00"), received_at=at("08:20"), rep="r4", source="mail"),
        change("lead", "b", at("09:20"), merged_into="c"),
        change("lead", "c", at("09:30"), merged_into="d"),
    ]

    pipeline = Pipeline(make_config())
    pipeline.take(told)
    clock = pipeline.view().clocks["d"]

    assert (clock.rep, clock.source, clock.name) == ("r3", "mail", "Ann")
    assert clocks_of(told, now=NOON)["d"]["started_at"] == instant(at("08:00"))
    assert row_of(told, now=NOON, rep="r3")["metrics"]["leads_assigned"] == 1


def test_of_those_that_one_merge_took_in_the_first_speaks() -> None:
    """So a merge that makes a new record says which was the primary one."""
    told = [
        change("lead", "a", at("08:30"), received_at=at("08:30"), rep="r2"),
        change("lead", "b", at("08:40"), received_at=at("08:40"), rep="r3", source="web"),
        change("lead", "a", at("08:59:59.999999"), merged_into="d"),
        change("lead", "b", at("09:00"), merged_into="d"),
    ]

    pipeline = Pipeline(make_config())
    pipeline.take(told)
    clock = pipeline.view().clocks["d"]

    assert (clock.rep, clock.source) == ("r2", "web")
    assert row_of(told, now=NOON, rep="r2")["metrics"]["leads_assigned"] == 1


def test_a_deleted_lead_leads_to_its_root_and_gives_it_its_start() -> None:
    changes = [
        lead("a", "09:30", merged_into="b"),
        change("lead", "b", received_at=at("08:00"), merged_into="c", deleted=True),
        lead("c", "10:00"),
        call("k", "09:40", lead="b"),
    ]

    clock = clocks_of(changes, now=NOON)["c"]

    assert clock["started_at"] == instant(at("08:00"))
    assert clock["response"] == 100 * MINUTE


def test_a_lead_is_due_from_the_instant_its_sla_has_run_out() -> None:
    changes = [lead("l", "10:00")]

    assert metric(changes, "leads_due", now="2026-03-18T10:59:59.999999Z") == 0
    assert metric(changes, "leads_due", now=at("11:00")) == 1
    assert metric([*changes, call("c", "10:10", lead="l")], "leads_due", now=at("10:10")) == 1


def test_an_answer_at_the_due_instant_is_within_the_sla() -> None:
    assert metric([lead("l", "10:00"), call("c", "11:00", lead="l")], "lead_response_within_sla") == 1.0
    assert metric([lead("l", "10:00"), call("c", "11:01", lead="l")], "lead_response_within_sla") == 0.0


def test_the_sla_is_that_of_the_roots_source() -> None:
    config = make_config(lead_response={"rules": [{"when": {"source": "demo"}, "sla": "5m"}, {"sla": "2h"}]})
    changes = [lead("a", "10:00", source="demo"), lead("b", "10:00", source="list"), lead("c", "10:00")]

    clocks = clocks_of(changes, now=NOON, config=config)

    due = {name: clock["due_at"] - clock["started_at"] for name, clock in clocks.items()}
    assert due == {"a": 5 * MINUTE, "b": 120 * MINUTE, "c": 120 * MINUTE}


def test_a_lead_counts_in_the_window_of_its_start_whenever_it_was_answered() -> None:
    changes = [lead("l", received_at="2026-03-17T23:50Z"), call("c", "00:10", lead="l")]

    assert metric(changes, "leads_answered") == 0
    assert metric(changes, "lead_response_seconds_p50", window="yesterday") == 20 * 60


@pytest.mark.parametrize(
    ("now", "state"), [("10:44", "waiting"), ("10:45", "warned"), ("10:59", "warned"), ("11:00", "breached")]
)
def test_a_waiting_lead_is_warned_and_breached_in_its_time(now: str, state: str) -> None:
    clock = clocks_of([lead("l", "10:00", status="new")], now=at(now))["l"]

    assert (clock["waiting"], clock["state"]) == (True, state)


def test_a_lead_that_left_new_waits_no_longer_but_stays_in_the_sla_counts() -> None:
    changes = [lead("l", "10:00", status="disqualified")]

    clock = clocks_of(changes, now=NOON)["l"]

    assert (clock["waiting"], clock["state"]) == (False, None)
    assert metric(changes, "leads_due") == 1


def test_a_bound_is_at_least_the_longest_answer() -> None:
    changes = [lead("a", "06:00"), call("c", "11:00", lead="a"), lead("b", "10:30")]

    row = row_of(changes, now=NOON)

    assert row["metrics"]["lead_response_seconds_p50"] is None
    assert row["bounds"] == {
        "lead_response_seconds_p50": 300 * 60,
        "lead_response_seconds_p90": 300 * 60,
    }


def test_bounds_are_interpolated_between_what_the_unanswered_have_waited() -> None:
    row = row_of([lead("a", "10:00"), lead("b", "09:00")], now=NOON)

    assert row["bounds"] == {"lead_response_seconds_p50": 150 * 60, "lead_response_seconds_p90": 174 * 60}


def test_a_rank_that_is_exactly_the_last_answer_is_known() -> None:
    changes = [lead("a", "10:00"), call("c", "10:10", lead="a"), lead("b", "10:00"), lead("d", "10:00")]
    changes.append(call("k", "10:20", lead="b"))

    row = row_of(changes, now=NOON)

    assert row["metrics"]["lead_response_seconds_p50"] == 20 * 60
    assert list(row["bounds"]) == ["lead_response_seconds_p90"]


# --- Deals -----------------------------------------------------------------------------------------------------------


def test_deals_in_another_currency_are_converted_or_left_out_of_money_and_its_averages() -> None:
    config = make_config(currency_rates={"EUR": "1.08"})
    changes = [
        deal("d1", amount="100.10"),
        deal("d2", amount=50, currency="EUR"),
        deal("d3", amount=1000, currency="GBP"),
        deal("d4", amount=None, currency="USD"),
    ]

    metrics = row_of(changes, now=NOON, config=config)["metrics"]

    assert metrics["deals_won"] == 4
    assert metrics["revenue_won"] == "154.10"
    assert metrics["average_deal_size"] == "51.37"


def test_an_average_of_no_priced_deal_is_none() -> None:
    metrics = row_of([deal("d", amount=1, currency="GBP")], now=NOON)["metrics"]

    assert (metrics["revenue_won"], metrics["average_deal_size"]) == ("0.00", None)


@pytest.mark.parametrize(
    ("currency", "amounts", "expected"),
    [
        ("USD", ["0.005"], "0.00"),
        ("USD", ["0.015"], "0.02"),
        ("USD", ["0.005", "0.005"], "0.01"),
        ("USD", ["-0.004"], "0.00"),
        ("USD", ["-1.5"], "-1.50"),
        ("USD", ["99999999999999999999999999999999.99", "0.01"], "100000000000000000000000000000000.00"),
        ("JPY", ["1.5", "1"], "2"),
        ("KWD", ["1.2345"], "1.234"),
    ],
)
def test_money_is_summed_exactly_and_rounded_once_with_halves_to_even(
    currency: str, amounts: list[str], expected: str
) -> None:
    changes = [deal(f"d{number}", amount=amount) for number, amount in enumerate(amounts)]

    assert metric(changes, "revenue_won", config=make_config(currency=currency)) == expected


def test_the_sales_cycle_is_the_median_of_won_deals_in_days() -> None:
    closed = instant(at("10:00"))
    days = [1, 4, 0]
    changes = [deal(f"d{n}", created_at=closed - length * DAY) for n, length in enumerate(days)]
    changes += [deal("lost", "lost", created_at=closed - 90 * DAY), deal("no_start")]

    assert metric(changes, "sales_cycle_days_p50") == 1.0
    assert metric(changes[:2], "sales_cycle_days_p50") == 2.5


def test_a_close_before_the_creation_is_in_no_cycle() -> None:
    early = deal("d", created_at=instant(at("10:00")) + 1)

    assert metric([early], "sales_cycle_days_p50") is None
    assert metric([early], "deals_won") == 1


def test_a_deal_whose_close_nobody_stated_closed_when_its_status_said_so() -> None:
    assert metric([deal("d", closed_at=None, amount=5)], "deals_won") == 1
    assert metric([deal("d", "lost", closed_at=None)], "deals_lost") == 1
    assert metric([deal("d", "open", closed_at=None)], "deals_won") == 0


# --- Windows ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("window", "first", "last"),
    [
        ("5m", "2026-05-14T11:56:00Z", "2026-05-14T12:00:59.999999Z"),
        ("15m", "2026-05-14T11:46:00Z", "2026-05-14T12:00:59.999999Z"),
        ("1h", "2026-05-14T11:01:00Z", "2026-05-14T12:00:59.999999Z"),
        ("4h", "2026-05-14T08:01:00Z", "2026-05-14T12:00:59.999999Z"),
        ("24h", "2026-05-13T12:01:00Z", "2026-05-14T12:00:59.999999Z"),
        ("today", "2026-05-14T00:00+02:00", "2026-05-14T23:59:59.999999+02:00"),
        ("yesterday", "2026-05-13T00:00+02:00", "2026-05-13T23:59:59.999999+02:00"),
        ("week", "2026-05-10T00:00+02:00", "2026-05-14T23:59:59.999999+02:00"),
        ("month", "2026-05-01T00:00+02:00", "2026-05-14T23:59:59.999999+02:00"),
        ("quarter", "2026-04-01T00:00+02:00", "2026-05-14T23:59:59.999999+02:00"),
        ("year", "2026-01-01T00:00+01:00", "2026-05-14T23:59:59.999999+02:00"),
        ("7d", "2026-05-08T00:00+02:00", "2026-05-14T23:59:59.999999+02:00"),
        ("30d", "2026-04-15T00:00+02:00", "2026-05-14T23:59:59.999999+02:00"),
        ((date(2026, 3, 29), date(2026, 3, 29)), "2026-03-29T00:00+01:00", "2026-03-29T23:59:59.999999+02:00"),
    ],
    ids=str,
)
def test_a_window_holds_exactly_what_lies_between_its_ends(window: RecountedWindow, first: str, last: str) -> None:
    config = make_config(timezone="Europe/Berlin", week_starts="sunday")  # 2026-05-14 is a Thursday
    ends = [instant(first), instant(last)]
    outside = [ends[0] - 1, ends[1] + 1]

    def calls(instants: list[int]) -> ServedValue:
        changes = [call(f"c{number}", dialed_at=moment) for number, moment in enumerate(instants)]
        now = instant("2026-05-14T12:00:30Z")
        return metric(changes, "calls_made", now=now, window=window, config=config)

    assert (calls(ends), calls(outside)) == (2, 0)


def test_today_begins_at_the_organisations_midnight() -> None:
    config = make_config(timezone="Asia/Kuala_Lumpur")

    assert metric([call("c", "00:30")], "calls_made", now=at("15:59"), config=config) == 1
    assert metric([call("c", "00:30")], "calls_made", now=at("16:00"), config=config) == 0


def test_an_unknown_window_is_named() -> None:
    with pytest.raises(ValueError, match="'fortnight' is not a window"):
        row_of([], now=NOON, window="fortnight")


# --- Rows ------------------------------------------------------------------------------------------------------------


def test_where_nothing_happened_counts_are_zero_and_ratios_are_none() -> None:
    config = make_config(teams={"north": {}}, reps={"ana": {"team": "north"}})
    rows = rows_of([], now=NOON, config=config)
    absent = {
        "connect_rate", "lead_response_seconds_p50", "lead_response_seconds_p90", "lead_response_within_sla",
        "win_rate", "average_deal_size", "sales_cycle_days_p50", "cac", "customer_retention", "win_rate_created",
    }  # fmt: skip
    zero = {
        "calls_made",
        "talk_seconds",
        "leads_due",
        "leads_missed",
        "mrr",
        "arr",
        "revenue_net",
        "crm_days",
        "customers",
    }

    for row in (rows["organisation"], rows["teams"]["north"], rows["reps"]["ana"]):
        assert tuple(row["metrics"]) == METRICS
        nothing = {name for name, value in row["metrics"].items() if value is None}
        assert absent <= nothing
        assert zero.isdisjoint(nothing)
        here = {"reps_active", "scheduled_days"}
        assert {row["metrics"][name] for name in here} == {1}
        assert {value for name, value in row["metrics"].items() if name not in nothing | here} == {0, "0.00"}
        assert row["bounds"] == {}


def busy_floor(config: Config, number: int) -> list[RecordChange]:
    dice = random.Random(3)
    day = instant("2026-03-18T00:00Z")
    changes = []
    for n in range(number):
        moment = day + dice.randrange(86_400) * SECOND
        rep = dice.choice([*config.reps, "guest", None])
        changes.append(call(f"c{n}", rep=rep, lead=f"l{n % 50}", dialed_at=moment, outcome="connected", talk_seconds=n))
        changes.append(lead(f"l{n}", rep=rep, received_at=moment - 600 * SECOND))
        changes.append(deal(f"d{n}", rep=rep, closed_at=moment, amount=n))
    return changes


@pytest.mark.parametrize("window", ["1h", "today"])
def test_all_rows_at_once_are_the_rows_one_by_one(window: str) -> None:
    config = make_config(
        teams={"north": {}, "south": {}}, reps={"ana": {"team": "north"}, "ben": {"team": "south"}, "cleo": {}}
    )
    books = recount(busy_floor(config, 60), config)
    now = instant("2026-03-18T18:00Z")

    rows = books.rows(now=now, window=window)

    assert rows["organisation"] == books.metrics(now=now, window=window)
    assert rows["teams"] == {team: books.metrics(now=now, window=window, team=team) for team in ("north", "south")}
    assert rows["reps"] == {
        rep: books.metrics(now=now, window=window, rep=rep) for rep in ("ana", "ben", "cleo", "guest")
    }


def test_a_row_is_of_a_rep_or_of_a_team() -> None:
    with pytest.raises(ValueError, match="not both"):
        row_of([], now=NOON, rep="ana", team="north")


# --- Comparing -------------------------------------------------------------------------------------------------------


def test_equal_rows_have_no_differences_and_each_other_value_is_named() -> None:
    ours = rows_of([call("c1"), call("c2"), deal("d", amount=1)], now=NOON)
    theirs = rows_of([call("c1"), deal("d", amount=2)], now=NOON)

    assert differences(ours, ours) == []
    told = [*map(str, differences(ours, theirs))]
    for scope in ("organisation", "rep ana"):
        assert {
            f"{scope}: average_deal_size: recounted '1.00', served '2.00'",
            f"{scope}: calls_made: recounted 2, served 1",
            f"{scope}: revenue_won: recounted '1.00', served '2.00'",
        } <= {*told}
        assert not any(line.startswith((f"{scope}: deals_won", f"{scope}: emails_sent")) for line in told)


def test_a_rep_that_one_side_lacks_has_done_nothing() -> None:
    idle = rows_of([change("call", "c", rep="ana", dialed_at="2026-03-10T10:00Z")], now=NOON)
    empty = rows_of([], now=NOON)
    busy = rows_of([call("c")], now=NOON)

    assert differences(idle, empty) == []
    assert "rep ana: calls_made: recounted 0, served 1" in [*map(str, differences(empty, busy))]


def test_null_is_not_zero() -> None:
    ours, theirs = rows_of([], now=NOON), rows_of([], now=NOON)
    theirs["organisation"]["metrics"]["win_rate"] = 0.0
    theirs["organisation"]["bounds"]["lead_response_seconds_p90"] = 5.0

    assert [*map(str, differences(ours, theirs))] == [
        "organisation: win_rate: recounted None, served 0.0",
        "organisation: bound of lead_response_seconds_p90: recounted None, served 5.0",
    ]

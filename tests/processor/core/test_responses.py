"""Lead clocks by worked examples: elapsed and business time, rules, owners in turn, later inquiries, moves of reps."""

import random
from collections.abc import Sequence
from typing import Any

import pytest

from schemas.config import Config
from schemas.instants import HOUR, MINUTE, SECOND
from schemas.leads import LeadClock
from schemas.records import RecordChange
from tests.builders import change, instant, make_config
from tests.oracle import clocks_of
from tests.pipeline import Pipeline, served

OFFICE = {"office": {"timezone": "Europe/Berlin", "hours": {"mon-fri": ["09:00-18:00"]}}}


def berlin(*, clock: str = "business", sla: str = "1h", **lead_response: Any) -> Config:
    return make_config(
        timezone="Europe/Berlin",
        calendars=OFFICE,
        teams={"north": {"calendar": "office"}, "night": {}},
        reps={"ana": {"team": "north"}, "nat": {"team": "night"}},
        lead_response={"rules": [{"sla": sla, "clock": clock}], **lead_response},
    )


def clock_of(changes: Sequence[RecordChange], config: Config | None = None, lead: str = "l") -> LeadClock:
    pipeline = Pipeline(config or make_config())
    pipeline.take(changes)
    return pipeline.view().clocks[lead]


def at(time: str) -> str:
    return f"2026-03-18T{time}Z"


def lead(changed: str = "10:00", /, **fields: Any) -> RecordChange:
    return change("lead", "l", at(changed), **fields)


def call(name: str, dialed: str, /, **fields: Any) -> RecordChange:
    return change(
        "call", name, **{"rep": "ana", "lead": "l", "direction": "outbound", "dialed_at": at(dialed)} | fields
    )


def mail(name: str, sent: str, direction: str = "outbound", /, **fields: Any) -> RecordChange:
    return change("email", name, **{"rep": "ana", "lead": "l", "direction": direction, "sent_at": at(sent)} | fields)


# --- Worked vectors of the definitions --------------------------------------------------------------------------------


WEEKEND = [
    change("lead", "l", "2026-03-20T17:55+01:00", rep="ana", received_at="2026-03-20T17:50+01:00",
           assigned_at="2026-03-20T17:55+01:00"),
    change("email", "e", lead="l", direction="outbound", automated=True, sent_at="2026-03-20T17:50:05+01:00"),
    change("call", "c", rep="ana", lead="l", direction="outbound", dialed_at="2026-03-23T09:20+01:00"),
]  # fmt: skip


def test_a_lead_of_friday_evening_has_waited_half_a_business_hour_on_monday_morning() -> None:
    clock = clock_of(WEEKEND, berlin())

    assert (clock.response, clock.business_response) == (63 * HOUR + 30 * MINUTE, 30 * MINUTE)
    assert clock.assigned_business_response == 25 * MINUTE
    assert clock.automated_at == instant("2026-03-20T17:50:05+01:00")
    assert clock.due_at == instant("2026-03-23T09:50+01:00")
    assert clock.is_within_sla


def test_the_same_lead_is_long_overdue_on_the_elapsed_clock() -> None:
    clock = clock_of(WEEKEND, berlin(clock="elapsed"))

    assert clock.due_at == instant("2026-03-20T18:50+01:00")
    assert clock.business_response == 30 * MINUTE
    assert clock.is_within_sla is False


def test_an_automated_mail_answers_after_five_seconds_where_it_may() -> None:
    assert clock_of(WEEKEND, berlin(automated="include")).response == 5 * SECOND


def test_the_hour_that_summer_time_skips_is_not_waited() -> None:
    clock = clock_of(
        [
            change("lead", "l", received_at="2026-03-28T23:30+01:00"),
            change("call", "c", lead="l", direction="outbound", dialed_at="2026-03-29T03:15+02:00"),
        ]
    )

    assert clock.response == 2 * HOUR + 45 * MINUTE


def test_a_touch_that_is_known_before_its_lead_counts_all_the_same() -> None:
    changes = [mail("e", "10:07"), lead(received_at=at("10:00"))]

    found = {clock_of(told).response for told in (changes, changes[::-1], [*changes, *changes[::-1], *changes])}

    assert found == {7 * MINUTE}


def test_each_owner_has_a_clock_beside_the_leads() -> None:
    clock = clock_of(
        [
            lead(received_at=at("10:00")),
            lead("10:05", rep="ana"),
            lead("10:50", rep="ben"),
            call("c", "11:02", rep="ben"),
        ]
    )

    assert clock.response == 62 * MINUTE
    assert clock.is_within_sla is False
    ana, ben = clock.holders
    assert (ana.rep, ana.answered_at, ana.time_held(instant(at("12:00")))) == ("ana", None, 45 * MINUTE)
    assert (ben.rep, ben.until, ben.time_held(instant(at("12:00")))) == ("ben", None, 12 * MINUTE)


def test_ten_leads_of_which_three_wait_count_as_due() -> None:
    changes = [change("lead", f"l{n}", rep="ana", received_at=at("10:00")) for n in range(10)]
    for n, minutes in enumerate((5, 10, 20, 30, 40, 50, 180)):
        changes.append(call(f"c{n}", f"{10 + minutes // 60}:{minutes % 60:02d}", lead=f"l{n}"))
    pipeline = Pipeline(make_config())
    pipeline.take(changes)

    row: Any = served(pipeline.view(), now=instant(at("15:00")), window="today")["organisation"]

    assert row["metrics"]["lead_response_within_sla"] == pytest.approx(0.6)
    assert row["metrics"]["lead_response_seconds_p50"] == 45 * 60
    assert row["metrics"]["lead_response_seconds_p90"] is None
    assert row["bounds"]["lead_response_seconds_p90"] == 300 * 60


# --- Rules, calendars, instants ---------------------------------------------------------------------------------------


def test_the_rule_is_that_of_source_and_team_and_the_first_that_matches() -> None:
    config = berlin(
        rules=[
            {"when": {"source": "demo_request", "team": "north"}, "sla": "5m"},
            {"when": {"team": ["night", "north"]}, "sla": "20m"},
        ]
    )
    given = {"received_at": at("10:00")}

    found = [
        clock_of([lead(rep=rep, source=source, **given)], config).sla // MINUTE
        for rep, source in (("ana", "demo_request"), ("ana", "web"), ("nat", "demo_request"), (None, "demo_request"))
    ]

    assert found == [5, 20, 20, 60]


def test_a_team_without_a_calendar_has_elapsed_time_only() -> None:
    clock = clock_of([lead(rep="nat", received_at="2026-03-20T17:50+01:00")], berlin())

    assert clock.due_at == instant("2026-03-20T18:50+01:00")
    assert (clock.is_business, clock.calendar) == (False, None)
    assert clock.business_waiting(berlin().business_calendars(), instant("2026-03-23T09:20+01:00")) is None


def test_warning_and_escalation_run_on_the_rules_clock() -> None:
    clock = clock_of([lead(rep="ana", received_at="2026-03-20T17:50+01:00")], berlin())

    assert clock.warn_at == instant("2026-03-23T09:35+01:00")
    assert clock.escalate_at == instant("2026-03-23T10:50+01:00")
    assert [clock.state(instant(f"2026-03-23T09:{m}+01:00"), 0.75) for m in ("34", "35", "50")] == [
        "waiting", "warned", "breached",
    ]  # fmt: skip


def test_nothing_escalates_before_it_is_due() -> None:
    clock = clock_of([lead(received_at=at("10:00"))], make_config(lead_response={"rules": [{"sla": "4h"}]}))

    assert clock.escalate_at == clock.due_at == instant(at("14:00"))


def test_an_answer_after_the_evening_in_which_it_was_due_is_late() -> None:
    clock = clock_of(
        [lead(rep="ana", received_at=at("16:00")), call("c", "18:00")],  # 17:00 and 19:00 in Berlin
        berlin(),
    )

    assert clock.due_at == instant(at("17:00"))
    assert clock.business_response == HOUR
    assert clock.is_within_sla is False


def test_teams_in_different_zones_go_by_their_own_calendars() -> None:
    config = make_config(
        calendars=OFFICE | {"denver": {"timezone": "America/Denver", "hours": {"mon-fri": ["09:00-18:00"]}}},
        teams={"north": {"calendar": "office"}, "west": {"calendar": "denver"}},
        reps={"ana": {"team": "north"}, "wes": {"team": "west"}},
        lead_response={"rules": [{"sla": "1h", "clock": "business"}]},
    )

    due = [clock_of([lead(rep=rep, received_at=at("06:00"))], config).due_at for rep in ("ana", "wes")]

    assert due == [instant(at("09:00")), instant(at("16:00"))]


# --- Options ----------------------------------------------------------------------------------------------------------


TOUCHED = [
    lead("09:00", rep="ana", received_at=at("10:00"), assigned_at=at("10:10")),
    mail("before", "09:50"),
    call("colleague", "10:15", rep="ben"),
    call("own", "10:30"),
    lead("10:45", rep="cem"),
    call("new owner", "11:00", rep="cem"),
]


@pytest.mark.parametrize(
    ("options", "start", "touch"),
    [
        ({}, "10:00", "email|before"),
        ({"before_start": "exclude"}, "10:00", "call|colleague"),
        ({"start": "assigned", "before_start": "exclude"}, "10:10", "call|colleague"),
        ({"start": "reassigned", "before_start": "exclude"}, "10:45", "call|new owner"),
        ({"responder": "owner", "before_start": "exclude"}, "10:00", "call|own"),
        ({"responder": "team", "before_start": "exclude"}, "10:00", "call|colleague"),
    ],
)
def test_options_say_when_a_clock_starts_and_who_may_stop_it(options: dict[str, str], start: str, touch: str) -> None:
    config = make_config(
        teams={"north": {}, "south": {}},
        reps={"ana": {"team": "north"}, "ben": {"team": "north"}, "cem": {"team": "south"}},
        lead_response=options,
    )

    clock = clock_of(TOUCHED, config)

    assert (clock.started_at, clock.touch) == (instant(at(start)), touch)
    assert clock.is_touched_before == (touch == "email|before")


def test_attempt_contact_and_qualification_are_known_whichever_stops_the_clock() -> None:
    clock = clock_of(
        [
            lead(received_at=at("10:00"), status="new"),
            call("c", "10:10", outcome="no_answer"),
            mail("e", "10:20", "inbound"),
            lead("10:30", status="qualified"),
        ]
    )

    assert [clock.attempted_at, clock.contacted_at, clock.qualified_at] == [
        instant(at(time)) for time in ("10:10", "10:20", "10:30")
    ]


def test_an_answer_may_count_for_the_owner() -> None:
    pipeline = Pipeline(make_config(lead_response={"credit": "owner"}))
    pipeline.take([lead(rep="ana", received_at=at("10:00")), call("c", "10:10", rep="ben")])

    rows: Any = served(pipeline.view(), now=instant(at("12:00")), window="today")["reps"]

    assert rows["ana"]["metrics"]["leads_answered"] == 1
    assert rows["ben"]["metrics"]["leads_answered"] == 0


# --- Owners and inquiries ---------------------------------------------------------------------------------------------


def test_the_only_owner_has_held_the_lead_since_it_was_assigned_not_since_it_was_imported() -> None:
    clock = clock_of([lead("15:00", rep="ana", received_at=at("10:00"), assigned_at=at("10:05")), call("c", "10:25")])

    assert [holder.time_held(instant(at("16:00"))) for holder in clock.holders] == [20 * MINUTE]


def test_nobody_has_no_clock_and_ends_the_one_before() -> None:
    clock = clock_of(
        [
            lead("10:00", rep="ana", received_at=at("10:00")),
            lead("10:20", rep=None),
            lead("10:50", rep="ana"),
            call("c", "10:55"),
        ]
    )

    assert [(holder.rep, holder.time_held(instant(at("12:00"))) // MINUTE) for holder in clock.holders] == [
        ("ana", 20), ("ana", 5),
    ]  # fmt: skip


def test_who_writes_again_after_an_answer_starts_a_later_clock() -> None:
    clock = clock_of(
        [
            lead(rep="ana", received_at=at("08:00")),
            mail("before", "08:02", "inbound"),
            call("answer", "08:10"),
            mail("again", "09:00", "inbound"),
            mail("impatient", "09:30", "inbound"),
            mail("machine", "09:31", automated=True),
            call("reply", "09:40"),
            mail("vacation", "10:00", "inbound", automated=True),
            call("missed", "11:00", direction="inbound", outcome="no_answer"),
        ],
        berlin(),
    )

    first, second = clock.inquiries
    assert (first.record, first.touch, first.business_response) == ("email|again", "call|reply", 40 * MINUTE)
    assert (second.record, second.due_at, second.answered_at) == ("call|missed", instant(at("12:00")), None)
    assert clock.answered_at == instant(at("08:10"))


def test_a_call_in_which_they_talk_with_us_is_no_inquiry() -> None:
    talked = call("talk", "09:00", direction="inbound", outcome="connected", talk_seconds=120)

    assert clock_of([lead(received_at=at("08:00")), call("c", "08:10"), talked]).inquiries == ()


def test_the_clock_of_a_merged_lead_runs_from_the_earliest_start_to_the_earliest_touch() -> None:
    changes = [
        change("lead", "root", rep="ana", received_at=at("10:00")),
        lead(received_at=at("09:00"), merged_into="root"),
        call("c", "09:30"),
        call("d", "10:30", lead="root"),
    ]

    assert clock_of(changes, lead="root").response == 30 * MINUTE
    assert clock_of(changes).merged_into == "root"


# --- The roster in every partition ------------------------------------------------------------------------------------


def moving(seed: int) -> list[list[RecordChange]]:
    changes = [
        change("rep", "mia", "2026-03-01T08:00Z", team="night"),
        change("rep", "mia", "2026-03-18T11:00Z", team="north"),
        *(change("lead", f"l{n}", rep="mia", received_at=at(f"{8 + n:02d}:00")) for n in range(12)),
    ]
    random.Random(seed).shuffle(changes)
    return [changes[:5], changes[5:9], changes[9:]]


@pytest.mark.parametrize("seed", range(5))
def test_leads_in_every_partition_follow_a_rep_who_moves_to_a_team_with_a_calendar(seed: int) -> None:
    config = berlin()
    pipeline = Pipeline(config)
    for batch in moving(seed):
        pipeline.take(batch)

    clocks = pipeline.view().clocks

    # The move counts from the start of its day, so also for leads that came in before it.
    assert {clock.team for clock in clocks.values()} == {"north"}
    expected = clocks_of([c for batch in moving(seed) for c in batch], now=at("20:00"), config=config)
    assert {name: clock.due_at for name, clock in clocks.items()} == {name: c["due_at"] for name, c in expected.items()}
    assert pipeline.restart() == 0


def test_a_rep_without_leads_whose_team_does_not_change_publishes_nothing() -> None:
    pipeline = Pipeline(berlin())
    pipeline.take([lead(rep="ana", received_at=at("10:00"))])
    before = dict(pipeline.topics["lead-clocks"])

    pipeline.take([change("rep", "ana", team="night", name="Ana")])  # the file says north, and wins

    assert pipeline.topics["lead-clocks"] == before


def test_whoever_has_no_calendar_goes_by_the_organisations() -> None:
    config = make_config(
        timezone="Europe/Berlin",
        calendar="office",
        calendars=OFFICE | {"always": {"timezone": "UTC", "hours": {"mon-sun": ["00:00-24:00"]}}},
        teams={"north": {"calendar": "always"}, "night": {}},
        reps={"ana": {"team": "north"}, "nat": {"team": "night"}},
        lead_response={"rules": [{"sla": "1h", "clock": "business"}]},
    )
    evening = "2026-03-20T17:50+01:00"
    due = {
        rep: clock_of([change("lead", "l", evening, rep=rep, received_at=evening)], config).due_at
        for rep in (None, "nat", "nobody", "ana")
    }

    monday = instant("2026-03-23T09:50+01:00")
    assert due == {None: monday, "nat": monday, "nobody": monday, "ana": instant("2026-03-20T18:50+01:00")}


@pytest.mark.parametrize("stop", ["attempt", "contact"])
def test_what_is_planned_is_not_there_before_its_instant(stop: str) -> None:
    """A planned call, a meeting that is held tomorrow, and a mail whose clock is wrong."""
    config = make_config(lead_response={"stop": stop, "rules": [{"sla": "30m"}]})
    changes = [
        lead(rep="ana", received_at=at("10:00")),
        call("c", "18:00", outcome="connected", talk_seconds=90),
        change("meeting", "m", at("10:05"), rep="ana", lead="l", outcome="held", starts_at=at("17:00")),
        mail("e", "19:00", "inbound"),
    ]
    clock = clock_of(changes, config)
    noon, evening = instant(at("12:00")), instant(at("20:00"))

    seen = clock.seen_at(noon)
    assert (clock.state(noon, 0.75), seen.answered_at, seen.touch, seen.attempted_at) == ("breached", None, None, None)
    assert (seen.contacted_at, seen.inquiries, seen.response) == (None, (), None)
    assert clock.state(evening, 0.75) == "answered"
    assert clock.seen_at(evening) == clock
    assert clock.touch == "meeting|m"
    for now in (noon, evening):
        expected = clocks_of(changes, now=now, config=config)["l"]
        assert (expected["answered_at"], expected["waiting"]) == (clock.seen_at(now).answered_at, clock.is_waiting(now))

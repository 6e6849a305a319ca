"""What `from` may name, as the recount makes it of records: worked values."""

from datetime import date
from typing import Any

import pytest

from deploy.verification.definitions import Definitions
from schemas.instants import DAY as A_DAY
from schemas.records import RecordChange
from tests.builders import change, instant, make_config
from tests.deploy.verification.metrics import NOON, books, definitions, value
from tests.segments import segments

DAY = "2026-03-18T"


def facts(
    source: str, changes: list[RecordChange], *fields: str, config: Any = None, more: str = ""
) -> list[tuple[Any, ...]]:
    """The rows of a fact with these fields, however they count: those of which `m` counts every one."""
    by = definitions(f"{{metrics: {{m: {{unit: count, type: level, from: {source}, agg: count}}}}{more}}}")
    return [tuple(counted.fact.get(name) for name in fields) for counted in books(changes, by, config).counted]


def at(clock: str) -> int:
    return instant(f"{DAY}{clock}Z")


def lead(name: str, changed_at: str = "08:00", /, **fields: Any) -> RecordChange:
    return change("lead", name, f"{DAY}{changed_at}Z", **fields)


def call(name: str, clock: str, lead: str | None = "l", rep: str | None = "ana", **fields: Any) -> RecordChange:
    said: dict[str, Any] = {"rep": rep, "lead": lead, "direction": "outbound", "dialed_at": f"{DAY}{clock}Z"} | fields
    return change("call", name, f"{DAY}{clock}Z", **said)


def mail(name: str, clock: str, rep: str | None = "ana", **fields: Any) -> RecordChange:
    said: dict[str, Any] = {"rep": rep, "thread": "t", "direction": "outbound", "sent_at": f"{DAY}{clock}Z"} | fields
    return change("email", name, f"{DAY}{clock}Z", **said)


# --- single records --------------------------------------------------------------------------------------------------


def test_a_call_that_is_not_connected_has_no_talk_and_one_of_a_machine_is_no_conversation() -> None:
    calls = [
        call("a", "09:00", outcome="no_answer", talk_seconds=90),
        call("b", "09:00", answered_at=f"{DAY}09:00Z", ended_at=f"{DAY}09:02Z"),
        call("c", "09:00", outcome="connected", talk_seconds=61, automated=True),
        call("d", "09:00", answered_at=f"{DAY}09:02Z", ended_at=f"{DAY}09:00Z"),
    ]

    assert facts("call", calls, "connected", "talk", "conversation", "happened_at") == [
        (False, 0, False, at("09:00")),
        (True, 120_000_000, True, at("09:02")),
        (True, 61_000_000, False, at("09:00")),
        (True, 0, False, at("09:00")),
    ]


def test_when_a_deal_closed() -> None:
    deals = [
        change("deal", "said", f"{DAY}09:00Z", status="won", closed_at=f"{DAY}08:00Z"),
        change("deal", "when", f"{DAY}09:00Z", status="lost"),
        change("deal", "when", f"{DAY}10:00Z", status="lost"),
        change("deal", "again", f"{DAY}09:00Z", status="won", closed_at=f"{DAY}08:00Z"),
        change("deal", "again", f"{DAY}10:00Z", status="open"),
        change("deal", "again", f"{DAY}11:00Z", status="won"),
        change("deal", "open", f"{DAY}09:00Z", status="open", closed_at=f"{DAY}08:00Z"),
        change("deal", "gone", f"{DAY}09:00Z", status="won", merged_into="said"),
    ]

    found = dict(facts("deal", deals, "id", "ended_at"))

    assert found == {"said": at("08:00"), "when": at("09:00"), "again": at("11:00"), "open": None}


def test_the_stays_of_a_deal_go_by_their_instants_of_entry() -> None:
    deals = [
        change("deal", "d", f"{DAY}09:00Z", stage="offer", entered_stage_at=f"{DAY}08:30Z"),
        change("deal", "d", f"{DAY}09:10Z", stage="talk", entered_stage_at=f"{DAY}08:00Z"),
        change("deal", "d", f"{DAY}09:20Z", stage="offer", amount=5),
        change("deal", "d", f"{DAY}09:30Z", stage="talk", status="won"),
    ]

    assert facts("deal.stays", deals, "stage", "entered_at", "left_at") == [
        ("talk", at("08:00"), at("08:30")), ("offer", at("08:30"), at("09:30")), ("talk", at("09:30"), None),
    ]  # fmt: skip


def test_a_deal_without_a_stage_has_no_stay_and_one_that_left_it_for_none_has_left() -> None:
    deals = [change("deal", "d", f"{DAY}09:00Z", stage="offer"), change("deal", "d", f"{DAY}10:00Z", stage=None)]

    assert facts("deal.stays", deals, "stage", "left_at") == [("offer", at("10:00"))]
    assert facts("deal.stays", [change("deal", "e", rep="ana")], "stage") == []


# --- leads -----------------------------------------------------------------------------------------------------------


def test_what_a_lead_knows_of_itself_and_of_what_belongs_to_it() -> None:
    floor = [
        lead("l", rep="ana", received_at=f"{DAY}08:00Z", status="new"),
        lead("l", "09:00", status="qualified"),
        lead("l", "11:00", status="customer"),
        lead("twin", rep="ben", received_at=f"{DAY}07:30Z", source="web", merged_into="l"),
        call("c", "08:10", "twin", rep="ben"),
        change("meeting", "m", f"{DAY}08:20Z", lead="l", booked_at=f"{DAY}08:20Z"),
        change("meeting", "i", f"{DAY}08:05Z", lead="l", booked_at=f"{DAY}08:05Z", internal=True),
        change("deal", "d", f"{DAY}10:00Z", lead="twin", status="won", created_at=f"{DAY}08:40Z"),
    ]

    assert facts("lead", floor, "id", "rep", "source", "started_at", "answered_at", "answered_by", "response") == [
        ("l", "ana", "web", at("07:30"), at("08:10"), "ben", 2400 * 1_000_000)
    ]
    instants = ("qualified_at", "won_at", "customer_at", "meeting_booked_at", "deal_at", "ended_at")
    assert facts("lead", floor, *instants) == [
        (at("09:00"), at("10:00"), at("10:00"), at("08:20"), at("08:40"), at("11:00"))
    ]


@pytest.mark.parametrize(
    ("statuses", "ended_at", "customer_at"),
    [
        (("new",), None, None),
        (("disqualified", "converted"), "09:00", None),
        (("disqualified", "qualified"), None, None),
        (("customer", "disqualified"), "09:00", None),
        (("disqualified", "new", "customer"), "11:00", "11:00"),
    ],
)
def test_since_when_a_lead_has_ended(statuses: tuple[str, ...], ended_at: str | None, customer_at: str | None) -> None:
    floor = [lead("l", f"{9 + n:02}:00", status=status) for n, status in enumerate(statuses)]

    expected = tuple(None if clock is None else at(clock) for clock in (ended_at, customer_at))
    assert facts("lead", floor, "ended_at", "customer_at") == [expected]


def test_the_attempts_of_people_are_numbered_and_cold_until_somebody_is_reached() -> None:
    floor = [
        lead("l", source="list", received_at=f"{DAY}10:00Z"),
        call("c2", "09:10"), call("c1", "09:10", rep="ben"),
        call("machine", "09:05", automated=True), call("among us", "09:06", internal=True),
        change("email", "e", f"{DAY}09:20Z", lead="l", rep="ana", direction="outbound", sent_at=f"{DAY}09:20Z"),
        call("reached", "09:30", outcome="connected", talk_seconds=90),
        call("warm", "09:40"),
        change("meeting", "m", f"{DAY}11:00Z", lead="l", outcome="held", starts_at=f"{DAY}11:00Z"),
    ]  # fmt: skip

    found = facts("lead.touches", floor, "number", "kind", "at", "rep", "cold", more=", cold_sources: [list]")

    assert found == [
        (1, "call", at("09:10"), "ben", True), (2, "call", at("09:10"), "ana", True),
        (3, "email", at("09:20"), "ana", False), (4, "call", at("09:30"), "ana", True),
        (5, "call", at("09:40"), "ana", False), (6, "meeting", at("11:00"), None, False),
    ]  # fmt: skip
    assert facts("lead", floor, "first_cold_at", more=", cold_sources: [list]") == [(at("09:10"),)]
    assert facts("lead", floor, "first_cold_at") == [(None,)]


def test_touches_and_deals_have_rows_while_nothing_is_known_of_their_lead() -> None:
    floor = [call("c", "09:00"), change("deal", "d", f"{DAY}10:00Z", lead="l", status="lost")]
    deleted = [*floor, lead("l", source="web", status="qualified", deleted=True)]

    for known in (floor, deleted):
        assert facts("lead.touches", known, "lead", "number") == [("l", 1)]
        assert facts("lead.deals", known, "id", "lead.source", "lead.qualified_at") == [("d", None, None)]
        assert facts("lead", known, "id") == []


@pytest.mark.parametrize(
    ("touches", "followed"),
    [((), False), ((0,), True), ((14,), True), ((14.01,), False), ((-1,), False), ((30, 2), True)],
)
def test_a_deal_was_followed_if_a_touch_lies_in_the_fortnight_before_its_close(
    touches: tuple[float, ...], followed: bool
) -> None:
    closed = at("10:00")
    floor = [lead("l"), change("deal", "d", f"{DAY}11:00Z", lead="l", status="lost", closed_at=closed)]
    for n, days in enumerate(touches):
        dialed = closed - int(days * A_DAY)
        floor.append(change("call", f"c{n}", f"{DAY}11:00Z", lead="l", direction="outbound", dialed_at=dialed))

    assert facts("lead.deals", floor, "followed") == [(followed,)]


def test_a_deal_has_the_fields_of_the_root_of_its_lead() -> None:
    floor = [lead("l", source="web"), lead("twin", merged_into="l"), change("deal", "d", lead="twin", status="open")]

    assert facts("lead.deals", floor, "id", "lead", "lead.source", "followed") == [("d", "twin", "web", None)]


# --- threads, customers, people --------------------------------------------------------------------------------------


def test_the_first_answer_of_a_day_and_who_was_replied_to() -> None:
    mails = [
        mail("a", "09:00"), mail("b", "09:10", direction="inbound"), mail("c", "09:20", direction="inbound"),
        mail("d", "09:30", rep="ben"), mail("e", "09:30", direction="inbound"), mail("f", "09:40", rep=None),
        mail("g", "09:50", rep=None), mail("machine", "10:00", direction="inbound", automated=True),
    ]  # fmt: skip

    assert facts("thread.answers", mails, "thread", "rep", "at") == [("t", "ana", at("09:10"))]
    assert facts("thread.writers", mails, "rep", "at", "replied") == [
        ("ana", at("09:00"), True), ("ben", at("09:30"), False), (None, at("09:40"), False),
    ]  # fmt: skip
    silent = make_config(conversation={"mails": "none"})
    assert facts("thread.answers", mails, "at", config=silent) == []


@pytest.mark.parametrize(
    ("starts", "ends", "renewed"),
    [(30, None, True), (30.01, None, False), (-5, 10, True), (-5, -1, False), (-5, 0, False), (-100, None, False)],
)
def test_a_subscription_is_renewed_by_one_that_follows_it_soon_and_lasts_longer(
    starts: float, ends: float | None, renewed: bool
) -> None:
    ended = at("10:00")
    other: dict[str, Any] = {
        "starts_at": ended + int(starts * A_DAY),
        "ends_at": None if ends is None else ended + int(ends * A_DAY),
    }
    first = change("subscription", "s", starts_at=ended - 90 * A_DAY, ends_at=ended, customer="c")

    found = facts("customer.ends", [first, change("subscription", "o", customer="c", **other)], "id", "renewed")
    assert dict(found)["s"] is renewed
    alone = [
        change("subscription", "s", starts_at=ended - 1, ends_at=ended),
        change("subscription", "o", starts_at=ended),
    ]
    assert facts("customer.ends", alone, "renewed") == [(False,)]


PRESENT = definitions("""
metrics:
  here: {unit: count, from: rep.days, at: day, credit: rep, agg: count}
  scheduled: {unit: count, from: rep.days, where: {scheduled: true}, at: day, credit: rep, agg: count}
  people: {unit: count, from: rep.days, at: day, credit: rep, agg: distinct, of: rep}
""")


def days(
    changes: list[RecordChange], metric: str, window: Any = "7d", by: Definitions = PRESENT, **config: Any
) -> object:
    return value(changes, by, metric, window=window, config=make_config(**config))


def test_people_are_here_on_the_days_of_their_employment_up_to_today() -> None:
    reps: dict[str, Any] = {
        "ana": {},
        "ben": {"since": "2026-03-17"},
        "cleo": {"until": "2026-03-13"},
        "dan": {"active": False},
    }
    gone = [change("rep", "eve", "2026-03-14T10:00Z", active=False)]

    assert days([], "here", reps={"ana": {}}) == 7
    assert days([], "here", reps=reps) == 7 + 2 + 2
    assert days(gone, "here") == 3
    assert days(gone, "people", reps=reps) == 4
    assert days([], "here", (date(2026, 3, 18), date(2026, 3, 30)), reps={"ana": {}}) == 1
    assert days([], "people", "1h", reps={"ana": {}}) == 1


def test_who_is_to_work_on_a_day_says_the_calendar_of_the_team_and_who_is_away() -> None:
    offices = {
        "office": {"timezone": "UTC", "hours": {"mon-fri": ["09:00-18:00"]}, "holidays": {"extra": ["2026-03-17"]}},
        "shop": {"timezone": "UTC", "hours": {"sat": ["09:00-12:00"]}},
    }
    config: dict[str, Any] = {
        "calendars": offices,
        "calendar": "office",
        "teams": {"shop": {"calendar": "shop"}, "north": {}},
    }
    whole: dict[str, Any] = {"from": "2026-03-16", "to": "2026-03-16"}
    half: dict[str, Any] = {"from": "2026-03-13", "to": "2026-03-13", "share": "0.5"}
    away = [change("absence", "a", rep="ana", **whole), change("absence", "b", rep="ana", **half)]

    assert days([], "scheduled", reps={"ana": {"team": "north"}}, **config) == 4  # of Thursday to Wednesday
    assert days(away, "scheduled", reps={"ana": {}}, **config) == 3
    assert days([], "scheduled", reps={"ana": {"team": "shop"}}, **config) == 1
    assert days([], "scheduled", reps={"ana": {}}) == 7


# --- segments --------------------------------------------------------------------------------------------------------

BY = definitions("""
dimensions:
  product: {of: deal.product, values: {Pro: [pro, p2], Basic: [basic]}, other: Other}
  source: {of: lead.source, values: {Web: [web]}, other: Other}
  band: {of: lead.response, bands: [5m, 15m]}
  kind: {of: deal.kind, other: none}
  region: {of: rep.region}
  tenure: {of: rep.since, bands: [3mo, 6mo]}
metrics:
  deals: {unit: count, from: deal, at: created_at, credit: rep, agg: count, by: [product]}
  leads: {unit: count, from: lead, at: received_at, credit: rep, agg: count, by: [source]}
  share: {unit: ratio, type: ratio, numerator: {metric: deals, where: {status: won}}, denominator: deals}
""")


def test_every_value_of_a_closed_list_is_given_in_its_order() -> None:
    floor = [
        change("deal", f"d{n}", rep="ana", product=product, status=status, created_at=NOON, lead="l")
        for n, (product, status) in enumerate([("p2", "won"), ("pro", "open"), ("x", "won"), (None, "open")])
    ]
    floor += [lead("l", rep="ana", received_at=NOON, source="web"), lead("k", received_at=NOON, source="fair")]
    floor += [lead("j", received_at=NOON), call("c", "12:15", "l"), call("d", "12:16", "k")]
    read = books(floor, BY, make_config(reps={"ana": {"since": "2025-12-18"}}))

    def by(metric: str, name: str) -> list[tuple[object, object]]:
        return list(segments(read, metric, name, now=instant("2026-03-18T13:00Z"), window="today").items())

    assert by("deals", "product") == [("Pro", 2), ("Basic", 0), ("Other", 2)]
    assert by("share", "product") == [("Pro", 1 / 2), ("Basic", None), ("Other", 1 / 2)]
    assert by("deals", "kind") == [("new", 0), ("expansion", 0), ("cross_sell", 0), ("renewal", 0), ("none", 4)]
    assert by("leads", "source") == [("Web", 1), ("Other", 2)]
    assert by("deals", "source") == [("Web", 4), ("Other", 0)]
    assert by("leads", "band") == [("5m", 0), ("15m", 1), ("later", 1), ("never", 1), ("unknown", 0)]
    assert by("deals", "tenure") == [("6mo", 4)]  # of persons those that occur
    assert by("leads", "tenure") == [("6mo", 1), ("unknown", 2)]


def test_of_people_the_values_that_occur_are_given() -> None:
    floor = [
        change("rep", "ana", region="west"),
        change("rep", "ben", region="east"),
        change("rep", "cleo", region="north"),
    ]
    floor += [change("deal", f"d{rep}", rep=rep, created_at=NOON) for rep in ("ana", "ben", None)]

    found = segments(books(floor, BY), "deals", "region", now=instant(NOON), window="today")

    assert list(found.items()) == [("east", 1), ("west", 1), (None, 1)]

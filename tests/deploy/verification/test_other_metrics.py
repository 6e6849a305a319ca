"""Metrics of type `duration`, `level`, `conversion` and `response` as the recount reads them: worked values."""

from datetime import date
from fractions import Fraction
from typing import Any

import pytest

from schemas.records import RecordChange
from tests.builders import change, instant, make_config
from tests.deploy.verification.metrics import books, definitions, value

DAY = "2026-03-18T"
OFFICE = {"office": {"timezone": "UTC", "hours": {"mon-fri": ["09:00-18:00"]}}}
CYCLE = "unit: days, type: duration, from: deal, start: created_at, end: closed_at, credit: rep"
MRR = "unit: number, type: level, from: subscription, start: starts_at, end: ends_at, credit: rep"


def deal(name: str, created_at: str, closed_at: str | None = None, status: str = "won") -> RecordChange:
    said_at = closed_at or created_at
    return change("deal", name, said_at, rep="ana", status=status, created_at=created_at, closed_at=closed_at)


def contract(name: str, starts_at: str | None, ends_at: str | None = None, **fields: Any) -> RecordChange:
    said: dict[str, Any] = {
        "rep": "ana",
        "customer": name,
        "starts_at": starts_at,
        "ends_at": ends_at,
        "monthly_amount": 10,
    } | fields
    return change("subscription", name, "2026-01-01T00:00Z", **said)


def lead(name: str, at: str, changed_at: str | None = None, /, **fields: Any) -> RecordChange:
    said: dict[str, Any] = {"rep": "ana", "received_at": f"{DAY}{at}Z"} | fields
    return change("lead", name, f"{DAY}{changed_at or at}Z", **said)


def call(name: str, lead: str, at: str, rep: str | None = "ana") -> RecordChange:
    return change("call", name, f"{DAY}{at}Z", rep=rep, lead=lead, direction="outbound", dialed_at=f"{DAY}{at}Z")


# --- duration --------------------------------------------------------------------------------------------------------


def test_what_a_duration_is_asked_for() -> None:
    deals = [deal(f"d{n}", f"2026-03-{18 - n:02}T10:00Z", f"{DAY}10:00Z") for n in (1, 2, 6)]
    deals.append(deal("backwards", f"{DAY}11:00Z", f"{DAY}10:00Z"))

    found = [value(deals, f"{{{CYCLE}, stat: {stat}}}") for stat in ("p50", "p90", "p1", "mean", "sum")]

    assert found == [2, Fraction(26, 5), Fraction(51, 50), 3, 9]
    assert [value([], f"{{{CYCLE}, stat: {stat}}}") for stat in ("p50", "mean", "sum")] == [None, None, 0]
    assert value(deals, f"{{{CYCLE.replace('days', 'seconds')}, stat: p50}}") == 2 * 86_400


def test_a_duration_counts_at_its_end_unless_said_otherwise() -> None:
    deals = [deal("d", "2026-03-17T10:00Z", f"{DAY}10:00Z")]

    assert value(deals, f"{{{CYCLE}, stat: sum}}", window="yesterday") == 0
    assert value(deals, f"{{{CYCLE}, at: created_at, stat: sum}}", window="yesterday") == 1


def test_business_time_goes_by_the_organisations_calendar_else_the_clock_on_the_wall() -> None:
    entry = f"{{{CYCLE.replace('days', 'seconds')}, stat: sum, clock: business}}"
    deals = [deal("d", "2026-03-17T17:30Z", f"{DAY}09:20Z")]

    assert value(deals, entry, config=make_config(calendar="office", calendars=OFFICE)) == 50 * 60
    assert value(deals, entry) == 15 * 3600 + 50 * 60


# --- level -----------------------------------------------------------------------------------------------------------


def test_a_level_is_what_there_is_at_the_end_of_the_window() -> None:
    contracts = [
        contract("always", None),
        contract("over", "2026-03-01T00:00Z", "2026-03-17T12:00Z"),
        contract("today", f"{DAY}08:00Z"),
        contract("later", f"{DAY}16:00Z"),
        contract("never", f"{DAY}08:00Z", f"{DAY}08:00Z"),
    ]

    def many(window: object, now: str = f"{DAY}12:00Z") -> object:
        return value(contracts, f"{{{MRR}, agg: count}}", window=window, now=now)  # type: ignore[arg-type]

    assert [many(window) for window in ("today", "1h", "year", "7d")] == [2, 2, 2, 2]
    assert many((date(2026, 3, 10), date(2026, 3, 16))) == 2
    assert many("yesterday") == 1  # of days that are over the whole day counts
    assert many("today", f"{DAY}16:00Z") == 3
    assert many((date(2026, 3, 10), date(2026, 3, 18)), "2026-03-20T00:00Z") == 3
    assert value(contracts, f"{{{MRR}, agg: sum, value: monthly_amount}}") == 20


def test_a_minute_counts_whole() -> None:
    contracts = [contract("a", f"{DAY}12:00:45Z"), contract("b", f"{DAY}11:00Z", f"{DAY}12:00:45Z")]

    assert value(contracts, f"{{{MRR}, agg: distinct, of: customer}}", now=f"{DAY}12:00:10Z") == 1
    assert value(contracts, f"{{{MRR}, agg: distinct, of: customer}}", now=f"{DAY}11:59:10Z") == 1


def test_a_team_has_the_level_of_its_people_of_the_last_day() -> None:
    moved = [
        change("rep", "ana", "2026-01-01T00:00Z", team="north"),
        change("rep", "ana", f"{DAY}09:00Z", team="south"),
    ]
    floor = [*moved, contract("a", "2026-03-01T00:00Z")]

    assert value(floor, f"{{{MRR}, agg: count}}", team="south") == 1
    assert value(floor, f"{{{MRR}, agg: count}}", team="north") == 0
    assert value(floor, f"{{{MRR}, agg: count}}", team="north", window="yesterday") == 1


def test_kept_are_those_of_the_beginning_who_are_still_there() -> None:
    kept = f"{{{MRR.replace('number', 'ratio')}, agg: distinct, of: customer, stat: kept}}"
    contracts = [
        contract("stays", "2026-01-01T00:00Z"),
        contract("again", "2026-01-01T00:00Z", "2026-03-12T00:00Z"),
        contract("again2", "2026-03-14T00:00Z", customer="again"),
        contract("left", "2026-01-01T00:00Z", "2026-03-14T00:00Z"),
        contract("new", "2026-03-13T00:00Z"),
    ]

    assert value(contracts, kept, window="7d") == Fraction(2, 3)
    assert value([], kept) is None


def test_money_of_a_level_goes_by_the_rate_of_its_start() -> None:
    config = make_config(currency_rates={"EUR": "2"})
    contracts = [contract("a", "2026-01-01T00:00Z", currency="EUR"), contract("b", None, currency="GBP")]

    assert (
        value(contracts, f"{{{MRR.replace('number', 'money')}, agg: sum, value: monthly_amount}}", config=config) == 20
    )


# --- conversion ------------------------------------------------------------------------------------------------------

CREATED = "{unit: count, from: deal, at: created_at, credit: rep, agg: count}"


def test_the_share_of_all_and_the_share_of_what_is_decided() -> None:
    deals = [deal(f"w{n}", f"{DAY}09:00Z", f"{DAY}10:00Z") for n in range(3)]
    deals += [deal(f"l{n}", f"{DAY}09:00Z", f"{DAY}10:00Z", "lost") for n in range(7)]
    deals += [deal(f"o{n}", f"{DAY}09:00Z", None, "open") for n in range(90)]
    shared = f"unit: ratio, type: conversion, base: {CREATED}, to: {{status: won}}, at_to: closed_at"

    assert value(deals, f"{{{shared}, open: apart}}") == Fraction(3, 100)
    assert value(deals, f"{{{shared}, within: 30d, open: due}}") == Fraction(3, 10)
    assert value(deals, f"{{{shared}, within: 30m, open: due}}", now=f"{DAY}09:30Z") == 0
    assert value([], f"{{{shared}, open: apart}}") is None


@pytest.mark.parametrize(("now", "expected"), [("23:59:59", None), ("23:59:59.999999", None), ("next", 0)])
def test_what_is_open_has_failed_once_its_time_is_over(now: str, expected: int | None) -> None:
    shared = f"unit: ratio, type: conversion, base: {CREATED}, to: {{status: won}}, at_to: closed_at"
    entry = f"{{{shared}, within: 15h, open: due}}"
    at = "2026-03-19T00:00Z" if now == "next" else f"{DAY}{now}Z"

    assert value([deal("d", f"{DAY}09:00Z", None, "open")], entry, now=at, window="7d") == expected
    in_time = [deal("d", f"{DAY}09:00Z", "2026-03-19T00:00Z")]
    assert value(in_time, entry, now="2026-03-20T00:00Z", window="7d") == 1
    late = [deal("d", f"{DAY}09:00Z", "2026-03-19T00:00:01Z")]
    assert value(late, entry, now="2026-03-20T00:00Z", window="7d") == 0
    early = [deal("d", f"{DAY}09:00Z", f"{DAY}08:00Z")]
    assert value(early, entry, window="7d") == 1


def test_what_fails_may_be_said() -> None:
    shared = (
        f"unit: ratio, type: conversion, base: {CREATED}, to: {{status: won}}, at_to: closed_at, within: 30d, open: due"
    )
    deals = [deal("w", f"{DAY}09:00Z", f"{DAY}10:00Z"), deal("l", f"{DAY}09:00Z", f"{DAY}10:00Z", "lost")]

    assert value(deals, f"{{{shared}}}") == Fraction(1, 2)
    assert value(deals, f"{{{shared}, failed: {{status: open}}}}") == 1


# --- response --------------------------------------------------------------------------------------------------------


def answered(minutes: tuple[int, ...], waiting: int) -> list[RecordChange]:
    """Leads of 07:00 that were answered after so many minutes, and some that were not."""
    floor = [lead(f"l{n}", "07:00") for n in range(len(minutes) + waiting)]
    return floor + [call(f"c{n}", f"l{n}", f"{7 + m // 60:02}:{m % 60:02}") for n, m in enumerate(minutes)]


def test_what_a_response_is_asked_for() -> None:
    floor = answered((5, 10, 20, 30, 40, 50, 180), 3)
    by = definitions("""
metrics:
  due: {unit: count, type: response, stat: due}
  answered: {unit: count, type: response, stat: answered}
  within: {unit: ratio, type: response, stat: within, within: 1h}
  soon: {unit: ratio, type: response, stat: within, within: 10m}
  mean: {unit: seconds, type: response, stat: mean}
  p50: {unit: seconds, type: response, stat: p50}
  p90: {unit: seconds, type: response, stat: p90}
  late: {unit: count, type: response, stat: missed, within: sla}
  missed: {unit: count, type: response, stat: missed, within: missed_after}
  halfway: {unit: count, type: response, stat: due, within: 5h}
""")
    row = books(floor, by).metrics(now=instant(f"{DAY}12:00Z"), window="today")

    metrics = {name: found for name, found in row["metrics"].items() if name != "mean"}
    assert metrics == {
        "due": 10, "answered": 7, "within": 0.6, "soon": 0.2, "p50": 45 * 60, "p90": None, "late": 4, "missed": 0,
        "halfway": 10,
    }  # fmt: skip
    assert value(floor, by, "mean") == Fraction(335 * 60, 7)
    assert row["bounds"] == {"p90": 300 * 60}
    assert value(floor, by, "missed", now="2026-03-25T07:00Z", window="30d") == 3
    assert value(floor, by, "halfway", now=f"{DAY}11:59Z") == 7


def test_a_late_answer_does_not_undo_a_miss_and_counts_for_whom_it_should() -> None:
    by = definitions("""
metrics:
  missed: {unit: count, type: response, stat: missed, within: 30m}
  worth: {unit: money, type: response, stat: missed, within: 30m, value: value}
  answered: {unit: count, type: response, stat: answered}
""")
    floor = [lead("a", "07:00", value=100), lead("b", "07:00"), lead("c", "07:00", value=5, currency="GBP")]
    floor += [call("c1", "a", "07:31", "ben"), call("c2", "b", "07:30", "ben"), call("c3", "c", "09:00", None)]

    assert [value(floor, by, "missed", rep=rep) for rep in ("ana", "ben")] == [2, 0]
    assert [value(floor, by, "answered", rep=rep) for rep in ("ana", "ben")] == [0, 2]
    assert value(floor, by, "answered") == 3
    assert value(floor, by, "worth") == 100
    assert value(floor, by, "missed", now=f"{DAY}07:29Z") == 0


@pytest.mark.parametrize(("clock", "seconds"), [("received", 62 * 60), ("assigned", 57 * 60), ("reassigned", 12 * 60)])
def test_each_clock_has_a_start_of_its_own(clock: str, seconds: int) -> None:
    floor = [
        lead("l", "10:00", "10:00", rep="ana", assigned_at=f"{DAY}10:05Z"),
        lead("l", "10:00", "10:50", rep="ben"),
        call("c", "l", "11:02", "ben"),
    ]

    assert value(floor, f"{{unit: seconds, type: response, clock: {clock}, stat: p50}}") == seconds


def test_each_owner_in_turn_has_a_clock_that_their_own_touch_stops() -> None:
    floor = [
        lead("l", "10:00", "10:00", rep="ana"),
        lead("l", "10:00", "10:50", rep="ben"),
        lead("l", "10:00", "11:30", rep="cleo"),
        call("c", "l", "10:20", "ben"),
        call("d", "l", "11:02", "ben"),
    ]
    by = definitions("""
metrics:
  due: {unit: count, type: response, clock: holder, stat: due}
  half_an_hour: {unit: count, type: response, clock: holder, stat: due, within: 30m}
  p50: {unit: seconds, type: response, clock: holder, stat: p50}
  missed: {unit: count, type: response, clock: holder, stat: missed, within: sla}
""")

    assert value(floor, by, "p50", rep="ben") == 12 * 60
    assert value(floor, by, "due", rep="ana") == 0  # taken away before it was due
    assert value(floor, by, "half_an_hour", rep="ana") == 1  # which she had to herself
    assert value(floor, by, "missed", rep="cleo", now=f"{DAY}12:30Z") == 1
    assert value(floor, by, "missed", now=f"{DAY}12:30Z") == 1


def test_what_stops_a_clock_may_be_said() -> None:
    floor = [
        lead("l", "10:00"), call("c", "l", "10:05"), lead("l", "10:00", "10:40", status="customer"),
        change("email", "e", f"{DAY}10:20Z", lead="l", direction="inbound", sent_at=f"{DAY}10:20Z"),
    ]  # fmt: skip

    found = [
        value(floor, f"{{unit: seconds, type: response, stop: {stop}, stat: mean}}")
        for stop in ("attempt", "contact", "qualified")
    ]

    assert found == [5 * 60, 20 * 60, 40 * 60]


# --- funnel ----------------------------------------------------------------------------------------------------------

PATHS = {"whole": "abc", "jumped": "ac", "back": "abab", "open": "ab", "late": "bc"}


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("mode: visited", Fraction(2, 4)),
        ("mode: strict", Fraction(1, 4)),
        ("mode: visited, re_entry: each", Fraction(2, 5)),
    ],
)
def test_a_funnel_is_the_share_that_has_come_to_its_end(how: str, expected: Fraction) -> None:
    deals = [
        change("deal", name, f"{DAY}09:{minute:02}Z", rep="ana", pipeline="p", stage=stage)
        for name, path in PATHS.items()
        for minute, stage in enumerate(path)
    ]
    deals.append(change("deal", "elsewhere", f"{DAY}09:00Z", rep="ana", pipeline="q", stage="a"))
    shared = "unit: ratio, type: funnel, from: deal, path: stage, pipeline: p, credit: rep"

    ends = deals + [change("deal", name, f"{DAY}10:00Z", status="won") for name in ("whole", "jumped")]
    assert value(ends, f"{{{shared}, steps: [a, b, c], {how}}}") == expected
    assert value(deals, f"{{{shared}, steps: [a, b, c], {how}}}") == 0
    assert value(deals, "{unit: ratio, type: funnel, from: deal, path: stage, credit: rep}") is None


def test_a_lead_goes_through_a_funnel_of_its_own() -> None:
    floor = [lead("a", "09:00"), lead("b", "09:00")]
    floor += [change("deal", "d", f"{DAY}10:00Z", lead="a", status="won", created_at=f"{DAY}09:30Z")]

    assert value(floor, "{unit: ratio, type: funnel, from: lead, mode: inferred, credit: rep}") == Fraction(1, 2)

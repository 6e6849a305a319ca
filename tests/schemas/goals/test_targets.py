"""Goals spread over days: the contract's worked figures, and any goal against one that is counted day by day."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.absences import Absence, Absences
from schemas.calendars import BusinessCalendar
from schemas.config.goals import PERIODS, Goal
from schemas.goals.amounts import Amounts, Recorded
from schemas.goals.people import Employment
from schemas.goals.periods import Days, Periods
from schemas.goals.standing import needed_share, standing
from schemas.goals.targets import Calendars, Spread, Target
from schemas.goals.work import Work
from schemas.instants import from_datetime
from schemas.roster import Membership
from schemas.windows import Calendar, Day, day_from
from tests.schemas.goals.brute import Hours, Rules, Somebody, quarters, start_of

ZONE = "Europe/Berlin"
OFFICE = Hours(ZONE, {day: ((time(9), time(18)),) for day in range(5)}, name="office")


def day(text: str) -> Day:
    return day_from(date.fromisoformat(text))


def business(hours: Hours | None) -> BusinessCalendar | None:
    if hours is None:
        return None
    week = tuple(
        tuple(
            (a.hour * 60 + a.minute, 1440 if b is None else b.hour * 60 + b.minute) for a, b in hours.spans.get(d, ())
        )
        for d in range(7)
    )
    return BusinessCalendar(ZoneInfo(hours.zone), week, lambda when: when in hours.free)


def spread_of(rules: Rules, recorded: Sequence[Recorded] = (), **more: Any) -> Spread:
    calendar = Calendar(ZoneInfo(rules.zone), rules.first_weekday)
    goal = Goal.model_validate(
        {
            "metric": "revenue_won",
            "period": rules.period,
            "amounts": list(rules.amounts),
            "ramp": {f"{months}mo": str(share) for months, share in rules.ramp.items()},
            "join": rules.join,
            "absence": rules.absence,
            "elapsed": rules.elapsed,
        }
        | more
    )
    calendars = Calendars(
        Work(calendar, business(rules.hours)),
        {team: Work(calendar, business(hours)) for team, hours in rules.teams.items() if hours is not None},
        Work(calendar, None),
    )
    return Spread(goal, Amounts(goal, recorded), Periods(rules.first_weekday, f"{rules.fiscal:%m-%d}"), calendars)


def person_of(person: Somebody) -> Employment:
    moves = sorted(person.moves)
    membership = Membership(tuple(day_from(at) for at, _ in moves), tuple(team for _, team in moves))
    return Employment(
        person.rep,
        None if person.since is None else day_from(person.since),
        None if person.until is None else day_from(person.until),
        membership,
        Absences(Absence(day_from(a), day_from(b), share) for a, b, share in person.away),
    )


def joined(parts: dict[str | None, Target]) -> Target:
    found = Target()
    for part in parts.values():
        found.add(part)
    return found


def cents(value: Any) -> Decimal:
    return Decimal(value.numerator / Decimal(value.denominator)).quantize(Decimal("0.01"))


APRIL = Days(day("2026-04-01"), day("2026-04-30"))
"""Of 22 working days without holidays; the 15th is the 21st, the 8th the 10th, the 11th the 15th."""


def rules(**more: Any) -> Rules:
    return Rules(ZONE, "month", [{"since": date(2026, 1, 1), "each": Decimal(90000)}], hours=OFFICE, **more)


def test_worked_figures_after_working_day_15_of_22() -> None:
    spread, today = spread_of(rules()), day("2026-04-22")
    now = from_datetime(start_of(ZONE, date(2026, 4, 22)))
    target = joined(spread.of_person(Employment("r"), APRIL, today))

    found = standing(
        target.whole, target.expected(today, now), 70000,
        needed_share(spread.work_of(None), APRIL, today, now), spread.goal.bands, is_over=False,
    )  # fmt: skip

    assert target.whole == 90000
    assert float(found.attainment or 0) == 0.7777777777777778
    assert found.gap == -20000
    assert cents(found.expected) == Decimal("61363.64")
    assert float(found.pace or 0) == 1.1407407407407408
    assert cents(found.projection) == Decimal("102666.67")
    assert cents(found.needed_per_day) == Decimal("2857.14")
    assert found.state == "ahead"


def test_who_joins_on_working_day_8_with_a_ramp_has_15_of_22_days_of_a_quarter() -> None:
    ramped = spread_of(rules(ramp={0: Decimal("0.25"), 3: Decimal("0.5")}))
    person = Employment("r", since=day("2026-04-10"))

    assert cents(joined(ramped.of_person(person, APRIL, APRIL.first)).whole) == Decimal("15340.91")


def test_who_moves_before_working_day_11_leaves_10_of_22_days_behind() -> None:
    person = Employment("r", membership=Membership((0, day("2026-04-15")), ("north", "south")))

    found = spread_of(rules()).of_person(person, APRIL, APRIL.first)

    assert {team: part.whole for team, part in found.items()} == {
        "north": Fraction(90000 * 10, 22),
        "south": Fraction(90000 * 12, 22),
    }


def test_nobody_scheduled_any_more_leaves_nothing_to_need_a_day() -> None:
    work, today = spread_of(rules()).work_of(None), day("2026-04-30")
    evening = from_datetime(datetime(2026, 4, 30, 18, tzinfo=ZoneInfo(ZONE)))
    noon = from_datetime(datetime(2026, 4, 30, 13, 30, tzinfo=ZoneInfo(ZONE)))
    away = Employment("r", absences=Absences((Absence(day("2026-04-23"), day("2026-05-03")),)))

    assert needed_share(work, APRIL, today, evening) is None
    assert needed_share(work, APRIL, today, noon) == 2
    assert needed_share(work, APRIL, today, noon, away) is None
    assert needed_share(work, APRIL, day("2026-04-22"), noon - 8 * 86_400_000_000, away) == Fraction(2)


@pytest.mark.parametrize(
    ("join", "since", "in_april", "in_may"),
    [
        ("prorate", "2026-04-10", Fraction(90000 * 15, 22), 90000),
        ("full", "2026-04-10", Fraction(90000), 90000),
        ("next_period", "2026-04-10", Fraction(0), 90000),
        ("next_period", "2026-04-01", Fraction(90000), 90000),
        ("full", "2026-03-05", Fraction(90000), 90000),
    ],
)
def test_ways_to_join(join: str, since: str, in_april: Fraction, in_may: int) -> None:
    spread, person = spread_of(rules(join=join)), Employment("r", since=day(since))
    may = Days(day("2026-05-01"), day("2026-05-31"))

    assert joined(spread.of_person(person, APRIL, APRIL.first)).whole == in_april
    assert joined(spread.of_person(person, may, APRIL.first)).whole == in_may


def test_who_leaves_is_always_prorated() -> None:
    spread = spread_of(rules(join="full"))
    person = Employment("r", since=day("2026-04-10"), until=day("2026-04-14"))

    assert joined(spread.of_person(person, APRIL, APRIL.first)).whole == Fraction(90000 * 3, 15)


def test_the_file_wins_over_a_record_of_the_same_day_and_the_later_line_over_the_earlier() -> None:
    since = date(2026, 1, 1)
    told = Rules(ZONE, "month", [{"since": since, "rep": "a", "amount": 5}, {"since": since, "rep": "a", "amount": 6}])
    recorded = [
        Recorded("a", None, day("2026-01-01"), Fraction(7)),
        Recorded("a", None, day("2026-03-01"), Fraction(8)),
        Recorded(None, "north", None, Fraction(9)),
        Recorded(None, None, None, Fraction(10)),
    ]
    amounts = spread_of(told, recorded).amounts

    assert [amounts.of_person("a", None, day(text)) for text in ("2025-12-31", "2026-02-01", "2026-03-01")] == [
        None, 6, 8,
    ]  # fmt: skip
    assert [amounts.own(team, 0) for team in ("north", "south", None)] == [9, None, 10]


# --- any goal ---------------------------------------------------------------------------------------------------------

CALENDARS: Sequence[Hours | None] = (
    None,
    OFFICE,
    Hours(
        ZONE,
        {d: ((time(8), time(12)), (time(12, 30), time(16, 15))) for d in (0, 1, 3, 4)},
        frozenset({date(2026, 3, 30), date(2026, 4, 3), date(2026, 4, 6)}),
        name="parts",
    ),
    # Works through the hour that is skipped and the one that is repeated, and past the organisation's midnight.
    Hours("America/New_York", {d: ((time(0), time(4)), (time(17), None)) for d in (5, 6, 0)}, name="nights"),
)
TEAMS = ("north", "south", None)
FIRST = date(2026, 2, 20)
some_dates = st.integers(0, 75).map(lambda step: FIRST + timedelta(days=step))
shares = st.sampled_from([Fraction(1), Fraction(1, 2), Fraction(3, 10)])


@st.composite
def somebodies(draw: st.DrawFn, rep: str) -> Somebody:
    moved = draw(st.lists(some_dates, unique=True, max_size=3))
    return Somebody(
        rep,
        draw(st.none() | some_dates),
        draw(st.none() | some_dates),
        [(at, draw(st.sampled_from(TEAMS))) for at in sorted(moved)],
        [
            (at, at + timedelta(days=draw(st.integers(0, 12))), draw(shares))
            for at in draw(st.lists(some_dates, max_size=3))
        ],
    )


@st.composite
def entries(draw: st.DrawFn) -> dict[str, Any]:
    value = Decimal(draw(st.integers(0, 9000))) / 10
    whom: dict[str, Any] = draw(
        st.sampled_from([
            {"each": value}, {"each": value, "team": "north"}, {"each": value, "team": "south"},
            {"amount": value, "rep": "a"}, {"amount": value, "rep": "b"},
            {"amount": value, "team": "north"}, {"amount": value},
        ])
    )  # fmt: skip
    return {"since": draw(some_dates), **whom}


@st.composite
def goals(draw: st.DrawFn) -> Rules:
    return Rules(
        draw(st.sampled_from(["Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata"])),
        draw(st.sampled_from(PERIODS)),
        [{"since": date(2026, 1, 1), "each": Decimal(100)}, *draw(st.lists(entries(), max_size=5))],
        draw(st.sampled_from([{}, {0: Decimal("0.25"), 1: Decimal("0.5"), 2: Decimal(1)}])),
        draw(st.sampled_from(["prorate", "full", "next_period"])),
        draw(st.sampled_from(["prorate", "none"])),
        draw(st.sampled_from(["working", "working", "calendar"])),
        draw(st.sampled_from(CALENDARS)),
        {"north": draw(st.sampled_from(CALENDARS)), "south": draw(st.sampled_from(CALENDARS))},
        date(2000, draw(st.integers(1, 12)), draw(st.sampled_from([1, 6, 28]))),
        draw(st.integers(0, 6)),
    )


@settings(max_examples=60, deadline=None)
@given(goals(), somebodies("a"), somebodies("b"), some_dates, st.integers(0, 30), some_dates, st.integers(0, 95))
def test_any_goal_is_what_counting_day_by_day_gives(
    told: Rules, one: Somebody, other: Somebody, first: date, length: int, today: date, quarter: int
) -> None:
    spread, people = spread_of(told), [one, other]
    now = start_of(told.zone, today) + timedelta(minutes=15 * quarter)
    if now >= start_of(told.zone, today + timedelta(days=1)):
        now = start_of(told.zone, today)
    dates_asked = first, first + timedelta(days=length)
    days = Days(*(day_from(when) for when in dates_asked))
    at, reader = day_from(today), from_datetime(now.astimezone(UTC))

    by_person = [spread.of_person(person_of(person), days, at) for person in people]
    for person, parts in zip(people, by_person, strict=True):
        target = joined(parts)
        wanted = [
            told.of_people([person], "", dates_asked[0] + timedelta(days=step), now) for step in range(length + 1)
        ]
        assert target.whole == sum(each for each, _ in wanted)
        assert target.expected(at, reader) == sum(each for _, each in wanted)
    for team in ("north", "south", ""):
        owner = team or None
        target = spread.own(owner, days, at)
        before = spread.days_of_people(owner, days)
        if before.last >= before.first:
            for person in people:
                for in_team, part in spread.of_person(person_of(person), before, at).items():
                    if team in {"", in_team}:
                        target.add(part)
        assert (target.whole, target.expected(at, reader)) == told.of_scope(people, team, dates_asked, now)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(CALENDARS), some_dates, st.integers(0, 40), st.integers(0, 3000))
def test_work_is_what_counting_quarters_of_an_hour_gives(
    hours: Hours | None, first: date, length: int, step: int
) -> None:
    work = Work(Calendar(ZoneInfo(ZONE), 0), business(hours))
    asked = [first + timedelta(days=number) for number in range(length + 1)]
    days = Days(day_from(asked[0]), day_from(asked[-1]))
    whole = 900_000_000

    assert work.total(days) == whole * sum(quarters(ZONE, hours, each) for each in asked)
    assert work.working_days(days) == sum(1 for each in asked if quarters(ZONE, hours, each))
    now = start_of(ZONE, first) + timedelta(minutes=15 * (step % 96))
    assert work.passed(days.first, from_datetime(now)) == whole * quarters(ZONE, hours, first, now)

"""Business time against counting every minute by the wall clock, and worked examples."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.calendars import BusinessCalendar, Week, clock_instant, parse_week, public_holidays
from schemas.instants import DAY, HOUR, MINUTE, to_datetime
from schemas.windows import day_from
from tests.builders import instant

OFFICE = parse_week({"mon-fri": ["09:00-18:00"]})
BERLIN = BusinessCalendar(ZoneInfo("Europe/Berlin"), OFFICE, lambda _: False)

# Summer time begins and ends in the small hours; on Lord Howe by half an hour; Apia left out a whole day; Saint John's
# turned its clock at one minute past midnight, so that a date began twice.
TURNS = {
    "Europe/Berlin": ("2026-03-29T01:00Z", "2026-10-25T01:00Z"),
    "America/New_York": ("2026-03-08T07:00Z", "2026-11-01T06:00Z"),
    "Australia/Lord_Howe": ("2026-04-04T15:00Z", "2026-10-03T15:30Z"),
    "Pacific/Apia": ("2011-12-30T10:00Z",),
    "America/St_Johns": ("2006-10-29T02:31Z", "2006-04-02T03:31Z"),
    "America/Sao_Paulo": ("2018-11-04T03:00Z", "2018-02-18T02:00Z"),
    "Asia/Kolkata": ("2026-03-18T00:00Z",),
}


def is_open(at: int, zone: ZoneInfo, week: Week, free: frozenset[date]) -> bool:
    """Whether somebody who looks at the clock on the wall is at work."""
    local = to_datetime(at).astimezone(zone)
    minute = local.hour * 60 + local.minute
    return local.date() not in free and any(first <= minute < last for first, last in week[local.weekday()])


spans = st.lists(st.integers(0, 96), min_size=2, max_size=6, unique=True).map(
    lambda cuts: tuple(
        (first * 15, last * 15) for first, last in zip(sorted(cuts)[::2], sorted(cuts)[1::2], strict=False)
    )
)
weeks = st.lists(st.one_of(spans, st.just(())), min_size=7, max_size=7).map(tuple).filter(any)


@st.composite
def around_a_turn(draw: st.DrawFn) -> tuple[ZoneInfo, int, int]:
    name = draw(st.sampled_from(sorted(TURNS)))
    turn = instant(draw(st.sampled_from(TURNS[name])))
    start = turn + draw(st.integers(-3 * 24 * 60, 24 * 60)) * MINUTE
    return ZoneInfo(name), start, start + draw(st.integers(0, 4 * 24 * 60)) * MINUTE


@settings(deadline=None, max_examples=150)
@given(where=around_a_turn(), week=weeks, is_free=st.booleans())
def test_business_time_is_what_counting_every_minute_gives(
    where: tuple[ZoneInfo, int, int], week: Week, is_free: bool
) -> None:
    zone, start, end = where
    free = frozenset({to_datetime(start).astimezone(zone).date() + timedelta(days=1)} if is_free else ())
    calendar = BusinessCalendar(zone, week, free.__contains__)

    open_minutes = sum(is_open(at, zone, week, free) for at in range(start, end, MINUTE))

    assert calendar.between(start, end) == open_minutes * MINUTE


@settings(deadline=None, max_examples=150)
@given(where=around_a_turn(), week=weeks, minutes=st.integers(1, 3000), odd=st.integers(0, MINUTE - 1))
def test_a_due_instant_is_the_first_at_which_the_time_has_passed(
    where: tuple[ZoneInfo, int, int], week: Week, minutes: int, odd: int
) -> None:
    zone, start, _ = where
    calendar = BusinessCalendar(zone, week, lambda _: False)

    due = calendar.after(start + odd, minutes * MINUTE)

    assert calendar.between(start + odd, due) == minutes * MINUTE
    assert calendar.between(start + odd, due - 1) == minutes * MINUTE - 1


@settings(deadline=None, max_examples=50)
@given(
    start=st.integers(instant("2024-01-01T00:00Z"), instant("2027-01-01T00:00Z")),
    lengths=st.tuples(st.integers(0, 500 * DAY), st.integers(0, 500 * DAY)),
)
def test_business_time_adds_up(start: int, lengths: tuple[int, int]) -> None:
    middle, end = start + lengths[0], start + sum(lengths)

    assert BERLIN.between(start, middle) + BERLIN.between(middle, end) == BERLIN.between(start, end)


def test_many_days_counted_at_once_are_the_days_counted_one_by_one() -> None:
    start, days = instant("2024-02-03T11:00Z"), 700

    one_by_one = sum(BERLIN.between(start + day * DAY, start + (day + 1) * DAY) for day in range(days))

    assert BERLIN.between(start, start + days * DAY) == one_by_one
    assert BERLIN.after(start, one_by_one) <= start + days * DAY


def test_friday_evening_to_monday_morning_is_half_an_hour() -> None:
    friday, monday = instant("2026-03-20T17:50+01:00"), instant("2026-03-23T09:20+01:00")

    assert BERLIN.between(friday, monday) == 30 * MINUTE
    assert BERLIN.after(friday, HOUR) == instant("2026-03-23T09:50+01:00")


def test_what_ends_with_the_day_is_due_in_the_evening() -> None:
    assert BERLIN.after(instant("2026-03-20T17:00+01:00"), HOUR) == instant("2026-03-20T18:00+01:00")


def test_a_start_out_of_hours_waits_for_the_next_opening() -> None:
    assert BERLIN.after(instant("2026-03-21T03:00+01:00"), HOUR) == instant("2026-03-23T10:00+01:00")


def test_a_holiday_of_the_country_is_no_business_day() -> None:
    germany = BusinessCalendar(ZoneInfo("Europe/Berlin"), OFFICE, public_holidays("DE", "BE"))

    # Good Friday and Easter Monday lie between them.
    assert germany.after(instant("2026-04-02T17:30+02:00"), HOUR) == instant("2026-04-07T09:30+02:00")


def test_nothing_lies_between_an_end_and_a_later_start() -> None:
    assert BERLIN.between(instant("2026-03-20T12:00Z"), instant("2026-03-20T11:00Z")) == 0


@pytest.mark.parametrize(
    ("hours", "days"),
    [
        ({"mon-fri": ["09:00-18:00"]}, "mon tue wed thu fri"),
        ({"fri-mon": ["09:00-18:00"]}, "mon fri sat sun"),
        ({"Mon, wed": ["09:00-12:00", "13:00-18:00"], "saturday": ["00:00-24:00"], "sun": []}, "mon wed sat"),
    ],
    ids=["range", "over the week's end", "list and full name"],
)
def test_weekdays_are_read(hours: dict[str, list[str]], days: str) -> None:
    names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

    assert [name for name, spans in zip(names, parse_week(hours), strict=True) if spans] == days.split()


@pytest.mark.parametrize(
    ("hours", "complaint"),
    [
        ({"mon": ["22:00-06:00"]}, "ends before it begins; work past midnight is written 22:00-24:00 and"),
        ({"mon": ["09:00-09:00"]}, "is empty"),
        ({"mon": ["09:00-12:00", "11:30-18:00"]}, "spans overlap at 11:30"),
        ({"mon-wed": ["09:00-12:00"], "tue": ["13:00-14:00"]}, "tue already has hours"),
        ({"mon": ["9-18"]}, "is not a span such as 09:00-18:00"),
        ({"mon": ["09:00-24:01"]}, "is not a span"),
        ({"mon": ["09:60-10:00"]}, "is not a span"),
        ({"workdays": ["09:00-18:00"]}, "is not a weekday"),
        ({"mon": []}, "no day has hours"),
        ({}, "no day has hours"),
    ],
)
def test_hours_that_make_no_sense_are_refused(hours: dict[str, list[str]], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_week(hours)


@pytest.mark.parametrize("place", [("XX", None), ("DE", "ZZ")])
def test_an_unknown_place_has_no_holidays(place: tuple[str, str | None]) -> None:
    with pytest.raises(ValueError, match="not"):
        public_holidays(*place)


@pytest.mark.parametrize(
    ("zone", "day", "minutes", "expected"),
    [
        ("Europe/Berlin", date(2026, 3, 28), 11 * 60, "2026-03-28T10:00Z"),
        ("Europe/Berlin", date(2026, 3, 29), 11 * 60, "2026-03-29T09:00Z"),
        ("Europe/Berlin", date(2026, 3, 29), 150, "2026-03-29T01:30Z"),
        ("Europe/Berlin", date(2026, 10, 25), 150, "2026-10-25T00:30Z"),
        ("Australia/Lord_Howe", date(2026, 10, 4), 11 * 60, "2026-10-04T00:00Z"),
    ],
    ids=["winter", "the day that summer time begins", "skipped", "shown twice", "turned by half an hour"],
)
def test_a_time_of_day_is_the_first_instant_that_shows_it(zone: str, day: date, minutes: int, expected: str) -> None:
    assert clock_instant(ZoneInfo(zone), day_from(day), minutes) == instant(expected)


def test_the_working_day_began_when_its_first_hours_did() -> None:
    split = BusinessCalendar(
        ZoneInfo("Europe/Berlin"),
        parse_week({"mon-fri": ["09:00-12:00", "13:00-18:00"]}),
        lambda day: day == date(2026, 3, 20),
    )

    assert [split.is_open(instant(f"2026-03-19T{at}+01:00")) for at in ("08:59", "09:00", "12:00", "13:00")] == [
        False, True, False, True,
    ]  # fmt: skip
    assert split.opened_at(instant("2026-03-19T14:00+01:00")) == instant("2026-03-19T09:00+01:00")
    assert split.opened_at(instant("2026-03-19T08:59+01:00")) is None
    assert split.opened_at(instant("2026-03-20T14:00+01:00")) is None
    assert not split.is_working_day(split.local_day(instant("2026-03-20T00:00+01:00")))


def test_since_when_it_is_open_or_closed_and_until_when() -> None:
    split = BusinessCalendar(
        ZoneInfo("Europe/Berlin"), parse_week({"mon-fri": ["09:00-12:00", "13:00-18:00"]}), lambda _: False
    )
    wednesday, thursday = instant("2026-03-18T18:00+01:00"), instant("2026-03-19T09:00+01:00")

    assert split.turned_at(instant("2026-03-18T21:00+01:00")) == (wednesday, thursday)
    assert split.turned_at(thursday) == (thursday, instant("2026-03-19T12:00+01:00"))
    friday, monday = instant("2026-03-20T18:00+01:00"), instant("2026-03-23T09:00+01:00")
    assert split.turned_at(instant("2026-03-21T12:00+01:00")) == (friday, monday)


def test_work_past_midnight_is_one_stretch() -> None:
    night = BusinessCalendar(
        ZoneInfo("UTC"), parse_week({"mon": ["22:00-24:00"], "tue": ["00:00-06:00"]}), lambda _: False
    )
    begin, end = instant("2026-03-16T22:00Z"), instant("2026-03-17T06:00Z")

    assert night.turned_at(instant("2026-03-16T23:30Z")) == (begin, end)
    assert night.turned_at(instant("2026-03-17T00:00Z")) == (begin, end)

"""With which window another one is compared: worked examples."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from schemas.comparing import span_before, span_of_last_year
from schemas.instants import MINUTE, format_instant
from schemas.windows import Calendar, Span, date_of, span_between, span_of
from tests.builders import instant

BERLIN = Calendar(ZoneInfo("Europe/Berlin"), 0)


def asked(window: str, now: int) -> Span:
    if "/" in window:
        return span_between(*(date.fromisoformat(part) for part in window.split("/")))
    return span_of(window, now, BERLIN)


def days(span: Span) -> str:
    assert span.days
    return f"{date_of(span.first)}/{date_of(span.last)}"


def minutes(span: Span) -> list[str]:
    return [format_instant(instant)[:16] for instant in (span.first * MINUTE, (span.last + 1) * MINUTE)]


@pytest.mark.parametrize(
    ("now", "window", "previous", "last_year"),
    [
        ("2026-03-18T12:00Z", "yesterday", "2026-03-16/2026-03-16", "2025-03-17/2025-03-17"),
        ("2026-03-18T12:00Z", "7d", "2026-03-05/2026-03-11", "2025-03-12/2025-03-18"),
        ("2026-03-18T12:00Z", "30d", "2026-01-18/2026-02-16", "2025-02-17/2025-03-18"),
        ("2026-03-18T12:00Z", "week", "2026-03-09/2026-03-11", "2025-03-17/2025-03-19"),
        ("2026-03-22T12:00Z", "week", "2026-03-09/2026-03-15", "2025-03-17/2025-03-23"),
        ("2026-03-18T12:00Z", "month", "2026-02-01/2026-02-18", "2025-03-01/2025-03-18"),
        # of a longer month there is no more than all of the shorter one before
        ("2026-03-31T12:00Z", "month", "2026-02-01/2026-02-28", "2025-03-01/2025-03-31"),
        ("2026-01-31T12:00Z", "month", "2025-12-01/2025-12-31", "2025-01-01/2025-01-31"),
        ("2026-05-31T12:00Z", "quarter", "2026-01-01/2026-03-02", "2025-04-01/2025-05-31"),
        ("2026-06-30T12:00Z", "quarter", "2026-01-01/2026-03-31", "2025-04-01/2025-06-30"),
        ("2026-03-31T12:00Z", "quarter", "2025-10-01/2025-12-29", "2025-01-01/2025-03-31"),
        ("2024-12-31T12:00Z", "year", "2023-01-01/2023-12-31", "2023-01-01/2023-12-31"),
        ("2025-03-01T12:00Z", "year", "2024-01-01/2024-02-29", "2024-01-01/2024-03-01"),
        ("2024-02-29T12:00Z", "month", "2024-01-01/2024-01-29", "2023-02-01/2023-02-28"),
        ("2026-03-18T12:00Z", "2026-03-02/2026-03-04", "2026-02-27/2026-03-01", "2025-03-02/2025-03-04"),
        ("2026-03-18T12:00Z", "2026-03-01/2026-03-31", "2026-02-01/2026-02-28", "2025-03-01/2025-03-31"),
        ("2026-03-18T12:00Z", "2026-03-01/2026-03-30", "2026-01-30/2026-02-28", "2025-03-01/2025-03-30"),
        ("2026-03-18T12:00Z", "2026-04-01/2026-06-30", "2026-01-01/2026-03-31", "2025-04-01/2025-06-30"),
        # three months that are no quarter are but so many days
        ("2026-03-18T12:00Z", "2026-02-01/2026-04-30", "2025-11-04/2026-01-31", "2025-02-01/2025-04-30"),
        ("2026-03-18T12:00Z", "2025-01-01/2025-12-31", "2024-01-01/2024-12-31", "2024-01-01/2024-12-31"),
        ("2026-03-18T12:00Z", "2024-02-29/2024-02-29", "2024-02-28/2024-02-28", "2023-02-28/2023-02-28"),
        # clock changes make a day shorter or longer, and move none
        ("2026-03-29T12:00Z", "yesterday", "2026-03-27/2026-03-27", "2025-03-28/2025-03-28"),
        ("2026-03-29T22:30Z", "7d", "2026-03-17/2026-03-23", "2025-03-24/2025-03-30"),
    ],
)
def test_days_are_compared_with_days(now: str, window: str, previous: str, last_year: str) -> None:
    span = asked(window, instant(now))

    assert days(span_before(span, instant(now), BERLIN)) == previous
    assert days(span_of_last_year(span, instant(now), BERLIN)) == last_year


@pytest.mark.parametrize(
    ("now", "first", "end"),
    [
        ("2026-03-18T12:00:30Z", "2026-03-16T23:00", "2026-03-17T12:01"),
        # yesterday lost the hour from 2 to 3: until 12:00 on the clock it had one hour less
        ("2026-03-30T10:00:30Z", "2026-03-28T23:00", "2026-03-29T10:01"),
        # today lost it: it is 12:00 on the clock after 11 hours
        ("2026-03-29T10:00:30Z", "2026-03-27T23:00", "2026-03-28T11:01"),
        # yesterday had the hour from 2 to 3 twice
        ("2026-10-26T11:00:30Z", "2026-10-24T22:00", "2026-10-25T11:01"),
        ("2026-10-25T11:00:30Z", "2026-10-23T22:00", "2026-10-24T10:01"),
        # a clock that was never shown yesterday: the time that would have been it
        ("2026-03-30T00:30:30Z", "2026-03-28T23:00", "2026-03-29T01:31"),
    ],
)
def test_today_is_compared_with_yesterday_up_to_the_same_minute_of_the_clock(now: str, first: str, end: str) -> None:
    span = asked("today", instant(now))

    assert minutes(span_before(span, instant(now), BERLIN)) == [first, end]
    assert days(span_of_last_year(span, instant(now), BERLIN)) == days(
        span_between(*[date_of(span.first).replace(year=2025)] * 2)
    )


def test_minutes_are_compared_with_as_many_right_before() -> None:
    now = instant("2026-03-29T01:10:30Z")  # ten minutes after the clock change
    span = asked("1h", now)

    assert minutes(span) == ["2026-03-29T00:11", "2026-03-29T01:11"]
    assert minutes(span_before(span, now, BERLIN)) == ["2026-03-28T23:11", "2026-03-29T00:11"]
    assert minutes(span_of_last_year(span, now, BERLIN))[1] == "2025-03-29T02:11"

"""With which window another one is compared: the one before it, or that of a year before.

Owns that arithmetic of dates. Reads no clock: `now` is an argument.
"""

from calendar import monthrange
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from schemas.instants import MINUTE, from_datetime, to_datetime
from schemas.windows import Calendar, Span, date_of, day_from, span_between

PREVIOUS = "previous"
LAST_YEAR = "last_year"

_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_WEEKS_IN_YEAR = 52


def span_before(span: Span, now: int, calendar: Calendar) -> Span:
    """The window right before this one.

    Of today it is yesterday up to the same minute of the clock; of a week, month, quarter or year its first days, as
    many as have begun in this one; of two dates as many days, or the calendar's month, quarter or year before if they
    are a whole one.
    """
    size = span.last - span.first + 1
    if not span.days:
        return Span(PREVIOUS, days=False, first=span.first - size, last=span.first - 1)
    if span.name == "today":
        first = calendar.day_start(span.first - 1) // MINUTE
        yesterday = _on_the_clock(now, calendar) - timedelta(days=1)  # aware, of one zone: by the clock
        return Span(PREVIOUS, days=False, first=first, last=_minute_of(yesterday))
    first_date = date_of(span.first)
    months = _MONTHS.get(span.name)
    if span.name == "week":
        return _days(span.first - 7, span.first - 8 + min(size, 7))
    if months is not None:
        before = _months_before(first_date, months)
        return _days(day_from(before), min(day_from(before) + size, span.first) - 1)
    whole = next((count for count in _MONTHS.values() if _is_whole(first_date, date_of(span.last), count)), None)
    first = span.first - size if whole is None else day_from(_months_before(first_date, whole))
    return _days(first, span.first - 1)


def span_of_last_year(span: Span, now: int, calendar: Calendar) -> Span:
    """The same dates a year before; of a week 52 weeks before. 29 February becomes the 28th."""
    if not span.days:
        clock = _on_the_clock(now, calendar)
        last = _minute_of(datetime.combine(_a_year_before(clock.date()), clock.timetz()))
        return Span(LAST_YEAR, days=False, first=last - (span.last - span.first), last=last)
    if span.name == "week":
        return _days(span.first - 7 * _WEEKS_IN_YEAR, span.last - 7 * _WEEKS_IN_YEAR, LAST_YEAR)
    found = span_between(_a_year_before(date_of(span.first)), _a_year_before(date_of(span.last)))
    return replace(found, name=LAST_YEAR)


def _days(first: int, last: int, name: str = PREVIOUS) -> Span:
    return Span(name, days=True, first=first, last=last)


def _months_before(first: date, months: int) -> date:
    """The first of the month so many months before one."""
    month = first.year * 12 + first.month - 1 - months
    return date(month // 12, month % 12 + 1, 1)


def _is_whole(first: date, last: date, months: int) -> bool:
    """Whether two dates are the first and the last of so many months that begin a month, quarter or year."""
    begins = first.day == 1 and (first.month - 1) % months == 0
    ends = last.day == monthrange(last.year, last.month)[1]
    return begins and ends and _months_before(last.replace(day=1), months - 1) == first


def _a_year_before(day: date) -> date:
    is_leap_day = (day.month, day.day) == (2, 29)
    return date(day.year - 1, day.month, 28 if is_leap_day else day.day)


def _on_the_clock(now: int, calendar: Calendar) -> datetime:
    return to_datetime(now).astimezone(calendar.zone)


def _minute_of(when: datetime) -> int:
    return from_datetime(when.astimezone(UTC)) // MINUTE

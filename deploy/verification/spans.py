"""What a window holds at an instant: minutes, or days of the organisation. And days and instants in a zone."""

import calendar
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from deploy.verification.shapes import DAY_WINDOWS, EPOCH, MINUTE, ROLLING_MINUTES, RecountedWindow

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

DayOf = Callable[[int], date]
"""The day of the organisation in which an instant lies."""


@dataclass(frozen=True, slots=True)
class Span:
    """A window as of an instant."""

    start: int | None
    end: int | None
    """Both None: the days decide."""
    first: date
    last: date
    now: int
    today: date

    def holds(self, at: int | None, day: date) -> bool:
        """Whether what happened then happened in it; what has a day and no instant goes by its day."""
        if self.start is not None and self.end is not None and at is not None:
            return self.start <= at < self.end
        return self.first <= day <= (self.last if at is not None else self.seen_on)

    @property
    def seen_on(self) -> date:
        """The day of its end, or of now if that is earlier."""
        return min(self.last, self.today)

    def has_come(self, instant: int, day_of: DayOf) -> bool:
        """Whether the instant is over at the window's end, or now: today minutes decide, else whole days."""
        if self.last >= self.today:
            this_minute = self.now // MINUTE * MINUTE + MINUTE
            return instant < (this_minute if self.end is None else min(self.end, this_minute))
        return day_of(instant) <= self.last

    def was_before(self, instant: int, day_of: DayOf) -> bool:
        """Whether the instant was over at its beginning: today minutes decide, else whole days."""
        if self.start is None:
            return day_of(instant) < self.first
        before = day_of(self.start - 1)
        return instant < self.start if before >= self.today else day_of(instant) <= before


def span_of(window: RecountedWindow, now: int, day_of: DayOf, week_starts: str) -> Span:
    """Give what a window holds at `now`."""
    today = day_of(now)
    if isinstance(window, str) and window in ROLLING_MINUTES:
        end = now // MINUTE * MINUTE + MINUTE
        start = end - ROLLING_MINUTES[window] * MINUTE
        return Span(start, end, day_of(start), today, now, today)
    first, last = window if isinstance(window, tuple) else _days(window, today, week_starts)
    return Span(None, None, first, last, now, today)


def _days(window: str, today: date, week_starts: str) -> tuple[date, date]:
    """First and last day of a window of whole days, both included."""
    if window == "yesterday":
        return today - timedelta(days=1), today - timedelta(days=1)
    into_week = (today.weekday() - WEEKDAYS.index(week_starts)) % 7
    first_days = {
        "today": today,
        "week": today - timedelta(days=into_week),
        "month": today.replace(day=1),
        "quarter": today.replace(month=(today.month - 1) // 3 * 3 + 1, day=1),
        "year": today.replace(month=1, day=1),
        "7d": today - timedelta(days=6),
        "30d": today - timedelta(days=29),
    }
    if window not in first_days:
        msg = f"{window!r} is not a window; there are {', '.join((*ROLLING_MINUTES, *DAY_WINDOWS))}"
        raise ValueError(msg)
    return first_days[window], today


def local_time(instant: int, zone: ZoneInfo) -> datetime:
    """What the clocks show at an instant."""
    return (EPOCH + timedelta(microseconds=instant)).astimezone(zone)


def start_of(day: date, zone: ZoneInfo) -> int:
    """The first instant of a day."""
    start = datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)
    while start.astimezone(zone).date() < day:
        start += timedelta(minutes=1)
    return (start - EPOCH) // timedelta(microseconds=1)


def day_months_later(day: date, months: int) -> date:
    """The same day of a later month, else its last."""
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))

"""Windows: the two sizes of pane that are stored, the calendar of days, and what a window's name means at an instant.

Owns window arithmetic. Reads no clock: `now` is an argument.

    stored    minute panes |m|m|m|m|m|        day panes |   day   |   day   |
    read      15m = the current minute and the 14 before it; month = the days of this month up to today
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NewType
from zoneinfo import ZoneInfo

from schemas.instants import DAY, MINUTE, from_datetime, to_datetime

Window = NewType("Window", int)
"""A stored window: minutes since the epoch times two, or days of the organisation's calendar times two plus one.

Two more are beside these: `STANDING`, and days of `kept_window`.

One integer, because a pane is looked up by it in the hottest loop of the product.
"""

STANDING = Window(2**62)
"""The pane of a rep that never ends and does not expire: what has no instant, and the sum of all that levels hold."""

_KEPT = 33
"""From this bit on stands for how many days the ids of a day are kept, which lie in a pane of their own."""

_INDICES = 1 << _KEPT - 2
_KEEPS = 1 << 20
"""Bounds of what fits beside each other in a window: all days and minutes that there are, by far."""

Day = int
"""Days since 1970-01-01 in the organisation's calendar."""

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
QUARTER = 15 * MINUTE
"""No zone changes its offset inside a quarter of an hour, except where `day_of` looks twice."""

ROLLING_MINUTES = {"5m": 5, "15m": 15, "1h": 60, "4h": 240, "24h": 1440}


def minute_window(instant: int) -> Window:
    """The minute that holds the instant."""
    return Window(instant // MINUTE * 2)


def day_window(day: Day) -> Window:
    """The stored window of a day."""
    return Window(day * 2 + 1)


def kept_window(day: Day, keep: int) -> Window:
    """The stored window of what of a day is kept for so many days only."""
    return Window((keep << _KEPT) + day * 2 + 1)


def days_kept(window: Window) -> int:
    """For how many days a day's pane is kept; 0 for all others, which are kept as long as records, or never end."""
    return 0 if window == STANDING else window + (1 << _KEPT - 1) >> _KEPT


@lru_cache(8192)
def whole_day(window: Window) -> Window:
    """The window of the day that a pane is a part of; any other as it is."""
    return Window(window - (days_kept(window) << _KEPT))


def is_day(window: Window) -> bool:
    """Whether it is a day (else a minute, or standing)."""
    return window & 1 == 1


def index_of(window: Window) -> int:
    """Minutes or days since the epoch."""
    return whole_day(window) >> 1


def write_window(window: Window) -> str:
    """As it stands in keys: `m29563542`, `d20514`, `d20514.35` (kept for 35 days) or `s0` (standing)."""
    if window == STANDING:
        return "s0"
    keep = days_kept(window)
    return f"{'d' if window & 1 else 'm'}{index_of(window)}{f'.{keep}' if keep else ''}"


@lru_cache(8192)
def read_window(text: str) -> Window:
    """The opposite of `write_window`. Raises ValueError."""
    if text == "s0":
        return STANDING
    kind, (number, _, kept) = text[:1], text[1:].partition(".")
    index, keep = int(number), int(kept) if kept else 0
    if abs(index) < _INDICES and 0 <= keep < _KEEPS:
        if kind == "d":
            return kept_window(index, keep)
        if kind == "m" and not kept:
            return Window(index * 2)
    msg = f"{text!r} is not a window"
    raise ValueError(msg)


def first_minute_kept(now: int, minutes_kept: int) -> int:
    """The first minute since the epoch of which something is known, where minutes are kept for so long."""
    return now // MINUTE - minutes_kept // MINUTE + 1


def date_of(day: Day) -> date:
    """The calendar date of a day."""
    return date.fromordinal(day + _EPOCH_ORDINAL)


def day_from(when: date) -> Day:
    """The day of a calendar date."""
    return when.toordinal() - _EPOCH_ORDINAL


class Calendar:
    """The organisation's days: which one an instant lies in, and where each begins."""

    def __init__(self, zone: ZoneInfo, first_weekday: int) -> None:
        self.zone = zone
        self.first_weekday = first_weekday
        self._days: dict[int, Day] = {}
        """Of the quarters of an hour that lie in one day with all of them."""

    def day_of(self, instant: int) -> Day:
        """The day that holds the instant."""
        day = self._days.get(instant // QUARTER)
        if day is None:
            day = self._find_day(instant // QUARTER)
        return self._day_at(instant) if day is None else day

    def day_of_quarter(self, quarter: int) -> Day | None:
        """The day that holds this quarter of an hour since the epoch, all of it; None where days or offsets change."""
        day = self._days.get(quarter)
        return self._find_day(quarter) if day is None else day

    def _find_day(self, quarter: int) -> Day | None:
        start, end = quarter * QUARTER, (quarter + 1) * QUARTER - 1
        day = self._day_at(start)
        if day != self._day_at(end) or self._offset(start) != self._offset(end):
            return None
        if len(self._days) > 200_000:
            self._days.clear()
        self._days[quarter] = day
        return day

    def _day_at(self, instant: int) -> Day:
        return (instant + self._offset(instant)) // DAY

    def day_start(self, day: Day) -> int:
        """The first instant of a day (that is not always local midnight: some zones skip it)."""
        midnight = datetime.combine(date_of(day), datetime.min.time(), tzinfo=self.zone)
        guess = from_datetime(midnight.astimezone(UTC))
        while self.day_of(guess) >= day:
            guess -= 15 * MINUTE
        while self.day_of(guess) < day:
            guess += MINUTE
        return guess

    def _offset(self, instant: int) -> int:
        delta = to_datetime(instant).astimezone(self.zone).utcoffset()
        return (delta or timedelta()) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """What a window means at an instant: minutes or days, both ends included."""

    name: str
    days: bool
    first: int
    last: int

    def windows(self) -> range:
        """The stored windows it is merged from, as `Window` numbers."""
        step = 1 if self.days else 0
        return range(self.first * 2 + step, self.last * 2 + step + 1, 2)

    def bounds(self, calendar: Calendar) -> tuple[int, int]:
        """[start, end) in microseconds."""
        if self.days:
            return calendar.day_start(self.first), calendar.day_start(self.last + 1)
        return self.first * MINUTE, (self.last + 1) * MINUTE


_BEGINNINGS: dict[str, Callable[[date, int], date]] = {
    "today": lambda today, _: today,
    "week": lambda today, first_weekday: today - timedelta(days=(today.weekday() - first_weekday) % 7),
    "month": lambda today, _: today.replace(day=1),
    "quarter": lambda today, _: today.replace(month=(today.month - 1) // 3 * 3 + 1, day=1),
    "year": lambda today, _: today.replace(month=1, day=1),
    "7d": lambda today, _: today - timedelta(days=6),
    "30d": lambda today, _: today - timedelta(days=29),
}

_LONGEST = {"today": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}
"""So many days after a period begins the next one has begun, and not yet the one after."""


def periods(name: str, first: Day, last: Day, calendar: Calendar) -> Iterator[Span]:
    """The days (`today`), weeks, months, quarters or years that have one of these days, each whole."""
    begins = first_day_of(name, first, calendar)
    while begins <= last:
        ends = first_day_of(name, begins + _LONGEST[name], calendar) - 1
        yield Span(name, days=True, first=begins, last=ends)
        begins = ends + 1


def first_day_of(name: str, day: Day, calendar: Calendar) -> Day:
    """The first day of the period of that name (see `periods`) that a day lies in."""
    return day_from(_BEGINNINGS[name](date_of(day), calendar.first_weekday))


WINDOWS = (*ROLLING_MINUTES, "today", "yesterday", "week", "month", "quarter", "year", "7d", "30d")


def span_of(name: str, now: int, calendar: Calendar) -> Span:
    """The span of a named window at `now`. Raises KeyError for a name that is not in `WINDOWS`."""
    minutes = ROLLING_MINUTES.get(name)
    if minutes is not None:
        current = now // MINUTE
        return Span(name, days=False, first=current - minutes + 1, last=current)
    today = calendar.day_of(now)
    if name == "yesterday":
        return Span(name, days=True, first=today - 1, last=today - 1)
    first = _BEGINNINGS[name](date_of(today), calendar.first_weekday)
    return Span(name, days=True, first=day_from(first), last=today)


def span_between(first: date, last: date) -> Span:
    """The span of two dates, both included."""
    return Span(f"{first.isoformat()}/{last.isoformat()}", days=True, first=day_from(first), last=day_from(last))

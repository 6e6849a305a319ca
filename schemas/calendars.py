"""Business calendars: when a team works, and how much of that lies between two instants.

Owns the reading of weekly hours and the arithmetic of business time: an instant is business time if the calendar's own
clock and date then lie within the hours of a day that is no holiday. Does not know teams or leads, and reads no clock.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from functools import lru_cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from schemas.instants import DAY, HOUR, MINUTE, SECOND, from_datetime, to_datetime
from schemas.windows import Day, date_of

Hours = tuple[tuple[int, int], ...]
"""Open spans of one weekday: [from, to) in minutes after midnight, ascending, apart from one another."""

Week = tuple[Hours, ...]
"""Monday first."""

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FULL_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_BLOCK = 64
_HORIZON = 40 * 366
"""Days that a due instant is looked for: one that is further away is as good as never."""
_MOST_DAYS = 50_000


def parse_week(hours: Mapping[str, Sequence[str]]) -> Week:
    """`{"mon-fri": ["09:00-12:00", "13:00-18:00"], "sat,sun": []}` -> hours by weekday. Raises ValueError."""
    week: dict[int, Hours] = {}
    for days, spans in hours.items():
        found = _parse_spans(days, spans)
        for weekday in weekdays_of(days):
            if weekday in week:
                msg = f"{days}: {WEEKDAYS[weekday]} already has hours"
                raise ValueError(msg)
            week[weekday] = found
    if not any(week.values()):
        raise ValueError("no day has hours")
    return tuple(week.get(weekday, ()) for weekday in range(7))


def weekdays_of(text: str) -> list[int]:
    """`mon-fri`, `sat` or `mon,wed` as numbers, 0 for Monday. Raises ValueError."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = (name.strip().lower() for name in part.partition("-"))
        begin = _weekday(first, text)
        length = (_weekday(last, text) - begin) % 7 if dash else 0  # fri-mon goes over the end of the week
        found += [(begin + step) % 7 for step in range(length + 1)]
    return found


def _weekday(name: str, text: str) -> int:
    for names in (WEEKDAYS, _FULL_NAMES):
        if name in names:
            return names.index(name)
    msg = f"{text!r} is not a weekday, a range such as mon-fri or a list such as mon,wed"
    raise ValueError(msg)


def _parse_spans(days: str, spans: Sequence[str]) -> Hours:
    found = sorted(parse_span(text) for text in spans)
    for (_, end), (start, _) in pairwise(found):
        if start < end:
            msg = f"{days}: spans overlap at {start // 60:02d}:{start % 60:02d}"
            raise ValueError(msg)
    return tuple(found)


def parse_span(text: str) -> tuple[int, int]:
    """`09:00-18:00` as minutes of one day. Raises ValueError."""
    first, dash, last = text.partition("-")
    start, end = _minutes(first), _minutes(last)
    if not dash or start is None or end is None:
        msg = f"{text!r} is not a span such as 09:00-18:00"
        raise ValueError(msg)
    if start == end:
        msg = f"{text} is empty"
        raise ValueError(msg)
    if start > end:
        msg = f"{text} ends before it begins; work past midnight is written {first.strip()}-24:00 and, "
        msg += f"on the day after, 00:00-{last.strip()}"
        raise ValueError(msg)
    return start, end


def _minutes(text: str) -> int | None:
    hours, colon, minutes = text.strip().partition(":")
    if not (colon and len(minutes) == 2 and 1 <= len(hours) <= 2 and (hours + minutes).isascii()):
        return None
    if not (hours + minutes).isdigit() or int(minutes) > 59:
        return None
    found = int(hours) * 60 + int(minutes)
    return found if found <= 24 * 60 else None


def clock_instant(zone: ZoneInfo, day: Day, minutes: int) -> int:
    """When the zone's clock shows so many minutes after midnight on that day: the first time, if it does so twice.

    What the clock skips counts as much later as it skips.
    """
    return from_datetime(datetime.combine(date_of(day), time(minutes // 60, minutes % 60), tzinfo=zone))


def public_holidays(country: str, subdivision: str | None) -> Callable[[date], bool]:
    """Whether a day is a public holiday there. Raises ValueError for a place that is not known."""
    # It takes a tenth of a second to import, which only those pay who name a country.
    import holidays  # noqa: PLC0415

    try:
        found: Any = holidays.country_holidays(country, subdiv=subdivision)
    except NotImplementedError:
        known = holidays.list_supported_countries().get(country)
        if known is None:
            msg = f"holidays of {country!r} are not known; it must be a country of ISO 3166-1 such as DE"
        else:
            msg = f"holidays of {subdivision!r} in {country} are not known; there are {', '.join(known) or 'none'}"
        raise ValueError(msg) from None
    return lambda day: day in found


class BusinessCalendar:
    """Business time of one calendar. Pure but for what it remembers of days it has worked out.

    Days are cut at midnight UTC, so that they follow one another without gap or overlap whatever the zone's own clock
    does; the hours in them are those of the zone's clock. An hour that the clock skips is not worked, one that it
    repeats is worked twice.
    """

    def __init__(self, zone: ZoneInfo, week: Week, is_holiday: Callable[[date], bool]) -> None:
        self.zone = zone
        self._week = week
        self._is_holiday = is_holiday
        self.spans: Callable[[Day], tuple[tuple[int, int], ...]] = lru_cache(_MOST_DAYS)(
            lambda day: tuple(self._work_out(day))
        )
        """[open, close) in microseconds, of a day of 24 h that begins at midnight UTC; ascending."""
        self._block = lru_cache(None)(self._work_out_block)

    def between(self, start: int, end: int) -> int:
        """Business time in [start, end), in microseconds; 0 if `end` is not after `start`."""
        if end <= start:
            return 0
        first, last = start // DAY, end // DAY
        found = sum(max(0, min(close, end) - max(opening, start)) for opening, close in self.spans(first))
        if last > first:
            found += self._total(first + 1, last)
            found += sum(max(0, min(close, end) - opening) for opening, close in self.spans(last))
        return found

    def after(self, start: int, duration: int) -> int:
        """The first instant at which `duration` of business time has passed since `start` (microseconds).

        An hour that ends with the day's work is over in the evening, not when the next day's work begins.
        """
        if duration <= 0:
            return start
        left, day = duration, start // DAY
        horizon = day + _HORIZON
        while day < horizon:
            if day % _BLOCK == 0 and day * DAY >= start and (whole := self._block(day // _BLOCK)) < left:
                left -= whole
                day += _BLOCK
                continue
            for opening, close in self.spans(day):
                begin = max(opening, start)
                if close - begin >= left:
                    return begin + left
                left -= max(0, close - begin)
            day += 1
        return horizon * DAY

    def local_day(self, instant: int) -> Day:
        """The day that the zone's own calendar shows then."""
        return (instant + self._offset(instant)) // DAY

    def is_working_day(self, local_day: Day) -> bool:
        """Whether anybody works on that day of the zone's own calendar."""
        return bool(self._hours(local_day))

    def is_open(self, instant: int) -> bool:
        """Whether it is business time."""
        return any(opening <= instant < close for opening, close in self.spans(instant // DAY))

    def opened_at(self, instant: int) -> int | None:
        """When the working day that holds this instant began; None before its first hour and on free days."""
        local_day = self.local_day(instant)
        if not self._hours(local_day):
            return None
        # A day of the zone reaches into up to three days of UTC.
        openings = [
            opening
            for day in range(local_day - 1, local_day + 2)
            for opening, _ in self.spans(day)
            if opening <= instant and self.local_day(opening) == local_day
        ]
        return min(openings, default=None)

    def turned_at(self, instant: int) -> tuple[int | None, int | None]:
        """Since when it has been as it is then, open or closed, and when that ends; None: not within two weeks."""
        day = instant // DAY
        # What ends as the next begins goes on.
        edges = Counter(edge for near in range(day - 14, day + 15) for span in self.spans(near) for edge in span)
        turns = sorted(edge for edge, count in edges.items() if count == 1)
        past = [edge for edge in turns if edge <= instant]
        coming = [edge for edge in turns if edge > instant]
        return past[-1] if past else None, coming[0] if coming else None

    def _total(self, first: Day, end: Day) -> int:
        total, day = 0, first
        while day < end:
            if day % _BLOCK == 0 and day + _BLOCK <= end:
                total += self._block(day // _BLOCK)
                day += _BLOCK
            else:
                total += sum(close - opening for opening, close in self.spans(day))
                day += 1
        return total

    def _work_out_block(self, index: int) -> int:
        days = range(index * _BLOCK, (index + 1) * _BLOCK)
        return sum(close - opening for day in days for opening, close in self.spans(day))

    def _work_out(self, day: Day) -> Iterator[tuple[int, int]]:
        for begin, end, offset in self._stretches(day * DAY, (day + 1) * DAY):
            for local_day in range((begin + offset) // DAY, (end - 1 + offset) // DAY + 1):
                midnight = local_day * DAY - offset
                for opening, close in self._hours(local_day):
                    found = max(begin, midnight + opening * MINUTE), min(end, midnight + close * MINUTE)
                    if found[0] < found[1]:
                        yield found

    def _hours(self, local_day: Day) -> Hours:
        day = date_of(local_day)
        hours = self._week[day.weekday()]
        return () if not hours or self._is_holiday(day) else hours

    def _stretches(self, first: int, end: int) -> Iterator[tuple[int, int, int]]:
        """Instants of one UTC offset: (begin, end, offset)."""
        begin, offset, at = first, self._offset(first), first
        while at < end:
            following = min(at + 3 * HOUR, end)
            changed = self._offset(following - 1)
            if changed != offset:
                turn = self._turn(at, following, offset)
                yield begin, turn, offset
                begin, offset = turn, changed
            at = following
        yield begin, end, offset

    def _turn(self, before: int, after: int, offset: int) -> int:
        """The first instant in [before, after) that has another offset; zones turn at whole seconds."""
        low, high = before // SECOND - 1, after // SECOND  # `before` itself may be the turn
        while high - low > 1:
            middle = (low + high) // 2
            if self._offset(middle * SECOND) == offset:
                low = middle
            else:
                high = middle
        return high * SECOND

    def _offset(self, instant: int) -> int:
        delta = to_datetime(instant).astimezone(self.zone).utcoffset()
        return 0 if delta is None else (delta.days * 86_400 + delta.seconds) * SECOND

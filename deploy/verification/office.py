"""Business time, read off a calendar's wall clock: by the recount alone, the stream has its own."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import holidays

from deploy.verification.shapes import DAY, EPOCH, HOUR, MINUTE
from deploy.verification.spans import local_time

if TYPE_CHECKING:
    from schemas.config.floor import BusinessHours


class Office:
    """One calendar, taken at its word: open is when its wall clock says so."""

    def __init__(self, entry: BusinessHours) -> None:
        self._zone = ZoneInfo(entry.timezone)
        self._extra = set(entry.holidays.extra)
        self._public: Any = ()
        if entry.holidays.country is not None:
            self._public = holidays.country_holidays(entry.holidays.country, subdiv=entry.holidays.subdivision)
        self._hours: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for days, spans in entry.hours.items():
            for weekday in _weekdays(days):
                for span in spans:
                    first, last = span.split("-")
                    self._hours[weekday].append((_wall_minute(first), _wall_minute(last)))
        self._opening_times = cache(self._find)

    def between(self, start: int, end: int) -> int:
        """Business time in [start, end)."""
        total, day = 0, self._local(start).date() - timedelta(days=1)
        last = self._local(max(start, end)).date() + timedelta(days=1)
        while day <= last:
            for opening, close in self._opening_times(day):
                total += max(0, min(close, end) - max(opening, start))
            day += timedelta(days=1)
        return total

    def after(self, start: int, duration: int) -> int:
        """When so much business time has passed."""
        day = self._local(start).date() - timedelta(days=1)
        while True:
            for opening, close in self._opening_times(day):
                worked = max(0, close - max(opening, start))
                if worked >= duration:
                    return max(opening, start) + duration
                duration -= worked
            day += timedelta(days=1)

    def _find(self, day: date) -> list[tuple[int, int]]:
        hours = sorted(self._hours[day.weekday()])
        if not hours or day in self._extra or day in self._public:
            return []
        midnight = (day - EPOCH.date()).days * DAY  # as if the zone were UTC
        offsets = {self._offset(midnight + hour * HOUR) for hour in range(-16, 41)}
        if len(offsets) == 1:
            offset = offsets.pop()
            return [(midnight + first * MINUTE - offset, midnight + last * MINUTE - offset) for first, last in hours]
        # The clock is put on or back about then: look at it in every single minute.
        found: list[tuple[int, int]] = []
        for minute in range(midnight - 16 * HOUR, midnight + 40 * HOUR, MINUTE):
            local = self._local(minute)
            wall = local.hour * 60 + local.minute
            if local.date() == day and any(first <= wall < last for first, last in hours):
                if found and found[-1][1] == minute:
                    found[-1] = (found[-1][0], minute + MINUTE)
                else:
                    found.append((minute, minute + MINUTE))
        return found

    def _local(self, instant: int) -> datetime:
        return local_time(instant, self._zone)

    def _offset(self, instant: int) -> int:
        return (self._local(instant).utcoffset() or timedelta()) // timedelta(microseconds=1)


_OFFICES: dict[str, Office] = {}


def office_of(written: str, entry: BusinessHours) -> Office:
    """One office for equal entries: it remembers the days that were looked at minute by minute."""
    return _OFFICES.setdefault(written, Office(entry))


def _weekdays(text: str) -> list[int]:
    found = []
    for part in text.lower().split(","):
        names = [name.strip()[:3] for name in part.split("-")]
        first, last = (["mon", "tue", "wed", "thu", "fri", "sat", "sun"].index(name) for name in (names[0], names[-1]))
        found += [*range(first, last + 1)] if first <= last else [*range(first, 7), *range(last + 1)]
    return found


def _wall_minute(text: str) -> int:
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)

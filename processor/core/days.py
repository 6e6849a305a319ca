"""The day in one message: which channels are to be told of it now, and what.

Owns when it is due, and which days were told: once for each day and channel, also by a worker that starts after the
instant on the same day; never one of a day that is over. Does no I/O, and reads no clock.
"""

from collections.abc import Iterable
from datetime import datetime, time

from msgspec.structs import replace

from schemas.alerts import DIGEST, Alert
from schemas.calendars import weekdays_of
from schemas.digest import digest_so_far, first_day_needed
from schemas.digest_words import digest_notice
from schemas.floor import Floor
from schemas.goals.book import GoalBook
from schemas.instants import from_datetime, to_datetime
from schemas.leads import LeadClock
from schemas.notices import Notice
from schemas.windows import Window, date_of, day_window
from schemas.wins import Win
from schemas.words import words_of


class DayBook:
    """State: the days that channels were told of."""

    def __init__(self, floor: Floor) -> None:
        self._told: dict[str, Alert] = {}
        self.rebase(floor)

    def rebase(self, floor: Floor) -> None:
        """Look at these numbers from now on."""
        self._floor = floor
        self._goals = GoalBook(floor)
        self._asked = floor.config.digest
        self._weekdays = frozenset() if self._asked is None else frozenset(weekdays_of(self._asked.days))

    @property
    def is_needed(self) -> bool:
        """Whether any channel is to be told of days."""
        return self._asked is not None

    def restore(self, alert: Alert) -> None:
        """Put back a day that was told."""
        if alert.kind == DIGEST:
            self._told[alert.id] = alert

    def forget(self, before: int) -> list[str]:
        """Forget the days that were told before that instant; their ids."""
        ids = [id for id, alert in self._told.items() if alert.raised_at < before]
        for id in ids:
            del self._told[id]
        return ids

    def oldest(self, now: int) -> dict[bool, Window]:
        """The oldest day whose panes mean anything to a digest, as thresholds say it."""
        return {True: day_window(first_day_needed(self._floor, self._goals, now))} if self.is_needed else {}

    def due(self, as_of: int) -> list[str]:
        """The channels that are to be told of the day in which this instant lies."""
        asked = self._asked
        if asked is None:
            return []
        today = self._today(as_of)
        if today.weekday() not in self._weekdays or as_of < self._due_at(as_of):
            return []
        return [channel for channel in dict.fromkeys(asked.to) if _id(today, channel) not in self._told]

    def look(self, as_of: int, now: int, wins: Iterable[Win], clocks: Iterable[LeadClock]) -> list[tuple[str, Alert]]:
        """What is to be told now, by channel. `as_of`: all that was delivered until then is in the numbers."""
        channels = self.due(as_of)
        if not channels:
            return []
        config = self._floor.config
        digest = digest_so_far(self._floor, self._goals, wins, clocks, as_of)
        words, due_at, today = words_of(config.channel_language), self._due_at(as_of), self._today(as_of)
        found = []
        for channel in channels:
            notice = digest_notice(digest, self._floor, words, config.names_told(channel))
            id = _id(today, channel)
            # Its numbers need not be kept: that it was told is all that counts afterwards.
            self._told[id] = Alert(id, DIGEST, "warn", None, None, None, due_at, due_at, max(now, as_of))
            found.append((channel, _with(self._told[id], notice)))
        return found

    def _today(self, as_of: int) -> datetime:
        return to_datetime(as_of).astimezone(self._floor.calendar.zone)

    def _due_at(self, as_of: int) -> int:
        if self._asked is None:
            return as_of
        hour, minute = map(int, self._asked.at.split(":"))
        day = date_of(self._floor.calendar.day_of(as_of))
        return from_datetime(datetime.combine(day, time(hour, minute), self._floor.calendar.zone))


def _with(alert: Alert, notice: Notice) -> Alert:
    return replace(alert, notice=notice)


def _id(today: datetime, channel: str) -> str:
    return f"{DIGEST}:{today.date().isoformat()}:{channel}"

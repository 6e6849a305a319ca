"""What partition 0 of `alert-actions` tells channels beside alerts: the day, and what was won.

Owns which topics have to be read for it, and the order: wins are looked at before the day that lists them. What is told
is decided in processor/core/days.py and celebrations.py.
"""

from collections.abc import Sequence

import msgspec

from processor.core.celebrations import CelebrationBook
from processor.core.days import DayBook
from schemas.alerts import Alert
from schemas.floor import Floor
from schemas.leads import LeadClock, decode_clock
from schemas.topics import DEALS, LEAD_CLOCKS, Topic
from schemas.windows import Window


class Announcements:
    """Both books, and the leads that wait."""

    def __init__(self, floor: Floor) -> None:
        self._days = DayBook(floor)
        self._celebrations = CelebrationBook(floor)
        self._clocks: dict[bytes, LeadClock] = {}

    @property
    def is_needed(self) -> bool:
        """Whether any channel is to be told of anything."""
        return self._days.is_needed or self._celebrations.is_needed

    @property
    def topics(self) -> Sequence[Topic]:
        """What has to be read for it, beside panes and roster."""
        return (*((DEALS,) if self.is_needed else ()), *((LEAD_CLOCKS,) if self._days.is_needed else ()))

    def rebase(self, floor: Floor) -> None:
        """Look at these numbers from now on."""
        self._days.rebase(floor)
        self._celebrations.rebase(floor)
        self._clocks = {}

    def restore(self, alert: Alert) -> None:
        """Put back what an earlier owner has published."""
        self._days.restore(alert)
        self._celebrations.restore(alert)

    def begin(self, now: int) -> list[Alert]:
        """After all is restored; what is to be written."""
        return self._celebrations.begin(now)

    def forget(self, before: int) -> list[str]:
        """Forget what was told before that instant; the ids."""
        return [*self._days.forget(before), *self._celebrations.forget(before)]

    def oldest(self, now: int) -> dict[bool, Window]:
        """The oldest panes that mean anything to it, as thresholds say it."""
        return self._days.oldest(now)

    def take(self, topic: Topic, key: bytes, value: bytes | None) -> None:
        """Take in a message of one of `topics`."""
        if topic is DEALS:
            self._celebrations.take_deal(key, value)
            return
        clock = None if value is None else decode_clock(value)
        if clock is not None and clock.is_undecided:
            self._clocks[key] = clock
        else:
            self._clocks.pop(key, None)

    def note(self, turned: Sequence[Alert]) -> None:
        """Alerts have turned: goals among them may be won."""
        for alert in turned:
            self._celebrations.note_goal(alert)

    def look(self, as_of: int, now: int) -> list[tuple[str, Alert]]:
        """What is to be told now, by channel."""
        found = self._celebrations.look(as_of, now) if self._celebrations.is_needed else []
        if self._days.due(as_of):
            found += self._days.look(as_of, now, self._celebrations.wins(as_of), self._clocks.values())
        return found


def kept(alert: Alert) -> Alert:
    """What is remembered of something told: of a day that it was."""
    if alert.notice is not None and not alert.notice.about:
        return msgspec.structs.replace(alert, notice=None)
    return alert

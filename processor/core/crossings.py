"""Numbers that may cross a limit: which to look at now, a slice at a time, and what their alerts have in common.

Owns the queue of thresholds.py and milestones.py, who say what a crossing is. Does no I/O, and reads no clock.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import ClassVar, NamedTuple

from msgspec.structs import replace

from schemas.alerts import Alert
from schemas.floor import Floor, Scope
from schemas.windows import Window, day_window, minute_window

LOOKS_AT_ONCE = 250
"""Numbers that one look makes: some ten milliseconds, after which others have their turn."""

WatchedPane = tuple[Window, str | None]


class Watched(NamedTuple):
    """One number that is looked at: of which threshold or goal, and whose."""

    name: str
    scope: Scope


class CrossingBook(ABC):
    """State: the alerts that were raised, and which numbers may be others since the last look."""

    kind: ClassVar[str]
    """Of its alerts."""

    def __init__(self, floor: Floor) -> None:
        self._alerts: dict[str, Alert] = {}
        self._queue: dict[Watched, bool] = {}
        """What is to be looked at, and whether only what no webhook told has moved it."""
        self._panes: dict[WatchedPane, bool] = {}
        """What has changed since the last look, likewise."""
        self.rebase(floor)

    def rebase(self, floor: Floor) -> None:
        """Look at these numbers from now on: they were read in anew."""
        self._floor = floor
        self._is_all_new = True
        self._looked_at: int | None = None

    def restore(self, alert: Alert) -> None:
        """Put an alert back that an earlier owner published, if it is one of these."""
        if alert.kind == self.kind:
            self._keep(alert)

    def forget(self, before: int) -> list[str]:
        """Forget the alerts that were resolved before that instant; their ids."""
        resolved = [alert for alert in self._alerts.values() if not alert.is_open]
        ids = [alert.id for alert in resolved if (alert.resolved_at or 0) < before and not self._is_needed(alert)]
        for id in ids:
            del self._alerts[id]
        return ids

    def _is_needed(self, alert: Alert) -> bool:
        """Whether something goes by it although it is over."""
        return False

    def note_pane(self, pane: WatchedPane, *, is_quiet: bool = False) -> None:
        """A pane has changed; `is_quiet`: no webhook told what has changed it."""
        if self._looked_at is not None:
            self._panes[pane] = is_quiet and self._panes.get(pane, True)

    def note_roster(self) -> None:
        """Somebody's entry, absence or goal in the roster has changed, so perhaps who counts for whom."""
        self._is_all_new = True

    def _with_levels(self, oldest: dict[bool, Window], metrics: Iterable[str], now: int) -> dict[bool, Window]:
        """The oldest window of each size that these metrics are made of: levels also of all that is to come."""
        if not any(map(self._floor.is_of_levels, metrics)):
            return oldest
        coming = {True: day_window(self._floor.calendar.day_of(now)), False: minute_window(now)}
        return {are_days: min(first, oldest.get(are_days, first)) for are_days, first in coming.items()}

    @property
    def is_behind(self) -> bool:
        """Whether the last look left numbers for the next one."""
        return bool(self._queue)

    def look(self, as_of: int, now: int, most: int = LOOKS_AT_ONCE) -> list[Alert]:
        """Look at numbers that may have crossed a limit, at most so many; the alerts that turn.

        `as_of`: all that was delivered until then is in the floor's numbers, and the business clock shows it. `now` is
        the instant of raising, which may be later.
        """
        panes, self._panes = self._panes, {}
        last, self._looked_at = self._looked_at, as_of
        day_of = self._floor.calendar.day_of
        is_all_new = self._is_all_new or last is None or day_of(last) != day_of(as_of)
        self._is_all_new = False
        self._gather(panes, last, as_of, is_all_new=is_all_new)
        found: list[Alert] = []
        while self._queue and most > 0:
            most -= 1
            watched = next(iter(self._queue))
            found += self._judge(watched, as_of, now, is_quiet=self._queue.pop(watched))
        return found

    def _want_moved(self, watched: Iterable[Watched], *, is_quiet: bool) -> None:
        """Queue these numbers, as a pane of theirs has changed."""
        for each in watched:
            self._queue[each] = is_quiet and self._queue.get(each, True)

    def _want(self, watched: Iterable[Watched]) -> None:
        """Queue these too, whatever may have moved them. Called when those are queued whose panes have changed."""
        for each in watched:
            self._queue.setdefault(each, False)

    @abstractmethod
    def _keep(self, alert: Alert) -> Alert:
        """Note what has become of an alert; the same."""

    @abstractmethod
    def _gather(self, panes: Mapping[WatchedPane, bool], last: int | None, as_of: int, *, is_all_new: bool) -> None:
        """Queue the numbers that may be others than at the last look: these panes have changed, or everything has."""

    @abstractmethod
    def _judge(self, watched: Watched, as_of: int, now: int, *, is_quiet: bool) -> list[Alert]:
        """Look at one number; the alerts that turn. `is_quiet`: only what no webhook told has moved it."""


def watched_by(alert: Alert) -> Watched:
    """The number that an alert is about."""
    crossing = alert.crossing
    per, name = ("organisation", "") if crossing is None else (crossing.per, crossing.threshold)
    return Watched(name, Scope(per, {"rep": alert.rep, "team": alert.team}.get(per)))


def with_value(alert: Alert, value: float | None) -> Alert:
    """The same, with what the number is by now."""
    return alert if alert.crossing is None else replace(alert, crossing=replace(alert.crossing, value=value))


def over(alert: Alert, now: int) -> Alert:
    """It ends whatever the number is: its period is over, or nobody looks at that number any more."""
    crossing = None if alert.crossing is None else replace(alert.crossing, is_over=True)
    return replace(alert.resolved(now), crossing=crossing)

"""The panes of one origin: kept up to date by taking old contributions out and putting new ones in.

Owns the panes in memory, which of them changed, and when they expire. They are derived: from the same records
and definitions the same panes come out, whatever happened on the way.
"""

from collections.abc import Iterable

from processor.core.contributions import Contribution
from processor.core.retention import Horizon
from schemas.instants import MINUTE
from schemas.panes import Pane, add_to, encode_pane, pane_key
from schemas.windows import Calendar, Window, day_window, minute_window

PaneKey = tuple[str | None, Window]
Message = tuple[bytes, bytes | None]
"""(key, value); None is a tombstone."""


class PaneTable:
    """All panes of one origin (stage and partition)."""

    def __init__(self, origin: str, calendar: Calendar, minutes_kept: int, horizon: Horizon) -> None:
        """`horizon`: from when on days are kept; whoever owns it moves it."""
        self.origin = origin
        self._calendar = calendar
        self._minutes_kept = minutes_kept // MINUTE
        self._horizon = horizon
        self._panes: dict[PaneKey, Pane] = {}
        self._dirty: set[PaneKey] = set()
        self._reps_in: dict[Window, set[str | None]] = {}
        self._reps: dict[str | None, str | None] = {}
        # As Window numbers: panes of earlier minutes and days are not kept.
        self._first_minute = self._first_day = Window(-(2**62))

    def __len__(self) -> int:
        return len(self._panes)

    def replace(self, old: Iterable[Contribution], new: Iterable[Contribution]) -> None:
        """Take `old` out and put `new` in."""
        self._apply(old, -1)
        self._apply(new, 1)

    def _apply(self, contributions: Iterable[Contribution], sign: int) -> None:
        # What a record counts for stands together, mostly of one person and instant: their panes are looked up once
        # for all of it, not once for each measure (the largest part of a recovery: 14 µs a record became 7).
        panes: list[Pane] = []
        of = since = None
        for rep, at, measure, value in contributions:
            if at != since or rep != of:
                of, since = rep, at
                panes = self._touch(rep, at)
            add_to(panes, measure, value, sign)

    def _touch(self, rep: str | None, at: int) -> list[Pane]:
        """The panes that an instant counts in; they are taken for changed. None before the horizon."""
        day = day_window(self._calendar.day_of(at))
        if day < self._first_day:
            return []
        panes = [self._open((rep, day))]
        minute = minute_window(at)
        if minute >= self._first_minute:
            panes.append(self._open((rep, minute)))
        return panes

    def _open(self, key: PaneKey) -> Pane:
        pane = self._panes.get(key)
        if pane is None:
            rep, window = key
            # A record brings a text of its own for its rep: one for all of their panes spares 50 of 570 bytes.
            rep = self._reps.setdefault(rep, rep)
            key = (rep, window)
            pane = self._panes[key] = {}
            self._reps_in.setdefault(window, set()).add(rep)
        self._dirty.add(key)
        return pane

    def advance(self, log_at: int) -> None:
        """Let panes expire by the instant of the log and by the horizon: whole panes, never parts of one."""
        first_minute = minute_window(log_at) - 2 * self._minutes_kept
        first_day = day_window(self._horizon.first_day)
        if first_day > self._first_day:
            self._first_day = first_day
            # No minute outlives its day.
            first_minute = max(first_minute, minute_window(self._horizon.starts_at))
        elif first_minute <= self._first_minute:
            return
        self._first_minute = Window(max(first_minute, self._first_minute))
        firsts = (self._first_minute, first_day)
        for window in [window for window in self._reps_in if window < firsts[window & 1]]:
            for rep in self._reps_in.pop(window):
                key = (rep, window)
                self._panes[key] = {}
                self._dirty.add(key)

    def take_changes(self) -> list[Message]:
        """What has changed since the last call, as messages; an empty pane is a tombstone, here and there."""
        messages = [self._message(key) for key in self._dirty]
        self._dirty.clear()
        return messages

    def repair(self, published: dict[bytes, bytes]) -> list[Message]:
        """The messages that make what this origin has published equal to what its records say. Empties `published`."""
        self._dirty.clear()
        messages = []
        for key in list(self._panes):
            message = self._message(key)
            if published.pop(message[0], None) != message[1]:
                messages.append(message)
        messages += [(key, None) for key in published]
        published.clear()
        return messages

    def _message(self, key: PaneKey) -> Message:
        rep, window = key
        pane = self._panes.get(key)
        name = pane_key(self.origin, rep, window)
        if pane:
            return name, encode_pane(pane)
        if pane is not None:
            del self._panes[key]
            reps = self._reps_in.get(window)
            if reps is not None:
                reps.discard(rep)
                if not reps:
                    del self._reps_in[window]
        return name, None

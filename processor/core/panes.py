"""The panes of one origin: kept up to date by taking old contributions out and putting new ones in.

Owns the panes in memory, which of them changed, and when minute panes expire. They are derived: from the same records
and definitions the same panes come out, whatever happened on the way.
"""

from collections.abc import Iterable

from processor.core.contributions import Contribution
from schemas.instants import MINUTE
from schemas.panes import Pane, add, encode_pane, pane_key
from schemas.windows import Calendar, Window, day_window, minute_window

PaneKey = tuple[str | None, Window]
Message = tuple[bytes, bytes | None]
"""(key, value); None is a tombstone."""


class PaneTable:
    """All panes of one origin (stage and partition)."""

    def __init__(self, origin: str, calendar: Calendar, minutes_kept: int) -> None:
        self.origin = origin
        self._calendar = calendar
        self._minutes_kept = minutes_kept // MINUTE
        self._panes: dict[PaneKey, Pane] = {}
        self._dirty: set[PaneKey] = set()
        self._by_minute: dict[Window, set[str | None]] = {}
        self._first_minute = -(2**62)  # as a Window number: panes of earlier minutes are not kept

    def __len__(self) -> int:
        return len(self._panes)

    def replace(self, old: Iterable[Contribution], new: Iterable[Contribution]) -> None:
        """Take `old` out and put `new` in."""
        self._apply(old, -1)
        self._apply(new, 1)

    def _apply(self, contributions: Iterable[Contribution], sign: int) -> None:
        day: Pane | None = None
        minute: Pane | None = None
        at_rep: tuple[int, str | None] | None = None
        for rep, at, measure, value in contributions:
            # A record's contributions mostly lie in the same two panes.
            if at_rep is None or at_rep[0] != at or at_rep[1] != rep:
                at_rep = (at, rep)
                day = self._touch((rep, day_window(self._calendar.day_of(at))))
                window = minute_window(at)
                minute = self._touch((rep, window)) if window >= self._first_minute else None
            if day is not None:
                add(day, measure, value, sign)
            if minute is not None:
                add(minute, measure, value, sign)

    def _touch(self, key: PaneKey) -> Pane:
        self._dirty.add(key)
        pane = self._panes.get(key)
        if pane is None:
            pane = self._panes[key] = {}
            rep, window = key
            if not window & 1:
                reps = self._by_minute.get(window)
                if reps is None:
                    self._by_minute[window] = {rep}
                else:
                    reps.add(rep)
        return pane

    def advance(self, log_at: int) -> None:
        """Let minute panes expire by the instant of the log: whole panes, never parts of one."""
        first = minute_window(log_at) - 2 * self._minutes_kept
        if first <= self._first_minute:
            return
        self._first_minute = first
        for window in [window for window in self._by_minute if window < first]:
            for rep in self._by_minute.pop(window):
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
            if not window & 1 and window in self._by_minute:
                self._by_minute[window].discard(rep)
                if not self._by_minute[window]:
                    del self._by_minute[window]
        return name, None

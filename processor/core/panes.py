"""The panes of one origin: kept up to date by taking old contributions out and putting new ones in.

Owns the panes in memory, which of them changed, and when they expire. They are derived: from the same records
and definitions the same panes come out, whatever happened on the way.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from processor.core.definitions import Definitions
from processor.core.plan import Contribution
from processor.core.retention import RetentionCutoff
from schemas.instants import MINUTE
from schemas.panes import Pane, PaneValues, add, decode_pane, encode_pane
from schemas.windows import (
    STANDING,
    Calendar,
    Day,
    Window,
    day_window,
    days_kept,
    index_of,
    is_day,
    kept_window,
    minute_window,
    whole_day,
    write_window,
)

if TYPE_CHECKING:
    from processor.native import panes

Message = tuple[bytes, bytes | None]
"""(key, value); None is a tombstone."""

HeldPanes = dict[Window, dict[str | None, bytes]]
"""Panes as they are published, by window and rep."""

Open = Callable[[Window, str | None], Pane]
"""Finds a pane that is about to change."""

Panes: TypeAlias = "PaneTable | panes.PaneTable"
"""A table of panes, compiled or not."""


def plain_table(origin: str, definitions: Definitions, cutoff: RetentionCutoff) -> "PaneTable":
    """The table of an origin, in Python."""
    keeps = definitions.counting.plan.keeps
    return PaneTable(origin, definitions.calendar, definitions.minutes_kept, cutoff, keeps)


def compiled_table(origin: str, definitions: Definitions, cutoff: RetentionCutoff) -> "panes.PaneTable":
    """The same, compiled: what has changed lies as numbers until it is told."""
    from processor.native import panes, plan  # noqa: PLC0415 - they may not be there

    compiled = plan.CompiledPlan(definitions.counting.plan, definitions.counting.aliases)
    return panes.PaneTable(origin, definitions.calendar, definitions.minutes_kept, cutoff, compiled)


def differing(
    before: Sequence[Contribution], after: Sequence[Contribution]
) -> tuple[Sequence[Contribution], Sequence[Contribution]]:
    """Both without what they have in common at the beginning and at the end.

    Of a record or group that counts for thousands of things an edit changes few, and what is taken out to be put in
    again opens its panes.
    """
    most = min(len(before), len(after))
    start = next((place for place in range(most) if before[place] != after[place]), most)
    most -= start
    end = next((place for place in range(most) if before[-1 - place] != after[-1 - place]), most)
    return before[start : len(before) - end], after[start : len(after) - end]


class PaneTable:
    """All panes of one origin (stage and partition).

    Panes lie as the bytes that are published, by window and then by rep, and are decoded when something changes in
    them: it takes a third of the memory, and what was published is compared without decoding it.
    """

    def __init__(
        self, origin: str, calendar: Calendar, minutes_kept: int, cutoff: RetentionCutoff,
        keeps: Mapping[int, int] | None = None,
    ) -> None:  # fmt: skip
        """`cutoff`: from when on days are kept; whoever owns it moves it. `keeps`: cells kept for fewer days."""
        self.origin = origin
        self._calendar = calendar
        self._keeps = keeps or {}
        self._log_day: Day = -(2**31)
        self._minutes_kept = minutes_kept // MINUTE
        self._cutoff = cutoff
        self._panes: HeldPanes = {}
        self._opened: dict[Window, dict[str | None, Pane]] = {}
        """Those that have changed since the last `take_changes`."""
        self._reps: dict[str | None, str | None] = {}
        # As Window numbers: panes of earlier minutes and days are not kept.
        self._first_minute = self._first_day = Window(-(2**62))

    def __len__(self) -> int:
        return sum(map(len, self._panes.values()))

    def replace(self, old: Iterable[Contribution], new: Iterable[Contribution]) -> None:
        """Take `old` out and put `new` in."""
        self._apply(old, -1)
        self._apply(new, 1)

    def count(self, contributions: Iterable[Contribution]) -> None:
        """Put all of these into a table that is empty, as `replace` does, without looking for what cannot be there."""
        self._apply(contributions, 1, open_pane=self._make)

    def _apply(self, contributions: Iterable[Contribution], sign: int, open_pane: Open | None = None) -> None:
        day_of, first_day, first_minute = self._calendar.day_of, self._first_day, self._first_minute
        opened, keeps = open_pane or self._open, self._keeps
        last: tuple[str | None, int] | None = None
        index: Day = 0
        day_pane: Pane = {}
        minute_pane: Pane | None = None
        for rep, at, values in contributions:
            if at is None:
                add(opened(STANDING, rep), values, sign)
                continue
            if last != (rep, at):
                # One after the other counts for the same person at the same instant, most often.
                last = None  # of one that is over nothing is kept here
                index = day_of(at)
                day = day_window(index)
                if day < first_day:
                    continue
                minute = minute_window(at)
                day_pane = opened(day, rep)
                minute_pane = opened(minute, rep) if minute >= first_minute else None
                last = (rep, at)
            if keeps and any(value[0] in keeps for value in values):
                self._apply_kept(index, rep, values, sign, opened)
            else:
                add(day_pane, values, sign)
            if minute_pane is not None:
                add(minute_pane, values, sign)

    def _apply_kept(self, day: Day, rep: str | None, values: PaneValues, sign: int, opened: Open) -> None:
        """Ids lie in day panes of their own, which expire before the others."""
        parts: dict[Window, list[Any]] = {}
        for value in values:
            keep = self._keeps.get(value[0], 0)
            if not keep or day >= self._log_day - keep:
                parts.setdefault(kept_window(day, keep), []).append(value)
        for window, held in parts.items():
            add(opened(window, rep), held, sign)

    def _make(self, window: Window, rep: str | None) -> Pane:
        """A pane that was never closed."""
        panes = self._opened.get(window)
        if panes is None:
            panes = self._opened[window] = {}
        pane = panes.get(rep)
        if pane is None:
            panes[self._reps.setdefault(rep, rep)] = pane = {}
        return pane

    def _open(self, window: Window, rep: str | None) -> Pane:
        """The pane, taken for changed."""
        panes = self._opened.get(window)
        if panes is None:
            panes = self._opened[window] = {}
        pane = panes.get(rep)
        if pane is None:
            held = self._panes.get(window)
            value = None if held is None else held.get(rep)
            # A record brings a text of its own for its rep: one for all of their panes spares 50 bytes.
            rep = self._reps.setdefault(rep, rep)
            pane = panes[rep] = {} if value is None else decode_pane(value)
        return pane

    def advance(self, log_at: int) -> None:
        """Let panes expire by the instant of the log and by the cutoff: whole panes, never parts of one."""
        first_minute = minute_window(log_at) - 2 * self._minutes_kept
        first_day = day_window(self._cutoff.first_day)
        if first_day > self._first_day:
            self._first_day = first_day
            # No minute outlives its day.
            first_minute = max(first_minute, minute_window(self._cutoff.starts_at))
        elif first_minute <= self._first_minute:
            return
        self._first_minute = Window(max(first_minute, self._first_minute))
        if self._keeps:
            self._log_day = max(self._log_day, self._calendar.day_of(log_at))
        for window in [window for window in {*self._panes, *self._opened} if self._is_over(window)]:
            self._opened[window] = {rep: {} for rep in self._panes.get(window, ())}

    def _is_over(self, window: Window) -> bool:
        if not is_day(window):
            return window < self._first_minute  # what stands is never over
        keep = days_kept(window)
        return whole_day(window) < self._first_day or (keep > 0 and index_of(window) < self._log_day - keep)

    def take_changes(self) -> list[Message]:
        """What has changed since the last call, as messages; an empty pane is a tombstone, here and there."""
        return list(self._close())

    def repair(self, published: dict[bytes, bytes]) -> list[Message]:
        """The messages that make what this origin has published equal to what its records say. Empties `published`.

        For a table of which no change was taken yet.
        """
        messages = list(self._close(published))
        messages += [(key, None) for key in published]
        published.clear()
        return messages

    def held(self) -> HeldPanes:
        """All panes as they lie, by window and rep: a copy that does not change with them. None is open then."""
        return {window: dict(panes) for window, panes in self._panes.items()}

    def get(self, window: Window, rep: str | None) -> bytes | None:
        """A pane as it lies; None: there is none."""
        return self._panes.get(window, {}).get(rep)

    def restore(self, panes: HeldPanes) -> None:
        """Put back what `held` gave, into a table that is empty. The mappings are kept, not copied."""
        self._panes = panes
        self._reps = {rep: rep for rep in set[str | None]().union(*panes.values())}

    def _close(self, published: dict[bytes, bytes] | None = None) -> Iterator[Message]:
        """Encode what was opened, window by window, so that few decoded panes lie beside their bytes.

        What is `published` already is taken from there. Its bytes are kept in place of ours: freed among the rows that
        were read with them, they would leave holes.
        """
        while self._opened:
            window, opened = self._opened.popitem()
            held = self._panes.setdefault(window, {})
            before, after = f"{self.origin}|", f"|{write_window(window)}"
            for rep, pane in opened.items():
                name = f"{before}{rep or ''}{after}".encode()
                if pane:
                    value = encode_pane(pane)
                    if value == held.get(rep):
                        continue  # what was changed was changed back
                    known = published.pop(name, None) if published else None
                    if known == value:
                        held[rep] = known
                        continue
                    held[rep] = value
                    yield name, value
                elif held.pop(rep, None) is not None:
                    yield name, None
            if not held:
                del self._panes[window]

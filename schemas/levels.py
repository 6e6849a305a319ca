"""Levels of a scope at an instant: the standing pane, less what lies after it.

Owns the walk. On the day of now minutes decide, on other days whole days. A team's level is that of the people who are
in it on the day of the instant, wherever they were before.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from schemas.catalogue.plan import Form, Kind, Plan
from schemas.instants import MINUTE
from schemas.panes import Pane, exchange, opening_of
from schemas.windows import STANDING, Calendar, Day, Span, Window, day_window, is_day


class PeriodEnd(NamedTuple):
    """The end of a day, or of a minute of a day."""

    day: Day
    minute: int | None = None


def end_of(span: Span, now: int, calendar: Calendar) -> PeriodEnd:
    """Where a span ends, or now if that is earlier."""
    return _within(span.last, span, now, calendar)


def beginning_of(span: Span, now: int, calendar: Calendar) -> PeriodEnd:
    """What lies right before a span, or now if that is earlier."""
    return _within(span.first - 1, span, now, calendar)


def _within(index: int, span: Span, now: int, calendar: Calendar) -> PeriodEnd:
    today, minute = calendar.day_of(now), now // MINUTE
    if span.days:
        return PeriodEnd(index) if index < today else PeriodEnd(today, minute)
    index = min(index, minute)
    day = calendar.day_of(index * MINUTE)
    return PeriodEnd(day, index) if day == today else PeriodEnd(day)


def is_after(window: Window, at: PeriodEnd, day_of: Callable[[Window], Day]) -> bool:
    """Whether a stored window lies after an instant, and is not part of another one that does."""
    if window == STANDING:
        return False
    if is_day(window):
        return window > day_window(at.day)
    return at.minute is not None and window >> 1 > at.minute and day_of(window) == at.day


class Levels:
    """What of the merged panes of a floor is to be replaced by levels."""

    def __init__(self, plan: Plan) -> None:
        self.cells = plan.of_kind(Kind.LEVEL)
        self.sets = frozenset(cell for cell in self.cells if plan.forms[cell] is Form.ID)
        """Those of which it is asked what was there before."""

    def parts_of(self, pane: Mapping[int, object]) -> Pane:
        """What of a pane is part of levels."""
        return {cell: pane[cell] for cell in self.cells & pane.keys()}

    def level(self, standing: Iterable[Pane], later: Iterable[Pane]) -> Pane:
        """The standing panes of some people less the later ones."""
        found: Pane = {}
        for pane in standing:
            exchange(found, {}, self.parts_of(pane))
        for pane in later:
            parts = self.parts_of(pane)
            if parts:
                exchange(found, parts, {})
        return found

    def put(self, pane: Pane, end: Pane, beginning: Pane | None) -> Pane:
        """A merged pane with what there is at its end, and what there was before it."""
        made = {cell: value for cell, value in pane.items() if cell not in self.cells} | end
        if beginning is not None:
            made |= {opening_of(cell): beginning[cell] for cell in self.sets & beginning.keys()}
        return made

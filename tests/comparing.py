"""What rows are compared with, and who stands out: read off the books, a second time and by other means.

Owns which days a window is compared with, found by looking at calendar days one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from fractions import Fraction

from deploy.verification.books import Books
from deploy.verification.definitions import Entry, is_sum
from deploy.verification.measures import Exact
from deploy.verification.shapes import EPOCH, MINUTE, RecountedWindow
from deploy.verification.spans import Span

_ONE_DAY = timedelta(days=1)
_PERIODS: dict[str, Callable[[date], tuple[int, ...]]] = {
    "month": lambda day: (day.year, day.month),
    "quarter": lambda day: (day.year, (day.month - 1) // 3),
    "year": lambda day: (day.year,),
}
"""What days of one month, quarter or year have in common."""


class Comparing:
    """Values to compare with, of books as of an instant."""

    def __init__(self, books: Books, window: RecountedWindow, now: int) -> None:
        self._books, self._window, self._now = books, window, now
        self._people = books.reading.people
        self._today = self._people.day_of(now)

    # --- windows

    def span(self) -> Span:
        """The window itself."""
        return self._books.reading.span(self._window, self._now)

    def previous(self) -> Span:
        """The window before it."""
        span = self.span()
        if span.start is not None and span.end is not None:
            return self._minutes(span.start - (span.end - span.start), span.start)
        if self._window == "today":
            yesterday = self._today - _ONE_DAY
            return self._minutes(self._people.start_of(yesterday), self._at_the_same_clock(yesterday) + MINUTE)
        count = (span.last - span.first).days + 1
        if self._window == "week":
            return self._days(span.first - timedelta(days=7), count)
        period = _PERIODS.get(self._window) if isinstance(self._window, str) else self._whole_period(span)
        if period is None:
            return self._days(span.first - timedelta(days=count), count)
        before = [*_days_of(period, span.first - _ONE_DAY)]
        return self._between(before[0], before[-1] if isinstance(self._window, tuple) else before[:count][-1])

    def last_year(self) -> Span:
        """The same dates a year before."""
        span = self.span()
        if span.start is not None and span.end is not None:
            end = self._at_the_same_clock(_year_before(self._today)) + MINUTE
            return self._minutes(end - (span.end - span.start), end)
        if self._window == "week":
            return self._between(span.first - timedelta(weeks=52), span.last - timedelta(weeks=52))
        return self._between(_year_before(span.first), _year_before(span.last))

    def _whole_period(self, span: Span) -> Callable[[date], tuple[int, ...]] | None:
        for period in _PERIODS.values():
            days = [*_days_of(period, span.first)]
            if (days[0], days[-1]) == (span.first, span.last):
                return period
        return None

    def _at_the_same_clock(self, day: date) -> int:
        """The beginning of the minute of a day at which clocks show what they show now."""
        zone = self._books.reading.config.organisation.zone
        clock = (EPOCH + timedelta(microseconds=self._now)).astimezone(zone).time().replace(second=0, microsecond=0)
        when = datetime.combine(day, clock.replace(fold=0), tzinfo=zone)
        return (when.astimezone(EPOCH.tzinfo) - EPOCH) // timedelta(microseconds=1)

    def _minutes(self, start: int, end: int) -> Span:
        first, last = self._people.day_of(start), self._people.day_of(end - 1)
        return Span(start, end, first, last, self._now, self._today)

    def _days(self, first: date, count: int) -> Span:
        return self._between(first, first + timedelta(days=count - 1))

    def _between(self, first: date, last: date) -> Span:
        return Span(None, None, first, last, self._now, self._today)

    # --- values

    def value(self, metric: str, span: Span | None = None, *, rep: str | None = None, team: str | None = None) -> Exact:
        """A metric in the window, or in another one."""
        return self._books.value(metric, now=self._now, window=span or self._window, rep=rep, team=team)

    def employed(self, team: str | None) -> list[str]:
        """The people of the roster who are employed today, of a team or all."""
        people = self._people
        here = [rep for rep in people.roster if people.is_employed(rep, self._today)]
        return [rep for rep in here if team is None or people.team_of(rep, self._today) == team]

    def of_team(self, metric: str, team: str) -> Exact:
        """The mean of a team's people, of sums and levels; of other metrics the team's own value."""
        if not is_sum(self._books.reading.terms.definitions, metric, with_levels=True):
            return self.value(metric, team=team)
        values = [self.value(metric, rep=rep) for rep in self.employed(team)]
        known = [value for value in values if value is not None]
        return Fraction(sum(known)) / len(values) if values and len(known) == len(values) else None

    def best(self, metric: str, team: str | None) -> Exact:
        """The best value among a team's people, or everybody."""
        people = self.employed(team)
        known = [value for value in (self.value(metric, rep=rep) for rep in people) if value is not None]
        if len(people) < 3 or not known:
            return None
        is_lower = self._entry(metric).get("better") == "lower"
        return min(known) if is_lower else max(known)

    def _entry(self, metric: str) -> Entry:
        return self._books.reading.terms.definitions.metrics[metric]


def changed(value: Exact, compared: Exact, unit: str) -> float | None:
    """By how much a value differs from what it is compared with."""
    if value is None or compared is None or compared == 0:
        return None
    difference = Fraction(value) - Fraction(compared)
    return float(difference if unit == "ratio" else difference / Fraction(compared))


def _days_of(period: Callable[[date], tuple[int, ...]], day: date) -> Iterator[date]:
    """All days of the period that holds a day."""
    first = day
    while period(first - _ONE_DAY) == period(day):
        first -= _ONE_DAY
    while period(first) == period(day):
        yield first
        first += _ONE_DAY


def _year_before(day: date) -> date:
    try:
        return day.replace(year=day.year - 1)
    except ValueError:  # 29 February
        return date(day.year - 1, 2, 28)

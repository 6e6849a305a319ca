"""How the facts of a window become a row: summed up one after another, so that none of them has to be kept."""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from babel.numbers import get_currency_precision

from deploy.verification.leads import Clock
from deploy.verification.shapes import COUNTS, DAY, DAY_WINDOWS, METRICS, MINUTE, ROLLING_MINUTES, SECOND, Row, Shown

_MEDIAN = Fraction(1, 2)
_NINE_TENTHS = Fraction(9, 10)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened at an instant, and whose it is."""

    name: str
    rep: str | None
    team: str | None
    at: int
    day: date
    number: int | Fraction
    clock: Clock | None
    begins: int | None = None
    """From when on it is true; None: always. Before the first touch of a lead has come, the lead is its owner's."""
    ends: int | None = None

    def holds(self, now: int) -> bool:
        """Whether it is true at `now`."""
        return (self.begins is None or self.begins <= now) and (self.ends is None or now < self.ends)


class Tally:
    """One row in the making, as of an instant: `Books` and the recount of a whole log add every fact of its window."""

    def __init__(self, now: int, currency: str) -> None:
        self._now = now
        self._currency = currency
        self._sums: dict[str, int | Fraction] = defaultdict(int)
        self._cycles = array("q")
        self._responses = array("q")
        self._overdue_since = array("q")
        self._within = 0

    def add(self, fact: Fact) -> None:
        """Take in one more fact, in any order; one that is not true yet or any more counts nothing."""
        if not fact.holds(self._now):
            return
        self._sums[fact.name] += fact.number
        if fact.name == "cycle":
            self._cycles.append(int(fact.number))
        if fact.clock is not None:
            self._add_clock(fact.clock)

    def _add_clock(self, clock: Clock) -> None:
        touch = clock.answer_at(self._now)
        if touch is not None:
            self._responses.append(max(0, touch.at - clock.started_at))
            self._within += touch.at <= clock.due_at
        elif self._now >= clock.due_at:
            self._overdue_since.append(clock.started_at)

    def row(self) -> Row:
        """What has been added, as it is served."""
        sums = self._sums
        responses, bounds = self._response_metrics()
        metrics: dict[str, Shown] = {name: int(sums[name]) for name in COUNTS}
        metrics |= responses
        metrics |= {
            "connect_rate": _ratio(sums["calls_connected"], sums["calls_made"]),
            "talk_seconds": _number(Fraction(sums["talk"], SECOND)),
            "revenue_won": self._money(Fraction(sums["revenue"])),
            "win_rate": _ratio(sums["deals_won"], sums["deals_won"] + sums["deals_lost"]),
            "average_deal_size": (
                self._money(Fraction(sums["revenue"]) / sums["priced_deals"]) if sums["priced_deals"] else None
            ),
            "sales_cycle_days_p50": (float(_percentile(sorted(self._cycles), _MEDIAN) / DAY) if self._cycles else None),
        }
        return {"metrics": {name: metrics[name] for name in METRICS}, "bounds": bounds}

    def _response_metrics(self) -> tuple[dict[str, Shown], dict[str, float]]:
        responses = sorted(self._responses)
        due = len(responses) + len(self._overdue_since)
        # Nobody knows yet how long the unanswered ones will take, only that it is longer than this.
        longest = responses[-1] if responses else 0
        at_least = [*responses, *sorted(max(self._now - since, longest) for since in self._overdue_since)]
        metrics: dict[str, Shown] = {
            "leads_due": due,
            "leads_answered": len(responses),
            "lead_response_within_sla": _ratio(self._within, due),
        }
        bounds: dict[str, float] = {}
        for name, share in (("lead_response_seconds_p50", _MEDIAN), ("lead_response_seconds_p90", _NINE_TENTHS)):
            metrics[name] = None
            if due:
                seconds = float(_percentile(at_least, share) / SECOND)
                is_known = math.ceil(share * (due - 1)) < len(responses)
                if is_known:
                    metrics[name] = seconds
                else:
                    bounds[name] = seconds
        return metrics, bounds

    def _money(self, amount: Fraction) -> str:
        """Round to the smallest unit of the organisation's currency, halves to even; zero has no sign."""
        digits = get_currency_precision(self._currency)
        units = round(amount * 10**digits)  # a Fraction rounds halves to even
        text = str(abs(units)).rjust(digits + 1, "0")
        sign = "-" if units < 0 else ""
        return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else f"{sign}{text}"


@dataclass(frozen=True, slots=True)
class Span:
    """What a window holds at an instant: minutes, or days of the organisation."""

    start: int | None
    end: int | None
    """Both None: the days decide."""
    first: date
    last: date

    def holds(self, fact: Fact) -> bool:
        """Whether the fact happened in it."""
        if self.start is not None and self.end is not None:
            return self.start <= fact.at < self.end
        return self.first <= fact.day <= self.last


def span_of(window: str | tuple[date, date], now: int, today: date, week_starts: str) -> Span:
    """Give what a window holds at `now`, which lies in the day `today` of the organisation."""
    if isinstance(window, str) and window in ROLLING_MINUTES:
        end = now // MINUTE * MINUTE + MINUTE
        return Span(end - ROLLING_MINUTES[window] * MINUTE, end, today, today)
    first, last = window if isinstance(window, tuple) else _days(window, today, week_starts)
    return Span(None, None, first, last)


def _days(window: str, today: date, week_starts: str) -> tuple[date, date]:
    """First and last day of a window of whole days, both included."""
    if window == "yesterday":
        return today - timedelta(days=1), today - timedelta(days=1)
    into_week = (today.weekday() - _WEEKDAYS.index(week_starts)) % 7
    first_days = {
        "today": today,
        "week": today - timedelta(days=into_week),
        "month": today.replace(day=1),
        "quarter": today.replace(month=(today.month - 1) // 3 * 3 + 1, day=1),
        "year": today.replace(month=1, day=1),
        "7d": today - timedelta(days=6),
        "30d": today - timedelta(days=29),
    }
    if window not in first_days:
        msg = f"{window!r} is not a window; there are {', '.join((*ROLLING_MINUTES, *DAY_WINDOWS))}"
        raise ValueError(msg)
    return first_days[window], today


def _percentile(ascending: Sequence[int | Fraction], share: Fraction) -> Fraction:
    """PERCENTILE_CONT: linear between the two ranks around share · (n - 1), counted from 0."""
    rank = share * (len(ascending) - 1)
    low, high = ascending[math.floor(rank)], ascending[math.ceil(rank)]
    return low + (rank - math.floor(rank)) * (high - low)


def _ratio(part: int | Fraction, whole: int | Fraction) -> float | None:
    return float(Fraction(part) / whole) if whole else None


def _number(value: Fraction) -> int | float:
    return value.numerator if value.denominator == 1 else float(value)

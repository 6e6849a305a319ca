"""What a curve says, in words made from its figures: flat, straight, or why it is not.

Owns the judgement. Measures nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from statistics import StatisticsError, correlation, linear_regression, median

FLAT = 1.25
"""A cost that grows or falls by less than this, from the smallest to the largest, is called flat."""

STRAIGHT = 0.15
"""A line from which no point is further away than this share of its value is called straight, and so is what grows by
a power that is no further from 1."""

EXPLAINS = 0.9
"""Correlation from which on one figure is said to follow another."""


@dataclass(frozen=True, slots=True)
class Line:
    """y = base + slope * x, by least squares."""

    base: float
    slope: float
    off: float
    """The largest distance of a point, as a share of its value."""

    def at(self, x: float) -> float:
        """Its value there."""
        return self.base + self.slope * x


def line(at: Sequence[float], values: Sequence[float]) -> Line:
    """The best straight line through these points; as many as one lie on it."""
    if len(at) == 1:
        return Line(values[0], 0.0, 0.0)
    slope, base = linear_regression(at, values)
    off = max(abs(base + slope * x - y) / y for x, y in zip(at, values, strict=True))
    return Line(base, slope, off)


def exponent(at: Sequence[float], values: Sequence[float]) -> float:
    """Of the power of x by which y grows: 1 is linear. 1, where there is one point only."""
    if len(at) == 1:
        return 1.0
    slope, _ = linear_regression([log(x) for x in at], [log(y) for y in values])
    return slope


def middles(runs: Sequence[Sequence[float]]) -> list[float]:
    """The median of each point."""
    return [median(point) for point in runs]


def follows(values: Sequence[float], causes: Sequence[float]) -> float:
    """How well one figure follows another: their correlation; 0 where one of them does not move."""
    try:
        return correlation(values, causes)
    except StatisticsError:
        return 0.0


def cost_in_words(at: Sequence[float], costs: Sequence[float], panes: Sequence[float], unit: str) -> str:
    """Whether a change costs the same all over the axis; if not, whether the panes that it writes explain it.

    `costs`: microseconds for a change; `panes`: written for a change.
    """
    factor = max(costs) / min(costs)
    words = (
        f"From {at[0]:,g} to {at[-1]:,g} {unit} a change costs {_listed(costs, '.1f')} µs, the dearest"
        f" {factor:.2f} times the cheapest"
    )
    if factor < FLAT:
        return f"{words}: near flat, so the time for all is near linear in their number."
    words += f": not flat. It writes {_listed(panes, '.2f')} panes"
    found = follows(costs, panes)
    if found < EXPLAINS:
        return f"{words}, which the cost does not follow (correlation {found:.2f})."
    fit = line(panes, costs)
    return (
        f"{words}, and the cost follows them (correlation {found:.2f}): {fit.base:.1f} µs, and {fit.slope:.1f} for each"
        " pane. What several changes of a batch share is written once; a new record has two panes at most, its minute's"
        " and its day's, and there it ends."
    )


def power_in_words(at: Sequence[float], costs: Sequence[float], panes: Sequence[float], unit: str) -> str:
    """Whether the time for all of them grows in proportion to their number. Arguments as of `cost_in_words`."""
    power = exponent(at, [count * cost for count, cost in zip(at, costs, strict=True)])
    words = f"The time for all grows by the power {power:.2f} of their number; 1 is linear"
    if abs(power - 1) <= STRAIGHT:
        return f"{words}. So it is near linear: a change costs {_listed(costs, '.1f')} µs."
    return f"{words}. {cost_in_words(at, costs, panes, unit)}"


def memory_in_words(sizes: Sequence[float], panes: Sequence[float]) -> str:
    """What a record holds, and whether the panes beside it explain how that moves. `sizes`: bytes for a record."""
    factor = max(sizes) / min(sizes)
    words = f"A record holds {_listed(sizes, '.0f')} bytes"
    if factor < FLAT:
        return f"{words}: near flat, so memory is near linear in records."
    words += f" with {_listed(panes, '.2f')} panes"
    found = follows(sizes, panes)
    if found < EXPLAINS:
        return f"{words}, which do not explain it (correlation {found:.2f})."
    fit = line(panes, sizes)
    return (
        f"{words}, which explain it (correlation {found:.2f}): {fit.base:.0f} bytes, and {fit.slope:.0f} for each pane."
    )


def _listed(values: Sequence[float], shape: str) -> str:
    return ", ".join(f"{value:{shape}}" for value in values)


def growth_in_words(at: Sequence[float], seconds: Sequence[float], what: str) -> str:
    """Whether a time grows in proportion to x, beside what it takes with nothing."""
    fit = line(at, seconds)
    words = (
        f"{fit.base:.1f} s, and {fit.slope * 1e6:.1f} s for each million {what}; no point is further than"
        f" {fit.off:.0%} from that line"
    )
    return f"{words}: near linear" if fit.off <= STRAIGHT else f"{words}: not straight"

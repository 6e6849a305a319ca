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
"""A line from which no point is further away than this share of its value is called straight."""

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
    factor = costs[-1] / costs[0]
    words = (
        f"From {at[0]:,g} to {at[-1]:,g} {unit} a change costs {costs[0]:.1f} to {costs[-1]:.1f} µs"
        f" ({factor:.2f} times)"
    )
    if 1 / FLAT < factor < FLAT:
        return f"{words}: near flat, so all of them cost near in proportion to their number."
    words += f": not flat. Panes written for a change go from {panes[0]:.2f} to {panes[-1]:.2f}"
    found = follows(costs, panes)
    if found > EXPLAINS:
        fit = line(panes, costs)
        return (
            f"{words}, and the cost follows them (correlation {found:.2f}): {fit.base:.1f} µs, and {fit.slope:.1f} for"
            " each pane. A pane that several changes of a batch share is written once; what is not shared is work."
            + _bounded(panes)
        )
    return f"{words}; the cost does not follow them (correlation {found:.2f})."


def _bounded(panes: Sequence[float]) -> str:
    """That it does not go on for ever, where it is so."""
    return f" A change has two panes at most: {max(panes):.2f} of them is near the end." if max(panes) > 1.6 else ""


def growth_in_words(at: Sequence[float], seconds: Sequence[float], what: str) -> str:
    """Whether a time grows in proportion to x, beside what it takes with nothing."""
    fit = line(at, seconds)
    words = (
        f"{fit.base:.1f} s, and {fit.slope * 1e6:.1f} s for each million {what}; no point is further than"
        f" {fit.off:.0%} from that line"
    )
    return f"{words}: near linear." if fit.off <= STRAIGHT else f"{words}: not straight."

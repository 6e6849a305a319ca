"""Curves as SVG: small files that are read on a light page and on a dark one alike.

Owns how they look. Measures nothing and judges nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

_DECADES = 100
"""From this ratio of the last point to the first on an axis is logarithmic; below it would bend straight lines."""

_ROOM = 0.16
"""Of the axis, between two labels."""

_INK, _PAPER, _LINE, _GUIDE = "#1f2328", "#ffffff", "#0969da", "#9a6700"


@dataclass(frozen=True, slots=True)
class Curve:
    """One figure over the axis: the runs of each point."""

    title: str
    """With the unit."""
    runs: Sequence[Sequence[float]]
    guide: Sequence[float] = ()
    """What is expected at each point, if anything is."""
    guide_title: str = ""


def plot(path: Path, axis: str, at: Sequence[float], curves: Sequence[Curve]) -> None:
    """Each curve over the axis: medians as a line, smallest and largest as bars, every run as a dot."""
    import matplotlib as mpl  # noqa: PLC0415 - only the full form draws

    mpl.use("svg")
    from matplotlib import pyplot  # noqa: PLC0415

    style: Any = {
        "svg.fonttype": "none", "svg.hashsalt": "floorcast", "font.size": 9, "font.family": "sans-serif",
        "text.color": _INK, "axes.labelcolor": _INK, "axes.edgecolor": _INK, "xtick.color": _INK, "ytick.color": _INK,
        "figure.facecolor": _PAPER, "axes.facecolor": _PAPER, "savefig.facecolor": _PAPER,
    }  # fmt: skip
    with mpl.rc_context(style):
        figure, places = pyplot.subplots(1, len(curves), figsize=(4.2 * len(curves), 2.8), layout="constrained")
        for place, curve in zip(places if len(curves) > 1 else [places], curves, strict=True):
            _draw(place, axis, at, curve)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})
        pyplot.close(figure)


def _apart(at: Sequence[float]) -> list[float]:
    """The points whose labels have room beside each other; the last one is always among them."""
    kept = [at[-1]]
    for x in reversed(at[:-1]):
        if kept[-1] - x > _ROOM * (at[-1] - at[0]):
            kept.append(x)
    return kept


def _draw(place: Any, axis: str, at: Sequence[float], curve: Curve) -> None:
    from matplotlib.ticker import FuncFormatter, NullLocator  # noqa: PLC0415

    middles = [median(runs) for runs in curve.runs]
    below = [middle - min(runs) for middle, runs in zip(middles, curve.runs, strict=True)]
    above = [max(runs) - middle for middle, runs in zip(middles, curve.runs, strict=True)]
    if curve.guide:
        place.plot(at, curve.guide, color=_GUIDE, linewidth=1, linestyle="--", label=curve.guide_title)
    for x, runs in zip(at, curve.runs, strict=True):
        place.plot([x] * len(runs), runs, linestyle="", marker=".", markersize=4, color=_LINE, alpha=0.45)
    place.errorbar(at, middles, yerr=[below, above], color=_LINE, marker="o", markersize=4, linewidth=1.2, capsize=3)
    if at[0] > 0 and at[-1] / at[0] > _DECADES:
        place.set_xscale("log")
        place.set_xticks(at)
    else:
        place.set_xticks(_apart(at))
    place.xaxis.set_minor_locator(NullLocator())
    for side in (place.xaxis, place.yaxis):
        side.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    place.set_ylim(bottom=0, top=1.12 * max(*map(max, curve.runs), *curve.guide))
    place.set_xlabel(axis)
    place.set_ylabel(curve.title)
    place.grid(visible=True, color=_INK, alpha=0.15)
    place.spines[["top", "right"]].set_visible(False)
    if curve.guide_title:
        place.legend(frameon=False, fontsize=8, loc="lower right")

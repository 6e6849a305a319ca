"""How throughput, memory and recovery grow with reps, records, partitions, workers, late records and state: plots.

    python -m bench.curves

Reps, records and late records concern the fold alone, so they are measured in memory, each point in a process of its
own; partitions, workers and recovery with Kafka. The plots go to `docs/images/`, and the section of docs/performance.md
shows them; docs/sizing.md says what they mean.
"""

import gc
import multiprocessing
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import psutil

from bench.drain import drain
from bench.measuring import main_of
from bench.population import Population, frames_of
from bench.processes import Floor
from bench.recovery import recoveries
from bench.results import Result, Section
from bench.workers import fold
from schemas.instants import DAY

COMMAND = "python -m bench.curves"
IMAGES = Path(__file__).parent.parent / "docs" / "images"

Point = tuple[float, float]
"""(changes a second, bytes for each record)."""


def run(*, short: bool = False, runs: int = 3) -> Section:
    """Measure every point `runs` times, in turn, and draw the medians with their spread."""
    scale = 100 if short else 1
    base = Population(200_000 // scale, 1_000 // (10 if short else 1), until=time.time_ns() // 1000, span=DAY)
    curves = {
        "reps": ("reps", [replace(base, reps=reps // (10 if short else 1)) for reps in (100, 1_000, 10_000, 100_000)]),
        "records": ("records", [replace(base, records=records // scale) for records in (50_000, 200_000, 800_000)]),
        "late": ("share that comes late", [replace(base, late=share) for share in (0.0, 0.25, 0.5, 1.0)]),
    }
    results: list[Result] = []
    for name, (axis, populations) in curves.items():
        rates: list[list[float]] = [[] for _ in populations]
        sizes: list[list[float]] = [[] for _ in populations]
        for _ in range(runs):
            for place, population in enumerate(populations):
                rate, size = in_process(population)
                rates[place].append(rate)
                sizes[place].append(size)
        at = [float(getattr(population, name)) for population in populations]
        results += _results(name, at, rates, "changes/s") + _results(f"memory by {name}", at, sizes, "bytes")
        if not short:
            plot(name, axis, at, {"changes a second": rates, "bytes for each record": sizes})
    with Floor() as floor:
        results += _with_kafka(floor, base, short=short, runs=runs)
    images = "\n\n".join(f"![{name}](images/curve-{name}.svg)" for name in (*curves, "partitions", "workers", "state"))
    return Section(
        "curves",
        "Cost curves",
        "Each point is the median, with the smallest and largest of its runs. What they mean: [sizing](sizing.md).",
        results,
        after=images,
        short=short,
    )


def _with_kafka(floor: Floor, base: Population, *, short: bool, runs: int) -> list[Result]:
    number = 0

    def drained(partitions: int, workers: int) -> float:
        nonlocal number
        number += 1
        floor.make_topics(f"c{number}.", partitions)
        return drain(floor, base, workers).rate

    def recovered(records: int) -> float:
        nonlocal number
        number += 1
        floor.make_topics(f"c{number}.", 4)
        seconds, _ = recoveries(floor, replace(base, records=records, span=90 * DAY), 1)
        return seconds[0]

    results: list[Result] = []
    curves: dict[str, tuple[str, Sequence[int], Callable[[int], float], str]] = {
        "partitions": ("partitions", (2,) if short else (1, 4, 16), lambda count: drained(count, 1), "changes/s"),
        "workers": ("workers", (1,) if short else (1, 2), lambda count: drained(4, count), "changes/s"),
        "state": ("records", (500,) if short else (50_000, 200_000, 800_000), recovered, "s"),
    }
    for name, (axis, points, measure, unit) in curves.items():
        found: list[list[float]] = [[] for _ in points]
        # Filling takes longer than what is measured; one run less of it keeps all within minutes.
        for _ in range(runs if name != "state" else max(1, runs - 1)):
            for place, point in enumerate(points):
                found[place].append(measure(point))
        at = [float(point) for point in points]
        results += _results(name, at, found, unit)
        if not short:
            plot(name, axis, at, {"seconds from start to ready" if name == "state" else "changes a second": found})
    return results


def _results(name: str, at: Sequence[float], found: Sequence[list[float]], unit: str) -> list[Result]:
    return [Result(f"{name}: {point:g}", "", COMMAND, unit, runs) for point, runs in zip(at, found, strict=True)]


def in_process(population: Population) -> Point:
    """What the fold of a population takes, in a process that has held nothing before."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_fold_and_weigh, (population,))


def _fold_and_weigh(population: Population) -> Point:
    frames = [frame for _, frame in frames_of(population.changes(), 4)]
    gc.collect()
    gc.freeze()
    before = psutil.Process().memory_full_info().uss
    gc.disable()  # as in a worker, most of whose objects are frozen
    begun = time.perf_counter()
    ledger, panes = fold(frames, population.until)
    seconds = time.perf_counter() - begun
    panes.clear()
    gc.collect()
    held = psutil.Process().memory_full_info().uss - before
    return population.records / seconds, held / len(ledger)


def plot(name: str, axis: str, at: Sequence[float], curves: dict[str, Sequence[list[float]]]) -> None:
    """`docs/images/curve-<name>.svg`: each figure over the axis, medians as a line, runs as its spread."""
    import matplotlib as mpl  # noqa: PLC0415 - only the full form draws

    mpl.use("svg")
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "floorcast", "font.size": 9})
    from matplotlib import pyplot  # noqa: PLC0415

    figure, axes = pyplot.subplots(1, len(curves), figsize=(4 * len(curves), 2.6), layout="constrained", squeeze=False)
    for place, (what, found) in zip(axes[0], curves.items(), strict=True):
        middles = [sorted(runs)[len(runs) // 2] for runs in found]
        below = [middle - min(runs) for middle, runs in zip(middles, found, strict=True)]
        above = [max(runs) - middle for middle, runs in zip(middles, found, strict=True)]
        place.errorbar(at, middles, yerr=[below, above], marker="o", markersize=4, linewidth=1.2, capsize=3)
        if at[0] > 0 and at[-1] / at[0] > 10:
            place.set_xscale("log")
        place.set_ylim(bottom=0)
        place.set_xlabel(axis)
        place.set_title(what, fontsize=9)
        place.grid(visible=True, alpha=0.3)
    IMAGES.mkdir(parents=True, exist_ok=True)
    figure.savefig(IMAGES / f"curve-{name}.svg", metadata={"Date": None})
    pyplot.close(figure)


if __name__ == "__main__":
    main_of(run)

"""How throughput, memory and recovery grow with reps, records, partitions, workers, late records and state: plots.

    python -m bench.curves

Reps, records and late records concern the fold alone, so they are measured in memory, each point in a process of its
own; partitions, workers and recovery with Kafka. The plots go to `docs/images/`, and the section of docs/performance.md
shows them, each with what its figures say; docs/sizing.md calculates with them.
"""

import gc
import multiprocessing
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from bench.drain import Drained, drain
from bench.measuring import main_of, say
from bench.plots import Curve, plot
from bench.population import Population, frames_of
from bench.processes import Floor
from bench.recovery import Recovery, recoveries
from bench.results import Result, Section
from bench.slopes import cost_in_words, growth_in_words, line, memory_in_words, middles, power_in_words
from bench.workers import fold
from schemas.instants import DAY

COMMAND = "python -m bench.curves"
IMAGES = Path(__file__).parent.parent / "docs" / "images"
RECORDS = 200_000
REPS = 1_000
STATES = (50_000, 200_000, 800_000)

RATE, RECORD_BYTES, WORKER_MIB = "changes/s", "bytes for each record", "MiB of all workers"


@dataclass(frozen=True, slots=True)
class Point:
    """One run of the fold in memory."""

    rate: float
    """Changes a second."""
    size: float
    """Bytes for each record."""
    panes: float
    """Written for each change."""
    held: float
    """Panes in memory for each record."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One curve of the page."""

    slug: str
    title: str
    axis: str
    at: Sequence[float]
    curves: Sequence[Curve]
    words: str


def run(*, short: bool = False, runs: int = 3) -> Section:
    """Measure every point `runs` times, in turn, and draw the medians with their spread."""
    scale = 100 if short else 1
    base = Population(RECORDS // scale, REPS // (10 if short else 1), until=time.time_ns() // 1000, span=DAY)
    return section(base, [*_in_memory(base, runs, scale), *_with_kafka(base, runs, short=short)], short=short)


def section(base: Population, measured: Sequence[Measured], *, short: bool) -> Section:
    """The section, and its plots."""
    if not short:
        for curve in measured:
            plot(IMAGES / f"curve-{curve.slug}.svg", curve.axis, curve.at, curve.curves)
    return Section(
        "curves",
        "Cost curves",
        f"Each point is the median, with the smallest and largest of its runs; every run is a dot. Reps, records and"
        f" order in memory, the fold alone: {base.records:,} new records of {base.reps:,} reps within a day, where no"
        f" other number is said. Partitions, workers and state with Kafka on the same {os.cpu_count()} cores.",
        [result for curve in measured for result in _results(curve)],
        after="\n\n".join(
            f"### {curve.title}\n\n![{curve.title}](images/curve-{curve.slug}.svg)\n\n{curve.words}"
            for curve in measured
        ),
        short=short,
        folded=True,
    )


def _results(measured: Measured) -> list[Result]:
    return [
        Result(f"{measured.slug}: {curve.title}", f"{x:,g} {measured.axis}", COMMAND, curve.title, list(runs))
        for curve in measured.curves
        for x, runs in zip(measured.at, curve.runs, strict=True)
    ]


def _in_memory(base: Population, runs: int, scale: int) -> list[Measured]:
    few, points = (10, 2) if scale > 1 else (1, 4)
    reps, records = (100, 1_000, 10_000, 100_000)[:points], (50_000, 100_000, 200_000, 400_000)[:points]
    axes: Mapping[str, tuple[Sequence[float], Sequence[Population]]] = {
        "reps": _varied([replace(base, reps=count // few) for count in reps], "reps"),
        "records": _varied([replace(base, records=count // scale) for count in records], "records"),
        "late": _varied([replace(base, late=share) for share in (0.0, 0.25, 0.5, 1.0)[:points]], "late"),
    }
    found: dict[str, list[list[Point]]] = {name: [[] for _ in at] for name, (at, _) in axes.items()}
    for number in range(runs):
        for name, (_, populations) in axes.items():
            for place, population in enumerate(populations):
                found[name][place].append(in_process(population))
            rates = ", ".join(f"{points[-1].rate:,.0f}" for points in found[name])
            say(f"{number + 1}/{runs} {name}: {rates} changes/s")
    curves = {
        name: [
            Curve(RATE, [[run.rate for run in point] for point in points]),
            Curve(RECORD_BYTES, [[run.size for run in point] for point in points]),
        ]
        for name, points in found.items()
    }
    words: dict[str, str] = {}
    for name, measured in found.items():
        costs = [1e6 / rate for rate in middles(curves[name][0].runs)]
        written = middles([[run.panes for run in point] for point in measured])
        held = middles([[run.held for run in point] for point in measured])
        if name == "records":
            words[name] = power_in_words(axes[name][0], costs, written, name)
        else:
            factor, unit = (100, "% out of order") if name == "late" else (1, name)
            words[name] = cost_in_words([factor * x for x in axes[name][0]], costs, written, unit)
        words[name] += " " + memory_in_words(middles(curves[name][1].runs), held)
    late = [100 * share for share in axes["late"][0]]
    return [
        Measured("reps", "Reps", "reps", axes["reps"][0], curves["reps"], words["reps"]),
        Measured("records", "Records", "records", axes["records"][0], curves["records"], words["records"]),
        Measured("late", "Order", "% of the records out of order", late, curves["late"], words["late"]),
    ]


def _varied(populations: Sequence[Population], name: str) -> tuple[Sequence[float], Sequence[Population]]:
    """The values of that field, and the populations."""
    return [float(getattr(population, name)) for population in populations], populations


def _with_kafka(base: Population, runs: int, *, short: bool) -> list[Measured]:
    partitions = (2,) if short else (1, 4, 16)
    workers = (1,) if short else (1, 2)
    drains: dict[tuple[int, int], list[Drained]] = {(count, 1): [] for count in partitions}
    drains |= {(partitions[min(1, len(partitions) - 1)], count): [] for count in workers}
    frames = {count: list(frames_of(base.changes(), count)) for count in partitions}
    with Floor() as floor:
        if not short:
            floor.make_topics("warm.", partitions[0])
            drain(floor, base, 1, frames[partitions[0]])  # Kafka's JVM compiles; and the cores wake up
        for number in range(runs):
            for (count, working), found in drains.items():
                floor.make_topics(f"c{number}-{count}-{working}.", count)
                found.append(drain(floor, base, working, frames[count]))
                say(f"{number + 1}/{runs} {count} partitions, {working} working: {found[-1].rate:,.0f} changes/s")
        states: dict[int, list[Recovery]] = {}
        for records in (500,) if short else STATES:
            floor.make_topics(f"s{records}.", 4)
            population = replace(base, records=records, span=90 * DAY)
            states[records] = recoveries(floor, population, runs, compacted=not short)
    by_workers = [(working, drains[partitions[min(1, len(partitions) - 1)], working]) for working in workers]
    return [
        _partitions([(count, drains[count, 1]) for count in partitions]),
        _workers(by_workers, base.records),
        _state(list(states.items())),
    ]


def _drained(found: Sequence[tuple[int, Sequence[Drained]]]) -> tuple[list[float], Curve, Curve]:
    return (
        [float(count) for count, _ in found],
        Curve(RATE, [[run.rate for run in runs] for _, runs in found]),
        Curve(WORKER_MIB, [[run.memory / 2**20 for run in runs] for _, runs in found]),
    )


def _cpu(runs: Sequence[Drained]) -> tuple[float, float, float]:
    """Microseconds of workers and of Kafka, and panes, for each change."""
    found = middles(
        [
            [1e6 * run.workers_cpu / run.changes for run in runs],
            [1e6 * run.kafka_cpu / run.changes for run in runs],
            [run.panes / run.changes for run in runs],
        ]
    )
    return found[0], found[1], found[2]


def _partitions(found: Sequence[tuple[int, Sequence[Drained]]]) -> Measured:
    at, rates, memory = _drained(found)
    first, last = _cpu(found[0][1]), _cpu(found[-1][1])
    words = cost_in_words(at, [1e6 / rate for rate in middles(rates.runs)], [_cpu(runs)[2] for _, runs in found],
                          "partitions")  # fmt: skip
    held = middles(memory.runs)
    words += (
        f" With {at[0]:g} and with {at[-1]:g} a worker computes {first[0]:.1f} and {last[0]:.1f} µs of it, Kafka"
        f" {first[1]:.1f} and {last[1]:.1f}, and the worker holds {held[0]:.0f} and {held[-1]:.0f} MiB: each partition"
        " has an owner, batches and progress of its own in every stage, and a rep's day a pane in each."
    )
    return Measured("partitions", "Partitions", "partitions, one worker", at, [rates, memory], words)


def _workers(found: Sequence[tuple[int, Sequence[Drained]]], records: int) -> Measured:
    at, rates, memory = _drained(found)
    middle = middles(rates.runs)
    expected = [middle[0] * count / at[0] for count in at]
    busy = middles([[run.cores for run in runs] for _, runs in found])
    share = middle[-1] / expected[-1]
    cores = os.cpu_count() or 1
    words = (
        f"{at[-1]:g} workers reach {middle[-1] / middle[0]:.2f} times what {at[0]:g} reaches, {share:.0%} of the"
        f" straight line. With {at[0]:g} at work {busy[0]:.2f} of {cores} cores are busy, Kafka among them, with"
        f" {at[-1]:g} {busy[-1]:.2f}. "
    )
    if share > 1 / 1.15:
        words += "Near linear."
    else:
        words += (
            f"{cores - busy[-1]:.2f} are left: not linear on this machine, where Kafka takes a part of the cores that"
            " workers would need. [Two workers](#two-workers) measures how much, and what they do where it does not."
        )
    words += f" A worker more is {_more(memory)} MiB more, with the same {records:,} records in all."
    rates = replace(rates, guide=expected, guide_title="in proportion")
    return Measured("workers", "Workers", "workers, four partitions", at, [rates, memory], words)


def _more(memory: Curve) -> str:
    middle = middles(memory.runs)
    return f"{(middle[-1] - middle[0]) / max(1, len(middle) - 1):.0f}"


def _state(found: Sequence[tuple[int, Sequence[Recovery]]]) -> Measured:
    at = [float(records) for records, _ in found]
    seconds = [[run.seconds for run in runs] for _, runs in found]
    fit = line(at, middles(seconds))
    memory = [[run.memory / 2**20 for run in runs] for _, runs in found]
    held = line(at, middles(memory))
    last = found[-1][1]
    parts = middles([[run.starting for run in last], [run.reading for run in last], [run.deriving for run in last]])
    words = (
        f"Start to ready: {growth_in_words(at, middles(seconds), 'records')}. Of the largest {parts[0]:.1f} s are the"
        f" process and its group, {parts[1]:.1f} reading, {parts[2]:.1f} deriving and comparing. Memory:"
        f" {held.base:.0f} MiB, and {held.slope * 2**20:.0f} bytes for each record with its panes; no point is further"
        f" than {held.off:.0%} from that."
    )
    curves = [
        Curve("s from start to ready", seconds, [fit.at(x) for x in at], "straight line"),
        Curve("MiB of the worker", memory, [held.at(x) for x in at], "straight line"),
    ]
    return Measured("state", "State", "records of a quarter", at, curves, words)


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
    ledger, panes, written = fold(frames, population.until)
    seconds = time.perf_counter() - begun
    panes.clear()
    gc.collect()
    held = psutil.Process().memory_full_info().uss - before
    return Point(
        population.total / seconds, held / len(ledger), written / population.total, len(ledger.panes) / len(ledger)
    )


if __name__ == "__main__":
    main_of(run)

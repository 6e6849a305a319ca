"""What a second worker is worth: the ledger stage on a backlog, with one worker and with two, and who is the limit.

    python -m bench.workers

Of new records each change is a row and one pane or more to write, the most that Kafka ever has to do for a change. Of
records that change twenty times in a row a batch writes one row for twenty changes: Kafka has little to do. Deals have
a past, which the core in Python folds: there the worker has most to do, and Kafka, on the same cores, is not the limit.
Who had the cores is shown beside the rates. And without Kafka, the pure core on frames in memory, in one process and in
two at the same time. A run is right if the panes hold what was put in.
"""

import gc
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from multiprocessing.synchronize import Barrier
from statistics import median

from bench import report
from bench.cells import count_cell
from bench.drain import Drained, drain
from bench.measuring import alternating, main_of, say
from bench.population import STEPS, Frames, Population, frames_of
from bench.processes import BenchError, Floor
from bench.results import Bar, Result, Section
from processor.core.batch import new_batch
from processor.core.definitions import definitions_of
from processor.core.ledger import Ledger
from schemas.config import parse_config
from schemas.instants import DAY
from schemas.panes import decode_pane, read_pane_key
from schemas.windows import is_day

COMMAND = "python -m bench.workers"
FIRST_RECORDS = 60_000
"""Of the run before all others."""

ONE_SECONDS = 5.0
"""So long one worker shall have to do; the first run says how many records that is."""

MOST_RECORDS = 600_000
REPS = 1_000
REVISIONS = 20
DEALS_FEWER = 3
"""Than new records: each has four changes, and one takes longer. Two workers are at it for four seconds."""

RATIO = 1.7
"""That two workers shall reach of one, where Kafka is not the limit."""

DISTURBED = 0.25
"""Cores that others may have before the page says so."""

NEW, AGAIN, DEALS = "new records", f"{REVISIONS} changes of each record", "deals"

CONFIG = """
organisation: {name: Bench, timezone: Asia/Kuala_Lumpur, currency: USD}
connections: {feed: {kind: generic, secrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw]}}
"""

Drains = Mapping[int, Sequence[Drained]]
"""Workers -> their runs."""


def run(*, short: bool = False, runs: int = 3) -> Section:
    """Measure one and two, with Kafka and without, in turn."""
    first = Population(2_000 if short else FIRST_RECORDS, 50 if short else REPS, until=time.time_ns() // 1000, span=DAY)
    drains: dict[str, dict[int, list[Drained]]] = {}
    with Floor() as floor:
        new = first if short else replace(first, records=_enough(floor, first))
        again = replace(new, records=new.records // 5, revisions=REVISIONS)
        deals = replace(new, records=max(1_000, new.records // DEALS_FEWER), deals=True)
        populations = {DEALS: deals} if short else {NEW: new, AGAIN: again, DEALS: deals}
        frames = {name: list(frames_of(populations[name].changes(), floor.partitions)) for name in populations}
        turns = [(name, workers) for name in populations for workers in (1, 2)]
        for number in range(runs):
            for name, workers in turns:
                floor.make_topics(f"n{number}-{turns.index((name, workers))}.")
                found = drain(floor, populations[name], workers, frames[name])
                drains.setdefault(name, {}).setdefault(workers, []).append(found)
                say(f"{number + 1}/{runs} {name}, {workers} working: {found.rate:,.0f} changes/s")
        plain = next(iter(populations))
        core_one, core_two = alternating(
            [
                lambda: core(populations[plain], frames[plain], 1),
                lambda: core(populations[plain], frames[plain], 2),
            ],
            runs,
        )
    return Section(
        "workers",
        "Two workers",
        f"A backlog that lies in {floor.partitions} partitions, until the last of it is in acknowledged rows and panes:"
        f" of {new.total:,} new records, and of {again.total:,} changes, {REVISIONS} in a row of the same record,"
        f" so that a batch writes one row and one pane for them; and of {deals.total:,} changes of deals, {len(STEPS)}"
        " of each, mixed. And the pure core on the frames of new records in memory."
        f" {os.cpu_count()} cores for all.",
        [*_rates(drains), *_costs(drains.get(NEW, {})), *_cores(core_one, core_two)],
        after=explained(drains, [two / one for one, two in zip(core_one, core_two, strict=True)], os.cpu_count() or 1),
        short=short,
    )


def _enough(floor: Floor, first: Population) -> int:
    """How many records one worker does in `ONE_SECONDS`.

    Kafka's JVM compiles meanwhile what it does often, which whoever came first would pay for.
    """
    frames = list(frames_of(first.changes(), floor.partitions))
    rate = 0.0
    for number in range(2):
        floor.make_topics(f"first-{number}.")
        rate = drain(floor, first, 1, frames).rate
    say(f"first, {first.records:,} new records: {rate:,.0f} changes/s")
    return min(MOST_RECORDS, max(first.records, int(rate * ONE_SECONDS)))


def _rates(drains: Mapping[str, Drains]) -> Iterator[Result]:
    for name, by_workers in drains.items():
        for workers, word in ((1, "one worker"), (2, "two workers")):
            bars = [Bar(f"one worker, {name}", at_least=RATIO)] if (name, workers) == (DEALS, 2) else []
            rates = [found.rate for found in by_workers[workers]]
            yield Result(f"{word}, {name}", "with Kafka", COMMAND, "changes/s", rates, bars=bars)


def _costs(drains: Drains) -> Iterator[Result]:
    """What docs/sizing.md calculates with."""
    if not drains:
        return
    for name, words in (("workers_cpu", "a worker"), ("kafka_cpu", "Kafka")):
        spent = [float(getattr(run, name)) / run.changes * 1e6 for run in drains[1]]
        yield Result(f"CPU of {words}, {NEW}", "one worker, for a million changes", COMMAND, "s", spent)
    yield Result(
        f"written to Kafka, {NEW}", "frames, rows and panes as they lie in its log, for each change", COMMAND, "bytes",
        [run.written / run.changes for run in drains[1]],
    )  # fmt: skip


def _cores(one: list[float], two: list[float]) -> Iterator[Result]:
    yield Result("one core", "the fold in memory, no Kafka", COMMAND, "changes/s", one)
    yield Result(
        "two cores", "two folds in memory, no Kafka", COMMAND, "changes/s", two, bars=[Bar("one core", at_least=RATIO)]
    )


def explained(drains: Mapping[str, Drains], in_memory: Sequence[float], cores: int) -> str:
    """Who had the processors, and so where the limit is; all of it from the figures."""
    lines = [
        f"Who had the {cores} cores, on average over a run (median):", "",
        "| | workers | Kafka | bench | others | idle | CPU of a million changes: workers, Kafka |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]  # fmt: skip
    for name, by_workers in drains.items():
        for workers, found in by_workers.items():
            shares = [
                _middle(found, share) for share in (
                    lambda run: run.workers_cpu / run.seconds,
                    lambda run: run.kafka_cpu / run.seconds,
                    lambda run: run.bench_cpu / run.seconds,
                    lambda run: run.others,
                    lambda run: max(0.0, cores - run.cores - run.others),
                )
            ]  # fmt: skip
            cost = _cost(found, "workers_cpu"), _cost(found, "kafka_cpu")
            cells = " | ".join(f"{share:.2f}" for share in shares)
            lines.append(f"| {name}, {workers} working | {cells} | {cost[0]:.1f} s, {cost[1]:.1f} s |")
    for name, by_workers in drains.items():
        lines += ["", _limit(name, by_workers, cores)]
    lines += ["", (
        f"The fold alone, in memory, gains {median(in_memory):.2f} times by a second core: workers share nothing, and"
        " what is missing of 2 is what the cores share themselves."
    )]  # fmt: skip
    return "\n".join(lines)


def _limit(name: str, by_workers: Drains, cores: int) -> str:
    """What a second worker can bring on this machine, what it brought, and how many one core of Kafka could serve."""
    one, two = by_workers[1], by_workers[2]
    reached = median(second.rate / first.rate for first, second in zip(one, two, strict=True))
    busy = _middle(one, lambda run: run.cores)
    possible = min(2.0, cores / busy)
    worker, kafka = _cost(two, "workers_cpu"), _cost(two, "kafka_cpu")
    words = _disturbed(one, two) + (
        f"**{name[0].upper()}{name[1:]}.** One worker keeps {busy:.2f} of the {cores} cores busy, with all that it"
        f" makes others do, so two can do {possible:.2f} times as much on this machine, if a change costs the same;"
        f" they did {reached:.2f}. "
    )
    if possible < RATIO:
        words += (
            f"The limit is the {cores} cores, which Kafka shares: beside two workers it computes {kafka:.1f} s for a"
            f" million changes, where they compute {worker:.1f}. "
        )
    elif reached < RATIO:
        words += "So the cores are not the limit, nor is Kafka's share of them: it is the workers themselves. "
    else:
        words += "Kafka is not the limit here. "
    return words + (
        f"On machines of its own, one core of Kafka would serve {report.number(1e6 / kafka)} such changes a second,"
        f" what {worker / kafka:.1f} workers do with a core each."
    )


def _disturbed(*found: Sequence[Drained]) -> str:
    """A warning, if somebody else was at work."""
    others = max(run.others for runs in found for run in runs)
    return "" if others < DISTURBED else f"*Others had up to {others:.1f} cores meanwhile: measure again.* "


def _middle(found: Sequence[Drained], value: Callable[[Drained], float]) -> float:
    return median(map(value, found))


def _cost(found: Sequence[Drained], name: str) -> float:
    """Seconds of CPU for a million changes."""
    return median(float(getattr(run, name)) / run.changes * 1e6 for run in found)


def core(population: Population, frames: Frames, processes: int) -> float:
    """Changes a second that the ledger's core folds in so many processes at once, each its own partitions."""
    shares = [[frame for place, frame in frames if place % processes == number] for number in range(processes)]
    context = multiprocessing.get_context("spawn")
    metric, put_in = population.truth
    with context.Pool(processes, _meet_at, [context.Barrier(processes)]) as pool:
        found = pool.starmap(_fold, [(share, population.until, metric) for share in shares], chunksize=1)
    counted = sum(count for *_, count in found)
    if counted != put_in.total():
        msg = f"the core has counted {counted} of {metric}, not {put_in.total()}"
        raise BenchError(msg)
    begun, ended = min(begun for begun, *_ in found), max(ended for _, ended, _ in found)
    return population.total / (ended - begun)


_together: Barrier


def _meet_at(barrier: Barrier) -> None:
    global _together  # noqa: PLW0603 - how a process of a pool is given what cannot be sent to it
    _together = barrier


def _fold(frames: Sequence[bytes], log_at: int, metric: str) -> tuple[float, float, int]:
    """(begun, ended, the metric's sum over the days of all reps)."""
    gc.freeze()
    _together.wait()
    begun = time.time()
    ledger, panes, _ = fold(frames, log_at)
    ended = time.time()
    del ledger
    days = (value for key, value in panes.items() if is_day(read_pane_key(key)[2]))
    counted = sum(decode_pane(value).get(count_cell(metric), 0) for value in days)
    return begun, ended, counted


def fold(frames: Sequence[bytes], log_at: int) -> tuple[Ledger, dict[bytes, bytes], int]:
    """A ledger with these frames folded in, four at once as the worker gets them; and the panes as published.

    Third is how often one was.
    """
    ledger = Ledger("ledger.0", definitions_of(parse_config(CONFIG, {}, "bench")))
    panes: dict[bytes, bytes] = {}
    written = 0
    for first in range(0, len(frames), 4):
        batch = new_batch()
        for frame in frames[first : first + 4]:
            batch.add(frame)
        output = ledger.fold(batch, log_at).panes
        written += len(output)
        for key, value in output:
            if value is None:
                panes.pop(key, None)
            else:
                panes[key] = value
    return ledger, panes, written


if __name__ == "__main__":
    main_of(run)

"""What a second worker is worth: the ledger stage on a backlog, with one worker and with two.

    python -m bench.workers

With Kafka on the same two cores, two workers and a broker share what one worker and a broker had; so the time that each
process computes is shown too, which says who is the limit. Without Kafka: the pure core on frames in memory, in one
process and in two at the same time. The run is right if the panes hold what was put in.
"""

import asyncio
import multiprocessing
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from bench.kafka_ends import until_done
from bench.measuring import alternating, main_of
from bench.population import Population, frames_of, publish
from bench.processes import BenchError, Floor, cpu_seconds
from bench.recovery import check_panes
from bench.results import Bar, Result, Section
from processor.core.definitions import definitions_of
from processor.core.ledger import Ledger
from schemas.config import parse_config
from schemas.frames import decode_changes
from schemas.instants import DAY
from schemas.panes import decode_pane, read_pane_key
from schemas.topics import RECORD_CHANGES
from schemas.windows import is_day

COMMAND = "python -m bench.workers"
RECORDS = 300_000
REPS = 1_000
_SETTLE_SECONDS = 3.0
_SECONDS = 600.0

CONFIG = """
organisation: {name: Bench, timezone: Asia/Kuala_Lumpur, currency: USD}
connections: {feed: {kind: generic, secrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw]}}
"""


@dataclass(frozen=True, slots=True)
class Drained:
    """How a backlog was worked off."""

    rate: float
    """Changes a second."""
    workers_cpu: float
    """Seconds that the workers computed, for a million changes."""
    kafka_cpu: float


def run(*, short: bool = False, runs: int = 3) -> Section:
    """Measure one and two, with Kafka and without, in turn."""
    records, reps = (2_000, 50) if short else (RECORDS, REPS)
    population = Population(records, reps, until=time.time_ns() // 1000, span=DAY)
    drains: dict[int, list[Drained]] = {1: [], 2: []}
    number = 0
    with Floor() as floor:

        def drained(workers: int) -> float:
            nonlocal number
            number += 1
            floor.make_topics(f"n{number}.")
            found = drain(floor, population, workers)
            drains[workers].append(found)
            return found.rate

        one, two = alternating([lambda: drained(1), lambda: drained(2)], runs)
        core_one, core_two = alternating([lambda: core(population, 1), lambda: core(population, 2)], runs)
    return Section(
        "workers",
        "Two workers",
        f"A backlog of {records} changes in {floor.partitions} partitions, from the first frame sent until the last is"
        " in acknowledged rows and panes; and the pure core in memory. Two cores for all.",
        [
            Result("one worker", "with Kafka", COMMAND, "changes/s", one),
            Result("two workers", "with Kafka", COMMAND, "changes/s", two, bars=[Bar("one worker", at_least=1.7)]),
            Result("one core", "the fold in memory, no broker", COMMAND, "changes/s", core_one),
            Result(
                "two cores", "two folds in memory, no broker", COMMAND, "changes/s", core_two,
                bars=[Bar("one core", at_least=1.7)],
            ),
            *_computed(drains),
        ],
        short=short,
    )  # fmt: skip


def _computed(drains: Mapping[int, Sequence[Drained]]) -> Iterator[Result]:
    for workers, found in drains.items():
        times = {"workers": [each.workers_cpu for each in found], "Kafka": [each.kafka_cpu for each in found]}
        for name, seconds in times.items():
            yield Result(f"CPU of {name}, {workers} working", "for a million changes", COMMAND, "s", seconds)


def drain(floor: Floor, population: Population, workers: int) -> Drained:
    """Let so many workers, started and at rest, work off the population."""
    frames = list(frames_of(population.changes(), floor.partitions))
    with ExitStack() as stack:
        started = [stack.enter_context(floor.worker(f"worker-{number}")) for number in range(workers)]
        for worker in started:
            worker.until_ready()
        if workers > 1:
            time.sleep(_SETTLE_SECONDS)  # the first had all partitions until the last came
        before = sum(worker.cpu_seconds for worker in started), cpu_seconds(floor.broker.pid)
        begun = time.monotonic()

        async def work() -> None:
            await publish(floor, frames)
            await until_done(floor, "ledger", RECORD_CHANGES, seconds=_SECONDS)

        asyncio.run(work())
        seconds = time.monotonic() - begun
        after = sum(worker.cpu_seconds for worker in started), cpu_seconds(floor.broker.pid)
    check_panes(floor, population)
    millions = population.records / 1e6
    return Drained(population.records / seconds, (after[0] - before[0]) / millions, (after[1] - before[1]) / millions)


def core(population: Population, processes: int) -> float:
    """Changes a second that the ledger's core folds in so many processes at once, each its own partitions."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        found = pool.starmap(_fold, [(population, number, processes) for number in range(processes)], chunksize=1)
    if sum(calls for *_, calls in found) != sum(population_calls(population).values()):
        msg = "the core has counted other calls than were put in"
        raise BenchError(msg)
    begun, ended = min(begun for begun, *_ in found), max(ended for _, ended, _ in found)
    return population.records / (ended - begun)


def population_calls(population: Population) -> dict[str, int]:
    """The truth, counted if it was not yet."""
    if not population.calls:
        for _ in population.changes():
            pass
    return population.calls


def _fold(population: Population, number: int, processes: int) -> tuple[float, float, int]:
    """(begun, ended, calls): the frames of every `processes`-th partition."""
    frames = [frame for partition, frame in frames_of(population.changes(), 4) if partition % processes == number]
    until = time.time() + 0.5  # that all begin together, with their frames ready
    while time.time() < until:
        pass
    begun = time.time()
    ledger, panes = fold(frames, population.until)
    ended = time.time()
    del ledger
    return (
        begun,
        ended,
        sum(decode_pane(value).get("calls_made", 0) for key, value in panes.items() if is_day(read_pane_key(key)[2])),
    )


def fold(frames: Sequence[bytes], log_at: int) -> tuple[Ledger, dict[bytes, bytes]]:
    """A ledger with these frames folded in, four at once as the worker gets them; and the panes as published."""
    ledger = Ledger("ledger.0", definitions_of(parse_config(CONFIG, {}, "bench")))
    panes: dict[bytes, bytes] = {}
    for first in range(0, len(frames), 4):
        changes = [change for frame in frames[first : first + 4] for change in decode_changes(frame).changes]
        for key, value in ledger.fold(changes, log_at).panes:
            if value is None:
                panes.pop(key, None)
            else:
                panes[key] = value
    return ledger, panes


if __name__ == "__main__":
    main_of(run)

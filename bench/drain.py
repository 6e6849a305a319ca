"""A backlog of changes, worked off by so many workers: how fast, and what every process computed meanwhile.

Owns the start of the workers, their share of the partitions, the clock and the proof that the panes are right. Judges
nothing.
"""

import asyncio
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psutil

from bench.kafka_ends import ends, until_done
from bench.population import Frames, Population, publish
from bench.processes import BenchError, Floor, Started, cpu_seconds
from bench.recovery import check_panes
from schemas.topics import LEDGER, PANES, RECORD_CHANGES

SECONDS = 300.0
"""For one backlog."""

_SHARE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Drained:
    """How a backlog that lay in Kafka was worked off, until its last change is in acknowledged rows and panes."""

    changes: int
    seconds: float
    workers_cpu: float
    """Seconds that all workers computed."""
    kafka_cpu: float
    bench_cpu: float
    """Of this process, which asks for the progress."""
    busy: float
    """Seconds of all processors of the machine in which anybody computed, ourselves among them."""
    memory: int
    """Bytes of all workers afterwards."""
    rows: int
    """Messages in the ledger's topic."""
    panes: int
    """Messages in the panes' topic."""
    written: int
    """Bytes of all topics in Kafka's log, of one copy."""

    @property
    def rate(self) -> float:
        """Changes a second."""
        return self.changes / self.seconds

    @property
    def cores(self) -> float:
        """Processors that were busy with it on average: of the workers, Kafka and this process."""
        return (self.workers_cpu + self.kafka_cpu + self.bench_cpu) / self.seconds

    @property
    def others(self) -> float:
        """Processors that anybody else had: what a figure is worth depends on it."""
        return max(0.0, self.busy / self.seconds - self.cores)


def drain(floor: Floor, population: Population, workers: int, frames: Frames) -> Drained:
    """Let so many workers, started and at rest, work off the population, of which the topics hold nothing yet.

    `frames`: of the population, for as many partitions as the floor has.
    """
    with ExitStack() as stack:
        started = [stack.enter_context(floor.worker(f"worker-{number}")) for number in range(workers)]
        for worker in started:
            worker.until_ready()
        _until_shared(started, floor.partitions)
        written = ends(floor, LEDGER), ends(floor, PANES)
        # Stopped until all of it lies there: what sending takes is nobody's rate.
        with _stopped(started):
            asyncio.run(publish(floor, frames))
        before, begun = _computed(started, floor), time.monotonic()
        asyncio.run(until_done(floor, "ledger", RECORD_CHANGES, seconds=SECONDS))
        seconds = time.monotonic() - begun
        after = _computed(started, floor)
        memory = sum(worker.memory for worker in started)
    check_panes(floor, population)
    workers_cpu, kafka_cpu, bench_cpu, busy = (now - then for now, then in zip(after, before, strict=True))
    return Drained(
        population.total, seconds, workers_cpu, kafka_cpu, bench_cpu, busy, memory,
        ends(floor, LEDGER) - written[0], ends(floor, PANES) - written[1], _log_bytes(floor),
    )  # fmt: skip


@contextmanager
def _stopped(workers: Sequence[Started]) -> Iterator[None]:
    """Let them do nothing, for less than a session lasts."""
    for worker in workers:
        worker.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for worker in workers:
            worker.process.send_signal(signal.SIGCONT)


def _computed(workers: Sequence[Started], floor: Floor) -> tuple[float, float, float, float]:
    """Seconds so far: of workers, Kafka, this process, and everybody on the machine."""
    times = psutil.cpu_times()
    busy = sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0)
    return (
        sum(worker.cpu_seconds for worker in workers),
        cpu_seconds(floor.broker.pid),
        cpu_seconds(os.getpid()),
        float(busy),
    )


def _log_bytes(floor: Floor) -> int:
    """Of this floor's topics; the sizes of what is written, not what Kafka has set aside for it."""
    return sum(file.stat().st_size for file in floor.broker.data.rglob(f"{floor.prefix}*/*.log"))


def _until_shared(workers: Sequence[Started], partitions: int) -> None:
    """Wait until the partitions are divided evenly: the first worker had all of them until the last one came."""
    until = time.monotonic() + _SHARE_SECONDS
    even = sorted(len(range(number, partitions, len(workers))) for number in range(len(workers)))
    while (shares := sorted(map(_partitions_of, workers))) != even:
        if time.monotonic() > until:
            msg = f"the workers have {shares} of {partitions} partitions"
            raise BenchError(msg)
        time.sleep(0.1)
    time.sleep(1.0)  # what comes after an assignment: seeks, the first fetches


def _partitions_of(worker: Started) -> int:
    """Of `record-changes`, by what it said last."""
    last = next((line for line in reversed(worker.events()) if line["event"] == "shards.assigned"), None)
    places = [] if last is None else [*last["kept"], *last["loaded"]]
    return sum(topic.endswith(RECORD_CHANGES.name) for topic, _ in places)

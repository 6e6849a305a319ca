"""How long a worker takes from its start until it is ready, with a million records to read back; and their memory.

    python -m bench.recovery

The records are put in through a worker, which is then ended. Its successor reads rows and panes back, derives all
panes anew from the rows and compares; and, in turn with it, one that begins from a checkpoint. Both are killed. Two
floors: records of a quarter, as they lie in a grown floor, and all of them
within the two days for which minutes are kept, the worst case: about one pane for each record. The run is right if the
panes in Kafka say what was put in, and the successor had nothing to correct.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.cells import count_cell
from bench.compaction import compact
from bench.kafka_ends import ends, until_done
from bench.measuring import main_of, say
from bench.population import Population, frames_of, publish
from bench.processes import BenchError, Floor, Started
from bench.results import Bar, Result, Section
from processor.transport.fetched import Fetched
from processor.transport.following import Follower
from schemas.instants import DAY
from schemas.panes import decode_pane, read_pane_key
from schemas.topics import FENCE, PANES, RECORD_CHANGES
from schemas.windows import is_day

COMMAND = "python -m bench.recovery"
RECORDS = 1_000_000
REPS = 2_000
FILL_SECONDS = 600.0
KEPT_SECONDS = 120.0


def run(*, short: bool = False, runs: int = 3) -> Section:
    """Fill, kill, and start anew."""
    records, reps = (2_000, 50) if short else (RECORDS, REPS)
    results = []
    with Floor() as floor:
        with floor.worker("empty") as worker, floor.api() as api:
            worker.until_ready()
            api.until_ready()
            time.sleep(1.0)
            empty, empty_api = worker.memory, api.memory
        now = time.time_ns() // 1000
        spans = {"a quarter": 90 * DAY, "two days": 2 * DAY}
        for name, span in list(spans.items())[: 1 if short else None]:
            floor.make_topics(f"{name.replace(' ', '-')}.")
            found = recoveries(floor, Population(records, reps, until=now, span=span), runs)
            results += list(_results(name, records, found, empty, empty_api))
    return Section(
        "recovery",
        "Recovery and memory",
        f"{records:,} records of {reps:,} reps in {floor.partitions} partitions, one worker, killed and started again: "
        "from the start of its process until it is ready, with all panes derived anew from the rows and compared with "
        "those in Kafka, which has compacted them before, as it does within hours; and from a checkpoint that lies in "
        "`--state`, proved against Kafka. Records of a quarter, as they lie "
        "in a grown floor; and all of them within the two days for which minutes are kept, the worst case.",
        [
            Result("memory of an empty worker", "", COMMAND, "MiB", [empty / 2**20]),
            Result("memory of an empty api", "", COMMAND, "MiB", [empty_api / 2**20]),
            *results,
        ],
        short=short,
    )


def _results(name: str, records: int, found: Sequence["Recovery"], empty: int, empty_api: int) -> Iterator[Result]:
    yield Result(
        f"recovery of {name}", f"{records:,} records and {found[0].panes:,} panes, start to ready", COMMAND, "s",
        [each.seconds for each in found], bars=[Bar(at_most=8.0)],
    )  # fmt: skip
    yield Result(
        f"recovery of {name} from a checkpoint", "the same worker, started with --state", COMMAND, "s",
        [each.kept.seconds for each in found if each.kept], bars=[Bar(at_most=2.0)],
    )  # fmt: skip
    for which, each_of in (("the log", found), ("a checkpoint", [each.kept for each in found if each.kept])):
        yield Result(
            f"CPU of {name} from {which}", "of the worker until it is ready", COMMAND, "s",
            [each.cpu_seconds for each in each_of],
        )  # fmt: skip
    phases = {
        "before": ("the process starts, joins the group", [each.starting for each in found]),
        "reading": ("names and fences taken, rows and panes read back", [each.reading for each in found]),
        "deriving": ("panes derived from the rows, compared", [each.deriving for each in found]),
    }
    for phase, (what, seconds) in phases.items():
        yield Result(f"{phase}, {name}", f"of these: {what}", COMMAND, "s", seconds)
    yield Result(
        f"memory of {name}", "more than a worker without records, for each record, with the panes", COMMAND, "bytes",
        [(each.memory - empty) / records for each in found], bars=[Bar(at_most=500.0)],
    )  # fmt: skip
    view = next(each.view for each in found if each.view)
    yield Result(f"panes of {name}", "in Kafka", COMMAND, "panes", [float(found[0].panes)])
    yield Result(f"api of {name}", f"{found[0].panes:,} panes, start to ready", COMMAND, "s", [view[0]])
    yield Result(
        f"memory of a pane in the api, {name}", "more than an api without panes, for each", COMMAND, "bytes",
        [(view[1] - empty_api) / found[0].panes],
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Recovery:
    """How a successor came up. All but the bytes are seconds."""

    seconds: float
    """From its start until it was ready."""
    starting: float
    reading: float
    deriving: float
    memory: int
    """Bytes of the process afterwards."""
    panes: int
    """In Kafka."""
    cpu_seconds: float
    """That the process had computed by then."""
    kept: "Recovery | None" = None
    """The same of a worker that began from a checkpoint."""
    view: tuple[float, int] | None = None
    """How long an api took from its start until it was ready, and its bytes then; of the last run only."""


def recoveries(floor: Floor, population: Population, runs: int, *, compacted: bool = True) -> list[Recovery]:
    """Of `runs` successors of a worker that was killed, one after the other.

    `compacted`: whether Kafka compacts what that one has written first.
    """
    began = time.monotonic()
    state = floor.folder / f"{floor.prefix}state"
    with floor.worker() as worker:
        worker.until_ready()
        asyncio.run(publish(floor, frames_of(population.changes(), floor.partitions)))
        asyncio.run(until_done(floor, "ledger", RECORD_CHANGES, seconds=FILL_SECONDS))
        worker.stop()
    with floor.worker(state=state) as worker:
        worker.until_ready()
        _until_kept(worker, floor.partitions)
        worker.kill()
    say(f"{population.records:,} records put in: {time.monotonic() - began:.0f} s")
    began = time.monotonic()
    if compacted:
        asyncio.run(compact(floor))
    panes = check_panes(floor, population)
    say(f"found to be right, compaction awaited: {time.monotonic() - began:.0f} s")
    found: list[Recovery] = []
    for number in range(runs):
        from_log = _recovery(floor, panes, None, with_api=number == runs - 1)
        found.append(replace(from_log, kept=_recovery(floor, panes, state)))
    return found


def _until_kept(worker: Started, partitions: int) -> None:
    """Wait for checkpoints of all that was put in, of both stages: the end does not wait for ones so large."""
    ends = time.monotonic() + KEPT_SECONDS
    while sum(line["event"] == "snapshot.written" for line in worker.events()) < 2 * partitions:
        if time.monotonic() > ends:
            msg = f"no checkpoints after {KEPT_SECONDS:g} s"
            raise BenchError(msg)
        time.sleep(0.5)


def _recovery(floor: Floor, panes: int, state: Path | None, *, with_api: bool = False) -> Recovery:
    """Of one successor, which is killed then."""
    before, view = ends(floor, PANES), None
    with floor.worker(state=state) as worker:
        seconds = worker.until_ready()
        memory, computed = worker.memory, worker.cpu_seconds
        if with_api:
            with floor.api() as api:
                view = api.until_ready(), api.memory
        corrected = ends(floor, PANES) - before - 2 * floor.partitions  # two stages fence them
        worker.kill()
        said = worker.events()
    if corrected > 0:
        msg = f"{corrected} panes were corrected, though nothing had changed"
        raise BenchError(msg)
    restored = sum(line["event"] == "snapshot.restored" for line in said)
    if restored != (0 if state is None else 2 * floor.partitions):  # of two stages
        msg = f"{restored} checkpoints were taken"
        raise BenchError(msg)
    loading = sum(line["seconds"] for line in said if line["event"] == "shards.assigned")
    deriving = sum(line["seconds"] for line in said if line["event"] == "ledger.derived")
    say(f"recovered: {seconds:.1f} s ({deriving:.1f} s of it deriving), {memory / 2**20:.0f} MiB, CPU {computed:.1f} s")
    return Recovery(seconds, seconds - loading, loading - deriving, deriving, memory, panes, computed, view=view)


def check_panes(floor: Floor, population: Population) -> int:
    """How many panes there are in Kafka. BenchError if their days do not add up to what was put in."""
    metric, put_in = population.truth
    made, panes = asyncio.run(_days(floor, metric))
    if made != put_in:
        msg = f"{metric} is {sum(made.values())} in the panes, not {sum(put_in.values())} of the same reps"
        raise BenchError(msg)
    return panes


async def _days(floor: Floor, metric: str) -> tuple[Counter[str], int]:
    values: dict[bytes, bytes] = {}

    def apply(_partition: int, records: list[Fetched]) -> None:
        for record in records:
            if record.key is not None and record.key != FENCE:
                if record.value is None:
                    values.pop(record.key, None)
                else:
                    values[record.key] = record.value

    async with Follower(floor.bootstrap, PANES.full_name(floor.prefix, 1)) as follower:
        await follower.read_to(await follower.ends(), apply)
    made: Counter[str] = Counter()
    for key, value in values.items():
        _, rep, window = read_pane_key(key)
        if is_day(window) and rep is not None:
            made[rep] += decode_pane(value).get(count_cell(metric), 0)
    return +made, len(values)


if __name__ == "__main__":
    main_of(run)

"""How long a worker takes from its start until it is ready, with a million records to read back; and their memory.

    python -m bench.recovery

The records are put in through a worker, which is then killed. Its successor reads rows and panes back, derives all
panes anew from the rows and compares. Two floors: records of a quarter, as they lie in a grown floor, and all of them
within the two days for which minutes are kept, the worst case: about one pane for each record. The run is right if the
panes in Kafka say what was put in, and the successor had nothing to correct.
"""

import asyncio
import time
from collections import Counter

from bench.kafka_ends import ends, until_done
from bench.measuring import main_of
from bench.population import Population, frames_of, publish
from bench.processes import BenchError, Floor
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


def run(*, short: bool = False, runs: int = 3) -> Section:
    """Fill, kill, and start anew."""
    records, reps = (2_000, 50) if short else (RECORDS, REPS)
    results = []
    with Floor() as floor:
        with floor.worker("empty") as worker:
            worker.until_ready()
            time.sleep(1.0)
            empty = worker.memory
        now = time.time_ns() // 1000
        spans = {"a quarter": 90 * DAY, "two days": 2 * DAY}
        for name, span in list(spans.items())[: 1 if short else None]:
            floor.make_topics(f"{name.replace(' ', '-')}.")
            seconds, memory = recoveries(floor, Population(records, reps, until=now, span=span), runs)
            per_record = [(held - empty) / records for held in memory]
            results += [
                Result(
                    f"recovery of {name}", f"{records} records, start to ready", COMMAND, "s", seconds,
                    bars=[Bar(at_most=8.0)],
                ),
                Result(
                    f"memory of {name}", "more than a worker without records, for each", COMMAND, "bytes", per_record,
                    bars=[Bar(at_most=500.0)],
                ),
            ]  # fmt: skip
    return Section(
        "recovery",
        "Recovery and memory",
        f"{records} records of {reps} reps in {floor.partitions} partitions, one worker, killed and started again.",
        results,
        short=short,
    )


def recoveries(floor: Floor, population: Population, runs: int) -> tuple[list[float], list[int]]:
    """Seconds from start to ready, and bytes held afterwards, of `runs` successors of a worker that was killed."""
    with floor.worker() as worker:
        worker.until_ready()
        asyncio.run(publish(floor, frames_of(population.changes(), floor.partitions)))
        asyncio.run(until_done(floor, "ledger", RECORD_CHANGES, seconds=FILL_SECONDS))
        worker.kill()
    check_panes(floor, population)
    seconds: list[float] = []
    memory: list[int] = []
    for _ in range(runs):
        before = ends(floor, PANES)
        with floor.worker() as worker:
            seconds.append(worker.until_ready())
            memory.append(worker.memory)
            corrected = ends(floor, PANES) - before - 2 * floor.partitions  # two stages fence them
            worker.kill()
        if corrected > 0:
            msg = f"{corrected} panes were corrected, though nothing had changed"
            raise BenchError(msg)
    return seconds, memory


def check_panes(floor: Floor, population: Population) -> None:
    """BenchError if the days in Kafka do not add up to what was put in."""
    made = asyncio.run(_days(floor))
    if made != population.calls:
        msg = f"{sum(made.values())} calls are in the panes, not {sum(population.calls.values())} of the same reps"
        raise BenchError(msg)


async def _days(floor: Floor) -> Counter[str]:
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
            made[rep] += decode_pane(value).get("calls_made", 0)
    return +made


if __name__ == "__main__":
    main_of(run)

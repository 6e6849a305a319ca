"""How many leaderboards of 1,000 reps the api serves in a second, while nothing changes.

    python -m bench.leaderboard

Against an endpoint of FastAPI that answers at once, and one of plain ASGI. The run is right if the answer holds all
reps with the numbers that were put in.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

import orjson

from bench.http_load import load, request
from bench.kafka_ends import until_done
from bench.measuring import alternating, main_of
from bench.population import Population, frames_of, publish
from bench.processes import BenchError, Floor, Started, empty_server
from bench.results import Bar, Result, Section
from schemas.instants import HOUR
from schemas.topics import RECORD_CHANGES

CONNECTIONS = 32
REPS = 1_000
PATH = f"/v1/leaderboards/calls_made?window=7d&limit={REPS}"
COMMAND = "python -m bench.leaderboard"


@contextmanager
def served(population: Population, floor: Floor) -> Iterator[Started]:
    """An api whose view holds the population, put in through a worker."""
    with floor.worker() as worker:
        worker.until_ready()
        asyncio.run(publish(floor, frames_of(population.changes(), floor.partitions)))
        asyncio.run(until_done(floor, "ledger", RECORD_CHANGES, seconds=120))
        with floor.api() as api:
            api.until_ready()
            yield api


def run(*, short: bool = False, runs: int = 3) -> Section:
    """Measure all three, in turn."""
    seconds = 0.5 if short else 4.0
    reps = 100 if short else REPS
    population = Population(records=reps * 10, reps=reps, until=time.time_ns() // 1000, span=HOUR)
    with Floor() as floor, empty_server(floor.folder / "empty.log") as empty, served(population, floor) as api:
        cpu: dict[str, list[float]] = {"leaderboard": [], "empty": []}

        def ask() -> float:
            before = api.cpu_seconds
            done = load(api.url, [request("GET", PATH)], connections=CONNECTIONS, seconds=seconds, status=200)
            cpu["leaderboard"].append((api.cpu_seconds - before) / done.answers * 1e6)
            for body in done.bodies:
                check(body, population)
            return done.rate

        def framework() -> float:
            before = empty.cpu_seconds
            asked = [request("GET", "/framework")]
            done = load(empty.url, asked, connections=CONNECTIONS, seconds=seconds, status=200)
            cpu["empty"].append((empty.cpu_seconds - before) / done.answers * 1e6)
            return done.rate

        def nothing() -> float:
            asked = [request("POST", "/", b"{}")]
            return load(empty.url, asked, connections=CONNECTIONS, seconds=seconds, status=202).rate

        # Once before: what an api that has just started still tells, and the list that is made then, are no part of it.
        load(api.url, [request("GET", PATH)], connections=1, seconds=seconds / 2, status=200)
        asked, of_framework, of_nothing = alternating([ask, framework, nothing], runs)
    return Section(
        "leaderboard",
        "Leaderboard",
        f"`GET {PATH}` over {CONNECTIONS} connections while nothing changes, against endpoints that do nothing.",
        [
            Result(
                "leaderboard", f"{reps} reps, one metric, seven days", COMMAND, "requests/s", asked,
                bars=[Bar(against="empty endpoint", at_least=0.2)],
            ),
            Result("empty endpoint", "FastAPI on uvicorn", COMMAND, "requests/s", of_framework),
            Result("empty ASGI endpoint", "nothing between it and uvicorn", COMMAND, "requests/s", of_nothing),
            Result("CPU of a leaderboard", "time of the api's process", COMMAND, "µs", cpu["leaderboard"]),
            Result("CPU of an empty answer", "time of FastAPI's process", COMMAND, "µs", cpu["empty"]),
        ],
        short=short,
    )  # fmt: skip


def check(body: bytes, population: Population) -> None:
    """BenchError if the leaderboard does not say what was put in."""
    entries = orjson.loads(body)["entries"]
    found = {entry["rep"]: entry["value"] for entry in entries}
    wanted = {f"r-{number}": population.calls[f"r-{number}"] for number in range(population.reps)}
    if found != wanted or [entry["value"] for entry in entries] != sorted(wanted.values(), reverse=True):
        msg = f"the leaderboard is wrong: {sum(found.values())} calls of {len(found)} reps"
        raise BenchError(msg)


if __name__ == "__main__":
    main_of(run)

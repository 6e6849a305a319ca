"""How long a scrape of 10,000 series keeps the event loop from everything else.

    python -m bench.exposition

In one process: the view is filled with panes, and while `/metrics` is asked for through the application, a task notes
how late the loop calls it. That is what a webhook would wait, whether the time goes into the loop itself or into a
thread that holds the interpreter. Between two scrapes every tenth rep makes a call. The run is right if the text has
the series and their sum is that of the panes.
"""

import asyncio
import gc
import gzip
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

import httpx
import orjson
import uvloop
from prometheus_client import CollectorRegistry

from api.app import COLLECT_AFTER, build_read_side, create_app
from api.read.view import View
from api.settings import Settings
from bench.cells import count_cell
from bench.measuring import main_of
from bench.processes import CONFIG, BenchError
from bench.results import Bar, Result, Section
from schemas.catalogue.amounts import limbs
from schemas.config import load_config
from schemas.panes import encode_pane, pane_key
from schemas.topics import PANES
from schemas.windows import Calendar, day_window

COMMAND = "python -m bench.exposition"
SERIES = 10_000
SCRAPES = 20
_TICK_SECONDS = 0.0005


def run(*, short: bool = False, runs: int = 3) -> Section:
    """Scrape and watch the loop."""
    series, scrapes = (500, 3) if short else (SERIES, SCRAPES)
    worst: list[float] = []
    first: list[float] = []
    whole: list[float] = []
    computed: list[float] = []
    for _ in range(runs):
        blocked, times, cpu = uvloop.run(measure(-(-series // len(_always())), scrapes))
        computed.append(median(cpu[1:]) * 1000)
        first.append(blocked[0] * 1000)
        worst.append(median(blocked[1:]) * 1000)
        whole.append(median(times[1:]) * 1000)
    return Section(
        "exposition",
        "Prometheus exposition",
        f"`GET /metrics` of {series} series, a tenth of them changed since the scrape before; how long the event loop"
        " did nothing else.",
        [
            Result(
                "loop held by a scrape",
                f"median of {scrapes - 1} scrapes",
                COMMAND,
                "ms",
                worst,
                bars=[Bar(at_most=5.0)],
            ),
            Result("loop held by the first scrape", "nothing is remembered yet", COMMAND, "ms", first),
            Result("answer to a scrape", "median", COMMAND, "ms", whole),
            Result("CPU of a scrape", "in all threads, with the client's", COMMAND, "ms", computed),
        ],
        short=short,
    )


def _always() -> list[str]:
    """The metrics of which everybody has a series: a percentile or ratio of nothing has none."""
    with tempfile.TemporaryDirectory(prefix="floorcast-bench-") as name:
        file = Path(name) / "floorcast.yaml"
        file.write_bytes(orjson.dumps(CONFIG))
        view = View(load_config(file, {}))
        values = view.result(PANE, time.time_ns() // 1000)
        return [metric for metric in view.catalogue if values.metrics[metric] is not None]


async def measure(
    reps: int, scrapes: int, clock: Callable[[], float] = time.perf_counter
) -> tuple[list[float], list[float], list[float]]:
    """(longest pause of the loop, time to the answer, CPU) of each scrape of so many reps, in seconds.

    `clock` times the pauses: on a busy machine that of the thread says what is ours of them.
    """
    gc.set_threshold(*COLLECT_AFTER)  # as the process has it
    with tempfile.TemporaryDirectory(prefix="floorcast-bench-") as name:
        folder = Path(name)
        (folder / "floorcast.yaml").write_bytes(orjson.dumps(CONFIG))
        settings = Settings(config=folder / "floorcast.yaml", data=folder)
        config, registry = load_config(settings.config, {}), CollectorRegistry()
        read_side = build_read_side(settings, config, registry)
        read_side.consumer.is_loaded = True
        now = time.time_ns() // 1000
        always = _always()
        day = day_window(Calendar(config.organisation.zone, config.organisation.first_weekday).day_of(now))
        calls = dict.fromkeys(range(reps), 1)

        def called(rep: int) -> None:
            pane = PANE | {count_cell("calls_made"): calls[rep]}
            read_side.view.apply(PANES.name, pane_key("ledger.0", f"r-{rep}", day), encode_pane(pane))

        for rep in calls:
            called(rep)
        read_side.broadcaster.pin(("today",), now)
        app = create_app(settings, config, state={"read_side": read_side}, registry=registry)
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
        blocked: list[float] = []
        times: list[float] = []
        cpu: list[float] = []
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            for scrape in range(scrapes):
                for rep in range(scrape % 10, reps, 10):
                    calls[rep] += 1
                    called(rep)
                read_side.broadcaster.flush(time.time_ns() // 1000)
                pauses: list[float] = []
                watcher = asyncio.create_task(_watch(pauses, clock))
                await asyncio.sleep(0.05)
                pauses.clear()
                begun, computed = time.perf_counter(), time.process_time()
                # Inflating is work of the client, which is no part of the api.
                async with client.stream("GET", "/metrics") as answer:
                    compressed = b"".join([part async for part in answer.aiter_raw()])
                times.append(time.perf_counter() - begun)
                cpu.append(time.process_time() - computed)
                await asyncio.sleep(0.005)
                watcher.cancel()
                blocked.append(max(pauses))
                _check(gzip.decompress(compressed).decode(), calls, len(always))
        return blocked, times, cpu


PANE = {count_cell(metric): 1 for metric in ("calls_made", "calls_connected", "conversations_by_call")} | {
    count_cell("talk_seconds"): dict(limbs(60_000_000))
}


async def _watch(pauses: list[float], clock: Callable[[], float]) -> None:
    """Note how much later than asked for the loop comes back."""
    while True:
        begun = clock()
        await asyncio.sleep(_TICK_SECONDS)
        pauses.append(clock() - begun - _TICK_SECONDS)


def _check(text: str, calls: Mapping[int, int], metrics: int) -> None:
    lines = [line for line in text.splitlines() if 'rep="r-' in line]
    made = [line for line in lines if line.startswith("floorcast_calls_made{")]
    total = sum(int(line.rpartition(" ")[2]) for line in made)
    if len(lines) != len(calls) * metrics or total != sum(calls.values()):
        msg = f"{len(lines)} series and {total} calls, not {len(calls) * metrics} and {sum(calls.values())}"
        raise BenchError(msg)


if __name__ == "__main__":
    main_of(run)

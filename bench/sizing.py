"""The writer of `docs/sizing.md`: what a floor needs, by arithmetic from a few measured costs, and what breaks first.

    python -m bench.sizing

Owns the costs' file, `docs/sizing.json`, and the arithmetic. `python -m bench` writes both after the suites that the
costs come from; a cost whose suite was not run stays as it was.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from statistics import median

import msgspec

from bench.ingest import signed_call
from bench.recovery import RECORDS
from bench.report import machine, number
from bench.results import FOLDER, Section, load
from bench.workers import NEW
from schemas.deliveries import Delivery, encode_delivery

FILE = Path(__file__).parent.parent / "docs" / "sizing.json"
PAGE = FILE.with_suffix(".md")

MIB, GIB = 2**20, 2**30
FLOORS = ((100, 1), (10_000, 1), (20_000, 50))
"""Reps of a floor, and how many such floors: a million reps are so many floors, each with topics and processes of its
own. `bench views` holds the view of one of them."""
RECORDS_A_DAY, CHANGES_EACH, DAYS, HOURS, PEAK, COPIES = 60, 2, 275, 8, 5, 3
MINUTE_DAYS = 2
USE = 0.5
"""Of a worker at the peak: the other half is for what has piled up."""


class Costs(msgspec.Struct, frozen=True):
    """What the arithmetic stands on. All of one machine, named by `taken`."""

    taken: str
    worker_rate: float
    worker_cpu: float
    kafka_cpu: float
    written: float
    delivery: float
    worker_empty: float
    record: float
    recovery_base: float
    recovery_million: float
    api_empty: float
    pane: float
    api_million: float
    api_snapshot: float


@dataclass(frozen=True, slots=True)
class Cost:
    """One of them: how it is said, and where it is measured."""

    words: str
    unit: str
    suite: str
    of: Callable[[Callable[[str], float]], float]
    """From the medians of a suite's results, by name."""


COSTS: Mapping[str, Cost] = {
    "worker_rate": Cost(
        "a worker beside a Kafka on two cores takes", "changes/s", "workers", lambda by: by(f"one worker, {NEW}")
    ),
    "worker_cpu": Cost(
        "a worker computes for a change", "µs", "workers", lambda by: by(f"CPU of a worker, {NEW}")
    ),
    "kafka_cpu": Cost("Kafka computes for a change, one copy", "µs", "workers", lambda by: by(f"CPU of Kafka, {NEW}")),
    "written": Cost(
        "a new record in Kafka, one copy: change, row, panes", "bytes", "workers",
        lambda by: by(f"written to Kafka, {NEW}"),
    ),
    "worker_empty": Cost("a worker without records", "MiB", "recovery", lambda by: by("memory of an empty worker")),
    "record": Cost(
        "a record in a worker, with its panes", "bytes", "recovery", lambda by: by("memory of a quarter")
    ),
    "recovery_base": Cost(
        "a worker until it reads: process and group", "s", "recovery", lambda by: by("before, a quarter")
    ),
    "recovery_million": Cost(
        "a million records read back, derived and compared", "s", "recovery",
        lambda by: (by("reading, a quarter") + by("deriving, a quarter")) * 1e6 / RECORDS,
    ),
    "api_empty": Cost("an api without panes", "MiB", "recovery", lambda by: by("memory of an empty api")),
    "pane": Cost(
        "a pane in each api", "bytes", "views", lambda by: by("memory of the view") * MIB / by("panes")
    ),
    "api_million": Cost(
        "a million panes read by an api, from its start", "s", "recovery",
        lambda by: by("api of a quarter") / by("panes of a quarter") * 1e6,
    ),
    "api_snapshot": Cost(
        "a million panes taken from a snapshot by an api", "s", "views",
        lambda by: by("snapshot restored, CPU") / by("panes") * 1e6,
    ),
}  # fmt: skip
"""All but the size of a delivery, which is not measured but made."""


def updated(held: Costs, sections: Mapping[str, Section]) -> Costs:
    """The costs, anew where there are results for them."""
    found: dict[str, float] = {}
    for name, cost in COSTS.items():
        section = sections.get(cost.suite)
        if section is not None and not section.short:
            middles = {result.name: median(result.runs) for result in section.results if result.runs}
            with suppress(KeyError):  # of an earlier build, which measured less
                found[name] = float(f"{cost.of(middles.__getitem__):.3g}")
    if not found:
        return held
    return msgspec.structs.replace(held, taken=machine(), delivery=float(delivery_bytes()), **found)


def delivery_bytes() -> int:
    """Of a webhook with one call, as the api stores it."""
    body, headers = signed_call("c-1000000", "r-10000", 1.7e9)
    return len(encode_delivery(Delivery("feed", 1_700_000_000_000_000, dict(headers), body)))


@dataclass(frozen=True, slots=True)
class Needs:
    """What one floor needs. Bytes and seconds."""

    reps: int
    average: float
    """Changes a second, in working hours."""
    peak: float
    records: int
    workers: int
    partitions: int
    panes: int
    worker_memory: float
    recovery: float
    api_memory: float
    api_start: float
    """From Kafka alone."""
    api_restart: float
    """From a snapshot."""
    network: float
    """Into Kafka at the peak, all copies, a second."""
    kafka_cores: float
    disk: float


RECOVERY_WANTED, WORKER_MEMORY = 120.0, 8 * GIB


def needs(reps: int, costs: Costs) -> Needs:
    """By arithmetic."""
    average = reps * RECORDS_A_DAY * CHANGES_EACH / (HOURS * 3600)
    peak, records = average * PEAK, reps * RECORDS_A_DAY * DAYS
    by_rate = peak / (costs.worker_rate * USE)
    by_recovery = records / 1e6 * costs.recovery_million / (RECOVERY_WANTED - costs.recovery_base)
    by_memory = records * costs.record / (WORKER_MEMORY - costs.worker_empty * MIB)
    workers = max(1, ceil(max(by_rate, by_recovery, by_memory)))
    partitions = max(4, 2 ** (workers - 1).bit_length())
    panes = reps * (round(DAYS * _shared(partitions)) + MINUTE_DAYS * RECORDS_A_DAY)
    bytes_a_change = costs.delivery + costs.written
    changes = records * CHANGES_EACH
    return Needs(
        reps, average, peak, records, workers, partitions, panes,
        worker_memory=costs.worker_empty * MIB + records / workers * costs.record,
        recovery=costs.recovery_base + records / workers / 1e6 * costs.recovery_million,
        api_memory=costs.api_empty * MIB + panes * costs.pane,
        api_start=panes / 1e6 * costs.api_million,
        api_restart=panes / 1e6 * costs.api_snapshot,
        network=peak * bytes_a_change * COPIES,
        kafka_cores=peak * costs.kafka_cpu / 1e6 * COPIES,
        disk=(changes * costs.delivery + records * costs.written) * COPIES,
    )  # fmt: skip


def _shared(partitions: int) -> float:
    """Partitions in which a rep has a record of the same day: so many panes that day has."""
    return partitions * (1 - (1 - 1 / partitions) ** RECORDS_A_DAY)


@dataclass(frozen=True, slots=True)
class Limit:
    """Something that ends, and what helps then."""

    words: str
    of: Callable[[Needs, Costs], float]
    """Share of it that is taken; 1: all."""
    helps: str


WORKERS, API_MEMORY, API_START, NETWORK, BROKERS, BROKER_CORES, DISK = 64, 16 * GIB, 120.0, 125e6, 3, 4, 4e12

LIMITS = (
    Limit(
        "workers, half used at the peak", lambda need, costs: need.peak / (need.workers * costs.worker_rate * USE),
        "Start more of them, up to the number of partitions.",
    ),
    Limit(
        f"recovery of a worker within {RECOVERY_WANTED:.0f} s", lambda need, _: need.recovery / RECOVERY_WANTED,
        "It falls with the number of workers, and with `retention.records`. While it lasts, the numbers of its"
        " partitions stand still; those of the others go on.",
    ),
    Limit(
        f"memory of a worker, {WORKER_MEMORY // GIB} GiB", lambda need, _: need.worker_memory / WORKER_MEMORY,
        "It falls with the number of workers, and with `retention.records`.",
    ),
    Limit(
        f"workers that somebody has to run, {WORKERS}", lambda need, _: need.workers / WORKERS,
        "Shorten `retention.records`: it divides records, and with them workers, memory and disk. Or split the floor by"
        " business unit, each under a topic prefix of its own (`FLOORCAST_PREFIX`).",
    ),
    Limit(
        f"memory of an api, {API_MEMORY // GIB} GiB", lambda need, _: need.api_memory / API_MEMORY,
        "Every api holds every pane of every rep, and a rep's day has a pane in each partition that holds a record of"
        " it: so take no more partitions than workers need, shorten `retention.records`, or split the floor by"
        " business unit, each under a topic prefix of its own.",
    ),
    Limit(
        f"start of an api within {API_START:.0f} s", lambda need, _: need.api_start / API_START,
        "So long it takes from Kafka alone: it reads all that its memory then holds. One that finds the snapshot in its"
        " data folder, no older than twelve hours, goes on from there. Run two of them: webhooks are taken while the"
        " view loads, and screens stay with the other one.",
    ),
    Limit(
        f"network into Kafka, {NETWORK / 1e6:.0f} MB/s for each of {BROKERS} brokers",
        lambda need, _: need.network / (NETWORK * BROKERS), "More brokers; several events in a delivery.",
    ),
    Limit(
        f"Kafka's processors, {BROKER_CORES} cores for each of {BROKERS} brokers",
        lambda need, _: need.kafka_cores / (BROKER_CORES * BROKERS), "More brokers; several events in a delivery.",
    ),
    Limit(
        f"Kafka's disk, {DISK / 1e12:.0f} TB for each of {BROKERS} brokers",
        lambda need, _: need.disk / (DISK * BROKERS),
        "`deliveries` is kept as long as records are: shorten `retention.records`, or run more brokers.",
    ),
)  # fmt: skip


def amount(value: float, units: Sequence[str] = ("B", "kB", "MB", "GB", "TB", "PB"), step: float = 1000.0) -> str:
    """Bytes as people say them."""
    place = 0
    while value >= step and place < len(units) - 1:
        value, place = value / step, place + 1
    return f"{number(value)} {units[place]}"


def memory(value: float) -> str:
    """Bytes of memory."""
    return amount(value, ("B", "KiB", "MiB", "GiB", "TiB"), 1024.0)


def seconds(value: float) -> str:
    """A time, in minutes or hours if it is long."""
    return next(
        (f"{value / size:,.0f} {unit}" for size, unit in ((3600, "h"), (60, "min")) if value >= 5 * size),
        f"{value:.0f} s",
    )


def page(costs: Costs) -> str:
    """All of docs/sizing.md."""
    floors = [needs(reps, costs) for reps, _ in FLOORS]
    many, (reps, count) = floors[-1], FLOORS[-1]
    rows: dict[str, Callable[[Needs], str]] = {
        "changes a second, average and peak": lambda need: f"{number(need.average)}, {number(need.peak)}",
        "records kept": lambda need: _count(need.records),
        "workers": lambda need: f"{need.workers:,}",
        "partitions": lambda need: f"{need.partitions:,}",
        "panes, of days and of two days' minutes": lambda need: _count(need.panes),
        "memory of a worker": lambda need: memory(need.worker_memory),
        "recovery of a worker": lambda need: seconds(need.recovery),
        "memory of an api": lambda need: memory(need.api_memory),
        "start of an api, from Kafka alone": lambda need: seconds(need.api_start),
        "start of an api, from a snapshot": lambda need: seconds(need.api_restart),
        "into Kafka at the peak, all copies": lambda need: f"{amount(need.network)}/s",
        "out of Kafka at the peak, for each api": lambda need: f"{amount(need.peak * costs.written)}/s",
        "Kafka's processors at the peak": lambda need: f"{max(0.01, need.kafka_cores):.2f} cores",
        "Kafka's disk at most, all copies": lambda need: amount(need.disk),
    }
    return _TEXT.format(
        taken=costs.taken,
        costs="\n".join(_cost_rows(costs)),
        records_a_day=RECORDS_A_DAY, changes=CHANGES_EACH, hours=HOURS, peak=PEAK, days=DAYS, copies=COPIES,
        recovery=RECOVERY_WANTED, worker_gib=WORKER_MEMORY // GIB, use=round(100 * USE),
        head=" | ".join(map(_named, FLOORS)), line="--:|" * len(floors),
        floors="\n".join(f"| {name} | {' | '.join(map(cell, floors))} |" for name, cell in rows.items()),
        limits="\n".join(
            f"| {limit.words} | {' | '.join(_share(limit.of(need, costs)) for need in floors)} |" for limit in LIMITS
        ),
        breaks="\n".join(
            f"- **{_named(floor)}**: {_breaks(need, costs)}" for floor, need in zip(FLOORS, floors, strict=True)
        ),
        helps="\n".join(_helps(floors, costs)),
        all_reps=reps * count, count=count, all_workers=many.workers * count, all_disk=amount(many.disk * count),
        all_memory=memory((many.workers * many.worker_memory + many.api_memory) * count),
        all_network=amount(many.network * count),
    )  # fmt: skip


def _named(floor: tuple[int, int]) -> str:
    reps, count = floor
    return f"{reps:,} reps" if count == 1 else f"each of {count} floors of {reps:,}"


def _cost_rows(costs: Costs) -> list[str]:
    rows = [
        f"| {cost.words} | {number(getattr(costs, name))} {cost.unit} | `python -m bench {cost.suite}` |"
        for name, cost in COSTS.items()
    ]
    return [
        *rows,
        f"| a delivery of one call, as the api stores it | {number(costs.delivery)} bytes | made, and weighed |",
    ]


def _count(value: float) -> str:
    for size, word in ((1e9, "billion"), (1e6, "million")):
        if value >= size:
            return f"{number(value / size)} {word}"
    return f"{value:,.0f}"


def _share(share: float) -> str:
    words = f"{100 * share:,.0f} %" if share >= 0.01 else "< 1 %"
    return f"**{words}**" if share > 1 else words


def _breaks(need: Needs, costs: Costs) -> str:
    shares = sorted(((limit.of(need, costs), limit.words) for limit in LIMITS), reverse=True)
    broken = [f"*{words}*, of which {number(share)} times as much is asked" for share, words in shares if share > 1]
    if not broken:
        share, words = shares[0]
        return f"nothing. Nearest is *{words}*, of which {_share(share)} is taken."
    return f"first {'; then '.join(broken)}."


def _helps(floors: Sequence[Needs], costs: Costs) -> list[str]:
    """What helps, of each limit that comes near somewhere."""
    return [
        f"- *{limit.words}*: {limit.helps}" for limit in LIMITS if max(limit.of(need, costs) for need in floors) > USE
    ]


_TEXT = """\
# Sizing

<!-- Made by bench/sizing.py from docs/sizing.json. Change the costs there, or measure them: `python -m bench`. -->

What a floor needs in partitions, workers, memory and network, by arithmetic from a few costs, and what breaks first.
How each cost grows is drawn in [Performance](performance.md#cost-curves). Measure your own before you buy: rows of
leads with long histories are larger than those of calls.

## Costs

Taken: {taken}.

| | | measured by |
|---|--:|---|
{costs}

A worker beside a Kafka of its own is faster: here both share the cores. The records are calls and mails; their panes
are those of a quarter, about one for two records.

## Floors on paper

A rep makes {records_a_day} records in a working day of {hours} hours (calls, mails, meetings), each changed {changes}
times, with peaks of {peak} times the average. Records are kept 400 days, about {days} of them worked. Kafka keeps
{copies} copies. There are as many workers as are needed for a recovery within {recovery:.0f} s, {worker_gib} GiB for
each, and {use} % of their rate at the peak; partitions are the next power of two, 4 at least.

| | {head} |
|---|{line}
{floors}

A million reps do not go into one api, nor is there one that reads some teams only. They are floors side by side, one
each business unit, each under a topic prefix of its own (`FLOORCAST_PREFIX`) with workers and apis of its own; what
they share is Kafka, Prometheus and Grafana, which add up what the whole house did. {count} floors make {all_reps:,}
reps: in all {all_workers:,} workers, {all_memory} of memory with one api for each floor, {all_disk} of Kafka's disk,
and {all_network}/s into Kafka at the peak. `python -m bench views` holds and asks the view of one such floor.

A rep's day is as many panes as there are partitions with a record of that day, which a reader adds up: that is what a
larger number of partitions costs. Choose it for the floor that you expect in some years, all the same: another number
means a replay.

## What breaks first

The share of each limit that is taken:

| | {head} |
|---|{line}
{limits}

{breaks}

What helps:

{helps}

In front of all of these stands the CRM: HubSpot, for instance, sends at most 100 events in a delivery and limits what
may be read back; and `FLOORCAST_DELIVERIES_PER_SECOND` (2,000 by default) limits each connection.
"""


def read(path: Path = FILE) -> Costs:
    """The costs as they were taken last."""
    return msgspec.json.decode(path.read_bytes(), type=Costs)


def main(folder: Path = FOLDER, file: Path = FILE, path: Path = PAGE) -> None:
    """Take in what was measured, and write the page."""
    costs = updated(read(file), load(folder))
    file.write_bytes(msgspec.json.format(msgspec.json.encode(costs), indent=1) + b"\n")
    path.write_text(page(costs), encoding="utf-8")
    print(f"written: {path}", file=sys.stderr)


if __name__ == "__main__":
    main()

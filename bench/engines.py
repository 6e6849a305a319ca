"""Floorcast beside the engines that people would pick instead: the same work, by turns, on one Kafka.

python -m bench engines [--short] [--runs 3] [--events 1000000] [--only flink --only ledger]
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from bench import workload
from bench.contenders import (
    AIOKAFKA,
    CONNECTION,
    CONTENDERS,
    CORE,
    FAUST,
    FLINK,
    LEDGER,
    MORE_MEASURES,
    PARTITIONS,
    STREAMS,
    WHOLE,
    Contender,
    Input,
)
from bench.race import NoFigureError, Work, race
from bench.results import Bar, Result, Section
from bench.topics import Topics, connected
from deploy.local.broker import LocalBroker

EVENTS = 1_000_000
SHORT_EVENTS = 3_000
RUNS = 3
LIMIT_SECONDS = 150.0
"""For one run, from the first record on."""

BARS = {
    LEDGER: [
        Bar(FLINK, at_least=1.5),
        Bar(STREAMS, at_least=4),
        Bar(FAUST, at_least=100),
        Bar(AIOKAFKA, at_least=0.4),
    ],
    WHOLE: [Bar(STREAMS, at_least=1)],
    MORE_MEASURES: [Bar(CORE, at_least=0.6)],
}

TEXT = f"""\
The work: revisions of calls and emails of {workload.REPS:,} reps become calls, emails and conversations for each rep
and minute. {workload.RECORDS_A_DAY:,} first revisions make a day; a third as many edits, owner changes, deletions,
repetitions and overtaken revisions follow them, out of order. Every contender reads {PARTITIONS} partitions that are
filled already, from its first record to its last output; what it starts with does not count. Each ends with exactly
the numbers of a recount, or has no figure. Slow ones get the first part of the same stream, for a rate all the same.

Each is written as its own guide recommends (`bench/peers/`), at least once, and commits every second, as floorcast
does; Flink makes a checkpoint every ten. The others read JSON keyed by record. Stage `ledger` reads frames, which is
what the stage before it writes; the whole way reads webhooks as the api stores them, {workload.EVENTS_PER_DELIVERY}
events in each. Floorcast keeps days beside the minutes, and three more measures. All share the cores with the broker.
"""

LIMIT = """\
Where the limit is: the pure core, in memory, is not much faster than the whole stage with it. Plain changes are read
where they lie in their frame, so most of its time goes into the dicts and bytes of rows and panes. What the stage has
beside the core is Kafka: reading frames, and writing two messages for each event (its row, and the panes it changed),
which the others do in part or not at all. Where there is no C compiler the inner loops are done in Python, and the fold
is the limit: see the last line, and decision 0027.
"""


def run(*, short: bool = False, runs: int = RUNS, events: int | None = None, only: Collection[str] = ()) -> Section:
    """Run everybody, and say how it went."""
    return asyncio.run(_run(short=short, runs=runs, events=events, only=only))


async def _run(*, short: bool, runs: int, events: int | None, only: Collection[str]) -> Section:
    total = events or (SHORT_EVENTS if short else EVENTS)
    chosen = [contender for contender in CONTENDERS if not only or contender.slug in only]
    with (
        tempfile.TemporaryDirectory(prefix="floorcast-bench-") as folder,
        LocalBroker(Path(folder), die_with_parent=True) as broker,
    ):
        async with connected(broker.bootstrap) as topics:
            work = await _work(topics, chosen, total, short=short)
            figures = await _turns(topics, chosen, work, 1 if short else runs, short=short)
    command = "python -m bench engines"
    return Section(
        "engines",
        "Beside other engines",
        TEXT,
        [
            Result(
                contender.name, contender.what, command, "events/s", figures[contender.slug][0],
                bars=BARS.get(contender.name, []), note=figures[contender.slug][1],
            )
            for contender in chosen
        ],
        after=LIMIT,
        short=short,
    )  # fmt: skip


async def _work(topics: Topics, chosen: Sequence[Contender], total: int, *, short: bool) -> dict[str, Work]:
    """The stream once, then for each share what is read of it."""
    _say(f"making {total:,} events")
    stream = workload.take(total)
    by_events: dict[int, Work] = {}
    for events in sorted({_events(contender, total, short=short) for contender in chosen}):
        part = stream[:events]
        inputs = {contender.input for contender in chosen if _events(contender, total, short=short) == events}
        topic = f"revisions-{events}"
        if Input.JSON in inputs:
            await topics.create(topic, PARTITIONS)
            await topics.fill(topic, dict(workload.keyed_json(part, PARTITIONS)))
        by_events[events] = Work(
            events,
            workload.truth(part),
            sum(revision.revision for revision in part),
            topic,
            workload.frames(part, PARTITIONS) if inputs & {Input.FRAMES, Input.FILE} else {},
            workload.deliveries(part, PARTITIONS, CONNECTION) if Input.DELIVERIES in inputs else {},
        )
    return {contender.slug: by_events[_events(contender, total, short=short)] for contender in chosen}


def _events(contender: Contender, total: int, *, short: bool) -> int:
    return total if short else int(total * contender.share)


async def _turns(
    topics: Topics, chosen: Sequence[Contender], work: dict[str, Work], runs: int, *, short: bool
) -> dict[str, tuple[list[float], str]]:
    """By turns, so that what the machine does meanwhile meets all alike. Who fails once runs no more."""
    figures: dict[str, tuple[list[float], str]] = {contender.slug: ([], "") for contender in chosen}
    for turn in range(1, runs + 1):
        for contender in chosen:
            rates, failure = figures[contender.slug]
            if failure:
                continue
            began = time.monotonic()
            try:
                rate = await race(
                    topics, contender, work[contender.slug], name=f"{contender.slug}-{turn}",
                    seconds=LIMIT_SECONDS, quiet=1.0 if short else 2.0,
                )  # fmt: skip
            except NoFigureError as reason:
                figures[contender.slug] = ([], str(reason))
                _say(f"{turn}/{runs} {contender.name}: no figure, {reason}")
            except Exception as error:  # noqa: BLE001 - the others go on, and the page says what happened
                figures[contender.slug] = ([], f"{type(error).__name__}: {error}")
                _say(f"{turn}/{runs} {contender.name}: failed, {error!r}")
            else:
                rates.append(rate)
                _say(f"{turn}/{runs} {contender.name}: {rate:,.0f} events/s ({time.monotonic() - began:.0f} s in all)")
    return figures


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)

"""How long a replay takes: events straight into `deliveries` of a Kafka of its own, then all made anew from them.

`python -m bench.replay [EVENTS]`. One event a delivery, a tenth of them duplicates, over 90 days and 100 people. Beside
the time by the clock stands the time on processors, which other work on the machine makes little difference to.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import psutil
from aiokafka import AIOKafkaProducer

from bench.results import Bar, Result, Section
from bench.stack import CONFIG
from deploy.local.broker import LocalBroker
from deploy.simulator.floor import Mix, SimulatedFloor
from processor.replay.replay import ReplayResult, replay, words
from processor.transport.administration import ensure_topics
from schemas.config import load_config
from schemas.deliveries import Delivery, encode_delivery
from schemas.instants import DAY
from schemas.topics import DELIVERIES

EVENTS = 1_000_000
PARTITIONS = 4
PREFIX = "floorcast."
MIX = Mix(duplicates=0.10, late=0.05, edits=0.05, deletions=0.01)


async def fill(bootstrap: str, events: int) -> None:
    """Put them into the log, evenly over its partitions."""
    await ensure_topics(bootstrap, prefix=PREFIX, generation=1, partitions=PARTITIONS, records_kept=400 * DAY)
    floor, now = SimulatedFloor(5, 100, MIX, ("USD", "EUR")), time.time_ns() // 1000
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, acks="all")
    await producer.start()
    try:
        topic = DELIVERIES.full_name(PREFIX)
        batches = [producer.create_batch() for _ in range(PARTITIONS)]
        for number in range(events):
            at = now - 90 * DAY + 90 * DAY * number // events
            headers = {"content-type": "application/json", "webhook-id": f"m{number}"}
            raw = encode_delivery(Delivery("feed", at, headers, orjson.dumps(floor.next(at))))
            place = number % PARTITIONS
            while batches[place].append(key=None, value=raw, timestamp=at // 1000) is None:
                batches[place].close()
                await producer.send_batch(batches[place], topic, partition=place)
                batches[place] = producer.create_batch()
        for place, batch in enumerate(batches):
            batch.close()
            await producer.send_batch(batch, topic, partition=place)
    finally:
        await producer.stop()


async def measure(bootstrap: str, config_file: Path, folder: Path) -> ReplayResult:
    """Replay all of it."""
    steps: dict[str, float] = {}

    def say(step: str, done: int, total: int) -> None:
        if step not in steps and done == 0:
            steps[step] = time.monotonic()
        if done >= total and step in steps:
            print(f"  {step}: {total} in {time.monotonic() - steps.pop(step):.1f} s")

    return await replay(
        bootstrap=bootstrap,
        prefix=PREFIX,
        config=load_config(config_file, {}),
        config_file=config_file,
        folder=folder / "replay",
        say=say,
    )


def run(*, short: bool = False, runs: int = 3) -> Section:
    """A million events, replayed again and again: each time from the generation that the last one made."""
    events, seconds = (2_000 if short else EVENTS), list[float]()
    with _filled(events) as (broker, config_file, folder):
        for _ in range(runs):
            outcome = asyncio.run(measure(broker, config_file, folder))
            if outcome.deliveries != events:
                msg = f"{outcome.deliveries} of {events} deliveries were replayed"
                raise RuntimeError(msg)
            seconds.append(round(outcome.seconds, 2))
    return Section(
        "replay",
        "Replay",
        f"{events:,} events, a delivery each, from the log into a new generation: parsed, folded, written and switched "
        "to, while the old one would be served.",
        [
            Result(
                "all of the log",
                "from the command to the switch",
                "python -m bench replay",
                "s",
                seconds,
                bars=[Bar(at_most=30)],
            )
        ],
        short=short,
    )


@contextmanager
def _filled(events: int) -> Iterator[tuple[str, Path, Path]]:
    """A Kafka with so many events in its log: its address, the configuration and a folder."""
    with tempfile.TemporaryDirectory(prefix="floorcast-bench-") as name:
        folder = Path(name)
        config_file = folder / "floorcast.yaml"
        config_file.write_text(CONFIG)
        with LocalBroker(folder, die_with_parent=True) as broker:
            asyncio.run(fill(broker.bootstrap, events))
            yield broker.bootstrap, config_file, folder


def main(events: int = EVENTS) -> None:
    """Fill, replay, say how long."""
    with _filled(events) as (broker, config_file, folder):
        kafka = set(psutil.Process().children())
        outcome = asyncio.run(measure(broker, config_file, folder))
        processors = _processor_seconds(set(psutil.Process().children()) - kafka)
        print(words(outcome))
        print(
            f"{events / outcome.seconds:,.0f} events a second; "
            f"{processors / events * 1e6:.1f} s on processors for a million (without Kafka's)"
        )


def _processor_seconds(processes: Iterable[psutil.Process]) -> float:
    """That these have computed, and the children of theirs that have ended: whose the hands of a replay are."""
    return sum(sum(process.cpu_times()[:4]) for process in processes)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))

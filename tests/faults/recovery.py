"""How long a worker with very many records in its tables takes to serve again after kill -9.

Owns the filling of the log with records whose counts are known without a recount, and the clock from the restart to the
first right number. The time is written into the result's notes, with what the worker's own log says of its parts.
"""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import orjson
import psutil
from aiokafka import AIOKafkaProducer

from schemas.deliveries import Delivery, encode_delivery
from schemas.instants import DAY, HOUR, format_instant
from schemas.topics import DELIVERIES
from tests.faults.result import Result
from tests.faults.stack import CONNECTION, PARTITIONS, Kafka, Stack
from tests.integration.served import Reader

RECORDS = 1_000_000
REPS = 200
DAYS = 300
LIMIT_SECONDS = 12.0

_AT_ONCE = 500
_FILL_SECONDS = 900.0
_LOOK_SECONDS = 0.05
_NOW = time.time()
_ASKED = {
    "from": time.strftime("%Y-%m-%d", time.gmtime(_NOW - (DAYS + 2) * 86_400)),
    "to": time.strftime("%Y-%m-%d", time.gmtime(_NOW + 86_400)),
    "metrics": "calls_made",
}


async def recover(folder: Path, kafka: Kafka, result: Result) -> None:
    """Fill, kill the only worker, and look when what was posted meanwhile is served, with all the rest."""
    now = time.time_ns() // 1000
    async with Stack(folder, kafka, workers=1) as stack, Reader(stack.api.url) as reader:
        began = time.monotonic()
        await _publish(stack, _calls(0, RECORDS, now), now)
        await _until_served(reader, RECORDS, _FILL_SECONDS)
        result.notes.append(f"{RECORDS:,} records taken in within {time.monotonic() - began:.0f} s")
        worker = stack.workers[0]
        result.notes.append(f"the worker used {psutil.Process(worker.pid).memory_info().rss >> 20} MiB")
        await asyncio.sleep(2)  # so that all offsets are committed
        await _publish(stack, _calls(RECORDS, RECORDS + 1, now), now)
        killed = time.monotonic()
        worker.send(signal.SIGKILL)
        while worker.ends == [] or not worker.alive:
            await asyncio.sleep(0.005)
        restarted = time.monotonic()
        await _publish(stack, _calls(RECORDS + 1, RECORDS + 101, now), now)
        await _until_served(reader, RECORDS + 101, 300)
        served = time.monotonic()
        result.recovery_seconds = round(served - restarted, 1)
        result.stall_seconds = round(served - killed, 1)
        result.deliveries = result.changes = RECORDS + 101
        result.notes.append(_parts(worker.words()))
        wrong = await _wrong(reader, RECORDS + 101)
        result.differences = len(wrong)
        result.problems += wrong[:5]
        if result.recovery_seconds > LIMIT_SECONDS:
            result.problems.append(f"served {result.recovery_seconds} s after the restart, not within {LIMIT_SECONDS}")


def _calls(first: int, last: int, now: int) -> Iterator[dict[str, object]]:
    for number in range(first, last):
        at = format_instant(now - HOUR - (number // REPS) % DAYS * DAY)
        yield {
            "record": "call",
            "id": f"c-{number}",
            "changed_at": at,
            "fields": {"rep": f"r-{number % REPS}", "direction": "outbound", "dialed_at": at, "outcome": "no_answer"},
        }


def expected_calls(rep: int, records: int) -> int:
    """How many of the records are this rep's."""
    return records // REPS + (rep < records % REPS)


async def _publish(stack: Stack, events: Iterator[dict[str, object]], now: int) -> None:
    """Straight into the log: what is measured begins there."""
    producer = AIOKafkaProducer(bootstrap_servers=stack.kafka.address, max_batch_size=1 << 20, max_request_size=2 << 20)
    await producer.start()
    try:
        number, batch = 0, list(_next(events))
        while batch:
            delivery = Delivery(CONNECTION, now, {"content-type": "application/json"}, orjson.dumps(batch))
            await producer.send(stack.topic(DELIVERIES), encode_delivery(delivery), partition=number % PARTITIONS)
            number += 1
            batch = list(_next(events))
        await producer.flush()
    finally:
        await producer.stop()


def _next(events: Iterator[dict[str, object]]) -> Iterator[dict[str, object]]:
    for _, event in zip(range(_AT_ONCE), events, strict=False):
        yield event


async def _until_served(reader: Reader, records: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        found = None
        with suppress(aiohttp.ClientError, TimeoutError):
            status, row = await reader.ask("/v1/organisation/metrics", **_ASKED)
            found = row["metrics"]["calls_made"] if status == 200 else status
        if found == records:
            return
        assert time.monotonic() < deadline, f"after {seconds:g} s: {found} of {records} calls are served"
        await asyncio.sleep(_LOOK_SECONDS)


async def _wrong(reader: Reader, records: int) -> list[str]:
    rows = (await reader.get("/v1/reps/metrics", **_ASKED))["rows"]
    served = {row["rep"]: row["metrics"]["calls_made"] for row in rows}
    return [
        f"rep r-{rep}: {served.get(f'r-{rep}')} calls instead of {expected_calls(rep, records)}"
        for rep in range(REPS)
        if served.get(f"r-{rep}") != expected_calls(rep, records)
    ]


def _parts(words: str) -> str:
    """What the worker's last life says of its load."""
    for line in reversed(words.splitlines()):
        if '"shards.assigned"' in line:
            return f"of which loading took {json.loads(line)['seconds']:.1f} s"
    return "the worker did not say how long it loaded"

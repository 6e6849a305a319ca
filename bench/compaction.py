"""Kafka's compaction, now: what a worker reads back of a grown floor is of each row and pane hardly more than the last.

Kafka compacts what has lain for some hours. A bench has filled its topics a moment ago, and in them lies each minute's
pane three times: written, written again and deleted.
"""

import asyncio
import time
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from bench.processes import BenchError, Floor
from processor.transport.following import Follower
from schemas.instants import DAY
from schemas.topics import FENCE, LEDGER, PANES, Topic

SECONDS = 180.0
_LAG_MS = 1_000


async def compact(floor: Floor, topics: Sequence[Topic] = (LEDGER, PANES)) -> None:
    """Return when Kafka has compacted all that lies in these topics now, of a floor without a worker. Else BenchError.

    For a cleaner every message is too old after a second, but the newest segment is never cleaned; so a new one begins.
    """
    names = [topic.full_name(floor.prefix, 1) for topic in topics]
    wanted: dict[tuple[str, int], int] = {}
    for name in names:
        async with Follower(floor.bootstrap, name) as follower:
            wanted |= {(name, partition): end for partition, end in (await follower.ends()).items() if end}
    admin = AIOKafkaAdminClient(bootstrap_servers=floor.bootstrap)
    await admin.start()
    try:
        soon = {"max.compaction.lag.ms": str(_LAG_MS), "min.insync.replicas": "1"}
        await admin.alter_configs(
            [
                ConfigResource(ConfigResourceType.TOPIC, name, {**topic.settings(400 * DAY), **soon})
                for name, topic in zip(names, topics, strict=True)
            ]
        )
    finally:
        await admin.close()
    await asyncio.sleep(2 * _LAG_MS / 1000)
    producer = AIOKafkaProducer(bootstrap_servers=floor.bootstrap)
    await producer.start()
    try:
        for name, partition in wanted:
            await producer.send(name, b"", key=FENCE, partition=partition)
        await producer.flush()
    finally:
        await producer.stop()
    until = time.monotonic() + SECONDS
    while any(_cleaned(floor).get(place, 0) < end for place, end in wanted.items()):
        if time.monotonic() > until:
            msg = f"Kafka has compacted {_cleaned(floor)} of {wanted} after {SECONDS:g} s"
            raise BenchError(msg)
        await asyncio.sleep(0.2)


def _cleaned(floor: Floor) -> dict[tuple[str, int], int]:
    """Topic and partition -> the offset up to which it is compacted, as Kafka notes it."""
    found = {}
    for file in floor.broker.data.rglob("cleaner-offset-checkpoint"):
        for line in file.read_text().splitlines()[2:]:
            name, partition, offset = line.split()
            found[name, int(partition)] = int(offset)
    return found

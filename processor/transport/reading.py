"""Reading partitions from their beginning up to given ends: how a shard gets its state back.

Owns the bulk read. Does not decode, and does not know what the records mean.
"""

import asyncio
import time
from collections.abc import Callable, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition

from processor.transport.fetched import Fetched

FETCH_BYTES = 8 * 1024 * 1024
RECORDS_AT_ONCE = 20_000
"""`apply` is called with at most so many records of all partitions together, so that the event loop turns in
between."""

STALL_SECONDS = 60.0

Apply = Callable[[str, int, list[Fetched]], None]
"""Called with topic, partition and records in the order of their offsets."""


async def read_to(
    bootstrap: str,
    ends: Mapping[tuple[str, int], int],
    apply: Apply,
    *,
    starts: Mapping[tuple[str, int], int] | None = None,
    stall_seconds: float = STALL_SECONDS,
) -> None:
    """Read each (topic, partition) from its beginning up to its end, exclusive. Fence records are passed on too.

    `starts`: where to begin instead, if there is anything as old as that.

    TimeoutError if nothing comes for `stall_seconds` although the ends are not reached.
    """
    if not ends:
        return
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES,
        fetch_max_bytes=4 * FETCH_BYTES,
        fetch_max_wait_ms=20,
    )
    await consumer.start()
    try:
        left = {TopicPartition(topic, partition): end for (topic, partition), end in ends.items()}
        consumer.assign(list(left))
        beginnings = await consumer.beginning_offsets(list(left))
        for tp, first in beginnings.items():
            beginning = max(first, (starts or {}).get((tp.topic, tp.partition), first))
            consumer.seek(tp, beginning)
            if left[tp] <= beginning:
                del left[tp]
                consumer.pause(tp)
        moved_at = time.monotonic()
        while left:
            fetched = await consumer.getmany(*left, timeout_ms=200, max_records=RECORDS_AT_ONCE)
            for tp, records in fetched.items():
                end = left[tp]
                wanted = records if records[-1].offset < end else [record for record in records if record.offset < end]
                if wanted:
                    apply(tp.topic, tp.partition, wanted)
            for tp in list(left):
                # The position, not the last record: compaction may have taken the record below the end.
                if await consumer.position(tp) >= left[tp]:
                    del left[tp]
                    consumer.pause(tp)
            if fetched:
                moved_at = time.monotonic()
            elif time.monotonic() - moved_at > stall_seconds:
                waiting = ", ".join(f"{tp.topic}[{tp.partition}] up to {end}" for tp, end in left.items())
                msg = f"no records for {stall_seconds:g} s while reading {waiting}"
                raise TimeoutError(msg)
    finally:
        await stop_quietly(consumer)


async def stop_quietly(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer that belongs to no group.

    aiokafka 0.14.0: just after the start this raises a CancelledError of its own making. Let out, it would end Faust's
    recovery without a word: the worker would stay in the group and process nothing.
    """
    try:
        await consumer.stop()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise

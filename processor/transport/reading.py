"""Reading partitions from their beginning up to given ends: how a shard gets its state back.

Owns the bulk read, and the end of a consumer. Does not decode, and does not know what the records mean.

Private names used, all in aiokafka 0.14.0: `AIOKafkaConsumer._fetcher`, `._client`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

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
    stall_seconds: float = STALL_SECONDS,
) -> None:
    """Read each (topic, partition) from its beginning up to its end, exclusive. Fence records are passed on too.

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
        for tp, beginning in beginnings.items():
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

    aiokafka 0.14.0: just after the start, and while a fetch waits to be tried again, this raises a CancelledError of
    its own making and leaves the rest open. Let out, it would end Faust's recovery without a word: the worker would
    stay in the group and process nothing.
    """
    if not await _ends_quietly(consumer.stop()):
        await _ends_quietly(consumer._fetcher.close())
        await _ends_quietly(consumer._client.close())


async def _ends_quietly(closing: Awaitable[None]) -> bool:
    """False if it was cancelled, and not by whoever waits for it."""
    try:
        await closing
    except asyncio.CancelledError:
        if is_cancelled():
            raise
        return False
    return True


def is_cancelled() -> bool:
    """Whether somebody has cancelled the task that runs: otherwise a CancelledError is a library's own."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0

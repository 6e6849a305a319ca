"""Reading partitions from their beginning up to given ends: how a shard gets its state back.

Owns the bulk read, and the end of a consumer. Does not decode, and does not know what the records mean.

Private names used (aiokafka 0.14.0): `AIOKafkaConsumer._fetcher`, `._client`, and of the fetcher `_records`,
`_prefetch_backoff`, `_create_fetch_waiter`, `_notify`, `_wait_consume_future`; `FetchResult._partition_records`,
`._update_position`; `PartitionRecords._records`, `.next_fetch_offset`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.errors import CorruptRecordException

from processor.transport.fetched import Stored

FETCH_BYTES = 8 * 1024 * 1024
RECORDS_AT_ONCE = 20_000
"""No further batch is opened for the same call of `apply` once there are so many records: the event loop turns in
between."""

STALL_SECONDS = 60.0

Apply = Callable[[str, int, list[Stored]], None]
"""Called with topic, partition and records in the order of their offsets."""

Wanted = Callable[[str, bytes], bool]
"""Called with a topic and the first key of each batch: whether anything in that batch is wanted.

One owner has written a batch, so where owners have keys of their own the first one tells. Unpacking what another one
wrote costs as much as unpacking what is ours, and there may be ten times as much of it.
"""


async def read_to(
    bootstrap: str,
    ends: Mapping[tuple[str, int], int],
    apply: Apply,
    *,
    starts: Mapping[tuple[str, int], int] | None = None,
    wanted: Wanted = lambda _topic, _key: True,
    stall_seconds: float = STALL_SECONDS,
) -> None:
    """Read each (topic, partition) from its beginning up to its end, exclusive. Fence records are passed on too.

    `starts`: where to begin instead, if there is anything as old as that. `wanted`: see `Wanted`.

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
        fetcher = consumer._fetcher
        # Otherwise a partition that is not drained yet stops the fetch of its whole broker for 100 ms.
        fetcher._prefetch_backoff = 0.0
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
            has_moved = False
            for tp in list(left):
                records, position = await _take(consumer, fetcher, tp, wanted)
                end = left[tp]
                if records and records[-1].offset >= end:
                    records = [record for record in records if record.offset < end]
                if records:
                    apply(tp.topic, tp.partition, records)
                    await asyncio.sleep(0)
                # The position, not the last record: compaction may have taken the record below the end.
                if position >= end:
                    del left[tp]
                    consumer.pause(tp)
                has_moved |= position >= 0
            if has_moved:
                moved_at = time.monotonic()
            elif time.monotonic() - moved_at > stall_seconds:
                waiting = ", ".join(f"{tp.topic}[{tp.partition}] up to {end}" for tp, end in left.items())
                msg = f"no records for {stall_seconds:g} s while reading {waiting}"
                raise TimeoutError(msg)
            elif left:
                await asyncio.wait([fetcher._create_fetch_waiter()], timeout=0.2)
    finally:
        await stop_quietly(consumer)


async def _take(
    consumer: AIOKafkaConsumer, fetcher: Any, tp: TopicPartition, wanted: Wanted
) -> tuple[list[Stored], int]:
    """What was fetched of a partition, some batches of it, and the position after them; -1: nothing was.

    As `getmany`, but with the records as the parser gives them: aiokafka makes a `ConsumerRecord` of eleven fields of
    each, which is half of the time (3.1 µs of a row of 90 bytes became 1.6).
    """
    result = fetcher._records.get(tp)
    if not isinstance(result, FetchResult):
        if result is not None:
            await consumer.getmany(tp)  # raises the error that lies there
        return [], -1
    if not result.has_more() or not result.check_assignment(tp):
        del fetcher._records[tp]
        fetcher._notify(fetcher._wait_consume_future)
        return [], -1
    parts = result._partition_records
    batches, position = parts._records, parts.next_fetch_offset
    records: list[Stored] = []
    while batches.has_next() and len(records) < RECORDS_AT_ONCE:
        batch = batches.next_batch()
        if not batch.validate_crc():
            msg = f"{tp.topic}[{tp.partition}]: wrong checksum of the batch at {batch.base_offset}"
            raise CorruptRecordException(msg)
        if not batch.is_control_batch:
            # Of a batch that is not wanted only its first record is parsed. Compaction leaves batches without any.
            first = next(iter(batch), None)
            if first is not None and (first.key is None or wanted(tp.topic, first.key)):
                rest = iter(batch.__next__, None)  # it cannot be iterated twice
                if batch.base_offset >= position:
                    records.append(first)
                    records.extend(rest)
                else:  # a fetch may begin inside a batch
                    records.extend(record for record in (first, *rest) if record.offset >= position)
        position = batch.next_offset
    parts.next_fetch_offset = position
    result._update_position()
    if not batches.has_next():
        del fetcher._records[tp]
        fetcher._notify(fetcher._wait_consume_future)
    return records, position


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

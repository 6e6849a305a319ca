"""Reading partitions from their beginning up to given ends: how a shard gets its state back.

Owns the bulk read: how far each partition is read, and that nothing is skipped and nothing comes twice. Does not know
what the records mean.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial

from processor.transport.fetched import StoredRecords
from processor.transport.fetching import Fetching, PartitionAnswer
from processor.transport.unpacking import offset_after, unpack
from schemas.kafka import Address
from schemas.log_marks import Place

RECORDS_AT_ONCE = 20_000
"""No further batch is opened for the same call of `apply` once there are so many records: the event loop turns in
between."""

STALL_SECONDS = 60.0
_LOOK_SECONDS = 0.2

Apply = Callable[[str, int, StoredRecords], None]
"""Called with topic, partition and records in the order of their offsets."""

IsWanted = Callable[[str, bytes], bool]
"""Called with a topic and the first key of each batch: whether anything in that batch is wanted.

One owner has written a batch, so where owners have keys of their own the first one tells. Unpacking what another one
wrote costs as much as unpacking what is ours, and there may be ten times as much of it.
"""


class GapError(Exception):
    """What was asked for is not there any more."""

    def __init__(self, place: Place, asked: int, first: int) -> None:
        super().__init__(f"{place[0]}[{place[1]}] begins at {first}, after {asked}, which was read")


async def read_to(
    bootstrap: Address,
    ends: Mapping[Place, int],
    apply: Apply,
    *,
    starts: Mapping[Place, int] | None = None,
    wanted: IsWanted | None = None,
    is_whole: bool = False,
    stall_seconds: float = STALL_SECONDS,
) -> None:
    """Read each (topic, partition) from its beginning up to its end, exclusive. Fence records are passed on too.

    `starts`: where to begin instead, if there is anything as old as that; `is_whole`: GapError if there is not.
    `wanted`: see `IsWanted`.

    TimeoutError if nothing comes for `stall_seconds` although the ends are not reached.
    """
    positions = {place: (starts or {}).get(place, 0) for place in ends}
    left = {place: end for place, end in ends.items() if positions[place] < end}
    if not left:
        return
    fetching = Fetching(bootstrap)
    try:
        await fetching.start({topic for topic, _ in left})
        came: list[PartitionAnswer] = []
        moved_at = time.monotonic()
        while True:
            # The next answers are on their way while the last ones are taken in.
            fetching.ask({place: positions[place] for place in left})
            while came:
                await _take_in(came.pop(0), ends, apply, wanted)
                moved_at = time.monotonic()
            if not left:
                return
            for answer in await fetching.answers(_LOOK_SECONDS):
                place = answer.place
                if is_whole and place in (starts or {}) and answer.offset > answer.asked:
                    raise GapError(place, answer.asked, answer.offset)
                position = max(answer.offset, offset_after(answer.data))
                if answer.asked == positions[place] < position:
                    positions[place] = position
                    came.append(answer)
                    # The position, not the last record: compaction may have taken the record below the end. Whoever
                    # got something is asked for last.
                    if (end := left.pop(place)) > position:
                        left[place] = end
            if not came and time.monotonic() - moved_at > stall_seconds:
                waiting = ", ".join(f"{topic}[{partition}] up to {end}" for (topic, partition), end in left.items())
                msg = f"no records for {stall_seconds:g} s while reading {waiting}"
                raise TimeoutError(msg) from fetching.error
    finally:
        await fetching.close()


async def _take_in(answer: PartitionAnswer, ends: Mapping[Place, int], apply: Apply, wanted: IsWanted | None) -> None:
    topic, partition = answer.place
    wanted_key = None if wanted is None else partial(wanted, topic)
    at, end = 0, ends[answer.place]
    while True:
        records, after = unpack(answer.data, at, start=answer.offset, end=end, most=RECORDS_AT_ONCE, wanted=wanted_key)
        if records is not None:
            apply(topic, partition, records)
        await asyncio.sleep(0)
        if after == at:
            return
        at = after

"""The last step of a replay: workers stand still, what was told is carried over, the pointer turns.

Owns the order, which makes it all or nothing and tells nobody twice:

    mark        the pointer says that a handover is under way: workers end what they do, and wait
    fence       the names of those who raise, tell and acknowledge are taken: the broker refuses a worker that has not
                heard of the mark, so what was raised and told is known for good
    catch up    the new generation takes in what was delivered up to here; it knows now all that the old one knew
    carry       alerts, what each channel was told and has to be told yet, acknowledgements
    turn        the pointer names the new generation: workers begin on it, and the api loads it

Whoever is killed before the last step leaves a mark that is void after a while, and everything as it was.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

import msgspec
from msgspec.structs import replace

from processor.core.outbox import channel_of
from processor.replay.hand import ReplayWork, replay_owner
from processor.replay.hands import ReplayError
from processor.transport.administration import commit_offsets, has_members
from processor.transport.fetched import StoredRecords
from processor.transport.following import Follower
from processor.transport.generations import STANDSTILL_SECONDS
from processor.transport.owner import Owner
from processor.transport.packing import KeyAndValue
from processor.transport.reading import read_to
from schemas import tasks
from schemas.alerts import channel_partition, decode_alert, decode_frame
from schemas.definitions import ROWS
from schemas.frames import partition_of
from schemas.generations import SERVED, Handover, Served, encode_served, group_name
from schemas.instants import SECOND
from schemas.kafka import Address
from schemas.machine_clock import machine_clock
from schemas.progress import Progress, encode_progress, progress_in, read_progress_key
from schemas.topics import (
    ACKNOWLEDGEMENTS,
    ALERT_ACTIONS,
    ALERTS,
    DELIVERIES,
    FENCE,
    GENERATIONS,
    NOTIFICATIONS,
    OUTBOX,
    PROGRESS,
    THRESHOLD_ALERTS,
    Topic,
)

GRACE_SECONDS = 3.0
"""For workers to end what they do; whoever has not by then is fenced, and may tell once more what it was telling."""
RENEW_SECONDS = 3.0
SAFE_SECONDS = STANDSTILL_SECONDS / 2
"""So long after the mark was last renewed nothing is turned any more: a worker whose clock is ahead may be at work."""
_BETWEEN_LOOKS_SECONDS = 0.1
_TOLD_BY = {"responses": (ALERTS,), "notify": (OUTBOX,), "acknowledge": (ACKNOWLEDGEMENTS, THRESHOLD_ALERTS)}
"""Who raises, tells and acknowledges, and where it is written down. Limits are looked at beside acknowledgements."""


def pointer_owner(bootstrap: Address, prefix: str) -> Owner:
    """The one who may write the pointer. A replay that begins later takes the name from one that is under way."""
    return replay_owner(bootstrap, f"{prefix}replay", [GENERATIONS.full_name(prefix)])


@dataclass(slots=True)
class HandedOver:
    """What the old generation has raised, told and heard, as it lies in its topics."""

    rows: dict[Topic, dict[tuple[int, bytes], bytes]] = field(
        default_factory=lambda: {topic: {} for topic in (ALERTS, THRESHOLD_ALERTS, OUTBOX, ACKNOWLEDGEMENTS, PROGRESS)}
    )
    frames: list[bytes] = field(default_factory=list)
    """Of `notifications`: what has not come into an outbox yet."""

    @property
    def progress(self) -> dict[tuple[str, int], Progress]:
        """(stage, partition) -> what it has done."""
        found = (progress_in(key, row) for (_, key), row in self.rows[PROGRESS].items())
        return dict(each for each in found if each is not None)


async def hand_over(
    work: ReplayWork,
    pointer: Owner,
    *,
    catch_up: Callable[[], Awaitable[tuple[Mapping[int, int], Mapping[str, Progress]]]],
    letters: Callable[[], Mapping[tuple[str, int], list[KeyAndValue]]],
    clock: Callable[[], int] = machine_clock,
) -> Served:
    """Serve the generation that was made; what is served now. Raises ReplayError, with the pointer as it was.

    `catch_up` takes in what was delivered until now; it gives the offsets of `deliveries` and what was done, by key.
    `letters`: by (topic, partition) what could not be read.
    """
    mark = _Mark(work, pointer, clock)
    stood_at = clock()
    await mark.set()
    try:
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(mark.stop)
            mark.keep()
            await _wait_for_workers(work)
            owners = [await _fence(work, stage, partition, stack) for stage, partition in _tellers(work.served)]
            told = await _read(work, owners)
            ends, done = await catch_up()
            await _carry(work, told, done, letters(), stack, stood_at)
            await commit_offsets(
                work.bootstrap, group_name(work.prefix, work.made.generation), _offsets(work, told, ends)
            )
            for owner, _ in owners:
                await owner.prove()
            await mark.stop()
            if not mark.holds:
                msg = "Kafka was away while workers stood still: try again"
                raise ReplayError(msg)
            served = replace(work.made, switched_at=clock())
            await _point(work, pointer, served)
    except BaseException:
        # Workers go on at once, and not only when the mark is void.
        with contextlib.suppress(Exception):
            await asyncio.shield(_point(work, pointer, work.served))
        raise
    return served


class _Mark:
    """Says in the pointer that a handover is under way, again and again: once nobody does, it is void."""

    def __init__(self, work: ReplayWork, pointer: Owner, clock: Callable[[], int]) -> None:
        self._work = work
        self._pointer = pointer
        self._clock = clock
        self._set_at = 0.0
        self._task: asyncio.Task[None] | None = None

    async def set(self) -> None:
        """Say it, or say it again."""
        began = time.monotonic()
        handover = Handover(self._work.made.generation, self._clock() + int(STANDSTILL_SECONDS * SECOND))
        await _point(self._work, self._pointer, replace(self._work.served, handover=handover))
        self._set_at = began

    @property
    def holds(self) -> bool:
        """Whether all workers stand still for a while yet."""
        return time.monotonic() - self._set_at < SAFE_SECONDS

    def keep(self) -> None:
        """Say it from now on."""
        self._task = asyncio.create_task(self._renew(), name="mark")

    async def stop(self) -> None:
        """Say it no more."""
        await tasks.end([self._task])

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            await self.set()


async def _point(work: ReplayWork, pointer: Owner, served: Served) -> None:
    await pointer.send({GENERATIONS.full_name(work.prefix): [(SERVED, encode_served(served))]})


async def _wait_for_workers(work: ReplayWork) -> None:
    """Members with a name of their own stay in the group for a while after they have gone, so not for ever."""
    group = group_name(work.prefix, work.served.generation)
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline and await has_members(work.bootstrap, group):
        await asyncio.sleep(_BETWEEN_LOOKS_SECONDS)


def _tellers(served: Served) -> Iterable[tuple[str, int]]:
    for stage, (topic, *_) in _TOLD_BY.items():
        for partition in range(topic.partitions(log=served.log_partitions, derived=served.partitions)):
            yield stage, partition


async def _fence(
    work: ReplayWork, stage: str, partition: int, stack: contextlib.AsyncExitStack
) -> tuple[Owner, Mapping[tuple[str, int], int]]:
    """The name of a teller of the old generation, and up to where it is to be read."""
    served = work.served
    topics = [
        topic.full_name(work.prefix, served.generation)
        for topic in (*_TOLD_BY[stage], PROGRESS)
        if partition < topic.partitions(log=served.log_partitions, derived=served.partitions)
    ]
    name = f"{work.prefix}g{served.generation}.{stage}-{partition}"
    owner = replay_owner(work.bootstrap, name, topics, partition)
    stack.push_async_callback(owner.close)
    fences = await owner.acquire()
    return owner, {(topic, partition): offset for topic, offset in fences.items()}


async def _read(work: ReplayWork, owners: Iterable[tuple[Owner, Mapping[tuple[str, int], int]]]) -> HandedOver:
    told = HandedOver()
    generation = work.served.generation
    names = {topic.full_name(work.prefix, generation): topic for topic in told.rows}
    ends: dict[tuple[str, int], int] = {}
    for _, fences in owners:
        for place, offset in fences.items():
            ends[place] = max(offset, ends.get(place, 0))

    def apply(topic: str, partition: int, records: StoredRecords) -> None:
        rows = told.rows[names[topic]]
        for record in records:
            if record.key is None or record.key == FENCE:
                continue
            if record.value is None:
                rows.pop((partition, record.key), None)
            else:
                rows[partition, record.key] = record.value

    await read_to(work.bootstrap, ends, apply)
    await _read_frames(work, told)
    return told


async def _read_frames(work: ReplayWork, told: HandedOver) -> None:
    """What channels are to be told and has not come into their outbox: it goes through that of the new generation."""
    name = NOTIFICATIONS.full_name(work.prefix, work.served.generation)
    async with Follower(work.bootstrap, name) as follower:
        ends = {(name, partition): end for partition, end in (await follower.ends()).items()}
    done = told.progress
    starts = {
        (name, partition): done.get(("notify", partition), Progress()).offset
        for partition in range(work.served.partitions)
    }

    def apply(_topic: str, _partition: int, records: StoredRecords) -> None:
        told.frames += [record.value for record in records if record.key != FENCE and record.value is not None]

    await read_to(work.bootstrap, ends, apply, starts=starts)


async def _carry(
    work: ReplayWork,
    told: HandedOver,
    done: Mapping[str, Progress],
    letters: Mapping[tuple[str, int], list[KeyAndValue]],
    stack: contextlib.AsyncExitStack,
    stood_at: int,
) -> None:
    messages: dict[tuple[str, int], list[KeyAndValue]] = {place: list(found) for place, found in letters.items()}

    def put(topic: Topic, partition: int, message: KeyAndValue) -> None:
        messages.setdefault((work.topic(topic), partition), []).append(message)

    partitions = work.made.partitions
    for (_, key), row in told.rows[ALERTS].items():
        put(ALERTS, partition_of(f"lead:{decode_alert(row).lead}", partitions), (key, row))
    for (_, key), row in told.rows[THRESHOLD_ALERTS].items():
        put(THRESHOLD_ALERTS, 0, (key, row))
    for (_, key), row in told.rows[OUTBOX].items():
        put(OUTBOX, channel_partition(channel_of(key), partitions), (key, row))
    for (partition, key), row in told.rows[ACKNOWLEDGEMENTS].items():
        put(ACKNOWLEDGEMENTS, partition, (key, row))
    for frame in told.frames:
        with contextlib.suppress(msgspec.MsgspecError):
            put(NOTIFICATIONS, channel_partition(decode_frame(frame).channel, partitions), (None, frame))
    for name, progress in carried_progress(work, told, done, stood_at).items():
        put(PROGRESS, read_progress_key(name.encode())[1], (name.encode(), encode_progress(progress)))
    writer = replay_owner(work.bootstrap, f"{work.prefix}g{work.made.generation}.replay", [])
    stack.push_async_callback(writer.close)
    await writer.acquire()
    await writer.send_to(messages)


def carried_progress(
    work: ReplayWork, told: HandedOver, done: Mapping[str, Progress], stood_at: int
) -> dict[str, Progress]:
    """What the new generation has done, and what is counted once and for all: alerts raised and told.

    `stood_at`: until when the old generation has raised what was due by it.
    """
    found = dict(done)
    for (stage, partition), progress in told.progress.items():
        if stage == "acknowledge":
            # With what it counted: limits that were crossed.
            found[f"{stage}|{partition}"] = Progress(
                progress.offset, definitions=progress.definitions, counters=progress.counters
            )
        elif stage in {"responses", "notify"}:
            held = found.setdefault(f"{stage}|{partition % work.made.partitions}", Progress())
            for name, amount in progress.counters.items():
                if stage == "notify" or name.startswith(("alerts.", "lateness")):
                    held.count(name, amount)
    for name, progress in found.items():
        progress.replayed_at = stood_at if name.startswith("responses|") else 0
        progress.rows = ROWS
        progress.marks = {}  # of other topics, or of a log that this replay has read as it is
    return found


def _offsets(work: ReplayWork, told: HandedOver, ends: Mapping[int, int]) -> dict[tuple[str, int], int]:
    """Where the workers of the new generation go on."""
    return {(work.topic(DELIVERIES), partition): end for partition, end in ends.items()} | {
        (work.topic(ALERT_ACTIONS), partition): done.offset
        for (stage, partition), done in told.progress.items()
        if stage == "acknowledge" and done.offset
    }

"""What a stage is, and the life of its shards.

Owns which shards are live, that nothing of one shard runs at the same time, and the ends of what was done. Does not
know Faust: `recovery` says what is assigned, `batches` hands in what was fetched.
"""

import asyncio
import contextlib
import gc
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from typing import Any, Protocol

import structlog

from processor.transport.fail_stop import FAILED, Die, die
from processor.transport.fetched import Fetched, headers_of
from schemas.tracing import OFF, Attributes, Tracing, traceparents

log = structlog.get_logger(__name__)

LAST_SECONDS = 1.0
"""For all that shards write down at the end: what is not written by then stays as it was. Whoever ends a worker gives
it more than this."""

FetchedRecords = list[Fetched]
"""Of one partition, in the order of their offsets, without a hole."""

StagePartition = tuple[str, int]
"""A source topic, which names the stage, and a partition of it."""


Capture = Callable[[], Coroutine[Any, Any, None]]
"""Writes down what a shard held when this was made. Must not raise."""


class Ownership(Protocol):
    """What is asked of a shard's owner: see `owner.Owner`."""

    async def renew(self) -> None: ...

    async def prove(self) -> None: ...


class Shard(Protocol):
    """The state of one partition of one stage. At most one of `load`, `process` and `tick` runs at a time.

    An exception from any of them ends the process without committing.
    """

    @property
    def owner(self) -> Ownership:
        """The only writer of this shard's topics; not acquired yet when the shard is made."""

    @property
    def read(self) -> int:
        """How much its load has read back so far; may be asked in another thread."""

    async def load(self) -> None:
        """Acquire the owner, read its topics up to the fence, derive, publish what differs."""

    def resume(self, offset: int) -> None:
        """Know that all below `offset` was done and committed, by this shard or an earlier one."""

    async def process(self, records: FetchedRecords) -> None:
        """Take one fetched batch; return when all that came of it is acknowledged. Then its offset may be committed.

        The same records may come again, alone or in another batch. Outputs that no load compares go first.
        """

    async def tick(self, now: int) -> None:
        """Do what depends on time alone; called every second with the wall clock, microseconds since the epoch."""

    async def suspend(self) -> None:
        """Say now what was to be said later: after this the partition may be another worker's."""

    def capture(self, *, is_last: bool) -> Capture | None:
        """Take what is held as of now, between two batches, if it is to be written. `is_last`: before the end."""

    async def close(self) -> None:
        """Drop what is held and close the owner. A new shard is made if the partition comes back."""


ShardFactory = Callable[[int], Shard]
"""Makes the shard of a partition; no I/O yet."""


class Observer(Protocol):
    """Whoever wants to know what happens to shards. Called in the worker's loop; must not raise."""

    def shard_loaded(self, place: StagePartition, shard: Shard, seconds: float) -> None:
        """A shard was loaded, in so many seconds."""

    def batch_done(self, place: StagePartition, shard: Shard, messages: int, seconds: float) -> None:
        """All that came of a batch is acknowledged."""


class _Nobody:
    """Wants to know nothing."""

    def shard_loaded(self, place: StagePartition, shard: Shard, seconds: float) -> None: ...

    def batch_done(self, place: StagePartition, shard: Shard, messages: int, seconds: float) -> None: ...


class _Slot:
    """A live shard, and whether its memory may be trusted."""

    def __init__(self, shard: Shard) -> None:
        self.shard = shard
        self.lock = asyncio.Lock()
        self.loaded = False
        self.settled = True
        """False while a batch or a tick is half done; if it was cancelled there, memory may be ahead of the topics."""

    @contextlib.contextmanager
    def unsettled(self) -> Iterator[None]:
        self.settled = False
        yield  # no `finally`: what was cancelled here stays unsettled
        self.settled = True


class LiveShards:
    """All shards of this process."""

    def __init__(self, factories: Mapping[str, ShardFactory], *, die: Die = die) -> None:
        self.done: dict[StagePartition, int] = {}
        """Per source topic and partition: the offset up to which all is processed and acknowledged, exclusive."""
        self.ready = False
        """All that was assigned is loaded, and no rebalance is going on."""
        self.loading_steps = 0
        """Grows with each shard that is loaded, proved or dropped."""
        self.observer: Observer = _Nobody()
        self.tracing: Tracing = OFF
        self._factories = dict(factories)
        self._die = die
        self._slots: dict[StagePartition, _Slot] = {}
        self._assigning = asyncio.Lock()

    @property
    def topics(self) -> frozenset[str]:
        return frozenset(self._factories)

    @property
    def assigned(self) -> list[StagePartition]:
        """The partitions that are this worker's, loaded or not. May be asked in another thread."""
        return list(self._slots)

    @property
    def loaded(self) -> list[StagePartition]:
        """Those whose shards are loaded. May be asked in another thread."""
        return [place for place, slot in list(self._slots.items()) if slot.loaded]

    @property
    def steps(self) -> int:
        """Changes while shards are loaded, also within a long load. May be asked in another thread."""
        return self.loading_steps + sum(slot.shard.read for slot in list(self._slots.values()))

    async def suspend(self) -> None:
        """Before this worker agrees to a rebalance: end what runs, tick and renew no more.

        A tick after it would write to a partition that may already be another worker's, and end this process for
        nothing.
        """
        self.ready = False
        for slot in list(self._slots.values()):
            async with slot.lock:  # waits for a tick or a renewal in progress
                if slot.loaded:
                    await slot.shard.suspend()

    async def assign(self, assigned: Iterable[StagePartition]) -> None:
        """Drop the shards that are no longer ours, keep those whose memory is proved right, load the rest together."""
        assigned = set(assigned)
        async with self._assigning:  # an overtaken assignment may still be on its way out
            self.ready = False
            started = time.monotonic()
            kept = {place for place, slot in self._slots.items() if place in assigned and slot.loaded and slot.settled}
            dropped = [self._slots.pop(place) for place in list(self._slots) if place not in kept]
            fresh = {place: _Slot(self._factories[place[0]](place[1])) for place in sorted(assigned - kept)}
            self._slots |= fresh
            self.done = {place: offset for place, offset in self.done.items() if place in kept}
            with _no_collection(thaws=bool(dropped)):
                # Shielded: if the next rebalance overtakes this one, no producer may be left open.
                await asyncio.shield(asyncio.gather(*(self._drop(slot) for slot in dropped)))
                async with asyncio.TaskGroup() as group:
                    for place in kept:
                        group.create_task(self._prove(self._slots[place]))
                    for place, slot in fresh.items():
                        group.create_task(self._load(place, slot))
            self.ready = True
            log.info(
                "shards.assigned",
                kept=sorted(kept),
                loaded=sorted(fresh),
                dropped=len(dropped),
                seconds=round(time.monotonic() - started, 3),
            )

    async def process(self, place: StagePartition, records: FetchedRecords) -> None:
        """Hand one fetched batch to its shard."""
        slot = self._slots.get(place)
        if slot is None or not slot.loaded:
            self._die(FAILED, f"{place[0]}[{place[1]}]: a batch for a shard that is not loaded")
        due, first = self.done.get(place, 0), records[0].offset
        if first > due:
            self._die(FAILED, f"{place[0]}[{place[1]}]: a gap, offset {due} was due and {first} came")
        async with slot.lock:
            with slot.unsettled():
                began = time.monotonic()
                if self.tracing.is_on:
                    await self._process_traced(place, slot.shard, records)
                else:
                    await slot.shard.process(records)
                self.observer.batch_done(place, slot.shard, len(records), time.monotonic() - began)
                if not self.ready:  # a rebalance waits for this batch
                    await slot.shard.suspend()
        self.done[place] = records[-1].offset + 1

    async def _process_traced(self, place: StagePartition, shard: Shard, records: FetchedRecords) -> None:
        """One span for the batch, which names the traces of all that it holds."""
        attributes: Attributes = {
            "messaging.system": "kafka",
            "messaging.destination.name": place[0],
            "messaging.destination.partition.id": str(place[1]),
            "messaging.batch.message_count": len(records),
            "floorcast.offset": records[0].offset,
        }
        parents = (each for record in records for each in traceparents(headers_of(record)))
        with self.tracing.span(f"process {place[0]}", "consumer", parents=parents, attributes=attributes):
            await shard.process(records)

    def sought(self, place: StagePartition, offset: int) -> None:
        """Delivery of a partition begins anew at `offset`."""
        self.done[place] = offset
        slot = self._slots.get(place)
        if slot is not None and slot.loaded:
            slot.shard.resume(offset)

    async def tick(self, now: int) -> None:
        """Let every live shard do what depends on time alone."""
        async with asyncio.TaskGroup() as group:
            for slot in list(self._slots.values()):
                group.create_task(self._tick(slot, now))

    async def renew(self) -> None:
        """Renew every owner's name, and look for garbage in what was set aside by the last load."""
        for slot in list(self._slots.values()):
            async with slot.lock:
                if self.ready and slot.loaded:
                    await slot.shard.owner.renew()
        if not self._assigning.locked():
            with _no_collection():
                pass

    async def keep(self, *, is_last: bool = False) -> None:
        """Write down what the shards hold, one after the other: only to take it holds its shard up."""
        for slot in list(self._slots.values()):
            async with slot.lock:
                is_whole = slot.loaded and slot.settled and (self.ready or is_last)
                write = slot.shard.capture(is_last=is_last) if is_whole else None
            if write is not None:
                await write()

    async def close(self) -> None:
        """Close all shards, at the end of the process."""
        async with self._assigning:
            self.ready = False
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_SECONDS):
                    await self.keep(is_last=True)
            slots, self._slots = list(self._slots.values()), {}
            for slot in slots:
                await self._drop(slot)

    async def _tick(self, slot: _Slot, now: int) -> None:
        async with slot.lock:
            if self.ready and slot.loaded:
                with slot.unsettled():
                    await slot.shard.tick(now)

    async def _load(self, place: StagePartition, slot: _Slot) -> None:
        async with slot.lock:
            began = time.monotonic()
            await slot.shard.load()
            slot.loaded = True
            self.loading_steps += 1
            self.observer.shard_loaded(place, slot.shard, time.monotonic() - began)

    async def _prove(self, slot: _Slot) -> None:
        async with slot.lock:
            await slot.shard.owner.prove()
            self.loading_steps += 1

    async def _drop(self, slot: _Slot) -> None:
        async with slot.lock:
            slot.loaded = False
            await slot.shard.close()
            self.loading_steps += 1


@contextlib.contextmanager
def _no_collection(*, thaws: bool = True) -> Iterator[None]:
    """Without the cyclic collector while millions of small objects are made, and what was made is not looked at again.

    Loading a million rows takes a third longer with it, and Faust calls `gc.collect()` in each round of `wait_empty`.
    What is garbage by then must go first: the consumers of a load lie in cycles with what they fetched last, and frozen
    they would stay. So must what was frozen before and has become garbage since, such as shards that were dropped: it
    is thawed first (`thaws`). Called at every load and every renewal.
    """
    gc.disable()
    try:
        yield
    finally:
        if thaws:
            gc.unfreeze()
        gc.collect()
        gc.freeze()
        gc.enable()

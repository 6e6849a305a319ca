"""The pointer record in Kafka: which generation is served, now and from now on.

Owns its reading. Does not decide what a change of it means; it is written by a replay (processor/replay/handover.py).
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from processor.transport.fetched import Fetched
from processor.transport.following import Follower, MissingTopicError
from schemas.generations import Served, first_generation, newest_served
from schemas.kafka import Address
from schemas.machine_clock import machine_clock
from schemas.topics import GENERATIONS

_FETCH_WAIT_MS = 1_000
_LOOK_SECONDS = 1.0

STANDSTILL_SECONDS = 12.0
"""Workers stand still for a handover so long after its mark was last renewed; then they go on with what is served."""


class Pointer:
    """What `generations` says, as far as it was read."""

    def __init__(self, follower: Follower, partitions: int) -> None:
        self._follower = follower
        self.served = first_generation(partitions)

    async def refresh(self) -> Served:
        """Read what is there by now."""
        await self._follower.read_to(await self._follower.ends(), self._apply)
        return self.served

    async def wait(self, seconds: float) -> Served:
        """Come back as soon as it says something new, at the latest after so long."""
        await self._follower.wait(seconds, self._apply)
        return self.served

    def _apply(self, _partition: int, records: list[Fetched]) -> None:
        self.served = newest_served(records, self.served)


@asynccontextmanager
async def pointer(bootstrap: Address, prefix: str, partitions: int) -> AsyncIterator[Pointer]:
    """The pointer, read. Raises KafkaError, and MissingTopicError where there is no topic `generations`.

    `partitions`: of generation 1, where no record says anything.
    """
    async with Follower(bootstrap, GENERATIONS.full_name(prefix), wait_ms=_FETCH_WAIT_MS) as follower:
        found = Pointer(follower, partitions)
        await found.refresh()
        yield found


async def read_served(bootstrap: Address, prefix: str, partitions: int) -> Served:
    """What is served now. Raises KafkaError."""
    try:
        async with pointer(bootstrap, prefix, partitions) as found:
            return found.served
    except MissingTopicError:
        return first_generation(partitions)


async def settled_generation(bootstrap: Address, prefix: str, partitions: int) -> Served:
    """What a worker is to write; waits while workers stand still for a handover. Raises KafkaError."""
    try:
        async with pointer(bootstrap, prefix, partitions) as found:
            seen_at, served = time.monotonic(), found.served
            # The handover's own limit by the machine's clock, and by a clock that nobody sets.
            while (
                served.handover is not None
                and served.stands_still(machine_clock())
                and time.monotonic() - seen_at < STANDSTILL_SECONDS
            ):
                newer = await found.wait(_LOOK_SECONDS)
                if newer != served:
                    seen_at, served = time.monotonic(), newer
            return served
    except MissingTopicError:
        return first_generation(partitions)


async def until_switched(bootstrap: Address, prefix: str, running: Served) -> None:
    """Return once another generation is served, or a handover to one has begun. Raises KafkaError."""
    async with pointer(bootstrap, prefix, running.partitions) as found:
        while True:
            served = found.served
            # One that was waited for in vain does not count again.
            is_new = served.handover != running.handover and served.stands_still(machine_clock())
            if served.generation != running.generation or is_new:
                return
            await found.wait(_LOOK_SECONDS)

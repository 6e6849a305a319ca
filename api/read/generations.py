"""The pointer record as the api sees it: which generation is to be served, now and from now on.

What follows from a change is read_side.py's.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import structlog
from aiokafka.errors import KafkaError

from api.read.small_topics import following
from api.read.topics import POINTER
from api.settings import Settings
from schemas.generations import Served, first_generation, newest_served

log = structlog.get_logger("api")

_PAUSE_SECONDS = 1.0


async def read_served(settings: Settings) -> Served:
    """What is served now. Raises KafkaError."""
    async with aclosing(_read(settings)) as found:
        async for served in found:
            return served
    return first_generation(settings.partitions)


async def follow_served(settings: Settings) -> AsyncIterator[Served]:
    """What is served, at once and at each change; goes on when Kafka was away."""
    while True:
        try:
            async with aclosing(_read(settings)) as found:
                async for served in found:
                    yield served
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("generations.interrupted", error=type(error).__name__)
        await asyncio.sleep(_PAUSE_SECONDS)


async def _read(settings: Settings) -> AsyncGenerator[Served, None]:
    """The newest record that there is, then each one that comes. Ends where there is no topic to read."""
    served, told = first_generation(settings.partitions), None
    async with following(settings.kafka, POINTER.full_name(settings.prefix)) as found:
        async for records, is_whole in found:
            served = newest_served(records, served)
            if is_whole and served is not told:
                yield (told := served)

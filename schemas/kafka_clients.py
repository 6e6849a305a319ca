"""Beginning with a client of Kafka and letting go of it, whatever the library does meanwhile; and how often it asks.

Owns nothing but these: what is read, and what follows from an end, is the readers'. Private names used (aiokafka
0.14.0): `AIOKafkaConsumer._client`, `._fetcher`, `._fetcher._fetch_max_wait_ms`.
"""

import asyncio
import time
from collections.abc import Awaitable, Coroutine
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

log = structlog.get_logger("kafka")

_BEGINNING_SECONDS = 1.0
REST_AFTER_SECONDS = 1.0
REST_WAIT_MS = 250
"""Not longer: it is how long a question for offsets may wait behind a fetch, and a partition that is new."""


class FetchPace:
    """How long a broker may hold the fetches of a consumer: longer once nothing has come for a second.

    It answers as soon as there is something, so nothing comes later for it. What a fetch under way leaves out waits for
    its end (partitions that nobody has drained yet, or that are new), and so does whatever else is asked on its
    connection; so it is short as long as something comes. At rest each one costs the broker and us the same as one that
    brings something, and they are most of what a floor at rest costs.
    """

    def __init__(self, consumer: AIOKafkaConsumer, busy_ms: int) -> None:
        """Of a consumer that was started; `busy_ms`: the wait while something comes."""
        self._fetcher = consumer._fetcher
        self._busy_ms = busy_ms
        self._came_at = time.monotonic()

    def note(self, *, has_come: bool) -> None:
        """Told after each look whether it brought anything; holds for the fetches from now on."""
        now = time.monotonic()
        if has_come:
            self._came_at = now
        self._fetcher._fetch_max_wait_ms = REST_WAIT_MS if now - self._came_at >= REST_AFTER_SECONDS else self._busy_ms


async def begun_whole(starting: Coroutine[Any, Any, None]) -> None:
    """Start a client. Cancelled, this lets the start come to an end first, for up to a second.

    aiokafka 0.14.0 closes the first connection of a client unless it is cancelled before that one has answered; then
    nobody has it any more, and it stays open until the collector comes by.
    """
    task = asyncio.ensure_future(starting)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        if not task.done():
            await asyncio.wait([task], timeout=_BEGINNING_SECONDS)
        if not task.done():
            task.cancel()
        elif not task.cancelled():
            task.exception()  # is of no interest any more
        raise


async def stop_quietly(consumer: AIOKafkaConsumer) -> None:
    """Let go of a consumer, of its place in a group if it has one, and of its connections, whatever it raises.

    aiokafka 0.14.0: just after the start, and while a fetch waits to be tried again, `stop` raises a CancelledError of
    its own making before it has closed the rest. Let out, it ended the task that reads without a word.
    """
    closings = [consumer.stop, consumer._client.close]
    if consumer._fetcher is not None:
        closings.insert(1, consumer._fetcher.close)
    for close in closings:
        try:
            await ends_quietly(close())
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("kafka.close_failed", reason=type(error).__name__)


async def ends_quietly(closing: Awaitable[None]) -> bool:
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

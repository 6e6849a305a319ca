"""Follows what the owner of the look-ups says of each connection, and has alerts raised where webhooks are missing.

Owns the task and its reading. What is worth an alert, processor/core/missed.py says; who tells and writes is the shard.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec
import structlog

from processor.core.missed import MissedBook
from processor.transport.fail_stop import FAILED, Die
from processor.transport.fetched import Fetched
from processor.transport.following import Follower, KafkaError, MissingTopicError
from schemas import tasks
from schemas.alerts import Alert
from schemas.connection_states import decode_state
from schemas.kafka import Address

AFTER_FAILURE_SECONDS = 5.0
WAIT_SECONDS = 5.0
_FETCH_WAIT_MS = 1_000

log = structlog.get_logger(__name__)


class ConnectionWatch:
    """From `begin` to `end`. `turn` tells and writes what has turned."""

    def __init__(
        self,
        *,
        bootstrap: Address,
        topic: str,
        book: MissedBook,
        connections: frozenset[str],
        turn: Callable[[Sequence[Alert]], Awaitable[None]],
        clock: Callable[[], int],
        die: Die,
    ) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._book = book
        self._connections = connections
        self._turn = turn
        self._clock = clock
        self._die = die
        self._turned: list[Alert] = []
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Look from now on."""
        self._task = asyncio.create_task(self._guarded(), name="connections")

    async def end(self) -> None:
        """Look no more."""
        task, self._task = self._task, None
        await tasks.end([task])

    async def _guarded(self) -> None:
        while True:
            try:
                await self._follow()
            except (KafkaError, OSError, TimeoutError, MissingTopicError) as error:
                log.warning("connections.interrupted", error=type(error).__name__)
                await asyncio.sleep(AFTER_FAILURE_SECONDS)
            except asyncio.CancelledError:
                raise
            except BaseException as error:  # noqa: BLE001 - nobody awaits this task
                self._die(FAILED, f"connections failed: {error!r}", error=error)
                return

    async def _follow(self) -> None:
        async with Follower(self._bootstrap, self._topic, wait_ms=_FETCH_WAIT_MS) as follower:
            newest: dict[bytes, bytes] = {}

            def note(_partition: int, records: list[Fetched]) -> None:
                newest.update((each.key, each.value) for each in records if each.key and each.value)

            # What was so before the newest word of each is nobody's news any more.
            await follower.read_to(await follower.ends(), note)
            while True:
                for key, value in newest.items():
                    self._take(key, value)
                newest.clear()
                turned, self._turned = self._turned, []
                if turned:
                    await self._turn(turned)
                await follower.wait(WAIT_SECONDS, note)

    def _take(self, key: bytes, value: bytes) -> None:
        try:
            connection, state = key.decode(), decode_state(value)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return  # of another version
        if connection in self._connections:
            self._turned += self._book.hear(connection, state, self._clock())

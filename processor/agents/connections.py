"""Follows what the owner of the look-ups says of each connection, and has alerts raised where webhooks are missing.

Owns the reading. What is worth an alert, processor/core/missed.py says; who tells and writes is the shard.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from typing import NoReturn

import msgspec

from processor.core.missed import MissedBook
from processor.transport.fetched import Fetched
from processor.transport.following import Follower, again_and_again
from schemas.alerts import Alert
from schemas.connection_states import decode_state
from schemas.kafka import Address

AFTER_FAILURE_SECONDS = 5.0
WAIT_SECONDS = 5.0
_FETCH_WAIT_MS = 1_000


async def watch_connections(
    bootstrap: Address,
    topic: str,
    book: MissedBook,
    connections: Collection[str],
    *,
    turn: Callable[[Sequence[Alert]], Awaitable[None]],
    clock: Callable[[], int],
) -> NoReturn:
    """Look until cancelled. `turn` tells and writes what has turned."""
    newest: dict[bytes, bytes] = {}

    def note(_partition: int, records: list[Fetched]) -> None:
        newest.update((each.key, each.value) for each in records if each.key and each.value)

    def take() -> list[Alert]:
        turned: list[Alert] = []
        for key, value in newest.items():
            with suppress(msgspec.MsgspecError, UnicodeDecodeError):  # of another version
                connection, state = key.decode(), decode_state(value)
                if connection in connections:
                    turned += book.hear(connection, state, clock())
        newest.clear()
        return turned

    async def follow() -> None:
        async with Follower(bootstrap, topic, wait_ms=_FETCH_WAIT_MS) as follower:
            # What was so before the newest word of each is nobody's news any more.
            await follower.read_to(await follower.ends(), note)
            while True:
                if turned := take():
                    await turn(turned)
                await follower.wait(WAIT_SECONDS, note)

    await again_and_again(follow, "connections.interrupted", pause=AFTER_FAILURE_SECONDS)

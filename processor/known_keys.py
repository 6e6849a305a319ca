"""The topic `access` as a worker knows it, for the keys that open its `/metrics`: read to its end, and then followed.

Owns the fold of what is read; writes nothing. Commands read it in the same way (deploy/access.py).
"""

from collections.abc import Iterable

import msgspec
import structlog

from processor.transport.fetched import Fetched, Stored
from processor.transport.following import Follower, MissingTopicError, again_and_again
from schemas.devices import AccessBook
from schemas.kafka import Address
from schemas.topics import ACCESS

log = structlog.get_logger("worker")

_WAIT_MS = 500
_WAIT_SECONDS = 30.0
_PAUSE_SECONDS = 1.0


async def follow_keys(bootstrap: Address, prefix: str, book: AccessBook) -> None:
    """Keep a book up to date until cancelled; `is_known` once all was read that is there. Waits for Kafka."""

    def apply(_partition: int, records: list[Fetched]) -> None:
        take_keys(book, records)

    async def follow() -> None:
        try:
            async with Follower(bootstrap, ACCESS.full_name(prefix), wait_ms=_WAIT_MS) as follower:
                await follower.read_to(await follower.ends(), apply)
                book.is_known = True
                while True:
                    await follower.wait(_WAIT_SECONDS, apply)
        except MissingTopicError:
            # `floorcast topics` makes it; until then there are the keys of the folder.
            book.is_known = True

    await again_and_again(follow, "access.interrupted", pause=_PAUSE_SECONDS)


def take_keys(book: AccessBook, records: Iterable[Stored]) -> None:
    """Take records of the topic in. One that cannot be read lets nobody in."""
    for record in records:
        if record.key is None:
            continue
        try:
            book.apply(record.key, record.value)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            # Of a newer build, or of nobody.
            log.error("access.unreadable", kind=record.key.partition(b"|")[0].decode("ascii", "replace")[:20])

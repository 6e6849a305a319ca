"""The second reading: the lines that are taken become deliveries in the log.

Owns the batches, and how far an import has come: the same command goes on where it was stopped. Whatever is sent again
changes nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import msgspec

from deploy.batches import batches
from schemas.connectors.content import JSON
from schemas.connectors.file_events import DIGEST, LINE, NAME
from schemas.deliveries import BROUGHT_BY, FILE, Delivery, encode_delivery

MOST_EVENTS = 500
MOST_BYTES = 256 << 10
_AT_ONCE = 8

Numbered = tuple[int, dict[str, Any]]
"""The number of a line, and its event."""


class Log(Protocol):
    """Where deliveries go."""

    def add(self, value: bytes) -> Awaitable[tuple[int, int]]:
        """Store a message; where it lies, once it is acknowledged."""

    async def holds(self, place: tuple[int, int]) -> bool:
        """Whether a message lies there still."""


class ImportMark(msgspec.Struct):
    """How far an import has come."""

    key: str
    """Which file, read how, into which connection and log."""
    sent: int = 0
    """Events that are acknowledged, from the first on."""
    place: tuple[int, int] | None = None
    """Where the last of them lies."""


@dataclass(frozen=True, slots=True)
class ImportSource:
    """What is sent."""

    connection: str
    name: str
    """The file's."""
    digest: str
    now: int
    """When it is received (microseconds)."""


async def send(
    events: Iterable[Numbered], source: ImportSource, log: Log, mark: Path, key: str, *, tell: Callable[[int], None]
) -> int:
    """Send all events, or those that an earlier call with this key has not sent. Gives how many were sent before.

    `tell` is called with the number of events that are acknowledged.
    """
    known = await _known(mark, key, log)
    found = ImportMark(key, known.sent, known.place)
    skipped = known.sent
    bodies = _bodies(islice(events, skipped, None))
    async for sent, place in _sent(bodies, source, log):
        found.sent += sent
        found.place = place
        mark.write_bytes(msgspec.json.encode(found))
        tell(found.sent)
    mark.unlink(missing_ok=True)
    return skipped


async def _known(mark: Path, key: str, log: Log) -> ImportMark:
    try:
        found = msgspec.json.decode(mark.read_bytes(), type=ImportMark)
    except (OSError, msgspec.MsgspecError):
        return ImportMark(key)
    # The log may be another one by now.
    return found if found.key == key and found.place is not None and await log.holds(found.place) else ImportMark(key)


def _bodies(events: Iterable[Numbered]) -> Iterator[tuple[int, int, bytes]]:
    """(number of the first line, how many events, body)."""
    encoded = ((number, msgspec.json.encode(event)) for number, event in events)
    for some in batches(encoded, lambda event: len(event[1]), MOST_BYTES, count=MOST_EVENTS):
        yield some[0][0], len(some), b"[" + b",".join(part for _, part in some) + b"]"


async def _sent(
    bodies: Iterator[tuple[int, int, bytes]], source: ImportSource, log: Log
) -> AsyncIterator[tuple[int, tuple[int, int]]]:
    """After each few that are acknowledged together: how many events, and where the last lies."""
    while True:
        some = [body for _, body in zip(range(_AT_ONCE), bodies, strict=False)]
        if not some:
            return
        places = await asyncio.gather(*(log.add(_delivery(source, first, body)) for first, _, body in some))
        yield sum(count for _, count, _ in some), places[-1]


def _delivery(source: ImportSource, first: int, body: bytes) -> bytes:
    headers = {"content-type": JSON, BROUGHT_BY: FILE, NAME: source.name, DIGEST: source.digest, LINE: str(first)}
    return encode_delivery(Delivery(source.connection, source.now, headers, body))

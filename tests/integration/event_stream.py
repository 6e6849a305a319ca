"""A client of `/v1/stream`: the events as they come, and the screen that they make.

Owns reading server-sent events and folding them. Expects nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event, as it was sent."""

    id: str
    kind: str
    data: bytes

    @property
    def instance(self) -> str:
        return self.id.rpartition(":")[0]

    @property
    def number(self) -> int:
        return int(self.id.rpartition(":")[2])

    @property
    def payload(self) -> Any:
        return orjson.loads(self.data)


class Screen:
    """What somebody sees who has received these events: the newest value of each metric, by who it is of."""

    def __init__(self) -> None:
        self.events: list[StreamEvent] = []
        self.metrics: dict[tuple[str | None, str | None], dict[str, Any]] = {}
        self._news = asyncio.Event()
        self.snapshots = 0

    @property
    def last_id(self) -> str:
        return self.events[-1].id

    def take(self, event: StreamEvent) -> None:
        """Show one more event."""
        self.events.append(event)
        if event.kind == "snapshot":
            self.snapshots += 1
            self.metrics = {}
        if event.kind in ("snapshot", "metrics"):
            for row in event.payload["rows"]:
                self.metrics.setdefault(_who(row), {}).update(row["metrics"])
        self._news.set()

    def rep(self, rep: str) -> dict[str, Any]:
        """The metrics shown of a rep."""
        return self.metrics.get(("rep", rep), {})

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait for the event after which it is so."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not done():
                self._news.clear()
                await self._news.wait()


def _who(row: dict[str, Any]) -> tuple[str | None, str | None]:
    if "rep" in row:
        return "rep", row["rep"]
    return ("team", row["team"]) if "team" in row else (None, None)


@asynccontextmanager
async def watching(url: str, screen: Screen, *, last_event_id: str | None = None) -> AsyncIterator[Screen]:
    """Keep a screen up to date while this is open. The connection is there, and was answered, when it begins."""
    headers = {} if last_event_id is None else {"last-event-id": last_event_id}
    timeout = aiohttp.ClientTimeout(total=None, sock_read=PATIENCE_SECONDS)
    async with (
        aiohttp.ClientSession(timeout=timeout, read_bufsize=1 << 22) as session,
        session.get(f"{url}/v1/stream", headers=headers) as answer,
    ):
        assert answer.status == 200, answer.status
        reading = asyncio.create_task(_read(answer, screen))
        try:
            yield screen
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError, aiohttp.ClientError):
                await reading


async def _read(answer: aiohttp.ClientResponse, screen: Screen) -> None:
    lines: dict[bytes, bytes] = {}
    async for line in answer.content:
        name, _, value = line.rstrip(b"\r\n").partition(b": ")
        if name in (b"id", b"event", b"data"):
            lines[name] = value
        elif not name and not value and lines:
            screen.take(StreamEvent(lines[b"id"].decode(), lines[b"event"].decode(), lines[b"data"]))
            lines = {}

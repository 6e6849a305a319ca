"""Authentic deliveries of the worst legal shapes: each of what a log remembers, filled by one sender as fast as it can.

Owns the shapes, and what is seen of the workers meanwhile. Each post is within the limits of the api (1 MiB, 16,384
events).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import orjson
import psutil

from deploy.simulator.posting import Post
from schemas.connectors.base import MAX_EVENTS
from schemas.instants import MINUTE, SECOND, format_instant
from tests.faults.stack import Stack

STILL_SECONDS = 3.0
"""No partition may stand still for longer."""
MEMORY_PER_BYTE = 64
"""What a worker may take for each byte posted."""

NAMED = 2_911
CHAIN = 3_000
MAILS = 20_000
GROUPS = 10_000
JUNK_POSTS = 4

_JSON = {"content-type": "application/json"}
_LARGEST = 1_000_000
_LOOK_SECONDS = 0.1

Event = dict[str, object]


def shapes(now: int) -> Iterator[tuple[str, list[Post]]]:
    """What is posted, by what it fills; `now`: microseconds. The order of the posts of a shape is that of its story."""
    yield "leads that one call names", [*_posts("named", _named(now)), *_posts("edit", _edit(now))]
    yield "a chain of merges", _posts("chain", _chain(now))
    yield "a thread", _posts("thread", _thread(now))
    yield (
        "events that are none",
        [
            Post(0, f"worst-junk-{number}", _JSON, b"[" + b",".join([b"{}"] * MAX_EVENTS) + b"]", 0)
            for number in range(JUNK_POSTS)
        ],
    )
    yield (
        "leads, all deleted at once",
        [
            *_posts("groups", _groups(now)),
            *_posts("deleted", [_event("lead", f"w-{number}", now + SECOND, deleted=True) for number in range(GROUPS)]),
        ],
    )


def _named(now: int) -> list[Event]:
    began = now - 10 * MINUTE
    return [
        _event("call", "worst", began + number * 1000, lead=f"n-{number}", rep="r-1", dialed_at=began)
        for number in range(NAMED)
    ]


def _edit(now: int) -> list[Event]:
    return [_event("call", "worst", now, outcome="connected")]


def _chain(now: int) -> list[Event]:
    at = now - 10 * MINUTE
    chain = [
        _event("lead", f"c-{number}", at, merged_into=f"c-{number + 1}", received_at=at + number * 1000)
        for number in range(CHAIN)
    ]
    return [*chain, _event("lead", f"c-{CHAIN}", at, rep="r-1", received_at=now)]


def _thread(now: int) -> list[Event]:
    return [
        _event("email", f"m-{number}", now, direction=("inbound", "outbound")[number % 2], thread="t", sent_at=now)
        for number in range(MAILS)
    ]


def _groups(now: int) -> list[Event]:
    return [_event("lead", f"w-{number}", now, rep="r-1", received_at=now) for number in range(GROUPS)]


def _event(record: str, id: str, at: int, *, deleted: bool | None = None, **fields: object) -> Event:
    said = {name: format_instant(value) if isinstance(value, int) else value for name, value in fields.items()}
    event: Event = {"record": record, "id": id, "changed_at": format_instant(at)}
    return event | ({"fields": said} if deleted is None else {"deleted": deleted})


def _posts(name: str, events: Sequence[Event]) -> list[Post]:
    """As few as the limits let them be."""
    parts: list[list[bytes]] = [[]]
    size = 0
    for event in map(orjson.dumps, events):
        if size + len(event) > _LARGEST or len(parts[-1]) == MAX_EVENTS:
            parts.append([])
            size = 0
        parts[-1].append(event)
        size += len(event) + 1
    return [
        Post(0, f"worst-{name}-{number}", _JSON, b"[" + b",".join(part) + b"]", len(part))
        for number, part in enumerate(parts)
    ]


@dataclass(slots=True)
class Growth:
    """By how much the workers grew, at most."""

    bytes: int = 0


@asynccontextmanager
async def measured_growth(stack: Stack) -> AsyncIterator[Growth]:
    """Look at what the workers take, all the time."""
    processes = [psutil.Process(worker.pid) for worker in stack.workers]
    before = [process.memory_info().rss for process in processes]
    growth = Growth()

    async def look() -> None:
        while True:
            for process, began in zip(processes, before, strict=True):
                if process.is_running():
                    growth.bytes = max(growth.bytes, process.memory_info().rss - began)
            await asyncio.sleep(_LOOK_SECONDS)

    task = asyncio.create_task(look())
    try:
        yield growth
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def clock() -> int:
    """The instant by which deliveries are made."""
    return time.time_ns() // 1000

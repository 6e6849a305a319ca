"""The topic `access` as commands read and write it: API keys, screens and codes, without an api and without a key.

Owns the connection. What is in it is schemas/devices.py's.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from api.write.access_log import KafkaAccessLog
from deploy.cli.common import kafka_of
from deploy.local.target import Instance
from processor.known_keys import take_keys
from processor.transport.following import MissingTopicError, read_through
from schemas.devices import AccessBook, AccessEntry, key_of
from schemas.kafka import kafka_options
from schemas.kafka_facts import KafkaError
from schemas.topics import ACCESS

_T = TypeVar("_T")
_WRITE_SECONDS = 15.0

PutEntry = Callable[[AccessEntry, bool], Awaitable[None]]
"""Writes an entry to the topic, or takes it away (False)."""


def run_with_book(target: Instance, work: Callable[[AccessBook, PutEntry], Awaitable[_T]]) -> _T:
    """Let `work` have all that the topic says, and a way to write to it; what it gives.

    Raises MissingTopicError, UnacknowledgedError, KafkaError, TimeoutError.
    """
    return asyncio.run(_work(target, work))


def with_book(target: Instance, work: Callable[[AccessBook, PutEntry], Awaitable[None]]) -> None:
    """The same for a command, which ends with what was in the way."""
    with kafka_of(target):
        run_with_book(target, work)


def has_shared_keys(target: Instance) -> bool:
    """Whether the topic is known to hold an API key."""

    async def look(book: AccessBook, _put: PutEntry) -> bool:
        return book.has_keys

    try:
        return run_with_book(target, look)
    except (MissingTopicError, KafkaError, TimeoutError):  # what is wrong, the start that follows says
        return False


async def _work(target: Instance, work: Callable[[AccessBook, PutEntry], Awaitable[_T]]) -> _T:
    book = AccessBook()
    await read_through(target.broker, ACCESS.full_name(target.prefix), lambda _, records: take_keys(book, records))
    log = KafkaAccessLog(kafka_options(target.broker), target.prefix, timeout=_WRITE_SECONDS)

    async def put(entry: AccessEntry, is_there: bool) -> None:
        await log.put(key_of(entry), msgspec.json.encode(entry) if is_there else None)

    try:
        return await work(book, put)
    finally:
        await log.stop()

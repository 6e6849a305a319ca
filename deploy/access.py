"""The topic `access` as commands read and write it: API keys, screens and codes, without an api and without a key.

Owns the connection and its errors. What is in it is schemas/devices.py's.
"""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from api.write.access_log import KafkaAccessLog
from api.write.refusals import UnacknowledgedError
from deploy.local.target import Target
from processor.known_keys import take
from processor.transport.fetched import Fetched
from processor.transport.following import Follower, KafkaError, MissingTopicError
from schemas.devices import AccessBook, Entry, key_of
from schemas.exit_codes import ExitCode
from schemas.kafka import kafka_options
from schemas.kafka_refusals import what_failed
from schemas.topics import ACCESS

_WRITE_SECONDS = 15.0

Put = Callable[[Entry, bool], Awaitable[None]]
"""Writes an entry to the topic, or takes it away (False)."""

Fail = Callable[[str, int], int]
"""Says a problem, and gives the exit code."""


def run_with_book(target: Target, work: Callable[[AccessBook, Put], Awaitable[int]], fail: Fail) -> int:
    """Let `work` have all that the topic says, and a way to write to it.

    Its exit code, or 3 with what was in the way.
    """
    try:
        return asyncio.run(_work(target, work))
    except MissingTopicError as error:
        return fail(f"{error}: floorcast topics makes it", ExitCode.UNREACHABLE)
    except UnacknowledgedError as error:
        return fail(error.detail, ExitCode.UNREACHABLE)
    except (KafkaError, TimeoutError) as error:
        return fail(asyncio.run(what_failed(target.broker, error)), ExitCode.UNREACHABLE)


def has_shared_keys(target: Target) -> bool:
    """Whether the topic is known to hold an API key."""
    found = False

    async def look(book: AccessBook, _put: Put) -> int:
        nonlocal found
        found = book.has_keys
        return 0

    run_with_book(target, look, lambda _problem, code: code)  # what is wrong, the start that follows says
    return found


async def _work(target: Target, work: Callable[[AccessBook, Put], Awaitable[int]]) -> int:
    book = AccessBook()

    def apply(_partition: int, records: list[Fetched]) -> None:
        take(book, records)

    async with Follower(target.broker, ACCESS.full_name(target.prefix)) as follower:
        await follower.read_to(await follower.ends(), apply)
    log = KafkaAccessLog(kafka_options(target.broker), target.prefix, timeout=_WRITE_SECONDS)

    async def put(entry: Entry, is_there: bool) -> None:
        await log.put(key_of(entry), msgspec.json.encode(entry) if is_there else None)

    try:
        return await work(book, put)
    finally:
        await log.stop()

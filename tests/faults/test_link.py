"""The proxy that the suite spoils links with, in front of a server that says everything twice."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.faults.link import HOST, Link, State

_FETCH = 1
_PRODUCE = 0
_SOON = 0.3


def request(kind: int, body: bytes = b"body") -> bytes:
    return struct.pack(">ih", 2 + len(body), kind) + body


@pytest_asyncio.fixture
async def link() -> AsyncIterator[Link]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            writer.write(data)
        writer.close()

    async with Link() as link:
        server = await asyncio.start_server(echo, HOST, link.target)
        try:
            yield link
        finally:
            server.close()


async def answer(reader: asyncio.StreamReader, seconds: float = 5) -> bytes | None:
    """What comes; None if nothing does."""
    try:
        async with asyncio.timeout(seconds):
            return await reader.read(1000)
    except TimeoutError:
        return None


async def test_what_is_said_passes_both_ways(link: Link) -> None:
    reader, writer = await asyncio.open_connection(HOST, link.port)
    writer.write(request(_FETCH))

    assert await answer(reader) == request(_FETCH)
    writer.close()


async def test_a_black_hole_keeps_the_connection_and_lets_all_through_afterwards(link: Link) -> None:
    reader, writer = await asyncio.open_connection(HOST, link.port)
    link.become(State.SWALLOWS)
    writer.write(request(_FETCH))
    new_reader, new_writer = await asyncio.open_connection(HOST, link.port)
    new_writer.write(request(_FETCH))

    assert await answer(reader, _SOON) is None
    assert await answer(new_reader, _SOON) is None
    link.become(State.PASSES)
    assert await answer(reader) == request(_FETCH)
    assert await answer(new_reader) == request(_FETCH)
    writer.close()
    new_writer.close()


async def test_a_reset_ends_old_and_new_connections(link: Link) -> None:
    reader, writer = await asyncio.open_connection(HOST, link.port)
    link.become(State.RESETS)
    with pytest.raises(ConnectionResetError):
        await reader.read(1)

    async def come_anew() -> None:
        new_reader, _ = await asyncio.open_connection(HOST, link.port)
        await new_reader.read(1)

    with pytest.raises(ConnectionResetError):
        await come_anew()
    writer.close()


async def test_writes_can_be_swallowed_while_all_else_passes(link: Link) -> None:
    link.become(State.SWALLOWS_WRITES)
    reader, writer = await asyncio.open_connection(HOST, link.port)
    writer.write(request(_FETCH))
    assert await answer(reader) == request(_FETCH)
    writer.write(request(_PRODUCE))

    assert await answer(reader, _SOON) is None
    link.become(State.PASSES)
    assert await answer(reader) == request(_PRODUCE)
    writer.close()

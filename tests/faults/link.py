"""A network link that can go bad: a TCP proxy on loopback in front of one of Kafka's listeners.

Owns the connections through it and what becomes of their bytes. Knows of Kafka's protocol only where a request begins
and of which kind it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from enum import StrEnum
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
_CHUNK = 64 * 1024
_LARGEST_REQUEST = 64 * 1024 * 1024
_PRODUCE = 0


class State(StrEnum):
    """What the link does."""

    PASSES = "passes"
    SWALLOWS = "swallows"
    """Nothing comes through, and nobody is told: connections stay open, new ones are never answered."""
    RESETS = "resets"
    """Every connection, old or new, is torn down with a reset."""
    DRAGS = "drags"
    """Each piece takes its time, in both directions."""
    SWALLOWS_WRITES = "swallows writes"
    """As `SWALLOWS`, from a client's first produce request on; all other connections go on."""


class Link:
    """One link. Use as an async context manager."""

    def __init__(self) -> None:
        # Taken at once, so that both ports are known before Kafka starts.
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        """Where clients connect."""
        self._beyond = socket.socket()
        self._beyond.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._beyond.bind((HOST, 0))
        self.target: int = self._beyond.getsockname()[1]
        """Where Kafka is to listen."""
        self.state = State.PASSES
        self.delay_seconds = 0.25
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._beyond.close()
        self._server = await asyncio.start_server(self._attend, sock=self._listener)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self._reset_all()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def become(self, state: State) -> None:
        """Change what the link does, for the connections there are too."""
        self.state = state
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        if state is State.RESETS:
            self._reset_all()

    def _reset_all(self) -> None:
        for writer in list(self._writers):
            _reset(writer)

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        onward: asyncio.StreamWriter | None = None
        try:
            if self.state is State.RESETS:
                _reset(writer)
                return
            await self._passable()
            back, onward = await asyncio.open_connection(HOST, self.target)
            self._writers.add(onward)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry_requests(reader, onward))
                both.create_task(self._carry(back, writer))
        except* (OSError, asyncio.IncompleteReadError, _ClosedError):
            pass  # one side has gone, and the other follows
        finally:
            self._tasks.discard(task)
            for end in (writer, onward):
                if end is not None:
                    self._writers.discard(end)
                    end.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            await self._forward(data, writer)
        raise _ClosedError

    async def _carry_requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readexactly(6)
            size, kind = struct.unpack(">ih", head)
            if not 2 <= size <= _LARGEST_REQUEST:
                raise _ClosedError
            while kind == _PRODUCE and self.state is State.SWALLOWS_WRITES:
                await self._changed.wait()
            await self._forward(head + await reader.readexactly(size - 2), writer)

    async def _forward(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        await self._passable()
        if self.state is State.DRAGS:
            await asyncio.sleep(self.delay_seconds)
        writer.write(data)
        await writer.drain()

    async def _passable(self) -> None:
        while self.state is State.SWALLOWS:
            await self._changed.wait()


class _ClosedError(Exception):
    """One side has closed its connection."""


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    with contextlib.suppress(OSError, AttributeError):
        # A close that waits for nothing sends a reset.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()

"""Ports of this machine for tests that must name one before somebody listens there.

Whoever can, binds to port 0 and hands the socket over. The others take from here: a port is held by a lock for as long
as this process lives, and lies below those that the system gives to whoever asks for any, so nobody else comes by it.
"""

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

_FIRST, _LAST = 20_000, 29_999
_LOCKS = Path(tempfile.gettempdir()) / "floorcast-test-ports"
_held: dict[int, FileLock] = {}


def held_port() -> int:
    """A port on loopback that is free, and that no other test gets while this process lives."""
    _LOCKS.mkdir(exist_ok=True)
    # From another place in each process, so that few are tried twice.
    begin = _FIRST + os.getpid() * 37 % (_LAST - _FIRST)
    port: int
    for port in (*range(begin, _LAST), *range(_FIRST, begin)):
        if port in _held:
            continue
        lock = FileLock(_LOCKS / f"{port}.lock", thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        if _is_free(port):
            _held[port] = lock
            return port
        lock.release()
    msg = f"no port between {_FIRST} and {_LAST} is free"
    raise OSError(msg)


@contextmanager
def refused_port() -> Iterator[int]:
    """A port at which every connection is refused: bound, so nobody else takes it, and not listened at."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        yield port


def _is_free(port: int) -> bool:
    try:
        with socket.create_server(("127.0.0.1", port)):
            return True
    except OSError:
        return False

"""Asks a broker over a socket which brokers it knows: the proof that Kafka serves, not only that a port is open.

It owns four fields of two messages of Kafka's protocol and is no client; it works in any thread, with or without an
event loop. Message layouts: https://kafka.apache.org/43/design/protocol/
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

_METADATA = 3
_VERSION = 5  # The newest without tagged fields and topic ids that aiokafka speaks too, so brokers will keep it.
_CORRELATION = 1
_LARGEST_ANSWER_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a broker says of its cluster: its id, and (host, port) of each broker that takes clients."""

    id: str | None
    brokers: tuple[tuple[str, int], ...]


def ask(host: str, port: int, timeout_seconds: float) -> Cluster:
    """Send one metadata request. Raises `OSError` if nobody answers, `ValueError` if the answer is none of Kafka's."""
    # No topics are asked for: an empty array, where null would mean all.
    body = struct.pack(">hhih", _METADATA, _VERSION, _CORRELATION, -1) + struct.pack(">i?", 0, False)
    with socket.create_connection((host, port), timeout_seconds) as connection:
        connection.settimeout(timeout_seconds)
        connection.sendall(struct.pack(">i", len(body)) + body)
        (size,) = struct.unpack(">i", _read(connection, 4))
        if not 0 < size <= _LARGEST_ANSWER_BYTES:
            msg = "the length of the answer is out of bounds"
            raise ValueError(msg)
        answer = _Fields(_read(connection, size))
    if answer.integer() != _CORRELATION:
        msg = "the answer belongs to another request"
        raise ValueError(msg)
    answer.integer()  # Throttle time.
    brokers = []
    for _ in range(answer.integer()):
        answer.integer()  # Node id.
        brokers.append((answer.text() or "", answer.integer()))
        answer.text()  # Rack.
    return Cluster(answer.text(), tuple(brokers))


def _read(connection: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = connection.recv(size - len(parts))
        if not part:
            msg = "the connection was closed before the answer was whole"
            raise ConnectionError(msg)
        parts += part
    return bytes(parts)


class _Fields:
    """Kafka's non-flexible fields, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def integer(self) -> int:
        (value,) = struct.unpack(">i", self._take(4))
        return int(value)

    def text(self) -> str | None:
        (length,) = struct.unpack(">h", self._take(2))
        return None if length < 0 else self._take(length).decode("utf-8")

    def _take(self, size: int) -> bytes:
        part = self._data[self._at : self._at + size]
        if len(part) < size:
            msg = "the answer ends in the middle of a field"
            raise ValueError(msg)
        self._at += size
        return part

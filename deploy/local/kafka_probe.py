"""Asks a broker over a socket which brokers it knows: the proof that Kafka serves, not only that a port is open.

It owns a few fields of four messages of Kafka's protocol and is no client; it works in any thread, with or without an
event loop. Message layouts: https://kafka.apache.org/43/design/protocol/
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

_METADATA = 3
_SASL_HANDSHAKE = 17
_SASL_AUTHENTICATE = 36
_VERSION = 5  # The newest without tagged fields and topic ids that aiokafka speaks too, so brokers will keep it.
_CORRELATION = 1
_LARGEST_ANSWER_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a broker says of its cluster: its id, and (host, port) of each broker that takes clients."""

    id: str | None
    brokers: tuple[tuple[str, int], ...]


class LoginRefusedError(OSError):
    """The broker does not let us in by that name and password."""


def ask(host: str, port: int, timeout_seconds: float, login: tuple[str, str] | None = None) -> Cluster:
    """Send one metadata request, after SASL PLAIN with the name and password of `login`.

    Raises `OSError` if nobody answers, `LoginRefusedError` among them, `ValueError` if the answer is none of Kafka's.
    """
    with socket.create_connection((host, port), timeout_seconds) as connection:
        connection.settimeout(timeout_seconds)
        if login is not None:
            _log_in(connection, login)
        # No topics are asked for: an empty array, where null would mean all.
        answer = _exchange(connection, _METADATA, _VERSION, struct.pack(">i?", 0, False))
    answer.integer()  # Throttle time.
    brokers = []
    for _ in range(answer.integer()):
        answer.integer()  # Node id.
        brokers.append((answer.text() or "", answer.integer()))
        answer.text()  # Rack.
    return Cluster(answer.text(), tuple(brokers))


def _log_in(connection: socket.socket, login: tuple[str, str]) -> None:
    mechanism = b"PLAIN"
    shown = b"".join(b"\0" + text.encode() for text in login)
    for api, version, body in (
        (_SASL_HANDSHAKE, 1, struct.pack(">h", len(mechanism)) + mechanism),
        (_SASL_AUTHENTICATE, 0, struct.pack(">i", len(shown)) + shown),
    ):
        if _exchange(connection, api, version, body).short():
            raise LoginRefusedError("the login is refused")


def _exchange(connection: socket.socket, api: int, version: int, body: bytes) -> _Fields:
    """Send one request, and give the answer's fields after its correlation id."""
    request = struct.pack(">hhih", api, version, _CORRELATION, -1) + body
    connection.sendall(struct.pack(">i", len(request)) + request)
    (size,) = struct.unpack(">i", _read(connection, 4))
    if not 0 < size <= _LARGEST_ANSWER_BYTES:
        raise ValueError("the length of the answer is out of bounds")
    answer = _Fields(_read(connection, size))
    if answer.integer() != _CORRELATION:
        raise ValueError("the answer belongs to another request")
    return answer


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

    def short(self) -> int:
        (value,) = struct.unpack(">h", self._take(2))
        return int(value)

    def text(self) -> str | None:
        length = self.short()
        return None if length < 0 else self._take(length).decode("utf-8")

    def _take(self, size: int) -> bytes:
        part = self._data[self._at : self._at + size]
        if len(part) < size:
            raise ValueError("the answer ends in the middle of a field")
        self._at += size
        return part

"""Asks a broker over a socket which brokers it knows: the proof that Kafka serves, not only that a port is open.

It speaks three messages of Kafka's protocol, as aiokafka writes and reads them, and is no client; it works in any
thread, with or without an event loop.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiokafka.protocol.api import RequestStruct

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
    from aiokafka.protocol.metadata import MetadataRequest_v5  # noqa: PLC0415 - imported while the JVM starts

    with socket.create_connection((host, port), timeout_seconds) as connection:
        connection.settimeout(timeout_seconds)
        if login is not None:
            _log_in(connection, login)
        # No topics are asked for: an empty array, where null would mean all.
        answer = _exchange(connection, MetadataRequest_v5([], False))
    return Cluster(answer.cluster_id, tuple((host, port) for _, host, port, _ in answer.brokers))


def _log_in(connection: socket.socket, login: tuple[str, str]) -> None:
    from aiokafka.protocol.admin import SaslAuthenticateRequest_v0, SaslHandShakeRequest_v1  # noqa: PLC0415

    shown = b"".join(b"\0" + text.encode() for text in login)
    for request in (SaslHandShakeRequest_v1("PLAIN"), SaslAuthenticateRequest_v0(shown)):
        if _exchange(connection, request).error_code:
            raise LoginRefusedError("the login is refused")


def _exchange(connection: socket.socket, request: RequestStruct) -> Any:
    """Send one request, and give what is answered."""
    from aiokafka.protocol.types import Int32  # noqa: PLC0415

    message = request.build_request_header(_CORRELATION, "floorcast").encode() + request.encode()
    connection.sendall(Int32.encode(len(message)) + message)
    size = Int32.decode(BytesIO(_read(connection, 4)))
    if not 0 < size <= _LARGEST_ANSWER_BYTES:
        raise ValueError("the length of the answer is out of bounds")
    answer = BytesIO(_read(connection, size))
    if Int32.decode(answer) != _CORRELATION:
        raise ValueError("the answer belongs to another request")
    return request.RESPONSE_TYPE.decode(answer)


def _read(connection: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = connection.recv(size - len(parts))
        if not part:
            msg = "the connection was closed before the answer was whole"
            raise ConnectionError(msg)
        parts += part
    return bytes(parts)

"""The address that an `up` listens on, and why it cannot be had.

Owns the error of an `up`, of its Kafka or of another of its children that cannot go on, as it may be the first thing
that stands in the way.
"""

import socket
from collections.abc import Callable, Sequence
from pathlib import Path

_LEFT_PORT_SECONDS = 3.0
_BETWEEN_PROBES_SECONDS = 0.1


class UpError(Exception):
    """It cannot go on. One line per problem. Exit code 2: wrong use or configuration, 3: a service is not there."""

    def __init__(self, problems: Sequence[str], exit_code: int) -> None:
        self.problems = list(problems)
        self.exit_code = exit_code
        super().__init__("\n".join(self.problems))


def address(host: str, port: int) -> str:
    """The URL of a server that listens there, as somebody on this machine would type it."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def free_port(host: str, port: int) -> int:
    """The port itself (0: a free one), if a server can listen there. Raises UpError."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror:
        raise UpError(
            [f"{host} is not an address or a name that can be resolved: choose another with --host"], 2
        ) from None
    with socket.socket(family, kind, protocol) as listener:
        # As the server will do it: connections of a moment ago are no hindrance.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(place)
            listener.listen(1)
        except PermissionError:
            raise UpError([f"port {port} needs special rights: choose another with --port"], 2) from None
        except OSError as error:
            if error.errno == 99:  # EADDRNOTAVAIL
                raise UpError([f"{host} is not an address of this machine: choose another with --host"], 2) from None
            raise UpError([f"port {port} on {host} is in use: choose another with --port"], 2) from None
        return int(listener.getsockname()[1])


def take_port(host: str, port: int, data: Path, *, pause: Callable[[float], None]) -> int:
    """`free_port`, with patience where an `up` on this folder was killed a moment ago: its api may still be ending."""
    patience = _LEFT_PORT_SECONDS if (data / "up.json").exists() else 0.0
    while True:
        try:
            return free_port(host, port)
        except UpError:
            if patience <= 0:
                raise
        pause(_BETWEEN_PROBES_SECONDS)
        patience -= _BETWEEN_PROBES_SECONDS

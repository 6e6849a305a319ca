"""A port that is held is nobody else's, one that refuses has nobody behind it."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ports import held_port, refused_port

ROOT = Path(__file__).parents[1]


def test_nobody_gets_the_same_port_here_or_in_another_process() -> None:
    here = {held_port() for _ in range(20)}
    program = "from tests.ports import held_port; print(*(held_port() for _ in range(20)))"
    others = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()

    assert len(here) == len(others) == 20
    assert not here & {int(port) for port in others}


def test_a_held_port_can_be_listened_at() -> None:
    with socket.create_server(("127.0.0.1", held_port())) as listener, socket.create_connection(listener.getsockname()):
        pass


def test_a_port_that_refuses_can_be_taken_by_nobody() -> None:
    with refused_port() as port:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
        with pytest.raises(OSError, match="in use"), socket.socket() as other:
            other.bind(("127.0.0.1", port))

"""How a process ends that was told to (SIGTERM, SIGINT): with 0, and with the last line of its log, which says so.

Owns that line and the end at once, for all that keep a log. An orderly end before it is each process' own affair.
"""

import os
import signal
import sys
from typing import NoReturn

import structlog


def say_told() -> None:
    """Write the last line of the log."""
    structlog.get_logger().info("process.ended", code=0, why="it was told to end")


def end_as_told() -> NoReturn:
    """End now. Called by a signal, or in a thread where an orderly end has taken too long."""
    try:
        say_told()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(0)


def end_when_told() -> None:
    """Let SIGTERM and SIGINT end this process at once. Called in the main thread, while nothing is under way.

    Not left to the system: it keeps both from the first process of a container, which is killed much later then.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end_as_told())

"""The exit codes of every process and command of floorcast."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a process says by its end. 0: it went well, or was stopped by SIGTERM or Ctrl-C."""

    DIFFERENCES = 1
    """Differences were found, or something was refused."""
    WRONG_USE = 2
    """Wrong use or configuration: starting it again would not help."""
    UNREACHABLE = 3
    """A service that is needed cannot be reached."""
    UNEXPECTED = 70
    """Anything unexpected: start it again."""
    OWNED_BY_ANOTHER = 75
    """Another process owns what this one wrote to: start it again."""

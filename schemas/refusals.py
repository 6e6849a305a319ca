"""What a process that keeps a log says to a person when it does not run."""

import sys


def tell_person(line: str) -> None:
    """Write the line on stderr where somebody sits before it; elsewhere stderr is the log, and its last line says it.

    Called before `process.ended` is logged: a reader of logs finds nothing but JSON.
    """
    if sys.stderr.isatty():
        sys.stderr.write(f"{line}\n")

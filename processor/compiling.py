"""Whether what is compiled may be used: it must be there, and as new as its source.

Knows nothing of what is compiled: each package of such modules asks for its own.
"""

from collections.abc import Iterable
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path


def state_of(folder: Path, parts: Iterable[str]) -> str:
    """`compiled`, or why the compiled modules `parts` in `folder` are not used."""
    found = [
        [library.stat().st_mtime for suffix in EXTENSION_SUFFIXES if (library := folder / f"{part}{suffix}").is_file()]
        for part in parts
    ]
    if not all(found):
        return "not compiled"
    # Of an older version of the program it may do other things than the source says.
    written = max((source.stat().st_mtime for source in folder.glob("*.p[yx][xd]")), default=0.0)
    return "compiled" if min(map(min, found)) >= written else "older than its source"

"""Inner loops in C, by Cython: rows and frames as bytes, panes as numbers, Kafka's record batches.

Owns no rule and no decision: the module that asks says what each of these does, and does it itself (record batches:
by aiokafka) where this was not compiled. What is not plain is handed back to it. Decisions 0027 and 0030 say why.

    wire        msgpack
    rows        calls, emails and meetings: read, folded, written
    batch       the changes of some frames, found and not decoded
    plan        what they count for: `processor.core.plan`
    panes       `processor.core.panes.PaneTable`
    ledger      the plain part of a batch, and of a rebuilding
    checksum    CRC-32C
    layout      the header of a record batch
    varints     the integers of that format
    packing     messages into a record batch
    unpacking   record batches into records, or into a table
"""

from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Final

_MODULES: Final = ("rows", "batch", "plan", "panes", "ledger", "packing", "unpacking")


def _state_of(folder: Path) -> str:
    """`compiled`, or why the compiled modules in `folder` are not used: all are, or none."""
    found = [
        [library.stat().st_mtime for suffix in EXTENSION_SUFFIXES if (library := folder / f"{name}{suffix}").is_file()]
        for name in _MODULES
    ]
    if not all(found):
        return "not compiled"
    # Of an older version of the program it may do other things than the source says.
    written = max((source.stat().st_mtime for source in folder.glob("*.p[yx][xd]")), default=0.0)
    return "compiled" if min(map(min, found)) >= written else "older than its source"


STATE: Final = _state_of(Path(__file__).parent)
COMPILED: Final = STATE == "compiled"
"""Whether the compiled forms are used: the one switch, read by whoever has two forms."""

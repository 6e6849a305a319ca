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
    # Of an older version of the program it may do other things than the source says. What one module is made of another
    # may include, so a change of that makes all of them old; a change of a module's own source only that one.
    shared = max((source.stat().st_mtime for source in folder.glob("*.pxd")), default=0.0)
    states = [_state_of_one(folder, name, shared) for name in _MODULES]
    return next((state for state in ("not compiled", "older than its source") if state in states), "compiled")


def _state_of_one(folder: Path, name: str, shared: float) -> str:
    libraries = [library for suffix in EXTENSION_SUFFIXES if (library := folder / f"{name}{suffix}").is_file()]
    if not libraries:
        return "not compiled"
    source = folder / f"{name}.pyx"
    written = max(shared, source.stat().st_mtime if source.is_file() else 0.0)
    is_new = min(library.stat().st_mtime for library in libraries) >= written
    return "compiled" if is_new else "older than its source"


STATE: Final = _state_of(Path(__file__).parent)
COMPILED: Final = STATE == "compiled"
"""Whether the compiled forms are used: the one switch, read by whoever has two forms."""

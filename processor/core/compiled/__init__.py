"""Inner loops in C, by Cython: events as frames, rows as bytes, panes as numbers, of what makes up most of a floor.

Owns no rule: `processor.core` says what each of these does, and does it itself where this was not compiled. What is
not plain (histories, money, samples, what may be too old) is handed back to it. Decision 0027 says why there are two.

    wire        msgpack
    plain_json  JSON, the part of it that needs no parser
    rows        calls, emails and meetings: read, folded, written
    counts      what they count for
    panes       `processor.core.panes.PaneTable`
    ledger      the plain part of a batch, and of a rebuilding
    events      deliveries of kind `generic`, to the frames of their changes
"""

from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Final

_PARTS: Final = ("rows", "counts", "panes", "ledger", "events")


def _state() -> str:
    """`compiled`, or why it is not used."""
    folder = Path(__file__).parent
    libraries = [folder / f"{part}{suffix}" for part in _PARTS for suffix in EXTENSION_SUFFIXES]
    made = [library.stat().st_mtime for library in libraries if library.is_file()]
    if len(made) < len(_PARTS):
        return "not compiled"
    # Of an older version of the program it may count by other rules.
    written = [source.stat().st_mtime for source in folder.glob("*.p[yx][xd]")]
    return "compiled" if min(made) >= max(written, default=0.0) else "older than its source"


STATE: Final = _state()
COMPILED: Final = STATE == "compiled"
"""Whether new ledgers and tables use it."""

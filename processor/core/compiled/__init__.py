"""Inner loops in C, by Cython: events as frames, rows as bytes, panes as numbers, of what makes up most of a floor.

Owns no rule: `processor.core` says what each of these does, and does it itself where this was not compiled. What is
not plain (histories, money, samples, what may be too old) is handed back to it. Decision 0027 says why there are two.

    wire        msgpack
    plain_json  JSON, the part of it that needs no parser
    rows        calls, emails and meetings: read, folded, written
    batch       the changes of some frames, found and not decoded
    counts      what they count for
    panes       `processor.core.panes.PaneTable`
    ledger      the plain part of a batch, and of a rebuilding
    events      deliveries of kind `generic`, to the frames of their changes
"""

from pathlib import Path
from typing import Final

from processor.compiling import state_of

STATE: Final = state_of(Path(__file__).parent, ("rows", "batch", "counts", "panes", "ledger", "events"))
COMPILED: Final = STATE == "compiled"
"""Whether new ledgers and tables use it."""

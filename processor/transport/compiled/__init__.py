"""Kafka's record batches in C, by Cython: what a worker spends most of its time on beside the fold.

Owns no decision: `processor.transport.packing` says what it does, and does it by aiokafka where this was not compiled.
Decision 0028 says why it is here.

    varints   the integers of the format
    packing   messages into a batch
"""

from pathlib import Path
from typing import Final

from processor.compiling import state_of

STATE: Final = state_of(Path(__file__).parent, ("packing",))
COMPILED: Final = STATE == "compiled"
"""Whether batches are packed by it."""

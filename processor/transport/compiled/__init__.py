"""Kafka's record batches in C, by Cython: what a worker spends most of its time on beside the fold.

Owns no decision: `packing` and `unpacking` beside it say what it does, and do it by aiokafka where it was not compiled.
Decision 0030 says why it is here.

    checksum    CRC-32C
    layout      the header of a batch
    varints     the integers of the format
    packing     messages into a batch
    unpacking   batches into records, or into a table
"""

from pathlib import Path
from typing import Final

from processor.compiling import state_of

STATE: Final = state_of(Path(__file__).parent, ("packing", "unpacking"))
COMPILED: Final = STATE == "compiled"
"""Whether batches are packed and unpacked by it."""

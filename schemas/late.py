"""Late changes: what was refused because it speaks of what is older than what is kept.

Owns the shape of what lies in `late`. Does not decide what is late (processor/core/retention.py).
"""

import msgspec

from schemas.records import RecordChange

REFUSED = "refused"
"""Said and happened before the cutoff: nothing of it is kept."""
PAST = "past"
"""Said now of what happened before the cutoff: it counts nowhere."""


class LateChange(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One change that no number will ever show."""

    reason: str
    kept_from: int
    """The cutoff that it lies before (microseconds)."""
    change: RecordChange


encode_late = msgspec.msgpack.Encoder().encode
decode_late = msgspec.msgpack.Decoder(LateChange).decode

"""What a call, an email or a meeting is worth: connected, talk time, a touch that stops a lead's clock.

Owns the rules of the contract's table that both the ledger's counts and the lead clocks follow.
"""

from processor.core.definitions import Definitions
from schemas.records import Record


def is_connected(call: Record) -> bool:
    """Outcome `connected`, or no outcome and an instant of answering. Either direction."""
    outcome = call.get("outcome")
    return bool(outcome == "connected" or (outcome is None and call.get("answered_at") is not None))


def talk_of(call: Record) -> int:
    """Microseconds talked in a connected call: `ended_at` - `answered_at`, else what the source says."""
    answered, ended = call.get("answered_at"), call.get("ended_at")
    if answered is not None and ended is not None:
        return max(0, int(ended) - int(answered))
    return int(call.get("talk_seconds") or 0)


def touch_at(record: Record, definitions: Definitions) -> int | None:
    """When this record answered its lead (microseconds), by the rule configured; None if it does not.

    `attempt`: outbound call not failed, outbound mail by a human, held meeting, connected inbound call with enough
    talk. `contact`: connected call, held meeting, inbound mail by a human. `qualified`: no touch does, the lead's own
    status does.
    """
    if record.is_deleted:
        return None
    stop = definitions.lead_response.stop
    if stop == "qualified":
        return None
    at: int | None
    if record.kind == "meeting":
        at = record.get("starts_at") if record.get("outcome") == "held" else None
    elif record.kind == "email":
        human = record.get("automated") is not True
        if stop == "attempt":
            counts = record.get("direction") == "outbound" and (
                human or definitions.lead_response.automated == "include"
            )
        else:
            counts = record.get("direction") == "inbound" and human
        at = record.get("sent_at") if counts else None
    elif record.kind == "call" and record.get("internal") is not True:
        at = record.get("dialed_at") if _call_counts(record, definitions, stop) else None
    else:
        at = None
    return at


def _call_counts(call: Record, definitions: Definitions, stop: str) -> bool:
    if stop == "contact":
        return is_connected(call)
    direction = call.get("direction")
    if direction == "outbound":
        return bool(call.get("outcome") != "failed")
    return direction == "inbound" and is_connected(call) and talk_of(call) >= definitions.min_talk

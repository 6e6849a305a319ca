"""What a call, an email or a meeting is to a lead: an attempt to reach it, a contact with it, an inquiry of its own.

Owns these rules of the contract's table, which the clocks of leads follow (`responses.py`). What metrics count as
connected, as talk time and as a conversation stands in `schemas/catalogue/calls.py`; a touch means the same by them.
"""

from typing import Any, Protocol

from processor.core.definitions import Definitions
from processor.core.facts import CurrentValues


class Fields(Protocol):
    """The values of a record's fields by name: a `Record`, a `CurrentValues` or a plain mapping."""

    def get(self, name: str, /) -> Any:
        """The value; None where it was never set or was cleared."""


def is_connected(call: Fields) -> bool:
    """Outcome `connected`, or no outcome and an instant of answering. Either direction."""
    outcome = call.get("outcome")
    return bool(outcome == "connected" or (outcome is None and call.get("answered_at") is not None))


def talk_of(call: Fields) -> int:
    """Microseconds talked in a connected call: `ended_at` - `answered_at`, else what the source says."""
    answered, ended = call.get("answered_at"), call.get("ended_at")
    if answered is not None and ended is not None:
        return max(0, int(ended) - int(answered))
    return int(call.get("talk_seconds") or 0)


def attempt_at(record: CurrentValues, definitions: Definitions) -> int | None:
    """When somebody of ours tried to reach the lead with this (microseconds); None if it is no attempt.

    An outbound call that did not fail, an outbound mail, a held meeting, a connected inbound call with enough talk. By
    a human, unless the configuration takes machines too.
    """
    if not _is_outside(record) or (_is_automated(record) and definitions.lead_response.automated != "include"):
        return None
    direction = record.get("direction")
    at: int | None = None
    if record.kind == "meeting":
        at = _held_at(record)
    elif record.kind == "email":
        at = record.get("sent_at") if direction == "outbound" else None
    elif record.kind == "call":
        if direction == "outbound":
            counts = record.get("outcome") != "failed"
        else:
            counts = direction == "inbound" and is_connected(record) and talk_of(record) >= definitions.rules.min_talk
        at = record.get("dialed_at") if counts else None
    return at


def human_attempt_at(record: CurrentValues, definitions: Definitions) -> int | None:
    """The same of a human, whatever the configuration says of machines."""
    return None if _is_automated(record) else attempt_at(record, definitions)


def contact_at(record: CurrentValues, definitions: Definitions) -> int | None:
    """When the lead and we met in this (microseconds): a connected call, a held meeting, an inbound mail by a human.

    A call in which a machine spoke is a contact where the configuration takes machines too.
    """
    if not _is_outside(record):
        return None
    at: int | None = None
    if record.kind == "meeting":
        at = _held_at(record)
    elif record.kind == "email":
        at = record.get("sent_at") if record.get("direction") == "inbound" and not _is_automated(record) else None
    elif record.kind == "call" and (not _is_automated(record) or definitions.lead_response.automated == "include"):
        at = record.get("dialed_at") if is_connected(record) else None
    return at


def human_contact_at(record: CurrentValues, definitions: Definitions) -> int | None:
    """The same of humans on both sides, whatever the configuration says of machines."""
    return None if _is_automated(record) else contact_at(record, definitions)


def inquiry_at(record: CurrentValues, definitions: Definitions) -> int | None:
    """When the lead turned to us with this (microseconds): an inbound mail or call by a human.

    A call in which they talked with us is an attempt too: nobody waits for an answer to that.
    """
    if not _is_outside(record) or _is_automated(record) or record.get("direction") != "inbound":
        return None
    at: int | None = None
    if record.kind == "email":
        at = record.get("sent_at")
    elif record.kind == "call":
        at = record.get("dialed_at") if attempt_at(record, definitions) is None else None
    return at


def automated_at(record: CurrentValues) -> int | None:
    """When a machine of ours wrote to the lead (microseconds)."""
    if record.is_deleted or record.kind != "email" or record.get("automated") is not True:
        return None
    at: int | None = record.get("sent_at") if record.get("direction") == "outbound" else None
    return at


def _held_at(meeting: CurrentValues) -> int | None:
    at: int | None = meeting.get("starts_at") if meeting.get("outcome") == "held" else None
    return at


def _is_outside(record: CurrentValues) -> bool:
    """Whether it is there, and not among us."""
    return not record.is_deleted and record.get("internal") is not True


def _is_automated(record: CurrentValues) -> bool:
    return record.get("automated") is True

"""What one record adds to the panes, whatever else there is.

Owns the contract's table for calls, emails, meetings and deals. Leads and answers in threads need their group and are
derived in responses.py and threads.py.
"""

from collections.abc import Callable, Mapping
from typing import Any

from processor.core.definitions import Definitions
from processor.core.touches import Facts, is_connected, talk_of
from schemas.records import DELETED

Values = tuple[tuple[str, Any], ...]
"""(measure, value), each measure once."""

Contribution = tuple[str | None, int, Values]
"""(rep, instant in microseconds, values): counted in the minute and in the day that hold the instant."""


def contributions(kind: str, record: Facts, definitions: Definitions) -> list[Contribution]:
    """Everything this record counts for. Deleted ones count for nothing."""
    derive = _KINDS.get(kind)
    return [] if derive is None or record.get(DELETED) is True else derive(record, definitions)


def _call(call: Facts, definitions: Definitions) -> list[Contribution]:
    at = call.get("dialed_at")
    if at is None or call.get("internal") is True:
        return []
    values: Values = _OUTBOUND if call.get("direction") == "outbound" else ()
    if is_connected(call):
        if values:
            values = _OUTBOUND_CONNECTED
        talk = talk_of(call)
        if talk:
            values += (("talk", talk),)
        if talk >= definitions.min_talk:
            values += _CONVERSATION
    return [(definitions.person(call.get("rep")), at, values)] if values else []


_OUTBOUND: Values = (("calls_made", 1),)
_OUTBOUND_CONNECTED: Values = (("calls_made", 1), ("calls_connected", 1))
_CONVERSATION: Values = (("conversations", 1),)


def _email(email: Facts, definitions: Definitions) -> list[Contribution]:
    at, values = email.get("sent_at"), _MAIL.get(email.get("direction"))
    if at is None or values is None or email.get("automated") is True:
        return []
    return [(definitions.person(email.get("rep")), at, values)]


_MAIL: Mapping[Any, Values] = {"outbound": (("emails_sent", 1),), "inbound": (("emails_received", 1),)}


def _meeting(meeting: Facts, definitions: Definitions) -> list[Contribution]:
    found: list[Contribution] = []
    host, booked_at, starts_at = meeting.get("rep"), meeting.get("booked_at"), meeting.get("starts_at")
    if booked_at is not None:
        booker = meeting.get("booked_by") or host
        found.append((definitions.person(booker), booked_at, (("meetings_booked", 1),)))
    if starts_at is not None and meeting.get("outcome") == "held":
        found.append((definitions.person(host), starts_at, (("meetings_held", 1), ("conversations", 1))))
    return found


def _deal(deal: Facts, definitions: Definitions) -> list[Contribution]:
    at, status = deal.get("closed_at"), deal.get("status")
    if at is None or status not in {"won", "lost"}:
        return []
    rep = definitions.person(deal.get("rep"))
    if status == "lost":
        return [(rep, at, (("deals_lost", 1),))]
    values: Values = (("deals_won", 1),)
    value = definitions.value_of(deal.get("amount"), deal.get("currency"))
    if value is None:
        values += (("deals_without_rate", 1),)
    else:
        values += (("deals_valued", 1),)
        if value:
            values += (("revenue_won", value),)
    created_at = deal.get("created_at")
    if created_at is not None:
        values += (("cycles", at - created_at),)
    return [(rep, at, values)]


_KINDS: Mapping[str, Callable[[Facts, Definitions], list[Contribution]]] = {
    "call": _call,
    "email": _email,
    "meeting": _meeting,
    "deal": _deal,
}

"""What one record adds to the panes, whatever else there is.

Owns the contract's table for calls, emails, meetings and deals. Leads and answers in threads need their group and are
derived in responses.py and threads.py.
"""

from collections.abc import Callable, Mapping
from typing import Any

from processor.core.definitions import Definitions
from processor.core.touches import Fields, is_connected, talk_of
from schemas.records import DELETED

Contribution = tuple[str | None, int, str, Any]
"""(rep, instant in microseconds, measure, value): counted in the minute and in the day that hold the instant."""


def contributions(kind: str, fields: Fields, definitions: Definitions) -> list[Contribution]:
    """Everything that a record with these values counts for. Deleted ones count for nothing.

    `fields` is a `Record`, or the values of a first change as they are (0.6 µs for a call, through a record 0.8).
    """
    derive = _KINDS.get(kind)
    return [] if derive is None or fields.get(DELETED) is True else derive(fields, definitions)


def _call(call: Fields, definitions: Definitions) -> list[Contribution]:
    at, direction = call.get("dialed_at"), call.get("direction")
    if at is None or call.get("internal") is True:
        return []
    rep = definitions.person(call.get("rep"))
    found: list[Contribution] = []
    connected = is_connected(call)
    if direction == "outbound":
        found.append((rep, at, "calls_made", 1))
        if connected:
            found.append((rep, at, "calls_connected", 1))
    if connected:
        talk = talk_of(call)
        if talk:
            found.append((rep, at, "talk", talk))
        if talk >= definitions.min_talk:
            found.append((rep, at, "conversations", 1))
    return found


def _email(email: Fields, definitions: Definitions) -> list[Contribution]:
    at, measure = email.get("sent_at"), _MAIL.get(email.get("direction"))
    if at is None or measure is None or email.get("automated") is True:
        return []
    return [(definitions.person(email.get("rep")), at, measure, 1)]


_MAIL = {"outbound": "emails_sent", "inbound": "emails_received"}


def _meeting(meeting: Fields, definitions: Definitions) -> list[Contribution]:
    found: list[Contribution] = []
    host, booked_at, starts_at = meeting.get("rep"), meeting.get("booked_at"), meeting.get("starts_at")
    if booked_at is not None:
        booker = meeting.get("booked_by") or host
        found.append((definitions.person(booker), booked_at, "meetings_booked", 1))
    if starts_at is not None and meeting.get("outcome") == "held":
        rep = definitions.person(host)
        found += [(rep, starts_at, "meetings_held", 1), (rep, starts_at, "conversations", 1)]
    return found


def _deal(deal: Fields, definitions: Definitions) -> list[Contribution]:
    at, status = deal.get("closed_at"), deal.get("status")
    if at is None or status not in {"won", "lost"}:
        return []
    rep = definitions.person(deal.get("rep"))
    if status == "lost":
        return [(rep, at, "deals_lost", 1)]
    found: list[Contribution] = [(rep, at, "deals_won", 1)]
    value = definitions.value_of(deal.get("amount"), deal.get("currency"))
    if value is None:
        found.append((rep, at, "deals_without_rate", 1))
    else:
        found.append((rep, at, "deals_valued", 1))
        if value:
            found.append((rep, at, "revenue_won", value))
    created_at = deal.get("created_at")
    if created_at is not None:
        found.append((rep, at, "cycles", at - created_at))
    return found


_KINDS: Mapping[str, Callable[[Fields, Definitions], list[Contribution]]] = {
    "call": _call,
    "email": _email,
    "meeting": _meeting,
    "deal": _deal,
}

"""An event of Change Data Capture: its header, and the fields that it says something of.

Owns the shape of events, as the Pub/Sub API decodes them (every field of the schema is there, in its order; what did
not change is null) and as CometD has them (only what changed, by name). Does not know what fields mean.
https://developer.salesforce.com/docs/platform/pub-sub-api/guide/event-deserialization-considerations.html
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.connectors.events import ShapeError, object_member, text_member, whole_number
from schemas.connectors.salesforce.ids import whole_id

HEADER = "ChangeEventHeader"
MAX_RECORDS = 10_000
MAX_SEQUENCE = 999
MAX_MEMBERS = 4096
"""Of an event, and of bitmaps in its header: an object of Salesforce has some hundreds of fields."""
_BITMAPS = ("changedFields", "nulledFields")
_BITMAP = re.compile(r"(?:([0-9]{1,4})-)?0x([0-9A-Fa-f]{1,256})\Z")


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """What happened to which records, all of them alike."""

    entity: str
    type: str
    """`CREATE`, `UPDATE`, `DELETE`, `UNDELETE`, one of these behind `GAP_`, or `GAP_OVERFLOW`."""
    ids: Sequence[str]
    at: int
    """The version (microseconds): the commit, and in it the place in its transaction."""
    fields: Mapping[str, Any]
    """What it says something of; None clears a field."""


def read_change_event(event: Mapping[str, Any]) -> ObjectChange:
    """An event, its payload alone or within the envelope of either API. Raises ShapeError."""
    payload = _payload(event)
    header = object_member(payload, HEADER)
    for name, members in (("payload", payload), *((name, header.get(name)) for name in _BITMAPS)):
        if isinstance(members, dict | list) and len(members) > MAX_MEMBERS:
            raise ShapeError(name, f"has more than {MAX_MEMBERS} members")
    committed = whole_number(header.get("commitTimestamp"), "commitTimestamp", per_second=1000)
    sequence = header.get("sequenceNumber")
    place = sequence if isinstance(sequence, int) and not isinstance(sequence, bool) else 0
    return ObjectChange(
        text_member(header, "entityName"),
        text_member(header, "changeType"),
        _record_ids(header.get("recordIds")),
        committed + min(max(place, 0), MAX_SEQUENCE),
        _fields(payload, header),
    )


def _payload(event: Mapping[str, Any]) -> Mapping[str, Any]:
    data = event.get("data")
    inner = data.get("payload") if isinstance(data, dict) else event.get("payload")
    return inner if isinstance(inner, dict) else event


def _record_ids(value: Any) -> list[str]:
    if not isinstance(value, list) or not value or len(value) > MAX_RECORDS:
        raise ShapeError("recordIds", f"must be a list of 1 to {MAX_RECORDS} ids")
    found = []
    for id in value:
        try:
            whole = whole_id(id)
        except ValueError as error:
            if isinstance(id, str) and id.startswith("000"):  # of an overflow: no record at all
                continue
            raise ShapeError("recordIds", str(error)) from None
        if whole is not None:
            found.append(whole)
    return found


def _fields(payload: Mapping[str, Any], header: Mapping[str, Any]) -> dict[str, Any]:
    order = list(payload)
    changed = _bitmaps(header.get("changedFields"))
    if changed and not any(_BITMAP.match(each) for each in changed):  # by name: what is there has changed
        return {name: value for name, value in payload.items() if name != HEADER}
    nulled = _bitmaps(header.get("nulledFields"))
    cleared = set(named_fields(nulled, order))
    said = {name: value for name, value in payload.items() if name != HEADER and (value is not None or name in cleared)}
    # A part of it was cleared, and no other part is told.
    return said | {name: {} for name in _parents(nulled, order) if payload[name] is None and name not in cleared}


def _bitmaps(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _parents(bitmaps: Sequence[str], order: Sequence[str]) -> list[str]:
    """The fields of which bitmaps name components."""
    found = (match for match in map(_BITMAP.match, bitmaps) if match is not None and match[1] is not None)
    return [order[int(match[1])] for match in found if int(match[1]) < len(order)]


def named_fields(
    bitmaps: Sequence[str], order: Sequence[str], nested: Mapping[str, Sequence[str]] | None = None
) -> list[str]:
    """The fields that bitmaps name, by the order of the event's own schema: bit n from the right is field n.

    A bitmap behind a position is of the components of the field there, as `nested` names them.
    """
    found: list[str] = []
    for bitmap in bitmaps:
        match = _BITMAP.match(bitmap)
        if match is None:
            continue
        position, bits = match[1], int(match[2], 16)
        if position is None:
            found += [name for place, name in enumerate(order) if bits >> place & 1]
        elif int(position) < len(order):
            parent = order[int(position)]
            components = (nested or {}).get(parent, ())
            found += [f"{parent}.{name}" for place, name in enumerate(components) if bits >> place & 1]
    return found

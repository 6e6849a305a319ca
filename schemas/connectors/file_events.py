"""What files brought into a connection of any kind.

Owns the reading of deliveries that `floorcast backfill NAME FILE` makes: floorcast's own events, with what only a file
can say.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.connectors.base import Parsed
from schemas.connectors.events import Statement, instant_member, object_member, own_id, read_events, text_member
from schemas.connectors.fields import ServedId
from schemas.deliveries import Delivery
from schemas.records import DELETED, FIELDS

NAME = "floorcast-file"
"""Header: the name of the file."""
DIGEST = "floorcast-file-digest"
"""Header: which content the file had."""
LINE = "floorcast-file-line"
"""Header: the number of the first line."""
SERVED = "served"
"""The member of a reference that is an id of the roster, in no connection's namespace."""
UNMAPPED = "unmapped"
"""The member of an event with the words of the file that mean nothing here, by field."""


def read_file_events(delivery: Delivery, namespace: str) -> Parsed:
    """What lines of a file say, in a delivery whose `BROUGHT_BY` is `FILE`, of a connection of any kind."""
    return read_events(delivery, _statements, namespace=namespace, clock="changed_at")


def _statements(event: Mapping[str, Any], parsed: Parsed) -> Iterator[Statement]:
    kind = text_member(event, "record")
    if kind not in FIELDS:
        parsed.ignore_unknown(kind, kind)
        return
    unmapped = event.get(UNMAPPED)
    for field, word in unmapped.items() if isinstance(unmapped, dict) else ():
        parsed.ignore_unmapped(kind, str(field), str(word))
    yield Statement(
        kind,
        own_id(event.get("id"), "id"),
        instant_member(text_member(event, "changed_at"), "changed_at"),
        {name: _reference(value) for name, value in object_member(event, "fields").items()},
        event.get(DELETED),
    )


def _reference(value: Any) -> Any:
    if isinstance(value, list):
        return [_reference(each) for each in value]
    return ServedId(value[SERVED]) if isinstance(value, dict) and value.keys() == {SERVED} else value

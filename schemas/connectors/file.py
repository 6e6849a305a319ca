"""Kind `file`, and what files brought into a connection of any kind.

Owns the settings of `file`, and the reading of deliveries that `floorcast backfill NAME FILE` makes: floorcast's own
events, with what only a file can say.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field, SecretStr

from schemas.connectors.base import Parsed, SignatureError, SignedRequest
from schemas.connectors.events import Statement, instant_member, object_member, own_id, read_events, text_member
from schemas.connectors.fields import ServedId
from schemas.connectors.generic import Generic
from schemas.connectors.kinds import ConnectorKind
from schemas.connectors.words import CrmConnection
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


class FileConnection(CrmConnection):
    """Files alone: a POST to `/webhooks/{name}` is 404."""

    kind: Literal["file"]
    secrets: list[SecretStr] = Field(default_factory=list, max_length=0)
    """None: nothing is posted."""


class File:
    """Connector of kind `file`."""

    kept_headers = frozenset({"content-type"})

    def __init__(self, *, namespace: str = "") -> None:
        self.namespace = namespace
        self._events = Generic(keys=(), namespace=namespace)

    def verify(self, request: SignedRequest, now: int) -> None:
        """Refuse: nobody can prove to be a file."""
        raise SignatureError("nothing is posted to a connection of kind file")

    def parse(self, delivery: Delivery) -> Parsed:
        """Events of the contract."""
        return self._events.parse(delivery)


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


def build_file(connection: FileConnection) -> File:
    """Make the connector of a `file` connection."""
    return File(namespace=connection.namespace)


FILE = ConnectorKind(FileConnection, build_file, takes_webhooks=False)

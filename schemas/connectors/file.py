"""Kind `file`: a connection to which nothing is posted.

Owns its settings. What is brought from a file, into a connection of any kind, is read in `file_events.py`.
"""

from typing import Literal

from pydantic import Field, SecretStr

from schemas.connectors.base import Parsed, SignatureError, SignedRequest
from schemas.connectors.generic import Generic
from schemas.connectors.kinds import ConnectorKind
from schemas.connectors.words import CrmConnection
from schemas.deliveries import Delivery


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


def build_file(connection: FileConnection) -> File:
    """Make the connector of a `file` connection."""
    return File(namespace=connection.namespace)


FILE = ConnectorKind(FileConnection, build_file, takes_webhooks=False)

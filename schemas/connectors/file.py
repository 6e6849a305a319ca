"""Kind `file`: a connection to which nothing is posted.

Owns its settings. What is brought from a file, into a connection of any kind, is read in `file_events.py`.
"""

from typing import Literal

from pydantic import Field, SecretStr

from schemas.connectors.base import SignatureError, SignedRequest
from schemas.connectors.generic import Generic
from schemas.connectors.kinds import ConnectorKind
from schemas.connectors.words import CrmConnection


class FileConnection(CrmConnection):
    """Files alone: a POST to `/webhooks/{name}` is 404."""

    kind: Literal["file"]
    secrets: list[SecretStr] = Field(default_factory=list, max_length=0)
    """None: nothing is posted."""


class File(Generic):
    """Connector of kind `file`: events of the contract, and no envelopes."""

    kept_headers = frozenset({"content-type"})

    def __init__(self, connection: FileConnection) -> None:
        super().__init__(keys=(), namespace=connection.namespace, currency=connection.currency)

    def verify(self, request: SignedRequest, now: int) -> None:
        """Refuse: nobody can prove to be a file."""
        raise SignatureError("nothing is posted to a connection of kind file")


FILE = ConnectorKind(FileConnection, File, takes_webhooks=False)

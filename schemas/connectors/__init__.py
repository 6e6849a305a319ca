"""The CRMs that floorcast understands: the registry of kinds of connections.

Owns the choice of settings and connector for an entry of `connections`. A new CRM is one file (or folder) here and one
line below.
"""

from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter

from schemas.connectors.aircall import AIRCALL
from schemas.connectors.asking import CrmSource
from schemas.connectors.base import Connector
from schemas.connectors.close import CLOSE
from schemas.connectors.connection import Connection
from schemas.connectors.currency import InCurrency
from schemas.connectors.file import FILE
from schemas.connectors.generic import GENERIC
from schemas.connectors.hubspot import HUBSPOT
from schemas.connectors.kinds import ConnectorKind
from schemas.connectors.pipedrive import PIPEDRIVE
from schemas.connectors.salesforce import SALESFORCE
from schemas.connectors.zoho import ZOHO

KINDS: Mapping[str, ConnectorKind[Any]] = {
    "aircall": AIRCALL,
    "close": CLOSE,
    "file": FILE,
    "generic": GENERIC,
    "hubspot": HUBSPOT,
    "pipedrive": PIPEDRIVE,
    "salesforce": SALESFORCE,
    "zoho": ZOHO,
}

if TYPE_CHECKING:
    AnyConnection = Connection
else:  # a registry cannot be written as a type
    AnyConnection = Annotated[reduce(or_, (kind.settings for kind in KINDS.values())), Field(discriminator="kind")]

_read = TypeAdapter(AnyConnection, config=ConfigDict(hide_input_in_errors=True)).validate_python


def read_connection(entry: Mapping[str, Any]) -> Connection:
    """The settings in an entry of `connections`. Raises pydantic's ValidationError."""
    return _read(entry)


def build_connector(connection: Connection) -> Connector:
    """Give the connector of a connection that was read."""
    connector: Connector = KINDS[connection.kind].build(connection)
    return connector if connection.currency is None else InCurrency(connector, connection.currency)


def build_source(connection: Connection) -> CrmSource | None:
    """What the API of a connection is asked; None: it has none, or names none."""
    source: CrmSource | None = KINDS[connection.kind].source(connection)
    return source


def daily_limit(connection: Connection) -> int | None:
    """How many requests a day an API allows, as the settings say where it does not tell; None: they do not."""
    limit: int | None = getattr(getattr(connection, "api", None), "daily_limit", None)
    return limit


__all__ = [
    "KINDS",
    "AnyConnection",
    "Connection",
    "Connector",
    "Kind",
    "Source",
    "build_connector",
    "build_source",
    "daily_limit",
    "read_connection",
]

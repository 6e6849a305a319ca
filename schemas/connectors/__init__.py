"""The CRMs that floorcast understands: the registry of kinds of connections.

Owns the choice of settings and connector for an entry of `connections`. A new CRM is one file (or folder) here and one
line below. None is imported before it is asked for.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ConfigDict, TypeAdapter

from schemas.connectors.base import Connector
from schemas.connectors.connection import Connection
from schemas.connectors.kinds import ConnectorKind
from schemas.documents.by_kind import ByKind

if TYPE_CHECKING:
    from schemas.connectors.asking import CrmSource

KINDS = {
    "aircall": ("schemas.connectors.aircall.connector", "AIRCALL"),
    "close": ("schemas.connectors.close.connector", "CLOSE"),
    "file": ("schemas.connectors.file", "FILE"),
    "generic": ("schemas.connectors.generic", "GENERIC"),
    "hubspot": ("schemas.connectors.hubspot.connector", "HUBSPOT"),
    "pipedrive": ("schemas.connectors.pipedrive.connector", "PIPEDRIVE"),
    "salesforce": ("schemas.connectors.salesforce.connector", "SALESFORCE"),
    "zoho": ("schemas.connectors.zoho.connector", "ZOHO"),
}
"""All kinds by name, each with the module and the constant that say what it is."""


def kind_of(name: str) -> ConnectorKind[Any]:
    """The kind of that name. It is imported when it is asked for: a configuration has one or two of them."""
    module, constant = KINDS[name]
    kind: ConnectorKind[Any] = getattr(import_module(module), constant)
    return kind


_BY_KIND = ByKind(tuple(KINDS), lambda kind: kind_of(kind).settings)
AnyConnection = Annotated[Connection, _BY_KIND]

_read = TypeAdapter[Connection](Annotated[Any, _BY_KIND], config=ConfigDict(hide_input_in_errors=True)).validate_python


def read_connection(entry: Mapping[str, Any]) -> Connection:
    """The settings in an entry of `connections`. Raises pydantic's ValidationError."""
    return _read(entry)


def build_connector(connection: Connection) -> Connector:
    """Give the connector of a connection that was read."""
    connector: Connector = kind_of(connection.kind).build(connection)
    return connector


def build_source(connection: Connection) -> "CrmSource | None":
    """What the API of a connection is asked; None: it has none, or names none."""
    source: CrmSource | None = kind_of(connection.kind).source(connection)
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
    "build_connector",
    "build_source",
    "daily_limit",
    "kind_of",
    "read_connection",
]

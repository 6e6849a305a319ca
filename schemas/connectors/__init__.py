"""The CRMs that floorcast understands: the registry of connectors by `kind`.

Owns the choice of the connector for a connection of `floorcast.yaml`. A new CRM is one file here and one line below.
"""

from collections.abc import Callable, Mapping

from schemas.config import Connection
from schemas.connectors.base import Connector
from schemas.connectors.generic import build_generic
from schemas.connectors.hubspot import build_hubspot

CONNECTORS: Mapping[str, Callable[[Connection], Connector]] = {
    "generic": build_generic,
    "hubspot": build_hubspot,
}


def build_connector(config: Connection) -> Connector:
    """Give the connector of a connection. Raises SecretError (a ValueError) that names the secret it cannot use."""
    return CONNECTORS[config.kind](config)

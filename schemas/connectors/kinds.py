"""What a kind of connection brings along: the settings of its entry in `floorcast.yaml`, and its connector.

Owns the pair. Knows no kind: the registry is in `__init__.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from schemas.connectors.connection import Connection

if TYPE_CHECKING:
    from schemas.connectors.asking import CrmSource
    from schemas.connectors.base import Connector
    from schemas.connectors.tables import Table

_Settings = TypeVar("_Settings", bound=Connection)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a vendor wants to be answered once its delivery is stored."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class ConnectorKind(Generic[_Settings]):
    """One kind of connection."""

    settings: type[_Settings]
    """Has `kind: Literal[<its name>]`, and checks all that can be checked without asking anybody."""
    build: "Callable[[_Settings], Connector]"
    """Called with valid settings."""
    source: "Callable[[_Settings], CrmSource | None]" = lambda _settings: None
    """What its API is asked; None: it has none, or the connection does not name it."""
    objects: "Sequence[Table]" = ()
    """What the vendor's objects say, for its page."""
    receipt: Receipt | None = None
    """None: 202 and the delivery's id."""
    has_secret_path: bool = False
    """Whether a part of the path behind the connection's name is what proves a delivery."""
    takes_webhooks: bool = True
    """Whether anything is posted to such a connection."""

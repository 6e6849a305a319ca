"""The currency of a connection: of amounts beside which its CRM names none. Pure.

What a CRM names wins, whenever it says so: the connection's currency is a voice that yields (schemas/voices.py). It
speaks when a record is made without one, with each amount that comes alone, and where the CRM clears the currency.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from schemas.connectors.base import Connector, Parsed, SignedRequest
from schemas.deliveries import Delivery
from schemas.records import FIELDS, HASH_MASK, RecordChange, make_change
from schemas.voices import FURTHER

CURRENCY = "currency"
(_VOICE,) = FURTHER[CURRENCY]
MONEY = frozenset({"amount", "cost", "list_amount", "value", "monthly_amount"})
"""Amounts, whose currency stands beside them."""
_MADE: Mapping[str, str] = {
    "lead": "received_at", "deal": "created_at", "credit": "at", "subscription": "starts_at", "activity": "at",
}  # fmt: skip
"""The instant that says of a record that it was made."""


@dataclass(frozen=True, slots=True)
class InCurrency:
    """A connector whose connection names a currency."""

    connector: Connector
    currency: str

    @property
    def namespace(self) -> str:
        """That of the connector."""
        return self.connector.namespace

    @property
    def kept_headers(self) -> frozenset[str]:
        """Those of the connector."""
        return self.connector.kept_headers

    def verify(self, request: SignedRequest, now: int) -> None:
        """As the connector does."""
        self.connector.verify(request, now)

    def parse(self, delivery: Delivery) -> Parsed:
        """As the connector does; `complete` adds the currency, to what a file says too."""
        return self.connector.parse(delivery)

    def complete(self, changes: Sequence[RecordChange]) -> list[RecordChange]:
        """The changes of a delivery, with the currency of amounts that have none."""
        return [self._told(change) if _names_none(change) else change for change in changes]

    def _told(self, change: RecordChange) -> RecordChange:
        made = make_change(
            kind=change.kind, id=change.id, changed_at=change.changed_at, received_at=change.received_at,
            fields=change.fields | {_VOICE: self.currency},
        )  # fmt: skip
        return replace(made, digest=made.digest | change.digest & ~HASH_MASK)  # at its place


def _names_none(change: RecordChange) -> bool:
    if CURRENCY not in FIELDS[change.kind]:
        return False
    if CURRENCY in change.fields:
        return change.fields[CURRENCY] is None
    return any(change.fields.get(name) is not None for name in MONEY) or _is_made(change)


def _is_made(change: RecordChange) -> bool:
    made = _MADE.get(change.kind)
    return any(name.partition("#")[0] == made and value is not None for name, value in change.fields.items())

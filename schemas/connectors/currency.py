"""The currency of a connection: of amounts beside which its CRM names none. Pure.

What a CRM names wins, whenever it says so. So a record is given the connection's currency where it is told of as a
whole (when it is made, by the API, by a file) without one, and where the CRM clears it; an amount that is edited alone
keeps what stands beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from schemas.connectors.base import Connector, Parsed, SignedRequest
from schemas.deliveries import ASKED, FILE, SOURCE, Delivery
from schemas.records import FIELDS, HASH_MASK, RecordChange, make_change

CURRENCY = "currency"
MONEY = frozenset({"amount", "cost", "list_amount", "value", "monthly_amount"})
"""Amounts, whose currency stands beside them."""
_MADE: Mapping[str, str] = {
    "lead": "received_at", "deal": "created_at", "credit": "at", "subscription": "starts_at", "activity": "at",
}  # fmt: skip
"""The instant that says of a record that it was made."""
_WHOLE = ASKED | {FILE}


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

    def complete(self, changes: Sequence[RecordChange], delivery: Delivery) -> list[RecordChange]:
        """The changes of a delivery, with the currency of amounts that have none."""
        named = {(change.kind, change.id) for change in changes if CURRENCY in change.fields}
        is_whole = delivery.headers.get(SOURCE) in _WHOLE
        found: list[RecordChange] = []
        for change in changes:
            if CURRENCY in change.fields:
                found.append(change if change.fields[CURRENCY] is not None else self._cleared(change))
                continue
            found.append(change)
            if CURRENCY not in FIELDS[change.kind] or (change.kind, change.id) in named:
                continue
            if (is_whole and any(change.fields.get(name) is not None for name in MONEY)) or _is_made(change):
                named.add((change.kind, change.id))
                found.append(self._told(change))
        return found

    def _cleared(self, change: RecordChange) -> RecordChange:
        made = make_change(
            kind=change.kind, id=change.id, changed_at=change.changed_at, received_at=change.received_at,
            fields=change.fields | {CURRENCY: self.currency},
        )  # fmt: skip
        return replace(made, digest=made.digest | change.digest & ~HASH_MASK)  # at its place

    def _told(self, change: RecordChange) -> RecordChange:
        """It yields to what the CRM names at that very instant, in another delivery."""
        return make_change(
            kind=change.kind, id=change.id, changed_at=change.changed_at - 1, received_at=change.received_at,
            fields={CURRENCY: self.currency},
        )  # fmt: skip


def _is_made(change: RecordChange) -> bool:
    made = _MADE.get(change.kind)
    return any(name.partition("#")[0] == made and value is not None for name, value in change.fields.items())

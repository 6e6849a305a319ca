"""The currency of a connection: of amounts beside which its CRM names none. Pure.

What a CRM names wins, whenever it says so: the connection's currency is a voice that yields (schemas/voices.py). It
speaks when a record is made without one, with each amount that comes alone, and where the CRM clears the currency.
"""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

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


def in_currency(changes: Sequence[RecordChange], currency: str) -> list[RecordChange]:
    """The changes of a delivery, or of a file, with the currency of amounts that have none."""
    return [_told(change, currency) if _names_none(change) else change for change in changes]


def _told(change: RecordChange, currency: str) -> RecordChange:
    made = make_change(
        kind=change.kind, id=change.id, changed_at=change.changed_at, received_at=change.received_at,
        fields=change.fields | {_VOICE: currency},
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

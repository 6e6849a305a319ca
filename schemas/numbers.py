"""Telephone numbers as they are kept: whose call it is by another connection, and nothing that could be dialled.

Owns what stands in a call's field `number` once its delivery was read: a keyed hash of the digits, and the connection
that said it. Only connections that take part in a `match` keep one. Reads no topic and knows no rule of matching.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING

from msgspec import structs

from schemas.records import HASH_MASK, NUMBER, RecordChange, Value, make_change

if TYPE_CHECKING:
    from schemas.connectors.connection import Connection

KEY_SIZE = 32
"""Bytes of the key: as many as a deployment makes once, at random."""
HASH_DIGITS = 32
_AT = "@"


@dataclass(frozen=True, slots=True)
class PhoneNumbers:
    """Which connections' numbers are kept, and the key that hides them."""

    key: bytes = b""
    connections: Collection[str] = field(default_factory=frozenset)

    def hidden(self, connection: str, changes: list[RecordChange]) -> list[RecordChange]:
        """The changes of a delivery with their numbers as they are kept; the same list where none has one.

        A number that nobody compares is left out, and with it a change that said nothing else.
        """
        for change in changes:
            if change.kind == "call" and NUMBER in change.fields:
                return list(self._hidden(connection, changes))
        return changes

    def _hidden(self, connection: str, changes: Sequence[RecordChange]) -> Iterator[RecordChange]:
        is_kept = connection in self.connections
        for change in changes:
            if change.kind != "call" or NUMBER not in change.fields:
                yield change
                continue
            fields = dict(change.fields)
            number = fields.pop(NUMBER)
            if is_kept:
                fields[NUMBER] = hide(number, connection, self.key) if isinstance(number, str) else None
            if fields:
                yield _with(change, fields)


NONE_KEPT = PhoneNumbers()


def hide(number: str, connection: str, key: bytes) -> str:
    """What is kept of the digits of a number."""
    return f"{blake2b(number.encode(), key=key, digest_size=HASH_DIGITS // 2).hexdigest()}{_AT}{connection}"


def hash_of(kept: str) -> str:
    """The part that is the same whoever said the number: the group that its calls are in."""
    return kept.partition(_AT)[0]


def teller_of(kept: str) -> str:
    """The connection that said it."""
    return kept.partition(_AT)[2]


def compared(connections: "Mapping[str, Connection]") -> frozenset[str]:
    """The connections that take part in a `match`: those that have one, and those that they name."""
    pairs = ((name, each.match.calls.other) for name, each in connections.items() if each.match is not None)
    return frozenset(name for pair in pairs for name in pair)


def _with(change: RecordChange, fields: Mapping[str, Value]) -> RecordChange:
    # The digest says nothing of a number either: ten digits are soon tried.
    made = make_change(
        kind=change.kind, id=change.id, changed_at=change.changed_at, fields=fields, received_at=change.received_at
    )
    return structs.replace(made, digest=change.digest & ~HASH_MASK | made.digest)

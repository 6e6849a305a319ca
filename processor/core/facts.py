"""The records that a group has heard of, as much of them as it takes to derive from.

Owns the reading of a group's rows. Merges nothing and decides nothing: see groups.py.
"""

from collections.abc import Callable, Mapping
from typing import Any

from processor.core.retention import first_version
from schemas.records import DELETED, Record, decode_record, decode_values

_NEVER = 2**62


class Known:
    """What a call, a mail or a meeting says now, without the versions of it."""

    __slots__ = ("get", "is_deleted", "kind", "set_at")

    def __init__(self, row: bytes) -> None:
        """Raises msgspec.MsgspecError."""
        self.kind, set_at, values = decode_values(row)
        self.get: Callable[[str], Any] = values.get
        """Current value of a field; None where it was never set or was cleared."""
        self.is_deleted = values.get(DELETED) is True
        self.set_at = set_at if values else _NEVER
        """As `first_version` gives it."""


class GroupFacts:
    """All records of one group. Leads are whole: their past and where they were merged to have a say."""

    __slots__ = ("first_set_at", "is_any_empty", "leads", "others")

    def __init__(self, rows: Mapping[str, bytes]) -> None:
        """`rows` by the record's key. A row is read in a third of the time that `decode_record` takes."""
        self.leads: dict[str, Record] = {}
        """By id."""
        self.others: dict[str, Known] = {}
        """By key."""
        first, last = _NEVER, -_NEVER
        for key, row in rows.items():
            if key.startswith("lead|"):
                lead = self.leads[key[5:]] = decode_record(row)
                set_at = first_version(lead)
            else:
                other = self.others[key] = Known(row)
                set_at = other.set_at
            first, last = min(first, set_at), max(last, set_at)
        self.first_set_at = first
        """When one of their fields was set (microseconds): a bound of all instants that they name, from below."""
        self.is_any_empty = last == _NEVER
        """Whether of one of them no field was ever set."""

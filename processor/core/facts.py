"""The records that a group has heard of, as much of them as it takes to derive from.

Owns the reading of a group's rows. Merges nothing and decides nothing: see groups.py.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from processor.core import bounds
from processor.core.bounds import SEPARATOR, smallest
from processor.core.deals import deal_row, joined_stays
from processor.core.retention import first_version
from schemas.numbers import HASH_DIGITS
from schemas.records import DELETED, NUMBER, Record, decode_record, decode_values

_NEVER = 2**62
_GROUP_SIZE = len(NUMBER) + 1 + HASH_DIGITS


class CurrentValues:
    """What a group reads of a record that the ledger owns: the current values of its fields, without their versions.

    Of a deal they are the values of its row.
    """

    __slots__ = ("get", "is_deleted", "is_elsewhere", "kind", "set_at", "stays", "values")

    def __init__(self, row: bytes) -> None:
        """Raises msgspec.MsgspecError."""
        self.kind, set_at, values = decode_values(row)
        self.values: Mapping[str, Any] = values
        """By name, of the fields that were ever set."""
        self.stays: list[tuple[int, str | None]] = []
        """Of a deal, as `joined_stays` gives them."""
        if self.kind == "deal" and values:
            deal = decode_record(row)
            self.stays = joined_stays(deal)
            self.values = deal_row(deal, self.stays)
        self.get: Callable[[str], Any] = self.values.get
        """Current value of a field; None where it was never set or was cleared."""
        self.is_deleted = values.get(DELETED) is True
        self.is_elsewhere = not values
        """Whether it names another group now, or none: then nothing else is known of it."""
        self.set_at = set_at if values else set_at or _NEVER
        """As `first_version` gives it."""


def is_shown(via: str) -> bool:
    """Whether a lead's group was told of a record by the group of a number, and not by a lead that was merged into it.

    The group of a number tells of a call that makes one of the lead's calls a duplicate.
    """
    return len(via) == _GROUP_SIZE and via.startswith(f"{NUMBER}:")


def is_copy(group: str, place: str) -> bool:
    """Whether a row of the group at that place is there of what is shown: to a lead, or by the group of a number."""
    via, separator, _ = place.rpartition(SEPARATOR)
    return bool(separator) and (is_shown(via) or is_shown(group))


def earliest(instants: Iterable[int | None]) -> int | None:
    """The first of those that are known."""
    return min((at for at in instants if at is not None), default=None)


def _itself(lead: str) -> str:
    return lead


class GroupFacts:
    """All records of one group. Leads are whole: their past has a say."""

    __slots__ = ("elsewhere", "first_set_at", "is_any_empty", "leads", "others", "root", "written_to")

    def __init__(
        self, rows: Mapping[str, bytes], *, lead: str | None = None, root_of: Callable[[str], str] = _itself
    ) -> None:
        """`rows` by the record's key, after the merged lead's id and a separator where such a one hands it on.

        `lead`: whose group it is; of what was handed on only that counts whose lead ends here (`root_of`).
        """
        self.leads: dict[str, Record] = {}
        """By id: the lead itself and those merged into it."""
        self.others: dict[str, CurrentValues] = {}
        """By key: those that name one of these leads, the thread, the customer, or the number."""
        self.written_to: set[str] = set()
        """Keys of those of them, mails, that have a lead only among the contacts to whom they went."""
        self.elsewhere: list[CurrentValues] = []
        """Of a lead, calls that need not be its own: those that the groups of numbers show to its duplicates."""
        self.root = None if lead is None else root_of(lead)
        """Where the lead's own chain of merges ends."""
        # Whoever is written to is a lead only if the CRM has said anything of one.
        written_to: dict[str, bool] = {}
        instants: list[int] = []
        found: dict[str, tuple[str, CurrentValues]] = {}
        for place, row in rows.items():
            via, _, key = place.rpartition(SEPARATOR)
            is_ours = not via or root_of(via) == lead
            if via and is_shown(via):
                call = CurrentValues(row)
                set_at = call.set_at
                self.elsewhere.append(call)
            elif key.startswith("lead|"):
                record = decode_record(row)
                set_at = first_version(record)
                if is_ours:
                    self.leads[key[5:]] = record
            else:
                other = CurrentValues(row)
                set_at = other.set_at
                if is_ours:
                    found[place] = (key, other)
                    # A merged lead may hand on that it is elsewhere what names the one that stays.
                    if other.kind == "email" and lead is not None and not other.is_elsewhere:
                        named = other.get("lead")
                        is_its = named is not None and root_of(named) == lead
                        written_to[key] = written_to.get(key, True) and not is_its
            instants.append(set_at)
        if len(found) > bounds.GROUP_LIMIT:
            # Each merged lead hands on as many as a group takes.
            within = smallest(found, bounds.GROUP_LIMIT)
            found = {place: entry for place, entry in found.items() if place in within}
        self.others = {key: other for key, other in found.values() if not other.is_elsewhere}
        if any(written_to.values()):
            self.written_to = {key for key, is_contact in written_to.items() if is_contact and key in self.others}
            own = self.leads.get(lead or "")
            if not self.leads or (own is not None and own.is_deleted):
                self.others = {key: other for key, other in self.others.items() if key not in self.written_to}
                self.written_to = set()
        self.first_set_at = min(instants, default=_NEVER)
        """When one of their fields was set (microseconds): a bound of all instants that they name, from below."""
        self.is_any_empty = _NEVER in instants
        """Whether of one of them no field was ever set."""

"""What a simulated CRM knows of its records, and how it tells of them.

Owns the memory from which a floor draws what to go on with, and the shape of an event. Pure.
"""

from dataclasses import dataclass
from random import Random
from typing import Any

from schemas.instants import format_instant

CrmEvent = dict[str, Any]
"""One event of kind `generic`."""

_REMEMBERED = 20_000
_RECENT = 200


@dataclass(slots=True)
class KnownRecord:
    """A record as the CRM last had it."""

    kind: str
    id: str
    fields: dict[str, Any]
    """Instants are microseconds here."""
    changed_at: int
    deleted: bool = False


class Memory:
    """The last few thousand records of one sort; any of them can be drawn in constant time."""

    def __init__(self) -> None:
        self._items: list[KnownRecord] = []
        self._oldest = 0

    def __len__(self) -> int:
        return len(self._items)

    def add(self, known: KnownRecord) -> None:
        if len(self._items) < _REMEMBERED:
            self._items.append(known)
        else:
            self._items[self._oldest] = known
            self._oldest = (self._oldest + 1) % _REMEMBERED

    def draw(self, random: Random) -> KnownRecord | None:
        return self._items[random.randrange(len(self._items))] if self._items else None

    def draw_recent(self, random: Random) -> KnownRecord | None:
        """Any of the last few hundred (roughly: once it is full, their place goes round)."""
        count = len(self._items)
        if not count:
            return None
        newest = (self._oldest - 1) % count if count == _REMEMBERED else count - 1
        return self._items[(newest - random.randrange(min(_RECENT, count))) % count]


INSTANTS = frozenset(
    {
        "dialed_at", "answered_at", "ended_at", "sent_at", "booked_at", "starts_at", "ends_at", "received_at",
        "assigned_at", "entered_stage_at", "created_at", "closed_at", "since", "until", "at",
        "logged_at", "next_step_at",
    }
)  # fmt: skip


def as_event(kind: str, record_id: str, at: int, fields: dict[str, Any]) -> CrmEvent:
    """What the CRM tells of these fields of a record, set at that instant (microseconds)."""
    return {
        "record": kind,
        "id": record_id,
        "changed_at": format_instant(at),
        "fields": {
            name: format_instant(value) if name in INSTANTS and isinstance(value, int) else value
            for name, value in fields.items()
        },
    }

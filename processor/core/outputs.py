"""What a batch changes: of the ledger of a partition, and of its groups. Owns how the parts of one batch are joined."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import TypeVar

from processor.core.panes import Message
from schemas.frames import Engagement
from schemas.late import LateChange


@dataclass(slots=True)
class LedgerOutput:
    """What a batch has changed."""

    rows: list[Message] = field(default_factory=list)
    panes: list[Message] = field(default_factory=list)
    roster: list[Message] = field(default_factory=list)
    deals: list[Message] = field(default_factory=list)
    """What lists show of deals."""
    engagements: list[Engagement] = field(default_factory=list)
    late: list[LateChange] = field(default_factory=list)
    """Changes to what is older than what is kept."""
    duplicates: int = 0
    """Changes that said nothing new."""
    damaged: list[bytes] = field(default_factory=list)
    """Keys of rows that are none: they are let go."""
    dropped: int = 0
    """Values of pointers that were too many for their records to remember."""


@dataclass(slots=True)
class GroupsOutput:
    """What a batch has changed."""

    rows: list[Message] = field(default_factory=list)
    panes: list[Message] = field(default_factory=list)
    clocks: list[Message] = field(default_factory=list)
    engagements: list[Engagement] = field(default_factory=list)
    """For the roots of leads of ours that were merged."""
    expired: list[str] = field(default_factory=list)
    """Leads whose groups are gone: nothing is kept of them any more."""
    duplicates: int = 0
    """Engagements that said nothing new."""
    refused: int = 0
    """Records that a group has not taken, or had to let go, because it is full."""


_Output = TypeVar("_Output", LedgerOutput, GroupsOutput)


def joined(parts: Iterable[_Output]) -> _Output:
    """All parts of one batch as one: their lists one after the other, their numbers added up."""
    first, *others = parts
    for part in others:
        for each in fields(first):
            held = getattr(first, each.name)
            held += getattr(part, each.name)
            setattr(first, each.name, held)
    return first

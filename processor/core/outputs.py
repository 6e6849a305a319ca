"""What a batch changes of the groups of a partition. Owns how the parts of one are joined."""

from dataclasses import dataclass, field

from processor.core.panes import Message
from schemas.frames import Engagement


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

    def add(self, part: "GroupsOutput") -> None:
        """What another part of the same batch has changed, after this one."""
        self.rows += part.rows
        self.panes += part.panes
        self.clocks += part.clocks
        self.engagements += part.engagements
        self.expired += part.expired
        self.duplicates += part.duplicates
        self.refused += part.refused

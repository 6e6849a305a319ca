"""The changes of some frames, as a batch of the ledger takes them in.

Owns how a batch is read, whole or not at all frame by frame. What a frame looks like is for `schemas.frames` to say.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from processor.native import COMPILED
from schemas.damage import check_row
from schemas.frames import decode_changes
from schemas.records import RecordChange

if TYPE_CHECKING:
    from processor.native import batch

ChangesReceived: TypeAlias = "ChangeBatch | batch.ChangeBatch"
"""Changes in their order, and when they came; decoded or not."""

Changes: TypeAlias = "Sequence[RecordChange] | ChangesReceived"
"""What a ledger folds."""


class ChangeBatch:
    """A batch, decoded."""

    def __init__(self, changes: Iterable[RecordChange] = ()) -> None:
        self._changes = list(changes)

    def __len__(self) -> int:
        return len(self._changes)

    def __iter__(self) -> Iterator[RecordChange]:
        return iter(self._changes)

    @property
    def oldest_at(self) -> int:
        """The oldest receipt among them (microseconds). ValueError if there is none."""
        return min(change.received_at for change in self._changes)

    @property
    def newest_at(self) -> int:
        """The newest receipt among them (microseconds). ValueError if there is none."""
        return max(change.received_at for change in self._changes)

    def add(self, frame: bytes) -> None:
        """Take in what a frame holds. Raises msgspec.MsgspecError if it cannot be read: then nothing of it is taken."""
        self._changes += decode_changes(frame).changes

    def parts(self, cutoff_at: Callable[[int], int]) -> "list[ChangeBatch]":
        """Cut by where the cutoff lies at a receipt, the earliest part first. That never falls while receipts grow."""
        found: dict[int, list[RecordChange]] = {}
        for change in self._changes:
            found.setdefault(cutoff_at(change.received_at), []).append(change)
        return [ChangeBatch(part) for _, part in sorted(found.items())]


def new_batch(*, compiled: bool = COMPILED) -> ChangesReceived:
    """An empty one; `compiled`: that leaves what is plain in its frame, for a ledger that takes it from there."""
    if compiled:
        from processor.native import batch  # noqa: PLC0415 - it may not be there

        return batch.ChangeBatch()
    return ChangeBatch()


def row_check(*, compiled: bool = COMPILED) -> Callable[[bytes], None]:
    """What raises msgspec.MsgspecError of a row that is none; `compiled`: that need not read what is plain for it."""
    if not compiled:
        return check_row
    from processor.native.rows import is_plain  # noqa: PLC0415 - it may not be there

    def check(row: bytes) -> None:
        if not is_plain(row):
            check_row(row)

    return check

"""Frames: many changes or engagements for one partition in one message.

Owns the frames' shape, their split below 1 MiB, and which partition a record or group belongs to.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar
from zlib import crc32

import msgspec

from schemas.damage import DamagedError, check_change, check_row, is_name
from schemas.instants import EARLIEST, LATEST
from schemas.records import RecordChange

_Item = TypeVar("_Item")

MAX_FRAME = 1_000_000
"""Bytes; topics take 2 MiB, so that one large change still fits."""


QUIET = b"quiet"
"""Key of a frame that tells of what was not told by a webhook: what it makes due already sends no message."""
QUIETLY = (QUIET.decode(), b"1")
"""Header of the panes that such a frame has changed: nor does the limit that a number crosses by them."""

ROSTER_GROUP = "roster"
"""The group of all `rep` records. Every partition has it: teams decide on SLA rules and calendars of any lead."""
MERGES_GROUP = "merges"
"""The group of all leads that were ever merged, with where they point. Every partition has it: where the chain of any
lead ends is known everywhere, however long it is."""
EVERYWHERE = frozenset({ROSTER_GROUP, MERGES_GROUP})


class Engagement(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one record means to a group, as its whole state with versions.

    The receiver joins it, so a stale one does no harm. The group that a pointer names hears the record whole; one that
    it names no more hears so once: "points elsewhere now" is a value like any other.
    """

    group: str
    """`lead:<id>`, `thread:<id>`, `customer:<id>`, `roster` or `merges`."""
    record: str
    """Key of the record, `kind|id`."""
    row: bytes
    """The record as `Record.encode` writes it, or what `encode_elsewhere` says of it."""
    via: str = ""
    """The merged lead whose group hands this on to its root; empty: the ledger says it."""


class ChangeFrame(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Changes of records that live in one partition."""

    changes: list[RecordChange]


class EngagementFrame(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Engagements of groups that live in one partition."""

    received_at: int
    """The newest receipt among what caused them (microseconds): the instant of the log."""
    oldest_at: int
    """The oldest one, for latency."""
    engagements: list[Engagement]


class _Named(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How a change begins."""

    kind: str
    id: str


class _Placed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How an engagement begins."""

    group: str
    record: str


_encode = msgspec.msgpack.Encoder().encode
_read_named = msgspec.msgpack.Decoder(tuple[list[_Named]]).decode
_read_placed = msgspec.msgpack.Decoder(tuple[int, int, list[_Placed]]).decode
_read_changes = msgspec.msgpack.Decoder(ChangeFrame).decode
_read_change = msgspec.msgpack.Decoder(RecordChange).decode
_read_engagements = msgspec.msgpack.Decoder(EngagementFrame).decode


def decode_changes(frame: bytes) -> ChangeFrame:
    """A frame of changes. Raises msgspec.MsgspecError if it is none, or holds what nobody of ours writes."""
    found = _read(_read_changes, frame)
    for change in found.changes:
        check_change(change)
    return found


def decode_change(raw: bytes) -> RecordChange:
    """A change as it stands in a frame. Raises msgspec.MsgspecError as `decode_changes` does."""
    change = _read(_read_change, raw)
    check_change(change)
    return change


def decode_engagements(frame: bytes, check: Callable[[bytes], None] = check_row) -> EngagementFrame:
    """A frame of engagements. Raises msgspec.MsgspecError if it is none, or holds what nobody of ours writes.

    `check`: refuses a row that is none.
    """
    found = _read(_read_engagements, frame)
    if not EARLIEST <= found.oldest_at <= LATEST or not EARLIEST <= found.received_at <= LATEST:
        msg = "an instant of a frame is outside the years 1901 to 2242"
        raise DamagedError(msg)
    for engagement in found.engagements:
        if not (
            is_name(engagement.group) and is_name(engagement.record) and (not engagement.via or is_name(engagement.via))
        ):
            raise DamagedError("a group or a record has no name")
        check(engagement.row)
    return found


def changed_records(frame: bytes) -> Iterator[str]:
    """The key of the record of each change in a frame, unchecked and in a fraction of the time that all of it takes."""
    return (record_key(change.kind, change.id) for change in _read_named(frame)[0])


def engaged_records(frame: bytes) -> Iterator[str]:
    """The same of engagements."""
    return (engagement.record for engagement in _read_placed(frame)[2])


def _read(decode: Callable[[bytes], _Item], raw: bytes) -> _Item:
    try:
        return decode(raw)
    except UnicodeDecodeError:
        raise DamagedError("a text is not UTF-8") from None


def record_key(kind: str, id: str) -> str:
    """Key of a record in the ledger and in engagements."""
    return f"{kind}|{id}"


def partition_of(key: str, partitions: int) -> int:
    """Where a record (`kind|id`) or a group lives. Stable across processes, machines and versions."""
    return crc32(key.encode()) % partitions


def change_frames(changes: Sequence[RecordChange]) -> Iterator[bytes]:
    """Frames of these changes, in order, each below `MAX_FRAME` unless one change alone is larger."""
    return _frames(changes, ChangeFrame)


def engagement_frames(engagements: Sequence[Engagement], received_at: int, oldest_at: int) -> Iterator[bytes]:
    """Frames of these engagements, each below `MAX_FRAME` unless one engagement alone is larger."""
    return _frames(engagements, lambda some: EngagementFrame(received_at, oldest_at, some))


def _frames(items: Sequence[_Item], frame_of: Callable[[list[_Item]], msgspec.Struct]) -> Iterator[bytes]:
    encoded = _encode(frame_of(list(items)))
    if len(encoded) <= MAX_FRAME or len(items) == 1:
        yield encoded
        return
    middle = len(items) // 2
    yield from _frames(items[:middle], frame_of)
    yield from _frames(items[middle:], frame_of)


def by_group(engagements: Iterable[Engagement], partitions: int) -> dict[int, list[Engagement]]:
    """Engagements by the partition of their group, order kept; those of `EVERYWHERE` go to every partition."""
    found: dict[int, list[Engagement]] = {}
    for engagement in engagements:
        if engagement.group in EVERYWHERE:
            for partition in range(partitions):
                found.setdefault(partition, []).append(engagement)
        else:
            found.setdefault(partition_of(engagement.group, partitions), []).append(engagement)
    return found


def changes_by_partition(changes: Iterable[RecordChange], partitions: int) -> dict[int, list[RecordChange]]:
    """Changes by the partition of their record, order kept."""
    found: dict[int, list[RecordChange]] = {}
    for change in changes:
        # As `partition_of` its `record_key`: every change comes by here.
        partition = crc32(f"{change.kind}|{change.id}".encode()) % partitions
        if partition in found:
            found[partition].append(change)
        else:
            found[partition] = [change]
    return found


def by_partition(items: Iterable[tuple[str, _Item]], partitions: int) -> dict[int, list[_Item]]:
    """Items by the partition of their key, order kept."""
    found: dict[int, list[_Item]] = {}
    for key, item in items:
        found.setdefault(partition_of(key, partitions), []).append(item)
    return found

"""Frames: many changes or engagements for one partition in one message.

Owns the frames' shape, their split below 1 MiB, and which partition a record or group belongs to.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar
from zlib import crc32

import msgspec

from schemas.records import RecordChange

_Item = TypeVar("_Item")

MAX_FRAME = 1_000_000
"""Bytes; topics take 2 MiB, so that one large change still fits."""


ROSTER_GROUP = "roster"
"""The group of all `rep` records. Every partition has it: teams decide on SLA rules and calendars of any lead."""


class Engagement(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one record means to a group, as its whole state with versions.

    The receiver joins it, so a stale one does no harm. Sent to every group that the record ever named;
    "points elsewhere now" is a value like any other.
    """

    group: str
    """`lead:<id>`, `thread:<id>` or `roster`."""
    record: str
    """Key of the record, `kind|id`."""
    row: bytes
    """The record as `Record.encode` writes it."""


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


_encode = msgspec.msgpack.Encoder().encode
decode_changes = msgspec.msgpack.Decoder(ChangeFrame).decode
decode_change = msgspec.msgpack.Decoder(RecordChange).decode
decode_engagements = msgspec.msgpack.Decoder(EngagementFrame).decode


def receipt_of(change: RecordChange) -> int:
    """When the delivery came that brought it (microseconds)."""
    return change.received_at


def record_key(kind: str, id: str) -> str:
    """Key of a record in the ledger and in engagements."""
    return f"{kind}|{id}"


def partition_of(key: str, partitions: int) -> int:
    """Where a record (`kind|id`) or a group lives. Stable across processes, machines and versions."""
    return crc32(key.encode()) % partitions


def change_frames(changes: Sequence[RecordChange]) -> Iterator[bytes]:
    """Frames of these changes, in order, each below `MAX_FRAME` unless one change alone is larger."""
    encoded = _encode(ChangeFrame(list(changes)))
    if len(encoded) <= MAX_FRAME or len(changes) == 1:
        yield encoded
        return
    middle = len(changes) // 2
    yield from change_frames(changes[:middle])
    yield from change_frames(changes[middle:])


def engagement_frames(engagements: Sequence[Engagement], received_at: int, oldest_at: int) -> Iterator[bytes]:
    """Frames of these engagements, each below `MAX_FRAME` unless one engagement alone is larger."""
    encoded = _encode(EngagementFrame(received_at, oldest_at, list(engagements)))
    if len(encoded) <= MAX_FRAME or len(engagements) == 1:
        yield encoded
        return
    middle = len(engagements) // 2
    yield from engagement_frames(engagements[:middle], received_at, oldest_at)
    yield from engagement_frames(engagements[middle:], received_at, oldest_at)


def by_group(engagements: Iterable[Engagement], partitions: int) -> dict[int, list[Engagement]]:
    """Engagements by the partition of their group, order kept; those of the roster go to every partition."""
    found: dict[int, list[Engagement]] = {}
    for engagement in engagements:
        if engagement.group == ROSTER_GROUP:
            for partition in range(partitions):
                found.setdefault(partition, []).append(engagement)
        else:
            found.setdefault(partition_of(engagement.group, partitions), []).append(engagement)
    return found


def by_partition(items: Iterable[tuple[str, _Item]], partitions: int) -> dict[int, list[_Item]]:
    """Items by the partition of their key, order kept."""
    found: dict[int, list[_Item]] = {}
    for key, item in items:
        found.setdefault(partition_of(key, partitions), []).append(item)
    return found

"""Two rows of one record, as a group has heard them, made one.

Owns the join: commutative, associative and idempotent, so a stale row does no harm. Of a record that points elsewhere a
group only knows when it last pointed here; that holds against everything said before. Where that was long ago, it also
notes how far back is kept on the day on which it heard of it: a group is let go between two days, never within one, so
that it does not matter what it hears first on a day.
"""

from collections.abc import Mapping

from processor.core.retention import last_instant
from schemas.records import HEARD, MERGED, NAMED, Record, Version, decode_record, is_elsewhere

Row = bytes | Record
"""A record's row, or the record where it was joined and not written yet."""


def joined(held: Row, row: bytes) -> Row | None:
    """What is held of a record with this row taken in; None: it said nothing new."""
    record, other = _record(held), decode_record(row)
    pointer = _left(record) or _left(other)
    if pointer is not None:
        return row if _standing(record, pointer) < _standing(other, pointer) else None
    if record.kind not in NAMED:
        return record if record.merge(other) else None
    before = _said(record)
    record.merge(other)
    record.named.clear()  # where it pointed before is for its ledger to know, and no news here
    return record if _said(record) != before else None


def _said(record: Record) -> object:
    """All that it says of itself, as it stands now."""
    pasts = (record.histories, record.entered)
    return dict(record.fields), [{name: list(entries) for name, entries in past.items()} for past in pasts]


def kept_for_today(row: Row, kept_from: int, *, is_merge: bool = False) -> Row:
    """What a group keeps of a row it has just heard: one that points elsewhere is not forgotten before tomorrow.

    `kept_from`: the first instant that is kept today (microseconds). `is_merge`: it says where a lead was merged to.
    """
    if not (is_merge or (is_elsewhere(row) if isinstance(row, bytes) else _left(row) is not None)):
        return row
    record = _record(row)
    pointer = MERGED if is_merge else next(iter(record.named))
    record.named = {name: kept for name, held in record.named.items() if (kept := _without(held))}
    if last_instant(record) < kept_from:
        record.named.setdefault(pointer, {})[HEARD] = (kept_from, 0)
    return record.encode()


def _without(held: Mapping[str, Version]) -> dict[str, Version]:
    return {value: version for value, version in held.items() if value != HEARD}


def encoded(row: Row) -> bytes:
    """As it is kept: of a record that points here without where it pointed before, which is for its ledger to know."""
    return row if isinstance(row, bytes) else row.encode(is_whole=not row.fields)


def _record(row: Row) -> Record:
    return decode_record(row) if isinstance(row, bytes) else row


def _left(record: Record) -> str | None:
    """The pointer by which it has left the group, if nothing else is known of it."""
    return next(iter(record.named), None) if not record.fields else None


def _standing(record: Record, pointer: str) -> tuple[Version, bool]:
    """When the record was last said to point to the group, and whether it has left it since."""
    left = record.named.get(pointer)
    if left and not record.fields:
        return max(_without(left).values(), default=_NEVER), True
    entry = record.fields.get(pointer)
    return _NEVER if entry is None else entry[:2], False


_NEVER: Version = (-(2**62), 0)

"""Which of two rows of one record a group keeps: the one that it holds, or the one that has just arrived.

Owns the rule. A ledger adds to a record's row and never takes away, so of two rows the one with the newer version is
the later one, and a row that arrives too late changes nothing. When a record points to another group, this group keeps
only the version at which it did; every older row loses against that. There is one exception: retention may have let the
ledger forget a record and begin it anew. So a row that is older than what is retained gives way to whatever arrives.
"""

from processor.core.retention import newest_version
from schemas.records import Record, Version, decode_record


def is_news(held: bytes, row: bytes, kept_from: int) -> bool:
    """Whether the row that is heard takes the place of the one that is held.

    `kept_from`: the first instant that is kept today (microseconds).
    """
    record, other = decode_record(held), decode_record(row)
    if newest_version(record) < kept_from:
        return _said(record) != _said(other)
    pointer = _left(record) or _left(other)
    if pointer is not None:
        return _standing(record, pointer) < _standing(other, pointer)
    known = record.fields
    for name, entry in other.fields.items():
        # Most often what is heard is news, and it is seen so without joining the two.
        if name not in known or known[name][:2] < entry[:2]:
            return True
    before = _said(record)
    record.merge(other)
    return _said(record) != before


def _said(record: Record) -> object:
    """All that it says of itself, as it stands now; or where it pointed, if it has left."""
    pasts = (record.histories, record.entered)
    named = {} if record.fields else dict(record.named)
    return dict(record.fields), named, [{name: [*entries] for name, entries in past.items()} for past in pasts]


def _left(record: Record) -> str | None:
    """The pointer by which it has left the group, if nothing else is known of it."""
    return next(iter(record.named), None) if not record.fields else None


def _standing(record: Record, pointer: str) -> tuple[Version, bool]:
    """When the record was last said to point to the group, and whether it has left it since."""
    left = record.named.get(pointer)
    if left and not record.fields:
        return max(left.values()), True
    entry = record.fields.get(pointer)
    return _NEVER if entry is None else entry[:2], False


_NEVER: Version = (-(2**62), 0)

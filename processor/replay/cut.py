"""What a replay that does not read the whole log takes from the generation before: the older part of each record.

Owns the rule. A change to the CRM made before the cut is kept as it was read then; one made since is read anew. The log
is read from `LEEWAY` before the cut on, and no change is dated further ahead of its delivery than that, so every change
is on one side or on both, and the join does not mind both. Pure.
"""

from schemas.instants import DAY, HOUR
from schemas.records import Record, decode_record

LEEWAY = DAY + HOUR
"""What is dated more than a day ahead of its delivery is a dead letter; an hour for clocks that differ."""


def older_part(row: bytes, cut: int) -> bytes | None:
    """The row without what was changed at `cut` (microseconds) or later; None if nothing is left."""
    record = decode_record(row)
    if not record.fields:
        return row
    histories = {
        name: kept
        for name, entries in record.histories.items()
        if (kept := [entry for entry in entries if entry[0] < cut])
    }
    fields = {name: entry for name, entry in record.fields.items() if entry[0] < cut and name not in record.histories}
    fields |= {name: entries[-1] for name, entries in histories.items()}
    entered = {
        name: before
        for name, entries in record.entered.items()
        if (before := [entry for entry in entries if entry[1] < cut])
    }
    # The stage of then, where it has changed since.
    fields |= {name: max(entry[1:] for entry in kept) for name, kept in entered.items() if name not in fields}
    if not fields:
        return None
    # Pointers are remembered without their instants: one too many does no harm, one too few would.
    return Record(record.kind, fields, histories, record.named, entered).encode()

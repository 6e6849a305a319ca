"""What a record is to the groups that it names, and to those that it names no more.

A lead has a group of its own, a rep is in the roster, and where a lead was merged to is known to everybody.
"""

from collections.abc import Mapping

from schemas.frames import MERGES_GROUP, ROSTER_GROUP, Engagement
from schemas.numbers import hash_of
from schemas.records import CONTACTS, MERGED, NAMED_IN_ORDER, NUMBER, Record, Version, encode_elsewhere, ids_in

LEAD = "lead"


def engagements_of(key: str, record: Record, row: bytes) -> list[Engagement]:
    """All that groups must hear of a record if they know nothing of it: those that it remembers to have named."""
    return told(key, record, row, record.named)


def told(key: str, record: Record, row: bytes, left: Mapping[str, Mapping[str, Version]]) -> list[Engagement]:
    """What groups must hear of a record, and those that it has `left`."""
    if record.kind == "rep":
        return [Engagement(ROSTER_GROUP, key, row)]
    if record.kind == "lead":
        found = [Engagement(f"lead:{key[5:]}", key, row)]
        entry = record.fields.get(MERGED)
        if entry is not None:
            found.append(Engagement(MERGES_GROUP, key, Record("lead", {MERGED: entry}).encode()))
        return found
    pointers = NAMED_IN_ORDER.get(record.kind, ())
    groups = dict.fromkeys(_group_of(pointer, id) for pointer in pointers for id in ids_in(record.get(pointer)))
    found = []
    if groups:
        whole = record.encode(is_whole=False) if record.named or record.kept_from is not None else row
        found += [Engagement(group, key, whole) for group in groups]
    for pointer in pointers:
        for value, version in sorted(left.get(pointer, {}).items()):
            if (former := _group_of(pointer, value)) not in groups:
                found.append(Engagement(former, key, encode_elsewhere(record.kind, pointer, value, version)))
    return found


def _group_of(pointer: str, value: str) -> str:
    """The group of what a pointer has: two connections that tell of one number tell the same group."""
    kind = LEAD if pointer == CONTACTS else pointer
    return f"{kind}:{hash_of(value) if pointer == NUMBER else value}"

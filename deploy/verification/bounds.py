"""What a group takes of the records that ever named it, and what a root has of those merged into it.

The recount's own reading of the bounds: a group takes the records with the smallest hashes of their keys, whatever
became of them, and a root as many again of what merged leads hand on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b

from deploy.verification.records import Record, Records

GROUP_LIMIT = 16_384
Place = tuple[str, str, str]
"""(merged lead that hands it on, or nothing; kind; id)."""


def smallest(places: Iterable[Place]) -> set[Place]:
    """Those of the smallest hashes of their records' keys, as many as a group takes."""
    found = list(places)
    if len(found) > GROUP_LIMIT:
        found.sort(key=lambda place: place[0], reverse=True)
        found.sort(key=lambda place: blake2b(f"{place[1]}|{place[2]}".encode()).digest())
    return set(found[:GROUP_LIMIT])


def touching(records: Records) -> dict[str, set[Place]]:
    """Lead -> all records that ever named it, or went to it, as many as its group takes."""
    named: dict[str, set[Place]] = defaultdict(set)
    for kind in ("call", "email", "meeting", "deal", "activity"):
        for record in records.get(kind, {}).values():
            for lead in record.ever_touched():
                named[lead].add(("", kind, record.id))
    return {lead: smallest(places) for lead, places in named.items()}


def family_of(
    root: str, members: Sequence[Record], touches: Mapping[str, set[Place]], records: Records
) -> tuple[list[Record], list[tuple[str, Record]]]:
    """The leads that the root's group has taken, and what counts for it."""
    handed = smallest(
        (member.id, kind, name)
        for member in members
        if member.id != root
        for _, kind, name in [*touches.get(member.id, ()), ("", "lead", member.id)]
    )
    family = [member for member in members if member.id == root or (member.id, "lead", member.id) in handed]
    taken = smallest([*touches.get(root, ()), *(place for place in handed if place[1] != "lead")])
    engaged: list[tuple[str, Record]] = []
    seen: set[tuple[str, str]] = set()  # a mail may have gone to several leads of a family
    is_known = bool(family) and not any(member.id == root and member.is_deleted for member in family)
    for via, kind, name in sorted(taken):
        record = records[kind][name]
        # A mail went to a lead only if there is one: other contacts are nobody here.
        went_to_it = is_known and (via or root) in (record.get("contacts") or ())
        is_ours = record.get("lead") == (via or root) or went_to_it
        if is_ours and not record.is_deleted and (kind, name) not in seen:
            seen.add((kind, name))
            engaged.append((kind, record))
    return family, engaged


def whole(root: str, members: Sequence[Record]) -> Record:
    """A root with what it lacks: of the lead that was merged into it first and says it, deleted ones too."""
    own = next((record for record in members if record.id == root), Record(root, [], {}))
    others = by_merges(root, [record for record in members if record.id != root])
    fields, borrowed = dict(own.fields), {}
    for name in {name.partition("#")[0] for record in members for name in record.fields} - {"deleted", "merged_into"}:
        sayer = next((record for record in others if record.get(name) is not None), None)
        if own.get(name) is None and sayer is not None:
            borrowed[name] = sayer
            fields[name] = sayer.get(name)
    return Record(root, own.changes, fields, borrowed)


def by_merges(root: str, others: Sequence[Record]) -> list[Record]:
    """Those merged into a root, in the order in which it takes from them what it lacks.

    Into each the first merged comes first, with all that had been merged into that one behind it.
    """
    left = sorted(others, key=lambda record: (record.version_of("merged_into"), record.id))
    into: dict[str, list[Record]] = defaultdict(list)
    for record in left:
        into[record.get("merged_into")].append(record)
    found: list[Record] = []
    ways = [iter(into[root])]
    while ways:
        following = next(ways[-1], None)
        if following is None:
            ways.pop()
        else:
            found.append(following)
            ways.append(iter(into[following.id]))
    held = {record.id for record in found}
    return found + [record for record in left if record.id not in held]

"""What a group takes of the records that ever named it, and what a root has of those merged into it.

The recount's own reading of the bounds: a group takes the records with the smallest hashes of their keys, whatever
became of them, and a root as many again of what merged leads hand on.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b

from deploy.verification.records import Record, RecordsByKind

GROUP_LIMIT = 16_384
MILLISECOND = 1000
GroupPlace = tuple[str, str, str]
"""(merged lead that hands it on, or nothing; kind; id)."""


def smallest(places: Iterable[GroupPlace]) -> set[GroupPlace]:
    """Those of the smallest hashes of their records' keys, as many as a group takes."""
    found = list(places)
    if len(found) > GROUP_LIMIT:
        found.sort(key=lambda place: place[0], reverse=True)
        found.sort(key=lambda place: blake2b(f"{place[1]}|{place[2]}".encode()).digest())
    return set(found[:GROUP_LIMIT])


def pointing(
    pointer: str, kind: str, records: RecordsByKind, kept: Iterable[Record], only: Collection[str] | None
) -> Iterator[tuple[str, list[Record]]]:
    """All that a pointer names, or only those, each with those of `kept` that its group takes and that point to it.

    What counts nowhere takes a place of the group all the same.
    """
    named: dict[str, set[GroupPlace]] = defaultdict(set)
    by_id = {record.id: record for record in kept}
    for record in records.get(kind, {}).values():
        for name in record.ever_named(pointer):
            if only is None or name in only:
                named[name].add(("", kind, record.id))
    for name, places in named.items():
        taken = [by_id[id] for _, _, id in sorted(smallest(places)) if id in by_id]
        yield name, [record for record in taken if record.get(pointer) == name]


def reached(starts: Iterable[str], beside: Callable[[str], Iterable[str]]) -> set[str]:
    """These and all that can be reached from them, from one to those beside it."""
    found: set[str] = set()
    ahead = list(starts)
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += beside(name)
    return found


def touching(records: RecordsByKind) -> dict[str, set[GroupPlace]]:
    """Lead -> all records that ever named it, or went to it, as many as its group takes."""
    named: dict[str, set[GroupPlace]] = defaultdict(set)
    for kind in ("call", "email", "meeting", "deal", "activity"):
        for record in records.get(kind, {}).values():
            for lead in record.ever_touched():
                named[lead].add(("", kind, record.id))
    return {lead: smallest(places) for lead, places in named.items()}


def family_of(
    root: str, members: Sequence[Record], touches: Mapping[str, set[GroupPlace]], records: RecordsByKind
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
    """A root with what it lacks, deleted leads' words too: of each field the newest of those merged into it.

    Each of these speaks for itself first, and else as one into which others were merged. Of several that one merge took
    in (less than a millisecond apart) the first speaks.
    """
    own = next((record for record in members if record.id == root), Record(root, [], {}))
    merged = {record.id: record for record in members if record.id != root}
    below: dict[str, list[Record]] = defaultdict(list)
    for record in merged.values():
        target = record.get("merged_into")
        below[target if target in merged else root].append(record)
    names = {name.partition("#")[0] for record in members for name in record.fields} - {"deleted", "merged_into"}
    speaks: dict[tuple[str, str], Record] = {}
    for id in reversed(_downwards(root, below)):
        merges = _merges(below[id])
        for name in names:
            if id in merged and merged[id].get(name) is not None:
                speaks[id, name] = merged[id]
            elif said := [speaks[one, name] for merge in merges for one in _first(merge, name, speaks)]:
                speaks[id, name] = max(said, key=lambda record: (record.version_of(name), record.id))
    borrowed = {name: speaks[root, name] for name in names if own.get(name) is None and (root, name) in speaks}
    return Record(root, own.changes, {**own.fields, **{name: of.get(name) for name, of in borrowed.items()}}, borrowed)


def _downwards(root: str, below: Mapping[str, Sequence[Record]]) -> list[str]:
    """A root and all that lead to it, each before those merged into it."""
    found = [root]
    for id in found:
        found += [record.id for record in below.get(id, ())]
    return found


def _merges(records: Iterable[Record]) -> list[list[tuple[int, str]]]:
    """(When merged, id) of each, those that one merge took in together."""
    found: list[list[tuple[int, str]]] = []
    for each in sorted((record.version_of("merged_into")[0], record.id) for record in records):
        if not found or each[0] >= found[-1][0][0] + MILLISECOND:
            found.append([])
        found[-1].append(each)
    return found


def _first(merge: Sequence[tuple[int, str]], name: str, speaks: Mapping[tuple[str, str], Record]) -> list[str]:
    """Those of a merge that were first among those who have something to say."""
    saying = [(at, id) for at, id in merge if (id, name) in speaks]
    return [id for at, id in saying if at == saying[0][0]]

"""What a lead takes of those that were merged into it, as far as it lacks it.

Owns whose word it is. Who belongs to whom is the groups' (groups.py), what it counts for responses.py's.
"""

from collections.abc import Mapping, Sequence

from schemas.records import FIELDS, MERGED, Record, Value
from schemas.voices import FURTHER

MergeVersion = tuple[tuple[int, int, str], Record]
"""Version and id, and who says it."""
MergeVersions = dict[str, MergeVersion]
"""By field."""
_ONE_MERGE = 1000
"""Microseconds."""


def whole_of(lead: str, members: Mapping[str, Record]) -> Record:
    """A root with what it lacks: of each field the newest word of those merged into it, and that one's history.

    One that is merged hands on what it says itself, and only what it lacks of those that were merged into it. It may be
    that nobody has spoken of the root itself yet. Whether it is deleted is for itself alone to say.
    """
    own = members.get(lead) or Record("lead")
    if len(members) == 1 and lead in members:
        return own
    fields, histories = dict(own.fields), dict(own.histories)
    for name, (_, giver) in _borrowed(lead, members).items():
        if own.get(name) is not None:
            continue
        for voice in (name, *FURTHER.get(name, ())):
            fields.pop(voice, None)
            histories.pop(voice, None)
            if voice in giver.fields:
                fields[voice] = giver.fields[voice]
            if voice in giver.histories:
                histories[voice] = giver.histories[voice]
    return Record("lead", fields, {name: history for name, history in histories.items() if history})


def _borrowed(lead: str, members: Mapping[str, Record]) -> MergeVersions:
    """What those merged into a lead say, from the far end of each chain on."""
    into: dict[Value, list[str]] = {}
    for id, record in members.items():
        if id != lead:
            # Where a group is full, one on the way may be left out.
            above = record.get(MERGED)
            into.setdefault(above if above in members else lead, []).append(id)
    order = [lead]
    for id in order:
        order += into.get(id, ())
    said: dict[str, MergeVersions] = {}
    for id in reversed(order):
        found = _of_merged([(members[each], said.pop(each)) for each in into.get(id, ())])
        if id != lead:
            for name in FIELDS["lead"]:
                entry = members[id].entry(name)
                if name != MERGED and entry is not None and entry[2] is not None:
                    found[name] = (entry[0], entry[1], id), members[id]
        said[id] = found
    return said[lead]


def _of_merged(merged: Sequence[tuple[Record, MergeVersions]]) -> MergeVersions:
    """What one takes of those merged into it: of each field the newest word.

    Of those merged in one go, which are less than `_ONE_MERGE` apart, the first that says it: a merge that makes a new
    record names the one whose values it takes before the others (schemas/connectors/hubspot/events.py).
    """
    found: MergeVersions = {}
    together: dict[str, tuple[int, MergeVersion]] = {}
    begun = None
    for at, _, said in sorted((_merged_at(record), place, said) for place, (record, said) in enumerate(merged)):
        if begun is None or at - begun >= _ONE_MERGE:
            _keep_newest(found, together)
            together, begun = {}, at
        for name, word in said.items():
            held = together.get(name)
            if held is None or (held[0] == at and word[0] > held[1][0]):
                together[name] = at, word
    _keep_newest(found, together)
    return found


def _keep_newest(found: MergeVersions, together: Mapping[str, tuple[int, MergeVersion]]) -> None:
    for name, (_, word) in together.items():
        if name not in found or word[0] > found[name][0]:
            found[name] = word


def _merged_at(record: Record) -> int:
    entry = record.entry(MERGED)
    return entry[0] if entry is not None else 0

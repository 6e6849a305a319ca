"""Whether what an API has answered says anything that is not known yet. Pure.

A change of the CRM's own instant is news if it is newer than what is known, or is missing in a history. Where a CRM
says only when a record was modified last, what changed in it is not told by that: there it is news if it says something
else. So is what has no instant but that of the asking (associations, teams). Of what several properties speak of, of
which no webhook tells all, only what comes of them together counts.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from deploy.batches import batches
from schemas.connectors.asking import Envelope
from schemas.instants import SECOND
from schemas.pasts import HISTORY_LIMIT
from schemas.records import DELETED, ENTERED, HISTORIES, Record, RecordChange, decode_record

RecordOf = Callable[[str, str], Record | None]
"""Kind and id of a record -> what the log says of it."""
_NONE: frozenset[str] = frozenset()
_NO_NAMES: Mapping[str, str] = {}


SAME = 2 * SECOND
"""Of two statements of one entry at most so far apart, one is the other as another part of the CRM has written it."""


def instants_of_news(
    changes: Iterable[RecordChange], known: RecordOf, asked_at: int, *, is_exact: bool = True
) -> list[int]:
    """The instants of what these say that is not known; none: all of it is. `is_exact`: as `CrmSource` has it."""
    by_record: dict[tuple[str, str], list[RecordChange]] = {}
    for change in changes:
        by_record.setdefault((change.kind, change.id), []).append(change)
    found: list[int] = []
    for (kind, id), said in by_record.items():
        record = known(kind, id)
        if record is None:
            found += [change.changed_at for change in said if _says_anything(change)]
            continue
        entered = ENTERED.get(kind, _NO_NAMES).values()
        news = [
            change.changed_at
            for change in said
            if any(
                _is_news(change, name, record, asked_at, is_exact=is_exact)
                for name in change.fields
                if "#" not in name and name not in entered
            )
        ]
        if not news and _together(record, is_exact=is_exact) != _together(record, said, is_exact=is_exact):
            news = [max(change.changed_at for change in said)]
        found += news
    return found


def without(change: RecordChange, names: Collection[str]) -> RecordChange:
    """The same, as if it said nothing of these fields."""
    return replace(change, fields={name: value for name, value in change.fields.items() if name not in names})


def _says_anything(change: RecordChange) -> bool:
    return any(value is not None and (name, value) != (DELETED, True) for name, value in change.fields.items())


def _is_news(change: RecordChange, name: str, record: Record, asked_at: int, *, is_exact: bool) -> bool:
    """Whether a change says something new of a field that no other property speaks of.

    Unless `is_exact`: something else than is known of its instant.
    """
    value, at, held = change.fields[name], change.changed_at, record.fields.get(name)
    entered_at = ENTERED.get(record.kind, _NO_NAMES).get(name)
    if is_exact and at == asked_at:
        return (None if held is None else held[2]) != value
    if entered_at is not None:
        since = change.fields.get(entered_at, at)
        entries, apart = record.entries(name), 0 if is_exact else SAME
        is_full = len(entries) == HISTORY_LIMIT and isinstance(since, int) and since < entries[0][0]
        return not is_full and not any(
            isinstance(since, int) and abs(entry[0] - since) <= apart and entry[3] == value for entry in entries
        )
    if name in HISTORIES.get(record.kind, _NONE):
        past = record.histories.get(name, [])
        is_full = len(past) == HISTORY_LIMIT and at < past[0][0]
        # What has been said of that very instant becomes no other thing by being said again.
        is_said = any(entry[0] == at and entry[2] == value for entry in past)
        before = [entry[2] for entry in past if entry[0] <= at + SAME]
        return not is_full and not is_said and (is_exact or (before[-1] if before else None) != value)
    if held is None:
        return value is not None and (is_exact or (name, value) != (DELETED, False))
    return (is_exact and at > held[0]) or (value != held[2] and at >= held[0])


def _together(record: Record, said: Sequence[RecordChange] = (), *, is_exact: bool) -> tuple[Any, ...]:
    """What comes of all words on each field, those said too."""
    if said:
        record = decode_record(record.encode())
        for change in said:
            record.fold(change)
    pasts: list[list[Any]] = []
    for name in sorted(name for name in HISTORIES.get(record.kind, _NONE) if "#" not in name):
        words = [(at, value) for at, _, value in record.history(name) if is_exact or value is not None]
        found = [
            word for word, before in zip(words, [None, *words], strict=False) if not before or word[1] != before[1]
        ]
        pasts.append(found if is_exact else [value for _, value in found])
    values = {name: value for name, value in record.values().items() if value is not None}
    if values.get(DELETED) is False:
        del values[DELETED]
    return values, pasts


def parts(envelope: Envelope, size_of: Callable[[dict[str, Any]], int], most: int) -> list[Envelope]:
    """The same in several, so that each is below `most` bytes unless one record alone is larger."""
    found = [_part(envelope, records) for records in batches(envelope.records, size_of, most)] or [_part(envelope, [])]
    found[-1].missing, found[-1].gone = envelope.missing, envelope.gone
    return found


def _part(envelope: Envelope, records: Sequence[dict[str, Any]]) -> Envelope:
    ids = {record.get("id") for record in records}
    return Envelope(
        object=envelope.object,
        records=records,
        restored=[id for id in envelope.restored if id in ids],
        words=envelope.words,
    )

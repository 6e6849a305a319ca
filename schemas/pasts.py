"""What a field was, and when: sets of versions that are joined by union, and keep the newest.

Owns the two joins, which mind neither order nor repetition. Knows no field and no kind of record.
"""

from collections.abc import Sequence

from schemas.row_bytes import EntryValue, Value

HISTORY_LIMIT = 64
"""Entries of a history that are kept, the newest."""


def remember(history: list[tuple[int, int, Value]], entries: list[tuple[int, int, Value]]) -> bool:
    """Union by version, the newest `HISTORY_LIMIT` kept. True if the history is another one now."""
    known = {(at, digest) for at, digest, _ in history}
    fresh = [entry for entry in entries if (entry[0], entry[1]) not in known]
    if not fresh:
        return False
    joined = sorted(history + fresh, key=lambda entry: entry[:2])[-HISTORY_LIMIT:]
    if joined == history:
        return False
    history[:] = joined
    return True


def enter(entries: list[EntryValue], more: Sequence[EntryValue]) -> bool:
    """Per instant the newest version, of the newest `HISTORY_LIMIT` instants. True if they are others now."""
    by_instant = {entry[0]: entry for entry in entries}
    for entry in more:
        held = by_instant.get(entry[0])
        if held is None or held[1:3] < entry[1:3]:
            by_instant[entry[0]] = entry
    joined = [by_instant[at] for at in sorted(by_instant)[-HISTORY_LIMIT:]]
    if joined == entries:
        return False
    entries[:] = joined
    return True

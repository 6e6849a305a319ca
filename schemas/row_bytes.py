"""The bytes of a record's row as plain values: those of today and those of earlier builds.

Owns the shapes that rows have had, and how an old one is read as one of today. Knows fields by their codes alone;
`schemas.records` says which they are, and writes rows.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

Value = str | int | bool | list[str] | None
"""A normalised field: text, microseconds (instants and durations), a decimal string (money, numbers), a day as
`2026-03-18`, a claim, or several ids."""

Version = tuple[int, int]
"""(`changed_at`, digest of the whole change): a total order in which of two changes of one instant one wins whole."""

EntryValue = tuple[int, int, int, Value]
"""(instant of entry, `changed_at`, digest, value)."""


class Pasts(NamedTuple):
    """The codes of the fields of a kind whose past is kept."""

    entered: tuple[int, ...]
    """By the instants at which they were entered."""
    histories: tuple[int, ...]
    """By version."""


_Row = tuple[
    str,
    list[tuple[int, int, dict[int, Value]]],
    dict[int, list[tuple[int, int, Value]]],
    dict[int, list[tuple[int, int, str]]],
]
_decode_current = msgspec.msgpack.Decoder(_Row).decode
EnteredRow = tuple[
    str,
    list[tuple[int, int, dict[int, Value]]],
    dict[int, list[tuple[int, int, Value]]],
    dict[int, list[tuple[int, int, str]]],
    dict[int, list[EntryValue]],
]
_decode_entered = msgspec.msgpack.Decoder(EnteredRow).decode
_EarlierRow = tuple[
    str,
    list[tuple[int, int, dict[int, Value]]],
    dict[int, list[tuple[int, int, Value]]],
    dict[int, list[str]],
]
_decode_earlier = msgspec.msgpack.Decoder(_EarlierRow).decode
_FIVE = b"\x95"
_NO_ENTRIES: dict[int, list[EntryValue]] = {}
FIRST_VOICE = 64
"""Codes from here on are of voices: beyond those of fields, so that who knows those alone leaves such a row alone."""


def read_row(row: bytes, pasts: Mapping[str, Pasts]) -> EnteredRow:
    """Kind, patches, histories, names and entries of a row.

    Rows of builds before decision 0031 hold every value that a pointer ever had, without a version: those that it has
    no more are taken for as old as the oldest word of the record. Rows of earlier builds name stages by when they were
    said, and have no history of the status of a deal. `pasts`: by kind, which fields those are. Raises
    msgspec.MsgspecError.
    """
    if row[:1] == _FIVE:
        entered: EnteredRow = _decode_entered(row)
        return entered
    try:
        found: _Row = _decode_current(row)
    except msgspec.ValidationError:
        kind, patches, histories, named = _decode_earlier(row)
        oldest = min([patch[:2] for patch in patches], default=(0, 0))
        now = {code: value for _, _, patch in patches for code, value in patch.items()}
        left = {
            code: [(*oldest, value) for value in values if value != now.get(code)] for code, values in named.items()
        }
        found = kind, patches, histories, {code: values for code, values in left.items() if values}
    past = pasts.get(found[0])
    return (*found, _NO_ENTRIES) if past is None or found[1:3] == ([], {}) else _of_today(found, past)


def has_voices(
    patches: list[tuple[int, int, dict[int, Value]]], histories: dict[int, list[tuple[int, int, Value]]]
) -> bool:
    """Whether more than one voice has spoken of a field."""
    for _, _, patch in patches:  # plainly: each row that is read comes by
        if patch and max(patch) >= FIRST_VOICE:
            return True
    return bool(histories) and max(histories) >= FIRST_VOICE


def _of_today(row: _Row, past: Pasts) -> EnteredRow:
    """A row of an earlier build: its stages are entries, and each field with a past has one."""
    kind, patches, histories, named = row
    entered: dict[int, list[EntryValue]] = {}
    for code in past.entered:
        history = histories.pop(code, [])
        if history:
            entered[code] = sorted((at, at, digest, value) for at, digest, value in history)
            patches = _put(patches, code, history[-1])
    for code in past.histories:
        for at, digest, patch in patches:
            if code in patch:
                histories[code] = [(at, digest, patch.pop(code))]
    return kind, [patch for patch in patches if patch[2]], histories, named, entered


def _put(
    patches: list[tuple[int, int, dict[int, Value]]], code: int, entry: tuple[int, int, Value]
) -> list[tuple[int, int, dict[int, Value]]]:
    at, digest, value = entry
    for patch in patches:
        if patch[:2] == (at, digest):
            patch[2][code] = value
            return patches
    return sorted([*patches, (at, digest, {code: value})], key=lambda patch: patch[:2])

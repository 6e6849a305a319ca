"""Damage: changes and rows that nothing of ours has written.

Owns what a change in a frame and a row may hold: kinds, fields, types, and the bounds within which sums and calendars
work. Connectors refuse more than that. The compiled forms ask the same of what they read (processor/native/rows.pyx).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from schemas.instants import DAY, EARLIEST, LATEST, parse_date
from schemas.records import DELETED, ENTERED, FIELDS, FieldType, RecordChange, Value, decode_record
from schemas.voices import LEFT, VOICES

LONGEST = 10 * 365 * DAY
"""Microseconds; no talk is longer."""

MOST_REFERENCES = 200
"""Of a list of ids."""

FIRST_CHANGE = EARLIEST - 2 * DAY
"""When the first change may have been made: connectors date some back by a day, so that they yield to others."""
LAST_CHANGE = LATEST + DAY

_DECIMAL = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,6})?\Z")


class DamagedError(msgspec.ValidationError):
    """A message that nobody of ours has written. It names what is wrong with it and repeats nothing of it."""


def check_change(change: RecordChange) -> None:
    """Raises DamagedError."""
    if not FIRST_CHANGE <= change.changed_at <= LAST_CHANGE or not EARLIEST <= change.received_at <= LATEST:
        msg = "an instant of a change is outside the years 1901 to 2242"
        raise DamagedError(msg)
    if not 0 <= change.digest < 1 << 64:
        raise DamagedError("a digest has not 64 bits")
    if not is_name(change.id):
        raise DamagedError("an id is none")
    check_fields(change.kind, change.fields)


def check_fields(kind: str, fields: Mapping[str, Value]) -> None:
    """Raises DamagedError unless every field is one of the kind and holds what such a field may hold."""
    fits = _FITTING.get(kind)
    if fits is None:
        raise DamagedError("there is no such kind of record")
    for name, value in fields.items():
        fit = fits.get(name)
        if fit is None or (value is not None and not fit(value)):
            raise _misfit(kind, name, fit)


def _check_values(kind: str, name: str, values: Iterable[Value]) -> None:
    """The same of all that one field was: a history may be long. The kind is one that there is."""
    fit = _FITTING[kind].get(name)
    said = list(values)
    if said and (fit is None or not all(map(fit, [value for value in said if value is not None]))):
        raise _misfit(kind, name, fit)


def _misfit(kind: str, name: str, fit: Callable[[Any], bool] | None) -> DamagedError:
    if fit is None:
        return DamagedError(f"a {kind} has a field that none has")
    return DamagedError(f"{name} of a {kind} holds what it cannot hold")


def check_row(row: bytes) -> None:
    """Raises msgspec.MsgspecError unless it is a row that `Record.encode` or `encode_elsewhere` may have written."""
    try:
        record = decode_record(row)
    except (UnicodeDecodeError, LookupError) as error:
        msg = f"a row is no row: {type(error).__name__}"
        raise DamagedError(msg) from None
    check_fields(record.kind, {name: value for name, (_, _, value) in record.fields.items()})
    for name, entries in record.histories.items():
        _check_values(record.kind, name, (value for _, _, value in entries))
    for name, entered in record.entered.items():
        instant = ENTERED.get(record.kind, {}).get(name)
        if instant is None:
            msg = f"a {record.kind} has entries that none has"
            raise DamagedError(msg)
        _check_values(record.kind, name, (value for _, _, _, value in entered))
        _check_values(record.kind, instant, (at for at, _, _, _ in entered))
    for name, values in record.named.items():
        is_list = FIELDS[record.kind].get(name) is FieldType.REFERENCES
        _check_values(record.kind, name, ([value] for value in values) if is_list else values)
    ats = [at for at, _, _ in record.fields.values()]
    digests = [digest for _, digest, _ in record.fields.values()]
    for entries in record.histories.values():
        ats += [at for at, _, _ in entries]
        digests += [digest for _, digest, _ in entries]
    for entered in record.entered.values():
        ats += [at for _, at, _, _ in entered]
        digests += [digest for _, _, digest, _ in entered]
    for values in record.named.values():
        ats += [at for at, _ in values.values()]
        digests += [digest for _, digest in values.values()]
    if record.kept_from is not None:
        ats.append(record.kept_from)
    if (ats and not FIRST_CHANGE <= min(ats) <= max(ats) <= LAST_CHANGE) or (
        digests and not 0 <= min(digests) <= max(digests) < 1 << 64
    ):
        raise DamagedError("a version is none")


def is_name(text: str) -> bool:
    """Whether it may be part of a key: not empty, and no character that cannot be shown."""
    return bool(text) and text.isprintable()


def _is_reference(value: Any) -> bool:
    return isinstance(value, str) and value != "" and value.isprintable()


def _is_instant(value: Any) -> bool:
    return type(value) is int and EARLIEST <= value <= LATEST


def _is_references(value: Any) -> bool:
    return (
        isinstance(value, list)
        and 0 < len(value) <= MOST_REFERENCES
        and all(map(_is_reference, value))
        and len(set(value)) == len(value)
    )


def _is_date(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(parse_date(value))
    except ValueError:
        return False


_FITS: Mapping[FieldType, Callable[[Any], bool]] = {
    FieldType.FLAG: lambda value: isinstance(value, bool),
    FieldType.INSTANT: _is_instant,
    FieldType.SECONDS: lambda value: type(value) is int and 0 <= value <= LONGEST,
    FieldType.DECIMAL: lambda value: isinstance(value, str) and _DECIMAL.match(value) is not None,
    FieldType.REFERENCE: _is_reference,
    FieldType.REFERENCES: _is_references,
    FieldType.PHONE: _is_reference,
    FieldType.DATE: _is_date,
    FieldType.DATE_OR_INSTANT: lambda value: _is_instant(value) or _is_date(value),
}
_FITTING: Mapping[str, Mapping[str, Callable[[Any], bool]]] = {
    kind: {
        voice: _FITS.get(field_type, lambda value: isinstance(value, str))
        for name, field_type in fields.items()
        for voice in (name, *VOICES.get(kind, {}).get(name, ()))
    }
    | {DELETED: _FITS[FieldType.FLAG], **dict.fromkeys(LEFT.get(kind, {}).values(), _is_reference)}
    for kind, fields in FIELDS.items()
}

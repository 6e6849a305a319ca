"""Plain events of kind `generic`: what nearly all senders write, decoded by msgspec straight into types.

Owns no rule: `fields.py` says what a field may look like, and words what is wrong with it. Here every field has the
type that such a field is nearly always written in; what is anything else (an unknown member, a text to be trimmed, a
number that may need rounding, a value to be refused) makes the whole body none for `read_plain`, and the careful reader
reads it from the start. Both give the same changes of the same body: tests/fuzz/test_parsers.py.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache, reduce
from operator import or_
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, defstruct, to_builtins

from schemas.connectors.base import CLOCK_AHEAD, MAX_EVENTS
from schemas.connectors.fields import MAX_ID, MAX_IDS, MAX_TALK, MAX_TEXT, attributes, phone
from schemas.instants import instant_of, parse_date, parse_instant
from schemas.records import (
    CHOICES,
    DELETED,
    FIELDS,
    FieldType,
    RecordChange,
    Value,
    make_change,
    ordered_change,
)

# To others what has more bits is a float.
_Whole = Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
_Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID)] | _Whole
_Instant = Annotated[datetime, Meta(tz=True)]
_Date = Annotated[str, Meta(min_length=10, max_length=10)]
_TYPES: Mapping[FieldType, Any] = {
    FieldType.TEXT: Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)] | _Whole,
    FieldType.FLAG: bool,
    FieldType.INSTANT: _Instant,
    FieldType.SECONDS: Annotated[int, Meta(ge=0, le=MAX_TALK)],
    FieldType.DECIMAL: Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,6})?\Z")]
    | Annotated[int, Meta(ge=0, lt=10**15)],
    FieldType.CURRENCY: Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")],
    FieldType.REFERENCE: _Id,
    FieldType.REFERENCES: Annotated[list[_Id], Meta(max_length=MAX_IDS)],
    FieldType.ATTRIBUTES: dict[str, str | bool | _Whole | None],
    FieldType.PHONE: Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)] | _Whole,
    FieldType.DATE: _Date,
    FieldType.DATE_OR_INSTANT: Annotated[str, Meta(min_length=10, max_length=40)],
}
_Read = Callable[[Any], Value]
"""From a decoded value to a normalised one. Raises ValueError where it is not plain after all."""


_AS_DECODED = (datetime,)


class NotPlainError(ValueError):
    """Leave the body to the careful reader."""


class _Event(Struct, tag_field="record", forbid_unknown_fields=True):
    """What every event has. `fields` stands in the kinds, each with its own."""

    id: _Id
    changed_at: _Instant
    deleted: bool | UnsetType = UNSET


def _fields_of(kind: str) -> type[Struct]:
    # In the order of their names, which is that of the fields of a change.
    members = [
        (name, _type_of(kind, name, field_type) | None | UnsetType, UNSET)
        for name, field_type in sorted(FIELDS[kind].items())
        if field_type in _TYPES or field_type is FieldType.CHOICE
    ]
    return defstruct(f"{kind}_fields", members, forbid_unknown_fields=True)


def _type_of(kind: str, name: str, field_type: FieldType) -> Any:
    if field_type is FieldType.CHOICE:
        return Literal[CHOICES[kind, name]]
    return _TYPES[field_type]


_FIELDS = {kind: _fields_of(kind) for kind in FIELDS}
_EVENTS = [
    defstruct(f"{kind}_event", [("fields", fields | UnsetType, UNSET)], bases=(_Event,), tag=kind)
    for kind, fields in _FIELDS.items()
]


_EVENT: Any = reduce(or_, _EVENTS)
_decode = msgspec.json.Decoder(_EVENT | list[_EVENT]).decode


# msgspec rounds the digits of an instant beyond the sixth, which are to be cut. Point and digits may hide as \u002e.
_MORE_DIGITS = re.compile(rb"\.[0-9]{7}").search
_HIDDEN = b"\\u00"


def read_plain(body: bytes, received_at: int, namespace: str) -> list[RecordChange]:
    """The changes of a body without envelopes, one event or an array of them. Raises NotPlainError."""
    try:
        if _MORE_DIGITS(body) or _HIDDEN in body:
            raise NotPlainError
        events: Any = _decode(body)
        kinds = _kinds_in(namespace)
        if type(events) is not list:
            return [_change(events, received_at, kinds)]
        if len(events) > MAX_EVENTS:
            raise NotPlainError
        return [_change(event, received_at, kinds) for event in events]
    except ValueError:  # msgspec's errors are such, and those of instants and texts
        raise NotPlainError from None


def _change(event: Any, received_at: int, kinds: Mapping[type, "_Kind"]) -> RecordChange:
    kind, reference, readers = kinds[type(event)]
    changed_at = instant_of(event.changed_at)
    if changed_at > received_at + CLOCK_AHEAD:
        raise NotPlainError
    id, said = reference(event.id), event.fields
    fields: dict[str, Value] = {}
    if said is not UNSET:
        fields = to_builtins(said, builtin_types=_AS_DECODED)  # those that the event has
        for name, value in fields.items():
            read = readers.get(name)
            if read is not None and value is not None:
                fields[name] = read(value)
    in_order = len(fields)
    if event.deleted is not UNSET:
        fields[DELETED] = event.deleted
    elif not fields:
        raise NotPlainError
    if fields.get("stage") is not None and "entered_stage_at" not in fields:
        fields["entered_stage_at"] = changed_at
    if len(fields) == in_order:
        return ordered_change(kind, id, changed_at, fields, received_at)
    return make_change(kind=kind, id=id, changed_at=changed_at, fields=fields, received_at=received_at)


def _date(text: str) -> str:
    parse_date(text)
    return text


def _date_or_instant(text: str) -> str | int:
    return _date(text) if len(text) == 10 else parse_instant(text)


def _trimmed(value: str | int) -> str:
    if type(value) is int:
        return str(value)
    if value != value.strip():  # type: ignore[union-attr]
        raise NotPlainError
    return value  # type: ignore[return-value]


def _shown(value: str | int) -> str:
    if type(value) is int:
        return str(value)
    # Of the characters that `strip` takes, a space alone can be shown.
    if not value.isprintable() or value != value.strip():  # type: ignore[union-attr]
        raise NotPlainError
    return value  # type: ignore[return-value]


def _decimal(value: str | int) -> str:
    text = str(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _seconds(value: int) -> int:
    return value * 1_000_000


_READERS: Mapping[FieldType, _Read] = {
    FieldType.TEXT: _trimmed,
    FieldType.INSTANT: instant_of,
    FieldType.DATE: _date,
    FieldType.DATE_OR_INSTANT: _date_or_instant,
    FieldType.SECONDS: _seconds,
    FieldType.ATTRIBUTES: attributes,
    FieldType.PHONE: phone,
    FieldType.DECIMAL: _decimal,
}


_Kind = tuple[str, Callable[[Any], str], Mapping[str, _Read]]
"""A kind, how an id is read on, and how those fields are that are not what was decoded."""


@lru_cache(1024)
def _kinds_in(namespace: str) -> Mapping[type, _Kind]:
    """By the type of an event."""
    before = f"{namespace}:" if namespace else ""
    reference: Callable[[Any], str] = (lambda value: before + _shown(value)) if before else _shown
    readers: Mapping[FieldType, _Read] = {
        **_READERS,
        FieldType.REFERENCE: reference,
        FieldType.REFERENCES: lambda values: list(dict.fromkeys(map(reference, values))) or None,
    }
    return {
        event: (
            kind,
            reference,
            {name: readers[field_type] for name, field_type in FIELDS[kind].items() if field_type in readers},
        )
        for kind, event in zip(FIELDS, _EVENTS, strict=True)
    }

"""Plain events of kind `generic`: what nearly all senders write, decoded by msgspec straight into types.

Owns no rule: `fields.py` says what a field may look like, and words what is wrong with it. Here every field has the
type that such a field is nearly always written in; what is anything else (an unknown member, a text to be trimmed, a
number that may need rounding, a value to be refused) makes the whole body none for `read_plain`, and the careful reader
reads it from the start. Both give the same changes of the same body: tests/fuzz/test_parsers.py.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, defstruct

from schemas.connectors.base import CLOCK_AHEAD, MAX_EVENTS
from schemas.connectors.fields import MAX_ID, MAX_IDS, MAX_TALK, MAX_TEXT, phone
from schemas.instants import parse_date, parse_instant
from schemas.records import CHOICES, DELETED, FIELDS, FieldType, RecordChange, Value, make_change

# To others what has more bits is a float.
_Whole = Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
_Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID)] | _Whole
_Date = Annotated[str, Meta(min_length=10, max_length=10)]
_TYPES: Mapping[FieldType, Any] = {
    FieldType.TEXT: Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)] | _Whole,
    FieldType.FLAG: bool,
    FieldType.INSTANT: Annotated[str, Meta(min_length=20, max_length=40)],
    FieldType.SECONDS: Annotated[int, Meta(ge=0, le=MAX_TALK)],
    FieldType.DECIMAL: Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,6})?\Z")]
    | Annotated[int, Meta(ge=0, lt=10**15)],
    FieldType.CURRENCY: Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")],
    FieldType.REFERENCE: _Id,
    FieldType.REFERENCES: Annotated[list[_Id], Meta(max_length=MAX_IDS)],
    FieldType.PHONE: Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)] | _Whole,
    FieldType.DATE: _Date,
    FieldType.DATE_OR_INSTANT: Annotated[str, Meta(min_length=10, max_length=40)],
}
_Read = Callable[[Any], Value]
"""From a decoded value to a normalised one. Raises ValueError where it is not plain after all."""


class NotPlainError(ValueError):
    """Leave the body to the careful reader."""


class _Event(Struct, tag_field="record", forbid_unknown_fields=True):
    """What every event has. `fields` stands in the kinds, each with its own."""

    id: _Id
    changed_at: str
    deleted: bool | UnsetType = UNSET


def _fields_of(kind: str) -> type[Struct]:
    members = [
        (name, _type_of(kind, name, field_type) | None | UnsetType, UNSET)
        for name, field_type in sorted(FIELDS[kind].items())
        if field_type in _TYPES or field_type is FieldType.CHOICE
    ]
    return defstruct(f"{kind}_fields", members, forbid_unknown_fields=True)


def _type_of(kind: str, name: str, field_type: FieldType) -> Any:
    if field_type is FieldType.CHOICE:
        return Literal[tuple(sorted(CHOICES[kind, name]))]
    return _TYPES[field_type]


_FIELDS = {kind: _fields_of(kind) for kind in FIELDS}
_EVENTS = [
    defstruct(f"{kind}_event", [("fields", fields | UnsetType, UNSET)], bases=(_Event,), tag=kind)
    for kind, fields in _FIELDS.items()
]


def _union(types: list[Any]) -> Any:
    found = types[0]
    for each in types[1:]:
        found |= each
    return found


_decode = msgspec.json.Decoder(_union([*_EVENTS, list[_union(_EVENTS)]])).decode  # type: ignore[misc]


def read_plain(body: bytes, received_at: int, namespace: str) -> list[RecordChange]:
    """The changes of a body without envelopes, one event or an array of them. Raises NotPlainError."""
    try:
        events: Any = _decode(body)
        if type(events) is not list:
            return [_change(events, received_at, namespace)]
        if len(events) > MAX_EVENTS:
            raise NotPlainError
        return [_change(event, received_at, namespace) for event in events]
    except ValueError:  # msgspec's errors are such, and those of instants and texts
        raise NotPlainError from None


def _change(event: Any, received_at: int, namespace: str) -> RecordChange:
    kind: str = event.__struct_config__.tag
    changed_at = parse_instant(_ascii(event.changed_at))
    if changed_at > received_at + CLOCK_AHEAD:
        raise NotPlainError
    read_id, readers = _readers_of(kind, namespace)
    fields: dict[str, Value] = {}
    said = event.fields
    if said is not UNSET:
        for name, read in readers:
            value = getattr(said, name)
            if value is not UNSET:
                fields[name] = value if value is None or read is None else read(value)
        if fields.get("stage") is not None and "entered_stage_at" not in fields:
            fields["entered_stage_at"] = changed_at
    if event.deleted is not UNSET:
        fields[DELETED] = event.deleted
    elif not fields:
        raise NotPlainError
    return make_change(kind=kind, id=read_id(event.id), changed_at=changed_at, fields=fields, received_at=received_at)


def _ascii(text: str) -> str:
    if not text.isascii():
        raise NotPlainError
    return text


def _instant(text: str) -> int:
    return parse_instant(_ascii(text))


def _date(text: str) -> str:
    parse_date(text)
    return text


def _trimmed(value: str | int) -> str:
    if type(value) is int:
        return str(value)
    if value != value.strip():  # type: ignore[union-attr]
        raise NotPlainError
    return value  # type: ignore[return-value]


def _shown(value: str | int) -> str:
    if type(value) is int:
        return str(value)
    if not value.isprintable() or value[0] == " " or value[-1] == " ":  # type: ignore[union-attr, index]
        raise NotPlainError
    return value  # type: ignore[return-value]


def _decimal(value: str | int) -> str:
    text = str(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


_READERS: Mapping[FieldType, _Read | None] = {
    FieldType.TEXT: _trimmed,
    FieldType.INSTANT: _instant,
    FieldType.DATE: _date,
    FieldType.DATE_OR_INSTANT: lambda text: _date(text) if len(text) == 10 else _instant(text),
    FieldType.SECONDS: lambda value: value * 1_000_000,
    FieldType.PHONE: phone,
    FieldType.DECIMAL: _decimal,
}


@lru_cache(1024)
def _readers_of(kind: str, namespace: str) -> tuple[Callable[[Any], str], tuple[tuple[str, _Read | None], ...]]:
    """How the id and each field of a kind are read on; None: it is what was decoded."""
    before = f"{namespace}:" if namespace else ""
    reference: Callable[[Any], str] = (lambda value: before + _shown(value)) if before else _shown
    readers = {
        **_READERS,
        FieldType.REFERENCE: reference,
        FieldType.REFERENCES: lambda values: list(dict.fromkeys(map(reference, values))) or None,
    }
    return reference, tuple((name, readers.get(FIELDS[kind][name])) for name in _FIELDS[kind].__struct_fields__)

"""From a raw field of an event to its normalised value: types, choices, limits, namespaces.

Owns what a field may look like from outside. Knows no vendor: connectors turn a vendor's words into these first.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any

import orjson

from schemas.damage import LONGEST, MOST_REFERENCES
from schemas.decimals import decimal_in
from schemas.instants import SECOND, parse_date, parse_instant
from schemas.records import CHOICES, DELETED, FIELDS, FieldType, RecordChange, Value, make_change
from schemas.voices import LEFT, VOICES

MAX_TEXT = 1024
MAX_ID = 256
MAX_ATTRIBUTES = 8192
MAX_IDS = MOST_REFERENCES
MAX_TALK = LONGEST // SECOND
MAX_DIGITS = 18
MIN_PHONE = 3
MAX_DECIMALS = 6
_DATE_LENGTH = len("2026-03-18")
_CURRENCY = re.compile(r"[A-Z]{3}\Z")
_COUNT = re.compile(r"[0-9]{1,16}\Z")
# +49 (0)30 …: the zero is dialled within the country alone, but in Italy.
_TRUNK_ZERO = re.compile(r"(?<!39)(?<!39[ -])\(0\)")
_BEHIND_NUMBER = re.compile(r"(?<=[0-9])[\s(]*[^\W\d_].*|[;,#].*", re.DOTALL)
MAX_NUMBER = 64
MAX_EXPONENT = 999
# Wide enough for every number that is let through: the usual 28 digits would round what must be refused.
_EXACT = Context(prec=2 * MAX_NUMBER)
_SMALLEST = Decimal(1).scaleb(-MAX_DECIMALS)


class FieldError(ValueError):
    """A field that cannot be read. `field` names it; the message never repeats the value, which may be personal."""

    def __init__(self, field: str, problem: str) -> None:
        self.field = field
        self.problem = problem
        super().__init__(f"{field}: {problem}")


class UnknownKindError(ValueError):
    """A kind of record that floorcast does not know: kept in the log, ignored, counted."""


@dataclass(frozen=True, slots=True)
class ReadChange:
    """A change, and what was left out of it on purpose."""

    change: RecordChange
    unknown: Sequence[str] = ()
    """Names of fields that such a record does not have."""
    rounded: int = 0
    """Numbers with more digits after the point than are kept."""


class ServedId(str):
    """An id as it is served, which no namespace goes before: of somebody whom the roster knows under it."""

    __slots__ = ()


class _Rounded(str):
    """A number that was rounded: known by its type alone."""

    __slots__ = ()


def read_change(
    *,
    kind: str,
    record_id: Any,
    changed_at: int,
    raw: Mapping[str, Any],
    received_at: int,
    namespace: str,
    deleted: bool | None = None,
    takes_voices: bool = False,
) -> ReadChange:
    """Make a change of named, raw fields. None and empty text clear a field, of whatever type it is.

    `takes_voices`: whether `raw` may name further voices of a field (schemas/voices.py): never names from outside.

    `stage` without `entered_stage_at` sets that to `changed_at` (contract). Raises FieldError, UnknownKindError.
    """
    readers = _readers_of(kind, namespace, takes_voices)
    fields: dict[str, Value] = {}
    unknown: list[str] = []
    rounded = 0
    for name, value in raw.items():
        read = readers.get(name)
        if read is None:
            unknown.append(name)
            continue
        if value is None or (isinstance(value, str) and not value.strip()):
            fields[name] = None
            continue
        try:
            found = fields[name] = read(value)
        except (ValueError, TypeError) as error:
            raise FieldError(field=f"fields.{name}", problem=str(error)) from None
        if type(found) is _Rounded:
            fields[name] = str(found)
            rounded += 1
    if fields.get("stage") is not None and "entered_stage_at" not in raw:
        fields["entered_stage_at"] = changed_at
    if deleted is not None:
        fields[DELETED] = deleted
    change = make_change(
        kind=kind, id=read_id(record_id, "id", namespace), changed_at=changed_at, fields=fields, received_at=received_at
    )
    return ReadChange(change, unknown, rounded)


def read_instant(value: Any, field: str) -> int:
    """Read an RFC 3339 instant as microseconds. Raises FieldError."""
    try:
        return _instant(value)
    except ValueError as error:
        raise FieldError(field, str(error)) from None


def read_id(value: Any, field: str, namespace: str) -> str:
    """Read an id as served. Numbers are taken too: several CRMs send them. Raises FieldError."""
    try:
        text = _id(value)
    except ValueError as error:
        raise FieldError(field, str(error)) from None
    if text is None:
        raise FieldError(field, "is empty")
    return f"{namespace}:{text}" if namespace else text


def _id(value: Any) -> str | None:
    if isinstance(value, str):
        text = value.strip()
    elif isinstance(value, int) and not isinstance(value, bool):
        text = str(value)
    else:
        raise ValueError("must be text (an id)")
    if len(text) > MAX_ID:
        msg = f"is longer than {MAX_ID} characters"
        raise ValueError(msg)
    if not text.isprintable():
        raise ValueError("holds characters that cannot be shown")
    return text or None  # CRMs clear a pointer by an empty text


def _text(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("must be text")
    text = str(value).strip()
    if len(text) > MAX_TEXT:
        msg = f"is longer than {MAX_TEXT} characters"
        raise ValueError(msg)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("is not valid Unicode") from None
    return text or None


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _instant(value: Any) -> int:
    if not isinstance(value, str) or not value.isascii():
        msg = "must be an RFC 3339 instant with an offset, such as 2026-03-18T16:41:30.344Z"
        raise ValueError(msg)
    return parse_instant(value)


def _date(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a date such as 2026-03-18")
    text = value.strip()
    parse_date(text)
    return text


def _date_or_instant(value: Any) -> str | int:
    return _date(value) if isinstance(value, str) and len(value.strip()) <= _DATE_LENGTH else _instant(value)


def _seconds(value: Any) -> int:
    number = read_number(value)
    if not 0 <= number <= MAX_TALK:
        raise ValueError("must be a number of seconds that is not negative")
    return int(number * 1_000_000)


def _decimal(value: Any) -> str:
    number = kept = read_number(value)
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > MAX_DECIMALS:
        # A sender's arithmetic leaves 30.000000000000004 behind: no currency has so many digits.
        kept = number.quantize(_SMALLEST, context=_EXACT)
    if kept.adjusted() >= MAX_DIGITS:
        msg = f"must have at most {MAX_DIGITS} digits before the point"
        raise ValueError(msg)
    # One writing per number, so that 100, 100.0 and "1e2" are the same value (and the same digest).
    text = format(_EXACT.normalize(kept), "f") if kept else "0"
    return text if kept == number else _Rounded(text)


def count_of(value: Any) -> int | None:
    """What is counted from 1970: a whole number, by middlemen also as text or with a point. None: it is none."""
    if (isinstance(value, str) and _COUNT.match(value)) or (isinstance(value, float) and value.is_integer()):
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53 else None


def phone(value: Any) -> str | None:
    """A telephone number as digits with country code; None for one that is withheld. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("must be text (a telephone number)")
    text = _BEHIND_NUMBER.sub("", str(value)[:MAX_TEXT]).strip()  # an extension, a note
    if text.startswith(("+", "00", "(+", "tel:+")):
        text = _TRUNK_ZERO.sub("", text)
    digits = "".join(sign for sign in text if sign in "0123456789")
    # As some write the 00 of international calls.
    return (digits.removeprefix("00")[:MAX_ID] or None) if len(digits) >= MIN_PHONE else None


def read_number(value: Any) -> Decimal:
    """Read a JSON number, or the text of one, exactly. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("must be a number or a decimal string")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must be a finite number")
    text = repr(value) if isinstance(value, float) else str(value).strip()
    if len(text) > MAX_NUMBER:
        raise ValueError("is too long for a number")
    number = decimal_in(text)
    if number is None or abs(int(number.as_tuple().exponent)) > MAX_EXPONENT:
        raise ValueError("must be a number or a decimal string")
    return number


def _currency(value: Any) -> str | None:
    text = value.strip().upper() if isinstance(value, str) else value
    if text == "":
        return None
    if not isinstance(text, str) or not _CURRENCY.match(text):
        raise ValueError("must be an ISO 4217 code such as USD")
    return text


def attributes(value: Any) -> str:
    """Attributes as JSON, in the order of their names. Raises ValueError."""
    if not isinstance(value, dict):
        raise ValueError("must be an object")
    try:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        raise ValueError("cannot be written as JSON") from None
    if len(text) > MAX_ATTRIBUTES:
        msg = f"is larger than {MAX_ATTRIBUTES} bytes"
        raise ValueError(msg)
    if b"null" in text and not all(map(math.isfinite, _floats_in(value))):
        # orjson writes them as null, which they are not.
        raise ValueError("holds a number that is not finite")
    return text.decode()


def _floats_in(value: Any) -> Iterator[float]:
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, float):
            yield each
        elif isinstance(each, list | dict):
            left += each.values() if isinstance(each, dict) else each


_Reader = Callable[[Any], Value]

_READERS: Mapping[FieldType, _Reader] = {
    FieldType.TEXT: _text,
    FieldType.FLAG: _flag,
    FieldType.INSTANT: _instant,
    FieldType.DATE: _date,
    FieldType.DATE_OR_INSTANT: _date_or_instant,
    FieldType.SECONDS: _seconds,
    FieldType.DECIMAL: _decimal,
    FieldType.CURRENCY: _currency,
    FieldType.ATTRIBUTES: attributes,
    FieldType.PHONE: phone,
}


def _choice_of(choices: tuple[str, ...]) -> _Reader:
    known = frozenset(choices)

    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in known:
            msg = f"must be one of {', '.join(sorted(choices))}"
            raise ValueError(msg)
        return value

    return read


def _reference_in(namespace: str) -> _Reader:
    if not namespace:
        return _id
    before = f"{namespace}:"

    def read(value: Any) -> str | None:
        text = _id(value)
        return before + text if text and type(value) is not ServedId else text

    return read


def _references_in(namespace: str) -> _Reader:
    read_one = _reference_in(namespace)

    def read(value: Any) -> list[str] | None:
        if not isinstance(value, list):
            raise ValueError("must be a list of ids")
        if len(value) > MAX_IDS:
            msg = f"holds more than {MAX_IDS} ids"
            raise ValueError(msg)
        ids = dict.fromkeys(map(read_one, value))
        return [id for id in ids if isinstance(id, str)] or None

    return read


@lru_cache(1024)
def _readers_of(kind: str, namespace: str, takes_voices: bool) -> Mapping[str, _Reader]:
    """How each field of a kind is read, with one argument: this runs for every field of every event.

    Raises UnknownKindError.
    """
    if kind not in FIELDS:
        raise UnknownKindError(kind)
    readers = {
        **_READERS,
        FieldType.REFERENCE: _reference_in(namespace),
        FieldType.REFERENCES: _references_in(namespace),
    }
    found = {
        name: _choice_of(CHOICES[kind, name]) if field_type is FieldType.CHOICE else readers[field_type]
        for name, field_type in FIELDS[kind].items()
    }
    for name, voices in VOICES.get(kind, {}).items() if takes_voices else ():
        found |= dict.fromkeys(voices, found[name])
    for name, left in LEFT.get(kind, {}).items() if takes_voices else ():
        found[left] = found[name]
    return found

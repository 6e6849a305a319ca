"""Kinds of values that occur in many places of such files: durations, time zones, currencies, names.

Owns how they are written and what is wrong with them. Does not know where they are used.
"""

import re
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Annotated, Any
from zoneinfo import available_timezones

from babel.numbers import list_currencies
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, WithJsonSchema
from pydantic_core import PydanticCustomError

from schemas.decimals import decimal_in, has_room
from schemas.documents.errors import nearest, wrong
from schemas.instants import parse_date, parse_duration, parse_instant

_SHAPE = "must be a duration such as 30s, 5m, 1h or 2d"
_DIGITS, _PLACES = 18, 9
_WHOLE = re.compile(r"-?\d{1,18}\Z", re.ASCII)


class Model(BaseModel):
    """A part of a file: what it does not know is an error, and it does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)


def _duration(value: Any) -> int:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise wrong(_SHAPE)
    try:
        return parse_duration(value)
    except ValueError as error:
        reason = str(error)
        raise wrong(reason if "longer" in reason else _SHAPE + _with_unit(value.strip())) from None


def _duration_text(value: Any) -> str:
    _positive(_duration(value))
    return str(value)


def _with_unit(text: str) -> str:
    """What to write instead of a number, or of a unit that is a whole word."""
    if decimal_in(text) is not None:
        number = text.removeprefix("+").rstrip(".")
        return f": {number} has no unit; did you mean {number}s?"
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)[a-z]*", text, re.ASCII | re.IGNORECASE)
    return f"; did you mean {found[1]}{found[2].lower()}?" if found else ""


def decimal_of(value: Any) -> Decimal:
    """A number as it is written, not the binary number next to it."""
    is_written = isinstance(value, int | float | str | Decimal) and not isinstance(value, bool)
    number = decimal_in(str(value).strip()) if is_written else None
    if number is None or not has_room(number, digits=_DIGITS, places=_PLACES):
        msg = 'must be a number such as 10 or 0.25, or a decimal text such as "1000000.50"'
        raise wrong(msg)
    return Decimal(format(number, "f"))  # without an exponent: it is written into texts


def _whole(value: Any) -> Any:
    if isinstance(value, str) and not _WHOLE.match(value.strip()):
        raise wrong("must be a whole number such as 10")
    return value


def _date_or_instant(value: Any) -> str | int:
    text = value.strip() if isinstance(value, str) else value.isoformat() if isinstance(value, date) else ""
    try:
        if len(text) > len("2026-03-18"):
            return parse_instant(text)
        parse_date(text)
    except ValueError:
        msg = "must be a date such as 2026-03-18, or an RFC 3339 instant with an offset"
        raise wrong(msg) from None
    return text


def ranging(reason: str, *, least: int = 0, most: int | None = None) -> AfterValidator:
    """What refuses a `DurationSetting` (microseconds) that is shorter or longer than these."""

    def checked(value: int) -> int:
        if value < least or (most is not None and value > most):
            raise wrong(reason)
        return value

    return AfterValidator(checked)


def _positive(value: int) -> int:
    if value <= 0:
        raise ValueError("must be longer than 0")
    return value


def _none_such(value: str, what: str, meant: str | None) -> PydanticCustomError:
    return wrong(f"{value!r} is not {what}" + (f"; did you mean {meant!r}?" if meant else ""))


@cache
def _timezones() -> frozenset[str]:
    # Made by looking through the folders of the time zones.
    return frozenset(available_timezones())


def _timezone(value: str) -> str:
    if value not in _timezones():
        places = {zone.rpartition("/")[2]: zone for zone in sorted(_timezones(), reverse=True)}
        meant = nearest(value, _timezones()) or places.get(nearest(value, places) or "")
        raise _none_such(value, "an IANA time zone such as Europe/Berlin", meant)
    return value


@cache
def _currencies() -> frozenset[str]:
    return frozenset(list_currencies())


def _currency(value: str) -> str:
    if value not in _currencies():
        meant = nearest(value, sorted(_currencies())) if len(value) <= 8 else None
        raise _none_such(value, "an ISO 4217 code such as USD", meant)
    return value


def _name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", value):
        msg = "must be 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit"
        raise ValueError(msg)
    return value


DurationSetting = Annotated[
    int, BeforeValidator(_duration), AfterValidator(_positive), WithJsonSchema({"type": "string", "examples": ["14d"]})
]
"""Written `30s`, `5m`, `1h`, `2d`; kept in microseconds."""
DurationText = Annotated[str, BeforeValidator(_duration_text)]
"""The same, kept as it is written."""
Number = Annotated[Decimal, BeforeValidator(decimal_of)]
Real = Annotated[float, BeforeValidator(decimal_of)]
WholeNumber = Annotated[int, BeforeValidator(_whole)]
TimeZone = Annotated[str, AfterValidator(_timezone)]
Name = Annotated[str, AfterValidator(_name)]
Currency = Annotated[str, AfterValidator(_currency)]
DateOrInstant = Annotated[str | int, BeforeValidator(_date_or_instant)]
"""Written `2026-03-18`, kept as that text; or an instant with an offset, kept in microseconds."""

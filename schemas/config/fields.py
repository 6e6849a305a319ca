"""Kinds of values that occur in many places of `floorcast.yaml`: durations, time zones, names, windows.

Owns how they are written and what is wrong with them. Does not know where they are used.
"""

import re
from typing import Annotated, Any
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from schemas.instants import parse_duration


def _duration(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):  # a default, already in microseconds
        return value
    if not isinstance(value, str):
        msg = "must be a duration such as 30s, 5m, 1h or 2d"
        raise ValueError(msg)
    return parse_duration(value)


def _positive(value: int) -> int:
    if value <= 0:
        msg = "must be longer than 0"
        raise ValueError(msg)
    return value


def _timezone(value: str) -> str:
    if value not in available_timezones():
        msg = f"{value!r} is not an IANA time zone such as Europe/Berlin"
        raise ValueError(msg)
    return value


def _name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", value):
        msg = "must be 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit"
        raise ValueError(msg)
    return value


Duration = Annotated[int, BeforeValidator(_duration), AfterValidator(_positive)]
"""Written `30s`, `5m`, `1h`, `2d`; kept in microseconds."""
TimeZone = Annotated[str, AfterValidator(_timezone)]
Name = Annotated[str, AfterValidator(_name)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class Model(BaseModel):
    """A part of the file: what it does not know is an error, and it does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


WINDOW_NAMES = (
    "5m", "15m", "1h", "4h", "24h", "today", "yesterday", "week", "month", "quarter", "year", "7d", "30d",
)  # fmt: skip


PERIODS = ("today", "week", "month", "quarter", "year")
"""Windows that begin anew; the others roll on."""


def known_window(window: str) -> None:
    """ValueError: it is none of `WINDOW_NAMES`."""
    if window not in WINDOW_NAMES:
        msg = f"{window!r} is not a window; there are {', '.join(WINDOW_NAMES)}"
        raise ValueError(msg)

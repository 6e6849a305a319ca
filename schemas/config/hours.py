"""When something holds: spans of the day, weekdays and days of the month, as screens write them.

Owns how they are written. Whether a moment lies in them is for whoever shows something then (api/static/schedule.js).
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from schemas.calendars import parse_span, weekdays_of
from schemas.documents.errors import wrong

_SPAN = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)\Z", re.ASCII)
_DAYS = re.compile(r"(\d{1,2})(?:-(\d{1,2}))?\Z|last (\d{1,2})\Z", re.ASCII)
_DAY_MINUTES = 24 * 60


def read_hours(text: str) -> tuple[int, int]:
    """`18:00-08:00` as minutes of the day; a span whose end is not after its start goes over midnight. ValueError."""
    found = _SPAN.match(text)
    if found is None:
        msg = f"{text!r} is not a span such as 08:00-18:00"
        raise ValueError(msg)
    start = int(found[1]) * 60 + int(found[2])
    end = _DAY_MINUTES if found[3] is None else int(found[3]) * 60 + int(found[4])
    if start == end:
        msg = f"{text} is empty"
        raise ValueError(msg)
    return start, end


def read_days(text: str) -> tuple[int, int]:
    """`5`, `1-5` or `last 5` as first and last day of the month; counted from its end they are negative. ValueError."""
    found = _DAYS.match(text)
    numbers = [] if found is None else [int(number) for number in found.groups() if number is not None]
    if found is None or not all(1 <= number <= 31 for number in numbers) or numbers != sorted(numbers):
        msg = "must be days of the month such as 5, 1-5 or last 5"
        raise ValueError(msg)
    return (-numbers[0], -1) if found[3] is not None else (numbers[0], numbers[-1])


def _checked(read: Callable[[str], object], value: Any) -> Any:
    try:
        read(str(value))
    except ValueError as error:
        raise wrong(str(error)) from None
    return value


def _span_or_weekdays(value: Any) -> Any:
    return _checked(weekdays_of if isinstance(value, str) and ":" not in value else read_hours, value)


def _work_span(text: str) -> str:
    parse_span(text)
    return text


WorkSpan = Annotated[str, AfterValidator(_work_span)]
"""`09:00-18:00`; to the end of the day is `18:00-24:00`."""
DaySpan = Annotated[str, BeforeValidator(partial(_checked, read_hours))]
"""`08:00-12:00`; one that goes over midnight is written `18:00-08:00`."""
Weekdays = Annotated[str, BeforeValidator(partial(_checked, weekdays_of))]
"""`mon-fri`, `sat`, `mon,wed`."""
DaySpanOrWeekdays = Annotated[str, BeforeValidator(_span_or_weekdays)]
MonthDays = Annotated[str, BeforeValidator(lambda value: _checked(read_days, str(value)))]
"""`5`, `1-5`, `last 5`."""

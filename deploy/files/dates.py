"""Days and times as a file writes them: by a format that was told, or ISO 8601; and which instant a local time is.

Owns the formats and the rule that nothing is guessed: what is in neither form is refused, and so is a day that the
calendar, or a time that the clocks, do not have. Pure.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from itertools import chain, combinations
from zoneinfo import ZoneInfo

from deploy.files.problems import CellError, UseError
from schemas.instants import MINUTE, checked, from_datetime

Moment = date | datetime
"""A day; a time without an offset; or with one."""

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
NUMBERED = frozenset({"epoch", "epoch-ms", "excel"})
_ISO = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)(?:[Tt ](?P<hour>\d\d):(?P<minute>\d\d)"
    r"(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?(?: ?(?P<offset>[Zz]|[+-]\d\d(?::?\d\d)?))?)?\Z",
    re.ASCII,
)
_TOKENS = {
    "YYYY": r"(?P<year>\d{4})", "YY": r"(?P<short_year>\d{2})", "MMM": r"(?P<name>[A-Za-z]{3})",
    "MM": r"(?P<month>\d{2})", "M": r"(?P<month>\d{1,2})", "DD": r"(?P<day>\d{2})", "D": r"(?P<day>\d{1,2})",
    "HH": r"(?P<hour>\d{2})",
    "H": r"(?P<hour>\d{1,2})", "hh": r"(?P<half>\d{2})", "h": r"(?P<half>\d{1,2})", "mm": r"(?P<minute>\d{2})",
    "ss": r"(?P<second>\d{2})", "SSS": r"(?P<fraction>\d{3}(?:\d{3})?)", "A": r"(?P<noon>[AaPp]\.?[Mm]\.?)",
    "Z": r"(?P<offset>[Zz]|[+-]\d\d(?::?\d\d)?)",
}  # fmt: skip
_TOKEN = re.compile("|".join(sorted(_TOKENS, key=len, reverse=True)))
_SERIAL = re.compile(r"\d{1,7}(?:\.\d{1,12})?\Z", re.ASCII)
_EPOCH = re.compile(r"-?\d{1,10}(?:\.\d{1,9})?\Z", re.ASCII)
_EPOCH_MS = re.compile(r"-?\d{1,13}\Z", re.ASCII)
_EXCEL_BEGINS = datetime(1899, 12, 30)  # noqa: DTZ001 - as spreadsheets count, without a zone
_BLANK = re.compile("[\u00a0\u2007\u2009\u202f]")
_UNTOLD = "format not told"


@dataclass(frozen=True)
class DateFormat:
    """How the instants of a field are written."""

    text: str
    pattern: re.Pattern[str] | None
    """None: a number."""
    takes_iso: bool
    """Whether a cell that is not written so may be ISO 8601: not where that would turn day and month round."""


def date_format(text: str) -> DateFormat:
    """Read a format. Raises UseError."""
    if text in NUMBERED:
        return DateFormat(text, None, takes_iso=True)
    found: list[str] = []
    pattern, end = "", 0
    for token in _TOKEN.finditer(text):
        pattern += re.escape(text[end : token.start()]) + _TOKENS[token[0]]
        end = token.end()
        found.append(token[0][0])
    try:
        compiled = re.compile(pattern + re.escape(text[end:]) + r"\Z", re.ASCII)
    except re.error:
        raise UseError([f"--date-format {text}: names a part twice"]) from None
    lacking = [word for word, letter in (("year", "Y"), ("month", "M"), ("day", "D")) if letter not in found]
    if lacking:
        raise UseError([f"--date-format {text}: has no {' and no '.join(lacking)}"])
    if "h" in found and "A" not in found:
        raise UseError([f"--date-format {text}: hh counts to 12 and needs A (AM, PM); HH counts to 23"])
    turned = found.index("Y") < found.index("D") < found.index("M")
    return DateFormat(text, compiled, takes_iso=not turned)


def read_moment(text: str, form: DateFormat | None, decimal: str | None = None) -> Moment:
    """A cell. `decimal`: the sign before decimals, where it was told. Raises CellError."""
    # Nobody sees which blank it is: browsers and spreadsheets put narrow ones before AM and PM.
    text = _BLANK.sub(" ", text)
    if form is not None:
        found = _numbered(text, form.text, decimal) if form.pattern is None else _formatted(text, form.pattern)
        if found is not None:
            return found
    if form is None or form.takes_iso:
        found = _formatted(text, _ISO)
        if found is not None:
            return found
    raise CellError(_UNTOLD if form is None else f"is not written {form.text}", repair="date", text=text)


def _formatted(text: str, pattern: re.Pattern[str]) -> Moment | None:
    match = pattern.match(text)
    if match is None:
        return None
    said = match.groupdict()
    name = said.get("name")
    if name is not None and name.lower() not in MONTHS:
        return None
    year = int(said["year"]) if said.get("year") else 2000 + int(said["short_year"])
    month = int(said["month"]) if name is None else 1 + MONTHS.index(name.lower())
    day = int(said["day"])
    hour = said.get("hour")
    half = said.get("half")
    if hour is None and half is None:
        return _made(lambda: date(year, month, day))
    if half is not None and not 1 <= int(half) <= 12:
        raise CellError(_NO_TIME)
    is_late = (said.get("noon") or "a")[0] in "pP"
    hours = int(hour) if hour is not None else int(half or 0) % 12 + 12 * is_late
    micros = int((said.get("fraction") or "0")[:6].ljust(6, "0"))
    return _made(
        lambda: datetime(
            year, month, day, hours, int(said.get("minute") or 0), int(said.get("second") or 0), micros,
            _offset(said.get("offset")),
        )
    )  # fmt: skip


_NO_TIME = "is no date of the calendar, or no time of the clock"


def _made(make: Callable[[], Moment]) -> Moment:
    try:
        return make()
    except ValueError:
        raise CellError(_NO_TIME) from None


def _offset(text: str | None) -> tzinfo | None:
    if text is None:
        return None
    if text in "Zz":
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(ahead if text[0] == "+" else -ahead)


def _numbered(text: str, form: str, decimal: str | None) -> Moment | None:
    if decimal == ",":
        text = text.replace(",", ".") if "." not in text else ""
    try:
        if form == "excel":
            if not _SERIAL.match(text):
                return None
            days, _, part = text.partition(".")
            moment = _EXCEL_BEGINS + timedelta(days=int(days))
            # Spreadsheets keep a time as a part of its day: to the second it is what was typed.
            return moment + timedelta(seconds=round(float(f"0.{part}") * 86_400)) if part else moment.date()
        if not (_EPOCH if form == "epoch" else _EPOCH_MS).match(text):
            return None
        whole, _, part = text.partition(".")
        micros = int(whole) * (1_000_000 if form == "epoch" else 1000) + int(part[:6].ljust(6, "0"))
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    except OverflowError:
        raise CellError(_NO_TIME) from None


@dataclass(frozen=True, slots=True)
class ReadInstant:
    """A cell as an instant, or as the two that it may be."""

    field: str
    instants: tuple[int, ...]
    """Microseconds; a local time that came twice is two of them."""
    is_day: bool = False
    """Whether it names a day alone."""


def local_instants(moment: datetime, zone: ZoneInfo) -> tuple[int, ...]:
    """Where a time without an offset lies in a zone: in one place, or in two. Raises CellError: nowhere."""
    first = from_datetime(moment.replace(tzinfo=zone).astimezone(UTC))
    second = from_datetime(moment.replace(tzinfo=zone, fold=1).astimezone(UTC))
    if first == second:
        return (first,)
    if first > second:  # the clocks were put forward: before them it is later
        raise CellError("the clocks were put forward over this time")
    return first, second


def settle_instants(reads: Sequence[ReadInstant], *, prefer: int) -> tuple[dict[str, int], list[str]]:
    """Which of two instants each is: the preferred one (0, 1), but where their order needs the other.

    `reads` are in the order in which they happen. Gives the instants by field, and the fields that came twice.
    """
    twice = [read.field for read in reads if len(read.instants) > 1]
    chosen = {read.field: read.instants[prefer if len(read.instants) > 1 else 0] for read in reads}
    for others in chain.from_iterable(combinations(twice, number) for number in range(len(twice) + 1)):
        tried = chosen | {read.field: read.instants[1 - prefer] for read in reads if read.field in others}
        instants = [tried[read.field] for read in reads if not read.is_day]
        if instants == sorted(instants):
            return tried, twice
    return chosen, twice


def in_years(instant: int) -> int:
    """The instant itself, if a CRM can mean it. Raises CellError."""
    try:
        return checked(instant)
    except ValueError as error:
        raise CellError(str(error)) from None


def is_too_new(instant: int, newest: int) -> bool:
    """Whether a file's time is so long after the newest instant in it that it may be that of a copy."""
    return instant > newest + 24 * 60 * MINUTE

"""Numbers, durations and ids as a file writes them.

Owns what is read without being told, what only with an option, and what is refused. Pure; a cell comes without outer
blanks and is not empty.
"""

import re
from collections.abc import Mapping
from decimal import Decimal

from deploy.files.problems import CellError

_PLAIN = re.compile(r"[+-]?\d+(?:\.\d+)?\Z", re.ASCII)
_COULD_BE_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}\Z", re.ASCII)
_DIGITS = re.compile(r"\d(?:.*\d)?", re.ASCII | re.DOTALL)
_BLANKS = " \u00a0\u202f\u2009"
_LOST_DIGITS = re.compile(r"[+-]?\d(?:[.,]\d+)?[eE]\+\d+\Z", re.ASCII)
_NOTHING = frozenset({
    "null", "none", "nil", "nan", "n/a", "undefined", "-", "--", "---", "\u2013", "\u2014", "?",
    "(null)", "<null>", "(none)", "(blank)", "(empty)", "\\n", "000000000000000", "000000000000000aaa",
    "#n/a", "#nv", "#ref!", "#value!", "#name?", "#div/0!", "#num!", "#null!", "#spill!", "#calc!", "#bezug!", "#wert!",
})  # fmt: skip
_CODE = re.compile(r"[A-Za-z]{3}\Z", re.ASCII)

_CLOCK = re.compile(r"(\d{1,4}):([0-5]\d):([0-5]\d(?:\.\d{1,6})?)\Z", re.ASCII)
_HALF_CLOCK = re.compile(r"(\d{1,4}):([0-5]\d)\Z", re.ASCII)
_ISO_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?\Z", re.ASCII | re.IGNORECASE)
_WORDS = re.compile(
    r"(?:(\d+)\s*d(?:ays?)?)?\s*(?:(\d+)\s*h(?:ours?|rs?)?)?\s*(?:(\d+)\s*m(?:in(?:ute)?s?)?)?"
    r"\s*(?:(\d+(?:\.\d+)?)\s*s(?:ec(?:ond)?s?)?)?\Z",
    re.ASCII | re.IGNORECASE,
)
_UNITS = (86_400, 3600, 60, 1)


def read_id_cell(text: str) -> str:
    """An id is text. Raises CellError where a spreadsheet program lost digits, and for a word that says nothing."""
    if text.startswith('="') and text.endswith('"') and len(text) > 3:
        text = text[2:-1]
    elif text.startswith("'") and len(text) > 1:
        text = text[1:]
    if _LOST_DIGITS.match(text):
        raise CellError("digits were lost by a spreadsheet program")
    if text.casefold() in _NOTHING:
        raise CellError("is a word for nothing: say --null", repair="null", text=text)
    return text


def read_amount(text: str, decimal: str | None, signs: Mapping[str, str]) -> tuple[str, str | None]:
    """A number as `-1234.5`, and the currency that its sign says. `signs`: what stands for which. Raises CellError.

    `decimal`: what stands before the part of one; None: not told, so only what cannot be read in two ways is taken.
    """
    if "%" in text:
        raise CellError("is a percentage")
    if decimal is None:
        return _plain(text), None
    digits = _DIGITS.search(text)
    if digits is None:
        raise CellError("is no number")
    before, after = text[: digits.start()].strip(_BLANKS), text[digits.end() :].strip(_BLANKS)
    is_negative = False
    if "(" in before and ")" in after:  # the currency's sign stands within the brackets, or before or behind them
        is_negative = True
        before, after = before.replace("(", "", 1).strip(_BLANKS), after.replace(")", "", 1).strip(_BLANKS)
    for sign in ("-", "\u2212", "+"):
        for end in ("before", "after"):
            said = before if end == "before" else after
            if sign in said:
                is_negative ^= sign != "+"
                said = said.replace(sign, "", 1).strip(_BLANKS)
                before, after = (said, after) if end == "before" else (before, said)
    currency = _currency(before + after, signs) if before or after else None
    number = _grouped(digits[0], decimal)
    return f"-{number}" if is_negative else number, currency


def _plain(text: str) -> str:
    if _COULD_BE_GROUPED.match(text):
        raise CellError("could be grouped, say --decimal", repair="decimal", text=text)
    if not _PLAIN.match(text):
        is_sign = re.search(r"[^\d.,+\-()'\u2019\u2212\s]", text) is not None
        msg = "sign not told: say --value currency.CODE=SIGN and --decimal" if is_sign else "say --decimal"
        raise CellError(msg, repair="decimal", text=text)
    return text


def _grouped(text: str, decimal: str) -> str:
    whole, point, part = text.partition(decimal)
    other = "." if decimal == "," else ","
    for group in (other, "'", "\u2019", *_BLANKS):
        if group in whole and re.fullmatch(_groups(group), whole, re.ASCII):
            whole = whole.replace(group, "")
            break
    if not re.fullmatch(r"\d+", whole, re.ASCII) or (point and not re.fullmatch(r"\d+", part, re.ASCII)):
        raise CellError("is not written with this decimal sign", repair="decimal", text=text)
    return f"{whole}.{part}" if point else whole


def _groups(sign: str) -> str:
    """Threes, or as in India threes after twos."""
    sign = re.escape(sign)
    return rf"\d{{1,3}}(?:{sign}\d{{3}})+|\d{{1,2}}(?:{sign}\d{{2}})+{sign}\d{{3}}"


def _currency(text: str, signs: Mapping[str, str]) -> str:
    found = signs.get(text.casefold())
    if found is not None:
        return found
    if _CODE.match(text):
        return text.upper()
    raise CellError("sign not told: say --value currency.CODE=SIGN", repair="sign", text=text)


def read_duration(text: str, form: str | None, decimal: str | None) -> str:
    """Seconds as `-12.5`. `form`: `mm:ss`, `hh:mm`, `min` or `ms`. Raises CellError."""
    half = _HALF_CLOCK.match(text)
    if half is not None:
        if form not in {"mm:ss", "hh:mm"}:
            raise CellError("minutes or hours? say --duration-format", repair="duration", text=text)
        unit = 60 if form == "mm:ss" else 3600
        return str(int(half[1]) * unit + int(half[2]) * unit // 60)
    number = text.replace(",", ".") if decimal == "," else text
    if _PLAIN.match(number):
        factor = {"min": Decimal(60), "ms": Decimal("0.001")}.get(form or "", Decimal(1))
        return format(Decimal(number) * factor, "f")
    clock = _CLOCK.match(text)
    if clock is not None:
        return format(int(clock[1]) * 3600 + int(clock[2]) * 60 + Decimal(clock[3]), "f")
    match = _ISO_DURATION.match(text) or _WORDS.match(text)
    if match is None or not any(match.groups()):
        raise CellError("is no duration")
    said = (Decimal(part) * unit for part, unit in zip(match.groups(), _UNITS, strict=True) if part)
    return format(sum(said, Decimal(0)), "f")


def name_key(text: str) -> str:
    """A name by which something is looked for, however it is spaced and in whatever case."""
    return " ".join(text.split()).casefold()

"""What messages say in each of the languages, and how numbers, money and dates are written in it.

Owns texts, plurals and forms, by CLDR (Babel). A language is one file here; the wallboard's own words are in
api/static/texts. Pure.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import jdatetime
import yaml
from babel import Locale
from babel.dates import format_date, format_time
from babel.lists import format_list
from babel.numbers import format_currency, format_decimal, format_percent
from babel.units import format_unit

_FOLDER = Path(__file__).parent
_FORMS = "default"
"""The digits that people of the language write."""
_RIGHT_TO_LEFT = frozenset({"fa"})
_PERSIAN_PERCENT = "\N{ARABIC PERCENT SIGN}"
_SMALL = 0.1
"""Below it a share is shown with a digit after the point."""

Number = int | float | Decimal


class Words:
    """One language."""

    def __init__(self, language: str, said: Mapping[str, Any]) -> None:
        self.language = language
        self.direction = "rtl" if language in _RIGHT_TO_LEFT else "ltr"
        self.texts: Mapping[str, str | Mapping[str, str]] = said["texts"]
        self.metrics: Mapping[str, str] = said["metrics"]
        """What shipped metrics are called; those that are missing, and those of your own, by their label."""
        self._locale = Locale.parse(language, sep="-")

    def say(self, text: str, count: int | None = None, /, **values: str) -> str:
        """A text, with these values in their places; `count` chooses its plural and stands in it as `{count}`."""
        found = self.texts[text]
        if not isinstance(found, str):
            found = found.get(self._locale.plural_form(count or 0), found["other"])
        if count is not None:
            values = {"count": self.number(count), **values}
        # One pass: a value that looks like a place is none.
        return "".join(_filled(found, values))

    def number(self, value: Number) -> str:
        """With the separators and digits of the language."""
        return self.digits(str(format_decimal(_exact(value), locale=self._locale, numbering_system=_FORMS)))

    def share(self, value: float) -> str:
        """A share of 1, in per cent."""
        pattern = str(self._locale.percent_formats[None].pattern)
        if abs(value) < _SMALL:
            pattern = pattern.replace("0", "0.#", 1)
        shown = str(format_percent(_exact(value), pattern, locale=self._locale, numbering_system=_FORMS))
        return self.digits(shown.replace("%", _PERSIAN_PERCENT) if self._locale.language == "fa" else shown)

    def change(self, value: float) -> str:
        """By how much something is more or less."""
        return ("+" if value > 0 else "\N{MINUS SIGN}" if value < 0 else "") + self.share(abs(value))

    def money(self, amount: Decimal, currency: str) -> str:
        """An amount, without cents where it has none."""
        pattern = str(self._locale.currency_formats["standard"].pattern)
        is_whole = amount == amount.to_integral_value()
        shown = format_currency(
            amount, currency, pattern.replace("0.00", "0") if is_whole else pattern, locale=self._locale,
            currency_digits=not is_whole, numbering_system=_FORMS,
        )  # fmt: skip
        return self.digits(str(shown))

    def duration(self, seconds: int) -> str:
        """The two largest units of it."""
        days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
        parts = [(days, "day"), (hours, "hour"), (minutes, "minute"), (seconds % 60, "second")]
        first = next((place for place, (number, _) in enumerate(parts) if number), len(parts) - 1)
        told = [(number, unit) for number, unit in parts[first : first + 2] if number] or [parts[-1]]
        units = [
            format_unit(number, f"duration-{unit}", "short", locale=self._locale, numbering_system=_FORMS)
            for number, unit in told
        ]
        return self.digits(" ".join(units))

    def date(self, day: date) -> str:
        """A day with its weekday; in Persian by the calendar of Iran."""
        weekday = format_date(day, "EEEE", locale=self._locale)
        if self._locale.language == "fa":
            there = jdatetime.date.fromgregorian(date=day, locale=jdatetime.FA_LOCALE)
            return self.digits(f"{weekday} {there.day} {there.strftime('%B')} {there.year}")
        return self.digits(str(format_date(day, "full", locale=self._locale)))

    def time(self, moment: datetime) -> str:
        """Hour and minute."""
        return self.digits(str(format_time(moment, "HH:mm", tzinfo=moment.tzinfo, locale=self._locale)))

    def digits(self, text: str) -> str:
        """The same in the digits of the language."""
        if self._locale.language != "fa":
            return text
        return text.translate(_PERSIAN)

    def several(self, parts: Sequence[str]) -> str:
        """Several in a row."""
        return str(format_list(list(parts), style="unit", locale=self._locale))


_PERSIAN = {ord(str(digit)): chr(0x06F0 + digit) for digit in range(10)}


def _exact(value: Number) -> Number:
    # A float is written as people read it, not as the binary number next to it.
    return Decimal(repr(value)) if isinstance(value, float) else value


def _filled(text: str, values: Mapping[str, str]) -> list[str]:
    first, *rest = text.split("{")
    parts = [first]
    for each in rest:
        name, closed, after = each.partition("}")
        parts.append(values[name] + after if closed else "{" + each)
    return parts


@cache
def words_of(language: str) -> Words:
    """The words of a language of the configuration."""
    path = _FOLDER / f"{language}.yaml"
    return Words(language, yaml.safe_load(path.read_text("utf-8")))

"""How a value is written: counts, shares, durations, money, instants, by the locale (CLDR, through Babel).

The same rules as api/static/format.js has for the wallboard. Pure; what is not known is a dash, which is not 0.
Numbers are only shown here, never computed with.
"""

import copy
from datetime import date, datetime, tzinfo
from decimal import Decimal
from typing import Literal

import jdatetime
from babel import Locale
from babel.dates import format_date, format_time
from babel.lists import format_list
from babel.numbers import NumberPattern, format_compact_currency, format_compact_decimal, format_decimal, format_percent
from babel.units import format_unit

from schemas.catalogue.base import MetricValue
from schemas.instants import to_datetime

NOTHING = "–"  # noqa: RUF001 - as the wallboard writes it
_MINUTE = 60
_HOUR = 3600
_DAY = 86400
_UNITS = ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute"), (1, "second"))
_MOST_DIGITS = 6
_DIGITS_OF_SHARED = 2
"""Of a count that nobody has set: somebody's part of a goal of more people or days."""
_ALL_DIGITS = "#,##0.######"
"""Of a value that is written as it was set: beyond, a sum of such values is not exact itself."""
_PERSIAN = str.maketrans("0123456789%", "۰۱۲۳۴۵۶۷۸۹٪")
_LENGTHS = ("narrow", "short", "long")
_ENGLISH, _PERSIAN_LOCALE = Locale("en"), Locale("fa")
_DEFAULT: Literal["default"] = "default"
"""The language's own signs beside digits."""


class Formats:
    """The ways in which one language writes values; times are those of the organisation's zone."""

    def __init__(self, locale: Locale, zone: tzinfo) -> None:
        self.locale = locale
        self.zone = zone
        self._is_persian = locale.language == "fa"

    def value(self, value: MetricValue, unit: str, currency: str | None = None, bound: float | None = None) -> str:
        """A metric's value. `bound`: what a percentile is at least that has no value."""
        if value is None:
            return NOTHING if bound is None else f"> {self.value(bound, unit, currency)}"
        match unit:
            case "ratio":
                return self.share(float(value))
            case "seconds":
                return self.duration(float(value))
            case "days":
                return self._unit(round(float(value), 1), "day")
            case "money":
                return self.money(Decimal(str(value)), currency)
            case _:
                return self.number(value)

    def number(self, value: MetricValue) -> str:
        """With at most one digit behind the point."""
        return self._decimal(Decimal(str(value)), "#,##0.#")

    def count(self, count: int) -> str:
        """A whole number."""
        return self._decimal(count, "#,##0")

    def exactly(self, value: MetricValue, unit: str, currency: str | None = None) -> str:
        """What somebody has set, such as a goal: the shortest form that says that very value (165K, but 1,654,321)."""
        if value is None:
            return NOTHING
        amount = round(Decimal(str(value)), _MOST_DIGITS)
        match unit:
            case "ratio":
                return self._percent(float(amount * 100), _MOST_DIGITS)
            case "seconds":
                return self._all_parts(amount)
            case "days":
                return self._unit(float(amount), "day", _ALL_DIGITS)
            case "money":
                whole = self.money(amount, currency, has_cents=amount % 1 != 0)
            case _:
                amount = round(amount, _DIGITS_OF_SHARED) if abs(amount) >= 1 else amount
                whole = self._decimal(amount, _ALL_DIGITS)
        if abs(amount) < 10_000 or amount != Decimal(f"{amount:.4g}"):
            return whole
        short = self._compact(amount, currency if unit == "money" else None)
        # A language without a short form leaves out the separators alone.
        return short if sum(map(str.isdigit, short)) < sum(map(str.isdigit, whole)) else whole

    def _compact(self, amount: Decimal, currency: str | None) -> str:
        """12K, 3.456M."""
        if currency is None:
            return self._own(
                format_compact_decimal(amount, locale=self.locale, fraction_digits=3, numbering_system=_DEFAULT)
            )
        found = format_compact_currency(
            amount, currency, locale=self.locale, fraction_digits=3, numbering_system=_DEFAULT
        )
        return self._own(found.replace(*self._symbols(currency), 1))

    def _all_parts(self, seconds: Decimal) -> str:
        """A duration in all its units, without those of which there is nothing."""
        parts, left = [], seconds
        for size, unit in _UNITS[:-1]:
            if many := int(left // size):
                parts.append(self._unit(many, unit))
            left %= size
        if left or not parts:
            parts.append(self._unit(float(left), "second", _ALL_DIGITS))
        return str(format_list(parts, style="unit-narrow", locale=self.locale))

    def share(self, share: float) -> str:
        """99.96 % is not 100 %, and 0.04 % is not 0 %: the ends of the scale are kept for the exact values."""
        percent = share * 100
        if 99 < percent < 100:
            return self._percent(min(99.9, int(percent * 10) / 10))
        if 0 < percent < 0.1:
            return f"< {self._percent(0.1)}"
        return self._percent(round(percent, 1 if 0 < percent < 10 else 0))

    def money(self, amount: Decimal, currency: str | None, *, has_cents: bool | None = None) -> str:
        """Without cents, but where there is little money, or where it is asked for."""
        if has_cents is None:
            has_cents = abs(amount) < 100 and amount % 1 != 0
        if currency is None:
            return self._decimal(amount, "#,##0.00" if has_cents else "#,##0")
        pattern: NumberPattern = copy.copy(self.locale.currency_formats["standard"])
        if not has_cents:
            pattern.frac_prec = (0, 0)
        written = pattern.apply(
            amount, self.locale, currency=currency, currency_digits=has_cents, numbering_system=_DEFAULT
        )
        return self._own(written.replace(*self._symbols(currency), 1))

    def _symbols(self, currency: str) -> tuple[str, str]:
        """How the locale writes a currency, and its narrow sign: of one currency alone, US$ says no more than $."""
        symbol = self.locale.currency_symbols.get(currency, currency)
        narrow = _ENGLISH.currency_symbols.get(currency, currency)
        return symbol, narrow if symbol == currency or symbol.endswith(narrow) else symbol

    def duration(self, seconds: float) -> str:
        """42s, 3m 12s, 2h 05m, 3d 4h."""
        whole = max(0, round(seconds))
        if whole < _MINUTE:
            return self._unit(whole, "second")
        if whole < _HOUR:
            return self._pair(whole, _MINUTE, "minute", 1, "second", "00")
        if whole < _DAY:
            return self._pair(whole, _HOUR, "hour", _MINUTE, "minute", "00")
        return self._pair(whole, _DAY, "day", _HOUR, "hour", "0")

    def round_duration(self, seconds: float) -> str:
        """5m, 1h, 90m, 2d: in the largest unit of which there is a whole number."""
        whole = round(seconds)
        size, unit = next((size, unit) for size, unit in _UNITS if whole % size == 0)
        return self._unit(whole // size, unit)

    def time(self, at: int) -> str:
        """hh:mm of an instant."""
        return self._own(format_time(self._local(at), "HH:mm", locale=self.locale))

    def day(self, at: int | date) -> str:
        """18 Mar; in Persian by the Jalali calendar."""
        when = self._date(at)
        if self._is_persian:
            return self._own(f"{_in_persia(when).day} {_jalali(when, '%B')}")
        skeleton = self.locale.datetime_skeletons.get("MMMd")
        return str(format_date(when, "d MMM" if skeleton is None else skeleton.pattern, locale=self.locale))

    def full_date(self, at: int | date) -> str:
        """Wednesday, 18 March 2026; in Persian by the Jalali calendar."""
        when = self._date(at)
        if self._is_persian:
            return f"{_jalali(when, '%A')} {self.long_date(when)}"
        return str(format_date(when, "full", locale=self.locale))

    def dates(self, first: date, last: date) -> str:
        """One day, or from one to another."""
        return self.full_date(first) if first == last else f"{self.long_date(first)} \N{EN DASH} {self.long_date(last)}"

    def month(self, at: int | date) -> str:
        """Mar 2026; in Persian by the Jalali calendar."""
        when = self._date(at)
        if self._is_persian:
            return _jalali(when, "%B %Y")
        skeleton = self.locale.datetime_skeletons.get("yMMM")
        return str(format_date(when, "MMM y" if skeleton is None else skeleton.pattern, locale=self.locale))

    def moment(self, at: int, now: int) -> str:
        """A time of day; of another day with its date."""
        day = "" if self._date(at) == self._date(now) else f"{self.day(at)} "
        return day + self.time(at)

    def long_date(self, when: date) -> str:
        """18 March 2026; in Persian by the Jalali calendar."""
        if self._is_persian:
            return self._own(f"{_in_persia(when).day} {_jalali(when, '%B %Y')}")
        return str(format_date(when, "long", locale=self.locale))

    def _local(self, at: int) -> datetime:
        return to_datetime(at).astimezone(self.zone)

    def _date(self, at: int | date) -> date:
        return self._local(at).date() if isinstance(at, int) else at

    def _pair(self, seconds: int, large: int, large_unit: str, small: int, small_unit: str, digits: str) -> str:
        parts = [
            self._unit(seconds // large, large_unit),
            self._unit(seconds % large // small, small_unit, digits),
        ]
        return str(format_list(parts, style="unit-narrow", locale=self.locale))

    def _unit(self, amount: float, unit: str, digits: str = "#,##0.#") -> str:
        written, name = self._decimal(Decimal(str(amount)), digits), f"duration-{unit}"
        # In Persian the narrow units are Latin letters.
        for length in _LENGTHS[1:] if self._is_persian else _LENGTHS:
            found = format_unit(written, name, length=length, locale=self.locale)  # type: ignore[arg-type]
            if name not in found:  # as it is where the locale has no such length
                return found.replace(" ", "") if self.locale.language == "zh" else found
        return f"{written} {unit}"

    def _percent(self, percent: float, digits: int = 1) -> str:
        exact = Decimal(str(percent)) / 100
        pattern = copy.copy(self.locale.percent_formats[None])
        pattern.frac_prec = (0, digits)
        return self._own(format_percent(exact, pattern, locale=self.locale, numbering_system=_DEFAULT))

    def _decimal(self, value: Decimal | int, pattern: str) -> str:
        return self._own(format_decimal(value, pattern, locale=self.locale, numbering_system=_DEFAULT))

    def _own(self, text: str) -> str:
        """With the digits of the language: Babel has its signs alone."""
        return own_digits(text, self.locale)


def own_digits(text: str, locale: Locale) -> str:
    """A number as the language writes its digits."""
    return text.translate(_PERSIAN) if locale.language == "fa" else text


def _jalali(when: date, parts: str) -> str:
    return own_digits(str(_in_persia(when).strftime(parts)), _PERSIAN_LOCALE)


def _in_persia(when: date) -> jdatetime.date:
    return jdatetime.date.fromgregorian(date=when, locale=jdatetime.FA_LOCALE)

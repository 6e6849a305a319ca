"""What is said in each of the languages: a language is one file here, for messages, pages and the wallboard.

Owns that file, and the texts and plurals of messages, by CLDR (Babel); how a value is written is `schemas.formats`'.
What pages say of it is in api/words. Pure.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from babel import Locale
from babel.lists import format_list

from schemas.formats import Formats, own_digits
from schemas.instants import SECOND, to_datetime

_FOLDER = Path(__file__).parent
RIGHT_TO_LEFT = frozenset({"fa"})

SpokenNumber = int | float | Decimal


class Words:
    """One language. What the wallboard says too, messages say in its words."""

    def __init__(self, language: str, said: Mapping[str, Any]) -> None:
        self.language = language
        self.direction = "rtl" if language in RIGHT_TO_LEFT else "ltr"
        self.texts: Mapping[str, str | Mapping[str, str]] = said["board"] | said["messages"]
        self.metrics: Mapping[str, str] = {name: entry["label"] for name, entry in said["metrics"].items()}
        """What shipped metrics are called; those that are missing, and those of your own, by their label."""
        self._locale = Locale.parse(language, sep="-")
        self.formats = Formats(self._locale, UTC)
        """How its values are written."""

    def say(self, text: str, count: int | None = None, /, **values: str) -> str:
        """A text, with these values in their places; `count` chooses its plural and stands in it as `{count}`."""
        found = self.texts[text]
        if not isinstance(found, str):
            found = found.get(self._locale.plural_form(count or 0), found["other"])
        if count is not None:
            values = {"count": self.number(count), **values}
        # One pass: a value that looks like a place is none.
        return "".join(_filled(found, values))

    def within(self, text: str, /, **values: str) -> str:
        """A text that can stand alone, within another."""
        said = self.say(text, **values)
        return said[:1].lower() + said[1:]

    def window(self, name: str) -> str:
        """A window, or the period of a goal, within a text."""
        text = f"window.{'today' if name == 'day' else name}"
        return self.within(text) if text in self.texts else name

    def number(self, value: SpokenNumber) -> str:
        """With the separators and digits of the language."""
        return self.formats.number(str(value))

    def change(self, value: float) -> str:
        """By how much something is more or less."""
        return ("+" if value > 0 else "\N{MINUS SIGN}" if value < 0 else "") + self.formats.share(abs(value))

    def moment(self, at: int, zone: tzinfo) -> str:
        """Day, hour and minute of an instant, and in which zone that is."""
        formats = Formats(self._locale, zone)
        return f"{formats.day(at)} {formats.time(at)} {self.digits(to_datetime(at).astimezone(zone).tzname() or '')}"

    def digits(self, text: str) -> str:
        """With the digits of the language."""
        return own_digits(text, self._locale)

    def time(self, moment: datetime) -> str:
        """Hour and minute, in the zone of the moment."""
        at = int(moment.timestamp()) * SECOND
        return Formats(self._locale, moment.tzinfo or UTC).time(at)

    def several(self, parts: Sequence[str]) -> str:
        """Several in a row."""
        return str(format_list(list(parts), style="unit", locale=self._locale))


def _filled(text: str, values: Mapping[str, str]) -> list[str]:
    first, *rest = text.split("{")
    parts = [first]
    for each in rest:
        name, closed, after = each.partition("}")
        parts.append(values[name] + after if closed else "{" + each)
    return parts


@cache
def language_file(language: str) -> Mapping[str, Any]:
    """The whole file of a language of the configuration, by its parts."""
    found: dict[str, Any] = yaml.load((_FOLDER / f"{language}.yaml").read_text("utf-8"), Loader=yaml.CSafeLoader)
    return found


@cache
def words_of(language: str) -> Words:
    """The words of messages in a language of the configuration."""
    return Words(language, language_file(language))

"""The texts of a language: those of the pages (api/texts) beside those of the wallboard (api/static/texts).

Owns how a text is found and filled in, and which language somebody is answered in. What a language says of windows,
goals, states and metrics stands once, in the catalogue of the wallboard; both are read as the data that they are.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from babel import Locale, UnknownLocaleError
from babel.numbers import format_decimal

from schemas.formats import own_digits

_API = Path(__file__).parents[1]
LANGUAGES: Mapping[str, str] = {
    "en": "English",
    "ms": "Bahasa Melayu",
    "id": "Bahasa Indonesia",
    "fa": "فارسی",
    "zh-Hans": "简体中文",
    "zh-Hant": "繁體中文",
    "de": "Deutsch",
}
"""The languages there are, as each calls itself."""
_CHINESE_TRADITIONAL = frozenset({"hant", "tw", "hk", "mo"})
_OBJECT = re.compile(r"^export const (TEXTS|METRICS) = (\{.*?\});$", re.DOTALL | re.MULTILINE)
_HOLE = re.compile(r"\{(\w+)\}")
_ACCEPTED = re.compile(r"\s*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*)?")

Text = str | Mapping[str, str]
"""Words, or words by number (the plural categories of CLDR)."""


@cache
def _read(language: str) -> tuple[Mapping[str, Text], Mapping[str, str]]:
    """All texts of a language, and what it calls shipped metrics."""
    module = (_API / "static" / "texts" / f"{language}.js").read_text("utf-8")
    # What stands between the braces of these modules is YAML too: its keys may lack quotes, a comma may be the last.
    objects = {name: _load(body) for name, body in _OBJECT.findall(module)}
    pages: dict[str, Text] = _load((_API / "texts" / f"{language}.yaml").read_text("utf-8"))
    return objects["TEXTS"] | pages, objects["METRICS"]


def _load(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)
    return found


class Words:
    """What is said to one reader."""

    def __init__(self, language: str, locale: Locale | None = None) -> None:
        """`locale`: how numbers are written, where it says more than the language (its region)."""
        self.language = language
        self.locale = locale or Locale.parse(language, sep="-")
        self.texts, self._metrics = _read(language)
        self.direction = "rtl" if self.locale.text_direction == "rtl" else "ltr"

    def say(self, key: str, /, **values: object) -> str:
        """The text `key`, filled in; `count` decides between one and many. Whole numbers are written by the locale."""
        text = self.texts[key]
        if not isinstance(text, str):
            category = self.locale.plural_form(_count(values.get("count")))
            text = text.get(category) or text["other"]
        return _HOLE.sub(lambda hole: self._filled(values.get(hole[1], "")), text)

    def _filled(self, value: object) -> str:
        if isinstance(value, int):
            return own_digits(format_decimal(value, locale=self.locale, numbering_system="default"), self.locale)
        return str(value)

    def has(self, key: str) -> bool:
        """Whether there is such a text: names of flags and windows come from outside."""
        return key in self.texts

    def window(self, name: str) -> str:
        """A window by its name, as a heading."""
        key = f"window.{name}"
        return self.say(key) if key in self.texts else name

    def metric(self, name: str, label: str) -> str:
        """What a metric is called: as its language says of shipped ones, else as the catalogue does."""
        return self._metrics.get(name) or label


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0


def words_for(asked: str | None, accepts: str, otherwise: str) -> Words:
    """Words in the language that somebody asks for, else in one that their browser names, else in `otherwise`."""
    if asked is not None:
        return Words(asked)
    for tag in _accepted(accepts):
        language = _language_of(tag)
        if language is not None:
            return Words(language, _regional(language, tag))
    return Words(otherwise if otherwise in LANGUAGES else "en")


def _accepted(header: str) -> Sequence[str]:
    """The tags of `Accept-Language`, the most wanted first; what is no tag is left out."""
    found = [match for part in header.split(",") if (match := _ACCEPTED.fullmatch(part)) is not None]
    weighted = [(float(match[2] or 1), match[1]) for match in found]
    return [tag for weight, tag in sorted(weighted, key=lambda each: -each[0]) if weight > 0]


def _language_of(tag: str) -> str | None:
    first, *rest = tag.lower().split("-")
    if first == "zh":
        return "zh-Hant" if _CHINESE_TRADITIONAL.intersection(rest) else "zh-Hans"
    return first if first in LANGUAGES else None


def _regional(language: str, tag: str) -> Locale | None:
    """How a region writes the numbers of its language, where that is known."""
    if language.startswith("zh"):
        return None
    try:
        return Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return None

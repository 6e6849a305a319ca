"""The texts of a language: those of pages and of the wallboard, and what metrics and their parts are called.

Owns how a text is found and filled in, and which language somebody is answered in. What is said stands in the file of
the language (schemas/words).
"""

import re
from collections.abc import Mapping, Sequence

from babel import Locale, UnknownLocaleError
from babel.numbers import format_decimal

from schemas.catalogue.base import Entry
from schemas.catalogue.reading import shipped
from schemas.config.screens import LANGUAGES
from schemas.formats import own_digits
from schemas.words import language_file

_CHINESE_TRADITIONAL = frozenset({"hant", "tw", "hk", "mo"})
_HOLE = re.compile(r"\{(\w+)\}")
_ACCEPTED = re.compile(r"\s*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*)?")

Text = str | Mapping[str, str]
"""Words, or words by number (the plural categories of CLDR)."""


class ReaderWords:
    """What is said to one reader."""

    def __init__(self, language: str, locale: Locale | None = None) -> None:
        """`locale`: how numbers are written, where it says more than the language (its region)."""
        self.language = language
        self.locale = locale or Locale.parse(language, sep="-")
        said = language_file(language)
        self.texts: Mapping[str, Text] = said["board"] | said["pages"]
        self._metrics: Mapping[str, Mapping[str, str]] = said["metrics"]
        self._tags: Mapping[str, str] = said["tags"]
        self._segments: Mapping[str, Text] = said["segments"]
        self.direction = "rtl" if self.locale.text_direction == "rtl" else "ltr"

    def say(self, key: str, /, **values: object) -> str:
        """The text `key`, filled in; `count` decides between one and many. Whole numbers are written by the locale."""
        return self._said(self.texts[key], values)

    def _said(self, text: Text, values: Mapping[str, object]) -> str:
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

    def metric(self, name: str, entry: Entry) -> str:
        """What a metric is called: a shipped one in this language, one of your own as its file says."""
        ours = shipped().metrics.get(name)
        if ours is None or ours.label != entry.label or name not in self._metrics:
            return entry.label
        return self._metrics[name]["label"]

    def description(self, name: str, entry: Entry) -> str:
        """What a metric counts, likewise."""
        ours = shipped().metrics.get(name)
        if ours is None or ours.description != entry.description or name not in self._metrics:
            return entry.description
        return self._metrics[name]["description"]

    def step(self, step: str, label: str) -> str:
        """A step of a funnel: one that is called by its name is said in this language, others as they are."""
        key = f"step.{step}"
        return self.say(key) if label == step.capitalize() and key in self.texts else label

    def tag(self, name: str) -> str:
        """A tag of metrics; your own are said as they are written."""
        return self._tags.get(name, name)

    def segment(self, key: str, /, **values: object) -> str | None:
        """What a part is called whose label stands for something; None: it is a name of your own."""
        text = self._segments.get(key)
        return None if text is None else self._said(text, values)


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0


def languages() -> Mapping[str, str]:
    """The languages there are, as each calls itself."""
    return {language: language_file(language)["called"] for language in LANGUAGES}


def words_for(asked: str | None, accepts: str, otherwise: str) -> ReaderWords:
    """Words in the language that somebody asks for, else in one that their browser names, else in `otherwise`."""
    if asked is not None:
        return ReaderWords(asked)
    for tag in _accepted(accepts):
        language = _language_of(tag)
        if language is not None:
            return ReaderWords(language, _regional(language, tag))
    return ReaderWords(otherwise if otherwise in LANGUAGES else "en")


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

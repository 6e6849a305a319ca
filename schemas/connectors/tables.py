"""From an object of a CRM to fields of ours: tables of rows, by which connectors read and their pages are written.

Owns the row, the table and the readings that vendors have in common. Knows no vendor.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.connectors.base import Parsed
from schemas.connectors.events import instant_member
from schemas.connectors.fields import FieldError, count_of
from schemas.connectors.words import ConnectionWords, Meanings
from schemas.instants import SECOND, checked, format_instant
from schemas.records import CHOICES, FIELDS


@dataclass(frozen=True, slots=True)
class ReadObject:
    """An object that is being read, with what its rows may need to know."""

    record: str
    """Kind of our record."""
    data: Mapping[str, Any]
    """The object as it came."""
    at: int
    """The version: when the CRM says that the object is so (microseconds)."""
    words: ConnectionWords
    parsed: Parsed
    """Words without a counterpart are counted here."""
    before: Mapping[str, Any] | None = None
    """What changed members were before, where the CRM says that; None: it does not, or the object is new."""
    learned: Mapping[str, str] = field(default_factory=dict)
    """What words in it mean, as the CRM's API has said."""

    def meaning(self, words: Meanings, field: str, word: Any) -> str | None:
        """What a word of the CRM means; one that means nothing here is counted."""
        if word is None or word == "":
            return None
        text = plain_text(word)
        found = words.get(text)
        if found is None:
            self.parsed.ignore_unmapped(self.record, field, text)
        return found


ReadMember = Callable[[Any, ReadObject], Mapping[str, Any]]
"""A member of the object -> fields of ours. Raises ValueError."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One member of a CRM's object, and what it sets."""

    source: str
    sets: tuple[str, ...]
    read: ReadMember
    note: str = ""
    also: tuple[str, ...] = ()
    """Members that are read with it: any of them alone is enough."""


@dataclass(frozen=True, slots=True)
class Table:
    """One kind of object of a CRM."""

    name: str
    """As the vendor calls it."""
    record: str
    """Kind of our record."""
    page: str
    """Where the vendor describes it."""
    rows: tuple[Rule, ...]

    def read(self, said: ReadObject) -> dict[str, Any]:
        """The raw fields that the object says. Raises FieldError that names the member."""
        known = FIELDS[self.record]
        fields: dict[str, Any] = {}
        for row in self.rows:
            if row.source not in said.data and not any(name in said.data for name in row.also):
                continue
            try:
                found = row.read(said.data.get(row.source), said)
            except ValueError as error:
                raise FieldError(row.source, str(error)) from None
            fields |= {name: value for name, value in found.items() if name.partition("#")[0] in known}
        return fields


def row(source: str, name: str, note: str = "", read: Callable[[Any], Any] = lambda value: value) -> Rule:
    """A member that is a field of ours: as it is, or as it is read by itself."""
    return Rule(source, (name,), lambda value, _said: {name: read(value)}, note)


def instant_row(source: str, name: str, note: str = "") -> Rule:
    """A member that is an instant."""
    return row(source, name, note, instant_text)


def id_row(source: str, name: str) -> Rule:
    """A member that is a pointer: an id, or an object that has one."""
    return row(source, name, read=id_of)


def outcome_row(source: str, note: str) -> Rule:
    """A member that is the outcome of a call, in a word of the CRM."""
    return Rule(
        source, ("outcome",), lambda value, said: {"outcome": said.meaning(said.words.calls, "outcome", value)}, note
    )


def kind_row(source: str) -> Rule:
    """A member that is the kind of a deal, in a word of the CRM."""

    def read(value: Any, said: ReadObject) -> Mapping[str, Any]:
        return {"kind": choice("deal", "kind", said.meaning(said.words.types, "kind", value))}

    return Rule(source, ("kind",), read, "by `types`")


def direction_in(outbound: str, inbound: str, value: Any, said: ReadObject) -> Mapping[str, Any]:
    """The direction of a call or mail, by the CRM's two words for it; another word is counted."""
    words = {outbound: "outbound", inbound: "inbound"}
    found = words.get(value) if isinstance(value, str) else None
    if found is None and value is not None:
        said.parsed.ignore_unmapped(said.record, "direction", value)
    return {"direction": found}


def id_of(value: Any) -> Any:
    """An id, or that of an object: several CRMs write both."""
    if isinstance(value, dict):
        found = value.get("id", value.get("value"))
        return None if isinstance(found, dict | list) else found
    return value


def choice(record: str, name: str, value: str | None) -> str | None:
    """A word of ours, if such a record may say it."""
    return value if value in CHOICES[record, name] else None


_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?\Z")
_SHORT_OFFSET = re.compile(r"([+-][0-9]{2})([0-9]{2})\Z")


def instant_text(value: Any) -> str | None:
    """An instant as RFC 3339 has it: a blank for the T, an offset without colon, none at all (UTC) are made so."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ValueError("must be an instant in text")
    text = value.strip()
    if _ISO.match(text):
        text = text.replace(" ", "T") + ("Z" if text.count(":") == 2 else ":00Z")
    return _SHORT_OFFSET.sub(r"\1:\2", text) if "T" in text else text


def version_instant(value: Any, name: str) -> int:
    """A version that is written as `instant_text` reads it, in microseconds. Raises ShapeError."""
    return instant_member(instant_text(value) if isinstance(value, str) else None, name)


def joined_name(data: Mapping[str, Any], *names: str) -> str:
    """The parts of a name that are there, with a blank between them."""
    return " ".join(part for name in names if isinstance(part := data.get(name), str) and part)


def epoch_text(value: Any, *, per_second: int) -> str | None:
    """An instant that is counted from 1970, in seconds (`per_second` 1) or milliseconds (1000)."""
    if value is None or value == "":
        return None
    number = count_of(value)
    if number is None:
        msg = "must be a whole number of seconds" if per_second == 1 else "must be a whole number of milliseconds"
        raise ValueError(msg)
    return format_instant(checked(number * (1_000_000 // per_second)))


def second_text(at: int) -> str:
    """An instant in whole seconds, in UTC, without offset: several APIs take no fractions."""
    return format_instant(at - at % SECOND)[: len("2026-03-18T16:41:30")]


def plain_text(value: Any) -> str:
    """A text, or a number as it is written. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("must be text")
    return str(value).strip()

"""From the text of a cell to the value of a field, by the field's type.

Owns which words mean what: those that were told, then the connection's, then ours. Days and times are left open: which
instant they are, the row decides (rows.py). Pure.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deploy.files import people
from deploy.files.cells import read_amount, read_duration, read_id_cell
from deploy.files.dates import Moment, read_moment
from deploy.files.mapping import ANY, FileReading
from deploy.files.people import ConnectionRoster
from deploy.files.problems import CellError
from schemas.connectors.currency import MONEY
from schemas.connectors.fields import FieldError
from schemas.connectors.salesforce.ids import whole_id
from schemas.records import CHOICES, FieldType

ReadText = Callable[[str], Any]
"""Raises CellError."""


@dataclass(frozen=True, slots=True)
class CellAmount:
    """A number, with the currency that stands beside it in its cell."""

    number: str
    currency: str | None


class CellReaders:
    """How each field of a file is read."""

    def __init__(self, reading: FileReading, who: ConnectionRoster, *, completes_ids: bool = False) -> None:
        """`completes_ids`: whether ids are Salesforce's, of which an export has 15 characters or 18."""
        self._reading = reading
        self._who = who
        self._completes_ids = completes_ids
        self._signs = reading.words.get("currency", {})
        self.readers: Mapping[str, ReadText] = {
            name: self._reader(name, kind, is_money=name in MONEY) for name, kind in reading.types.items()
        }

    def _reader(self, name: str, kind: FieldType, *, is_money: bool) -> ReadText:
        reading = self._reading
        form = reading.format_of(name)
        readers: Mapping[FieldType, ReadText] = {
            FieldType.REFERENCE: self._who_is if name in people.FIELDS else self._id,
            FieldType.REFERENCES: self._several(self._who_is if name in people.FIELDS else self._id),
            FieldType.TEXT: lambda text: self._word(name, text) or text,
            FieldType.CHOICE: lambda text: self._choice(name, text),
            FieldType.FLAG: lambda text: self._flag(name, text),
            FieldType.INSTANT: lambda text: read_moment(text, form, reading.decimal),
            FieldType.DATE: lambda text: _day(read_moment(text, form, reading.decimal)),
            FieldType.DATE_OR_INSTANT: lambda text: read_moment(text, form, reading.decimal),
            FieldType.SECONDS: lambda text: read_duration(text, reading.duration, reading.decimal),
            FieldType.DECIMAL: (lambda text: CellAmount(*read_amount(text, reading.decimal, self._signs)))
            if is_money
            else self._number,
            FieldType.CURRENCY: self._currency,
            FieldType.ATTRIBUTES: _attributes,
            FieldType.PHONE: read_id_cell,
        }
        return readers[kind]

    def _id(self, text: str) -> str:
        found = read_id_cell(text)
        if not self._completes_ids:
            return found
        try:
            return whole_id(found) or found
        except ValueError as error:
            raise CellError(str(error)) from None

    def _who_is(self, text: str) -> str | dict[str, str]:
        return self._who.find(self._id(text) if self._reading.rep_by == "id" else text)

    @staticmethod
    def _several(read: ReadText) -> ReadText:
        return lambda text: list(map(read, filter(None, map(str.strip, text.split(";"))))) or None

    def _word(self, name: str, text: str) -> str | None:
        """What was told of a word; None: nothing."""
        told = self._reading.words.get(name, {})
        found = told.get(text.casefold())
        if found is None and name in self._reading.known_words:
            found = self._reading.known_words[name].get(text)
        if found is None and name == "status":
            found = self._reading.stages.status(None, text)
        return told.get(ANY) if found is None else found

    def _choice(self, name: str, text: str) -> str:
        found = self._word(name, text)
        if found is None:
            found = text.casefold()
            if found not in CHOICES[self._reading.options.record, name]:
                msg = f"what {text} means is not told"
                raise CellError(msg, repair="word", text=text)
        return found

    def _flag(self, name: str, text: str) -> bool:
        found = self._word(name, text) or text.casefold()
        if found not in {"true", "false"}:
            raise CellError("yes or no?", repair="word", text=text)
        return found == "true"

    def _number(self, text: str) -> str:
        number, sign = read_amount(text, self._reading.decimal, {})
        if sign is not None:
            raise CellError("is no number alone")
        return number

    def _currency(self, text: str) -> str:
        found = self._word("currency", text) or text
        if len(found) != 3 or not found.isalpha() or not found.isascii():
            raise CellError("sign not told: say --value currency.CODE=SIGN", repair="sign", text=text)
        return found.upper()


def _day(moment: Moment) -> str:
    if isinstance(moment, datetime):
        raise CellError("must be a day without a time")
    return moment.isoformat()


def _attributes(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise CellError("must be an object of JSON")
    return found


def problem_of(error: FieldError) -> CellError:
    """What a connector would refuse, as a fault of the line."""
    return CellError(error.problem, field=error.field.removeprefix("fields."))

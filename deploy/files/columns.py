"""The text of a field in a line: of its column, of several joined by a blank, or of a path into an object.

Owns the choice of columns, those of a field's own name too. Pure.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from operator import itemgetter
from typing import Any

from deploy.files.header import Layout, folded
from deploy.files.lines import JsonObject
from deploy.files.mapping import ID, FileReading
from deploy.files.problems import CellError, UseError
from schemas.records import FieldType

LineCells = Sequence[str] | JsonObject
CellOf = Callable[[LineCells], str]
"""Raises CellError."""


class Columns:
    """Where a file has what: of CSV by its layout, of objects (None) by path."""

    def __init__(self, layout: Layout | None, reading: FileReading, members: Collection[str] = ()) -> None:
        """`members`: of objects, the folded names that any of them has. Raises UseError, naming columns not there."""
        self._layout = layout
        self._members = members
        problems: list[str] = []
        self.fields: dict[str, Sequence[str]] = dict(reading.columns)
        """Field -> its columns, as they are named."""
        taken = {folded(column) for columns in reading.columns.values() for column in columns}
        for name in reading.types:
            column = self._own(name)
            is_said = name in self.fields or name in reading.constants or (name == ID and reading.key)
            if column is not None and not is_said and column not in taken:
                self.fields[name] = [name]
        self.cells: dict[str, CellOf] = {}
        for name, columns in self.fields.items():
            try:
                is_object = reading.types[name] is FieldType.ATTRIBUTES
                self.cells[name] = self._joined(columns, takes_objects=is_object)
            except UseError as error:
                problems += [f"{name}: {problem}" for problem in error.problems]
        self.others: dict[str, CellOf] = {}
        """Of the columns that `--only` and `--key` name."""
        for column in (*reading.only, *reading.key):
            try:
                self.others[column] = self._joined([column])
            except UseError as error:
                problems += error.problems
        if problems:
            raise UseError(problems)

    def _own(self, name: str) -> str | None:
        """The column of a field's own name; more than one is asked for by `Layout.place`."""
        if self._layout is None:
            return name if folded(name) in self._members else None
        return name if self._layout.columns.get(name) else None

    def _joined(self, columns: Sequence[str], *, takes_objects: bool = False) -> CellOf:
        if self._layout is None:
            readers: list[CellOf] = [_path(column, takes_objects=takes_objects) for column in columns]
        else:
            readers = [itemgetter(self._layout.place(column)) for column in columns]
        if len(readers) == 1:
            return readers[0]
        return lambda cells: " ".join(text for read in readers if (text := read(cells).strip()))

    def field_of(self, column: str) -> str | None:
        """The first field that a column is read for."""
        wanted = self._key(column)
        return next(
            (name for name, columns in self.fields.items() if wanted in {self._key(each) for each in columns}), None
        )

    def _key(self, column: str) -> str | int:
        return folded(column) if self._layout is None else self._layout.place(column)

    def unused(self, seen: Sequence[str]) -> list[str]:
        """Of these columns those that nothing is read from."""
        if self._layout is None:
            used = {folded(column).partition(".")[0] for each in self.fields.values() for column in each}
            used |= {folded(column).partition(".")[0] for column in self.others}
            return [name for name in seen if folded(name) not in used]
        places = {self._layout.place(column) for each in self.fields.values() for column in each}
        places |= {self._layout.place(column) for column in self.others}
        return [name for place, name in enumerate(seen) if place not in places and name]


def _path(column: str, *, takes_objects: bool) -> CellOf:
    steps = column.strip().split(".")

    def read(cells: LineCells) -> str:
        found: Any = cells
        for step in [column] if column in found else steps:
            found = _member(found, step)
        return json.dumps(found) if takes_objects and isinstance(found, dict) else _text(found)

    return read


def _member(found: Any, name: str) -> Any:
    if not isinstance(found, Mapping):
        return None
    if name in found:
        return found[name]
    return next((value for key, value in found.items() if folded(key) == folded(name)), None)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ";".join(_text(each) for each in value)
    if not isinstance(value, str):
        raise CellError("is an object: say which of its members")
    return value

"""Which column is which: the header and the delimiter, found together, and the columns of each field.

Owns the rule that the header is the first of 20 lines that holds every mapped column. Pure.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from deploy.files.mapping import ID, FileReading
from deploy.files.problems import UseError
from schemas.documents.errors import suggestion

DELIMITERS = (",", ";", "\t", "|")
LOOKED_AT = 20


@dataclass(frozen=True, slots=True)
class Layout:
    """How the cells of a file lie."""

    delimiter: str
    names: Sequence[str]
    """The header's; empty: it has none."""
    lines: int
    """How many lines there are up to the header's end."""
    width: int
    """Cells of a line."""
    columns: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Of each column that is named anywhere, without case: where it stands."""

    def place(self, column: str) -> int:
        """Where a column stands, from 0. Raises UseError where there is none, or more than one of that name."""
        if column.startswith("#") and column[1:].isdigit():
            place = int(column[1:]) - 1
            if not 0 <= place < self.width:
                raise UseError([f"column {column}: there are {self.width} columns"])
            return place
        places = self.columns.get(folded(column), ())
        if len(places) == 1:
            return places[0]
        if not self.names:
            msg = f"column {column!r}: without a header a column is #1, #2 …"
        elif places:
            msg = f"column {column!r}: there are {len(places)}: say {' or '.join(f'#{place + 1}' for place in places)}"
        else:
            msg = f"column {column!r}: is not in the header{suggestion(column, self.names)}"
        raise UseError([msg])


def folded(name: str) -> str:
    """A column's name without regard to case and outer blanks."""
    return name.strip().casefold()


def find_layout(first: Sequence[str], reading: FileReading) -> Layout:
    """The layout of a file that begins with these lines. Raises UseError."""
    options = reading.options
    delimiters = DELIMITERS if options.delimiter is None else (options.delimiter,)
    wanted = wanted_columns(reading)
    if not options.has_header:
        return _without_header(first, delimiters)
    if options.header_line is not None:
        lines: Iterable[int] = [options.header_line - 1]
        if options.header_line > len(first):
            raise UseError([f"--header-line: there is no line {options.header_line}"])
    else:
        lines = range(min(LOOKED_AT, len(first)))
    nearest: tuple[int, list[str], Sequence[str]] = (-1, [], ())
    for line in lines:
        for delimiter in delimiters:
            cells, end = _cells(first, line, delimiter)
            there = {folded(name) for name in cells}
            lacking = [column for column in wanted if folded(column) not in there]
            if cells and not lacking:
                return _layout(delimiter, cells, end)
            if len(wanted) - len(lacking) > nearest[0] and cells:
                nearest = (len(wanted) - len(lacking), lacking, cells)
    _, lacking, names = nearest
    told = ", ".join(f"{column!r}{suggestion(column, names)}" for column in lacking or wanted)
    where = f"line {options.header_line}" if options.header_line else f"none of the first {LOOKED_AT} lines"
    verb = "lacks" if options.header_line else "holds"
    raise UseError([f"no header: {where} {verb} every column that is mapped; not found: {told}"])


def wanted_columns(reading: FileReading) -> list[str]:
    """The columns that a header must hold, by name."""
    named = [column for columns in reading.columns.values() for column in columns]
    named += [*reading.only, *reading.key]
    if ID not in reading.columns and not reading.key:
        named.append(ID)
    return list(dict.fromkeys(column for column in named if not (column.startswith("#") and column[1:].isdigit())))


def _without_header(first: Sequence[str], delimiters: Sequence[str]) -> Layout:
    """By the first line that can be read."""
    for line in range(min(LOOKED_AT, len(first))):
        width, delimiter = max(
            ((len(_cells(first, line, delimiter)[0]), delimiter) for delimiter in delimiters),
            key=lambda found: found[0],
        )
        if width:
            return Layout(delimiter, (), 0, width)
    raise UseError([f"none of the first {LOOKED_AT} lines can be read"])


def _layout(delimiter: str, cells: Sequence[str], lines: int) -> Layout:
    columns: dict[str, list[int]] = {}
    for place, name in enumerate(cells):
        if name.strip():
            columns.setdefault(folded(name), []).append(place)
    return Layout(delimiter, [name.strip() for name in cells], lines, len(cells), columns)


def _cells(lines: Sequence[str], start: int, delimiter: str) -> tuple[Sequence[str], int]:
    """The cells of the line that begins there, and where it ends; none, if it cannot be read."""
    reader = csv.reader(lines[start:], delimiter=delimiter, strict=True)
    try:
        return next(reader), start + reader.line_num
    except (csv.Error, StopIteration):
        return (), start

"""From the lines of a file to cells: CSV by the standard reader (strict), and JSON, an object a line.

Owns the numbers of lines, and that a line which cannot be read costs itself alone: reading goes on at the next.
"""

import csv
import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.files.problems import UseError

JsonObject = Mapping[str, Any]
MAX_CELL = 1 << 24
"""Characters. The body of a mail is in one cell; a quote that is not closed would take the rest of the file into it."""


@dataclass(frozen=True, slots=True)
class FileLine:
    """A line of the file, or several that a quoted cell joins."""

    number: int
    """Of its first line, as an editor shows it."""
    text: str
    """As it stands in the file, without its end."""
    cells: Sequence[str] | JsonObject = ()
    problem: str | None = None
    """Why there are no cells."""


def read_csv(lines: Iterable[str], delimiter: str, *, first: int = 1) -> Iterator[FileLine]:
    """Every line but blank ones. `first` is the number of the first."""
    source = _Source(lines, first)
    csv.field_size_limit(MAX_CELL)
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            number, text = source.give_back()
            # What it has begun to read is lost with it.
            reader = csv.reader(source, delimiter=delimiter, strict=True)
            yield FileLine(number, text, problem=_of_csv(error))
        else:
            number, text = source.take()
            if "\0" in text:
                yield FileLine(number, text, problem="holds a zero byte")
            elif any(map(str.strip, cells)):
                yield FileLine(number, text, cells)


class _Source:
    """The lines, which can be given back: all but the first of a line that could not be read."""

    def __init__(self, lines: Iterable[str], first: int) -> None:
        self._lines = iter(lines)
        self._again: deque[str] = deque()
        self._used: list[str] = []
        self._number = first

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self._used.append(line)
        return line

    def take(self) -> tuple[int, str]:
        """Number and text of what was read since the last call."""
        number, text = self._number, "".join(self._used)
        self._number += len(self._used)
        self._used.clear()
        return number, text.rstrip("\r\n")

    def give_back(self) -> tuple[int, str]:
        """The same of its first line alone; the others come again."""
        self._again.extendleft(reversed(self._used[1:]))
        del self._used[1:]
        return self.take()


def _of_csv(error: csv.Error) -> str:
    words = str(error)
    if "expected after" in words:
        return "text after a closing quote"
    if "end of data" in words:
        return "a quote is not closed"
    is_large = "field larger" in words
    return "is longer than a line may be, or a quote is not closed" if is_large else f"is no CSV: {words}"


def check_objects(path: Path, lines: Iterable[str]) -> None:
    """Refuse a file that is one text of JSON over all its lines. Raises UseError."""
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if text.startswith("[") or text == "{":
            what = "array" if text.startswith("[") else "object over several lines"
            raise UseError(
                [f"{path}: line {number}: begins an {what} of JSON: what is read is an object a line (jq -c '.[]')"]
            )
        if text:
            return


def read_ndjson(lines: Iterable[str]) -> Iterator[FileLine]:
    """Every line but blank ones; numbers are left as they are written."""
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if text:
            yield _read_object(number, text)


def _read_object(number: int, text: str) -> FileLine:
    try:
        found = json.loads(
            text, parse_int=str, parse_float=str, parse_constant=_no_number, object_pairs_hook=_each_name_once
        )
    except _TwiceError:
        return FileLine(number, text, problem="a name twice")
    except (ValueError, RecursionError):
        return FileLine(number, text, problem="is no JSON")
    if not isinstance(found, dict):
        return FileLine(number, text, problem="is no object")
    return FileLine(number, text, found)


class _TwiceError(ValueError):
    """Which of the two is meant nobody can say."""


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _TwiceError
    return found


def _no_number(name: str) -> str:
    raise ValueError(name)

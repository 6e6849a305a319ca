"""The first reading of a file: every line is read, and for each it is settled what becomes of it.

Owns the counts, what is refused and why, and lines that say the same record more than once. Of each line it keeps a few
numbers, so a file may be larger than the memory. Pure but for the reading of lines.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from hashlib import blake2b

import msgspec

from deploy.files.lines import FileLine
from deploy.files.mapping import ID, FileReading
from deploy.files.problems import CellError
from deploy.files.rows import FileRow, RowReader

WHOLE = "line"
"""In place of a field: the whole line is refused."""
_TEXTS_KEPT = 1000
_NAMED = 20


class LineFate(IntEnum):
    """What becomes of a line."""

    TAKEN = 0
    REPEATED = 1
    LEFT_OUT = 2
    REFUSED = 3


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that is not taken, and why."""

    number: int
    field: str
    why: str


@dataclass(slots=True)
class Checked:
    """What the first reading has found."""

    fates: bytearray = field(default_factory=bytearray)
    """Of every line that is not blank, in their order."""
    refusals: dict[int, Refusal] = field(default_factory=dict)
    """By number of the line."""
    texts: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    """(field, kind of repair) -> the cells that an option might read, how often each."""
    unmapped: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(field, word without a counterpart): how often."""
    newest: int | None = None
    """The newest instant in the file."""
    needs_as_of: bool = False
    """Whether there is a line without a version of its own."""
    twice: list[tuple[int, str]] = field(default_factory=list)
    """(line, field) of local times that came twice; the first of them."""
    twice_count: int = 0
    remarks: list[tuple[int, str]] = field(default_factory=list)
    remark_count: int = 0
    ids: "array[int]" = field(default_factory=lambda: array("Q"))
    """Digest of the id of each line that was read."""
    deleted: set[int] = field(default_factory=set)
    """Of those the ones that the file says are deleted."""
    left_out: "array[int]" = field(default_factory=lambda: array("Q"))
    """Of a whole list, the digest of the id of each line that is left out: it is in the list all the same."""

    @property
    def counts(self) -> Mapping[LineFate, int]:
        """How many lines there are of each fate."""
        return Counter(map(LineFate, self.fates))

    @property
    def has_read_any(self) -> bool:
        """Whether one line at least could be read, or none was meant."""
        return not self.refusals or len(self.fates) > self.fates.count(LineFate.REFUSED)


def lines_with_rows(
    lines: Iterable[FileLine], rows: RowReader, *, width: int | None
) -> Iterator[tuple[FileLine, FileRow | CellError | None]]:
    """Each line with what it says, with why it is refused, or with None where it is left out."""
    for line in lines:
        yield line, _outcome(line, rows, width)


def _outcome(line: FileLine, rows: RowReader, width: int | None) -> FileRow | CellError | None:
    if line.problem is not None:
        return CellError(line.problem, field=WHOLE)
    if width is not None and len(line.cells) != width:
        cells = f"{len(line.cells)} cell{'s' if len(line.cells) != 1 else ''}"
        return CellError(f"has {cells}, the header {width}", field=WHOLE)
    try:
        return rows.read(line.cells) if rows.is_meant(line.cells) else None
    except CellError as error:
        return error


def check(
    lines: Iterable[FileLine],
    rows: RowReader,
    reading: FileReading,
    *,
    width: int | None,
    look: Callable[[FileLine, FileRow], None] = lambda _line, _row: None,
    is_whole: bool = False,
) -> Checked:
    """Read every line. `look` is called with each that can be read.

    `is_whole`: what is left out is in the file too, so a line is refused where nobody can tell which record that is.
    """
    checked = Checked()
    keys, contents, numbers, places = array("Q"), array("Q"), array("Q"), array("Q")
    for line, outcome in lines_with_rows(lines, rows, width=width):
        said = _leave_out(checked, line, rows) if outcome is None and is_whole else outcome
        if isinstance(said, FileRow):
            _note(checked, line, said)
            version = 0 if said.changed_at is None else said.changed_at
            keys.append(_digest([said.id, version]))
            contents.append(_digest([said.fields, said.deleted]))
            numbers.append(line.number)
            places.append(len(checked.fates))
            checked.ids.append(id_digest(said.id))
            if said.deleted:
                checked.deleted.add(checked.ids[-1])
            checked.fates.append(LineFate.TAKEN)
            look(line, said)
        elif said is None:
            checked.fates.append(LineFate.LEFT_OUT)
        else:
            checked.fates.append(LineFate.REFUSED)
            checked.refusals[line.number] = Refusal(line.number, said.field, said.why)
            if said.repair:
                texts = checked.texts.setdefault((said.field, said.repair), Counter())
                if said.text in texts or len(texts) < _TEXTS_KEPT:
                    texts[said.text] += 1
    _settle_repeated(checked, keys, contents, numbers, places, reading)
    return checked


def _leave_out(checked: Checked, line: FileLine, rows: RowReader) -> CellError | None:
    try:
        checked.left_out.append(id_digest(rows.id_of(line.cells)))
    except CellError as error:
        return error
    return None


def _note(checked: Checked, line: FileLine, row: FileRow) -> None:
    checked.needs_as_of |= row.changed_at is None
    for instant in (row.newest, row.changed_at):
        if instant is not None and (checked.newest is None or instant > checked.newest):
            checked.newest = instant
    for name, word in row.unmapped.items():
        if (name, word) in checked.unmapped or len(checked.unmapped) < _TEXTS_KEPT:
            checked.unmapped[name, word] += 1
    checked.twice_count += len(row.twice)
    checked.twice += [(line.number, name) for name in row.twice][: _NAMED - len(checked.twice)]
    if row.remark is not None:
        checked.remark_count += 1
        if len(checked.remarks) < _NAMED:
            checked.remarks.append((line.number, row.remark))


def _settle_repeated(
    checked: Checked,
    keys: "array[int]",
    contents: "array[int]",
    numbers: "array[int]",
    places: "array[int]",
    reading: FileReading,
) -> None:
    """Of lines of one id and version: equal ones count once, of others as `--repeated` says."""
    doubled = _doubled(keys)
    by_key: dict[int, list[int]] = {}
    for index, key in enumerate(keys) if doubled else ():
        if key in doubled:
            by_key.setdefault(key, []).append(index)
    for indices in by_key.values():
        is_equal = len({contents[index] for index in indices}) == 1
        if not is_equal and reading.options.repeated == "refuse":
            why = "the same key with other values" if reading.key else "the same id with other values"
            for index in indices:
                checked.fates[places[index]] = LineFate.REFUSED
                checked.refusals[numbers[index]] = Refusal(numbers[index], ID, why)
            continue
        kept = indices[-1] if reading.options.repeated == "last" else indices[0]
        for index in indices:
            if index != kept:
                checked.fates[places[index]] = LineFate.REPEATED


def _doubled(keys: "array[int]") -> set[int]:
    found: set[int] = set()
    before = -1
    for key in sorted(keys):
        if key == before:
            found.add(key)
        before = key
    return found


def id_digest(id: str) -> int:
    """An id in 64 bits."""
    return _digest(id)


def _digest(value: object) -> int:
    encoded = msgspec.json.encode(value, order="deterministic")
    return int.from_bytes(blake2b(encoded, digest_size=8).digest(), "big")

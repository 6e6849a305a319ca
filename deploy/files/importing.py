"""The import of one file: what is read, checked, said and sent, in this order.

Owns the steps and the exit code. Kafka is behind `Log`; what is printed goes to `Tell`.
"""

import hashlib
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import msgspec

from deploy.files.checking import WHOLE, Checked, LineFate, check, lines_with_rows
from deploy.files.columns import Columns
from deploy.files.complete import KnownRecords, WholeSpan, read_whole
from deploy.files.dates import is_too_new
from deploy.files.header import LOOKED_AT, Layout, find_layout, folded
from deploy.files.lines import FileLine, check_objects, read_csv, read_ndjson
from deploy.files.mapping import CHANGED_AT, FileReading, Options, join_mapping
from deploy.files.mapping import mapping_text as written_mapping
from deploy.files.people import ConnectionRoster
from deploy.files.problems import UseError
from deploy.files.proposals import proposals
from deploy.files.refused import ENDINGS, NUMBER, WHY, write_refused
from deploy.files.rows import FileRow, RowReader, with_all_digits
from deploy.files.sending import ImportSource, Log, Numbered, send
from deploy.files.stages import FileStages
from deploy.files.text import encoding_of, read_lines
from deploy.files.values import CellReaders
from schemas.config import Config
from schemas.connectors import build_connector
from schemas.connectors.base import runs_ahead
from schemas.exit_codes import ExitCode
from schemas.instants import format_instant
from schemas.people import Person
from schemas.records import DELETED
from schemas.windows import Calendar

_SHOWN = 20
_HEAD = 64


class Tell(Protocol):
    """Whoever has typed the command."""

    def say(self, line: str) -> None:
        """A line beside the result."""

    def announce(self, line: str) -> None:
        """A line of the result."""

    def step(self, name: str, done: int, total: int) -> None:
        """How far a step is."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is to be done."""

    path: Path
    connection: str
    config: Config
    options: Options
    now: int
    folder: Path
    """Where it is kept how far the import has come."""
    complete: str | None = None
    is_dry: bool = False
    rows: int = 5
    refused: Path | None = None
    all_or_nothing: bool = False
    as_json: bool = False
    stages: FileStages = field(default_factory=FileStages)
    """As the connection's API says."""


@dataclass(slots=True)
class ImportResult:
    """How it went."""

    exit_code: int
    checked: Checked
    as_of: int
    """The version of lines without one."""
    all_or_nothing: bool = False
    deleted: int = 0

    @property
    def lines(self) -> dict[str, int]:
        """How many lines were taken, and how many not."""
        counts = self.checked.counts
        taken = counts.get(LineFate.TAKEN, 0)
        return {
            "taken": 0 if self.all_or_nothing and self.checked.refusals else taken,
            "repeated": counts.get(LineFate.REPEATED, 0),
            "left_out": counts.get(LineFate.LEFT_OUT, 0),
            "refused": len(self.checked.refusals),
        }


@dataclass(slots=True)
class _File:
    """A file whose layout is known."""

    path: Path
    encoding: str
    layout: Layout | None
    size: int
    changed: tuple[int, int]
    names: dict[str, None] = field(default_factory=dict)
    """Of objects: the members that were seen."""

    def lines(self) -> Iterator[FileLine]:
        lines = read_lines(self.path, self.encoding)
        if self.layout is None:
            for line in read_ndjson(_without_mark(lines)):
                if isinstance(line.cells, dict) and len(self.names) < _HEAD:
                    self.names |= dict.fromkeys(line.cells)
                yield line
            return
        begin = self.layout.lines
        yield from read_csv(islice(_without_mark(lines), begin, None), self.layout.delimiter, first=begin + 1)

    def members(self, fields: Iterable[str]) -> set[str]:
        """Of objects: the folded names of fields that any of them has as a member."""
        lacking, found = {folded(name) for name in fields}, set[str]()
        for line in self.lines():
            here = lacking.intersection(map(folded, line.cells)) if isinstance(line.cells, dict) else set[str]()
            found |= here
            lacking -= here
            if not lacking:
                break
        return found

    def is_of_refused(self) -> bool:
        """Whether an import has written it, of lines that it refused."""
        names = self.members([NUMBER]) if self.layout is None else map(folded, self.layout.names)
        return NUMBER in names

    def is_unchanged(self) -> bool:
        return _stamp(self.path) == self.changed


class Importer:
    """One file into one connection. Raises UseError."""

    def __init__(self, task: Task, tell: Tell) -> None:
        self._task = task
        self._tell = tell
        connection = task.config.connections[task.connection]
        self.reading: FileReading = join_mapping(task.options, connection, task.stages)
        organisation = task.config.organisation
        self._calendar = Calendar(organisation.zone, organisation.first_weekday)
        self._connection = connection
        self.whole: WholeSpan | None = (
            None if task.complete is None else read_whole(task.complete, self.reading, self._calendar)
        )
        self._file = _open(task.path, self.reading)
        members = self._file.members(self.reading.types) if self._file.layout is None else ()
        self._columns = Columns(self._file.layout, self.reading, members)
        if self.whole is not None and self._file.is_of_refused():
            raise UseError(
                [f"--complete: {task.path} holds refused lines: import it without, then the whole file once more"]
            )

    def mapping(self) -> str:
        """For `--print-mapping`."""
        return written_mapping(self.reading, self._task.connection, self._columns.fields)

    def _rows(self, people: ConnectionRoster) -> RowReader:
        values = CellReaders(self.reading, people, completes_ids=self._connection.kind == "salesforce")
        return RowReader(self.reading, self._columns, values, self._calendar, now=self._task.now)

    def _people(self, people: Collection[Person]) -> ConnectionRoster:
        aliases = [
            alias for entry in self._task.config.reps.values() for alias in entry.aliases.get(self._task.connection, [])
        ]
        return ConnectionRoster(self.reading.rep_by, people, aliases=aliases, namespace=self._connection.namespace)

    async def run(
        self,
        people: Collection[Person],
        log: Log | None,
        read_log: Callable[[Callable[[Sequence[bytes | None]], None]], Awaitable[None]] | None = None,
    ) -> ImportResult:
        """Import it. `log` is None in a dry run; `read_log` hands over the whole log, for `--complete`."""
        who = self._people(people)
        rows = self._rows(who)
        shown: list[FileRow] = []
        checked = self._check(rows, shown)
        as_of = self._as_of(checked)
        outcome = ImportResult(0, checked, as_of, self._task.all_or_nothing)
        outcome.exit_code = self._exit_code(checked)
        if self._task.is_dry:
            self._show(shown, as_of, who)
        elif outcome.lines["taken"] and log is not None:
            await self._send(rows, checked, as_of, log)
        if self.whole is not None:
            await self._delete(checked, as_of, log, read_log, outcome)
        self._report(outcome)
        return outcome

    def _check(self, rows: RowReader, shown: list[FileRow]) -> Checked:
        read, size, told = 0, self._file.size, 0

        def counted() -> Iterator[FileLine]:
            nonlocal read, told
            for line in self._file.lines():
                read += len(line.text) + 1
                if read - told > size / 100:
                    told = read
                    self._tell.step("checking", min(read, size), size)
                yield line

        def look(_line: FileLine, row: FileRow) -> None:
            if len(shown) < self._task.rows:
                shown.append(row)

        self._tell.step("checking", 0, size)
        width = None if self._file.layout is None else self._file.layout.width
        checked = check(counted(), rows, self.reading, width=width, look=look, is_whole=self.whole is not None)
        self._tell.step("checking", size, size)
        return checked

    def _as_of(self, checked: Checked) -> int:
        """The version of lines without one. Raises UseError where the file's own time may be that of a copy."""
        said = self.reading.options.as_of
        if said is not None:
            if runs_ahead(said, self._task.now):
                raise UseError(["--as-of: is more than 24 h ahead"])
            return said
        own = self._file.changed[0] // 1000
        is_whole = self.whole is not None and not checked.refusals
        needed = is_whole or (checked.needs_as_of and LineFate.TAKEN in checked.counts)
        if needed and (checked.newest is None or is_too_new(own, checked.newest)):
            newest = "none" if checked.newest is None else format_instant(checked.newest)
            told = f"the file is of {format_instant(own)}, the newest instant in it of {newest}"
            raise UseError([f"--as-of: must say when this was true: {told}, and a copy has a new time"])
        return own

    async def _send(self, rows: RowReader, checked: Checked, as_of: int, log: Log) -> None:
        task, total = self._task, checked.fates.count(LineFate.TAKEN)
        digest = _digest(task.path)
        connection = self._connection.model_dump_json(exclude={"secrets", "api"})
        key = hashlib.sha256(
            msgspec.json.encode([task.connection, digest, task.options, as_of, connection, task.stages])
        ).hexdigest()
        task.folder.mkdir(parents=True, exist_ok=True)
        mark = task.folder / f"{digest[:16]}.json"
        self._tell.step("sending", 0, total)
        before = await send(
            self._events(rows, checked, as_of),
            ImportSource(task.connection, task.path.name, digest, task.now),
            log,
            mark,
            key,
            tell=lambda done: self._tell.step("sending", done, total),
        )
        if before:
            self._tell.say(f"{before} of them had been sent before")
        if not self._file.is_unchanged():
            raise UseError([f"{task.path}: was changed while it was read; import it again"])

    def _events(self, rows: RowReader, checked: Checked, as_of: int) -> Iterator[Numbered]:
        width = None if self._file.layout is None else self._file.layout.width
        lines = lines_with_rows(self._file.lines(), rows, width=width)
        for (line, row), fate in zip(lines, checked.fates, strict=False):
            if fate == LineFate.TAKEN and isinstance(row, FileRow):
                yield line.number, row.event(self.reading.options.record, as_of)

    async def _delete(
        self,
        checked: Checked,
        as_of: int,
        log: Log | None,
        read_log: Callable[[Callable[[Sequence[bytes | None]], None]], Awaitable[None]] | None,
        outcome: ImportResult,
    ) -> None:
        """Delete what the file lacks of its span; what was deleted and stands in it is there again."""
        task = self._task
        if self.whole is None or read_log is None:
            return
        if checked.refusals:
            self._tell.say("--complete: nothing is deleted while a line is refused")
            return
        known = KnownRecords(task.connection, build_connector(self._connection), task.options.record, self.whole.field)
        await read_log(known.take)
        namespace = self._connection.namespace
        lacking = known.lacking(self.whole, [*checked.ids, *checked.left_out], namespace, as_of)
        back = known.back(set(checked.ids) - checked.deleted, namespace, as_of)
        outcome.deleted = len(lacking)
        if task.is_dry and lacking:
            self._tell.say(f"not in the file: {_some(lacking)}")
        if back:
            self._tell.say(f"was deleted and is in the file, so there again: {_some(back)}")
        if log is None or not (lacking or back):
            return
        events: Iterator[tuple[int, dict[str, Any]]] = (
            (0, FileRow(id, None, {}, deleted=is_deleted).event(task.options.record, as_of))
            for ids, is_deleted in ((lacking, True), (back, False))
            for id in ids
        )
        mark = task.folder / "deleted.json"
        mark.unlink(missing_ok=True)
        source = ImportSource(task.connection, task.path.name, _digest(task.path), task.now)
        await send(events, source, log, mark, "", tell=lambda _done: None)

    def _exit_code(self, checked: Checked) -> int:
        if not checked.has_read_any:
            return ExitCode.WRONG_USE
        return ExitCode.DIFFERENCES if checked.refusals else 0

    def _show(self, shown: Sequence[FileRow], as_of: int, who: ConnectionRoster) -> None:
        for row in shown:
            event = msgspec.json.encode(row.event(self.reading.options.record, as_of))
            self._tell.say(event.decode())
        if who.unknown:
            self._tell.say(f"not in the roster: {_some(list(who.unknown))}")

    def _report(self, outcome: ImportResult) -> None:
        checked, lines = outcome.checked, outcome.lines
        file = self._file
        names = list(file.names) if file.layout is None else list(file.layout.names)
        unused = [name for name in self._columns.unused(names) if folded(name) not in {NUMBER, WHY}]
        if unused:
            self._tell.say(f"columns that were not used: {', '.join(unused)}")
        for count, some, what in (
            (checked.twice_count, checked.twice, "came twice, as the clocks were put back"),
            (checked.remark_count, checked.remarks, ""),
        ):
            for number, name in some:
                self._tell.say(f"line {number}: {name}{': ' if what else ''}{what} (taken)")
            if count > len(some):
                self._tell.say(f"and {count - len(some)} more")
        for (name, word), count in checked.unmapped.most_common(_SHOWN):
            self._tell.say(f"{name}: {word!r} has no meaning here: {count} lines")
        if any(name == "stage" for name, _ in checked.unmapped):
            self._tell.say("a stage is told by --value stage.ID=TEXT, or by its name under stages of the connection")
        for proposal in proposals(checked.texts):
            self._tell.say(proposal)
        self._report_refused(outcome)
        if self._task.as_json:
            refused = {str(each.number): f"{each.field}: {each.why}" for each in _sorted(checked)}
            said = {"exit": int(outcome.exit_code), "lines": lines, "refused": refused, DELETED: outcome.deleted}
            self._tell.announce(msgspec.json.encode(said).decode())
            return
        would = " (nothing was written)" if self._task.is_dry else ""
        deleted = f", {outcome.deleted} deleted" if self.whole is not None else ""
        self._tell.announce(
            f"{lines['taken']} taken, {lines['repeated']} repeated, {lines['left_out']} left out, "
            f"{lines['refused']} refused{deleted}{would}"
        )

    def _report_refused(self, outcome: ImportResult) -> None:
        refusals = _sorted(outcome.checked)
        for each in refusals[:_SHOWN]:
            columns = [" ".join(name.split()) for name in self._columns.fields.get(each.field, ())]
            where = f" (column {' + '.join(columns)})" if columns and each.field != WHOLE else ""
            self._tell.say(f"line {each.number}: {each.field}: {each.why}{where}")
        if not refusals:
            return
        task = self._task
        path = task.refused or task.path.with_suffix(".refused.csv")
        if task.is_dry and task.refused is None:
            return
        skip = (self.reading.options.header_line or 1) - 1
        try:
            made = write_refused(
                path, self._file.lines(), outcome.checked.refusals, layout=self._file.layout,
                encoding=self._file.encoding, skip=skip,
            )  # fmt: skip
        except OSError as error:
            self._tell.say(f"{path}: cannot be written: {error.strerror}; --refused says another place")
        else:
            self._tell.say(f"refused lines stand in {' and '.join(map(str, made))}")
            if self.whole is None and self.reading.options.as_of is None and CHANGED_AT not in self._columns.fields:
                self._tell.say(
                    f"once they are mended, import them as of this file: --as-of {with_all_digits(outcome.as_of)}"
                )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"


def _sorted(checked: Checked) -> list[Any]:
    return [checked.refusals[number] for number in sorted(checked.refusals)]


def _open(path: Path, reading: FileReading) -> _File:
    encoding = encoding_of(path, reading.options.encoding)
    size, changed = path.stat().st_size, _stamp(path)
    if size == 0:
        raise UseError([f"{path}: is empty"])
    lines = _without_mark(read_lines(path, encoding))
    if path.suffix.lower() in ENDINGS:
        check_objects(path, lines)
        return _File(path, encoding, None, size, changed)
    first = list(islice(lines, max(_HEAD, LOOKED_AT, reading.options.header_line or 0)))
    return _File(path, encoding, find_layout(first, reading), size, changed)


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size


def _without_mark(lines: Iterator[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield line.removeprefix("\ufeff") if number == 0 else line


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

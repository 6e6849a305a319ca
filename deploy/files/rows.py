"""From a line of a file to an event: the fields together, and what they must say of each other.

Owns the rules of a whole row: the instant that a record counts by, the order of its times, days without a time, the
close of a deal, the currency beside an amount, ids that are made of other values. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import blake2b
from typing import Any

import msgspec

from deploy.files.columns import Columns, LineCells
from deploy.files.dates import Moment, ReadInstant, in_years, local_instants, settle_instants
from deploy.files.mapping import CHANGED_AT, ID, FileReading
from deploy.files.problems import CellError, UseError
from deploy.files.values import CellAmount, CellReaders, problem_of
from schemas.connectors.base import runs_ahead
from schemas.connectors.fields import FieldError, read_change
from schemas.instants import from_datetime, to_datetime
from schemas.records import DELETED, FieldType
from schemas.windows import Calendar, day_from

COUNTS_BY: Mapping[str, Sequence[str]] = {
    "call": ("dialed_at",), "email": ("sent_at",), "meeting": ("starts_at", "booked_at"), "lead": ("received_at",),
    "credit": ("at",), "subscription": ("starts_at",), "activity": ("at",), "absence": ("from",), "goal": ("since",),
}  # fmt: skip
"""The instant without which a record counts nowhere: the first of these that the file has."""
_ORDER = (
    "created_at", "received_at", "booked_at", "dialed_at", "sent_at", "starts_at", "assigned_at", "answered_at",
    "ended_at", "ends_at", "entered_stage_at", "closed_at",
)  # fmt: skip
"""Times of one record, as they follow each other; each kind has some of them."""
NEEDS_TIME = frozenset({"received_at", "assigned_at", "answered_at", "ended_at", CHANGED_AT})
"""Where a day is not enough: a clock begins or ends with it."""
_TOUCHES = {"call": "dialed_at", "email": "sent_at", "meeting": "starts_at"}
_POINTERS = ("lead", "thread")
_CLOSED = frozenset({"won", "lost"})
_OF_EVERY_DEAL = ("rep", "lead", "stage", "status", "created_at", "closed_at")


@dataclass(slots=True)
class FileRow:
    """What a line says."""

    id: str
    changed_at: int | None
    """The version; None: that of the file."""
    fields: dict[str, Any]
    """Raw fields, as an event has them."""
    deleted: bool | None = None
    unmapped: dict[str, str] = field(default_factory=dict)
    """Words without a counterpart, by field: counted, and no reason to refuse."""
    newest: int | None = None
    """The newest instant in the line."""
    twice: Sequence[str] = ()
    """Fields whose local time came twice."""
    remark: str | None = None
    """What is taken and should be looked at."""

    def event(self, record: str, as_of: int) -> dict[str, Any]:
        """The event that goes into the log."""
        event: dict[str, Any] = {
            "record": record,
            "id": self.id,
            "changed_at": with_all_digits(as_of if self.changed_at is None else self.changed_at),
            "fields": self.fields,
        }
        if self.deleted is not None:
            event[DELETED] = self.deleted
        if self.unmapped:
            event["unmapped"] = self.unmapped
        return event


def with_all_digits(instant: int) -> str:
    """An instant with all its digits."""
    return to_datetime(instant).isoformat().replace("+00:00", "Z")


@dataclass(slots=True)
class _Cells:
    """What the cells of a line say, each by itself."""

    values: dict[str, Any] = field(default_factory=dict)
    moments: dict[str, ReadInstant] = field(default_factory=dict)


class RowReader:
    """Reads lines. Raises UseError once a line needs what nobody told: a zone, or the close of deals."""

    def __init__(
        self, reading: FileReading, columns: Columns, values: CellReaders, calendar: Calendar, *, now: int
    ) -> None:
        self._reading = reading
        self._record = reading.options.record
        self._columns = columns
        self._values = values
        self._calendar = calendar
        self._now = now
        self._keeps_empty = reading.options.empty == "keep"
        self._prefer = int(reading.options.ambiguous == "second")
        self._starts: dict[date, int] = {}
        said = columns.fields.keys() | reading.constants.keys()
        self._has_close = "closed_at" in said
        self._has_version = CHANGED_AT in said
        self._by: str | None = None
        if self._record in COUNTS_BY:
            candidates = COUNTS_BY[self._record]
            self._by = next((name for name in candidates if name in said), None)
            if self._by is None:
                needed = candidates[0]
                raise UseError(
                    [f"{needed}: no column says it (--map {needed}=COLUMN), and a {self._record} counts by it"]
                )
        self._fields = [name for name in reading.types if name in said]

    def is_meant(self, cells: LineCells) -> bool:
        """Whether `--only` takes the line."""
        return all(
            self._columns.others[column](cells).strip().casefold() in values
            for column, values in self._reading.only.items()
        )

    def id_of(self, cells: LineCells) -> str:
        """The id of a line that is left out: of what its id is not made of it may say anything. Raises CellError."""
        if not self._reading.key:
            return self._id(cells, self._said([ID] if ID in self._fields else [], cells), {})
        key = [self._columns.field_of(column) for column in self._reading.key]
        said = self._said([name for name in self._fields if name in key], cells)
        if any(len(read.instants) > 1 for read in said.moments.values()):
            return self.read(cells).id  # the other times decide which of the two it is
        return self._id(cells, said, self._settle(said.moments)[0])

    def read(self, cells: LineCells) -> FileRow:
        """A line that is meant. Raises CellError, which names the field."""
        said = self._said(self._fields, cells)
        instants, twice = self._settle(said.moments)
        newest = max(instants.values(), default=None)
        changed_at = instants.pop(CHANGED_AT, None)
        id = self._id(cells, said, instants)
        deleted = said.values.pop(DELETED, None)
        fields = said.values | {name: with_all_digits(at) for name, at in instants.items()}
        row = FileRow(id, changed_at, fields, deleted, newest=newest, twice=twice)
        self._settle_currency(row)
        if self._record == "deal":
            self._settle_deal(row, instants)
            self._check_deal(row)
        if deleted is not True and self._by is not None and row.fields.get(self._by) is None:
            raise CellError("is empty", field=self._by)
        touch = said.moments.get(_TOUCHES.get(self._record, ""))
        if touch is not None and touch.is_day:
            # At the first instant of its day it would have answered a lead before it came.
            for pointer in _POINTERS:
                row.fields.pop(pointer, None)
        self._check(row)
        return row

    def _said(self, names: Iterable[str], cells: LineCells) -> _Cells:
        said = _Cells()
        for name in names:
            try:
                self._take(name, self._text(name, cells), said)
            except CellError as error:
                error.field = error.field or name
                raise
        return said

    def _text(self, name: str, cells: LineCells) -> str:
        constant = self._reading.constants.get(name)
        text = (self._columns.cells[name](cells) if constant is None else constant).strip()
        return "" if text in self._reading.nulls else text

    def _take(self, name: str, text: str, said: _Cells) -> None:
        if not text and "" not in self._reading.words.get(name, {}):
            if name not in {ID, CHANGED_AT, DELETED} and not self._keeps_empty:
                said.values[name] = None
            return
        found = self._values.readers[name](text)
        if isinstance(found, date) and self._reading.types[name] is FieldType.DATE_OR_INSTANT:
            found = found if isinstance(found, datetime) else found.isoformat()
        if isinstance(found, date):
            said.moments[name] = self._read(name, found)
        else:
            said.values[name] = found

    def _read(self, name: str, moment: Moment) -> ReadInstant:
        if not isinstance(moment, datetime):
            if name in NEEDS_TIME:
                raise CellError("a day is not enough here")
            start = self._starts.get(moment)
            if start is None:
                in_years(from_datetime(datetime(moment.year, moment.month, moment.day, tzinfo=self._calendar.zone)))
                start = self._starts[moment] = self._calendar.day_start(day_from(moment))
            return ReadInstant(name, (start,), is_day=True)
        if moment.tzinfo is not None:
            return ReadInstant(name, (in_years(from_datetime(moment)),))
        if self._reading.zone is None:
            raise UseError([f"{name}: is written without an offset, so its zone must be told: --timezone"])
        instants = tuple(map(in_years, local_instants(moment, self._reading.zone)))
        if len(instants) > 1 and self._reading.options.ambiguous == "refuse":
            raise CellError("this time came twice")
        return ReadInstant(name, instants)

    def _settle(self, moments: Mapping[str, ReadInstant]) -> tuple[dict[str, int], Sequence[str]]:
        if all(len(read.instants) == 1 for read in moments.values()):
            return {name: read.instants[0] for name, read in moments.items()}, ()
        follow = [moments[name] for name in _ORDER if name in moments]
        found, twice = settle_instants(follow, prefer=self._prefer)
        others = [read for name, read in moments.items() if name not in found]
        for read in others:
            alone, came_twice = settle_instants([read], prefer=self._prefer)
            found |= alone
            twice += came_twice
        return found, twice

    def _id(self, cells: LineCells, said: _Cells, instants: Mapping[str, int]) -> str:
        if not self._reading.key:
            id = said.values.pop(ID, None)
            if id is None:
                raise CellError("is empty", field=ID)
            return str(id)
        parts: dict[str, Any] = {}
        for column in self._reading.key:
            name = self._columns.field_of(column)
            if name is None:
                parts[f"#{len(parts)}"] = self._columns.others[column](cells).strip()
            else:
                value = instants.get(name, said.values.get(name))
                parts[name] = value.number if isinstance(value, CellAmount) else value
        values = list(parts.values())
        if not any(values):
            raise CellError("is made of a key whose cells are all empty", field=ID)
        return blake2b(msgspec.json.encode([self._record, *values]), digest_size=12).hexdigest()

    @staticmethod
    def _settle_currency(row: FileRow) -> None:
        for name, value in row.fields.items():
            if isinstance(value, CellAmount):
                beside = row.fields.get("currency")
                if value.currency is not None and beside not in {None, value.currency}:
                    msg = f"{value.currency} beside {beside}"
                    raise CellError(msg, field=name)
                row.fields = row.fields | {name: value.number}
                if value.currency is not None:
                    row.fields["currency"] = value.currency

    def _settle_deal(self, row: FileRow, instants: Mapping[str, int]) -> None:
        fields = row.fields
        self._settle_stage(row)
        if fields.get("status") not in _CLOSED:
            # Of an open deal it is an expectation.
            if fields.pop("closed_at", None) is not None and not self._keeps_empty:
                fields["closed_at"] = None
            return
        if self._has_close:
            if fields.get("closed_at") is None and row.deleted is not True:
                msg = f"is empty, and the deal is {fields['status']}"
                raise CellError(msg, field="closed_at")
        elif not self._has_version:
            raise UseError(["closed_at: no column says when deals closed (--map closed_at=COLUMN, or changed_at)"])
        elif row.changed_at is None:
            msg = f"is empty, and the deal is {fields['status']}"
            raise CellError(msg, field=CHANGED_AT)
        else:
            fields["closed_at"] = with_all_digits(row.changed_at)
        created, closed = instants.get("created_at"), instants.get("closed_at")
        if created is not None and closed is not None and closed < created:
            row.remark = "closed_at: lies before created_at"

    def _settle_stage(self, row: FileRow) -> None:
        """By ids: a file has what people call a pipeline and a stage, and the CRM's webhooks have their ids."""
        fields, stages = row.fields, self._reading.stages
        pipeline, stage = fields.get("pipeline"), fields.get("stage")
        if pipeline is not None:
            fields["pipeline"] = pipeline = stages.pipeline(pipeline)
        if stage is None:
            return
        found = stages.stage(pipeline, stage)
        fields["stage"] = stage if found is None else found
        status = stages.statuses.get(fields["stage"])
        if status is not None and "status" not in fields:
            fields["status"] = status
        if (found is None and stages.labels) or (status is None and "status" not in fields):
            row.unmapped["stage"] = stage

    def _check_deal(self, row: FileRow) -> None:
        """Refuse what has the cells of a deal and says nothing that a deal counts by: the totals of a spreadsheet."""
        told = [name for name in _OF_EVERY_DEAL if name in self._fields]
        if told and not (self._keeps_empty or row.deleted or any(row.fields.get(name) for name in told)):
            msg = f"says nothing of {', '.join(told)}"
            raise CellError(msg, field="line")

    def _check(self, row: FileRow) -> None:
        """That the log's reader will take it."""
        version = self._now if row.changed_at is None else row.changed_at
        if runs_ahead(version, self._now):
            raise CellError("is more than 24 h ahead", field=CHANGED_AT)
        raw = {name: _plain(value) for name, value in row.fields.items()}
        try:
            read_change(
                kind=self._record, record_id=row.id, changed_at=version, raw=raw, received_at=self._now, namespace=""
            )
        except FieldError as error:
            raise problem_of(error) from None


def _plain(value: Any) -> Any:
    """A reference without its mark."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return next(iter(value.values())) if isinstance(value, dict) and value.keys() == {"served"} else value

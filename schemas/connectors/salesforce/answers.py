"""What an answer of Salesforce's API says of our records: the statements that messages and events would have made.

Owns the way from a record with its history to statements. A field whose past is told is said change by change, each at
its own instant; what has no past here counts as said when the record was last modified.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from schemas.connectors.asking import HISTORY, Envelope
from schemas.connectors.base import Parsed
from schemas.connectors.crm import place_within
from schemas.connectors.events import ShapeError, Statement, instant_member
from schemas.connectors.fields import FieldError
from schemas.connectors.salesforce.api import RELATIONS, TASK_OF, TRACKED
from schemas.connectors.salesforce.days import in_days
from schemas.connectors.salesforce.ids import id_of_kind, whole_id
from schemas.connectors.salesforce.objects import (
    EMAIL,
    EVENT,
    LEAD,
    LEAD_PREFIX,
    OPPORTUNITY,
    STAGES,
    USER,
    event_end,
    flag,
    salesforce_instant,
)
from schemas.connectors.salesforce.reading import SalesforceReader
from schemas.connectors.tables import ReadObject
from schemas.instants import SECOND, format_instant
from schemas.records import MERGED


def salesforce_statements(
    reader: SalesforceReader, record: Mapping[str, Any], envelope: Envelope, asked_at: int, parsed: Parsed
) -> Iterator[Statement]:
    """Everything that one record of an answer says. Raises ShapeError, FieldError, LeftOutError."""
    name = envelope.object
    try:
        id, master = whole_id(record.get("id")), whole_id(record.get("MasterRecordId"))
    except ValueError as error:
        raise ShapeError("Id", str(error)) from None
    at = _instant(record, "SystemModstamp")
    if id is None:
        raise ShapeError("Id", "is missing")
    place = place_within(at, asked_at)
    if name == EMAIL.name:
        yield replace(_mail(reader, record, id, at, parsed), place=place)
        return
    past = {OPPORTUNITY.name: _deal_past, LEAD.name: _lead_past}.get(name)
    told = [] if past is None else list(past(reader, record, id, envelope, parsed))
    names = {field for statement in told for field in statement.fields}
    # Before the record itself: of one instant its place is the last one, and what comes after it would share that.
    yield from told
    for statement in reader.statements(name, id, record, at, parsed, type="WHOLE"):
        if statement.record_id != id:
            yield replace(statement, place=place)
            continue
        fields = {field: value for field, value in statement.fields.items() if field not in names}
        if name == LEAD.name and "assigned_at" in fields and statement.yields:
            # Nothing tells since when somebody has it: since it was made, unless an event knows better.
            yield replace(statement, at=_instant(record, "CreatedDate"), yields=0, fields=fields)
        else:
            yield replace(statement, fields=fields, place=0 if statement.yields else place)
    if name == EVENT.name and reader.outcomes_field is None:
        yield from _held(in_days(record, reader.calendar), id, at, asked_at)
    if master is not None and record.get("IsDeleted") is True:
        # The event of the same second said that it is deleted: it is merged, and so it is not.
        yield Statement("lead", id, at + SECOND - 1, {MERGED: master}, deleted=False)


def _held(record: Mapping[str, Any], id: str, at: int, asked_at: int) -> Iterator[Statement]:
    """A meeting that was to come when it was last touched is held once it is over."""
    end = event_end(record)
    if end is not None and at < end <= asked_at and flag(record.get("IsChild")) is not True:
        yield Statement("meeting", id, end, {"outcome": "held"})


def _mail(reader: SalesforceReader, record: Mapping[str, Any], id: str, at: int, parsed: Parsed) -> Statement:
    """Whose it is, its Task says; whom it concerns, its relations, else that Task."""
    fields = EMAIL.read(ReadObject("email", {**record, "Id": id}, at, reader.words, parsed))
    task = record.get(TASK_OF)
    task = task if isinstance(task, dict) else {}
    try:
        owner = id_of_kind(task.get("OwnerId"), USER) or id_of_kind(record.get("CreatedById"), USER)
        leads = [found for each in record.get(RELATIONS) or () if (found := id_of_kind(each, LEAD_PREFIX))]
        who = id_of_kind(task.get("WhoId"), LEAD_PREFIX)
    except ValueError as error:
        raise FieldError(EMAIL.name, str(error)) from None
    fields["rep"] = owner
    fields["lead"] = leads[0] if leads else who or fields.get("lead")
    fields["contacts"] = leads or None
    return Statement("email", id, at, fields)


def _deal_past(
    reader: SalesforceReader, record: Mapping[str, Any], id: str, envelope: Envelope, parsed: Parsed
) -> Iterator[Statement]:
    """Stages and amounts. A deal is closed when it last entered a closed stage."""
    before: Mapping[str, Any] = {}
    for row in _history(record):
        at = _instant(row, "CreatedDate")
        fields: dict[str, Any] = {}
        if row.get("StageName") != before.get("StageName"):
            status = _status_of(reader, row.get("StageName"), envelope, parsed)
            closed_at = format_instant(at) if status in ("won", "lost") else None
            fields = {
                "stage": row.get("StageName"), "entered_stage_at": format_instant(at), "status": status,
                "closed_at": closed_at,
            }  # fmt: skip
        if not before or row.get("Amount") != before.get("Amount"):
            fields["amount"] = row.get("Amount")
        before = row
        # What a stage means may be told later: the same entry then wins by its meaning.
        is_unclear = "status" in fields and fields["status"] is None
        yield Statement("deal", id, at, fields, yields=1 if is_unclear else 0)


def _status_of(reader: SalesforceReader, stage: Any, envelope: Envelope, parsed: Parsed) -> str | None:
    if not isinstance(stage, str):
        return None
    found: str | None = reader.words.stages.get(stage) or envelope.words.get(stage) or STAGES.get(stage)
    if found is None:
        parsed.ignore_unmapped("deal", "status", stage)
    return found


def _lead_past(
    reader: SalesforceReader, record: Mapping[str, Any], id: str, _envelope: Envelope, parsed: Parsed
) -> Iterator[Statement]:
    """Statuses and owners, as far as the organisation tracks them."""
    tracked, rows, made = record.get(TRACKED) or (), list(_history(record)), _instant(record, "CreatedDate")
    said = ReadObject("lead", {}, made, reader.words, parsed)
    if "Status" in tracked:
        for value, at in _values(rows, "Status", record.get("Status"), made):
            yield Statement("lead", id, at, {"status": said.meaning(reader.words.statuses, "status", value)})
    if {"Owner", "OwnerId"} & set(tracked):
        owners = [row for row in rows if _is_id(row.get("NewValue")) or row.get("Field") != "Owner"]
        for value, at in _values(owners, "Owner", record.get("OwnerId"), made):
            rep = id_of_kind(value, USER) if _is_id(value) else None
            assigned_at = None if rep is None else format_instant(at)
            yield Statement("lead", id, at, {"rep": rep, "assigned_at": assigned_at})
    for row in rows:
        if row.get("Field") == "leadConverted" and flag(record.get("IsConverted")) is True:
            yield Statement("lead", id, _instant(row, "CreatedDate"), {"status#1": "converted"})
            break


def _values(rows: list[Mapping[str, Any]], field: str, now: Any, made: int) -> Iterator[tuple[Any, int]]:
    """What a field was from when on, oldest first."""
    changes = [row for row in rows if row.get("Field") == field]
    yield (changes[0].get("OldValue") if changes else now), made
    for row in changes:
        yield row.get("NewValue"), _instant(row, "CreatedDate")


def _is_id(value: Any) -> bool:
    """The history names an owner twice: by name and by id."""
    try:
        return whole_id(value) is not None
    except ValueError:
        return False


def _history(record: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    rows = record.get(HISTORY)
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict):
            yield row


def _instant(record: Mapping[str, Any], name: str) -> int:
    try:
        return instant_member(salesforce_instant(record.get(name)), name)
    except ValueError as error:
        raise ShapeError(name, str(error)) from None

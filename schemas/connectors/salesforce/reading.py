"""What a record of Salesforce says, of whatever message or event: statements, the input of changes.

Owns the rules that look at several members, or at more than one of our records.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from schemas.connectors.base import Parsed
from schemas.connectors.events import UNKNOWN_TYPE, LeftOutError, Statement
from schemas.connectors.fields import FieldError
from schemas.connectors.salesforce.days import in_days, may_be_days
from schemas.connectors.salesforce.ids import id_of_kind, whole_id
from schemas.connectors.salesforce.objects import (
    DEAL_PREFIX,
    EMAIL,
    EVENT,
    LEAD,
    OBJECTS,
    OPPORTUNITY,
    TASK,
    USER,
    VOICE_CALL,
    deal_status,
    dialed_at,
    event_end,
    flag,
    is_done_task,
    is_open_task,
    salesforce_instant,
)
from schemas.connectors.tables import ReadObject, Table, joined_name
from schemas.connectors.words import ConnectionWords
from schemas.instants import DAY, format_instant
from schemas.windows import Calendar


@dataclass(frozen=True, slots=True)
class SalesforceReader:
    """The rules of one connection."""

    words: ConnectionWords
    outcomes_field: str | None
    calendar: Calendar

    def statements(
        self, name: str, id: str, data: Mapping[str, Any], at: int, parsed: Parsed, *, type: str
    ) -> Iterator[Statement]:
        """What a record says at `at`. `type`: `CREATE`, `UPDATE` (of what changed alone) or `WHOLE` (as it is now).

        Raises FieldError and LeftOutError.
        """
        table = OBJECTS.get(name)
        if table is None:
            raise LeftOutError(UNKNOWN_TYPE)
        said = ReadObject(table.record, {**_with_name(data, name, id, parsed, type), "Id": id}, at, self.words, parsed)
        try:
            yield from _RULES[name](self, table, id, said, type)
        except FieldError:
            raise
        except ValueError as error:
            raise FieldError(name, str(error)) from None


_NAME_PARTS = ("FirstName", "MiddleName", "LastName", "Suffix")


def _with_name(data: Mapping[str, Any], object: str, id: str, parsed: Parsed, type: str) -> Mapping[str, Any]:
    """The name of a person as text: an event has it in parts, of which an update says only those that changed.

    https://developer.salesforce.com/docs/platform/pub-sub-api/guide/event-deserialization-considerations.html
    """
    name = data.get("Name")
    if not isinstance(name, Mapping):
        return data
    rest = {field: value for field, value in data.items() if field != "Name"}
    if type == "UPDATE" and not (name.get("FirstName") and name.get("LastName")):
        parsed.want(object, id)
        return rest
    return rest | {"Name": joined_name(name, *_NAME_PARTS) or None}


def _plain(_reader: SalesforceReader, table: Table, id: str, said: ReadObject, _type: str) -> Iterator[Statement]:
    yield Statement(table.record, id, said.at, table.read(said))


def _task(_reader: SalesforceReader, table: Table, id: str, said: ReadObject, type: str) -> Iterator[Statement]:
    """A Task is a call, a mail (which EmailMessage tells of) or neither. An update does not say which."""
    data, is_update = said.data, type == "UPDATE"
    subtype = data.get("TaskSubtype")
    if subtype is not None and subtype != "Call":
        if not is_update:
            raise LeftOutError(UNKNOWN_TYPE)
        yield Statement(table.record, id, said.at, deleted=True)
        return
    if subtype is None and not any(data.get(name) for name in ("CallType", "CallDisposition", "CallDurationInSeconds")):
        if not is_update:
            raise LeftOutError(UNKNOWN_TYPE)
        said.parsed.want("Task", id)
    elif is_update and "CallType" not in data and is_done_task(data):
        said.parsed.want("Task", id)  # while it was planned it had no direction, and that is not said again
    fields = table.read(said)
    if is_open_task(data):
        fields |= {"direction": None}
    yield Statement(table.record, id, said.at, fields)
    began = None if is_open_task(data) else dialed_at(data, is_whole=not is_update)
    if began is not None or is_open_task(data):
        # What the call itself tells (VoiceCall) wins over what is reckoned here.
        yield Statement(table.record, id, said.at, {"dialed_at": began}, yields=DAY)


def _voice_call(_reader: SalesforceReader, table: Table, id: str, said: ReadObject, _type: str) -> Iterator[Statement]:
    """The Task of the same call is the same record: a call counts once."""
    task = whole_id(said.data.get("ActivityId"))
    if task is None and "CallStartDateTime" not in said.data:
        said.parsed.want("VoiceCall", id)
        return
    yield Statement(table.record, task or id, said.at, table.read(said))


def _mail(_reader: SalesforceReader, table: Table, id: str, said: ReadObject, _type: str) -> Iterator[Statement]:
    """Whose mail it is, the Task of `ActivityId` says, and to whom, its relations: both are looked up."""
    yield Statement(table.record, id, said.at, table.read(said))
    author = id_of_kind(said.data.get("CreatedById"), USER)
    if author is not None:
        yield Statement(table.record, id, said.at, {"rep": author}, yields=DAY)
    if said.data.get("ActivityId"):
        said.parsed.want("EmailMessage", id)


def _event(reader: SalesforceReader, table: Table, id: str, said: ReadObject, type: str) -> Iterator[Statement]:
    """One meeting however many are invited, and none of the series itself."""
    data = said.data
    if flag(data.get("IsChild")) is True or str(data.get("GroupEventType")) == "3":
        yield Statement(table.record, id, said.at, deleted=True)
        return
    if type == "UPDATE" and may_be_days(data):
        said.parsed.want(EVENT.name, id)
    data = in_days(data, reader.calendar)
    fields = table.read(replace(said, data=data))
    named = reader.outcomes_field
    if named is not None:
        if named in data:
            fields["outcome"] = said.meaning(said.words.meetings, "outcome", data[named]) or "scheduled"
    else:
        end = event_end(data)
        if end is not None:
            fields["outcome"] = "held" if end <= said.at else "scheduled"
    yield Statement(table.record, id, said.at, fields)


def _lead(_reader: SalesforceReader, table: Table, id: str, said: ReadObject, type: str) -> Iterator[Statement]:
    data = said.data
    fields = table.read(said)
    if "OwnerId" in data:
        if fields.get("rep") is None:
            fields["assigned_at"] = None
        elif type == "UPDATE":
            fields["assigned_at"] = format_instant(said.at)
    if "status" in fields and flag(data.get("IsConverted")):
        # The organisation has a word of its own for converted leads: it yields, until the lead is none any more.
        yield Statement(table.record, id, said.at, {"status": fields.pop("status")}, yields=1)
    yield Statement(table.record, id, said.at, fields)
    created = salesforce_instant(data.get("CreatedDate"))
    if type != "UPDATE" and fields.get("rep") is not None and created is not None:
        yield Statement(table.record, id, said.at, {"assigned_at": created}, yields=DAY)
    deal = id_of_kind(data.get("ConvertedOpportunityId"), DEAL_PREFIX)
    if deal is not None:
        yield Statement("deal", deal, said.at, {"lead": id})


def _opportunity(_reader: SalesforceReader, table: Table, id: str, said: ReadObject, type: str) -> Iterator[Statement]:
    data, is_whole = said.data, type != "UPDATE"
    fields = table.read(said)
    status = deal_status(data, said, is_whole=is_whole)
    if status is not None:
        fields["status"] = status
        entered = salesforce_instant(data.get("LastStageChangeDate"))
        if status == "open":
            fields["closed_at"] = None
        elif entered is not None:
            fields["closed_at"] = entered
    yield Statement(table.record, id, said.at, fields)


_RULES: Mapping[str, Callable[[SalesforceReader, Table, str, ReadObject, str], Iterator[Statement]]] = {
    TASK.name: _task,
    VOICE_CALL.name: _voice_call,
    EMAIL.name: _mail,
    EVENT.name: _event,
    LEAD.name: _lead,
    OPPORTUNITY.name: _opportunity,
    "User": _plain,
}

"""What an object of Salesforce says of our fields: one table per object, each with the page it comes from.

Owns Salesforce's words. Members are text in Outbound Messages and typed in events; both are read. Does not know how
either brings the objects.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from schemas.connectors.fields import count_of, read_number
from schemas.connectors.salesforce.ids import id_of_kind, whole_id
from schemas.connectors.tables import (
    ReadObject,
    Rule,
    Table,
    epoch_text,
    instant_text,
    kind_row,
    outcome_row,
    plain_text,
    row,
)
from schemas.instants import MINUTE, SECOND, checked, format_instant, parse_instant

USER, LEAD_PREFIX, DEAL_PREFIX = "005", "00Q", "006"
# Plain words for what they mean; every organisation has others, in any language.
DISPOSITIONS = {
    "Connected": "connected",
    "No Answer": "no_answer",
    "Busy": "busy",
    "Voicemail": "voicemail",
    "Left Voicemail": "voicemail",
    "Wrong Number": "wrong_number",
    "Failed": "failed",
}
# What an organisation begins with.
LEAD_STATUSES = {
    "New": "new",
    "Open - Not Contacted": "new",
    "Qualified": "qualified",
    "Unqualified": "disqualified",
    "Closed - Converted": "converted",
    "Closed - Not Converted": "disqualified",
}
DEAL_TYPES = {
    "New Customer": "new",
    "New Business": "new",
    "Existing Customer - Upgrade": "expansion",
    "Existing Customer - Replacement": "expansion",
    "Existing Business": "expansion",
    "Renewal": "renewal",
}
STAGES = {
    "Prospecting": "open",
    "Qualification": "open",
    "Needs Analysis": "open",
    "Value Proposition": "open",
    "Id. Decision Makers": "open",
    "Perception Analysis": "open",
    "Proposal/Price Quote": "open",
    "Negotiation/Review": "open",
    "Closed Won": "won",
    "Closed Lost": "lost",
}
OPEN_TASKS = ("Not Started", "In Progress", "Waiting on someone else", "Deferred")


# --- Readings ---------------------------------------------------------------------------------------------------------


def salesforce_instant(value: Any) -> str | None:
    """Milliseconds in events, text in messages and answers."""
    return instant_text(value) if count_of(value) is None else epoch_text(value, per_second=1000)


def flag(value: Any) -> bool | None:
    """`true` in messages, a claim in events. Raises ValueError."""
    if isinstance(value, bool) or value is None:
        return value
    if value in ("true", "1"):
        return True
    if value in ("false", "0"):
        return False
    if value == "":
        return None
    raise ValueError("must be true or false")


def micros(value: Any) -> int | None:
    """An instant in microseconds."""
    text = salesforce_instant(value)
    return None if text is None else parse_instant(text)


def _instant_row(source: str, name: str, note: str = "") -> Rule:
    return row(source, name, note, salesforce_instant)


def _pointer(source: str, name: str, prefix: str, note: str = "") -> Rule:
    return row(source, name, note, partial(id_of_kind, prefix=prefix))


def _owner(source: str, name: str) -> Rule:
    return _pointer(source, name, USER, "a queue (00G…) is nobody")


_LEAD_AND_DEAL = (
    _pointer("WhoId", "lead", LEAD_PREFIX, "a lead (00Q…)"),
    _pointer("WhatId", "deal", DEAL_PREFIX, "an opportunity (006…)"),
)


# --- Calls ------------------------------------------------------------------------------------------------------------


def _call_type(value: Any, said: ReadObject) -> Mapping[str, Any]:
    word = plain_text(value).casefold() if value is not None else ""
    if word in ("outbound", "inbound", "internal"):
        return {"direction": None if word == "internal" else word, "internal": word == "internal"}
    if word:
        said.parsed.ignore_unmapped("call", "direction", plain_text(value))
    return {"direction": None}


def _number(_value: Any, said: ReadObject) -> Mapping[str, Any]:
    """The other party's, where the change says which of the two that is."""
    names = {"outbound": "ToPhoneNumber", "inbound": "FromPhoneNumber"}
    name = names.get(str(said.data.get("CallType") or "").casefold())
    return {"number": said.data.get(name)} if name is not None and name in said.data else {}


def is_open_task(data: Mapping[str, Any]) -> bool:
    """Whether a call is only planned."""
    return flag(data.get("IsClosed")) is False or data.get("Status") in OPEN_TASKS


def is_done_task(data: Mapping[str, Any]) -> bool:
    """Whether a call is said to be made, planned or not before."""
    return not is_open_task(data) and (flag(data.get("IsClosed")) is True or bool(data.get("Status")))


def dialed_at(data: Mapping[str, Any], *, is_whole: bool) -> str | None:
    """When the call of a Task began: its duration before it was completed, or else logged. None: it is not told."""
    ended = micros(data.get("CompletedDateTime")) or micros(data.get("CreatedDate"))
    said_length = data.get("CallDurationInSeconds")
    if ended is None or (said_length in (None, "") and not is_whole):
        return None
    seconds = 0 if said_length in (None, "") else int(read_number(said_length))
    return format_instant(checked(ended - seconds * SECOND))


TASK = Table(
    "Task", "call", "https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_objects_task.htm",
    (
        _owner("OwnerId", "rep"),
        *_LEAD_AND_DEAL,
        Rule("CallType", ("direction", "internal"), _call_type),
        outcome_row("CallDisposition", "free text, by `outcomes`"),
        row("CallDurationInSeconds", "talk_seconds"),
        _instant_row("CreatedDate", "logged_at"),
        _owner("CreatedById", "logged_by"),
    ),
)  # fmt: skip
VOICE_CALL = Table(
    "VoiceCall", "call",
    "https://developer.salesforce.com/docs/platform/field-reference/references/field-reference/"
    "salesforce-field-reference-voicecall.html",
    (
        _owner("OwnerId", "rep"),
        Rule("CallType", ("direction", "internal"), _call_type),
        outcome_row("CallDisposition", "free text, by `outcomes`"),
        Rule("ToPhoneNumber", ("number",), _number, "outbound; inbound: `FromPhoneNumber`", ("FromPhoneNumber",)),
        _instant_row("CallStartDateTime", "dialed_at"),
        _instant_row("CallConnectDateTime", "answered_at"),
        _instant_row("CallEndDateTime", "ended_at"),
        row("CallDurationInSeconds", "talk_seconds"),
    ),
)  # fmt: skip


# --- Mails and meetings -----------------------------------------------------------------------------------------------


def _mail(value: Any, said: ReadObject) -> Mapping[str, Any]:
    """Status 5 is a draft."""
    if str(said.data.get("Status")) == "5":
        return {"direction": None, "sent_at": None}
    incoming = flag(value)
    direction = None if incoming is None else "inbound" if incoming else "outbound"
    sent_at = salesforce_instant(said.data.get("MessageDate")) or salesforce_instant(said.data.get("CreatedDate"))
    return {"direction": direction, **({} if sent_at is None else {"sent_at": sent_at})}


def _thread(value: Any, said: ReadObject) -> Mapping[str, Any]:
    """What has no thread of its own is in the one of the mail that it answers, else begins one."""
    answered = whole_id(said.data.get("ReplyToEmailMessageId"))
    return {"thread": plain_text(value) if value else answered or said.data.get("Id")}


EMAIL = Table(
    "EmailMessage", "email",
    "https://developer.salesforce.com/docs/atlas.en-us.212.0.object_reference.meta/object_reference/"
    "sforce_api_objects_emailmessage.htm",
    (
        _pointer("RelatedToId", "lead", LEAD_PREFIX, "a lead (00Q…)"),
        Rule("Incoming", ("direction", "sent_at"), _mail, "with `MessageDate`; drafts (`Status` 5) do not count"),
        Rule("ThreadIdentifier", ("thread",), _thread, also=("ReplyToEmailMessageId",)),
        _instant_row("CreatedDate", "logged_at"),
    ),
)  # fmt: skip


def _starts_at(value: Any, said: ReadObject) -> Mapping[str, Any]:
    return {"starts_at": salesforce_instant(value if value is not None else said.data.get("ActivityDateTime"))}


def event_begin(data: Mapping[str, Any]) -> int | None:
    """When a meeting begins, in microseconds; None: it is not told."""
    return micros(data.get("StartDateTime") or data.get("ActivityDateTime"))


def event_end(data: Mapping[str, Any]) -> int | None:
    """When a meeting ends, in microseconds; None: it is not told."""
    end, begin = micros(data.get("EndDateTime")), event_begin(data)
    length = data.get("DurationInMinutes")
    if end is not None or begin is None or length in (None, ""):
        return end
    return checked(begin + int(read_number(length) * MINUTE))


def _ends_at(_value: Any, said: ReadObject) -> Mapping[str, Any]:
    end = event_end(said.data)
    return {} if end is None else {"ends_at": format_instant(end)}


EVENT = Table(
    "Event", "meeting", "https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_objects_event.htm",
    (
        _owner("OwnerId", "rep"),
        _owner("CreatedById", "booked_by"),
        *_LEAD_AND_DEAL,
        Rule("Type", ("kind",), lambda value, said: {"kind": said.words.types.get(value) or value if value else None}),
        _instant_row("CreatedDate", "booked_at", "a reschedule books nothing anew"),
        Rule(
            "StartDateTime", ("starts_at",), _starts_at, "of an `IsAllDayEvent`: a day of the organisation",
            ("ActivityDateTime",),
        ),
        Rule("EndDateTime", ("ends_at",), _ends_at, also=("DurationInMinutes",)),
    ),
)  # fmt: skip


# --- Leads and opportunities ------------------------------------------------------------------------------------------


def _converted(value: Any, _said: ReadObject) -> Mapping[str, Any]:
    return {"status#1": "converted" if flag(value) else None}


def _lead_word(value: Any, said: ReadObject) -> Mapping[str, Any]:
    return {"status": said.meaning(said.words.statuses, "status", value)}


LEAD = Table(
    "Lead", "lead", "https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_objects_lead.htm",
    (
        _owner("OwnerId", "rep"),
        row("Name", "name"),
        row("Company", "company"),
        row("LeadSource", "source"),
        _instant_row("CreatedDate", "received_at"),
        Rule("Status", ("status",), _lead_word, "by `statuses`"),
        Rule("IsConverted", ("status#1",), _converted, "`status`: converted"),
        _pointer("MasterRecordId", "merged_into", LEAD_PREFIX),
        row("ConvertedAccountId", "customer", read=whole_id),
    ),
)  # fmt: skip


def _stage(value: Any, said: ReadObject) -> Mapping[str, Any]:
    entered = salesforce_instant(said.data.get("LastStageChangeDate"))
    return {"stage": value, **({} if entered is None else {"entered_stage_at": entered})}


def deal_status(data: Mapping[str, Any], said: ReadObject, *, is_whole: bool) -> str | None:
    """What a deal is: by `stages`, else by its two claims, else by the stages that every organisation begins with.

    None: it is not told. An update names of the claims only the one that changed.
    """
    stage = data.get("StageName")
    if isinstance(stage, str) and stage in said.words.stages:
        return said.words.stages[stage]
    closed, won = flag(data.get("IsClosed")), flag(data.get("IsWon"))
    found: str | None = None
    if closed is False:
        found = "open"
    elif won is True:
        found = "won"
    elif closed is True or (won is False and not is_whole):  # the latter: won no more, and closed all the same
        found = "lost"
    elif is_whole and isinstance(stage, str):
        found = STAGES.get(stage)
        if found is None:
            said.parsed.ignore_unmapped("deal", "status", stage)
    return found


OPPORTUNITY = Table(
    "Opportunity", "deal",
    "https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_objects_opportunity.htm",
    (
        _owner("OwnerId", "rep"),
        _owner("CreatedById", "creator"),
        row("Name", "name"),
        row("RecordTypeId", "pipeline", read=whole_id),
        Rule("StageName", ("stage", "entered_stage_at"), _stage, "entered at `LastStageChangeDate`"),
        _instant_row("CreatedDate", "created_at"),
        row("Amount", "amount"),
        row("CurrencyIsoCode", "currency"),
        kind_row("Type"),
        row("AccountId", "customer", read=whole_id),
    ),
)  # fmt: skip
PERSON = Table(
    "User", "rep", "https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_objects_user.htm",
    (
        row("Name", "name"),
        row("Email", "email"),
        row("IsActive", "active", read=flag),
    ),
)  # fmt: skip
OBJECTS: Mapping[str, Table] = {
    table.name: table for table in (TASK, VOICE_CALL, EMAIL, EVENT, LEAD, OPPORTUNITY, PERSON)
}

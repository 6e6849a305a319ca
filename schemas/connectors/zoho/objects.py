"""What a record of Zoho CRM says of our fields: one table per module, each with the page it comes from.

Owns Zoho's words. The values of a notification and the record of a look-up have the same members. Does not know how
either comes.
"""

import re
from collections.abc import Mapping
from typing import Any

from schemas.connectors.tables import (
    ReadObject,
    Rule,
    Table,
    id_of,
    id_row,
    instant_row,
    instant_text,
    kind_row,
    plain_text,
    row,
)
from schemas.instants import format_instant

# The pick lists that an account begins with.
CALL_RESULTS = {
    "Interested": "connected",
    "Not Interested": "connected",
    "Requested more info": "connected",
    "Requested call back": "connected",
    "No response/Busy": "no_answer",
    "Invalid number": "wrong_number",
}
LEAD_STATUSES = {
    "Not Contacted": "new",
    "Pre-Qualified": "qualified",
    "Qualified": "qualified",
    "Not Qualified": "disqualified",
    "Junk Lead": "disqualified",
    "Lost Lead": "disqualified",
}
DEAL_TYPES = {"New Business": "new", "Existing Business": "expansion"}
STAGES = {
    "qualification": "open",
    "needs analysis": "open",
    "value proposition": "open",
    "identify decision makers": "open",
    "id. decision makers": "open",
    "proposal/price quote": "open",
    "negotiation/review": "open",
    "closed won": "won",
    "closed lost": "lost",
    "closed lost to competition": "lost",
    "closed-lost to competition": "lost",
}
_LENGTH = re.compile(r"(?:([0-9]{1,4}):)?([0-9]{1,4}):([0-5][0-9])\Z")
PLANNED = ("Scheduled", "Overdue", "Cancelled")


def _call_type(value: Any, said: ReadObject) -> Mapping[str, Any]:
    """A missed call came in, and nobody answered it. One that is only planned has not happened."""
    if said.data.get("Outgoing_Call_Status") in PLANNED:
        return {"direction": None}
    word = plain_text(value).casefold() if value is not None else ""
    if word == "missed":
        return {"direction": "inbound", "outcome": "no_answer"}
    if word not in ("outbound", "inbound", ""):
        said.parsed.ignore_unmapped("call", "direction", plain_text(value))
    return {"direction": word if word in ("outbound", "inbound") else None}


def _call_start(value: Any, said: ReadObject) -> Mapping[str, Any]:
    return {"dialed_at": None if said.data.get("Outgoing_Call_Status") in PLANNED else instant_text(value)}


def _planned(value: Any, _said: ReadObject) -> Mapping[str, Any]:
    return {"direction": None, "dialed_at": None} if value in PLANNED else {}


def _call_result(value: Any, said: ReadObject) -> Mapping[str, Any]:
    """A missed call has no result, and none is needed."""
    if not value and str(said.data.get("Call_Type")).casefold() == "missed":
        return {}
    return {"outcome": said.meaning(said.words.calls, "outcome", value)}


def _talk(value: Any, said: ReadObject) -> Mapping[str, Any]:
    """The seconds, else what is written `mm:ss`: whoever edits a call changes that."""
    length = said.data.get("Call_Duration")
    if value is None and isinstance(length, str) and (found := _LENGTH.match(length.strip())) is not None:
        value = int(found[1] or 0) * 3600 + int(found[2]) * 60 + int(found[3])
    return {"talk_seconds": value}


def _number(_value: Any, said: ReadObject) -> Mapping[str, Any]:
    word = str(said.data.get("Call_Type") or "").casefold()
    return {"number": said.data.get("Dialled_Number" if word == "outbound" else "Caller_ID")} if word else {}


def _related(module: str, field: str) -> Any:
    """`What_Id` is of the module that `$se_module` names."""

    def read(value: Any, said: ReadObject) -> Mapping[str, Any]:
        named = said.data.get("$se_module")
        return {field: id_of(value)} if named == module else {field: None} if named is not None else {}

    return read


CALLS = Table(
    "Calls", "call", "https://www.zoho.com/crm/developer/docs/api/v8/calls-module.html",
    (
        id_row("Owner", "rep"),
        Rule("Call_Type", ("direction", "outcome"), _call_type, "Missed: inbound and no_answer"),
        Rule("Call_Start_Time", ("dialed_at",), _call_start),
        Rule("Outgoing_Call_Status", ("direction", "dialed_at"), _planned, "Scheduled, Overdue, Cancelled: not made"),
        Rule("Call_Duration_in_seconds", ("talk_seconds",), _talk, "else `Call_Duration`", ("Call_Duration",)),
        Rule("Dialled_Number", ("number",), _number, "outbound; else `Caller_ID`", ("Caller_ID",)),
        Rule("Call_Result", ("outcome",), _call_result, "by `outcomes`"),
        Rule("What_Id", ("deal",), _related("Deals", "deal"), "if `$se_module` is Deals"),
        Rule("What_Id", ("lead",), _related("Leads", "lead"), "if `$se_module` is Leads"),
        instant_row("Created_Time", "logged_at"),
        id_row("Created_By", "logged_by"),
    ),
)  # fmt: skip


def was_made(table: Table, said: Mapping[str, Any]) -> bool:
    """Whether a call was made that may have been planned: then it had no direction, and an update says none again."""
    status = said.get("Outgoing_Call_Status")
    return table is CALLS and bool(status) and status not in PLANNED and "Call_Type" not in said


EVENTS = Table(
    "Events", "meeting", "https://www.zoho.com/crm/developer/docs/api/v8/events-module.html",
    (
        id_row("Owner", "rep"),
        id_row("Created_By", "booked_by"),
        instant_row("Created_Time", "booked_at", "a reschedule books nothing anew"),
        instant_row("Start_DateTime", "starts_at"),
        instant_row("End_DateTime", "ends_at"),
        Rule("What_Id", ("deal",), _related("Deals", "deal"), "if `$se_module` is Deals"),
        Rule("What_Id", ("lead",), _related("Leads", "lead"), "if `$se_module` is Leads"),
    ),
)  # fmt: skip


def _lead_owner(value: Any, said: ReadObject) -> Mapping[str, Any]:
    """Of a notification the change of owner is at its instant; of a record nobody knows when it was."""
    owner = id_of(value)
    if owner is None:
        return {"rep": None, "assigned_at": None}
    return {"rep": owner, **({} if said.before is None else {"assigned_at": format_instant(said.at)})}


def _is_converted(said: ReadObject) -> bool:
    return said.data.get("$converted") is True or said.data.get("Converted__s") is True


def _converted(_value: Any, said: ReadObject) -> Mapping[str, Any]:
    return {"status#1": "converted" if _is_converted(said) else None}


def _lead_word(value: Any, said: ReadObject) -> Mapping[str, Any]:
    """A converted lead keeps the word that it had, and that says nothing any more."""
    if _is_converted(said):
        return {"status": None}
    return {"status": said.meaning(said.words.statuses, "status", value)}


LEADS = Table(
    "Leads", "lead", "https://www.zoho.com/crm/developer/docs/api/v8/get-records.html",
    (
        Rule("Owner", ("rep", "assigned_at"), _lead_owner),
        row("Full_Name", "name"),
        row("Company", "company"),
        row("Lead_Source", "source"),
        instant_row("Created_Time", "received_at"),
        Rule("Lead_Status", ("status",), _lead_word, "by `statuses`"),
        Rule("$converted", ("status#1",), _converted, "`status`: converted; or `Converted__s`", also=("Converted__s",)),
    ),
)  # fmt: skip


def status_of(stage: Any, said: ReadObject, stages: Mapping[str, str], chance: Any = None) -> str | None:
    """By `stages`, else by the account's pipelines, else by the probability, else by the labels it begins with."""
    status: str | None = said.words.stages.get(stage) if isinstance(stage, str) else None
    if status is None and isinstance(stage, str):
        status = stages.get(stage)
    if status is None and isinstance(chance, int | float) and not isinstance(chance, bool):
        status = "won" if chance == 100 else "lost" if chance == 0 else "open"
    if status is None and stage:
        status = STAGES.get(plain_text(stage).casefold())
        if status is None:
            said.parsed.ignore_unmapped("deal", "status", plain_text(stage))
    return status


def _stage(value: Any, said: ReadObject) -> Mapping[str, Any]:
    status = status_of(value, said, said.learned, said.data.get("Probability"))
    if status is None and value and said.before is not None:
        return {"stage": value}  # what it was stays, until the look-up says what the stage means
    return {"stage": value, "status": status, **({"closed_at": None} if status == "open" else {})}


DEALS = Table(
    "Deals", "deal", "https://www.zoho.com/crm/developer/docs/api/v8/get-records.html",
    (
        id_row("Owner", "rep"),
        id_row("Created_By", "creator"),
        row("Deal_Name", "name"),
        row("Pipeline", "pipeline"),
        Rule("Stage", ("stage", "entered_stage_at", "status"), _stage, "the status by `stages`, else by `Probability`"),
        Rule("Closing_Date", ("closed_at",), lambda _value, _said: {}, "as a day, of closed deals without a history"),
        instant_row("Created_Time", "created_at"),
        row("Amount", "amount"),
        row("Currency", "currency"),
        kind_row("Type"),
        row("Reason_For_Loss__s", "lost_reason"),
        id_row("Account_Name", "customer"),
    ),
)  # fmt: skip


def _mail_sent(value: Any, _said: ReadObject) -> Mapping[str, Any]:
    return {"direction": None if not isinstance(value, bool) else "outbound" if value else "inbound"}


EMAILS = Table(
    "Emails", "email", "https://www.zoho.com/crm/developer/docs/api/v8/get-email-rel-list.html",
    (
        id_row("owner", "rep"),
        row("$lead", "lead", "the lead that it was found at"),
        Rule("sent", ("direction",), _mail_sent),
        instant_row("time", "sent_at"),
        row("thread_id", "thread"),
    ),
)  # fmt: skip
USERS = Table(
    "Users", "rep", "https://www.zoho.com/crm/developer/docs/api/v8/get-users.html",
    (
        row("full_name", "name"),
        row("email", "email"),
        row("status", "active", read=lambda value: value == "active"),
    ),
)  # fmt: skip
MODULES: Mapping[str, Table] = {table.name: table for table in (CALLS, EVENTS, LEADS, DEALS, USERS)} | {
    "Meetings": EVENTS  # as newer accounts call them
}

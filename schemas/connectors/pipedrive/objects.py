"""What an object of Pipedrive says of our fields: one table per object, each with the page it comes from.

Owns Pipedrive's words and the times of activities. Does not know how events bring the objects.
"""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from schemas.connectors.tables import (
    ReadMember,
    ReadObject,
    Rule,
    Table,
    id_of,
    id_row,
    instant_row,
    instant_text,
    outcome_row,
    plain_text,
    row,
)
from schemas.instants import HOUR, MINUTE, SECOND, format_instant, parse_instant

TYPES = {"call": "call", "meeting": "meeting", "email": "email"}
"""Types of activities that every account has -> kinds of our records. Tasks, deadlines and lunches are none."""
RECORDS = ("call", "email", "meeting")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?\Z")
STATUSES = ("open", "won", "lost")


# --- Deals ------------------------------------------------------------------------------------------------------------


def _stage(value: Any, said: ReadObject) -> Mapping[str, Any]:
    """A new deal is in its stage since it was made; repeated later, without an instant, it enters nothing."""
    entered = instant_text(said.data.get("stage_change_time"))
    if entered is None and said.before is None:
        entered = instant_text(said.data.get("add_time"))
    return {"stage": value, **({} if entered is None else {"entered_stage_at": entered})}


def _status(value: Any, said: ReadObject) -> Mapping[str, Any]:
    """Won and lost are said by the status alone; what a stage is for the connection decides while it is open."""
    if value == "deleted":
        return {}
    status = value if value in STATUSES else None
    if status is None:
        if value is not None:
            said.parsed.ignore_unmapped("deal", "status", value)
        return {"status": None}
    if status == "open":
        status = said.words.stages.get(str(said.data.get("stage_id")), "open")
        return {"status": status, **({"closed_at": None} if status == "open" else {})}
    closed = said.data.get(f"{status}_time") or said.data.get("close_time")
    return {"status": status, **({} if closed is None else {"closed_at": instant_text(closed)})}


DEAL = Table(
    "deal", "deal", "https://developers.pipedrive.com/docs/api/v1/Deals",
    (
        id_row("owner_id", "rep"),
        id_row("creator_user_id", "creator"),
        row("title", "name"),
        row("pipeline_id", "pipeline"),
        Rule("stage_id", ("stage", "entered_stage_at"), _stage, "entered at `stage_change_time`, else `add_time`"),
        Rule("status", ("status", "closed_at"), _status, "closed at `won_time` or `lost_time`"),
        instant_row("add_time", "created_at"),
        row("value", "amount"),
        row("currency", "currency"),
        row("lost_reason", "lost_reason"),
        id_row("org_id", "customer"),
        row("source_lead_id", "lead", "which is converted by it"),
    ),
)  # fmt: skip


# --- Leads ------------------------------------------------------------------------------------------------------------


def _lead_owner(value: Any, said: ReadObject) -> Mapping[str, Any]:
    owner = id_of(value)
    if owner is None:
        return {"rep": None, "assigned_at": None}
    if said.before is None:
        return {"rep": owner, "assigned_at": instant_text(said.data.get("add_time"))}
    return {"rep": owner, **({"assigned_at": format_instant(said.at)} if "owner_id" in said.before else {})}


def _lead_status(value: Any, said: ReadObject) -> Mapping[str, Any]:
    """By the first label that is one of `statuses`; an archived lead by the word `archived`."""
    for label in value if isinstance(value, list) else ():
        found = said.words.statuses.get(label) if isinstance(label, str) else None
        if found is not None:
            return {"status": found}
    if said.data.get("is_archived") is True:
        return {"status": said.meaning(said.words.statuses, "status", "archived")}
    return {"status": None}


def _in_value(name: str, value: Any) -> Any:
    return value.get(name) if isinstance(value, dict) else None


LEAD = Table(
    "lead", "lead", "https://developers.pipedrive.com/docs/api/v1/Leads",
    (
        Rule("owner_id", ("rep", "assigned_at"), _lead_owner, "assigned when it changes, at first at `add_time`"),
        row("title", "name"),
        row("source_name", "source"),
        instant_row("add_time", "received_at"),
        Rule("label_ids", ("status",), _lead_status, "by `statuses`: the id of a label, or `archived`"),
        row("value", "value", read=partial(_in_value, "amount")),
        row("value", "currency", read=partial(_in_value, "currency")),
        id_row("organization_id", "customer"),
    ),
)  # fmt: skip


# --- Activities -------------------------------------------------------------------------------------------------------


def _lead(value: Any, said: ReadObject) -> Mapping[str, Any]:
    """Whom it was a touch of. Of a lead that is converted Pipedrive moves it to the deal: it was one all the same."""
    return {} if value is None and said.data.get("deal_id") is not None else {"lead": value}


_LEAD = Rule("lead_id", ("lead",), _lead, "moved to a deal it stays a touch of the lead")


def _done_at(said: ReadObject) -> str | None:
    """When a done activity happened: as it was due, unless it has no time or was done on an earlier day.

    None: this event does not tell. Webhooks leave `marked_as_done_time` out; then the event by which it was done tells
    the day, and no later edit moves it, unless it moves when the activity was due.
    """
    due, marked = _due(said.data), instant_text(said.data.get("marked_as_done_time"))
    if marked is None:
        before = said.before
        if before is None or "done" in before or "type" in before:
            marked = format_instant(said.at)
        elif "due_date" in before or "due_time" in before:
            return due if due is not None and due[:10] <= format_instant(said.at)[:10] else None
        else:
            return None
    return marked if due is None or marked[:10] < due[:10] else due


def _due(data: Mapping[str, Any]) -> str | None:
    """The day and time an activity is due, in UTC; None: it has no time."""
    day, clock = data.get("due_date"), _clock(data.get("due_time"))
    if clock is None or not isinstance(day, str) or not _DATE.match(day):
        return None
    hours, minutes, seconds = clock
    return f"{day}T{hours:02}:{minutes:02}:{seconds:02}Z"


def _clock(value: Any) -> tuple[int, int, int] | None:
    """A time of day or a duration: `HH:MM`, `HH:MM:SS`, or an object that holds one, which may be empty."""
    text = value.get("value") if isinstance(value, dict) else value
    if text is None or text == "":
        return None
    found = _TIME.match(plain_text(text))
    if found is None:
        raise ValueError("must be a time such as 15:01:00")
    return int(found[1]), int(found[2]), int(found[3] or 0)


def _touch(field: str) -> ReadMember:
    """A call or mail: done it has happened, outbound; planned, or no more done, it has not."""

    def read(value: Any, said: ReadObject) -> Mapping[str, Any]:
        if value is not True and value != 1:
            return {"direction": None, field: None}
        happened = _done_at(said)
        return {"direction": "outbound", **({} if happened is None else {field: happened})}

    return read


def _meeting_outcome(value: Any, said: ReadObject) -> Mapping[str, Any]:
    if value is not True and value != 1:
        return {"outcome": "scheduled", "starts_at": _due(said.data)}
    happened = _done_at(said)
    return {"outcome": "held", **({} if happened is None else {"starts_at": happened})}


def _meeting_end(value: Any, said: ReadObject) -> Mapping[str, Any]:
    starts_at, length = _due(said.data), _clock(value)
    if starts_at is None or length is None:
        return {"ends_at": None}
    hours, minutes, seconds = length
    return {"ends_at": format_instant(parse_instant(starts_at) + hours * HOUR + minutes * MINUTE + seconds * SECOND)}


_PAGE = "https://developers.pipedrive.com/docs/api/v1/Activities"
_DUE = "at `due_date` and `due_time`, else `marked_as_done_time`, or that if it was on an earlier day"
CALL = Table(
    "activity of type call", "call", _PAGE,
    (
        id_row("owner_id", "rep"),
        _LEAD,
        row("deal_id", "deal"),
        Rule("done", ("direction", "dialed_at"), _touch("dialed_at"), _DUE),
        outcome_row("outcome", "by `outcomes`"),
        instant_row("add_time", "logged_at"),
        id_row("creator_user_id", "logged_by"),
    ),
)  # fmt: skip
EMAIL = Table(
    "activity of type email", "email", _PAGE,
    (
        id_row("owner_id", "rep"),
        _LEAD,
        Rule("done", ("direction", "sent_at"), _touch("sent_at"), _DUE),
        instant_row("add_time", "logged_at"),
        id_row("creator_user_id", "logged_by"),
    ),
)  # fmt: skip
MEETING = Table(
    "activity of type meeting", "meeting", _PAGE,
    (
        id_row("owner_id", "rep"),
        id_row("creator_user_id", "booked_by"),
        _LEAD,
        row("deal_id", "deal"),
        row("type", "kind", "if it is another than `meeting`", lambda value: None if value == "meeting" else value),
        instant_row("add_time", "booked_at", "a reschedule books nothing anew"),
        Rule("duration", ("ends_at",), _meeting_end),
        Rule("done", ("outcome", "starts_at"), _meeting_outcome, f"held if it is, else scheduled; {_DUE}"),
    ),
)  # fmt: skip
ACTIVITIES: Mapping[str, Table] = {table.record: table for table in (CALL, EMAIL, MEETING)}


# --- Users ------------------------------------------------------------------------------------------------------------

USER = Table(
    "user", "rep", "https://developers.pipedrive.com/docs/api/v1/Users",
    (
        row("name", "name"),
        row("email", "email"),
        row("active_flag", "active"),
    ),
)  # fmt: skip
OBJECTS: Mapping[str, Table] = {"deal": DEAL, "lead": LEAD, "user": USER}
TABLES = (DEAL, LEAD, CALL, EMAIL, MEETING, USER)
"""All, for the page."""

"""What an object of Close says of our fields: one table per object, each with the page it comes from.

Owns Close's words. Does not know how events bring the objects.
"""

from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from schemas.connectors.fields import read_number
from schemas.connectors.tables import ReadObject, Rule, Table, direction_in, instant_row, instant_text, row
from schemas.connectors.words import Meanings
from schemas.instants import format_instant

# https://developer.close.com/api/resources/activities/calls.md
DISPOSITIONS = {
    "answered": "connected",
    "no-answer": "no_answer",
    "vm-answer": "voicemail",
    "vm-left": "voicemail",
    "busy": "busy",
    "blocked": "failed",
    "error": "failed",
    "abandoned": "no_answer",
}
# The statuses of leads that an organisation begins with.
STATUSES = {
    "Potential": "new",
    "Qualified": "qualified",
    "Bad Fit": "disqualified",
    "Not Interested": "disqualified",
    "Customer": "customer",
}
DEAL_STATUSES = {"active": "open", "won": "won", "lost": "lost"}
# https://developer.close.com/api/resources/activities/meetings.md
MEETING_STATUSES = {
    "upcoming": "scheduled",
    "in-progress": "scheduled",
    "completed": "scheduled",
    "canceled": "cancelled",
    "declined-by-lead": "cancelled",
    "declined-by-org": "cancelled",
}


def _outcome(said: ReadObject, words: Meanings) -> str | None:
    """By the id of the outcome; what that does not say, its name does, where the API has told it."""
    id = said.data.get("outcome_id")
    name = said.learned.get(id) if isinstance(id, str) and words.get(id) is None else None
    return said.meaning(words, "outcome", id if name is None else name)


def _call_outcome(_value: Any, said: ReadObject) -> Mapping[str, Any]:
    """By its outcome if that means something here, else by its disposition. Neither is there while a call goes on."""
    data = said.data
    outcome = _outcome(said, said.words.calls)
    if outcome is None and data.get("disposition"):
        outcome = said.meaning(said.words.calls, "outcome", data["disposition"])
    if outcome is not None:
        return {"outcome": outcome}
    if data.get("disposition") or data.get("outcome_id") or was_changed(said, "disposition", "outcome_id"):
        return {"outcome": None}
    return {}


def was_changed(said: ReadObject, *names: str) -> bool:
    """Whether the event is the change of any of these members."""
    return said.before is not None and any(name in said.before for name in names)


def _mail_status(_value: Any, said: ReadObject) -> Mapping[str, Any]:
    """A mail counts once it is sent, or came in: drafts, and what is scheduled or could not be sent, do not."""
    data = said.data
    if data.get("direction") == "outgoing" and data.get("status") != "sent":
        return {"direction": None, "sent_at": None}
    return {
        **direction_in("outgoing", "incoming", data.get("direction"), said),
        "sent_at": instant_text(data.get("date_sent")) or instant_text(data.get("date_created")),
    }


def _is_automated(_value: Any, said: ReadObject) -> Mapping[str, Any]:
    return {
        "automated": any(
            said.data.get(name) for name in ("sequence_id", "sequence_subscription_id", "bulk_email_action_id")
        )
    }


def _meeting_outcome(value: Any, said: ReadObject) -> Mapping[str, Any]:
    status = MEETING_STATUSES.get(value) if isinstance(value, str) else None
    if status is None and value is not None:
        said.parsed.ignore_unmapped(said.record, "outcome", value)
    if status == "cancelled":
        return {"outcome": status}
    return {"outcome": _outcome(said, said.words.meetings) or status}


def _attendees(value: Any, _said: ReadObject) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, list):
        raise ValueError("must be a list")
    users = [each.get("user_id") for each in value or () if isinstance(each, dict)]
    return {"attendees": [user for user in users if user is not None] or None}


def _amount(value: Any, said: ReadObject) -> Mapping[str, Any]:
    if value is None or said.data.get("value_period") not in (None, "one_time"):
        return {"amount": None}
    return {"amount": format(Decimal(read_number(value)) / 100, "f")}


def _stage(value: Any, said: ReadObject, *, status_type: str = "status_type") -> Mapping[str, Any]:
    given = said.data.get(status_type)
    found: str | None = said.words.stages.get(value) if isinstance(value, str) else None
    if found is None and given is not None:
        found = DEAL_STATUSES.get(given) if isinstance(given, str) else None
        if found is None:
            said.parsed.ignore_unmapped("deal", "status", given)
    return {"stage": value, "status": found}


def _changed_status(value: Any, said: ReadObject) -> Mapping[str, Any]:
    fields = dict(_stage(value, said, status_type="new_status_type"))
    fields["closed_at"] = format_instant(said.at) if fields["status"] in ("won", "lost") else None
    return fields


def _lead_status(value: Any, said: ReadObject, *, label: str = "status_label") -> Mapping[str, Any]:
    """By the id of the status if the connection knows it, else by its label."""
    found = said.words.statuses.get(value) if isinstance(value, str) else None
    if found is None:
        found = said.meaning(said.words.statuses, "status", said.data.get(label, value))
    return {"status": found}


CALL = Table(
    "activity.call", "call", "https://developer.close.com/api/resources/activities/calls.md",
    (
        row("user_id", "rep"),
        row("lead_id", "lead"),
        Rule("direction", ("direction",), partial(direction_in, "outbound", "inbound")),
        Rule("activity_at", ("dialed_at",), lambda value, said: {
            "dialed_at": instant_text(value) or instant_text(said.data.get("date_created"))
        }),
        Rule(
            "disposition", ("outcome",), _call_outcome,
            "unless `outcome_id` or its name is in `outcomes`; a call logged by hand without either is not connected",
        ),
        row("duration", "talk_seconds", "seconds"),
        row("phone", "number"),
        instant_row("date_created", "logged_at"),
        row("created_by", "logged_by"),
    ),
)  # fmt: skip
EMAIL = Table(
    "activity.email", "email", "https://developer.close.com/api/resources/activities/emails.md",
    (
        row("user_id", "rep"),
        row("lead_id", "lead"),
        row("contact_id", "contacts", read=lambda value: None if value is None else [value]),
        row("thread_id", "thread"),
        Rule("status", ("direction", "sent_at"), _mail_status, "with `direction` and `date_sent`; only what was sent"),
        Rule("direction", ("automated",), _is_automated, "`sequence_id` or `bulk_email_action_id` is set"),
        instant_row("date_created", "logged_at"),
    ),
)  # fmt: skip
MEETING = Table(
    "activity.meeting", "meeting", "https://developer.close.com/api/resources/activities/meetings.md",
    (
        row("user_id", "rep"),
        row("created_by", "booked_by"),
        row("lead_id", "lead"),
        Rule("attendees", ("attendees",), _attendees, "those that are users"),
        instant_row("date_created", "booked_at", "a reschedule books nothing anew"),
        instant_row("starts_at", "starts_at"),
        instant_row("ends_at", "ends_at"),
        Rule(
            "status", ("outcome",), _meeting_outcome,
            "`held` and `no_show` by `outcomes` alone (id or name): `completed` means that the time is over",
        ),
    ),
)  # fmt: skip
LEAD = Table(
    "lead", "lead", "https://developer.close.com/api/resources/leads.md",
    (
        row("name", "name"),
        row("display_name", "company"),
        instant_row("date_created", "received_at"),
        Rule("status_id", ("status",), _lead_status, "by `statuses`: id, else label"),
    ),
)  # fmt: skip
OPPORTUNITY = Table(
    "opportunity", "deal", "https://developer.close.com/api/resources/opportunities.md",
    (
        row("user_id", "rep"),
        row("created_by", "creator"),
        row("lead_id", "lead"),
        row("lead_id", "customer"),
        row("lead_name", "name"),
        row("pipeline_id", "pipeline"),
        Rule("status_id", ("stage", "entered_stage_at", "status"), _stage, "status by `stages`, else by `status_type`"),
        instant_row("date_created", "created_at"),
        Rule("value", ("amount",), _amount, "cents; not if `value_period` is not one_time"),
        row("value_currency", "currency"),
    ),
)  # fmt: skip
STATUS_CHANGE = Table(
    "activity.opportunity_status_change", "deal",
    "https://developer.close.com/api/resources/activities/opportunity-status-changes.md",
    (
        Rule("new_status_id", ("stage", "entered_stage_at", "status", "closed_at"), _changed_status),
    ),
)  # fmt: skip
LEAD_STATUS_CHANGE = Table(
    "activity.lead_status_change", "lead",
    "https://developer.close.com/api/resources/activities/lead-status-changes.md",
    (
        Rule("new_status_id", ("status",), partial(_lead_status, label="new_status_label"), "by `statuses`, as above"),
    ),
)  # fmt: skip
OBJECTS: Mapping[str, Table] = {table.name: table for table in (CALL, EMAIL, MEETING, LEAD, OPPORTUNITY)}
CHANGES: Mapping[str, tuple[Table, str]] = {
    "activity.opportunity_status_change": (STATUS_CHANGE, "opportunity_id"),
    "status_change.opportunity": (STATUS_CHANGE, "opportunity_id"),
    "activity.lead_status_change": (LEAD_STATUS_CHANGE, "lead_id"),
    "status_change.lead": (LEAD_STATUS_CHANGE, "lead_id"),
}
"""Activities that are the change of another object -> how they are read, and the member that names it."""

"""What the properties of an object of HubSpot say of our fields: one table per object, with the page it comes from.

Owns HubSpot's words. Does not know how events bring them.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.connectors.fields import MAX_TEXT, read_number
from schemas.instants import DAY, SECOND, checked, format_instant
from schemas.records import CHOICES


@dataclass(frozen=True, slots=True)
class PropertyRule:
    """What one property, or one kind of event, tells of a record."""

    said: Mapping[str, Any] = field(default_factory=dict)
    inferred: Mapping[str, Any] = field(default_factory=dict)
    """Yields to what is said outright, see the module's text."""
    unmapped: bool = False
    wins: Mapping[str, Any] = field(default_factory=dict)
    """Wins over what other properties say of the same instant."""
    follows: Mapping[str, Any] = field(default_factory=dict)
    """Yields to what other properties say of the same second; where the API is asked, that tells it better."""


PropertyReader = Callable[[str | None, int], PropertyRule]
"""Value of the property (None: cleared) and instant of the change -> what it tells. Raises ValueError."""

INFERRED_YIELDS = DAY
# A contact taken off a call and another put on it in the same save: the one put on must win.
REMOVAL_YIELDS = 1
FOLLOWING_YIELDS = SECOND
# HubSpot counts in milliseconds: what is to win over all that is said of one of them lies within it.
WINNING = 500


def _as(name: str) -> PropertyReader:
    return lambda value, _at: PropertyRule({name: value})


def _shortened(name: str) -> PropertyReader:
    """Read what people write freely: as much of it as a text may have."""
    return lambda value, _at: PropertyRule({name: value if value is None else value[:MAX_TEXT]})


def _failing(name: str) -> PropertyReader:
    """Read the status of a call, of which a failure alone says what a disposition cannot.

    COMPLETED means that the call is over, not that somebody answered.
    """

    def read(value: str | None, _at: int) -> PropertyRule:
        has_failed = value is not None and _word(value) == "FAILED"
        return PropertyRule(
            inferred={name: "failed" if has_failed else None}, unmapped=value is not None and not has_failed
        )

    return read


def _instant(name: str) -> PropertyReader:
    return lambda value, _at: PropertyRule({name: value if value is None else _instant_text(value)})


def _deciding(name: str, words: Mapping[str, str]) -> PropertyReader:
    """Read a property that speaks of this field, or has one of its voices: a word of no meaning clears that."""

    def read(value: str | None, _at: int) -> PropertyRule:
        found = None if value is None else words.get(_word(value))
        return PropertyRule({name: found}, unmapped=value is not None and found is None)

    return read


def _word(value: str) -> str:
    """HubSpot writes enumerations in either case, with blanks or underscores."""
    return value.upper().replace(" ", "_").replace("-", "_")


_MILLISECONDS = re.compile(r"-?[0-9]{1,15}")


def _instant_text(value: str) -> str:
    """Milliseconds since 1970, or an instant as it stands: HubSpot writes both."""
    return format_instant(checked(int(value) * 1000)) if _MILLISECONDS.fullmatch(value) else value


# Calls. https://developers.hubspot.com/docs/api/crm/calls
# The six dispositions every account has; those an account adds have ids of its own. "Left live message" is a word left
# with somebody else: the person called did not answer.
DISPOSITION = "hs_call_disposition"
DISPOSITIONS = {
    "F240BBAC_87C9_4F6E_BF70_924B57D47DB7": "connected",
    "73A0D17F_1163_4015_BDD5_EC830791DA20": "no_answer",
    "A4C4C377_D246_4B32_A13B_75A56A4CD0FF": "no_answer",
    "B2CF5968_551E_4856_9783_52B3DA59A7D0": "voicemail",
    "9D9162E7_6CF3_4944_BF63_4DFF82258764": "busy",
    "17B47FEE_58DE_441E_A44C_C6300D46F273": "wrong_number",
}


_DISPOSITION_LABELS = {
    "CONNECTED": "connected",
    "NO_ANSWER": "no_answer",
    "LEFT_LIVE_MESSAGE": "no_answer",
    "LEFT_VOICEMAIL": "voicemail",
    "BUSY": "busy",
    "WRONG_NUMBER": "wrong_number",
}
"""The same as they are called: an account may have made one of these anew, with an id of its own."""
_OUTCOMES = DISPOSITIONS | _DISPOSITION_LABELS


def _call_duration(value: str | None, _at: int) -> PropertyRule:
    return PropertyRule({"talk_seconds": None if value is None else str(read_number(value) / 1000)})


CALL: Mapping[str, PropertyReader] = {
    "hs_timestamp": _instant("dialed_at"),
    "hs_call_direction": _deciding("direction", {"OUTBOUND": "outbound", "INBOUND": "inbound"}),
    DISPOSITION: _deciding("outcome", _OUTCOMES),
    "hs_call_status": _failing("outcome#1"),
    "hs_call_duration": _call_duration,
    "hs_createdate": _instant("logged_at"),
    "hubspot_owner_id": _as("rep"),
}

# Emails. https://developers.hubspot.com/docs/api/crm/email
# FORWARDED_EMAIL was forwarded to HubSpot for the record: of either direction, so it counts in neither.
# A mail that is planned, under way or could not be sent is of no direction, so it counts in neither too. Once it is
# sent, a look-up says its direction anew; where there is no API to ask, it is one that we sent. What a sequence, a
# workflow or a campaign sends is nobody's work.
UNSENT = frozenset({"SCHEDULED", "SENDING", "FAILED"})
SENT = frozenset({"SENT", "BOUNCED"})


def _email_status(value: str | None, _at: int) -> PropertyRule:
    word = None if value is None else _word(value)
    if word in UNSENT:
        return PropertyRule(wins={"direction": None})
    return PropertyRule(follows={"direction": "outbound"}) if word in SENT else PropertyRule()


def _automated(*words: str) -> PropertyReader:
    """Read a property that says that no person sent it: by one of these words; without any, by whatever it says."""

    def read(value: str | None, _at: int) -> PropertyRule:
        return (
            PropertyRule({"automated": True})
            if value is not None and (not words or _word(value) in words)
            else PropertyRule()
        )

    return read


EMAIL: Mapping[str, PropertyReader] = {
    "hs_timestamp": _instant("sent_at"),
    "hs_email_direction": _deciding("direction", {"EMAIL": "outbound", "INCOMING_EMAIL": "inbound"}),
    "hs_email_status": _email_status,
    "hs_email_thread_id": _as("thread"),
    "hs_sequence_id": _automated(),
    "hs_object_source": _automated("AUTOMATION_PLATFORM"),
    "hs_createdate": _instant("logged_at"),
    "hubspot_owner_id": _as("rep"),
}

# Meetings. https://developers.hubspot.com/docs/api/crm/meetings
# `hs_timestamp` only repeats `hs_meeting_start_time`, so that alone decides the start, whatever comes first. Who booked
# it is named by a user's id (`hs_created_by_user_id`), and reps are owners, whose ids are others: a look-up knows both.
MEETING_OUTCOMES = {
    "SCHEDULED": "scheduled",
    "RESCHEDULED": "scheduled",
    "COMPLETED": "held",
    "NO_SHOW": "no_show",
    "CANCELED": "cancelled",
    "CANCELLED": "cancelled",
}
MEETING: Mapping[str, PropertyReader] = {
    "hs_meeting_start_time": _instant("starts_at"),
    "hs_meeting_end_time": _instant("ends_at"),
    "hs_createdate": _instant("booked_at"),
    "hs_meeting_outcome": _deciding("outcome", MEETING_OUTCOMES),
    "hs_activity_type": _as("kind"),
    "hubspot_owner_id": _as("rep"),
}

# Contacts and leads. https://knowledge.hubspot.com/properties/hubspots-default-contact-properties
# The lifecycle stage says how far a person has come, the lead status what became of the attempt; both speak of
# `status`. An opportunity is no customer yet.
# NEW lets the clock run again. OPEN, IN_PROGRESS, ATTEMPTED_TO_CONTACT, CONNECTED and BAD_TIMING say nothing of
# qualification. A marketing qualified lead is one that sales has yet to look at.
LIFECYCLE = {
    "SUBSCRIBER": "new",
    "LEAD": "new",
    "MARKETINGQUALIFIEDLEAD": "new",
    "SALESQUALIFIEDLEAD": "qualified",
    "OPPORTUNITY": "converted",
    "CUSTOMER": "customer",
    "EVANGELIST": "customer",
}
LEAD_STATUS = {"NEW": "new", "UNQUALIFIED": "disqualified", "OPEN_DEAL": "converted"}


def _lead_owner(value: str | None, at: int) -> PropertyRule:
    if value is None:  # `hubspot_owner_assigneddate` stays what it was: what it said of an owner is over
        return PropertyRule({"rep": None, "assigned_at": None, "assigned_at#1": None})
    return PropertyRule({"rep": value, "assigned_at": format_instant(at)})


LEAD: Mapping[str, PropertyReader] = {
    "createdate": _instant("received_at"),
    "hs_createdate": _instant("received_at#1"),
    "hubspot_owner_id": _lead_owner,
    "hubspot_owner_assigneddate": _instant("assigned_at#1"),
    "lifecyclestage": _deciding("status", LIFECYCLE),
    "hs_lead_status": _deciding("status#1", LEAD_STATUS),
    "hs_analytics_source": _as("source"),
    "hs_object_source_label": lambda value, _at: PropertyRule(inferred={"source#1": value}),
    "company": _shortened("company"),
    "hs_lead_name": _shortened("name"),
}

# Deals. https://developers.hubspot.com/docs/api/crm/deals
# Stage ids of the default pipeline that every account begins with. Stages an account adds have ids of its own, of which
# only `hs_is_closed`, `hs_is_closed_won` and `hs_is_closed_lost` say whether they are won, lost or open again.
DEFAULT_STAGES = {
    "appointmentscheduled": "open",
    "qualifiedtobuy": "open",
    "presentationscheduled": "open",
    "decisionmakerboughtin": "open",
    "contractsent": "open",
    "closedwon": "won",
    "closedlost": "lost",
}


DEAL_KINDS = {"NEWBUSINESS": "new", "EXISTINGBUSINESS": "expansion"}


def _in_stage(stages: Mapping[str, str]) -> PropertyReader:
    def read(value: str | None, at: int) -> PropertyRule:
        status = stages.get(value) if value is not None else None
        return PropertyRule({"stage": value, "status": status}, _closing(status, at))

    return read


def _deal_becomes(status: str, *, when: str, voice: str) -> PropertyReader:
    def read(value: str | None, at: int) -> PropertyRule:
        if value is None or value.lower() != when:
            return PropertyRule({voice: None})  # the other two, or the stage, say what it is instead
        return PropertyRule({voice: status}, _closing(status, at))

    return read


def _closing(status: str | None, at: int) -> dict[str, Any]:
    # HubSpot sets `closedate` itself when a deal is won or lost, and its change comes too if it is subscribed to.
    # https://knowledge.hubspot.com/object-settings/set-defaults-for-creating-deals
    return {"closed_at#1": format_instant(at)} if status in {"won", "lost"} else {}


DEAL: Mapping[str, PropertyReader] = {
    "dealstage": _in_stage(DEFAULT_STAGES),
    "hs_is_closed": _deal_becomes("open", when="false", voice="status#1"),
    "hs_is_closed_won": _deal_becomes("won", when="true", voice="status#2"),
    "hs_is_closed_lost": _deal_becomes("lost", when="true", voice="status#3"),
    "pipeline": _as("pipeline"),
    "amount": _as("amount"),
    "deal_currency_code": _as("currency"),
    "closedate": _instant("closed_at"),
    "createdate": _instant("created_at"),
    "hs_createdate": _instant("created_at#1"),
    "hubspot_owner_id": _as("rep"),
    "dealtype": _deciding("kind", DEAL_KINDS),
    "dealname": _shortened("name"),
    "closed_lost_reason": _shortened("lost_reason"),
}

OWNER = "hubspot_owner_id"
MAKER = "hs_created_by_user_id"
"""Who made a record: a user, whom only the list of owners turns into a rep."""
CALLED, CALLING = "hs_call_to_number", "hs_call_from_number"
OTHER_PARTY: Mapping[str, str] = {"OUTBOUND": CALLED, "INBOUND": CALLING}
"""Direction of a call -> the property with the other party's number: only a look-up sees both together."""
NAMES = ("firstname", "lastname")
"""Of a contact: only a look-up sees both together."""
FURTHER_PROPERTIES: Mapping[str, tuple[str, ...]] = {
    "calls": (CALLED, CALLING),
    "contacts": ("hs_merged_object_ids", *NAMES),
    "deals": ("hs_merged_object_ids", MAKER),
    "meetings": (MAKER,),
}
"""By object: what look-ups ask for beside the tables."""
PASTS = frozenset(
    {"dealstage", "hs_is_closed", "hs_is_closed_won", "hs_is_closed_lost", "amount", "hubspot_owner_id",
     "lifecyclestage", "hs_lead_status", "hs_merged_object_ids"}
)  # fmt: skip
"""Properties of which the past matters; of others the newest word is all."""


def with_words(
    kind: str,
    table: Mapping[str, PropertyReader],
    *,
    stages: Mapping[str, str],
    outcomes: Mapping[str, str],
    statuses: Mapping[str, str],
    types: Mapping[str, str],
) -> Mapping[str, PropertyReader]:
    """The same table, with what an account's own words mean: they win over those of ours.

    Stages are ids, of which case counts; of all other words it does not.
    """
    said = {_word(word): meaning for word, meaning in outcomes.items()}
    kinds = {_word(word): meaning for word, meaning in types.items()}
    own: dict[str, PropertyReader] = {}
    match kind:
        case "call" if said:
            own[DISPOSITION] = _deciding("outcome", _OUTCOMES | _allowed(said, "call", "outcome"))
        case "meeting":
            if said:
                own["hs_meeting_outcome"] = _deciding(
                    "outcome", MEETING_OUTCOMES | _allowed(said, "meeting", "outcome")
                )
            if kinds:
                own["hs_activity_type"] = lambda value, _at: PropertyRule(
                    {"kind": None if value is None else kinds.get(_word(value), value)}
                )
        case "lead" if statuses:
            words = {_word(word): meaning for word, meaning in statuses.items()}
            own["lifecyclestage"] = _deciding("status", LIFECYCLE | words)
            own["hs_lead_status"] = _deciding("status#1", LEAD_STATUS | words)
        case "deal":
            if stages:
                by_default, ours = _in_stage({**DEFAULT_STAGES, **stages}), frozenset(stages)
                # What the file says of a stage wins over what HubSpot says of the deal at the same instant.
                own["dealstage"] = lambda value, at: (
                    _winning(by_default(value, at)) if value in ours else by_default(value, at)
                )
            if kinds:
                own["dealtype"] = _deciding("kind", DEAL_KINDS | _allowed(kinds, "deal", "kind"))
    return {**table, **own} if own else table


def _allowed(words: Mapping[str, str], kind: str, field: str) -> dict[str, str]:
    return {word: meaning for word, meaning in words.items() if meaning in CHOICES[kind, field]}


def _winning(stated: PropertyRule) -> PropertyRule:
    return PropertyRule({"stage": stated.said["stage"]}, stated.inferred, wins={"status": stated.said["status"]})

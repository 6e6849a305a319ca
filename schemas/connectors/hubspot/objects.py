"""The kinds of HubSpot objects that are records of ours, under each of the names by which events call them."""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.connectors.hubspot.properties import CALL, DEAL, EMAIL, LEAD, MEETING, Reading


@dataclass(frozen=True, slots=True)
class Object:
    """A kind of HubSpot object that is one of our records."""

    kind: str
    properties: Mapping[str, Reading]
    created: str | None = None
    """Voice of the field that the creation suggests. Not so for calls and mails, which are often logged later than they
    happened."""
    prefix: str = ""


_CONTACT_OBJECT = Object("lead", LEAD, created="received_at#2")
_LEAD_OBJECT = Object("lead", LEAD, created="received_at#2", prefix="lead-")
_DEAL_OBJECT = Object("deal", DEAL, created="created_at#2")
_CALL_OBJECT = Object("call", CALL)
_EMAIL_OBJECT = Object("email", EMAIL)
_MEETING_OBJECT = Object("meeting", MEETING, created="booked_at#1")

# https://developers.hubspot.com/docs/guides/crm/understanding-the-crm (object type ids)
BY_TYPE_ID = {
    "0-1": _CONTACT_OBJECT,
    "0-3": _DEAL_OBJECT,
    "0-47": _MEETING_OBJECT,
    "0-48": _CALL_OBJECT,
    "0-49": _EMAIL_OBJECT,
    "0-136": _LEAD_OBJECT,
}
CLASSIC = {"contact": _CONTACT_OBJECT, "deal": _DEAL_OBJECT}
IN_ASSOCIATIONS = {
    "CONTACT": _CONTACT_OBJECT,
    "DEAL": _DEAL_OBJECT,
    "MEETING": _MEETING_OBJECT,
    "MEETING_EVENT": _MEETING_OBJECT,
    "CALL": _CALL_OBJECT,
    "EMAIL": _EMAIL_OBJECT,
    "LEAD": _LEAD_OBJECT,
}

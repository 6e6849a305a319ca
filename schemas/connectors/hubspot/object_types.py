"""The kinds of HubSpot objects that are records of ours, under each of the names by which events call them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from schemas.connectors.hubspot.objects import CALL, DEAL, EMAIL, LEAD, MEETING, PropertyReader, with_words
from schemas.connectors.words import CrmConnection


@dataclass(frozen=True, slots=True)
class Object:
    """A kind of HubSpot object that is one of our records."""

    name: str
    """As the addresses of the API call it."""
    kind: str
    properties: Mapping[str, PropertyReader]
    created: str | None = None
    """Voice of the field that the creation suggests. Not so for calls and mails, which are often logged later than they
    happened."""
    prefix: str = ""


_CONTACT_OBJECT = Object("contacts", "lead", LEAD, created="received_at#2")
_LEAD_OBJECT = Object("leads", "lead", LEAD, created="received_at#2", prefix="lead-")
_DEAL_OBJECT = Object("deals", "deal", DEAL, created="created_at#2")
_CALL_OBJECT = Object("calls", "call", CALL)
_EMAIL_OBJECT = Object("emails", "email", EMAIL)
_MEETING_OBJECT = Object("meetings", "meeting", MEETING, created="booked_at#1")

# https://developers.hubspot.com/docs/guides/crm/understanding-the-crm (object type ids)
BY_TYPE_ID = {
    "0-1": _CONTACT_OBJECT,
    "0-3": _DEAL_OBJECT,
    "0-47": _MEETING_OBJECT,
    "0-48": _CALL_OBJECT,
    "0-49": _EMAIL_OBJECT,
    "0-136": _LEAD_OBJECT,
}
CLASSIC = {"contact": "0-1", "deal": "0-3"}
IN_ASSOCIATIONS = {
    "CONTACT": "0-1",
    "DEAL": "0-3",
    "MEETING": "0-47",
    "MEETING_EVENT": "0-47",
    "CALL": "0-48",
    "EMAIL": "0-49",
    "LEAD": "0-136",
}
LEADS: Mapping[str, frozenset[str]] = {
    "contacts": frozenset({"0-1"}),
    "leads": frozenset({"0-136"}),
    "both": frozenset({"0-1", "0-136"}),
}
"""Which objects are leads, by the setting."""


def objects_of(connection: CrmConnection, leads: str) -> Mapping[str, Object]:
    """The objects that are records of this connection, by type id, with what its own words mean."""
    stages = {stage: said.status for stage, said in connection.stages.items() if said.status is not None}
    return {
        type_id: replace(
            found,
            properties=with_words(
                found.kind,
                found.properties,
                stages=stages,
                outcomes=connection.outcomes,
                statuses=connection.statuses,
                types=connection.types,
            ),
        )
        for type_id, found in BY_TYPE_ID.items()
        if found.kind != "lead" or type_id in LEADS[leads]
    }

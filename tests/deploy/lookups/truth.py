"""What the fake HubSpot's own database says of our records: by the contract, with no word of the connector."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from schemas.instants import parse_instant
from schemas.records import RecordChange, Value, make_change
from tests.fakes.hubspot import FakeHubSpot, Thing

KINDS = {"contacts": "lead", "calls": "call", "emails": "email", "meetings": "meeting", "deals": "deal"}
STATUSES = {
    "lead": "new", "salesqualifiedlead": "qualified", "opportunity": "converted", "customer": "customer"
}  # fmt: skip
OUTCOMES = {"f240bbac-87c9-4f6e-bf70-924b57d47db7": "connected", "73a0d17f-1163-4015-bdd5-ec830791da20": "no_answer"}
MEETINGS = {"SCHEDULED": "scheduled", "COMPLETED": "held", "NO_SHOW": "no_show", "CANCELED": "cancelled"}
DIRECTIONS = {"OUTBOUND": "outbound", "INBOUND": "inbound", "EMAIL": "outbound", "INCOMING_EMAIL": "inbound"}


def changes_of(
    crm: FakeHubSpot, now: int, only: Collection[str] | None = None, *, is_new: bool = False
) -> list[RecordChange]:
    """Every record as it is now, with the past of what has one; `only`: of these ids.

    `is_new`: of what was merged away nothing is left but where it went.
    """

    def change(kind: str, id: str, at: int, fields: Mapping[str, Value]) -> RecordChange:
        return make_change(kind=kind, id=id, changed_at=at * 1000, fields=fields, received_at=now)

    found = [
        change(
            "rep", owner.id, owner.updated,
            {
                "name": f"{owner.first} {owner.last}", "email": owner.email, "active": not owner.archived,
                "team": owner.team,
            },
        )
        for owner in crm.owners.values()
        if only is None or owner.id in only
    ]  # fmt: skip
    for object, kind in KINDS.items():
        for thing in crm.things[object].values():
            if only is not None and thing.id not in only:
                continue
            if is_new and thing.merged_into is not None:
                found.append(change(kind, thing.id, thing.modified[-1], {"merged_into": thing.merged_into}))
                continue
            for at, fields in said(object, thing):
                found.append(change(kind, thing.id, at, fields))
            if thing.archived_at is not None:
                found.append(change(kind, thing.id, thing.archived_at, {"deleted": True}))
    return found


def said(object: str, thing: Thing) -> Iterator[tuple[int, dict[str, Any]]]:
    newest = thing.modified[-1]
    match object:
        case "contacts":
            yield newest, {"received_at": us(thing.created)}
            for owner, at in thing.histories.get("hubspot_owner_id", []):
                yield at, {"rep": owner or None, "assigned_at": us(at) if owner else None}
            for stage, at in thing.histories.get("lifecyclestage", []):
                yield at, {"status": STATUSES[stage]}
            if thing.merged_into is not None:
                yield newest, {"merged_into": thing.merged_into}
        case "calls":
            yield (
                newest,
                {
                    "dialed_at": instant(thing, "hs_timestamp"),
                    "direction": DIRECTIONS[thing.get("hs_call_direction") or ""],
                    "outcome": OUTCOMES[thing.get("hs_call_disposition") or ""],
                    "talk_seconds": int(thing.get("hs_call_duration") or 0) * 1000,
                    "logged_at": us(thing.created),
                    "rep": thing.get("hubspot_owner_id"),
                    "lead": first_contact(thing),
                },
            )
        case "emails":
            is_sent = thing.get("hs_email_status") in (None, "SENT", "BOUNCED")
            yield (
                newest,
                {
                    "sent_at": instant(thing, "hs_timestamp"),
                    "direction": DIRECTIONS[thing.get("hs_email_direction") or ""] if is_sent else None,
                    "thread": thing.get("hs_email_thread_id"),
                    "logged_at": us(thing.created),
                    "rep": thing.get("hubspot_owner_id"),
                    "lead": first_contact(thing),
                    "contacts": sorted(thing.links.get("contacts", ()), key=int) or None,
                    "automated": True if thing.get("hs_sequence_id") else None,
                },
            )
        case "meetings":
            yield (
                newest,
                {
                    "starts_at": instant(thing, "hs_meeting_start_time"),
                    "ends_at": instant(thing, "hs_meeting_end_time"),
                    "booked_at": us(thing.created),
                    "outcome": MEETINGS[thing.get("hs_meeting_outcome") or ""],
                    "rep": thing.get("hubspot_owner_id"),
                    "lead": first_contact(thing),
                },
            )
        case "deals":
            yield (
                newest,
                {
                    "created_at": us(thing.created),
                    "closed_at": instant(thing, "closedate"),
                    "pipeline": thing.get("pipeline"),
                    "currency": thing.get("deal_currency_code"),
                    "rep": thing.get("hubspot_owner_id"),
                    "kind": {"newbusiness": "new", "existingbusiness": "expansion"}[thing.get("dealtype") or ""],
                    "lead": first_contact(thing),
                },
            )
            for amount, at in thing.histories.get("amount", []):
                yield at, {"amount": amount}
            for stage, at in thing.histories.get("dealstage", []):
                yield at, {"stage": stage, "entered_stage_at": us(at), "status": status(stage)}


def status(stage: str) -> str:
    return {"closedwon": "won", "closedlost": "lost", "7002": "won", "7003": "lost"}.get(stage, "open")


def first_contact(thing: Thing) -> str | None:
    return min(thing.links.get("contacts", ()), key=int, default=None)


def us(ms: int) -> int:
    return ms * 1000


def instant(thing: Thing, name: str) -> int | None:
    text = thing.get(name)
    return None if text is None else parse_instant(text)

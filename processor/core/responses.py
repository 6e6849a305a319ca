"""A lead with its touches: when the clock started, what stopped it, and what that counts for.

Owns the clock and the chain of merges as one group sees it. A lead merged away hands all it knows to the group it
points to (groups.py), so the group of a root knows every lead that ends in it, and every touch of those.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from processor.core.contributions import Contribution
from processor.core.definitions import Definitions
from processor.core.touches import touch_at
from schemas.leads import LeadClock
from schemas.records import Record


@dataclass(frozen=True, slots=True)
class LeadResult:
    """What the group of one lead says. No clock: there is no such lead (yet), or it is deleted."""

    contributions: list[Contribution]
    clock: LeadClock | None


@dataclass(frozen=True, slots=True)
class _Answer:
    at: int
    record: str
    rep: str | None


NOTHING = LeadResult([], None)


def lead_result(lead: str, facts: Mapping[str, Record], definitions: Definitions) -> LeadResult:
    """The clock of a lead, and what it counts for, from all the records that its group has heard of."""
    own = facts.get(f"lead|{lead}")
    if own is None or own.is_deleted:
        return NOTHING
    leads = {key[5:]: record for key, record in facts.items() if record.kind == "lead"}
    pointers = {id: record.get("merged_into") for id, record in leads.items()}
    root = root_of(lead, pointers)
    rep, source = definitions.person(own.get("rep")), own.get("source")
    sla = definitions.lead_response.sla(source)
    if root != lead:
        return LeadResult([], LeadClock(lead, rep, source, own.get("status"), None, None, sla=sla, merged_into=root))
    members = {id for id in leads if root_of(id, pointers) == lead}
    found: list[Contribution] = []
    assigned_at = own.get("assigned_at")
    counted_at = assigned_at if assigned_at is not None else own.get("received_at")
    if counted_at is not None:
        found.append((rep, counted_at, "leads_assigned", 1))
    living = [leads[id] for id in members if not leads[id].is_deleted]
    start_field = "assigned_at" if definitions.lead_response.start == "assigned" else "received_at"
    starts = [record.get(start_field) for record in living if record.get(start_field) is not None]
    if not starts:
        return LeadResult(found, LeadClock(lead, rep, source, own.get("status"), None, None, sla=sla))
    start = min(starts)
    answer = (
        _qualified(living, lead, rep)
        if definitions.lead_response.stop == "qualified"
        else _first_touch(facts, members, definitions)
    )
    clock = LeadClock(
        lead=lead, rep=rep, source=source, status=own.get("status"), started_at=start, due_at=start + sla, sla=sla,
        answered_at=None if answer is None else answer.at,
        touch=None if answer is None else answer.record,
        touch_rep=None if answer is None else answer.rep,
    )  # fmt: skip
    response = clock.response
    if answer is None or response is None:
        found.append((rep, start, "pending", (start, start + sla)))
    else:
        found += [(answer.rep, start, "leads_answered", 1), (answer.rep, start, "responses", response)]
        if response <= sla:
            found.append((answer.rep, start, "leads_within_sla", 1))
    return LeadResult(found, clock)


def root_of(lead: str, pointers: Mapping[str, str | None]) -> str:
    """The end of the chain of merges; in a cycle the smallest id of the cycle. An unknown lead ends it."""
    seen: dict[str, int] = {}
    current = lead
    while current not in seen:
        seen[current] = len(seen)
        following = pointers.get(current)
        if following is None:
            return current
        current = following
    return min(id for id, place in seen.items() if place >= seen[current])


def _first_touch(facts: Mapping[str, Record], members: set[str], definitions: Definitions) -> _Answer | None:
    touches = []
    for key, record in facts.items():
        if record.kind != "lead" and record.get("lead") in members:
            at = touch_at(record, definitions)
            if at is not None:
                touches.append((at, key))
    if not touches:
        return None
    at, key = min(touches)
    return _Answer(at, key, definitions.person(facts[key].get("rep")))


def _qualified(living: list[Record], lead: str, rep: str | None) -> _Answer | None:
    instants = [
        changed_at
        for record in living
        for changed_at, _, status in record.history("status")
        if status in {"qualified", "converted"}
    ]
    return _Answer(min(instants), f"lead|{lead}", rep) if instants else None

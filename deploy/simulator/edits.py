"""Edits that nobody foresaw: any field of any record takes another value of its kind. Pure."""

from typing import Any

from deploy.simulator import further
from deploy.simulator.crm import OUTCOMES, STAGES, Crm
from deploy.simulator.known import INSTANTS, KnownRecord
from schemas.instants import HOUR, MINUTE

_NEEDED = frozenset({"dialed_at", "sent_at", "received_at", "created_at", "at"})
_EDITS = dict.fromkeys(INSTANTS - {"since", "until"}, "instant") | dict.fromkeys(
    (
        "rep", "booked_by", "creator", "lead", "thread", "team", "outcome", "status", "source", "direction", "internal",
        "automated", "talk_seconds", "amount", "currency", "stage", "email", "product", "customer", "contacts",
        "attendees", "monthly_amount",
    ),
    "value",
)  # fmt: skip


def edited(crm: Crm, known: KnownRecord, at: int) -> dict[str, Any]:
    """One field of the record, or two that belong together, as somebody sets them at that instant."""
    names = [name for name in known.fields if name in _EDITS and (known.kind != "rep" or name != "kind")]
    name = crm.random.choice(names)
    if name == "status" and known.kind == "deal":
        status = crm.random.choice(("open", "won", "lost"))
        return {"status": status, "closed_at": None if status == "open" else at - crm.between(0, HOUR)}
    edit = _EDITS[name]
    if edit == "instant":
        moved = known.fields[name]
        if moved is None or crm.random.random() < 0.05:
            return {name: None if moved is not None and name not in _NEEDED else at}
        return {name: min(moved, at + 12 * HOUR) + crm.between(-20 * MINUTE, 20 * MINUTE)}
    return {name: _other_value(crm, known.kind, name)}


def _other_value(crm: Crm, kind: str, name: str) -> Any:  # noqa: PLR0911, PLR0912 - a table
    random = crm.random
    match name:
        case "rep" | "booked_by" | "creator":
            return crm.rep() if random.random() < 0.95 else None
        case "lead":
            lead = crm.leads.draw(random)
            return lead.id if lead is not None and random.random() < 0.9 else None
        case "thread":
            mail = crm.mails.draw(random)
            return mail.fields.get("thread") if mail is not None else None
        case "team":
            return random.choice(further.TEAMS[: 2 if crm.reps <= 8 else 3])
        case "outcome" if kind == "call":
            return crm.weighted(OUTCOMES)
        case "outcome":
            return crm.weighted((("held", 6), ("no_show", 2), ("cancelled", 1), ("scheduled", 1)))
        case "status":
            return random.choice(("new", "qualified", "disqualified", "converted", "customer"))
        case "source":
            return crm.weighted(further.LEAD_SOURCES)
        case "direction":
            return random.choice(("outbound", "inbound"))
        case "customer":
            return further.customer(random)
        case "contacts":
            return further.contacts(random, None)
        case "attendees":
            return [crm.rep() for _ in range(random.randint(0, 3))]
        case "monthly_amount":
            return random.randint(0, 1000)
        case "internal" | "automated":
            return random.random() < 0.5
        case "talk_seconds":
            return random.randint(0, 900)
        case "amount":
            return crm.amount()
        case "currency":
            return crm.currency()
        case "stage":
            return random.choice(STAGES)
        case "email":
            return f"sales{random.randint(1, 999)}@sales.example"
        case _:
            return random.choice(further.PRODUCTS)

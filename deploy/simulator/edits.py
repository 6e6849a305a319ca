"""Edits that nobody foresaw: any field of any record takes another value of its kind. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from deploy.simulator import further
from deploy.simulator.crm import OUTCOMES, STAGES, Crm
from deploy.simulator.known import INSTANTS, KnownRecord
from schemas.instants import HOUR, MINUTE

_NEEDED = frozenset({"dialed_at", "sent_at", "received_at", "created_at", "at"})
_MOVED = INSTANTS - {"since", "until"}


def edited(crm: Crm, known: KnownRecord, at: int) -> dict[str, Any]:
    """One field of the record, or two that belong together, as somebody sets them at that instant."""
    names = [name for name in known.fields if name in _MOVED or name in _VALUES or name == "outcome"]
    name = crm.random.choice(names)
    if name == "status" and known.kind == "deal":
        status = crm.random.choice(("open", "won", "lost"))
        return {"status": status, "closed_at": None if status == "open" else at - crm.between(0, HOUR)}
    if name in _MOVED:
        moved = known.fields[name]
        if moved is None or crm.random.random() < 0.05:
            return {name: None if moved is not None and name not in _NEEDED else at}
        return {name: min(moved, at + 12 * HOUR) + crm.between(-20 * MINUTE, 20 * MINUTE)}
    return {name: _VALUES[f"{known.kind} outcome" if name == "outcome" else name](crm)}


def _other_lead(crm: Crm) -> str | None:
    lead = crm.leads.draw(crm.random)
    return lead.id if lead is not None and crm.random.random() < 0.9 else None


_VALUES: Mapping[str, Callable[[Crm], Any]] = {
    **dict.fromkeys(("rep", "booked_by", "creator"), lambda crm: crm.rep() if crm.random.random() < 0.95 else None),
    "lead": _other_lead,
    "thread": lambda crm: None if (mail := crm.mails.draw(crm.random)) is None else mail.fields.get("thread"),
    "team": lambda crm: crm.random.choice(further.TEAMS[: 2 if crm.reps <= 8 else 3]),
    "call outcome": lambda crm: crm.weighted(OUTCOMES),
    "meeting outcome": lambda crm: crm.weighted((("held", 6), ("no_show", 2), ("cancelled", 1), ("scheduled", 1))),
    "status": lambda crm: crm.random.choice(("new", "qualified", "disqualified", "converted", "customer")),
    "source": lambda crm: crm.weighted(further.LEAD_SOURCES),
    "direction": lambda crm: crm.random.choice(("outbound", "inbound")),
    "customer": lambda crm: further.customer(crm.random),
    "contacts": lambda crm: further.contacts(crm.random, None),
    "attendees": lambda crm: [crm.rep() for _ in range(crm.random.randint(0, 3))],
    "monthly_amount": lambda crm: crm.random.randint(0, 1000),
    **dict.fromkeys(("internal", "automated"), lambda crm: crm.random.random() < 0.5),
    "talk_seconds": lambda crm: crm.random.randint(0, 900),
    "amount": Crm.amount,
    "currency": Crm.currency,
    "stage": lambda crm: crm.random.choice(STAGES),
    "email": lambda crm: f"sales{crm.random.randint(1, 999)}@sales.example",
    "product": lambda crm: crm.random.choice(further.PRODUCTS),
}
"""Field -> another value of its kind; of outcomes each kind of record has its own."""

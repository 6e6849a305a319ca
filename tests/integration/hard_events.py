"""What few records may be told of at random: leads that merge, deals that move to other leads, people who move.

Owns the events, drawn from a seed. Everything is said of everything, in no order, so that what is hard happens often.
"""

import random
from typing import Any

from deploy.simulator.known import Event
from schemas.instants import DAY, HOUR, MINUTE, format_instant
from schemas.records import CHOICES, FIELDS, FieldType

_KINDS = ("lead", "deal", "call", "email", "meeting", "subscription", "activity", "rep", "absence", "credit")
_OFTEN = {"lead": 6, "deal": 5, "call": 5, "email": 4, "meeting": 4}
_IDS = {"rep": ("r1", "r2", "r3"), "lead": tuple(f"l{number}" for number in range(12))}
_REPS = ("r1", "r2", "r3", "old-2")
_POINTERS = {
    "lead": _IDS["lead"], "merged_into": _IDS["lead"], "thread": ("t1", "t2", "t3"), "deal": ("deal1", "deal2"),
    "customer": ("c1", "c2", "c3"), "contacts": ("p1", "p2", "p3", "l1"),
}  # fmt: skip
_TEXTS = {
    "team": ("north", "south"), "source": ("demo_request", "web"), "kind": ("demo", "cost", "tool_used"),
    "stage": ("s1", "s2"),
}  # fmt: skip


def hard_events(seed: int, count: int, now: int) -> list[Event]:
    """So many events of the last forty days, most of them of the last two."""
    chance = random.Random(f"hard {seed}")
    kinds = [kind for kind in _KINDS for _ in range(_OFTEN.get(kind, 1))]
    return [_event(chance, chance.choice(kinds), now) for _ in range(count)]


def _event(chance: random.Random, kind: str, now: int) -> Event:
    ids = _IDS.get(kind) or [f"{kind}{number}" for number in range(40)]
    types = FIELDS[kind]
    names = sorted(types) if chance.random() < 0.6 else chance.sample(sorted(types), chance.randint(1, len(types)))
    changed_at = now - chance.choice([chance.randrange(2 * DAY), chance.randrange(2 * DAY), chance.randrange(40 * DAY)])
    fields = {name: _drawn(chance, kind, name, types[name], changed_at) for name in names if "#" not in name}
    event: Event = {"record": kind, "id": chance.choice(ids), "changed_at": format_instant(changed_at)}
    return event | ({"deleted": chance.random() < 0.6} if chance.random() < 0.05 else {}) | {"fields": fields}


def _drawn(chance: random.Random, kind: str, name: str, field_type: FieldType, at: int) -> Any:  # noqa: PLR0911 - a table
    # Of few leads most would be one before long.
    if chance.random() < (0.85 if name in {"merged_into", "internal", "automated"} else 0.12):
        return None
    match field_type:
        case FieldType.INSTANT:
            return format_instant(at + chance.choice([0, -MINUTE, 30 * MINUTE, -HOUR, 3 * HOUR, -DAY, 20 * DAY]))
        case FieldType.REFERENCE:
            return chance.choice(_POINTERS.get(name, _REPS))
        case FieldType.REFERENCES:
            return chance.sample(_POINTERS.get(name, _REPS), chance.randint(1, 2))
        case FieldType.DATE | FieldType.DATE_OR_INSTANT:
            return format_instant(at + chance.choice([0, -20, 5]) * DAY)[:10]
        case FieldType.CHOICE:
            return chance.choice(sorted(CHOICES[kind, name]))
        case FieldType.FLAG:
            return chance.random() < 0.5
        case FieldType.SECONDS:
            return chance.choice([0, 60, 400])
        case FieldType.DECIMAL:
            return chance.choice(["0", "100", "33.33", "0.1", "50"])
        case FieldType.CURRENCY:
            return chance.choice(["USD", "EUR", "JPY"])
        case FieldType.ATTRIBUTES:
            return {"tier": chance.choice(["gold", "tin"])}
        case _:
            return chance.choice(_TEXTS.get(name, ("x", "y")))

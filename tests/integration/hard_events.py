"""What few records may be told of at random: leads that merge, deals that move to other leads, people who move.

Owns the events, drawn from a seed. Everything is said of everything, in no order, so that what is hard happens often.
"""

import random
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from deploy.simulator.known import CrmEvent
from schemas.instants import DAY, HOUR, MINUTE, format_instant, to_datetime
from schemas.records import CHOICES, FIELDS, FieldType

_KINDS = ("lead", "deal", "call", "email", "meeting", "subscription", "activity", "rep", "absence", "credit")
_OFTEN = {"lead": 6, "deal": 5, "call": 5, "email": 4, "meeting": 4}
_REPS = ("r1", "r2", "r3", "old-2")
_FEW = 1_000
"""So many events are told of the fewest records; of more of them there are more."""
_TEXTS = {
    "team": ("north", "south"), "source": ("demo_request", "web"), "kind": ("demo", "cost", "tool_used"),
    "stage": ("s1", "s2"),
}  # fmt: skip


def hard_events(seed: int, count: int, now: int, zone: ZoneInfo) -> list[CrmEvent]:
    """So many events of the last forty days, most of them of the last two.

    Some deals that were closed lately were made within hours of the last change of the clock in `zone`.
    """
    chance, changed_at = random.Random(f"hard {seed}"), last_clock_change(zone, now)
    kinds = [kind for kind in _KINDS for _ in range(_OFTEN.get(kind, 1))]
    named = _Named(max(1, count // _FEW))
    events = [_event(chance, chance.choice(kinds), now, named) for _ in range(count)]
    for event in events:
        if event["record"] == "deal" and chance.random() < 0.3:
            made_at = changed_at + chance.choice([-DAY, -2 * HOUR, -MINUTE, 0, 30 * MINUTE, HOUR, 2 * HOUR])
            event["fields"] |= {
                "created_at": format_instant(made_at), "closed_at": format_instant(now - chance.randrange(DAY)),
                "status": "won", "merged_into": None,
            }  # fmt: skip
    return events


def last_clock_change(zone: ZoneInfo, now: int) -> int:
    """The first instant since which clocks have gone there as they do now; they must have been changed this year."""
    at = now - now % HOUR
    as_now = to_datetime(now).astimezone(zone).utcoffset()
    while to_datetime(at - 1).astimezone(zone).utcoffset() == as_now:
        at -= HOUR
        assert at > now - 366 * DAY, "clocks have not been changed there"
    return at


class _Named:
    """What there is that events may be told of, and may name."""

    def __init__(self, times: int) -> None:
        """`times`: as many as the fewest."""

        def some(prefix: str, count: int) -> list[str]:
            return [f"{prefix}{number}" for number in range(count * times)]

        leads = some("l", 12)
        self._ids = {"rep": list(_REPS[:3]), "lead": leads}
        self._others = {kind: some(kind, 40) for kind in _KINDS if kind not in self._ids}
        self._pointers = {
            "lead": leads, "merged_into": leads, "thread": some("t", 3), "deal": some("deal", 2),
            "customer": some("c", 3), "contacts": [*some("p", 3), "l1"],
        }  # fmt: skip

    def ids(self, kind: str) -> list[str]:
        """Of all records of a kind."""
        return self._ids.get(kind) or self._others[kind]

    def by(self, name: str) -> Sequence[str]:
        """What a field of that name may hold."""
        return self._pointers.get(name, _REPS)


def _event(chance: random.Random, kind: str, now: int, named: _Named) -> CrmEvent:
    types = FIELDS[kind]
    names = sorted(types) if chance.random() < 0.6 else chance.sample(sorted(types), chance.randint(1, len(types)))
    changed_at = now - chance.choice([chance.randrange(2 * DAY), chance.randrange(2 * DAY), chance.randrange(40 * DAY)])
    fields = {name: _drawn(chance, kind, name, types[name], changed_at, named) for name in names if "#" not in name}
    event: CrmEvent = {"record": kind, "id": chance.choice(named.ids(kind)), "changed_at": format_instant(changed_at)}
    return event | ({"deleted": chance.random() < 0.6} if chance.random() < 0.05 else {}) | {"fields": fields}


def _drawn(  # noqa: PLR0911 - a table
    chance: random.Random, kind: str, name: str, field_type: FieldType, at: int, named: _Named
) -> Any:
    # Of few leads most would be one before long.
    if chance.random() < (0.85 if name in {"merged_into", "internal", "automated"} else 0.12):
        return None
    match field_type:
        case FieldType.INSTANT:
            return format_instant(at + chance.choice([0, -MINUTE, 30 * MINUTE, -HOUR, 3 * HOUR, -DAY, 20 * DAY]))
        case FieldType.REFERENCE:
            return chance.choice(named.by(name))
        case FieldType.REFERENCES:
            return chance.sample(named.by(name), chance.randint(1, 2))
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

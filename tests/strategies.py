"""Hypothesis strategies: any list of record changes, over few ids and instants, so that everything collides."""

import random
from typing import Any

from hypothesis import strategies as st

from schemas.instants import DAY, HOUR, MINUTE, format_instant, parse_instant
from schemas.numbers import hide
from schemas.records import CHOICES, FIELDS, FieldType, RecordChange, make_change

NOW = parse_instant("2026-03-18T15:30:20Z")
"""23:30 in Kuala Lumpur: windows end near midnight."""

REPS = ("r1", "r2", "r3", "old-2")
LEADS = ("l1", "l2", "l3", "l4")
THREADS = ("t1", "t2")
TEAMS = ("north", "south")

_SPREAD = (-75 * 24 * HOUR, -30 * HOUR, -26 * HOUR, -8 * HOUR, -90 * MINUTE, -59 * MINUTE, -61 * MINUTE, -3 * MINUTE)

instants = st.one_of(
    st.sampled_from([NOW + offset for offset in (*_SPREAD, 0, 20 * MINUTE, 31 * MINUTE)]),
    st.integers(NOW - 3 * 24 * HOUR, NOW + HOUR),
    st.integers(NOW - 2 * HOUR, NOW),
)
changed = st.sampled_from([NOW - offset for offset in (0, 1, 1000, HOUR, 30 * HOUR, 50 * HOUR)]) | instants

POINTERS = {
    "rep": REPS, "booked_by": REPS, "creator": REPS, "lead": LEADS, "merged_into": LEADS, "thread": THREADS,
    "deal": ("d1", "d2"), "logged_by": REPS, "customer": ("c1", "c2"), "contacts": ("p1", "l1", "l2"),
    "attendees": REPS,
}  # fmt: skip
TEXTS = {
    "team": TEAMS, "source": ("demo_request", "web"), "name": ("Ana", "Ben"), "email": ("a@example.com",),
    "stage": ("s1", "s2"), "pipeline": ("p",), "product": ("x", "y"),
    "kind": ("demo", "cost"), "company": ("Acme",), "size": ("smb",), "region": ("east",), "lost_reason": ("price",),
    "role": ("ae",), "photo": ("https://example.com/a.png",), "goal": ("quota",),
}  # fmt: skip
NUMBERS = tuple(hide(number, teller, b"key") for number in ("4930111", "4930222") for teller in ("crm", "air"))
_DATES = ("2026-01-02", "2026-03-17", "2026-03-18", "2026-03-19")


def value_of(kind: str, name: str, field_type: FieldType) -> st.SearchStrategy[Any]:  # noqa: PLR0912 - a table
    """Any normalised value of a field, None among them."""
    match field_type:
        case FieldType.REFERENCE:
            found: st.SearchStrategy[Any] = st.sampled_from(POINTERS[name])
        case FieldType.REFERENCES:
            found = st.lists(st.sampled_from(POINTERS[name]), min_size=1, unique=True)
        case FieldType.DATE:
            found = st.sampled_from(_DATES)
        case FieldType.DATE_OR_INSTANT:
            found = st.sampled_from(_DATES) | instants
        case FieldType.TEXT:
            found = st.sampled_from(TEXTS[name])
        case FieldType.CHOICE:
            found = st.sampled_from(sorted(CHOICES[kind, name]))
        case FieldType.FLAG:
            found = st.booleans()
        case FieldType.INSTANT:
            found = instants
        case FieldType.SECONDS:
            found = st.sampled_from([0, 59_999_999, 60_000_000, 61_500_000])
        case FieldType.DECIMAL:
            found = st.sampled_from(["0", "100", "33.33", "48500.125", "-5"])
        case FieldType.CURRENCY:
            found = st.sampled_from(["USD", "EUR", "JPY"])
        case FieldType.ATTRIBUTES:
            found = st.sampled_from(["{}", '{"tier":"gold"}', '{"tier":3}'])
        case FieldType.PHONE:
            found = st.sampled_from(NUMBERS)
    return st.one_of(found, found, found, st.none())


@st.composite
def changes(draw: st.DrawFn, kinds: tuple[str, ...] = tuple(FIELDS)) -> RecordChange:
    """A change of any fields of any record."""
    kind = draw(st.sampled_from(kinds))
    ids = {"rep": REPS, "lead": LEADS}.get(kind, (f"{kind}1", f"{kind}2", f"{kind}3"))
    types = FIELDS[kind]
    names = draw(st.lists(st.sampled_from(sorted(types)), unique=True, max_size=len(types)))
    if draw(st.booleans()):
        names = sorted(types)
    fields = {name: draw(value_of(kind, name, types[name])) for name in names}
    if draw(st.integers(0, 5)) == 0:
        fields["deleted"] = draw(st.booleans())
    changed_at = draw(changed)
    return make_change(
        kind=kind, id=draw(st.sampled_from(ids)), changed_at=changed_at, fields=fields,
        received_at=min(max(changed_at, NOW - HOUR), NOW),  # some clocks are ahead
    )  # fmt: skip


def long_log(seed: int) -> list[RecordChange]:
    """What a CRM may have said over a hundred days until `NOW`, in the order of delivery: much of it of long before.

    Drawn from a seed alone: a log has to be long before anything in it expires, and no shrinking would keep it so.
    """
    chance = random.Random(seed)
    kinds = [kind for kind in FIELDS for _ in range(4 if kind in {"lead", "call", "email"} else 1)]
    found = [_long_ago(chance, chance.choice(kinds)) for _ in range(chance.choice([8, 30, 90]))]
    return sorted(found, key=lambda change: change.received_at)


def _long_ago(chance: random.Random, kind: str) -> RecordChange:
    ids = {"rep": REPS, "lead": LEADS}.get(kind, tuple(f"{kind}{number}" for number in range(5)))
    received_at = NOW - chance.choice([0, 1, 2, 20, 29, 30, 31, 60, 90, chance.randrange(100)]) * DAY
    received_at -= chance.choice([0, MINUTE, 13 * HOUR, chance.randrange(DAY)])
    changed_at = received_at - chance.choice([0, 0, 0, 0, 1, HOUR, 5 * DAY, 29 * DAY, 45 * DAY])
    types = FIELDS[kind]
    names = sorted(types) if chance.random() < 0.6 else chance.sample(sorted(types), chance.randint(0, len(types)))
    fields = {name: _drawn(chance, kind, name, types[name], received_at) for name in names}
    if chance.random() < 0.1:
        fields["deleted"] = chance.random() < 0.7
    return make_change(
        kind=kind, id=chance.choice(ids), changed_at=changed_at, fields=fields, received_at=received_at
    )  # fmt: skip


def _drawn(chance: random.Random, kind: str, name: str, field_type: FieldType, received_at: int) -> Any:  # noqa: PLR0911, PLR0912 - a table
    # A merge of long ago is half of what is remembered of two leads: nobody can say what the whole would be.
    if name == "merged_into" or chance.random() < (0.7 if name in {"automated", "internal"} else 0.15):
        return None
    match field_type:
        case FieldType.INSTANT:
            days = chance.choice([0, 0, 0, 0, -1, -29, -30, -31, -45, 20, 50])
            return received_at + days * DAY - chance.randrange(2 * HOUR)
        case FieldType.REFERENCE:
            return chance.choice(POINTERS[name])
        case FieldType.REFERENCES:
            return chance.sample(POINTERS[name], chance.randint(1, 2))
        case FieldType.DATE | FieldType.DATE_OR_INSTANT:
            return format_instant(received_at - chance.choice([0, 1, 29, 30, 31, -20]) * DAY)[:10]
        case FieldType.TEXT:
            return chance.choice(TEXTS[name])
        case FieldType.CHOICE:
            return chance.choice(sorted(CHOICES[kind, name]))
        case FieldType.FLAG:
            return chance.random() < 0.5
        case FieldType.SECONDS:
            return chance.choice([0, 59_999_999, 61_500_000])
        case FieldType.DECIMAL:
            return chance.choice(["0", "100", "33.33"])
        case FieldType.CURRENCY:
            return chance.choice(["USD", "EUR"])
        case FieldType.ATTRIBUTES:
            return "{}"
        case FieldType.PHONE:
            return chance.choice(NUMBERS)


def logs(kinds: tuple[str, ...] = tuple(FIELDS), most: int = 40) -> st.SearchStrategy[list[RecordChange]]:
    """What a CRM may have said, in the order of delivery."""
    return st.lists(changes(kinds), max_size=most)

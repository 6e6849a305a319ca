"""Hypothesis strategies: any list of record changes, over few ids and instants, so that everything collides."""

from typing import Any

from hypothesis import strategies as st

from schemas.instants import DAY, HOUR, MINUTE, parse_instant
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

_POINTERS = {
    "rep": REPS, "booked_by": REPS, "creator": REPS, "lead": LEADS, "merged_into": LEADS, "thread": THREADS,
    "deal": ("d1", "d2"),
}  # fmt: skip
_TEXTS = {
    "team": TEAMS, "source": ("demo_request", "web"), "name": ("Ana", "Ben"), "email": ("a@example.com",),
    "stage": ("s1", "s2"), "pipeline": ("p",), "product": ("x",), "kind": ("demo",),
}  # fmt: skip


def value_of(kind: str, name: str, field_type: FieldType) -> st.SearchStrategy[Any]:
    """Any normalised value of a field, None among them."""
    match field_type:
        case FieldType.REFERENCE:
            found: st.SearchStrategy[Any] = st.sampled_from(_POINTERS[name])
        case FieldType.TEXT:
            found = st.sampled_from(_TEXTS[name])
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
            found = st.just("{}")
    return st.one_of(found, found, found, st.none())


@st.composite
def changes(
    draw: st.DrawFn, kinds: tuple[str, ...] = tuple(FIELDS), days: tuple[int, ...] | None = None
) -> RecordChange:
    """A change of any fields of any record; with `days`, delivered on one of these days before `NOW`."""
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
    if days is not None:
        # As if all of it had happened then.
        shift = draw(st.sampled_from(days)) * DAY
        fields = {
            name: value - shift if types.get(name) is FieldType.INSTANT and isinstance(value, int) else value
            for name, value in fields.items()
        }
        return make_change(
            kind=kind, id=draw(st.sampled_from(ids)), changed_at=changed_at - shift, fields=fields,
            received_at=max(changed_at, NOW - HOUR) - shift,
        )  # fmt: skip
    return make_change(
        kind=kind, id=draw(st.sampled_from(ids)), changed_at=changed_at, fields=fields,
        received_at=max(changed_at, NOW - HOUR),
    )  # fmt: skip


def long_logs(kinds: tuple[str, ...] = tuple(FIELDS), most: int = 40) -> st.SearchStrategy[list[RecordChange]]:
    """What a CRM may have said over a quarter of a year, in the order of delivery."""
    return st.lists(changes(kinds, days=(0, 0, 1, 2, 20, 29, 30, 31, 60, 90)), max_size=most).map(
        lambda log: sorted(log, key=lambda change: change.received_at)
    )


def logs(kinds: tuple[str, ...] = tuple(FIELDS), most: int = 40) -> st.SearchStrategy[list[RecordChange]]:
    """What a CRM may have said, in the order of delivery."""
    return st.lists(changes(kinds), max_size=most)

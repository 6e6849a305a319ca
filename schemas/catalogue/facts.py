"""What `from` may name, and what each field of it means: those of records, of groups, and those made of others.

Owns the one table of derived fields: `connected`, `talk`, `conversation` (calls.py), `valued` and what else is made of
the fields of a fact, in the words of a condition.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from schemas.catalogue.calls import CONNECTED, TALK, conversation
from schemas.catalogue.conditions import (
    AtLeast,
    Condition,
    Flag,
    Is,
    Rated,
    Register,
    every,
    some,
)
from schemas.catalogue.rules import Rules
from schemas.records import CHOICES, FIELDS, NUMBER, FieldType

_T = FieldType

RECORD_FACTS = ("call", "email", "meeting", "deal", "credit", "subscription", "activity")
"""Facts that are records: the ledger counts them, from the record alone. A deleted one is no row, nor is a deal that
was merged into another: what is true of the deal that stays, its own record says."""

_MADE: Mapping[str, Mapping[str, FieldType]] = {
    "call": {"happened_at": _T.INSTANT},
    "email": {"happened_at": _T.INSTANT},
    "meeting": {"happened_at": _T.INSTANT, "people": _T.REFERENCES},
    "activity": {"happened_at": _T.INSTANT},
    "deal": {"ended_at": _T.INSTANT},
}
_RECORDS: dict[str, dict[str, FieldType]] = {kind: {**FIELDS[kind], **_MADE.get(kind, {})} for kind in RECORD_FACTS}
_RECORDS["call"].pop(NUMBER)  # nobody is served a number, nor what is counted by it
_LEAD: Mapping[str, FieldType] = {
    **FIELDS["lead"],
    "started_at": _T.INSTANT, "answered_at": _T.INSTANT, "answered_by": _T.REFERENCE, "response": _T.SECONDS,
    "due_at": _T.INSTANT, "within_sla": _T.FLAG, "coming_at": _T.INSTANT, "qualified_at": _T.INSTANT,
    "won_at": _T.INSTANT, "customer_at": _T.INSTANT, "first_cold_at": _T.INSTANT, "meeting_booked_at": _T.INSTANT,
    "deal_at": _T.INSTANT, "ended_at": _T.INSTANT,
}  # fmt: skip

GROUP_FACTS: Mapping[str, Mapping[str, FieldType]] = {
    "lead": _LEAD,
    "lead.touches": {
        "lead": _T.REFERENCE, "rep": _T.REFERENCE, "at": _T.INSTANT, "kind": _T.CHOICE, "number": _T.NUMBER,
        "cold": _T.FLAG,
    },
    "lead.deals": {
        **_RECORDS["deal"],
        "followed": _T.FLAG,
        **{f"lead.{name}": field_type for name, field_type in _LEAD.items()},
    },
    "thread.answers": {"thread": _T.REFERENCE, "rep": _T.REFERENCE, "at": _T.INSTANT},
    "thread.writers": {"thread": _T.REFERENCE, "rep": _T.REFERENCE, "at": _T.INSTANT, "replied": _T.FLAG},
    "customer.ends": {**FIELDS["subscription"], "renewed": _T.FLAG},
    "deal.stays": {**_RECORDS["deal"], "entered_at": _T.INSTANT, "left_at": _T.INSTANT},
}  # fmt: skip
"""Facts that are made of records, a row for each: of leads that are not merged away, with their first clock (instants
and durations in microseconds; `due_at` and `within_sla` by its SLA; `coming_at`: the first touch, where that is still
to come and answers nothing yet), their touches and deals; of threads; of subscriptions that end. All by groups, but for
the stays of a deal and the ends of subscriptions of nobody, which the ledger counts from the record alone."""

JOINED_FACTS: Mapping[str, Mapping[str, FieldType]] = {
    f"lead/{kind}": {**_RECORDS[kind], **{f"lead.{name}": held for name, held in _LEAD.items()}}
    for kind in RECORD_FACTS
    if "lead" in FIELDS[kind]
}
"""Records that name a lead, with the fields of that lead: its group counts them where only the lead says the label.
Nobody writes these names."""

CLOCKS = ("received", "assigned", "reassigned", "holder")
STOPS = ("attempt", "contact", "qualified")


def clock_fact(clock: str, stop: str) -> str:
    """The fact of a lead's clock by another start or stop than `lead_response` has."""
    return f"lead.clock/{clock}/{stop}"


CLOCK_NAMES = {clock_fact(clock, stop): (clock, stop) for clock in CLOCKS for stop in STOPS}
CLOCK_FACTS: Mapping[str, Mapping[str, FieldType]] = dict.fromkeys(CLOCK_NAMES, _LEAD)
"""The lead as it is by that clock: `rep`, `started_at`, `due_at`, `answered_at`, `answered_by`, `response`,
`within_sla`, `taken_at` and `coming_at` are its own. Of `holder` a row for each owner in turn. Nobody writes these
names."""

UNWRITTEN_FACTS = JOINED_FACTS.keys() | CLOCK_FACTS.keys()

REP_DAYS = "rep.days"
_OF_READER: Mapping[str, Mapping[str, FieldType]] = {
    REP_DAYS: {"rep": _T.REFERENCE, "day": _T.INSTANT, "scheduled": _T.FLAG}
}
"""People of the roster and days up to today. Whoever reads a span makes the rows: nothing of them is stored."""

FACTS: Mapping[str, Mapping[str, FieldType]] = {**_RECORDS, **GROUP_FACTS, **_OF_READER, **JOINED_FACTS, **CLOCK_FACTS}
"""Fact -> its own fields."""

_UNWRITTEN = frozenset({"due_at", "within_sla", "coming_at"})
"""Fields of a lead by which its clock is read: they are true of one SLA, and nobody writes them."""
WRITTEN: Mapping[str, Mapping[str, FieldType]] = {
    fact: {name: held for name, held in fields.items() if name.removeprefix("lead.") not in _UNWRITTEN}
    for fact, fields in FACTS.items()
}
"""The same, as far as an entry may name them."""

FIRST_OF: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("call", "happened_at"): ("ended_at", "dialed_at"),
    ("email", "happened_at"): ("sent_at",),
    ("meeting", "happened_at"): ("ends_at",),
    ("activity", "happened_at"): ("at",),
    ("meeting", "people"): ("rep", "attendees"),
}
"""(fact, field) -> the fields of which the first that is set is this one."""


def expanded(fact: str, names: Iterable[str]) -> tuple[str, ...]:
    """The fields of which the first that is set is the first that is set of these."""
    return tuple(dict.fromkeys(each for name in names for each in FIRST_OF.get((fact, name), (name,))))


@dataclass(frozen=True, slots=True)
class DerivedNumber:
    """A number made of others, and where it is more than nothing: elsewhere it is 0."""

    register: Register
    where: Condition


FLAGS: Mapping[tuple[str, str], Callable[[Rules], Condition]] = {
    ("call", "connected"): lambda _: CONNECTED,
    ("call", "conversation"): conversation,
}
"""(fact, field) -> where it is true."""

ROWS: Mapping[str, Callable[[Rules], Condition]] = {"thread.answers": lambda rules: rules.mails != "none"}
"""Fact -> where there are rows of it, if not everywhere."""

NUMBERS: Mapping[tuple[str, str], DerivedNumber] = {
    ("call", "talk"): DerivedNumber(TALK, every([CONNECTED, AtLeast(TALK, 1)])),
}

MONEY_FLAGS: Mapping[tuple[str, str], str] = {
    (fact, "valued"): "currency" for fact in ("deal", "deal.stays", "lead.deals")
}
"""(fact, field) -> the currency for which there must be a rate, on the day of the metric's instant."""

_Held = TypeVar("_Held")


def _of_joined(table: Mapping[tuple[str, str], _Held]) -> dict[tuple[str, str], _Held]:
    """What is made of the fields of a record is made of them where its lead is known too."""
    joined = {(f"lead/{fact}", name): held for (fact, name), held in table.items() if f"lead/{fact}" in JOINED_FACTS}
    return {**table, **joined}


FLAGS, NUMBERS, MONEY_FLAGS, FIRST_OF = (
    _of_joined(FLAGS),
    _of_joined(NUMBERS),
    _of_joined(MONEY_FLAGS),
    _of_joined(FIRST_OF),
)

CLOSED = some([Is("status", "won"), Is("status", "lost")])


def has_field(fact: str, name: str) -> bool:
    """Whether a fact has this field, its own or a derived one."""
    return is_attribute(fact, name) or name in fields_of_fact(fact)


@cache
def fields_of_fact(fact: str) -> Sequence[str]:
    """All of them, by name."""
    tables = (FLAGS, NUMBERS, MONEY_FLAGS)
    return sorted({*WRITTEN[fact], *(name for table in tables for owner, name in table if owner == fact)})


def flag_of(fact: str, name: str, rules: Rules, at: Register) -> Condition | None:
    """Where a flag is true; None if this is no flag."""
    made = FLAGS.get((fact, name))
    if made is not None:
        return made(rules)
    currency = MONEY_FLAGS.get((fact, name))
    if currency is not None:
        return Rated(currency, at, rules.rates)
    return Flag(name) if FACTS[fact].get(name) is FieldType.FLAG else None


def is_attribute(fact: str, name: str) -> bool:
    """Whether it is a text of the organisation's own, `attributes.NAME`."""
    head, found, inner = name.rpartition("attributes.")
    return bool(found and inner) and FACTS[fact].get(f"{head}attributes") is FieldType.ATTRIBUTES


def type_of(fact: str, name: str) -> FieldType | None:
    """Of a field that is not made of others; None where there is none."""
    return FieldType.TEXT if is_attribute(fact, name) else FACTS[fact].get(name)


_TOUCHES = ("call", "email", "meeting")
_OWNER: Mapping[str, str] = {"lead.deals": "deal", "deal.stays": "deal", "customer.ends": "subscription"}


def choices_of(fact: str, name: str) -> tuple[str, ...]:
    """The values that a field may have; none where it may be any text."""
    if (fact, name) == ("lead.touches", "kind"):
        return _TOUCHES
    if name.startswith("lead."):
        return CHOICES.get(("lead", name.removeprefix("lead.")), ())
    return CHOICES.get((_OWNER.get(fact, fact.removeprefix("lead/")), name), ())


def is_list(fact: str, name: str) -> bool:
    """Whether a field holds several ids."""
    kind = FACTS.get(fact, {}).get(name)
    return kind is FieldType.REFERENCES


PEOPLE = frozenset({"rep", "creator", "booked_by", "logged_by", "answered_by", "attendees"})
"""Fields that name persons, who may be called by several ids."""

UNIONS: Mapping[tuple[str, str], tuple[str, ...]] = {("meeting", "people"): ("rep", "attendees")}
"""(fact, field) -> the fields that hold its members together."""

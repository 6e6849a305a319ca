"""What `from` may name, and what each field of it means: those of records, of groups, and those made of others.

Owns the one table of derived fields: `connected`, `talk`, `conversation`, `valued` and what else is made of the fields
of a fact, in the words of a condition. Whoever needs one of them takes it from here, the lead clocks too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from schemas.catalogue.conditions import (
    AtLeast,
    Condition,
    Else,
    First,
    Flag,
    Gap,
    Is,
    IsSet,
    Rated,
    Register,
    every,
    opposite,
    some,
)
from schemas.catalogue.rules import Rules
from schemas.records import FIELDS, FieldType

_T = FieldType

GROUP_FACTS: Mapping[str, Mapping[str, FieldType]] = {
    "lead": {
        "rep": _T.REFERENCE, "source": _T.TEXT, "status": _T.CHOICE, "received_at": _T.INSTANT,
        "assigned_at": _T.INSTANT, "started_at": _T.INSTANT, "answered_at": _T.INSTANT, "answered_by": _T.REFERENCE,
        "response": _T.SECONDS, "due_at": _T.INSTANT, "within_sla": _T.FLAG, "coming_at": _T.INSTANT,
    },
    "thread.answers": {"thread": _T.REFERENCE, "rep": _T.REFERENCE, "at": _T.INSTANT},
}  # fmt: skip
"""Facts that a group makes of its records: a row for each lead that is not merged away, with its first clock (instants
and durations in microseconds; `due_at` and `within_sla` by its SLA; `coming_at`: the first touch, where that is still
to come and answers nothing yet), and for each first answer of a day."""

RECORD_FACTS = ("call", "email", "meeting", "deal", "activity")
"""Facts that are records: the ledger counts them, from the record alone. A deleted one is no row, nor is a deal that
was merged into another: what is true of the deal that stays, its own record says."""

FACTS: Mapping[str, Mapping[str, FieldType]] = {**{kind: FIELDS[kind] for kind in RECORD_FACTS}, **GROUP_FACTS}
"""Fact -> its own fields."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number made of others, and where it is more than nothing: elsewhere it is 0."""

    register: Register
    where: Condition


_CONNECTED = some([Is("outcome", "connected"), every([opposite(IsSet(("outcome",))), IsSet(("answered_at",))])])
_TALK = Else(Gap(First(("answered_at",)), First(("ended_at",)), is_clipped=True), First(("talk_seconds",)))


def _conversation(rules: Rules) -> Condition:
    talk = True if rules.min_talk <= 0 else AtLeast(_TALK, rules.min_talk)
    direction = {"both": True, "none": False}.get(rules.calls, Is("direction", rules.calls))
    return every([_CONNECTED, talk, direction, opposite(Flag("automated"))])


FLAGS: Mapping[tuple[str, str], Callable[[Rules], Condition]] = {
    ("call", "connected"): lambda _: _CONNECTED,
    ("call", "conversation"): _conversation,
}
"""(fact, field) -> where it is true."""

ROWS: Mapping[str, Callable[[Rules], Condition]] = {"thread.answers": lambda rules: rules.mails != "none"}
"""Fact -> where there are rows of it, if not everywhere."""

NUMBERS: Mapping[tuple[str, str], Number] = {
    ("call", "talk"): Number(_TALK, every([_CONNECTED, AtLeast(_TALK, 1)])),
}

MONEY_FLAGS: Mapping[tuple[str, str], str] = {("deal", "valued"): "currency"}
"""(fact, field) -> the currency for which there must be a rate, on the day of the metric's instant."""

CLOSED = some([Is("status", "won"), Is("status", "lost")])


def has_field(fact: str, name: str) -> bool:
    """Whether a fact has this field, its own or a derived one."""
    place = (fact, name)
    return name in FACTS[fact] or place in FLAGS or place in NUMBERS or place in MONEY_FLAGS


def fields_of_fact(fact: str) -> list[str]:
    """All of them, by name."""
    tables = (FLAGS, NUMBERS, MONEY_FLAGS)
    return sorted({*FACTS[fact], *(name for table in tables for owner, name in table if owner == fact)})


def flag_of(fact: str, name: str, rules: Rules, at: First) -> Condition | None:
    """Where a flag is true; None if this is no flag."""
    made = FLAGS.get((fact, name))
    if made is not None:
        return made(rules)
    currency = MONEY_FLAGS.get((fact, name))
    if currency is not None:
        return Rated(currency, at, rules.rates)
    return Flag(name) if FACTS[fact].get(name) is FieldType.FLAG else None

"""Answers within a time, whatever the SLA is, and leads that were missed: what `response` says of both.

A lead that waits is held with the instant at which its time is over. One whose first touch is still to come waits until
then, for its rep; the answer counts for whom answers count for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from schemas.catalogue.amounts import total
from schemas.catalogue.base import Exact, Reading, ShownReader
from schemas.catalogue.conditions import (
    AtLeast,
    Condition,
    Decimals,
    First,
    Flag,
    Gap,
    IsSet,
    Later,
    Rated,
    Register,
    every,
    opposite,
    some,
)
from schemas.catalogue.facts import CLOCK_NAMES, FACTS
from schemas.catalogue.plan import Form, Measure, Part, Waiting
from schemas.catalogue.rules import Rules
from schemas.catalogue.where import EntryError
from schemas.documents.errors import suggestion
from schemas.panes import Pane
from schemas.records import FIELDS, FieldType

_START = First(("started_at",))
_COMING = First(("coming_at",))
_RESPONSE = First(("response",))
_NONE: Mapping[Any, int] = {}


_TAKEN = First(("taken_at",))


def is_theirs(fact: str, over_at: Register) -> Condition:
    """Whether a lead without an answer was not taken away from its owner before their time was over: `holder` alone."""
    if CLOCK_NAMES.get(fact, ("",))[0] != "holder":
        return True
    return some([opposite(IsSet(("taken_at",))), AtLeast(Gap(over_at, _TAKEN, is_clipped=False), 0)])


def in_time_reader(
    fact: str, unit: str, stat: str, term: int | None, value: str | None, rules: Rules
) -> "TermReader":  # fmt: skip
    """What counts answers by a time (None: each lead's SLA), and reads it. Raises EntryError."""
    is_answered, is_coming = IsSet(("response",)), IsSet(("coming_at",))
    over_at: Register = First(("due_at",)) if term is None else Later(_START, term)
    in_time: Condition = Flag("within_sla") if term is None else opposite(AtLeast(_RESPONSE, term + 1))
    is_open = every([opposite(some([is_answered, is_coming])), is_theirs(fact, over_at)])
    parts: tuple[Part, ...]
    if stat == "within":
        by = ("answered_by",) if rules.credit == "sender" else ("rep",)
        parts = (
            Part(fact, is_answered, _START, by, Form.COUNT),
            Part(fact, every([is_answered, in_time]), _START, by, Form.COUNT),
            Part(fact, is_open, _START, ("rep",), Form.PENDING, (_START, over_at)),
            Part(fact, is_coming, _START, ("rep",), Form.PENDING, (_START, over_at, _COMING)),
            Part(
                fact, every([is_coming, IsSet(("started_at",))]), _START, by, Form.PENDING, (_START, over_at, _COMING)
            ),
        )
        return TermReader(unit, stat, tuple(Measure((part,)) for part in parts))
    missed = every([is_answered, opposite(in_time)])
    if value is None:
        parts = (
            Part(fact, missed, _START, ("rep",), Form.COUNT),
            Part(fact, is_open, _START, ("rep",), Form.PENDING, (_START, over_at)),
            Part(fact, is_coming, _START, ("rep",), Form.PENDING, (_START, over_at, _COMING)),
        )
        return TermReader(unit, stat, tuple(Measure((part,)) for part in parts))
    if FACTS[fact].get(value) is not FieldType.DECIMAL:
        numbers = [name for name, held in FIELDS["lead"].items() if held is FieldType.DECIMAL]
        raise EntryError(("value",), f"lead has no number {value}{suggestion(value, numbers)}")
    money = Decimals(value, None, "currency", rules.rates) if unit == "money" else Decimals(value)
    rated = Rated("currency", _START, rules.rates) if unit == "money" else True
    # One that waits for a time is missed once that is over, whether or not it is answered then.
    waits = every([rated, opposite(is_answered), is_theirs(fact, over_at)])
    parts = (
        Part(fact, every([missed, rated]), _START, ("rep",), Form.DECIMAL, money),
        Part(fact, waits, _START, ("rep",), Form.PENDING_DECIMAL, Waiting(over_at, _COMING, money)),
    )
    return TermReader(unit, stat, tuple(Measure((part,)) for part in parts))


@dataclass(frozen=True, slots=True)
class TermReader(ShownReader):
    """Reads `within` and `missed`."""

    stat: str
    measures: Sequence[Measure]

    def exact(self, pane: Pane, reading: Reading) -> Exact:
        now = reading.now
        cells = [measure.name for measure in self.measures]
        if self.stat == "within":
            in_time, size = _within(cells, pane, now)
            return Fraction(in_time, size) if size else None
        if len(cells) == 3:
            coming = pane.get(cells[2], _NONE).items()
            late: int = sum(number for (_, over_at, at), number in coming if over_at <= now and at > over_at)
            return int(pane.get(cells[0], 0)) + _over(pane.get(cells[1], _NONE), now) + late
        parts: dict[int, int] = dict(pane.get(cells[0], _NONE))
        for (over_at, at, key), amount in pane.get(cells[1], _NONE).items():
            if over_at <= now and at > over_at:
                parts[key] = parts.get(key, 0) + amount
        return total(parts)

    def sample(self, pane: Pane, reading: Reading) -> Exact:
        if self.stat == "within":
            return _within([measure.name for measure in self.measures], pane, reading.now)[1]
        return self.exact(pane, reading)


def _within(cells: Sequence[int], pane: Pane, now: int) -> tuple[int, int]:
    """How many were answered in time, of how many that were answered or are as old as that."""
    come = [(key, number) for key, number in pane.get(cells[4], _NONE).items() if key[2] <= now]
    answered = int(pane.get(cells[0], 0)) + sum(number for _, number in come)
    in_time = int(pane.get(cells[1], 0)) + sum(number for (_, over_at, at), number in come if at <= over_at)
    return in_time, answered + _over(pane.get(cells[2], _NONE), now) + _waiting(pane.get(cells[3], _NONE), now)


def _over(pending: Mapping[Any, int], now: int) -> int:
    """How many of those that wait have no time left."""
    return sum(number for key, number in pending.items() if key[1] <= now)


def _waiting(pending: Mapping[Any, int], now: int) -> int:
    """The same of those that wait for a touch that is to come."""
    return sum(number for (_, over_at, at), number in pending.items() if over_at <= now < at)

"""Type `simple`: rows of one fact that meet a condition, counted or summed up. Nothing happened: 0."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from pydantic import Field

from schemas.catalogue.amounts import total
from schemas.catalogue.base import Entry, Reading, References, Result, Unit, in_unit, shown
from schemas.catalogue.conditions import Condition, Decimals, First, Rated, every, opposite
from schemas.catalogue.counted import Names, condition_of, credit_of, facts_of, instant_of, value_of
from schemas.catalogue.plan import Form, Measure, Part
from schemas.catalogue.rules import Rules
from schemas.catalogue.where import EntryError
from schemas.documents.values import Model
from schemas.panes import Pane


class Counting(Model):
    """What is counted: of which facts, when and for whom."""

    from_: Names = Field(alias="from")
    where: dict[str, Any] = Field(default_factory=dict)
    at: Names
    credit: Names
    agg: Literal["count", "sum"]
    value: str | None = None

    def narrowed(self, more: dict[str, Any]) -> "Counting":
        """The same with another condition added to its own."""
        where = {**self.where, **more}
        if self.where.keys() & more.keys():
            where = {"not": {"any": [{"not": self.where}, {"not": more}]}}
        return self.model_copy(update={"where": where})


class Simple(Entry, Counting):
    """An entry that counts by itself."""

    type: Literal["simple"]

    def bind(self, catalogue: References) -> "SimpleReader":
        """Raises EntryError."""
        return reader_of(self, self.unit, catalogue.rules)


class Inner(Counting):
    """What a part of a ratio counts, written in its place."""

    unit: Unit = "count"


@dataclass(frozen=True, slots=True)
class SimpleReader:
    """Reads one cell."""

    unit: str
    measure: Measure
    left_out: Measure | None
    """How many rows are left out because there is no rate for their money."""
    cell: int
    form: Form

    @property
    def measures(self) -> Sequence[Measure]:
        return (self.measure,) if self.left_out is None else (self.measure, self.left_out)

    @property
    def begins_at_zero(self) -> bool:
        return True

    def exact(self, pane: Pane, reading: Reading) -> int | Fraction:
        held = pane.get(self.cell, 0)
        if isinstance(held, int):
            return held
        whole = total(held)
        return in_unit(whole, self.unit) if isinstance(whole, int) and self.form is Form.NUMBER else whole

    def result(self, pane: Pane, reading: Reading) -> Result:
        return Result(shown(self.exact(pane, reading), self.unit, reading))


def reader_of(counting: Counting, unit: str, rules: Rules) -> SimpleReader:
    """What counts this, and reads it. Raises EntryError."""
    counted: list[Part] = []
    left_out: list[Part] = []
    for fact in facts_of(counting.from_):
        at = instant_of(fact, counting.from_, counting.at)
        if at is None:
            continue  # of this kind nothing ever happens then
        when = condition_of(fact, counting.from_, counting.where, at, rules)
        credit = credit_of(fact, counting.from_, counting.credit)
        form, value, where = _added(counting, fact, unit, at, rules)
        counted.append(Part(fact, every([when, where]), at, credit, form, value))
        if isinstance(value, Decimals) and value.currency is not None:
            left_out.append(Part(fact, every([when, opposite(where)]), at, credit, Form.COUNT))
    if len({part.form for part in counted}) != 1:
        raise EntryError(("value",), "is not the same kind of number in all of from")
    measure = Measure(tuple(counted))
    return SimpleReader(unit, measure, Measure(tuple(left_out)) if left_out else None, measure.name, measure.form)


def _added(counting: Counting, fact: str, unit: str, at: First, rules: Rules) -> tuple[Form, Any, Condition]:
    """What is added, and where there is anything to add."""
    if counting.agg == "count":
        if counting.value is not None:
            raise EntryError(("value",), "is only for agg sum")
        return Form.COUNT, (), True
    if counting.value is None:
        raise EntryError(("value",), "is missing: agg sum needs a field")
    form, value, where = value_of(fact, counting.from_, counting.value)
    if unit != "money":
        return form, value, where
    if not isinstance(value, Decimals):
        raise EntryError(("value",), "is no money")
    money = Decimals(value.field, value.less, "currency", rules.rates)
    return form, money, every([where, Rated("currency", at, rules.rates)])

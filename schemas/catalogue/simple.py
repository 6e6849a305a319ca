"""Type `simple`: rows of one fact that meet a condition, counted or summed up. Nothing happened: 0.

What `distinct` and `days` read is in distinct.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, Self, cast

from pydantic import Field

from schemas.catalogue.amounts import total
from schemas.catalogue.base import Entry, MetricReader, Reading, References, ShownReader, Unit, check_dimension, in_unit
from schemas.catalogue.conditions import Condition, Decimals, Rated, Register, every, opposite
from schemas.catalogue.counted import (
    NameOrNames,
    condition_of,
    counted_instant,
    counted_value,
    credit_of,
    facts_named,
    ids_of,
    listed,
)
from schemas.catalogue.distinct import AMOUNT, DISTINCT_KEYS, DistinctReader, PeopleReader, keep_of
from schemas.catalogue.facts import FACTS, REP_DAYS, is_list
from schemas.catalogue.plan import Form, Ids, Kind, Measure, Part
from schemas.catalogue.rough import Rough, TotalsOf, rough_total
from schemas.catalogue.rules import Rules
from schemas.catalogue.where import EntryError
from schemas.documents.values import Model
from schemas.panes import Pane
from schemas.records import FieldType

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Counting(Model):
    """What is counted: of which facts, when and for whom."""

    from_: NameOrNames = Field(alias="from")
    where: dict[str, Any] = Field(default_factory=dict)
    at: NameOrNames
    credit: NameOrNames = Field(default_factory=list)
    """Left out: it counts for the organisation alone."""
    agg: Literal["count", "sum", "distinct", "days"]
    value: str | None = None
    of: NameOrNames | None = None
    at_least: str | int | None = None
    keep: str | None = None
    by: list[str] = Field(default_factory=list, max_length=20)

    def narrowed(self, more: dict[str, Any]) -> Self:
        """The same with another condition added to its own."""
        where = {**self.where, **more}
        if self.where.keys() & more.keys():
            where = {"not": {"any": [{"not": self.where}, {"not": more}]}}
        return self.model_copy(update={"where": where})


class Simple(Entry, Counting):
    """An entry that counts by itself."""

    type: Literal["simple"]

    @property
    def is_additive(self) -> bool:
        """Whether the numbers of several teams may be added up: not where one thing may count in two of them."""
        return self.agg in {"count", "sum"}

    def bind(self, catalogue: References) -> MetricReader:
        """Raises EntryError."""
        return reader_of(self, self.unit, catalogue)


class Inner(Counting):
    """What a part of another metric counts, written in its place."""

    type: Literal["simple"] = "simple"
    unit: Unit = "count"


@dataclass(frozen=True, slots=True)
class SimpleReader(ShownReader):
    """Reads one cell."""

    measure: Measure
    left_out: Measure | None
    """How many rows are left out because there is no rate for their money."""
    cell: int
    form: Form

    @property
    def measures(self) -> Sequence[Measure]:
        return (self.measure,) if self.left_out is None else (self.measure, self.left_out)

    def exact(self, pane: Pane, reading: Reading) -> int | Fraction:
        held = pane.get(self.cell, 0)
        if isinstance(held, int):
            return held
        whole = total(held)
        return in_unit(whole, self.unit) if isinstance(whole, int) and self.form is Form.NUMBER else whole

    def rough(self, totals: TotalsOf, size: int) -> Rough | None:
        return rough_total(totals(self.cell), size)


@dataclass(frozen=True, slots=True)
class SumReader(ShownReader):
    """Adds up what several say of rows that differ."""

    readers: Sequence[SimpleReader]

    @property
    def measures(self) -> Sequence[Measure]:
        return tuple(measure for reader in self.readers for measure in reader.measures)

    def exact(self, pane: Pane, reading: Reading) -> int | Fraction:
        return sum((reader.exact(pane, reading) for reader in self.readers), start=0)

    def rough(self, totals: TotalsOf, size: int) -> Rough | None:
        parts: dict[int | None, NDArray[Any]] = {}
        for reader in self.readers:
            for key, amounts in totals(reader.cell).items():
                parts[key] = parts.get(key, 0) + amounts.astype("int64")
        return rough_total(parts, size)


def reader_of(counting: Counting, unit: str, catalogue: References, name: str | None = None) -> MetricReader:
    """What counts this, and reads it. `name`: of the metric that it is a part of. Raises EntryError."""
    for setting in DISTINCT_KEYS:
        if getattr(counting, setting) is not None and counting.agg != "distinct":
            raise EntryError((setting,), "is only for agg distinct")
    if counting.value is not None and counting.agg != "sum":
        raise EntryError(("value",), "is only for agg sum")
    check_unit(unit, counting.agg)
    apart = _apart(counting, catalogue)
    if apart:
        return SumReader(unit, tuple(cast(SimpleReader, reader_of(part, unit, catalogue, name)) for part in apart))
    check_dimension(catalogue.narrowing, counting.by, name or "what stands in place")
    counted: list[Part] = []
    left_out: list[Part] = []
    for fact in catalogue.narrowing.facts(facts_named(counting.from_)):
        at = counted_instant(fact, counting.from_, counting.at)
        if at is None:
            continue  # of this kind nothing ever happens then
        when = condition_of(fact, counting.from_, counting.where, at, catalogue.rules, catalogue.narrowing)
        credit = credit_of(fact, counting.from_, counting.credit)
        form, value, where = _added(counting, fact, unit, at, catalogue.rules)
        if counting.agg == "distinct" and value is None:
            continue
        counted.append(Part(fact, every([when, where]), at, credit, form, value))
        if isinstance(value, Decimals) and value.currency is not None:
            left_out.append(Part(fact, every([when, opposite(where)]), at, credit, Form.COUNT))
    if not counted:
        raise EntryError(("from",), f"none of {', '.join(listed(counting.from_))} has what at and of name")
    if len({part.form for part in counted}) != 1:
        raise EntryError(("value",), "is not the same kind of number in all of from")
    if _are_those_credited(counting, counted):
        people = tuple(replace(part, form=Form.COUNT, value=()) for part in counted)
        return PeopleReader(unit, Measure(people, Kind.DAYS, keep_of(counting.keep)))
    if counting.agg in {"distinct", "days"}:
        kind = Kind.DAYS if counting.agg == "days" else Kind.SUM
        is_kept = counting.agg == "distinct" and counting.from_ not in (REP_DAYS, [REP_DAYS])
        measure = Measure(tuple(counted), kind, keep_of(counting.keep) if is_kept else None)
        return DistinctReader(unit, measure, AMOUNT if counting.at_least is None else _whole(counting.at_least))
    measure = Measure(tuple(counted))
    return SimpleReader(unit, measure, Measure(tuple(left_out)) if left_out else None, measure.name, measure.form)


def _apart(counting: Counting, catalogue: References) -> list[Counting]:
    """The same for each of several values of a field that has a fixed set of them, where one list says which.

    What counts won and lost deals, shares its cells with what counts either of them. Versions have to count alike.
    """
    narrowing, facts = catalogue.narrowing, facts_named(counting.from_)
    if counting.agg not in {"count", "sum"} or not (narrowing.since is None is narrowing.until):
        return []
    lists = [name for name, value in counting.where.items() if isinstance(value, list) and len(value) > 1]
    if len(lists) != 1 or any(FACTS[fact].get(lists[0]) is not FieldType.CHOICE for fact in facts):
        return []
    values = [*dict.fromkeys(value for value in counting.where[lists[0]] if isinstance(value, str))]
    if len(values) < len(counting.where[lists[0]]):
        return []  # what is wrong with it is said where it is read
    return [counting.model_copy(update={"where": {**counting.where, lists[0]: value}}) for value in values]


def _are_those_credited(counting: Counting, counted: Sequence[Part]) -> bool:
    """Whether the ids to count are the people for whom each row counts, one for each row."""
    return (
        counting.agg == "distinct"
        and counting.at_least is None
        and counting.from_ not in (REP_DAYS, [REP_DAYS])
        and all(
            isinstance(part.value, Ids)
            and part.value.are_people is True
            and part.value.fields == part.credit
            and not any(not isinstance(name, str) or is_list(part.fact, name) for name in part.credit)
            for part in counted
        )
    )


def check_unit(unit: str, agg: str) -> None:
    """Raise EntryError where something is counted and not called a number of things."""
    if agg != "sum" and unit in {"money", "ratio"}:
        what = "money is summed up, with agg sum and value" if unit == "money" else "a share is divided, by type ratio"
        raise EntryError(("unit",), f"is {unit}, but agg {agg} counts: {what}")


def _whole(number: str | int) -> int:
    if not str(number).isdecimal() or not int(number):
        raise EntryError(("at_least",), "must be a whole number above 0")
    return int(number)


def _added(counting: Counting, fact: str, unit: str, at: Register, rules: Rules) -> tuple[Form, Any, Condition]:
    """What is added, and where there is anything to add."""
    if counting.agg in {"count", "days"}:
        return Form.COUNT, (), True
    if counting.agg == "distinct":
        if counting.of is None:
            raise EntryError(("of",), "is missing: agg distinct needs ids")
        return Form.ID, ids_of(fact, counting.from_, counting.of), True
    if counting.value is None:
        raise EntryError(("value",), "is missing: agg sum needs a field")
    return added_value(counting.from_, counting.value, fact, unit, at, rules)


def added_value(
    from_: NameOrNames,
    value: str,
    fact: str,
    unit: str,
    at: Register,
    rules: Rules,
    *,
    rated_at: Register | None = None,
) -> tuple[Form, Any, Condition]:
    """The number that `value` names, in the organisation's currency where it is money; and where there is one."""
    form, number, where = counted_value(fact, from_, value)
    if unit != "money":
        return form, number, where
    if not isinstance(number, Decimals):
        raise EntryError(("value",), "is no money")
    money = Decimals(number.field, number.less, "currency", rules.rates, rated_at)
    return form, money, every([where, Rated("currency", rated_at or at, rules.rates)])

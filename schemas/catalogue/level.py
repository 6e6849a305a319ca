"""Type `level`: how much there is at the end of a window, or what share of what was there is there still.

A row adds its value at its start and takes it away at its end, and stands in the standing pane while both do not
cancel. Whoever merges panes puts into the cell what there is at the end of the span (schemas/levels.py); here that is
read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from pydantic import Field

from schemas.catalogue.amounts import total
from schemas.catalogue.base import Entry, Exact, Reading, References, ShownReader, check_dimension, check_share, in_unit
from schemas.catalogue.conditions import AtLeast, Condition, Decimals, First, Gap, IsSet, every, opposite
from schemas.catalogue.counted import NameOrNames, condition_of, counted_instant, credit_of, ids_of, stored_facts
from schemas.catalogue.distinct import number_of_ids
from schemas.catalogue.plan import Form, Kind, Measure, Part
from schemas.catalogue.simple import added_value, check_unit
from schemas.catalogue.where import EntryError
from schemas.panes import Pane, opening_of

_NONE: Mapping[Any, int] = {}


class Level(Entry):
    """What began and has not ended: counted, summed up, or different ids."""

    type: Literal["level"]
    from_: NameOrNames = Field(alias="from")
    where: dict[str, Any] = Field(default_factory=dict)
    start: NameOrNames = Field(default_factory=list)
    end: NameOrNames = Field(default_factory=list)
    credit: NameOrNames = Field(default_factory=list)
    """Left out: it counts for the organisation alone."""
    agg: Literal["count", "sum", "distinct"]
    value: str | None = None
    of: NameOrNames | None = None
    stat: Literal["end", "kept"] = "end"
    by: list[str] = Field(default_factory=list, max_length=20)

    @property
    def is_additive(self) -> bool:
        """Whether the numbers of several teams may be added up."""
        return self.agg in {"count", "sum"}

    def bind(self, catalogue: References) -> "LevelReader":
        """Raises EntryError."""
        for setting, agg in (("value", "sum"), ("of", "distinct")):
            if getattr(self, setting) is None and self.agg == agg:
                raise EntryError((setting,), f"is missing: agg {agg} needs it")
            if getattr(self, setting) is not None and self.agg != agg:
                raise EntryError((setting,), f"is only for agg {agg}")
        if self.stat == "kept":
            if self.agg != "distinct":
                raise EntryError(("stat",), "kept needs agg distinct")
            check_share(self.unit, "stat kept")
        else:
            check_unit(self.unit, self.agg)
        if catalogue.narrowing.since is not None or catalogue.narrowing.until is not None:
            raise EntryError(("type",), "a level has no versions: give them to its parts")
        check_dimension(catalogue.narrowing, self.by, self.label)
        parts: list[Part] = []
        left_out: list[Part] = []
        for fact in catalogue.narrowing.facts(stored_facts(self.from_)):
            parts += self._parts(fact, catalogue, left_out)
        if not parts or len({part.form for part in parts}) != 1:
            raise EntryError(("value",), "is not the same kind of number in all of from")
        measure = Measure(tuple(parts), Kind.LEVEL)
        counted = Measure(tuple(left_out), Kind.LEVEL) if left_out else None
        return LevelReader(self.unit, self.stat, measure, counted)

    def _parts(self, fact: str, catalogue: References, left_out: list[Part]) -> list[Part]:
        rules = catalogue.rules
        start = counted_instant(fact, self.from_, self.start, "start") if self.start else None
        end = counted_instant(fact, self.from_, self.end, "end") if self.end else None
        at = First((*(start.fields if start else ()), *(end.fields if end else ())))
        if not at.fields:
            raise EntryError(("start",), f"{fact} has neither a start nor an end")
        when = condition_of(fact, self.from_, self.where, at, rules, catalogue.narrowing)
        if start is not None and end is not None:
            is_over = opposite(AtLeast(Gap(start, end, is_clipped=False), 1))
            when = every([when, opposite(every([IsSet(start.fields), IsSet(end.fields), is_over]))])
        form, value, where = self._added(fact, at, catalogue)
        if value is None:
            return []
        credit = credit_of(fact, self.from_, self.credit)
        lasts = True if end is None else opposite(IsSet(end.fields))

        def all_of(what: Condition, form: Form, value: Any) -> list[Part]:
            found = [Part(fact, every([what, lasts]), None, credit, form, value)]
            if start is not None:
                found.append(Part(fact, what, start, credit, form, value))
            if end is not None:
                found.append(Part(fact, what, end, credit, form, value, -1))
            return found

        if isinstance(value, Decimals) and value.currency is not None:
            left_out += all_of(every([when, opposite(where)]), Form.COUNT, ())
        return all_of(every([when, where]), form, value)

    def _added(self, fact: str, at: First, catalogue: References) -> tuple[Form, Any, Condition]:
        if self.agg == "count":
            return Form.COUNT, (), True
        if self.of is not None:
            return Form.ID, ids_of(fact, self.from_, self.of), True
        return added_value(self.from_, self.value or "", fact, self.unit, at, catalogue.rules, rated_at=at)


@dataclass(frozen=True, slots=True)
class LevelReader(ShownReader):
    """Reads what there is, and what there was before."""

    stat: str
    measure: Measure
    left_out: Measure | None

    @property
    def measures(self) -> Sequence[Measure]:
        return (self.measure,) if self.left_out is None else (self.measure, self.left_out)

    def exact(self, pane: Pane, reading: Reading) -> Exact:
        cell = self.measure.name
        held = pane.get(cell, 0)
        if self.stat == "kept":
            before = {id for id, amount in pane.get(opening_of(cell), _NONE).items() if amount > 0}
            still = {id for id, amount in (held or _NONE).items() if amount > 0}
            return Fraction(len(before & still), len(before)) if before else None
        if isinstance(held, int):
            return held
        if self.measure.form is Form.ID:
            return number_of_ids(held, 1)
        whole = total(held)
        return in_unit(whole, self.unit) if isinstance(whole, int) and self.measure.form is Form.NUMBER else whole

    def sample(self, pane: Pane, reading: Reading) -> Exact:
        if self.stat == "kept":
            return number_of_ids(pane.get(opening_of(self.measure.name), _NONE), 1)
        return self.exact(pane, reading)

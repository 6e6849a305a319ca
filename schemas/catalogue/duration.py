"""Type `duration`: how long it took from one instant to another, as a percentile, mean or sum. No case: None, sum 0."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import Field

from schemas.catalogue.base import UNIT_SIZES, Entry, Exact, Reading, References, ShownReader, check_dimension
from schemas.catalogue.conditions import AtLeast, Gap, IsSet, Worked, every, opposite
from schemas.catalogue.counted import NameOrNames, condition_of, counted_instant, credit_of, listed, stored_facts
from schemas.catalogue.percentiles import Ranked, between, rank, share_of, stat_in
from schemas.catalogue.plan import Form, Measure, Part
from schemas.catalogue.where import EntryError
from schemas.panes import Pane

DurationStat = Annotated[str, *stat_in("mean", "sum")]


class Duration(Entry):
    """From `start` to `end`, counted at `at`, which is the end unless said otherwise."""

    type: Literal["duration"]
    from_: NameOrNames = Field(alias="from")
    where: dict[str, Any] = Field(default_factory=dict)
    start: NameOrNames
    end: NameOrNames
    stat: DurationStat
    clock: Literal["elapsed", "business"] = "elapsed"
    at: NameOrNames | None = None
    credit: NameOrNames = Field(default_factory=list)
    """Left out: it counts for the organisation alone."""
    by: list[str] = Field(default_factory=list, max_length=20)

    def bind(self, catalogue: References) -> "DurationReader":
        """Raises EntryError."""
        if self.unit not in UNIT_SIZES:
            raise EntryError(("unit",), f"must be one of {', '.join(UNIT_SIZES)}: a duration is one")
        check_dimension(catalogue.narrowing, self.by, self.label)
        rules, narrowing = catalogue.rules, catalogue.narrowing
        parts: list[Part] = []
        negative: list[Part] = []
        for fact in narrowing.facts(stored_facts(self.from_)):
            start, end, at = (
                counted_instant(fact, self.from_, names, setting)
                for setting, names in (("start", self.start), ("end", self.end), ("at", self.at or self.end))
            )
            if start is None or end is None or at is None:
                continue
            condition = condition_of(fact, self.from_, self.where, at, rules, narrowing)
            gap = Gap(start, end, is_clipped=False)
            # What ends before it starts took no time: it is left out.
            when = every([condition, AtLeast(gap, 0)])
            is_business = self.clock == "business" and rules.calendar is not None
            took = Worked(start, end, rules.calendar) if is_business and rules.calendar is not None else gap
            credit = credit_of(fact, self.from_, self.credit)
            parts.append(Part(fact, when, at, credit, Form.SAMPLE, (took,)))
            both = IsSet(start.fields), IsSet(end.fields), opposite(AtLeast(gap, 0))
            negative.append(Part(fact, every([condition, *both]), at, credit, Form.COUNT))
        if not parts:
            raise EntryError(("from",), f"none of {', '.join(listed(self.from_))} has a start, an end and an at")
        measure = Measure(tuple(parts))
        return DurationReader(self.unit, self.stat, measure, Measure(tuple(negative)), measure.name)


@dataclass(frozen=True, slots=True)
class DurationReader(ShownReader):
    """Reads a sample of microseconds."""

    stat: str
    measure: Measure
    negative: Measure
    """How many are left out because they end before they start."""
    cell: int

    @property
    def measures(self) -> Sequence[Measure]:
        return (self.measure, self.negative)

    def exact(self, pane: Pane, reading: Reading) -> Exact:
        held = pane.get(self.cell)
        if not held:
            return 0 if self.stat == "sum" else None
        if self.stat in {"sum", "mean"}:
            whole = sum(value * number for value, number in held.items())
            size = UNIT_SIZES[self.unit] * (sum(held.values()) if self.stat == "mean" else 1)
            return Fraction(whole, size)
        sample = Ranked(held)
        return Fraction(between(sample, *rank(len(sample), share_of(self.stat)))) / UNIT_SIZES[self.unit]

    def sample(self, pane: Pane, reading: Reading) -> int:
        return sum(pane.get(self.cell, {}).values())

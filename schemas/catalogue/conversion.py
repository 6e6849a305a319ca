"""Type `conversion`: what share of the rows of a count has come to something, at the instant of the count.

A member succeeds if it meets `to` in time, and fails once it meets `failed` without having succeeded or once the time
is over. `apart` divides by all, `due` by those of which that is decided: what still waits is held with the instant at
which its time is over, and the reader's clock decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from schemas.catalogue.base import (
    Entry,
    Exact,
    MetricReader,
    Reading,
    References,
    ShownReader,
    check_dimension,
    check_share,
)
from schemas.catalogue.conditions import AtLeast, Condition, Gap, IsSet, Later, Register, every, opposite
from schemas.catalogue.counted import NameOrNames, condition_of, counted_instant, credit_of, facts_named, stored_facts
from schemas.catalogue.plan import Form, Measure, Part
from schemas.catalogue.simple import Counting, Inner
from schemas.catalogue.where import EntryError, FactConditions
from schemas.instants import parse_duration
from schemas.panes import Pane

_FAILED: Mapping[str, Mapping[str, Any]] = {
    "deal": {"status": "lost"},
    "lead.deals": {"status": "lost"},
    "lead": {"status": "disqualified"},
}
"""Fact -> where a row of it has failed, unless `failed` says otherwise; others never have."""
_NONE: Mapping[Any, int] = {}


class Conversion(Entry):
    """Of `base`, those that meet `to`."""

    type: Literal["conversion"]
    base: Annotated[
        Annotated[str, Tag("by name")] | Annotated[Inner, Tag("in place")],
        Discriminator(lambda base: "by name" if isinstance(base, str) else "in place"),
    ]
    """By its name, or in place; when it is bound, what one version of it counts."""
    to: dict[str, Any] = Field(min_length=1)
    at_to: NameOrNames
    within: str | None = None
    failed: dict[str, Any] | None = None
    open: Literal["due", "apart"]
    by: list[str] = Field(default_factory=list, max_length=20)

    def bind(self, catalogue: References) -> MetricReader:
        """Raises EntryError."""
        check_share(self.unit, "a conversion")
        check_dimension(catalogue.narrowing, self.by, self.label)
        if isinstance(self.base, str):
            return catalogue.entry(self.base, ("base",)).each(self._of).bind(catalogue)
        base, term = self._counting(self.base), self._term()
        found: list[list[Part]] = [[], [], [], []]
        for fact in catalogue.narrowing.facts(stored_facts(base.from_)):
            at = counted_instant(fact, base.from_, base.at)
            if at is None:
                continue
            when = condition_of(fact, base.from_, base.where, at, catalogue.rules, catalogue.narrowing)
            credit = credit_of(fact, base.from_, base.credit)
            failed = self._failed(fact, base, at, catalogue)
            has_succeeded = self._has_succeeded(fact, base, at, term, catalogue)
            has_failed = every([failed, opposite(has_succeeded)])
            found[0].append(Part(fact, when, at, credit, Form.COUNT))
            found[1].append(Part(fact, every([when, has_succeeded]), at, credit, Form.COUNT))
            if term is not None and self.open == "due":
                waits = every([when, opposite(has_succeeded), opposite(has_failed)])
                found[2].append(Part(fact, every([when, has_failed]), at, credit, Form.COUNT))
                found[3].append(Part(fact, waits, at, credit, Form.PENDING, (at, Later(at, term))))
        if not found[0]:
            raise EntryError(("base",), "counts nothing")
        measures = tuple(Measure(tuple(parts)) for parts in found if parts)
        return ConversionReader(self.unit, measures if self.open == "apart" else measures[1:])

    def _of(self, base: Entry) -> "Conversion":
        """The same conversion of what one version of the base counts."""
        if not isinstance(base, Counting):
            raise EntryError(("base",), f"{self.base} is not of type simple")
        return self.model_copy(update={"base": base})

    def _counting(self, base: Counting) -> Counting:
        if base.agg != "count":
            raise EntryError(("base",), "must be of agg count")
        return base

    def _term(self) -> int | None:
        if self.within is None:
            if self.open == "due":
                raise EntryError(("within",), "is missing: due needs a time after which it is decided")
            return None
        try:
            return parse_duration(self.within)
        except ValueError as error:
            raise EntryError(("within",), str(error)) from None

    def _has_succeeded(
        self, fact: str, base: Counting, at: Register, term: int | None, catalogue: References
    ) -> Condition:
        meets = _wording(fact, base, at, catalogue).condition(self.to, ("to",))
        reached = counted_instant(fact, base.from_, self.at_to, "at_to")
        if term is None:
            return meets
        if reached is None:
            return False
        is_late = AtLeast(Gap(at, reached, is_clipped=False), term + 1)
        return every([meets, IsSet(reached.fields), opposite(is_late)])

    def _failed(self, fact: str, base: Counting, at: Register, catalogue: References) -> Condition:
        wording = _wording(fact, base, at, catalogue)
        if self.failed is not None:
            return wording.condition(self.failed, ("failed",)) if self.failed else False
        standard = _FAILED.get(fact.removeprefix("lead/"))
        return False if standard is None else wording.condition(standard, ("failed",))


def _wording(fact: str, base: Counting, at: Register, catalogue: References) -> FactConditions:
    return FactConditions(fact, facts_named(base.from_), catalogue.rules, at)


@dataclass(frozen=True, slots=True)
class ConversionReader(ShownReader):
    """Divides: (all, succeeded), or with a time (succeeded, failed, those that wait)."""

    measures: Sequence[Measure]

    def exact(self, pane: Pane, reading: Reading) -> Exact:
        succeeded, size = self._parts(pane, reading)
        return Fraction(succeeded, size) if size else None

    def sample(self, pane: Pane, reading: Reading) -> int:
        return self._parts(pane, reading)[1]

    def _parts(self, pane: Pane, reading: Reading) -> tuple[int, int]:
        """How many have succeeded, of how many."""
        cells = [measure.name for measure in self.measures]
        if len(cells) == 2:
            succeeded, size = pane.get(cells[1], 0), pane.get(cells[0], 0)
        else:
            waiting = pane.get(cells[2], _NONE)
            over = sum(number for (_, over_at), number in waiting.items() if over_at <= reading.now)
            succeeded = pane.get(cells[0], 0)
            size = succeeded + pane.get(cells[1], 0) + over
        return succeeded, size

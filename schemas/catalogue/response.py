"""Type `response`: the clocks of leads, at their start. What depends on the reader's clock is decided here.

A lead without an answer is due once the reader's clock has passed its due instant. It then counts as longer than any
answered one: where a percentile falls on such a lead its value is unknown, and the bound says what it is at least.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple

from pydantic import Field

from schemas.catalogue.base import UNIT_SIZES, Entry, Exact, Reading, References, Result, shown
from schemas.catalogue.conditions import First, Flag, IsSet, opposite
from schemas.catalogue.percentiles import Ranked, between, rank, share_of
from schemas.catalogue.plan import Form, Measure, Part
from schemas.catalogue.rules import Rules
from schemas.catalogue.where import EntryError
from schemas.panes import Pane

STAT = r"^(due|answered|within|p[1-9][0-9]?)$"

_FACT = "lead"
_START = First(("started_at",))
_RESPONSE = First(("response",))
_IS_ANSWERED = IsSet(("response",))


class Response(Entry):
    """`due`, `answered`, the share `within` the SLA of those due, or a percentile over those due."""

    type: Literal["response"]
    stat: str = Field(pattern=STAT)
    within: Literal["sla"] = "sla"

    def bind(self, catalogue: References) -> "ResponseReader":
        """Raises EntryError."""
        if self.stat.startswith("p") and self.unit not in UNIT_SIZES:
            raise EntryError(("unit",), f"must be one of {', '.join(UNIT_SIZES)}: a response takes time")
        clocks = _clocks(catalogue.rules)
        needed = {
            "answered": (clocks.answered,),
            "due": (clocks.answered, clocks.pending),
            "within": (clocks.within_sla, clocks.answered, clocks.pending),
        }.get(self.stat, (clocks.responses, clocks.pending))
        return ResponseReader(self.unit, self.stat, needed, tuple(measure.name for measure in needed))


class _Clocks(NamedTuple):
    """What is counted of clocks that have started."""

    answered: Measure
    within_sla: Measure
    responses: Measure
    pending: Measure
    """(start, due) of those without an answer."""


def _clocks(rules: Rules) -> _Clocks:
    by = ("answered_by",) if rules.credit == "sender" else ("rep",)
    open_ = Part(_FACT, opposite(_IS_ANSWERED), _START, ("rep",), Form.PENDING, (_START, First(("due_at",))))
    return _Clocks(
        Measure((Part(_FACT, _IS_ANSWERED, _START, by, Form.COUNT),)),
        Measure((Part(_FACT, Flag("within_sla"), _START, by, Form.COUNT),)),
        Measure((Part(_FACT, _IS_ANSWERED, _START, by, Form.SAMPLE, (_RESPONSE,)),)),
        Measure((open_,)),
    )


@dataclass(frozen=True, slots=True)
class ResponseReader:
    """Reads clocks: the first of `measures` is of the answered ones, the last of those without an answer."""

    unit: str
    stat: str
    measures: Sequence[Measure]
    cells: tuple[int, ...]

    @property
    def begins_at_zero(self) -> bool:
        return self.stat in {"due", "answered"}

    def exact(self, pane: Pane, reading: Reading) -> Exact:
        return self._of(pane, reading)[0]

    def result(self, pane: Pane, reading: Reading) -> Result:
        value, bound = self._of(pane, reading)
        return Result(shown(value, self.unit, reading), None if bound is None else float(bound))

    def _of(self, pane: Pane, reading: Reading) -> tuple[Exact, int | Fraction | None]:
        """The value, and what it is at least where it is unknown."""
        first, last = pane.get(self.cells[0]), pane.get(self.cells[-1])
        if self.stat == "answered":
            return first or 0, None
        overdue = _overdue(last, reading.now)
        if self.stat == "due":
            return (first or 0) + sum(overdue.values()), None
        if self.stat == "within":
            due = pane.get(self.cells[1], 0) + sum(overdue.values())
            return Fraction(first or 0, due) if due else None, None
        return self._percentile(Ranked(first or {}), overdue, reading.now)

    def _percentile(
        self, answered: Ranked, overdue: Mapping[int, int], now: int
    ) -> tuple[Exact, int | Fraction | None]:
        size = len(answered) + sum(overdue.values())
        if not size:
            return None, None
        lower, weight = rank(size, share_of(self.stat))
        if lower + (weight > 0) < len(answered):
            return Fraction(between(answered, lower, weight)) / UNIT_SIZES[self.unit], None
        waiting = Counter(answered.amounts)
        for start, number in overdue.items():
            waiting[max(now - start, answered.highest)] += number
        return None, Fraction(between(Ranked(waiting), lower, weight)) / UNIT_SIZES[self.unit]


def _overdue(pending: Mapping[tuple[int, int], int] | None, now: int) -> Mapping[int, int]:
    """Start -> how many leads without an answer have an SLA that has run out."""
    found: Counter[int] = Counter()
    for (start, due), number in (pending or {}).items():
        if due <= now:
            found[start] += number
    return found

"""Type `response`: the clocks of leads, at their start. What depends on the reader's clock is decided here.

A lead without an answer is due once the reader's clock has passed its due instant. It then counts as longer than any
answered one: where a percentile falls on such a lead its value is unknown, and the bound says what it is at least. A
lead whose first touch is still to come is without an answer until then; the answer counts for whom answers count for.
A lead that waits is held with the instant at which its time is over, that of its SLA or another one.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, Literal, NamedTuple

from schemas.catalogue.amounts import total
from schemas.catalogue.base import (
    UNIT_SIZES,
    Entry,
    Exact,
    MetricReader,
    Reading,
    References,
    Result,
    ShownReader,
    check_dimension,
    check_share,
    shown,
)
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
from schemas.catalogue.facts import CLOCK_NAMES, FACTS, clock_fact
from schemas.catalogue.percentiles import Ranked, between, rank, share_of, stat_in
from schemas.catalogue.plan import Form, Measure, Part, Waiting
from schemas.catalogue.rules import Rules
from schemas.catalogue.where import EntryError
from schemas.documents.errors import suggestion
from schemas.instants import parse_duration
from schemas.panes import Pane
from schemas.records import FIELDS, FieldType

ResponseStat = Annotated[str, *stat_in("due", "answered", "within", "missed", "mean")]

_START = First(("started_at",))
_IS_ANSWERED = IsSet(("response",))
_IS_COMING = IsSet(("coming_at",))
_RESPONSE, _COMING, _TAKEN = First(("response",)), First(("coming_at",)), First(("taken_at",))
_NONE: Mapping[Any, int] = {}


class Response(Entry):
    """`due`, `answered`, the share `within` a time of those as old, those `missed`, or a `mean` or percentile."""

    type: Literal["response"]
    stat: ResponseStat
    within: str = "sla"
    clock: Literal["received", "assigned", "reassigned", "holder"] | None = None
    stop: Literal["attempt", "contact", "qualified"] | None = None
    """Which of a lead's clocks; what is left out is as in `lead_response`."""
    value: str | None = None

    def bind(self, catalogue: References) -> MetricReader:
        """Raises EntryError."""
        if (self.stat.startswith("p") or self.stat == "mean") and self.unit not in UNIT_SIZES:
            raise EntryError(("unit",), f"must be one of {', '.join(UNIT_SIZES)}: a response takes time")
        if self.stat == "within":
            check_share(self.unit, "stat within")
        elif self.stat in {"due", "answered", "missed"} and self.value is None and self.unit not in {"count", "number"}:
            raise EntryError(("unit",), f"must be count: stat {self.stat} counts leads")
        if catalogue.narrowing.since is not None or catalogue.narrowing.until is not None:
            raise EntryError(("type",), "a response has no versions: give them to its parts")
        check_dimension(catalogue.narrowing, (), self.label)
        if self.value is not None and self.stat != "missed":
            raise EntryError(("value",), "is only for stat missed")
        term, fact = self._term(catalogue.rules), self._fact(catalogue.rules)
        if self.stat == "missed":
            return _missed(fact, self.unit, term, self.value, catalogue.rules)
        if self.within != "sla" and self.stat in {"answered", "mean"}:
            raise EntryError(("within",), f"says nothing of stat {self.stat}, which is of all that were answered")
        measures = _measures(fact, catalogue.rules, term)
        needed = {"answered": _OF_ANSWERED, "due": _OF_DUE, "within": _OF_SHARE, "mean": _OF_MEAN}.get(
            self.stat, _OF_PERCENTILE
        )
        cells = _Cells(*(measure.name for measure in measures))
        return ResponseReader(self.unit, self.stat, cells, tuple(measures[place] for place in needed))

    def _fact(self, rules: Rules) -> str:
        named = self.clock or rules.start, self.stop or rules.stop
        return "lead" if named == (rules.start, rules.stop) else clock_fact(*named)

    def _term(self, rules: Rules) -> int | None:
        """Microseconds; None: the SLA."""
        if self.within == "sla":
            return None
        if self.within == "missed_after":
            return rules.missed_after
        try:
            return parse_duration(self.within)
        except ValueError as error:
            raise EntryError(("within",), f"must be sla, missed_after or a duration: {error}") from None


class _Cells(NamedTuple):
    """What is counted of clocks that have started."""

    answered: int
    in_time: int
    responses: int
    pending: int
    """(start, due) of those without an answer."""
    pending_until: int
    """(start, due, until) of those whose first touch is still to come, for the lead's rep."""
    answered_from: int
    """The same, for whom the answer will count."""


_OF_ANSWERED = (0, 5)
_OF_DUE = (0, 3, 4, 5)
_OF_MEAN = (2, 5)
_OF_SHARE = (1, 0, 3, 4, 5)
_OF_PERCENTILE = (2, 3, 4, 5)


def _measures(fact: str, rules: Rules, term: int | None) -> tuple[Measure, ...]:
    """In the order of `_Cells`. `term`: after so long a lead is due that has no answer; None: after its SLA."""
    by = ("answered_by",) if rules.credit == "sender" else ("rep",)
    due_at, in_time = _due_at(term), _in_time(term)
    instants = (_START, due_at, _COMING)
    parts = (
        Part(fact, _IS_ANSWERED, _START, by, Form.COUNT),
        # Nobody is within an SLA without an answer.
        Part(fact, in_time if term is None else every([_IS_ANSWERED, in_time]), _START, by, Form.COUNT),
        Part(fact, _IS_ANSWERED, _START, by, Form.SAMPLE, (_RESPONSE,)),
        Part(fact, _is_open(fact, due_at), _START, ("rep",), Form.PENDING, instants[:2]),
        Part(fact, _IS_COMING, _START, ("rep",), Form.PENDING, instants),
        # The reader looks at it as an answer: another cell than the one above also where both count for one person.
        Part(fact, every([_IS_COMING, IsSet(("started_at",))]), _START, by, Form.PENDING, instants),
    )
    return tuple(Measure((part,)) for part in parts)


def _due_at(term: int | None) -> Register:
    return First(("due_at",)) if term is None else Later(_START, term)


def _in_time(term: int | None) -> Condition:
    return Flag("within_sla") if term is None else opposite(AtLeast(_RESPONSE, term + 1))


def _is_open(fact: str, due_at: Register) -> Condition:
    return every([opposite(some([_IS_ANSWERED, _IS_COMING])), _is_theirs(fact, due_at)])


def _is_theirs(fact: str, over_at: Register) -> Condition:
    """Whether a lead without an answer was not taken away from its owner before their time was over: `holder` alone."""
    if CLOCK_NAMES.get(fact, ("",))[0] != "holder":
        return True
    return some([opposite(IsSet(_TAKEN.fields)), AtLeast(Gap(over_at, _TAKEN, is_clipped=False), 0)])


@dataclass(frozen=True, slots=True)
class ResponseReader:
    """Reads clocks."""

    unit: str
    stat: str
    cells: _Cells
    measures: Sequence[Measure]

    def exact(self, pane: Pane, reading: Reading) -> Exact:
        return self._of(pane, reading.now)[0]

    def result(self, pane: Pane, reading: Reading) -> Result:
        value, bound = self._of(pane, reading.now)
        return Result(shown(value, self.unit, reading), None if bound is None else float(bound))

    def sample(self, pane: Pane, reading: Reading) -> Exact:
        if self.stat in {"due", "answered"}:
            return self.exact(pane, reading)
        now, answered_from = reading.now, pane.get(self.cells.answered_from, _NONE)
        answered: int = sum(number for key, number in answered_from.items() if key[2] <= now)
        if self.stat == "within":
            answered += pane.get(self.cells.answered, 0)
        else:
            answered += sum(pane.get(self.cells.responses, _NONE).values())
        return answered + (0 if self.stat == "mean" else sum(self._overdue(pane, now).values()))

    def _of(self, pane: Pane, now: int) -> tuple[Exact, int | Fraction | None]:
        """The value, and what it is at least where it is unknown."""
        come = {key: number for key, number in pane.get(self.cells.answered_from, _NONE).items() if key[2] <= now}
        answered = pane.get(self.cells.answered, 0) + sum(come.values())
        if self.stat == "answered":
            return answered, None
        overdue = {} if self.stat == "mean" else self._overdue(pane, now)
        due = answered + sum(overdue.values())
        if self.stat == "due":
            return due, None
        if self.stat == "within":
            in_time = sum(number for (_, due_at, at), number in come.items() if at <= due_at)
            return Fraction(pane.get(self.cells.in_time, 0) + in_time, due) if due else None, None
        responses = pane.get(self.cells.responses, _NONE)
        if come:
            responses = Counter(responses)
            for (start, _, at), number in come.items():
                responses[max(0, at - start)] += number
        if self.stat == "mean":
            size = sum(responses.values())
            whole = sum(took * number for took, number in responses.items())
            return (Fraction(whole, size * UNIT_SIZES[self.unit]) if size else None), None
        return self._percentile(Ranked(responses), overdue, now)

    def _overdue(self, pane: Pane, now: int) -> Mapping[int, int]:
        """Start -> how many leads without an answer have an SLA that has run out."""
        found: Counter[int] = Counter()
        for (start, due), number in pane.get(self.cells.pending, _NONE).items():
            if due <= now:
                found[start] += number
        for (start, due, until), number in pane.get(self.cells.pending_until, _NONE).items():
            if due <= now < until:
                found[start] += number
        return found

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


def _missed(fact: str, unit: str, term: int | None, value: str | None, rules: Rules) -> "MissedReader":
    """What counts leads that were not answered in their time, or adds up a number of them. Raises EntryError."""
    over_at = _due_at(term)
    missed = every([_IS_ANSWERED, opposite(_in_time(term))])
    parts: tuple[Part, ...]
    if value is None:
        parts = (
            Part(fact, missed, _START, ("rep",), Form.COUNT),
            Part(fact, _is_open(fact, over_at), _START, ("rep",), Form.PENDING, (_START, over_at)),
            Part(fact, _IS_COMING, _START, ("rep",), Form.PENDING, (_START, over_at, _COMING)),
        )
        return MissedReader(unit, tuple(Measure((part,)) for part in parts))
    if FACTS[fact].get(value) is not FieldType.DECIMAL:
        numbers = [name for name, held in FIELDS["lead"].items() if held is FieldType.DECIMAL]
        raise EntryError(("value",), f"lead has no number {value}{suggestion(value, numbers)}")
    money = Decimals(value, None, "currency", rules.rates) if unit == "money" else Decimals(value)
    rated = Rated("currency", _START, rules.rates) if unit == "money" else True
    # One that waits for a time is missed once that is over, whether or not it is answered then.
    waits = every([rated, opposite(_IS_ANSWERED), _is_theirs(fact, over_at)])
    parts = (
        Part(fact, every([missed, rated]), _START, ("rep",), Form.DECIMAL, money),
        Part(fact, waits, _START, ("rep",), Form.PENDING_DECIMAL, Waiting(over_at, _COMING, money)),
    )
    return MissedReader(unit, tuple(Measure((part,)) for part in parts))


@dataclass(frozen=True, slots=True)
class MissedReader(ShownReader):
    """Counts (missed, those that wait, those whose first touch is to come), or adds up (missed, those that wait)."""

    measures: Sequence[Measure]

    def exact(self, pane: Pane, reading: Reading) -> Exact:
        now = reading.now
        cells = [measure.name for measure in self.measures]
        if len(cells) == 3:
            over: int = sum(number for (_, over_at), number in pane.get(cells[1], _NONE).items() if over_at <= now)
            coming = pane.get(cells[2], _NONE).items()
            late: int = sum(number for (_, over_at, at), number in coming if over_at <= now and at > over_at)
            return int(pane.get(cells[0], 0)) + over + late
        parts: dict[int, int] = dict(pane.get(cells[0], _NONE))
        for (over_at, at, key), amount in pane.get(cells[1], _NONE).items():
            if over_at <= now and at > over_at:
                parts[key] = parts.get(key, 0) + amount
        return total(parts)

"""What has been counted in a window becomes a row: summed up one after another, so that none of it has to be kept."""

from collections.abc import Iterable
from fractions import Fraction
from functools import cache

from babel.numbers import get_currency_precision

from deploy.verification.definitions import Entry
from deploy.verification.formulas import Formulas, Leaf
from deploy.verification.funnels import Share
from deploy.verification.measures import Counted, Exact, Measure, Sum
from deploy.verification.shapes import Row, ServedValue
from deploy.verification.spans import Span

_WHOLE = frozenset({"count", "seconds"})


class Tally:
    """One row in the making, of a window as of an instant: whoever recounts adds all that lies in it."""

    def __init__(self, formulas: Formulas, span: Span) -> None:
        self._formulas = formulas
        self._span = span
        self._is_kept = formulas.terms.is_kept(span)
        self._sums: dict[Measure, Sum] = {}

    def add(self, counted: Counted) -> None:
        """Take in one more, in any order; what is not true yet or any more counts nothing."""
        if counted.holds(self._span.now):
            self._sum_of(counted.measure).add(counted)

    def value(self, metric: str) -> Exact:
        """What a metric comes to, exactly."""
        return self._formulas.by_name[metric].value(self._value_of)

    def row(self) -> Row:
        """What has been added, as it is served: metrics of which nothing was are what they are of nothing."""
        blank = self._formulas.of_nothing.get(self._span)
        if blank is None:
            blank = self._formulas.of_nothing[self._span] = Tally(self._formulas, self._span)._row_of(
                self._formulas.by_name
            )
        made = self._row_of(self._formulas.made_of(frozenset(self._sums)))
        return {"metrics": blank["metrics"] | made["metrics"], "bounds": blank["bounds"] | made["bounds"]}

    def _row_of(self, names: Iterable[str]) -> Row:
        bounds: dict[str, float] = {}
        metrics: dict[str, ServedValue] = {}
        value_of = cache(self._value_of)  # several metrics are made of the same leaves
        for name in names:
            formula, entry = self._formulas.by_name[name], self._formulas.definitions.metrics[name]
            metrics[name] = shown(formula.value(value_of), entry, self._formulas.terms.currency)
            bound = self._bound_of(formula) if isinstance(formula, Leaf) else None
            if bound is not None:
                bounds[name] = float(bound)
        return {"metrics": metrics, "bounds": bounds}

    def funnels(self) -> dict[str, ServedValue]:
        """All steps of all funnels; nothing of a window that is not kept."""
        found: dict[str, ServedValue] = {}
        if not self._is_kept:
            return found
        for name, formula in self._formulas.by_name.items():
            for held in self._sums_of(formula) if isinstance(formula, Leaf) else ():
                if isinstance(held, Share):
                    found |= held.values(name, self._span.now)
        return found

    def _sum_of(self, measure: Measure) -> Sum:
        first = self._formulas.summed_with[measure]
        held = self._sums.get(first)
        if held is None:
            held = self._sums[first] = measure.empty(self._span)
        return held

    def _value_of(self, leaf: Leaf) -> Exact:
        if not self._is_kept or any(measure.lacks(self._span) for measure in leaf.measures):
            return None
        found = [sum_.value() for sum_ in self._sums_of(leaf)]
        if len(found) == 1:
            return found[0]
        return sum((value for value in found if value is not None), start=0)

    def _bound_of(self, leaf: Leaf) -> Exact:
        found = [sum_.bound() for sum_ in self._sums_of(leaf)] if self._is_kept else []
        return found[0] if len(found) == 1 else None

    def _sums_of(self, leaf: Leaf) -> list[Sum]:
        return [self._sum_of(measure) for measure in leaf.ways]


def shown(value: Exact, entry: Entry, currency: str) -> ServedValue:
    """A value as it is served: money as text, whole numbers without a point, all else as the nearest double."""
    if value is None:
        return None
    if isinstance(value, int) and entry["unit"] in _WHOLE:
        return value
    if entry["unit"] == "money":
        return _money(Fraction(value), currency)
    exact = Fraction(value)
    return exact.numerator if entry["unit"] in _WHOLE and exact.denominator == 1 else float(exact)


def _money(amount: Fraction, currency: str) -> str:
    """Round to the smallest unit of the organisation's currency, halves to even; zero has no sign."""
    digits = get_currency_precision(currency)
    units = round(amount * 10**digits)  # a Fraction rounds halves to even
    text = str(abs(units)).rjust(digits + 1, "0")
    sign = "-" if units < 0 else ""
    return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else f"{sign}{text}"

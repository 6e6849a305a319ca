"""Metrics as trees: what is counted (`Measure`) at the leaves, quotients and sums above.

Owns the reading of entries into trees. Equal leaves are one, whoever names them.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import cache, cached_property
from typing import Any

from deploy.verification.conversions import Conversion
from deploy.verification.definitions import Definitions, Entry, exact_number, versions
from deploy.verification.durations import Duration
from deploy.verification.funnels import Funnel
from deploy.verification.leads import LeadRules
from deploy.verification.levels import Level
from deploy.verification.measures import Exact, Measure, Simple
from deploy.verification.responses import Response
from deploy.verification.shapes import Row
from deploy.verification.spans import Span
from deploy.verification.terms import Terms

ValueOf = Callable[["Leaf"], Exact]

_CONVERSATIONS, _MEETINGS = "conversations", "meetings_held"


class Formula:
    """How a value follows from what was counted."""

    def leaves(self) -> Iterator[Leaf]:
        """Everything that is counted for it."""
        raise NotImplementedError

    def value(self, of: ValueOf) -> Exact:
        """The value, by those of its leaves."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Leaf(Formula):
    """What one entry counts: a measure for each of its versions, all summed up together."""

    measures: Sequence[Measure]

    @cached_property
    def ways(self) -> Sequence[Measure]:
        """Of the measures that are summed up together the first one each."""
        first: dict[tuple[str, ...], Measure] = {}
        for measure in self.measures:
            first.setdefault(measure.way, measure)
        return tuple(first.values())

    def leaves(self) -> Iterator[Leaf]:
        yield self

    def value(self, of: ValueOf) -> Exact:
        return of(self)


@dataclass(frozen=True, eq=False)
class Quotient(Formula):
    """Sum ÷ sum; the parts are those of one version each."""

    parts: Sequence[tuple[Formula, Formula]]

    def leaves(self) -> Iterator[Leaf]:
        for part in self.parts:
            for half in part:
                yield from half.leaves()

    def value(self, of: ValueOf) -> Exact:
        above = [part[0].value(of) for part in self.parts]
        below = [part[1].value(of) for part in self.parts]
        if len(self.parts) > 1:  # a version in which nothing happened adds nothing
            above, below = [one or 0 for one in above], [one or 0 for one in below]
        return _divided(_summed(above), _summed(below))


@dataclass(frozen=True, eq=False)
class Expression(Formula):
    """A sum with brackets."""

    tree: ast.expr
    text: str
    names: Mapping[str, Formula]

    def leaves(self) -> Iterator[Leaf]:
        for formula in self.names.values():
            yield from formula.leaves()

    def value(self, of: ValueOf) -> Exact:
        return self._worked_out(self.tree, of)

    def _worked_out(self, node: ast.expr, of: ValueOf) -> Exact:
        match node:
            case ast.Name(id=name):
                return self.names[name].value(of)
            case ast.Constant():
                return exact_number(ast.get_source_segment(self.text, node))
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                found = self._worked_out(inner, of)
                return None if found is None else -found
            case ast.BinOp(left=left, op=operator, right=right):
                return _combined(operator, self._worked_out(left, of), self._worked_out(right, of))
        msg = f"{self.text!r}: only names, numbers, + - * / and brackets have a meaning"
        raise ValueError(msg)


def _combined(operator: ast.operator, left: Exact, right: Exact) -> Exact:
    if left is None or right is None:
        return None
    match operator:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div():
            return _divided(left, right)
    msg = f"{type(operator).__name__} has no meaning in a metric"
    raise ValueError(msg)


def _divided(above: Exact, below: Exact) -> Exact:
    return None if above is None or below is None or below == 0 else Fraction(above) / Fraction(below)


def _summed(values: Sequence[Exact]) -> Exact:
    known = [value for value in values if value is not None]
    return sum(known, start=0) if len(known) == len(values) else None


class Formulas:
    """The formulas of all metrics under a configuration."""

    def __init__(self, definitions: Definitions, terms: Terms, rules: LeadRules) -> None:
        self.definitions, self.terms, self._rules = definitions, terms, rules
        self._leaves: dict[str, Leaf] = {}
        self.by_name: Mapping[str, Formula] = {
            name: self._read(entry, name=name) for name, entry in definitions.metrics.items()
        }
        self.leaf_of: Mapping[Measure, Leaf] = {
            measure: leaf for leaf in self._leaves.values() for measure in leaf.measures
        }
        """All that is counted, each once."""
        self.summed_with: Mapping[Measure, Measure] = {
            measure: first for measure, leaf in self.leaf_of.items() for first in leaf.ways if first.way == measure.way
        }
        """What is counted -> the first of those with which it is summed up."""
        self.of_nothing: dict[Span, Row] = {}
        """The rows of those who did nothing, where one was asked for."""
        self.made_of = cache(self._made_of)
        """The metrics that something of these measures belongs to."""

    def _made_of(self, measures: frozenset[Measure]) -> tuple[str, ...]:
        return tuple(
            name
            for name, formula in self.by_name.items()
            if any(not measures.isdisjoint(leaf.ways) for leaf in formula.leaves())
        )

    def _read(
        self, entry: Entry, *, name: str = "", since: date = date.min, until: date = date.max, where: Any = None
    ) -> Formula:
        """The formula of an entry, as far as days from `since` on, before `until`, and a further condition go."""
        match entry.get("type", "simple"):
            case "derived":
                return self._expression(entry, name, since, until)
            case "ratio":
                parts = []
                for begin, end, version in versions(entry):
                    first, last = max(since, begin), min(until, end)
                    if first < last:
                        above, below = version["numerator"], version["denominator"]
                        parts.append((self._part(above, first, last), self._part(below, first, last)))
                return Quotient(parts)
            case _:
                return self._leaf(entry, since, until, where)

    def _part(self, half: Any, since: date, until: date) -> Formula:
        if isinstance(half, str):
            return self._read(self.definitions.metrics[half], name=half, since=since, until=until)
        if "metric" in half:
            named = self.definitions.metrics[half["metric"]]
            return self._read(named, since=since, until=until, where=half.get("where"))
        return self._read({"type": "simple", **half}, since=since, until=until)

    def _expression(self, entry: Entry, name: str, since: date, until: date) -> Formula:
        text = str(entry["expr"]).strip()
        without = self.terms.config.conversation.meetings == "none"
        if without and entry.get("without_meetings") is not None:
            text = str(entry["without_meetings"]).strip()
        tree = ast.parse(text, mode="eval").body
        named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        formulas = {
            one: self._read(self.definitions.metrics[one], name=one, since=since, until=until) for one in sorted(named)
        }
        if without and name == _CONVERSATIONS and _MEETINGS in formulas:
            formulas[_MEETINGS] = Leaf(())
        return Expression(tree, text, formulas)

    def _leaf(self, entry: Entry, since: date, until: date, where: Any) -> Leaf:
        key = json.dumps([_meaning(entry), since.isoformat(), until.isoformat(), where], sort_keys=True, default=str)
        if key not in self._leaves:
            self._leaves[key] = Leaf(
                [
                    measure
                    for begin, end, version in versions(entry)
                    if max(since, begin) < min(until, end)
                    for measure in self._of_version(_both(version, where), max(since, begin), min(until, end))
                ]
            )
        return self._leaves[key]

    def _of_version(self, entry: Entry, since: date, until: date) -> Iterator[Measure]:
        match entry.get("type", "simple"):
            case "simple":
                yield Simple(entry, self.terms, since=since, until=until)
            case "duration":
                yield Duration(entry, self.terms, since=since, until=until)
            case "level":
                yield Level(entry, self.terms)
            case "conversion":
                base = entry["base"]
                for begin, end, version in versions(self.definitions.metrics[base] if isinstance(base, str) else base):
                    first, last = max(since, begin), min(until, end)
                    if first < last:
                        yield Conversion(entry, version, self.terms, since=first, until=last)
            case "response":
                yield Response(entry, self.terms, self._rules)
            case "funnel":
                yield Funnel(entry, self.terms)
            case unknown:
                msg = f"there is no type {unknown!r}"
                raise ValueError(msg)


_WORDS = frozenset({"label", "description", "owner", "tags", "examples", "benchmark", "better", "by", "note"})


def _meaning(entry: Entry) -> dict[str, Any]:
    """What of an entry says how much it comes to."""
    return {name: value for name, value in entry.items() if name not in _WORDS}


def _both(entry: Entry, where: Any) -> Entry:
    """An entry with one more condition; the two may speak of the same fields."""
    if not where:
        return entry
    return {**entry, "where": {"not": {"any": [{"not": entry.get("where") or {}}, {"not": where}]}}}

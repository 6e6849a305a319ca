"""Type `derived`: other metrics, added, subtracted, multiplied, divided. None where a part is, or a divisor is 0."""

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from pydantic import Field

from schemas.catalogue.amounts import decimal_text
from schemas.catalogue.base import (
    Entry,
    Exact,
    MetricReader,
    Reading,
    References,
    ShownReader,
    sample_of,
    value_of_nothing,
)
from schemas.catalogue.plan import Measure
from schemas.catalogue.where import EntryError
from schemas.panes import Pane

Formula = Callable[[Pane, Reading], Exact]
_MOST_PARTS = 200
_SHOWN = 40
_PATH = ("expr",)


class Derived(Entry):
    """`expr`: names, numbers, `+ - * /`, brackets."""

    type: Literal["derived"]
    expr: str = Field(min_length=1, max_length=2000)
    without_meetings: str | None = Field(default=None, min_length=1, max_length=2000)
    """The formula where `conversation.meetings` is `none`."""

    @property
    def is_linear(self) -> bool:
        """Whether of several people together it is the sum of theirs, if its parts are: no number is added to them."""
        return _degree(ast.parse(self.expr.strip(), mode="eval").body) == 1

    def bind(self, catalogue: References) -> "DerivedReader":
        """Raises EntryError."""
        is_without = catalogue.rules.meetings == "none"
        expr = ((self.without_meetings if is_without else None) or self.expr).strip()
        try:
            tree = ast.parse(expr, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise EntryError(_PATH, "is not made of names, numbers, + - * / and brackets") from None
        if sum(1 for _ in ast.walk(tree)) > _MOST_PARTS:
            raise EntryError(_PATH, f"has more than {_MOST_PARTS} parts")
        parts: dict[str, MetricReader] = {}
        formula = _formula(tree, expr, catalogue, parts)
        divisors = tuple(
            _formula(node.right, expr, catalogue, parts)
            for node in ast.walk(tree)
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
        )
        return DerivedReader(self.unit, formula, tuple(parts.values()), divisors)


def _formula(node: ast.expr, text: str, catalogue: References, parts: dict[str, MetricReader]) -> Formula:
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        one, other = (_formula(side, text, catalogue, parts) for side in (node.left, node.right))
        return _joined(_OPERATIONS[type(node.op)], one, other)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _formula(node.operand, text, catalogue, parts)
        return _joined(_OPERATIONS[ast.Sub], lambda _pane, _reading: 0, inner)
    if isinstance(node, ast.Name):
        reader = parts.setdefault(node.id, catalogue.reader(node.id, _PATH))
        return reader.exact
    if isinstance(node, ast.Constant) and type(node.value) in {int, float}:
        written = (ast.get_source_segment(text, node) or "").replace("_", "")
        try:
            number = Fraction(decimal_text(written))  # a double would be rounded
        except ValueError as error:
            raise EntryError(_PATH, f"{written[:_SHOWN]}: {error}") from None
        return lambda _pane, _reading: number
    raise EntryError(_PATH, f"{ast.unparse(node)} is neither a metric nor a number, sum, difference, product or ratio")


def _degree(node: ast.expr) -> int | None:
    """How many metrics are multiplied in each summand; None: not as many in each, or one is a divisor."""
    if isinstance(node, ast.UnaryOp):
        return _degree(node.operand)
    if isinstance(node, ast.BinOp):
        one, other = _degree(node.left), _degree(node.right)
        if one is None or other is None or isinstance(node.op, ast.Div):
            return None
        if isinstance(node.op, ast.Mult):
            return one + other
        return one if one == other else None
    return int(isinstance(node, ast.Name))


_OPERATIONS: dict[type[ast.operator], Callable[[int | Fraction, int | Fraction], Exact]] = {
    ast.Add: lambda one, other: one + other,
    ast.Sub: lambda one, other: one - other,
    ast.Mult: lambda one, other: one * other,
    ast.Div: lambda one, other: Fraction(one) / other if other else None,
}


def _joined(operation: Callable[[int | Fraction, int | Fraction], Exact], one: Formula, other: Formula) -> Formula:
    def value(pane: Pane, reading: Reading) -> Exact:
        left, right = one(pane, reading), other(pane, reading)
        return None if left is None or right is None else operation(left, right)

    return value


@dataclass(frozen=True, slots=True)
class DerivedReader(ShownReader):
    """Computes the formula of what others say."""

    formula: Formula
    parts: tuple[MetricReader, ...]
    divisors: tuple[Formula, ...] = ()

    @property
    def measures(self) -> Sequence[Measure]:
        return tuple(measure for part in self.parts for measure in part.measures)

    def exact(self, pane: Pane, reading: Reading) -> Exact:
        return self.formula(pane, reading)

    def sample(self, pane: Pane, reading: Reading) -> Exact:
        """The smallest of its divisors and of the samples of shares and means that it is made of."""
        sizes = [divisor(pane, reading) for divisor in self.divisors]
        sizes += [sample_of(part, pane, reading) for part in self.parts if value_of_nothing(part) is None]
        if not sizes:
            return self.exact(pane, reading)
        known = [size for size in sizes if size is not None]
        return min(known) if known and len(known) == len(sizes) else None

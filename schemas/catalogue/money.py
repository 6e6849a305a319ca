"""Kinds `money` and `money_average`: exact decimals, rounded half to even only when they are shown."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from schemas.catalogue.base import Entry, Reading, Result, total
from schemas.panes import EXACT, Pane


@dataclass(frozen=True, slots=True)
class Money:
    """A sum of amounts. Nothing happened: zero."""

    entry: Entry

    def result(self, pane: Pane, reading: Reading) -> Result:
        return Result(write_money(_sum(pane, self.entry.of), reading.money_digits))


@dataclass(frozen=True, slots=True)
class MoneyAverage:
    """A sum of amounts divided by a number of deals. None of them: None."""

    entry: Entry

    def result(self, pane: Pane, reading: Reading) -> Result:
        divisor = total(pane, self.entry.by)
        if not divisor:
            return Result(None)
        return Result(write_money(EXACT.divide(_sum(pane, self.entry.of), Decimal(divisor)), reading.money_digits))


def write_money(amount: Decimal, digits: int) -> str:
    """A decimal string with the currency's digits."""
    # Adding 0 turns a negative zero into zero.
    rounded = amount.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_EVEN, context=EXACT)
    return format(EXACT.add(rounded, Decimal(0)), "f")


def _sum(pane: Pane, measures: list[str]) -> Decimal:
    amount = Decimal(0)
    for measure in measures:
        amount = EXACT.add(amount, pane.get(measure, Decimal(0)))
    return amount

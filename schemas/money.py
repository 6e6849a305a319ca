"""Amounts in the organisation's currency, exactly, for whoever shows single records. Pure."""

from fractions import Fraction
from typing import Any

from schemas.catalogue.amounts import number_of, rate_on


def in_money(amount: str | None, currency: str | None, rates: Any, at: int) -> Fraction | None:
    """An amount in the organisation's currency, by the rate of that instant; None without amount or rate."""
    if amount is None:
        return None
    number, places = number_of(amount)
    rate = (1, 0) if currency is None else rate_on(rates, currency, at)
    return None if rate is None else Fraction(number * rate[0], 10 ** (places + rate[1]))

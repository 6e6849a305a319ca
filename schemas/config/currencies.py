"""What other currencies are worth in the organisation's own, and since when.

Owns how rates are written: one for ever, or several, each from a day of the organisation on.
"""

from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from schemas.documents.errors import wrong
from schemas.documents.values import Model, Number
from schemas.instants import parse_date

MOST_RATES = 1_000


def _day(value: Any) -> Any:
    try:
        return parse_date(value) if isinstance(value, str) else value
    except ValueError:
        raise wrong("must be a date such as 2026-03-18") from None


class Rate(Model):
    """What one unit is worth from a day on, until the next one's day."""

    since: Annotated[date, BeforeValidator(_day)] | None = None
    """Only the first may leave it out: it holds for all days before the second."""
    rate: Annotated[Number, Field(gt=0, max_digits=18, decimal_places=9)]
    """What one unit is worth in the organisation's currency."""


def _in_order(rates: list[Rate]) -> list[Rate]:
    days = [rate.since for rate in rates]
    given = [day for day in days if day is not None]
    if None in days[1:] or given != sorted(set(given)):
        msg = "must be in the order of their since, which only the first may leave out"
        raise wrong(msg)
    return rates


CurrencyRates = Annotated[
    list[Rate],
    Field(min_length=1, max_length=MOST_RATES),
    BeforeValidator(lambda value: value if isinstance(value, list | tuple) else [{"rate": value}]),
    AfterValidator(_in_order),
]
"""Written `"1.08"`, or `[{since: 2026-01-01, rate: "1.27"}]`; always kept as a list."""

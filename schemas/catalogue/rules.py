"""What the configuration says that a plan depends on: part of what a measure means, and so of its name.

Owns the choice. Everything else of `floorcast.yaml` (calendars, aliases, retention) changes no plan.
"""

from dataclasses import dataclass
from decimal import Decimal

from schemas.catalogue.conditions import Rates
from schemas.config import Config
from schemas.instants import MINUTE

EVER = -(2**62)
"""Since when a rate holds that says no date."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Of `conversation`, `lead_response` and money."""

    rates: Rates = (("USD", ((EVER, 1, 0),)),)
    """The organisation's own currency among them, at 1."""
    min_talk: int = MINUTE
    credit: str = "sender"
    """For whom an answered lead counts: `sender` or `owner`."""


def rules_of(config: Config) -> Rules:
    """The rules of a configuration."""
    rates = {config.organisation.currency: Decimal(1), **config.currency_rates}
    return Rules(
        rates=tuple((currency, ((EVER, *_written(rate)),)) for currency, rate in sorted(rates.items())),
        min_talk=config.conversation.min_talk,
        credit=config.lead_response.credit,
    )


def _written(rate: Decimal) -> tuple[int, int]:
    """(number, decimal places), one form for equal rates."""
    places = 0
    while rate != rate.to_integral_value():
        rate = rate.scaleb(1)
        places += 1
    return int(rate), places

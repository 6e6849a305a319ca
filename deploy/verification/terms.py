"""What floorcast.yaml says that metrics go by: who people are, days, rates of currencies, hours of work."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING

from deploy.verification.definitions import Definitions
from deploy.verification.office import Office, office_of
from deploy.verification.people import People
from deploy.verification.shapes import MINUTE
from deploy.verification.spans import Span

if TYPE_CHECKING:
    from schemas.config import Config


class Terms:
    """The configuration as metrics need it."""

    def __init__(self, config: Config, people: People, definitions: Definitions) -> None:
        self.config = config
        self.people = people
        self.definitions = definitions
        self.currency = config.organisation.currency
        self.offices: Mapping[str, Office] = {
            name: office_of(entry.model_dump_json(), entry) for name, entry in config.calendars.items()
        }
        self._rates = {
            currency: [(date.min if one.since is None else one.since, Fraction(one.rate)) for one in said]
            for currency, said in config.currency_rates.items()
        }

    def rate(self, currency: str | None, on: date) -> Fraction | None:
        """One unit in the organisation's currency on a day; None where nobody said the rate."""
        if currency is None or currency == self.currency:
            return Fraction(1)
        known = [rate for since, rate in self._rates.get(currency, ()) if since <= on]
        return known[-1] if known else None

    def calendar_of(self, team: str | None) -> str | None:
        """The calendar of a team: its own, else the organisation's."""
        own = self.config.teams[team].calendar if team in self.config.teams else None
        return own or self.config.organisation.calendar

    @property
    def office(self) -> Office | None:
        """The organisation's hours of work."""
        name = self.config.organisation.calendar
        return None if name is None else self.offices[name]

    def is_kept(self, span: Span) -> bool:
        """Whether all of a window is still known, of which days and minutes are kept for so long."""
        kept = self.config.retention
        if span.start is None:
            return span.first >= self.people.day_of(span.now - kept.records)
        return span.start >= (span.now // MINUTE - kept.minutes // MINUTE + 1) * MINUTE

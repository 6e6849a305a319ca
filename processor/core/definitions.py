"""What the configuration says about deriving: calendars, aliases, rates, SLA rules.

Owns the one value that the core takes beside its records. A changed definition takes effect at a restart, when the
aggregates are derived anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from processor.core.plan import Evaluator
from schemas.calendars import BusinessCalendar
from schemas.catalogue.defined import bound_under
from schemas.catalogue.rules import Rules
from schemas.config import Config
from schemas.config.leads import LeadResponse
from schemas.config.rules import rules_of
from schemas.windows import Calendar

PEOPLE = frozenset({"rep", "creator", "booked_by", "logged_by", "attendees"})
"""Fields of records that name persons."""


@dataclass(frozen=True, slots=True)
class Definitions:
    """Everything that turns records into numbers, besides the records."""

    calendar: Calendar
    rules: Rules
    """What of the configuration the plan depends on."""
    counting: Evaluator
    """What counts for whom, when and as what."""
    aliases: Mapping[str, str]
    lead_response: LeadResponse
    calendars: Mapping[str, BusinessCalendar]
    team_calendars: Mapping[str, str]
    """Team -> name of its own calendar."""
    default_calendar: str | None
    """For everybody else: teams without a calendar, and leads of nobody or of nobody's team."""
    file_teams: Mapping[str, str]
    """Rep -> the team that the file gives them."""
    minutes_kept: int
    records_kept: int
    cold_sources: frozenset[str]
    """Sources of leads that never asked for us: a call to one before any contact is cold."""
    matches: Mapping[str, tuple[str, int]]
    """Connection -> the one whose calls it repeats, and how far apart the two of a call may lie (microseconds)."""
    quiet_after: int
    """How long a lead or deal may go without a touch (microseconds)."""

    def person(self, id: str | None) -> str | None:
        """The roster's id of a person, which is the one served."""
        return None if id is None else self.aliases.get(id, id)

    def with_people(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """A row with its people as they are served: what a group makes of records."""
        return {name: self._served(value) if name in PEOPLE else value for name, value in row.items()}

    def _served(self, people: Any) -> Any:
        if isinstance(people, list):
            return list(dict.fromkeys(self.aliases.get(each, each) for each in people))
        return self.aliases.get(people, people)

    def calendar_of(self, team: str | None) -> str | None:
        """The name of the calendar that a team goes by; None: everybody there is always at work."""
        return self.default_calendar if team is None else self.team_calendars.get(team, self.default_calendar)


def definitions_of(config: Config) -> Definitions:
    """The definitions of a configuration."""
    organisation, rules, aliases = config.organisation, rules_of(config), config.aliases()
    return Definitions(
        calendar=Calendar(organisation.zone, organisation.first_weekday),
        rules=rules,
        counting=Evaluator(bound_under(config.defined, rules).plan, aliases),
        aliases=aliases,
        lead_response=config.lead_response,
        calendars=config.business_calendars(),
        team_calendars={name: team.calendar for name, team in config.teams.items() if team.calendar is not None},
        default_calendar=organisation.calendar,
        file_teams={id: rep.team for id, rep in config.reps.items() if rep.team is not None},
        minutes_kept=config.retention.minutes,
        records_kept=config.retention.records,
        matches={
            name: (connection.match.calls.other, connection.match.calls.within)
            for name, connection in config.connections.items()
            if connection.match is not None
        },
        cold_sources=frozenset(config.defined.cold_sources),
        quiet_after=config.defined.quiet_after,
    )

"""What an SLA rule means for one lead: how long it may wait, and on which clock.

Owns the choice of rule, team and calendar. Business arithmetic is in schemas/calendars.py.
"""

from typing import NamedTuple

from processor.core.definitions import Definitions
from schemas.calendars import BusinessCalendar


class LeadTerms(NamedTuple):
    """What holds for one lead."""

    sla: int
    team: str | None
    calendar_name: str | None
    calendar: BusinessCalendar | None
    is_business: bool

    def after(self, start: int, duration: int) -> int:
        """The instant at which so much time has passed on the rule's clock."""
        if self.is_business and self.calendar is not None:
            return self.calendar.after(start, duration)
        return start + duration

    def business(self, start: int, end: int) -> int | None:
        """Business time between two instants; None without a calendar."""
        return None if self.calendar is None else self.calendar.between(start, end)


def terms_of(source: str | None, team: str | None, definitions: Definitions) -> LeadTerms:
    """The first rule that matches; where neither team nor organisation has a calendar, there is elapsed time only."""
    rule = definitions.lead_response.rule(source, team)
    name = definitions.calendar_of(team)
    return LeadTerms(
        sla=rule.sla,
        team=team,
        calendar_name=name,
        calendar=None if name is None else definitions.calendars[name],
        is_business=rule.clock == "business" and name is not None,
    )

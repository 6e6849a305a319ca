"""Meetings that last whole days, which Salesforce writes as midnight UTC: they are days of the organisation.

https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_objects_event.htm
"""

from collections.abc import Mapping
from typing import Any

from schemas.connectors.salesforce.objects import event_begin, event_end, flag
from schemas.instants import DAY, format_instant
from schemas.windows import Calendar

ALL_DAY = "IsAllDayEvent"


def in_days(event: Mapping[str, Any], calendar: Calendar) -> Mapping[str, Any]:
    """The event with the first instant of its first day, and of the day behind its last one. Raises ValueError."""
    begin, end = event_begin(event), event_end(event)
    if flag(event.get(ALL_DAY)) is not True or begin is None:
        return event
    first = begin // DAY
    # A day's length counts from its midnight; the instant of its end is that of the last day's begin.
    last = first if end is None else end // DAY if event.get("EndDateTime") else max(first, (end - 1) // DAY)
    return {
        **event,
        "StartDateTime": format_instant(calendar.day_start(first)),
        "EndDateTime": format_instant(calendar.day_start(last + 1)),
    }


def may_be_days(changed: Mapping[str, Any]) -> bool:
    """Whether what has changed in an event may be days, which only the whole of it tells. Raises ValueError."""
    return ALL_DAY in changed or any(
        at is not None and at % DAY == 0 for at in (event_begin(changed), event_end(changed))
    )

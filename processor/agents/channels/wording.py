"""How people are told of alerts: a headline and a line for each, in plain text.

Owns the words. Says ids, teams and times only: no names, addresses or anything else of a person.
"""

from collections import Counter
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from schemas.alerts import Alert
from schemas.instants import to_datetime

LISTED = 20
"""Alerts that one message names; the rest is counted."""

_WORDS = {"warn": "soon due", "breach": "overdue", "escalate": "escalated"}


def headline(alerts: Sequence[Alert]) -> str:
    """One line for all of them."""
    if len(alerts) == 1:
        alert = alerts[0]
        if alert.event == "resolved":
            return f"Lead {alert.lead} no longer waits"
        return f"Lead {alert.lead} is {_WORDS[alert.level]}"
    counts = Counter("no longer waiting" if alert.event == "resolved" else _WORDS[alert.level] for alert in alerts)
    order = (*_WORDS.values(), "no longer waiting")
    return f"{len(alerts)} leads: " + ", ".join(f"{counts[word]} {word}" for word in order if counts[word])


def lines(alerts: Sequence[Alert], zone: ZoneInfo) -> list[str]:
    """A line for each alert, and one for those that are not listed."""
    found = [_line(alert, zone) for alert in alerts[:LISTED]]
    if len(alerts) > LISTED:
        found.append(f"and {len(alerts) - LISTED} more")
    return found


def _line(alert: Alert, zone: ZoneInfo) -> str:
    whose = ", ".join(
        part
        for part in (
            f"rep {alert.rep}" if alert.rep is not None else "nobody's",
            f"team {alert.team}" if alert.team is not None else "",
        )
        if part
    )
    if alert.event == "resolved":
        return f"Lead {alert.lead} ({whose}): no longer waiting, was {_WORDS[alert.level]}"
    late = ", told late" if alert.is_late else ""
    again = ", waits again" if alert.event == "reopened" else ""
    return (
        f"Lead {alert.lead} ({whose}): {_WORDS[alert.level]} since {_moment(alert.due_at, zone)}, "
        f"waiting since {_moment(alert.started_at, zone)}{late}{again}"
    )


def _moment(instant: int, zone: ZoneInfo) -> str:
    return to_datetime(instant).astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")

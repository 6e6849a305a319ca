"""Which channel is told of which alert, and when it may be: routes, and hours in which people are left in peace.

Owns the rules of the configuration's `alerts`. Pure.
"""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from schemas.alerts import Alert
from schemas.config.alerts import Alerts, QuietHours
from schemas.instants import from_datetime, to_datetime


def routed(alerts: Iterable[Alert], rules: Alerts) -> dict[str, list[Alert]]:
    """Channel -> what it has to be told, in order. What one was told for an earlier team goes there too."""
    found: dict[str, list[Alert]] = {}
    for alert in alerts:
        teams = (*alert.told_teams, alert.team)
        channels = (channel for team in teams for channel in rules.channels_for(alert.level, team, alert.kind))
        for channel in dict.fromkeys(channels):
            found.setdefault(channel, []).append(alert)
    return found


def quiet_until(quiet: QuietHours | None, level: str, now: int) -> int | None:
    """When the quiet hours that hold this level back at `now` end; None if it may be told now."""
    if quiet is None or level in quiet.let_through:
        return None
    zone = ZoneInfo(quiet.timezone)
    local = to_datetime(now).astimezone(zone)
    begins, ends = quiet.span
    # The span that began yesterday may still last.
    for day in (local.date() - timedelta(days=1), local.date()):
        start = from_datetime(_at(day, begins, zone))
        end = from_datetime(_at(day if ends > begins else day + timedelta(days=1), ends, zone))
        if start <= now < end:
            return end
    return None


def _at(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(minutes // 60, minutes % 60), zone)

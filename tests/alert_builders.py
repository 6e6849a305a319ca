"""Builders of clocks and alerts with defaults. Owns no expectation."""

from typing import Any

from schemas.alerts import Alert, Crossing, alert_id
from schemas.catalogue.reading import shipped
from schemas.instants import HOUR, MINUTE, SECOND, parse_instant
from schemas.leads import LeadClock

START = parse_instant("2026-03-18T10:00:00Z")


def make_clock(
    lead: str = "l1",
    start: int = START,
    *,
    sla: int = HOUR,
    answered_at: int | None = None,
    status: str | None = None,
    rep: str | None = "r1",
    team: str | None = "north",
) -> LeadClock:
    """Make a clock on elapsed time: warned at 45 minutes, due after an hour, escalated after two."""
    return LeadClock(
        lead, rep, "web", status, start, start + sla, sla, answered_at=answered_at, team=team,
        warn_at=start + sla * 3 // 4, escalate_at=start + 2 * sla,
    )  # fmt: skip


def make_alert(
    lead: str = "l1", level: str = "breach", *, team: str | None = "north", due_at: int = START + HOUR, late: int = 0
) -> Alert:
    """Make an alert that was raised at its instant, or `late` microseconds after it."""
    return Alert(
        alert_id(lead, level, START, due_at), "lead_response", level, lead, "r1", team, START, due_at, due_at + late,
        is_late=late > 2 * SECOND,
    )  # fmt: skip


def make_crossing(
    *, rep: str | None = "r1", team: str | None = "north", day: int = 18, level: str = "warn", **fields: Any
) -> Alert:
    """Make an alert of a rep's (team's, organisation's) number of a day in March: nine calls by eleven, by default."""
    per = "rep" if rep is not None else "team" if team is not None else "organisation"
    metric: dict[str, Any] = {
        "metric": "calls_made", "window": "today", "comparison": "below", "limit": 10, "value": 9, "at": "11:00",
    }  # fmt: skip
    known = shipped().metrics[fields.get("metric", metric["metric"])]
    words = {"label": known.label, "unit": known.unit}
    crossing = Crossing(**{"threshold": "few", "per": per} | metric | words | fields)
    midnight = parse_instant(f"2026-03-{day}T00:00:00Z")
    due_at = midnight + 11 * HOUR
    return Alert(
        f"few:0a1b2c3d:{per}:{rep or team or ''}:2026-03-{day}", "metric_threshold", level, None, rep, team, midnight,
        due_at, due_at, crossing=crossing,
    )  # fmt: skip


__all__ = ["HOUR", "MINUTE", "SECOND", "START", "make_alert", "make_clock", "make_crossing"]

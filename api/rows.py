"""Rows and lists as REST and SSE show them: the contract's JSON shapes.

Owns names and forms of what is served; the values come from the view. Pure: `now` is an argument.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from api.view import Scope, Values, View
from schemas.dead_letters import DeadLetter
from schemas.instants import SECOND, format_instant
from schemas.leads import LeadClock
from schemas.progress import STAGES
from schemas.windows import Span

Json = dict[str, Any]


def metrics_row(view: View, scope: Scope, span: Span, values: Values, now: int) -> Json:
    """A row of metrics: a rep's, a team's (no `rep`) or the organisation's (neither)."""
    start, end = span.bounds(view.calendar)
    row = scope_fields(view, scope, now)
    row["window"] = {"name": span.name, "from": format_instant(start), "to": format_instant(end)}
    row["as_of"] = format_instant(now)
    row["metrics"] = values.metrics
    row["bounds"] = values.bounds
    if has_money(view, values.metrics):
        row["currency"] = view.config.organisation.currency
    return row


def scope_fields(view: View, scope: Scope, now: int) -> Json:
    """Who a row is about."""
    if scope.id is None:
        return {}
    if scope.kind == "team":
        return {"team": scope.id, "name": view.roster.team_names.get(scope.id, scope.id)}
    return {
        "rep": scope.id,
        "name": view.roster.name_of(scope.id),
        "team": view.roster.team_on(scope.id, view.calendar.day_of(now)),
    }


def has_money(view: View, metrics: Iterable[str]) -> bool:
    """Whether any of these metrics is money, so that the row needs its currency."""
    return any(view.catalogue[name].entry.unit == "money" for name in metrics)


def person_json(view: View, rep: str, now: int) -> Json:
    """An entry of `/v1/reps`."""
    person = view.roster.people.get(rep)
    return {
        "rep": rep,
        "name": view.roster.name_of(rep),
        "team": view.roster.team_on(rep, view.calendar.day_of(now)),
        "active": person.active if person is not None else True,
        "in_roster": person is not None,
    }


def waiting_lead(view: View, clock: LeadClock, now: int) -> Json:
    """A lead without an answer, or what became of it: `state` is then `answered`, `closed` or `merged`."""
    return {
        "lead": clock.lead,
        "rep": clock.rep,
        "name": None if clock.rep is None else view.roster.name_of(clock.rep),
        "team": view.roster.team_on(clock.rep, view.calendar.day_of(now)),
        "source": clock.source,
        "started_at": instant(clock.started_at),
        "due_at": instant(clock.due_at),
        "waiting_seconds": None if clock.started_at is None else max(0, (now - clock.started_at) // SECOND),
        "business_seconds": None,
        "warn_at": None
        if clock.started_at is None
        else instant(clock.warned_at(view.config.lead_response.warn_at)),
        "state": clock.state(now, view.config.lead_response.warn_at),
    }


def lead_json(view: View, clock: LeadClock, now: int) -> Json:
    """The clock of one lead, with the touch that stopped it."""
    kind, _, touch = (clock.touch or "").partition("|")
    response = clock.response
    return waiting_lead(view, clock, now) | {
        "status": clock.status,
        "sla_seconds": clock.sla / SECOND,
        "answered_at": instant(clock.answered_at),
        "response_seconds": None if response is None else response / SECOND,
        "within_sla": None if response is None else response <= clock.sla,
        "touch": {"record": kind, "id": touch, "rep": clock.touch_rep, "at": instant(clock.answered_at)}
        if clock.touch is not None
        else None,
        "merged_into": clock.merged_into,
    }


def dead_letter_json(letter: DeadLetter) -> Json:
    """A dead letter; its bytes stay in the log."""
    return {
        "id": letter.id,
        "connection": letter.connection or None,
        "reason": letter.reason,
        "detail": letter.detail,
        "delivery": f"{letter.partition}-{letter.offset}",
        "index": letter.index,
        "received_at": instant(letter.received_at or None),
    }


def freshness_json(
    view: View,
    *,
    latency: Mapping[str, float | None],
    behind_seconds: float,
    applied: Mapping[str, Mapping[str, int]],
    now: int,
) -> Json:
    """How fresh the numbers are: per connection, the latency of the last minutes, and how far behind the log they are."""
    newest: dict[str, tuple[int, int]] = {}
    for (stage, _), progress in view.progress.items():
        if stage == "normalise":
            for name, (received_at, changed_at) in progress.connections.items():
                held = newest.get(name, (0, 0))
                newest[name] = (max(held[0], received_at), max(held[1], changed_at))
    return {
        "as_of": format_instant(now),
        "server_time": format_instant(now),
        "timezone": view.config.organisation.timezone,
        "connections": [
            {
                "connection": name,
                "kind": connection.kind,
                "last_delivery_at": instant(newest.get(name, (None, None))[0] or None),
                "last_event_at": instant(newest.get(name, (None, None))[1] or None),
            }
            for name, connection in view.config.connections.items()
        ],
        "end_to_end_seconds": dict(latency),
        "behind_seconds": behind_seconds,
        "progress": {
            stage: {
                str(partition): progress.offset
                for (of_stage, partition), progress in sorted(view.progress.items())
                if of_stage == stage
            }
            for stage in STAGES
        },
        "applied": applied,
    }


def instant(value: int | None) -> str | None:
    """An instant as text, if there is one."""
    return None if value is None else format_instant(value)


def waiting_leads(view: View, now: int) -> list[Json]:
    """All leads that wait, longest first."""
    clocks = sorted(view.waiting.values(), key=lambda clock: (clock.started_at or 0, clock.lead))
    return [waiting_lead(view, clock, now) for clock in clocks]

"""Rows and lists as REST and SSE show them: the contract's JSON shapes.

Owns names and forms of what is served; the values come from the view. Pure: `now` is an argument.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date

from api.read.view import Scope, ScopeValues, View
from schemas.alerts import Alert, crossing_fields
from schemas.calendars import BusinessCalendar
from schemas.catalogue import Catalogue
from schemas.catalogue.checking import made_of, splits_of
from schemas.connection_states import ConnectionState
from schemas.dead_letters import DeadLetter
from schemas.instants import SECOND, format_instant
from schemas.json_object import Json
from schemas.leads import Inquiry, LeadClock
from schemas.media import photo_of
from schemas.progress import STAGES
from schemas.verifications import Verification
from schemas.windows import Span


def metric_json(catalogue: Catalogue, name: str, today: date) -> Json:
    """A metric of the catalogue, as people may read it."""
    entry = catalogue[name]
    benchmark = entry.benchmark
    return {
        "name": name,
        "label": entry.label,
        "unit": entry.unit,
        "better": entry.better,
        "type": entry.type,
        "additive": entry.is_additive,
        "definition": entry.description,
        "description": entry.description,
        "version": entry.version_on(today),
        "versions": entry.versions_json(),
        "by": splits_of(catalogue, name),
        "tags": entry.tags,
        "owner": entry.owner,
        "benchmark": None if benchmark is None else {"value": benchmark.value, "source": benchmark.source},
    }


def row_maker(view: View, span: Span, now: int) -> Callable[[Json, ScopeValues], Json]:
    """Makes rows of metrics: a rep's, a team's (no `rep`) or the organisation's (neither), from their `scope_fields`.

    What is the same in all of them is written once.
    """
    window = window_json(view, span)
    as_of, currency = format_instant(now), view.config.organisation.currency
    crossing = view.versions_in(span)

    def make(head: Json, values: ScopeValues) -> Json:
        metrics = values.metrics
        row = {**head, "window": window, "as_of": as_of, "metrics": metrics, "bounds": values.bounds}
        if values.unavailable:
            row["unavailable"] = values.unavailable
        if crossing:
            behind = _with_parts(view, metrics)
            versions = {name: places for name, places in crossing.items() if name in behind}
            if versions:
                row["versions"] = versions
        if has_money(view, metrics):
            row["currency"] = currency
        return row

    return make


def _with_parts(view: View, names: Iterable[str]) -> set[str]:
    """These metrics, and all that they are made of: what is made of several versions has none of its own."""
    found: set[str] = set()
    waiting = [*names]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += made_of(view.catalogue[name])
    return found


def window_json(view: View, span: Span) -> Json:
    """A window by its name, with its first instant and the first one after it."""
    start, end = span.bounds(view.calendar)
    return {"name": span.name, "from": format_instant(start), "to": format_instant(end)}


def scope_fields(view: View, scope: Scope, now: int) -> Json:
    """Who a row is about."""
    if scope.id is None:
        return {}
    if scope.kind == "team":
        return {"team": scope.id, "name": view.roster.team_names.get(scope.id, scope.id)}
    person = view.roster.people.get(scope.id)
    photo = None if person is None else photo_of(scope.id, person.photo)
    return {
        "rep": scope.id,
        "name": view.roster.name_of(scope.id),
        "team": view.roster.team_on(scope.id, view.calendar.day_of(now)),
        **({} if photo is None else {"photo": photo}),
    }


def has_money(view: View, metrics: Iterable[str]) -> bool:
    """Whether any of these metrics is money, so that the row needs its currency."""
    return not view.money.isdisjoint(metrics)


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
    """A lead without an answer, or what became of it: `state` is then `answered`, `closed` or `merged`.

    Touches that are still to come are not there yet.
    """
    return {
        "lead": clock.lead,
        "lead_name": clock.name,
        "rep": clock.rep,
        "name": None if clock.rep is None else view.roster.name_of(clock.rep),
        "team": view.roster.team_on(clock.rep, view.calendar.day_of(now)),
        "source": clock.source,
        "started_at": instant_or_none(clock.started_at),
        "due_at": instant_or_none(clock.due_at),
        "waiting_seconds": None if clock.started_at is None else max(0, (now - clock.started_at) // SECOND),
        "business_seconds": whole_seconds(clock.business_waiting(view.business, now)),
        "warn_at": None
        if clock.started_at is None
        else instant_or_none(clock.warned_at(view.config.lead_response.warn_at)),
        "state": clock.state(now, view.config.lead_response.warn_at),
    }


def lead_news(view: View, clock: LeadClock, now: int) -> Json:
    """A lead as the stream tells of it: with who has answered, once somebody has."""
    lead = waiting_lead(view, clock, now)
    if lead["state"] != "answered" or clock.touch_rep is None:
        return lead
    return lead | {
        "answered_at": instant_or_none(clock.answered_at),
        "answered_rep": clock.touch_rep,
        "answered_team": view.roster.team_on(clock.touch_rep, view.calendar.day_of(now)),
        "answered_by": view.roster.name_of(clock.touch_rep),
    }


def absent_lead(lead: str, state: str) -> Json:
    """A lead that a client has to forget: `deleted`, or `moved` to whom it does not look at."""
    return dict.fromkeys(_LEAD_FIELDS) | {"lead": lead, "state": state}


_LEAD_FIELDS = (
    "lead", "rep", "name", "team", "source", "started_at", "due_at", "waiting_seconds", "business_seconds", "warn_at",
    "state",
)  # fmt: skip


def lead_json(view: View, clock: LeadClock, now: int) -> Json:
    """The clock of one lead as it is now, with the touch that stopped it."""
    clock = clock.seen_at(now)
    return waiting_lead(view, clock, now) | {
        "status": clock.status,
        "sla_seconds": clock.sla / SECOND,
        "answered_at": instant_or_none(clock.answered_at),
        "response_seconds": seconds(clock.response),
        "within_sla": clock.is_within_sla,
        "touch": _touch_json(clock),
        "merged_into": clock.merged_into,
        "clock": "business" if clock.is_business else "elapsed",
        "calendar": clock.calendar,
        "escalate_at": instant_or_none(clock.escalate_at),
        "business_response_seconds": seconds(clock.business_response),
        "touched_before": clock.is_touched_before,
        "assigned_at": instant_or_none(clock.assigned_at),
        "assigned_response_seconds": seconds(clock.assigned_response),
        "assigned_business_response_seconds": seconds(clock.assigned_business_response),
        "attempted_at": instant_or_none(clock.attempted_at),
        "contacted_at": instant_or_none(clock.contacted_at),
        "qualified_at": instant_or_none(clock.qualified_at),
        "automated_at": instant_or_none(clock.automated_at),
        "holders": [
            {
                "rep": holder.rep,
                "name": view.roster.name_of(holder.rep),
                "since": instant_or_none(holder.since),
                "until": instant_or_none(holder.until),
                "answered_at": instant_or_none(holder.answered_at),
                "held_seconds": whole_seconds(holder.time_held(now)),
            }
            for holder in clock.holders
        ],
        "inquiries": [inquiry_json(inquiry) for inquiry in clock.inquiries],
    }


def of_one(lead: Json, rep: str) -> Json:
    """A lead as its owner is shown it who may not see what others did: without who else held or answered it."""
    return lead | {
        "touch": _own_touch(lead["touch"], rep),
        "holders": [holder for holder in lead["holders"] if holder["rep"] == rep],
        "inquiries": [asked | {"touch": _own_touch(asked["touch"], rep)} for asked in lead["inquiries"]],
    }


def _own_touch(touch: Json | None, rep: str) -> Json | None:
    return touch if touch is None or touch["rep"] == rep else touch | {"rep": None}


def inquiry_json(inquiry: Inquiry) -> Json:
    """A later clock of a lead: who asked again, and when that was answered."""
    record, _, id = inquiry.record.partition("|")
    return {
        "record": record,
        "id": id,
        "started_at": instant_or_none(inquiry.started_at),
        "due_at": instant_or_none(inquiry.due_at),
        "answered_at": instant_or_none(inquiry.answered_at),
        "response_seconds": (
            None if inquiry.answered_at is None else seconds(inquiry.answered_at - inquiry.started_at)
        ),
        "business_response_seconds": seconds(inquiry.business_response),
        "within_sla": None if inquiry.answered_at is None else inquiry.answered_at <= inquiry.due_at,
        "touch": _touch_json(inquiry),
    }


def _touch_json(of: LeadClock | Inquiry) -> Json | None:
    """What stopped a clock; None: nothing has."""
    if of.touch is None:
        return None
    kind, _, id = of.touch.partition("|")
    return {"record": kind, "id": id, "rep": of.touch_rep, "at": instant_or_none(of.answered_at)}


def seconds(duration: int | None) -> float | None:
    """A duration in seconds, if there is one."""
    return None if duration is None else duration / SECOND


def whole_seconds(duration: int | None) -> int | None:
    """A duration that still grows, in whole seconds."""
    return None if duration is None else duration // SECOND


def alert_json(view: View, alert: Alert) -> Json:
    """An alert. Owner and team are the lead's while it is open, then as they were last."""
    done = view.acknowledgement(alert.id)
    return {
        "id": alert.id,
        "kind": alert.kind,
        "level": alert.level,
        "lead": alert.lead,
        "rep": alert.rep,
        "name": None if alert.rep is None else view.roster.name_of(alert.rep),
        "team": alert.team,
        "started_at": instant_or_none(alert.started_at),
        "due_at": instant_or_none(alert.due_at),
        "raised_at": instant_or_none(alert.raised_at),
        "resolved_at": instant_or_none(alert.resolved_at),
        "late": alert.is_late,
        "request": alert.request or None,
        "acknowledged_at": instant_or_none(done.acknowledged_at),
        "snoozed_until": instant_or_none(done.snoozed_until),
    } | crossing_fields(alert)


def open_alerts(view: View) -> list[Json]:
    """All alerts of what is still so, newest first."""
    found = sorted(view.open_alerts.values(), key=newest_alert_first)
    return [alert_json(view, alert) for alert in found]


def newest_alert_first(alert: Alert) -> tuple[int, str]:
    """Of those that were raised at the same time, by id."""
    return -alert.raised_at, alert.id


def dead_letter_json(letter: DeadLetter) -> Json:
    """A dead letter; its bytes stay in the log."""
    return {
        "id": letter.id,
        "connection": letter.connection or None,
        "reason": letter.reason,
        "detail": letter.detail,
        "delivery": f"{letter.partition}-{letter.offset}",
        "index": letter.index,
        "received_at": instant_or_none(letter.received_at or None),
        "request": letter.request or None,
    }


def freshness_json(
    view: View,
    *,
    latency: Mapping[str, float | None],
    behind_seconds: float,
    applied: Mapping[str, Mapping[str, int]],
    generation: int,
    now: int,
) -> Json:
    """How fresh the numbers are: per connection; latency of the last minutes; how far behind the log they are."""
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
                "last_delivery_at": instant_or_none(newest.get(name, (None, None))[0] or None),
                "last_event_at": instant_or_none(newest.get(name, (None, None))[1] or None),
                **reconciled_json(view.connection_states.get(name)),
            }
            for name, connection in view.config.connections.items()
        ],
        "calendars": [calendar_json(name, calendar, now) for name, calendar in view.business.items()],
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
        "definitions": view.definitions,
        "generation": generation,
        "verification": None if view.verification is None else verification_json(view.verification, now),
    }


def calendar_json(name: str, calendar: BusinessCalendar, now: int) -> Json:
    """Whether they work now who go by a calendar: outside of their hours nothing comes, and nothing is wrong."""
    since, until = calendar.turned_at(now)
    return {
        "calendar": name,
        "is_open": calendar.is_open(now),
        "since": instant_or_none(since),
        "until": instant_or_none(until),
    }


def reconciled_json(state: ConnectionState | None) -> Json:
    """How far reconciliation is, and what no webhook has brought; null where nobody asks its API."""
    if state is not None and not state.is_asked:
        state = None
    return {
        "reconciled_at": None if state is None else instant_or_none(state.reconciled_at),
        "missed": None if state is None else {"day": state.missed_day, "month": state.missed_month},
    }


def verification_json(found: Verification, now: int) -> Json:
    """What the continuous recount found: how many values differ, in which windows, and when that was looked at."""
    return {
        "verified_at": instant_or_none(found.verified_at),
        "differences": found.differences,
        "undecided": found.undecided,
        "stale": found.is_stale(now),
        "every_seconds": found.every / SECOND,
        "deliveries": found.deliveries,
        "changes": found.changes,
        "windows": [
            {
                "window": held.name,
                "verified_at": instant_or_none(held.at),
                "differences": held.differences,
                "undecided": held.undecided,
            }
            for held in found.windows
        ],
        "left_out": list(found.left_out),
        "first": [{"window": one.window, "scope": one.scope, "metric": one.metric} for one in found.first],
    }


def instant_or_none(value: int | None) -> str | None:
    """An instant as text, if there is one."""
    return None if value is None else format_instant(value)


def waiting_clocks(view: View, now: int) -> list[LeadClock]:
    """All leads that wait, longest first."""
    return sorted((clock for clock in view.waiting.values() if clock.is_waiting(now)), key=waiting_order)


def waiting_order(clock: LeadClock) -> tuple[int, str]:
    """Longest first; of those that wait equally long, by id."""
    return clock.started_at or 0, clock.lead


def waiting_leads(view: View, now: int) -> list[Json]:
    """All leads that wait, longest first, as REST shows them."""
    return [waiting_lead(view, clock, now) for clock in waiting_clocks(view, now)]

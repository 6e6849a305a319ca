"""What REST answers look like, for OpenAPI, and how an answer is sent: JSON with an ETag of its values.

Owns the documented models, the ETag, and what is remembered of encoded answers. The values themselves are made in
rows.py.
"""

from collections.abc import Callable
from typing import Any, Literal

import orjson
from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from api.read.response_cache import Known, tag_of

_MOVES_BY_ITSELF = frozenset(
    {
        "as_of",
        "waiting_seconds",
        "business_seconds",
        "held_seconds",
        "server_time",
        "end_to_end_seconds",
        "behind_seconds",
    }
)
"""Fields that change with the clock alone: an answer whose values are the same keeps its ETag."""


def answer_known(request: Request, found: Known, as_of: str) -> Response:
    """The answer as of an instant; 304 if the client has these values already."""
    return _tagged(request, found.tag, lambda: b"".join((found.before, as_of.encode(), found.after)))


def answer(request: Request, payload: Any) -> Response:
    """The payload as JSON; 304 if the client has these values already."""
    values = orjson.dumps(_values_of(payload))
    if _has_bounds(payload):
        # Bounds grow with the clock, and that alone is no news; but with any change of the numbers they may sink too.
        values += b"%d" % request.app.state.read_side.view.revision
    return _tagged(request, tag_of(values), lambda: orjson.dumps(payload))


def _tagged(request: Request, tag: str, body: Callable[[], bytes]) -> Response:
    headers = {"etag": tag, "cache-control": "no-cache"}
    known = request.headers.get("if-none-match")
    if known is not None and _is_among(tag, known):
        return Response(status_code=304, headers=headers)
    return Response(body(), media_type="application/json", headers=headers)


def _values_of(payload: Any) -> Any:
    if isinstance(payload, dict):
        return {
            key: sorted(value) if key == "bounds" else _values_of(value)
            for key, value in payload.items()
            if key not in _MOVES_BY_ITSELF
        }
    if isinstance(payload, list):
        return [_values_of(value) for value in payload]
    return payload


def _has_bounds(payload: Any) -> bool:
    return bool(payload.get("bounds")) or any(row.get("bounds") for row in payload.get("rows", ()))


def _is_among(tag: str, known: str) -> bool:
    return known.strip() == "*" or tag in {part.strip().removeprefix("W/") for part in known.split(",")}


class _Answer(BaseModel):
    model_config = ConfigDict(populate_by_name=True)


class ProblemAnswer(_Answer):
    """An error (RFC 9457)."""

    type: str = Field(examples=["urn:floorcast:problem:not-found"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(description="One line for people.", examples=["there is no rep 'r-18'"])
    field: str | None = Field(default=None, description="The parameter or header to look at.", examples=["rep"])


class WindowAnswer(_Answer):
    """The window of a row."""

    name: str = Field(examples=["today"])
    from_: str = Field(alias="from", description="First instant, included.", examples=["2026-03-17T16:00:00.000Z"])
    to: str = Field(description="First instant after the window.", examples=["2026-03-18T16:00:00.000Z"])


_METRICS_EXAMPLE = {"calls_made": 37, "connect_rate": 0.3513513513513513, "revenue_won": "48500.00"}


class RowAnswer(_Answer):
    """Metrics of a rep, of a team (no `rep`) or of the organisation (neither)."""

    rep: str | None = Field(default=None, examples=["r-17"])
    name: str | None = Field(default=None, examples=["Ana Lim"])
    team: str | None = Field(default=None, description="The rep's team today.", examples=["north"])
    window: WindowAnswer
    as_of: str = Field(examples=["2026-03-18T09:41:30.344Z"])
    metrics: dict[str, int | float | str | None] = Field(
        description="By name. Counts and sums are 0 where nothing happened; ratios and percentiles null.",
        examples=[_METRICS_EXAMPLE],
    )
    bounds: dict[str, float] = Field(
        description="Metric that is null because the rank falls on a lead without an answer -> what it is at least.",
        examples=[{"lead_response_seconds_p90": 18000}],
    )
    currency: str | None = Field(default=None, description="Of money among the metrics.", examples=["USD"])


class RowsAnswer(_Answer):
    """A list of rows."""

    rows: list[RowAnswer]
    as_of: str = Field(examples=["2026-03-18T09:41:30.344Z"])


class MetricAnswer(_Answer):
    """A metric of the catalogue."""

    name: str = Field(examples=["calls_made"])
    label: str = Field(examples=["Calls made"])
    unit: str = Field(description="count, ratio, seconds, days or money.", examples=["count"])
    better: Literal["higher", "lower"] = Field(description="Which values rank first.", examples=["higher"])
    definition: str = Field(examples=["Outbound calls, at the instant of dialling."])
    version: int = Field(examples=[1])


class MetricsAnswer(_Answer):
    """The catalogue."""

    rows: list[MetricAnswer]
    as_of: str = Field(examples=["2026-03-18T09:41:30.344Z"])


class RepAnswer(_Answer):
    """A rep of the roster, or one that only records name."""

    rep: str = Field(examples=["r-17"])
    name: str = Field(examples=["Ana Lim"])
    team: str | None = Field(examples=["north"])
    active: bool = Field(examples=[True])
    in_roster: bool = Field(description="False: only records name them.", examples=[True])


class RepsAnswer(_Answer):
    """The roster."""

    rows: list[RepAnswer]
    as_of: str = Field(examples=["2026-03-18T09:41:30.344Z"])


class TeamAnswer(_Answer):
    """A team."""

    team: str = Field(examples=["north"])
    name: str = Field(examples=["North"])
    reps: list[str] = Field(description="Who is in it today.", examples=[["r-17"]])


class TeamsAnswer(_Answer):
    """All teams."""

    rows: list[TeamAnswer]
    as_of: str = Field(examples=["2026-03-18T09:41:30.344Z"])


class EntryAnswer(_Answer):
    """A place in a leaderboard."""

    rank: int | None = Field(description="Ties share a rank; null without a value.", examples=[1])
    rep: str = Field(examples=["r-17"])
    name: str = Field(examples=["Ana Lim"])
    team: str | None = Field(examples=["north"])
    value: int | float | str | None = Field(examples=[37])
    target: float | None = Field(description="The rep's goal, where one is set.", examples=[None])


class LeaderboardAnswer(_Answer):
    """Reps ordered by one metric in one window; those without a value come last, without a rank."""

    metric: str = Field(examples=["calls_made"])
    window: WindowAnswer
    as_of: str = Field(examples=["2026-03-18T09:41:30.344Z"])
    currency: str | None = Field(default=None, examples=["USD"])
    entries: list[EntryAnswer]


class PointAnswer(_Answer):
    """One step of a series."""

    from_: str = Field(alias="from", examples=["2026-03-18T09:41:00.000Z"])
    to: str = Field(examples=["2026-03-18T09:42:00.000Z"])
    value: int | float | str | None = Field(examples=[3])


class SeriesAnswer(_Answer):
    """A metric step by step."""

    metric: str = Field(examples=["calls_made"])
    rep: str | None = Field(default=None, description="Whose it is; neither: the organisation's.", examples=["r-17"])
    team: str | None = Field(default=None, examples=["north"])
    step: str = Field(examples=["1d"])
    as_of: str = Field(examples=["2026-03-18T09:41:30.344Z"])
    currency: str | None = Field(default=None, examples=["USD"])
    points: list[PointAnswer]


class WaitingLeadAnswer(_Answer):
    """A lead without an answer."""

    lead: str = Field(examples=["l-5"])
    rep: str | None = Field(examples=["r-17"])
    name: str | None = Field(examples=["Ana Lim"])
    team: str | None = Field(examples=["north"])
    source: str | None = Field(examples=["demo_request"])
    started_at: str | None = Field(examples=["2026-03-18T09:00:00.000Z"])
    due_at: str | None = Field(examples=["2026-03-18T10:00:00.000Z"])
    waiting_seconds: int | None = Field(examples=[2490])
    business_seconds: int | None = Field(description="On the team's calendar; null where none is set.", examples=[2490])
    warn_at: str | None = Field(description="When it is called warned.", examples=["2026-03-18T09:45:00.000Z"])
    state: str = Field(description="waiting, warned, breached; answered, closed, merged.", examples=["waiting"])


class WaitingLeadsAnswer(_Answer):
    """Leads without an answer, longest first."""

    rows: list[WaitingLeadAnswer]
    as_of: str = Field(examples=["2026-03-18T09:41:30.344Z"])
    total: int = Field(description="Of all pages.", examples=[12])
    next: str | None = Field(
        default=None, description="`cursor` of the next page.", examples=["WzE3NzM4NDUyMDAwMDAwMDAsImwtNSJd"]
    )


class TouchAnswer(_Answer):
    """What stopped a lead's clock."""

    record: str = Field(examples=["call"])
    id: str = Field(examples=["c-1017"])
    rep: str | None = Field(examples=["r-17"])
    at: str | None = Field(examples=["2026-03-18T09:38:02.000Z"])


class HolderAnswer(_Answer):
    """How long one owner of a lead took, while they held it."""

    rep: str = Field(examples=["r-17"])
    name: str = Field(examples=["Ana Lim"])
    since: str | None = Field(examples=["2026-03-18T09:05:00.000Z"])
    until: str | None = Field(description="Null: they hold it still.", examples=[None])
    answered_at: str | None = Field(
        description="Their own first touch in that time.", examples=["2026-03-18T09:38:02.000Z"]
    )
    held_seconds: int | None = Field(description="Until they answered or it was taken from them.", examples=[1982])


class InquiryAnswer(_Answer):
    """A later clock: the lead wrote or called again after an answer."""

    record: str = Field(examples=["email"])
    id: str = Field(examples=["e-31"])
    started_at: str | None = Field(examples=["2026-03-19T08:00:00.000Z"])
    due_at: str | None = Field(examples=["2026-03-19T09:00:00.000Z"])
    answered_at: str | None = Field(examples=["2026-03-19T08:20:00.000Z"])
    response_seconds: float | None = Field(examples=[1200.0])
    business_response_seconds: float | None = Field(examples=[1200.0])
    within_sla: bool | None = Field(examples=[True])
    touch: TouchAnswer | None


class LeadAnswer(WaitingLeadAnswer):
    """A lead's clock, and those that run beside it."""

    status: str | None = Field(examples=["new"])
    sla_seconds: float = Field(examples=[3600])
    answered_at: str | None = Field(examples=["2026-03-18T09:38:02.000Z"])
    response_seconds: float | None = Field(examples=[2282.0])
    within_sla: bool | None = Field(examples=[True])
    touch: TouchAnswer | None
    merged_into: str | None = Field(description="The lead that its start and touches count for.", examples=[None])
    clock: str = Field(description="What the SLA runs on: elapsed, business.", examples=["business"])
    calendar: str | None = Field(description="Of the owner's team.", examples=["office"])
    escalate_at: str | None = Field(examples=["2026-03-18T11:00:00.000Z"])
    business_response_seconds: float | None = Field(examples=[2282.0])
    touched_before: bool = Field(description="Whether the answer was there before the start.", examples=[False])
    assigned_at: str | None = Field(examples=["2026-03-18T09:05:00.000Z"])
    assigned_response_seconds: float | None = Field(description="From the assignment.", examples=[1982.0])
    assigned_business_response_seconds: float | None = Field(examples=[1982.0])
    attempted_at: str | None = Field(description="The first attempt.", examples=["2026-03-18T09:38:02.000Z"])
    contacted_at: str | None = Field(description="The first contact.", examples=["2026-03-18T09:38:02.000Z"])
    qualified_at: str | None = Field(description="The first qualification.", examples=[None])
    automated_at: str | None = Field(description="The first automated mail.", examples=["2026-03-18T09:00:05.000Z"])
    holders: list[HolderAnswer] = Field(description="One owner after the other.")
    inquiries: list[InquiryAnswer] = Field(description="Oldest first.")
    as_of: str = Field(examples=["2026-03-18T09:41:30.344Z"])


class AlertAnswer(_Answer):
    """An alert. Rep and team are those of the moment when it was raised."""

    id: str = Field(examples=["l-5:breach:1773828000000000"])
    kind: str = Field(description="lead_response, metric_threshold.", examples=["lead_response"])
    level: str = Field(description="warn, breach or escalate.", examples=["breach"])
    lead: str | None = Field(description="Null of a metric.", examples=["l-5"])
    rep: str | None = Field(description="The lead's owner; whose number it is.", examples=["r-17"])
    name: str | None = Field(description="Of the rep.", examples=["Ana Lim"])
    team: str | None = Field(examples=["north"])
    started_at: str = Field(
        description="When the lead's clock or the metric's window started.", examples=["2026-03-18T08:00:00.000Z"]
    )
    due_at: str = Field(description="The instant of this level or crossing.", examples=["2026-03-18T09:00:00.000Z"])
    raised_at: str = Field(examples=["2026-03-18T09:00:00.480Z"])
    resolved_at: str | None = Field(description="Since when it is not so any more.", examples=[None])
    late: bool = Field(description="Whether it was raised noticeably later than due.", examples=[False])
    acknowledged_at: str | None = Field(examples=["2026-03-18T09:04:12.000Z"])
    snoozed_until: str | None = Field(examples=[None])
    threshold: str | None = Field(
        default=None, description="This and all that follows of a metric only: the name in `alerts.thresholds`.",
        examples=[None],
    )  # fmt: skip
    per: str | None = Field(default=None, description="Whose number: rep, team, organisation.", examples=[None])
    metric: str | None = Field(default=None, examples=[None])
    window: str | None = Field(default=None, examples=[None])
    comparison: str | None = Field(default=None, description="below, above, reaches.", examples=[None])
    limit: int | float | str | None = Field(default=None, examples=[None])
    value: int | float | str | None = Field(
        default=None, description="When it was raised; of a resolved one when it was resolved.", examples=[None]
    )
    at: str | None = Field(default=None, description="The time of day from which it counts.", examples=[None])
    currency: str | None = Field(default=None, description="Of money.", examples=[None])
    over: bool | None = Field(
        default=None, description="Resolved because its time is over, not because of the number.", examples=[None]
    )


class ActionAnswer(_Answer):
    """What was done, as it will be shown with the alert in a moment."""

    alert: str = Field(examples=["l-5:breach:1773828000000000"])
    acknowledged_at: str | None = Field(examples=["2026-03-18T09:04:12.000Z"])
    snoozed_until: str | None = Field(examples=[None])


class AlertsAnswer(_Answer):
    """Alerts."""

    rows: list[AlertAnswer]
    as_of: str = Field(examples=["2026-03-18T09:41:30.344Z"])
    next: str | None = Field(default=None, description="`cursor` of the next page.", examples=[None])


class DeadLetterAnswer(_Answer):
    """What could not be read."""

    id: str = Field(examples=["2-1017-0"])
    connection: str | None = Field(examples=["feed"])
    reason: str = Field(examples=["bad_field"])
    detail: str = Field(examples=["fields.dialed_at: is not an RFC 3339 instant"])
    delivery: str = Field(examples=["2-1017"])
    index: int | None = Field(examples=[0])
    received_at: str | None = Field(examples=["2026-03-18T09:41:30.344Z"])


class DeadLettersAnswer(_Answer):
    """Dead letters, newest first."""

    rows: list[DeadLetterAnswer]
    as_of: str = Field(examples=["2026-03-18T09:41:30.344Z"])
    next: str | None = Field(default=None, description="`cursor` of the next page.", examples=[None])


class ConnectionFreshness(_Answer):
    """How fresh a connection is."""

    connection: str = Field(examples=["feed"])
    kind: str = Field(examples=["generic"])
    last_delivery_at: str | None = Field(examples=["2026-03-18T09:41:30.344Z"])
    last_event_at: str | None = Field(
        description="Newest `changed_at` that it has sent.", examples=["2026-03-18T09:41:29.000Z"]
    )


class VerifiedWindow(_Answer):
    """When a window was last recounted from the log, and what came of it."""

    window: str = Field(
        description="As in requests; two dates for days of the past; `leads` for the leads that wait.",
        examples=["today"],
    )
    verified_at: str = Field(examples=["2026-03-18T09:40:02.120Z"])
    differences: int = Field(description="Values that are served otherwise.", examples=[0])
    undecided: int = Field(description="Values that changed too fast to be compared.", examples=[0])


class DifferingValue(_Answer):
    """A value that is served otherwise than recounted, without the value and without whose it is."""

    window: str = Field(examples=["today"])
    scope: str = Field(description="`organisation`, `team`, `rep` or `lead`.", examples=["rep"])
    metric: str = Field(examples=["calls_made"])


class VerificationAnswer(_Answer):
    """What the continuous recount (`floorcast verify --every`) found last."""

    verified_at: str = Field(
        description="As of when the served values were compared.", examples=["2026-03-18T09:40:02.120Z"]
    )
    differences: int = Field(
        description="Values that are served otherwise than recounted from the log, over all windows.", examples=[0]
    )
    undecided: int = Field(description="Values that changed too fast to be compared.", examples=[0])
    stale: bool = Field(description="Rounds have been missed: what was found is no news any more.", examples=[False])
    every_seconds: float = Field(description="From one round to the next, at most.", examples=[300.0])
    deliveries: int = Field(description="How many deliveries were read.", examples=[48231])
    changes: int = Field(description="How many changes of records were in them.", examples=[61240])
    windows: list[VerifiedWindow]
    left_out: list[str] = Field(
        description="Windows that are not compared: too large, or older than what is kept.", examples=[["year"]]
    )
    first: list[DifferingValue] = Field(description="Some of the differences, each metric once.")


class FreshnessAnswer(_Answer):
    """How fresh the numbers are."""

    as_of: str = Field(examples=["2026-03-18T09:41:30.344Z"])
    server_time: str = Field(examples=["2026-03-18T09:41:30.344Z"])
    timezone: str = Field(description="The organisation's.", examples=["Asia/Kuala_Lumpur"])
    connections: list[ConnectionFreshness]
    end_to_end_seconds: dict[str, float | None] = Field(
        description="p50, p95, p99 of the last five minutes, from receipt to view.",
        examples=[{"p50": 0.018, "p95": 0.041, "p99": 0.07}],
    )
    behind_seconds: float = Field(
        description="Age of the oldest delivery that is not in the numbers yet.", examples=[0.0]
    )
    progress: dict[str, dict[str, int]] = Field(
        description="Per stage and partition the next input offset.", examples=[{"normalise": {"0": 1018, "1": 977}}]
    )
    applied: dict[str, dict[str, int]] = Field(
        description="Per topic and partition the next offset of the view.", examples=[{"panes": {"0": 4711, "1": 4523}}]
    )
    generation: int = Field(description="Which derived set of topics is served; a replay makes the next.", examples=[1])
    definitions: str = Field(description="Digest of the definitions in force.", examples=["9c0f6a1be2d4c3f7"])
    verification: VerificationAnswer | None = Field(
        description="What the continuous recount found last; null: there was none by these definitions."
    )

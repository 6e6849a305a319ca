"""Answers about alerts and dead letters."""

from pydantic import Field

from api.http.models.common import Answer, InstantText, PageAnswer
from api.http.models.goals import PeriodAnswer


class AlertAnswer(Answer):
    """An alert. Rep and team are the lead's owner and their team while it is open, then as they were last."""

    id: str = Field(examples=["l-5:breach:1773828000000000:1773831600000000"])
    kind: str = Field(description="lead_response, metric_threshold, goal, connection.", examples=["lead_response"])
    level: str = Field(description="warn, breach or escalate.", examples=["breach"])
    lead: str | None = Field(description="Null of a metric.", examples=["l-5"])
    rep: str | None = Field(description="The lead's owner; whose number it is.", examples=["r-17"])
    name: str | None = Field(description="Of the rep.", examples=["Ana Lim"])
    team: str | None = Field(examples=["north"])
    started_at: InstantText = Field(
        description="When the lead's clock or the metric's window started.", examples=["2026-03-18T08:00:00.000Z"]
    )
    due_at: InstantText = Field(
        description="The instant of this level or crossing.", examples=["2026-03-18T09:00:00.000Z"]
    )
    raised_at: InstantText = Field(examples=["2026-03-18T09:00:00.480Z"])
    resolved_at: InstantText | None = Field(description="Since when it is not so any more.", examples=[None])
    late: bool = Field(description="Whether it was raised noticeably later than due.", examples=[False])
    request: str | None = Field(
        description="`x-request-id` of the webhook that told last of the lead; null where none did, or the worker was "
        "started again since.",
        examples=["4613ee63-77"],
    )
    acknowledged_at: InstantText | None = Field(examples=["2026-03-18T09:04:12.000Z"])
    snoozed_until: InstantText | None = Field(examples=[None])
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
    goal: str | None = Field(
        default=None, description="This and all that follows of a goal only: its name.", examples=[None]
    )
    milestone: float | None = Field(default=None, description="The attainment that is told.", examples=[None])
    attainment: float | None = Field(
        default=None, description="When it was raised; of a resolved one when it was resolved.", examples=[None]
    )
    period: PeriodAnswer | None = Field(default=None, examples=[None])
    connection: str | None = Field(
        default=None, description="This and what follows of a connection only: its name.", examples=[None]
    )
    missed_share: float | None = Field(
        default=None, description="Of what changed in the last day, the part that no webhook brought.", examples=[None]
    )


class ActionAnswer(Answer):
    """What was done, as it will be shown with the alert in a moment."""

    alert: str = Field(examples=["l-5:breach:1773828000000000:1773831600000000"])
    acknowledged_at: InstantText | None = Field(examples=["2026-03-18T09:04:12.000Z"])
    snoozed_until: InstantText | None = Field(examples=[None])


class AlertsAnswer(PageAnswer[AlertAnswer]):
    """Alerts."""


class DeadLetterAnswer(Answer):
    """What could not be read."""

    id: str = Field(examples=["2-1017-0"])
    connection: str | None = Field(examples=["feed"])
    reason: str = Field(examples=["bad_field"])
    detail: str = Field(examples=["fields.dialed_at: is not an RFC 3339 instant"])
    delivery: str = Field(examples=["2-1017"])
    index: int | None = Field(examples=[0])
    received_at: InstantText | None = Field(examples=["2026-03-18T09:41:30.344Z"])
    request: str | None = Field(description="`x-request-id` of the webhook that brought it.", examples=["4613ee63-77"])


class DeadLettersAnswer(PageAnswer[DeadLetterAnswer]):
    """Dead letters, newest first."""

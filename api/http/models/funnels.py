"""Answers about funnels."""

from pydantic import Field

from api.http.models.common import Answer, InstantText
from api.http.models.metrics import WindowAnswer


class StepAnswer(Answer):
    """What became of those that entered a step; no numbers where not all of the window is kept."""

    step: str = Field(examples=["offer"])
    label: str = Field(examples=["Offer"])
    entered: int | None = Field(examples=[100])
    advanced: int | None = Field(description="Entered a later step too; of the last step all.", examples=[40])
    lost: int | None = Field(description="Of the others, those that are lost.", examples=[35])
    open: int | None = Field(description="Of the others, those that may still come.", examples=[25])
    conversion: float | None = Field(description="advanced / entered; null for the last step.", examples=[0.4])
    leak: float | None = Field(description="1 - conversion.", examples=[0.6])
    time_in_stage_days_p50: float | None = Field(description="Median of the stays that ended.", examples=[3.2])
    running: int | None = Field(description="Stays that last, of deals and leads that are open.", examples=[25])
    oldest_running_seconds: int | None = Field(description="The longest of these so far.", examples=[86400])


class FunnelPart(Answer):
    """The steps of a funnel in their order."""

    steps: list[StepAnswer]
    worst: str | None = Field(
        description="The step with the largest lost / entered among those that 20 have entered.", examples=["offer"]
    )


class FunnelSegment(FunnelPart):
    """The part of a funnel that has a label of a dimension."""

    by: dict[str, str | None] = Field(examples=[{"product": "Pro"}])


class FunnelAnswer(FunnelPart):
    """A funnel over a window."""

    metric: str = Field(examples=["stage_conversion"])
    rep: str | None = Field(default=None, examples=["r-17"])
    team: str | None = Field(default=None, examples=[None])
    pipeline: str | None = Field(description="Null: of leads, or of deals of all pipelines.", examples=["sales"])
    pipelines: list[str | None] = Field(
        description="Of which it may be asked, the first by default.", examples=[["sales", "renewals"]]
    )
    window: WindowAnswer
    unavailable: dict[str, str] | None = Field(
        default=None,
        description="The metric, where numbers are null because not all of the window is kept -> since when it is.",
        examples=[{"stage_conversion": "kept since 2025-10-25"}],
    )
    segments: list[FunnelSegment] | None = Field(default=None, description="With `by`.")
    as_of: InstantText = Field(examples=["2026-03-18T09:41:30.344Z"])

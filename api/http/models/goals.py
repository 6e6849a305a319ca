"""Answers about goals."""

from typing import Literal

from pydantic import Field

from api.http.models.common import Answer, InstantText, PageAnswer
from schemas.goals.standing import State

GoalNumber = int | float | str
"""Of the metric: money is a decimal string."""


class GoalAnswer(Answer):
    """A goal in a row of metrics. What is not spread over days has target, attainment and state alone."""

    goal: str = Field(examples=["quota"])
    target: GoalNumber = Field(examples=["90000.00"])
    attainment: float | None = Field(
        description="Actual / target; where less is better, target / actual.", examples=[0.7777777777777778]
    )
    gap: GoalNumber | None = Field(description="Actual - target.", examples=["-20000.00"])
    expected: GoalNumber | None = Field(description="Of the target, by now.", examples=["61363.64"])
    pace: float | None = Field(description="Actual / expected.", examples=[1.1407407407407408])
    projection: GoalNumber | None = Field(description="The actual at the end, at this pace.", examples=["102666.67"])
    needed_per_day: GoalNumber | None = Field(
        description="On each working day that is left; null where none is.", examples=["2857.14"]
    )
    state: State | None = Field(description="Null where not all of the window is kept.", examples=["ahead"])


class PeriodAnswer(Answer):
    """A period of a goal."""

    name: str = Field(examples=["month"])
    from_: InstantText = Field(
        alias="from", description="First instant, included.", examples=["2026-02-28T16:00:00.000Z"]
    )
    to: InstantText = Field(description="First instant after it.", examples=["2026-03-31T16:00:00.000Z"])


class GoalRowAnswer(Answer):
    """How far somebody is with a goal in a period."""

    goal: str = Field(examples=["quota"])
    metric: str = Field(examples=["revenue_won"])
    scope: Literal["organisation", "team", "rep"] = Field(examples=["rep"])
    rep: str | None = Field(examples=["r-17"])
    name: str | None = Field(examples=["Ana Lim"])
    team: str | None = Field(description="The rep's team today.", examples=["north"])
    period: PeriodAnswer
    target: GoalNumber = Field(examples=["60000.00"])
    actual: GoalNumber | None = Field(examples=["41000.00"])
    attainment: float | None = Field(examples=[0.6833333333333333])
    gap: GoalNumber | None = Field(examples=["-19000.00"])
    expected: GoalNumber | None = Field(examples=["40909.09"])
    pace: float | None = Field(examples=[1.0022222222222221])
    projection: GoalNumber | None = Field(examples=["60133.33"])
    needed_per_day: GoalNumber | None = Field(examples=["2714.29"])
    state: State | None = Field(description="Null where not all of the period is kept.", examples=["on_track"])
    share_at_goal: float | None = Field(
        description="Of the people with a target, in teams and the organisation.", examples=[None]
    )
    fit: Literal["too_high", "fits", "too_low"] | None = Field(
        description="What that says of the goal, once the period is over.", examples=[None]
    )
    deals_needed: int | None = Field(description="Of the average size of the last 90 days.", examples=[3])
    leads_needed: int | None = Field(description="At the conversion of the last 90 days.", examples=[21])
    currency: str | None = Field(description="Of money.", examples=["EUR"])
    unavailable: dict[str, str] | None = Field(
        default=None,
        description="The metric, where what was reached is null because not all of the period is kept -> since when.",
        examples=[{"revenue_won": "kept since 2025-10-25"}],
    )


class GoalsAnswer(PageAnswer[GoalRowAnswer]):
    """Goals by scope, goal and period."""

"""Answers about deals and leads that have not ended."""

from pydantic import Field

from api.http.models.common import Answer, InstantText, PageAnswer


class OpenDealAnswer(Answer):
    """A deal that is neither won nor lost."""

    deal: str = Field(examples=["d-17"])
    name: str | None = Field(examples=[None])
    rep: str | None = Field(examples=["r-17"])
    rep_name: str | None = Field(examples=["Ana Lim"])
    team: str | None = Field(description="Of the rep, today.", examples=["north"])
    pipeline: str | None = Field(examples=["sales"])
    stage: str | None = Field(examples=["offer"])
    amount: str | None = Field(description="By today's rate; null without amount or rate.", examples=["12000.00"])
    currency: str = Field(examples=["EUR"])
    entered_stage_at: InstantText | None = Field(examples=["2026-03-17T09:41:30.344Z"])
    age_seconds: int | None = Field(description="In that stage.", examples=[86400])
    next_step_at: InstantText | None = Field(examples=[None])
    flags: list[str] = Field(
        description="stalled, at_risk, concentrated, no_next_step.", examples=[["stalled", "no_next_step"]]
    )


class OpenDealsAnswer(PageAnswer[OpenDealAnswer]):
    """The largest first; those without an amount last."""


class OpenLeadAnswer(Answer):
    """A lead that is neither disqualified nor converted nor a customer."""

    lead: str = Field(examples=["l-5"])
    name: str | None = Field(examples=["Kim Park"])
    rep: str | None = Field(examples=["r-17"])
    rep_name: str | None = Field(examples=["Ana Lim"])
    team: str | None = Field(description="Of the rep, today.", examples=["north"])
    status: str | None = Field(examples=["new"])
    source: str | None = Field(examples=["demo_request"])
    received_at: InstantText | None = Field(examples=["2026-03-17T09:41:30.344Z"])
    touches: int = Field(description="Attempts by a human.", examples=[2])
    last_touch_at: InstantText | None = Field(examples=["2026-03-17T10:02:00.000Z"])
    next_step_at: InstantText | None = Field(examples=[None])
    value: str | None = Field(description="By today's rate; null without value or rate.", examples=["12000.00"])
    currency: str = Field(examples=["EUR"])
    flags: list[str] = Field(description="no_next_step, quiet, late.", examples=[["no_next_step"]])


class OpenLeadsAnswer(PageAnswer[OpenLeadAnswer]):
    """Those that came first are first."""

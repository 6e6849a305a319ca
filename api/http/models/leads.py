"""Answers about leads and their clocks."""

from pydantic import Field

from api.http.models.common import Answer, InstantText, PageAnswer


class WaitingLeadAnswer(Answer):
    """A lead without an answer."""

    lead: str = Field(examples=["l-5"])
    lead_name: str | None = Field(description="As the CRM calls the person, else the company.", examples=["Jane Doe"])
    rep: str | None = Field(examples=["r-17"])
    name: str | None = Field(examples=["Ana Lim"])
    team: str | None = Field(examples=["north"])
    source: str | None = Field(examples=["demo_request"])
    started_at: InstantText | None = Field(examples=["2026-03-18T09:00:00.000Z"])
    due_at: InstantText | None = Field(examples=["2026-03-18T10:00:00.000Z"])
    waiting_seconds: int | None = Field(examples=[2490])
    business_seconds: int | None = Field(
        description="On the team's calendar, else the organisation's; null without one.", examples=[2490]
    )
    warn_at: InstantText | None = Field(description="When it is called warned.", examples=["2026-03-18T09:45:00.000Z"])
    state: str = Field(description="waiting, warned, breached; answered, closed, merged.", examples=["waiting"])


class WaitingLeadsAnswer(PageAnswer[WaitingLeadAnswer]):
    """Leads without an answer, longest first."""

    total: int = Field(description="Of all pages.", examples=[12])
    next: str | None = Field(description="`cursor` of the next page.", examples=["WzE3NzM4NDUyMDAwMDAwMDAsImwtNSJd"])


class TouchAnswer(Answer):
    """What stopped a lead's clock."""

    record: str = Field(examples=["call"])
    id: str = Field(examples=["c-1017"])
    rep: str | None = Field(examples=["r-17"])
    at: InstantText | None = Field(examples=["2026-03-18T09:38:02.000Z"])


class HolderAnswer(Answer):
    """How long one owner of a lead took, while they held it."""

    rep: str = Field(examples=["r-17"])
    name: str = Field(examples=["Ana Lim"])
    since: InstantText | None = Field(examples=["2026-03-18T09:05:00.000Z"])
    until: InstantText | None = Field(description="Null: they hold it still.", examples=[None])
    answered_at: InstantText | None = Field(
        description="Their own first touch in that time.", examples=["2026-03-18T09:38:02.000Z"]
    )
    held_seconds: int | None = Field(description="Until they answered or it was taken from them.", examples=[1982])


class InquiryAnswer(Answer):
    """A later clock: the lead wrote or called again after an answer."""

    record: str = Field(examples=["email"])
    id: str = Field(examples=["e-31"])
    started_at: InstantText | None = Field(examples=["2026-03-19T08:00:00.000Z"])
    due_at: InstantText | None = Field(examples=["2026-03-19T09:00:00.000Z"])
    answered_at: InstantText | None = Field(examples=["2026-03-19T08:20:00.000Z"])
    response_seconds: float | None = Field(examples=[1200.0])
    business_response_seconds: float | None = Field(examples=[1200.0])
    within_sla: bool | None = Field(examples=[True])
    touch: TouchAnswer | None


class LeadAnswer(WaitingLeadAnswer):
    """A lead's clock, and those that run beside it."""

    status: str | None = Field(examples=["new"])
    sla_seconds: float = Field(examples=[3600])
    answered_at: InstantText | None = Field(examples=["2026-03-18T09:38:02.000Z"])
    response_seconds: float | None = Field(examples=[2282.0])
    within_sla: bool | None = Field(examples=[True])
    touch: TouchAnswer | None
    merged_into: str | None = Field(description="The lead that its start and touches count for.", examples=[None])
    clock: str = Field(description="What the SLA runs on: elapsed, business.", examples=["business"])
    calendar: str | None = Field(description="Of the owner's team.", examples=["office"])
    escalate_at: InstantText | None = Field(examples=["2026-03-18T11:00:00.000Z"])
    business_response_seconds: float | None = Field(examples=[2282.0])
    touched_before: bool = Field(description="Whether the answer was there before the start.", examples=[False])
    assigned_at: InstantText | None = Field(examples=["2026-03-18T09:05:00.000Z"])
    assigned_response_seconds: float | None = Field(description="From the assignment.", examples=[1982.0])
    assigned_business_response_seconds: float | None = Field(examples=[1982.0])
    attempted_at: InstantText | None = Field(description="The first attempt.", examples=["2026-03-18T09:38:02.000Z"])
    contacted_at: InstantText | None = Field(description="The first contact.", examples=["2026-03-18T09:38:02.000Z"])
    qualified_at: InstantText | None = Field(description="The first qualification.", examples=[None])
    automated_at: InstantText | None = Field(
        description="The first automated mail.", examples=["2026-03-18T09:00:05.000Z"]
    )
    holders: list[HolderAnswer] = Field(description="One owner after the other.")
    inquiries: list[InquiryAnswer] = Field(description="Oldest first.")
    as_of: InstantText = Field(examples=["2026-03-18T09:41:30.344Z"])

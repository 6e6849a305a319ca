"""Answers about what was won."""

from pydantic import Field

from api.http.models.common import Answer, InstantText, PageAnswer


class WinAnswer(Answer):
    """A deal that was won, or a milestone of a goal that was reached."""

    win: str = Field(
        description="Its name, always the same; a deal that is won a second time is another win.",
        examples=["deal_won:d-17:2026-03-18T09:00:00.000Z"],
    )
    cause: str = Field(
        description="deal_won; goal_reached: attainment 1; milestone: another one.", examples=["deal_won"]
    )
    rep: str | None = Field(description="Null of a team's or the organisation's goal.", examples=["r-17"])
    name: str | None = Field(description="Of the rep, else of the team or organisation.", examples=["Ana Lim"])
    team: str | None = Field(description="Of the rep, on that day.", examples=["north"])
    photo: str | None = Field(examples=[None])
    deal: str | None = Field(examples=["d-17"])
    deal_name: str | None = Field(examples=[None])
    amount: str | None = Field(
        description="In the organisation's currency by the rate of that day; null without amount or rate.",
        examples=["12000.00"],
    )
    currency: str | None = Field(examples=["EUR"])
    goal: str | None = Field(description="Its name.", examples=[None])
    metric: str | None = Field(description="Of the goal.", examples=[None])
    milestone: float | None = Field(description="The attainment that was reached.", examples=[None])
    at: InstantText = Field(examples=["2026-03-18T09:00:00.000Z"])
    withdrawn: bool = Field(
        description="Taken back: the deal was reopened, deleted or lost. Only the stream tells of it.", examples=[False]
    )


class WinsAnswer(PageAnswer[WinAnswer]):
    """The newest first."""

"""Answers about who stands out."""

from typing import Literal

from pydantic import Field

from api.http.models.common import Answer, InstantText
from api.http.models.metrics import WindowAnswer


class StandoutAnswer(Answer):
    """A metric in which a rep differs from their team."""

    rep: str = Field(examples=["r-17"])
    name: str = Field(examples=["Ana Lim"])
    team: str = Field(examples=["north"])
    metric: str = Field(examples=["connect_rate"])
    value: int | float | str = Field(examples=[0.41])
    team_value: int | float | str = Field(
        description="Of counts, sums and levels the mean of the team's people, of others the team's own.",
        examples=[0.29],
    )
    side: Literal["strong", "weak"] = Field(examples=["strong"])
    n: int | float = Field(description="How many cases the value is made of.", examples=[61])


class StandoutsAnswer(Answer):
    """All of them, the widest first."""

    window: WindowAnswer
    rows: list[StandoutAnswer]
    as_of: InstantText = Field(examples=["2026-03-18T09:41:30.344Z"])
    currency: str | None = Field(default=None, description="Of money among them.", examples=["USD"])
    unavailable: dict[str, str] | None = Field(
        default=None, description="Metric that is not looked at -> since when it is kept.", examples=[{}]
    )

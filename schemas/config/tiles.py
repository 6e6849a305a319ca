"""The tiles that a scene of a screen holds, by their kind.

Owns what each kind takes. What they say of metrics, teams and pipelines is checked in references.py; how they look is
the page's (api/static/tiles).
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.config.windows import WindowName
from schemas.documents.values import Model, Name, WholeNumber

MetricName = Annotated[str, Field(min_length=1, max_length=64)]

DAY_WINDOWS = ("week", "month", "quarter", "year", "7d", "30d")
"""Windows of several days: a trend has a point for each."""


class _Tile(Model):
    """What every tile may say."""

    team: Name | None = None
    """Of this team; left out: of the screen's teams."""


class _Windowed(_Tile):
    window: WindowName = "today"
    """Of which time."""


class _OfMetric(_Windowed):
    metric: MetricName
    """One of [the metrics](metrics.md)."""


class FiguresTile(_Windowed):
    """Large numbers, each with its goal, pace and comparison where there is one."""

    kind: Literal["figures"]
    metrics: Annotated[list[MetricName], Field(min_length=1, max_length=6)]
    """Of [the metrics](metrics.md), in this order."""


class LeaderboardTile(_OfMetric):
    """Who is ahead."""

    kind: Literal["leaderboard"]
    rank: Literal["value", "attainment"] = "value"
    """By the metric, or by how much of their own goal people have."""


class LeadsTile(_Tile):
    """Who waits for an answer, with the longest wait in large digits."""

    kind: Literal["leads"]


class RaceTile(_OfMetric):
    """How far everybody is on the way to their goal."""

    kind: Literal["race"]


class ThermometerTile(_OfMetric):
    """How far all together are on the way to their goal."""

    kind: Literal["thermometer"]


class FunnelTile(_OfMetric):
    """How many come from step to step, and where they are lost."""

    kind: Literal["funnel"]
    window: WindowName = "month"
    pipeline: str | None = Field(default=None, min_length=1, max_length=256)
    """One of `pipelines`; left out: the first."""


class TrendTile(_OfMetric):
    """A metric by day."""

    kind: Literal["trend"]
    window: WindowName = "30d"

    @model_validator(mode="after")
    def _has_days(self) -> Self:
        if self.window not in DAY_WINDOWS:
            msg = f"window must be one of {', '.join(DAY_WINDOWS)}: a trend has a point for each day"
            raise ValueError(msg)
        return self


class WinsTile(_Tile):
    """What was won last."""

    kind: Literal["wins"]
    limit: WholeNumber = Field(default=6, ge=1, le=20)
    """How many at most."""


class MessageTile(Model):
    """Words of your own."""

    kind: Literal["message"]
    text: str = Field(min_length=1, max_length=500)
    """What is shown, as it is written."""
    qr: Literal["scene", "floor", "me"] | None = None
    """A code for a phone's camera, to the same numbers: of this scene, of the manager's page, or of a rep's own."""


class FreshnessTile(Model):
    """How old the numbers are, by connection."""

    kind: Literal["freshness"]


class AlertsTile(_Tile):
    """Every open alert."""

    kind: Literal["alerts"]


Tile = Annotated[
    FiguresTile
    | LeaderboardTile
    | LeadsTile
    | RaceTile
    | ThermometerTile
    | FunnelTile
    | TrendTile
    | WinsTile
    | MessageTile
    | FreshnessTile
    | AlertsTile,
    Field(discriminator="kind"),
]


def metrics_of(tile: Tile) -> tuple[str, ...]:
    """The metrics that a tile names."""
    if isinstance(tile, FiguresTile):
        return tuple(tile.metrics)
    metric = getattr(tile, "metric", None)
    return () if metric is None else (metric,)


def window_of(tile: Tile) -> str | None:
    """The window that a tile shows; None: its numbers are of now."""
    window: str | None = getattr(tile, "window", None)
    return window


def team_of(tile: Tile) -> str | None:
    """The team that a tile is for, where it says one."""
    team: str | None = getattr(tile, "team", None)
    return team

"""Answers about metrics: the catalogue, the roster, rows, leaderboards and series."""

from typing import Literal

from pydantic import Field

from api.http.models.common import Answer, InstantText, ListAnswer
from api.http.models.goals import GoalAnswer


class WindowAnswer(Answer):
    """The window of a row."""

    name: str = Field(examples=["today"])
    from_: InstantText = Field(
        alias="from", description="First instant, included.", examples=["2026-03-17T16:00:00.000Z"]
    )
    to: InstantText = Field(description="First instant after the window.", examples=["2026-03-18T16:00:00.000Z"])


_METRICS_EXAMPLE = {"calls_made": 37, "connect_rate": 0.3513513513513513, "revenue_won": "48500.00"}

_GOALS_EXAMPLE = {
    "revenue_won": {
        "goal": "quota",
        "target": "90000.00",
        "attainment": 0.7777777777777778,
        "gap": "-20000.00",
        "expected": "61363.64",
        "pace": 1.1407407407407408,
        "projection": "102666.67",
        "needed_per_day": "2857.14",
        "state": "ahead",
    }
}


class ComparedAnswer(Answer):
    """What a row is compared with, and by how much it differs."""

    window: WindowAnswer
    metrics: dict[str, int | float | str | dict[str, float | None] | None] = Field(
        description="Of `share` a part of the team's and of the organisation's.",
        examples=[{"calls_made": 31, "connect_rate": 0.3225806451612903, "revenue_won": "51000.00"}],
    )
    bounds: dict[str, float] = Field(examples=[{}])
    change: dict[str, float | None] = Field(
        description="Value ÷ compared, less 1; of shares the difference; null where the compared is 0 or null.",
        examples=[{"calls_made": 0.1935483870967742, "connect_rate": 0.02878902, "revenue_won": -0.04901960784313726}],
    )


_VERSIONS = Field(
    default=None,
    description="Metric -> its versions, where the window has days of several.",
    examples=[{"win_rate": [1, 2]}],
)
_COMPARE = Field(
    default=None,
    description="By kind, where `compare` is asked for.",
    examples=[
        {
            "previous": {
                "window": {"name": "previous", "from": "2026-03-16T16:00:00.000Z", "to": "2026-03-17T09:42:00.000Z"},
                "metrics": {"calls_made": 31, "connect_rate": 0.3225806451612903},
                "bounds": {},
                "change": {"calls_made": 0.1935483870967742, "connect_rate": 0.028790787},
            }
        }
    ],
)


class SegmentAnswer(Answer):
    """A part of a row, by one dimension."""

    by: dict[str, str | None] = Field(examples=[{"product": "Pro"}])
    metrics: dict[str, int | float | str | None] = Field(examples=[_METRICS_EXAMPLE])
    bounds: dict[str, float] = Field(examples=[{}])
    unavailable: dict[str, str] | None = Field(
        default=None, description="As of the row.", examples=[{"new_customers": "kept since 2025-10-25"}]
    )
    compare: dict[str, ComparedAnswer] | None = _COMPARE


class RowAnswer(Answer):
    """Metrics of a rep, of a team (no `rep`) or of the organisation (neither)."""

    rep: str | None = Field(default=None, examples=["r-17"])
    name: str | None = Field(default=None, examples=["Ana Lim"])
    team: str | None = Field(default=None, description="The rep's team today.", examples=["north"])
    photo: str | None = Field(
        default=None, description="Where the rep's picture is; left out without one.", examples=["/photos/r-17"]
    )
    window: WindowAnswer
    as_of: InstantText = Field(examples=["2026-03-18T09:41:30.344Z"])
    metrics: dict[str, int | float | str | None] = Field(
        description="By name. Counts and sums are 0 where nothing happened; ratios and percentiles null.",
        examples=[_METRICS_EXAMPLE],
    )
    bounds: dict[str, float] = Field(
        description="Metric that is null because the rank falls on a lead without an answer -> what it is at least.",
        examples=[{"lead_response_seconds_p90": 18000}],
    )
    unavailable: dict[str, str] | None = Field(
        default=None,
        description="Metric, or comparison, that is null because not all of the window is kept -> since when it is.",
        examples=[{"new_customers": "kept since 2025-10-25", "compare.last_year": "kept since 2025-10-25"}],
    )
    versions: dict[str, list[int]] | None = _VERSIONS
    compare: dict[str, ComparedAnswer] | None = _COMPARE
    segments: list[SegmentAnswer] | None = Field(default=None, description="Where `by` is asked for.")
    goals: dict[str, GoalAnswer | list[GoalAnswer]] | None = Field(
        default=None,
        description="By metric: the goal of this window; with `goals=all` a list. Left out where there are no goals.",
        examples=[_GOALS_EXAMPLE],
    )
    currency: str | None = Field(default=None, description="Of money among the metrics.", examples=["USD"])


class RowsAnswer(ListAnswer[RowAnswer]):
    """A list of rows."""

    next: str | None = Field(
        default=None,
        description="Where `limit` was given: the `cursor` of the next page; null on the last one.",
        examples=["WzAsInItMTciXQ"],
    )


class MetricVersion(Answer):
    """What a metric counts from a day on."""

    version: int = Field(examples=[1])
    since: str | None = Field(description="A day of the organisation; null: for ever.", examples=["2026-07-01"])
    note: str | None = Field(examples=["without partner deals"])


class Benchmark(Answer):
    """A value to compare with that is not one's own."""

    value: str = Field(examples=["0.37"])
    source: str = Field(examples=["Lead response study, 2011"])


class MetricAnswer(Answer):
    """A metric of the catalogue."""

    name: str = Field(examples=["calls_made"])
    label: str = Field(examples=["Calls made"])
    unit: str = Field(description="count, number, ratio, seconds, days or money.", examples=["count"])
    better: Literal["higher", "lower"] = Field(description="Which values rank first.", examples=["higher"])
    type: str = Field(description="How it is made: simple, ratio, derived, duration, …", examples=["simple"])
    additive: bool = Field(description="Whether the numbers of several teams may be added up.", examples=[True])
    definition: str = Field(examples=["Outbound calls, at the instant of dialling."])
    description: str = Field(
        description="The same text as `definition`.", examples=["Outbound calls, at the instant of dialling."]
    )
    version: int = Field(description="The place, from 1, of the version in force today.", examples=[1])
    versions: list[MetricVersion]
    by: list[str] = Field(description="Dimensions that it can be split by.", examples=[["product"]])
    tags: list[str] = Field(examples=[["leading", "activity"]])
    owner: str | None = Field(description="Whom to ask about it.", examples=["revops"])
    benchmark: Benchmark | None


class MetricsAnswer(ListAnswer[MetricAnswer]):
    """The catalogue."""


class RepAnswer(Answer):
    """A rep of the roster, or one that only records name."""

    rep: str = Field(examples=["r-17"])
    name: str = Field(examples=["Ana Lim"])
    team: str | None = Field(examples=["north"])
    active: bool = Field(examples=[True])
    in_roster: bool = Field(description="False: only records name them.", examples=[True])


class RepsAnswer(ListAnswer[RepAnswer]):
    """The roster."""


class TeamAnswer(Answer):
    """A team."""

    team: str = Field(examples=["north"])
    name: str = Field(examples=["North"])
    reps: list[str] = Field(description="Who is in it today.", examples=[["r-17"]])


class TeamsAnswer(ListAnswer[TeamAnswer]):
    """All teams."""


class EntryAnswer(Answer):
    """A place in a leaderboard."""

    rank: int | None = Field(description="Ties share a rank; null without a value.", examples=[1])
    rep: str = Field(examples=["r-17"])
    name: str = Field(examples=["Ana Lim"])
    team: str | None = Field(examples=["north"])
    value: int | float | str | None = Field(examples=[37])
    target: int | float | str | None = Field(description="The rep's goal in this window, if any.", examples=[None])
    attainment: float | None = Field(default=None, description="Of that goal; with `rank=attainment`.", examples=[None])


class LeaderboardAnswer(Answer):
    """Reps ordered by one metric in one window; those without a value come last, without a rank."""

    metric: str = Field(examples=["calls_made"])
    window: WindowAnswer
    as_of: InstantText = Field(examples=["2026-03-18T09:41:30.344Z"])
    currency: str | None = Field(default=None, examples=["USD"])
    entries: list[EntryAnswer]


class PointSegment(Answer):
    """A part of a point, by one dimension."""

    by: dict[str, str | None] = Field(examples=[{"product": "Pro"}])
    value: int | float | str | None = Field(examples=[2])


class PointAnswer(Answer):
    """One step of a series."""

    from_: InstantText = Field(alias="from", examples=["2026-03-18T09:41:00.000Z"])
    to: InstantText = Field(examples=["2026-03-18T09:42:00.000Z"])
    value: int | float | str | None = Field(examples=[3])
    bound: float | None = Field(
        default=None, description="What a percentile that falls on a waiting lead is at least.", examples=[18000]
    )
    unavailable: str | None = Field(
        default=None, description="Why there is no value.", examples=["kept since 2025-10-25"]
    )
    segments: list[PointSegment] | None = Field(
        default=None,
        description="Where `by` is asked for.",
        examples=[[{"by": {"product": "Pro"}, "value": 2}, {"by": {"product": "Other"}, "value": 1}]],
    )


class SeriesAnswer(Answer):
    """A metric step by step."""

    metric: str = Field(examples=["calls_made"])
    rep: str | None = Field(default=None, description="Whose it is; neither: the organisation's.", examples=["r-17"])
    team: str | None = Field(default=None, examples=["north"])
    step: str = Field(examples=["1d"])
    as_of: InstantText = Field(examples=["2026-03-18T09:41:30.344Z"])
    currency: str | None = Field(default=None, examples=["USD"])
    points: list[PointAnswer]

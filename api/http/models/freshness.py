"""How fresh the numbers are, and whether a recount agrees with them."""

from pydantic import Field

from api.http.models.common import Answer, InstantText


class ConnectionFreshness(Answer):
    """How fresh a connection is."""

    connection: str = Field(examples=["feed"])
    kind: str = Field(examples=["generic"])
    last_delivery_at: InstantText | None = Field(examples=["2026-03-18T09:41:30.344Z"])
    last_event_at: InstantText | None = Field(
        description="Newest `changed_at` that it has sent.", examples=["2026-03-18T09:41:29.000Z"]
    )
    reconciled_at: InstantText | None = Field(
        description="When what its CRM's API says was last compared with what is known; null where nobody asks it.",
        examples=["2026-03-18T09:30:00.000Z"],
    )
    missed: dict[str, dict[str, int]] | None = Field(
        description="Records whose last change no webhook has brought, by kind: of the last 24 hours and 30 days.",
        examples=[{"day": {"call": 3}, "month": {"call": 31}}],
    )


class VerifiedWindow(Answer):
    """When a window was last recounted from the log, and what came of it."""

    window: str = Field(
        description="As in requests; two dates for days of the past; `leads` for the leads that wait.",
        examples=["today"],
    )
    verified_at: InstantText = Field(examples=["2026-03-18T09:40:02.120Z"])
    differences: int = Field(description="Values that are served otherwise.", examples=[0])
    undecided: int = Field(description="Values that changed too fast to be compared.", examples=[0])


class DifferingValue(Answer):
    """A value that is served otherwise than recounted, without the value and without whose it is."""

    window: str = Field(examples=["today"])
    scope: str = Field(description="`organisation`, `team`, `rep` or `lead`.", examples=["rep"])
    metric: str = Field(examples=["calls_made"])


class VerificationAnswer(Answer):
    """What the continuous recount (`floorcast verify --every`) found last."""

    verified_at: InstantText = Field(
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


class CalendarState(Answer):
    """Whether they work now who go by a calendar of the configuration."""

    calendar: str = Field(examples=["office"])
    is_open: bool = Field(examples=[True])
    since: InstantText | None = Field(
        description="Since when that is so; null: for longer than two weeks.", examples=["2026-03-18T01:00:00.000Z"]
    )
    until: InstantText | None = Field(
        description="Until when; null: for longer than two weeks.", examples=["2026-03-18T10:00:00.000Z"]
    )


class FreshnessAnswer(Answer):
    """How fresh the numbers are."""

    as_of: InstantText = Field(examples=["2026-03-18T09:41:30.344Z"])
    server_time: InstantText = Field(examples=["2026-03-18T09:41:30.344Z"])
    timezone: str = Field(description="The organisation's.", examples=["Asia/Kuala_Lumpur"])
    connections: list[ConnectionFreshness]
    calendars: list[CalendarState]
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

"""What the recount speaks of: windows, rows and lead clocks, as values without a rule.

Everything in this folder that recounts, asks or compares imports these. Instants and durations are integer
microseconds, UTC.
"""

from datetime import UTC, date, datetime
from typing import NotRequired, TypedDict

RecountedWindow = str | tuple[date, date]
"""`5m` … `year`, or two dates, both included."""
ServedValue = int | float | str | None
"""A metric as it is served: counts and durations are numbers, money a decimal string, None where nothing happened."""

ROLLING_MINUTES = {"5m": 5, "15m": 15, "1h": 60, "4h": 240, "24h": 1440}
DAY_WINDOWS = ("today", "yesterday", "week", "month", "quarter", "year", "7d", "30d")

SECOND = 1_000_000
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR = 60 * MINUTE


class Row(TypedDict):
    """What a row says of one rep, one team or the organisation."""

    metrics: dict[str, ServedValue]
    bounds: dict[str, float]
    """For percentiles that fall on an unanswered lead: how many seconds they are at least."""
    funnels: NotRequired[dict[str, ServedValue]]
    """Of teams and the organisation, where it was asked for: what `/v1/funnels` says of each step."""


class Rows(TypedDict):
    """All rows of one window."""

    organisation: Row
    teams: dict[str, Row]
    reps: dict[str, Row]


class RecountedRows(Rows):
    """What was recounted of one window."""

    idle: Row
    """Of a team or rep of whom there is nothing: what whoever has no row would have in it."""


class Holder(TypedDict):
    """One owner of a lead, while they held it."""

    rep: str
    since: int
    until: int | None
    answered_at: int | None


class Inquiry(TypedDict):
    """A later clock of a lead."""

    started_at: int
    due_at: int
    answered_at: int | None
    rep: str | None
    business_response: int | None


class LeadClock(TypedDict):
    """The clocks of a lead that is not merged away, as seen at an instant."""

    rep: str | None
    """The lead's own rep."""
    counts_for: str | None
    """Whose numbers it is in: the rep who answered (perhaps nobody known), else the lead's rep."""
    source: str | None
    team: str | None
    """Of the lead's rep, on the day of the start."""
    calendar: str | None
    is_business: bool
    started_at: int
    due_at: int
    warn_at: int
    escalate_at: int
    answered_at: int | None
    touch: tuple[str, str] | None
    """(record kind, id) of the touch that stopped it."""
    response: int | None
    business_response: int | None
    assigned_response: int | None
    assigned_business_response: int | None
    business_waiting: int | None
    """Up to the answer, else up to now; None where the team has no calendar."""
    attempted_at: int | None
    contacted_at: int | None
    qualified_at: int | None
    automated_at: int | None
    holders: list[Holder]
    inquiries: list[Inquiry]
    waiting: bool
    """Nobody answered, and the lead has not left `new`."""
    state: str | None
    """`waiting`, `warned` or `breached`; None when it does not wait."""
    until: int | None
    """When the first touch stops a clock that nobody else stops, also one to come."""

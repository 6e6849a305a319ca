"""What is told to clients of the stream, and what a followed window has not told yet. Who is told: broadcast.py."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from api.read.goal_news import Told
from api.read.rows import Json
from api.read.subscriptions import Filter
from api.read.view import Changes, Scope, Values
from schemas.panes import Pane
from schemas.windows import Span, Window


class Owner(NamedTuple):
    """Whose lead it is."""

    rep: str | None
    team: str | None


class LeadNews(NamedTuple):
    """A lead as it is, and whose it was when it was last told (None: it was not)."""

    lead: Json
    owner: Owner
    told: Owner | None


class AlertNews(NamedTuple):
    """An alert as it is, and whose it was when it was last told (None: it was not)."""

    alert: Json
    owner: Owner
    told: Owner | None


class Departure(NamedTuple):
    """A scope that is gone, or a rep who is in another team now."""

    scope: Scope
    was_in: str | None
    is_gone: bool
    is_in: str | None

    def leaves(self, wanted: Filter) -> bool:
        """Whether a client with this filter shows a row that no later event would take away."""
        if not wanted.wants(self.scope, self.was_in):
            return False
        return self.is_gone or not wanted.wants(self.scope, self.is_in)


class Event(NamedTuple):
    """Something to tell, before anybody's filter is laid on it."""

    number: int
    kind: str
    """`metrics`, `lead`, `alert`, `win`, `freshness`; `departure` is what makes a new snapshot necessary."""
    window: str | None
    payload: Any
    weight: int


_MANY = 10_000
"""Changes that are written down for such a window, before it is taken that everything has changed."""


@dataclass(slots=True)
class Untold:
    """Changes that a window has not told yet."""

    panes: set[tuple[Window, str | None]] = field(default_factory=set)
    heads: set[Scope] = field(default_factory=set)
    reps: set[str] = field(default_factory=set)
    roster: bool = False
    everything: bool = False

    def note(self, changes: Changes, heads: set[Scope]) -> None:
        """Add what has changed since."""
        self.panes |= changes.panes
        self.heads |= heads
        self.reps |= changes.reps
        self.roster |= bool(changes.reps) or changes.goals
        self.everything |= changes.everything or len(self.panes) > _MANY


@dataclass(slots=True)
class Followed:
    """A window that clients look at: the values last sent, by scope."""

    since: int
    """Number of the event from which on changes of this window are told."""
    used_at: int
    flushed_at: int
    span: Span
    values: dict[Scope, Values] = field(default_factory=dict)
    panes: dict[Scope, Pane] = field(default_factory=dict)
    """What the values were made of: only metrics of measures that are others now are made again."""
    blank: tuple[Span, int, Values] | None = None
    """The values of an empty pane over a span at an instant, of which those of others differ little."""
    goals: Told = field(default_factory=dict)
    untold: Untold = field(default_factory=Untold)
    """What has changed while nobody looked."""
    is_new: bool = False
    """Whether there are not all of its values yet."""
    is_due: bool = False
    """Whether it is to be brought up to date, and is not yet."""
    left: dict[Scope, bool] = field(default_factory=dict)
    """Whose values are still to be made anew, and whether a client gets all of them: what one call did not get to."""
    has_groups: bool = False
    """Whether there are teams or the organisation among those, whose panes are not merged ahead yet."""

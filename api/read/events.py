"""What is told to clients of the stream, and what a followed window has not told yet. Who is told: broadcast.py."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from api.read.goal_news import Told
from api.read.rows import Json
from api.read.subscriptions import EVERYBODY, Filter, Selection
from api.read.view import Changes, Scope, Values
from schemas.panes import Pane
from schemas.windows import Span, Window


class RepAndTeam(NamedTuple):
    """Whose lead it is."""

    rep: str | None
    team: str | None


class LeadNews(NamedTuple):
    """A lead as it is, and whose it was when it was last told (None: it was not)."""

    lead: Json
    owner: RepAndTeam
    told: RepAndTeam | None


class AlertNews(NamedTuple):
    """An alert as it is, and whose it was when it was last told (None: it was not)."""

    alert: Json
    owner: RepAndTeam
    told: RepAndTeam | None


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


_NOBODY = Selection(frozenset(), frozenset())


@dataclass(slots=True)
class Shown:
    """That clients look at a part of a window."""

    since: int
    """Number of the event from which on changes of it are told."""
    used_at: int


@dataclass(slots=True)
class Followed:
    """A window that clients look at: the values last sent, by scope, of all that one of them shows."""

    flushed_at: int
    span: Span
    shown: dict[Selection, Shown] = field(default_factory=dict)
    _all: Selection = _NOBODY
    """What all of them show together."""
    values: dict[Scope, Values] = field(default_factory=dict)
    panes: dict[Scope, Pane] = field(default_factory=dict)
    """What the values were made of: only metrics of measures that are others now are made again."""
    goals: Told = field(default_factory=dict)
    untold: Untold = field(default_factory=Untold)
    """What has changed while nobody looked."""
    is_due: bool = False
    """Whether it is to be brought up to date, and is not yet."""
    left: dict[Scope, bool] = field(default_factory=dict)
    """Whose values are still to be made anew, and whether a client gets all of them: what one call did not get to."""
    groups: dict[Scope, None] = field(default_factory=dict)
    """Teams and the organisation among those, where their panes are not merged ahead yet."""
    blank: tuple[Span, int, Values] | None = None
    """The values of an empty pane over a span at an instant, of which those of others differ little."""

    def has(self, scope: Scope, team: str | None) -> bool:
        """Whether somebody looks at rows of this scope. `team`: the rep's own, today."""
        return self._all.has(scope, team)

    def show(self, selection: Selection, number: int, now: int) -> bool:
        """Somebody looks at that from now on; whether nobody did."""
        held = self.shown.get(selection)
        if held is not None:
            held.used_at = now
            return False
        self.shown[selection] = Shown(number, now)
        self._join()
        return True

    def hide(self, selection: Selection) -> None:
        """Nobody looks at that any more."""
        del self.shown[selection]
        self._join()

    def forget(self, scope: Scope) -> None:
        """Nothing was told of this scope."""
        for held in (self.values, self.panes, self.left, self.groups, self.goals):
            held.pop(scope, None)

    def _join(self) -> None:
        if EVERYBODY in self.shown:
            self._all = EVERYBODY
        else:
            self._all = Selection(
                frozenset().union(*(each.teams or () for each in self.shown)),
                frozenset().union(*(each.reps or () for each in self.shown)),
            )

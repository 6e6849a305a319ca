"""What is told to clients of the stream. Who is told: broadcast.py."""

from typing import Any, NamedTuple

from api.read.subscriptions import Filter
from api.read.view import Scope
from schemas.json_object import Json


class RepAndTeam(NamedTuple):
    """Whose lead it is."""

    rep: str | None
    team: str | None


class News(NamedTuple):
    """A lead or an alert as it is, and whose it was when it was last told (None: it was not)."""

    row: Json
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


class StreamEvent(NamedTuple):
    """Something to tell, before anybody's filter is laid on it."""

    number: int
    kind: str
    """`metrics`, `lead`, `alert`, `win`, `freshness`; `departure` is what makes a new snapshot necessary."""
    window: str | None
    payload: Any
    weight: int

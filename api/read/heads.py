"""Who there is, with name and team as last told; who is new, has gone, or has moved.

Owns the comparison. The broadcaster asks with what has changed and sends what comes of it.
"""

from api.read.events import Departure
from api.read.rows import Json, scope_fields
from api.read.view import Changes, Scope, View, rep_scope, team_scope


class Heads:
    """Of one view: another one begins anew."""

    def __init__(self) -> None:
        self.known: dict[Scope, Json] = {}
        """Everybody there is, with name and team as last told."""
        self.unseen: set[Scope] = set()
        """Who may be new, gone, or have another name or team: what one call did not get to."""
        self._day: int | None = None

    def look(self, view: View, changes: Changes, now: int, most: int | None) -> tuple[set[Scope], list[Departure]]:
        """Who is new, or has another name or team; and who has gone or left a team. At midnight moves come to pass.

        Of so many at most: who is seen later is told of then, with all their values.
        """
        looked_at = self._in_doubt(view, changes, now)
        if self.unseen or (most is not None and len(looked_at) > most):
            self.unseen |= looked_at
            looked_at = {
                self.unseen.pop() for _ in range(len(self.unseen) if most is None else min(most, len(self.unseen)))
            }
        changed: set[Scope] = set()
        departures: list[Departure] = []
        for scope in looked_at:
            known = self.known.get(scope)
            head = scope_fields(view, scope, now) if _exists(view, scope) else None
            if head == known:
                continue
            if head is None:
                del self.known[scope]
            else:
                self.known[scope] = head
                changed.add(scope)
            was_in = None if known is None else known.get("team")
            is_in = None if head is None else head.get("team")
            if known is not None and (head is None or was_in != is_in):
                departures.append(Departure(scope, was_in, head is None, is_in))
        return changed, departures

    def _in_doubt(self, view: View, changes: Changes, now: int) -> set[Scope]:
        day = view.calendar.day_of(now)
        if changes.everything or day != self._day:
            self._day = day
            return {*view.scopes(), *self.known}
        found = {rep_scope(rep) for rep in changes.reps}
        found |= {rep_scope(rep) for _, rep in changes.panes if rep is not None}
        if changes.reps:
            found |= {team_scope(team) for team in view.roster.team_names}
            found |= {scope for scope in self.known if scope.kind == "team"}
        return found


def _exists(view: View, scope: Scope) -> bool:
    if scope.id is None:
        return True
    if scope.kind == "team":
        return scope.id in view.roster.team_names
    return view.is_known_rep(scope.id)

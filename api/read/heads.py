"""Who there is, with name and team as last told; who is new, has gone, or has moved.

Owns the comparison. The broadcaster asks with what has changed and sends what comes of it.
"""

from itertools import islice

from api.read.events import Departure
from api.read.rows import scope_fields
from api.read.view import ORGANISATION, Scope, View, ViewChanges, rep_scope, team_scope
from schemas.json_object import Json


class Heads:
    """Of one view: another one begins anew."""

    def __init__(self) -> None:
        self.known: dict[Scope, Json] = {}
        """Everybody there is, with name and team as last told."""
        self._unseen: dict[Scope, None] = {}
        self._reps: dict[str, None] = {}
        """Who may be new, gone, or have another name or team: what one call did not get to."""
        self._day: int | None = None

    @property
    def is_all_seen(self) -> bool:
        """Whether nothing is left for the next call of `look`."""
        return not self._unseen and not self._reps

    def look(self, view: View, changes: ViewChanges, now: int, most: int | None) -> tuple[set[Scope], list[Departure]]:
        """Who is new, or has another name or team; and who has gone or left a team. At midnight moves come to pass.

        Of so many at most: who is seen later is told of then, with all their values.
        """
        self._doubt(view, changes, now)
        looked_at = [*islice(self._unseen, most)]
        for scope in looked_at:
            del self._unseen[scope]
        count = len(self._reps) if most is None else min(len(self._reps), most - len(looked_at))
        looked_at += [rep_scope(self._reps.popitem()[0]) for _ in range(count)]
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

    def _doubt(self, view: View, changes: ViewChanges, now: int) -> None:
        day = view.calendar.day_of(now)
        if changes.everything or day != self._day:
            self._day = day
            # Of very many people the scopes are made when they are looked at.
            self._unseen |= dict.fromkeys([ORGANISATION, *map(team_scope, view.roster.team_names)])
            self._unseen |= {scope: None for scope in self.known if scope.kind == "team"}
            gone = (scope.id for scope in self.known if scope.kind == "rep" and scope.id)
            self._reps = dict.fromkeys([*view.reps(), *gone])
            return
        self._reps |= dict.fromkeys(changes.reps)
        self._reps |= dict.fromkeys(rep for _, rep in changes.panes if rep is not None)
        if changes.reps:
            self._unseen |= dict.fromkeys(map(team_scope, view.roster.team_names))
            self._unseen |= {scope: None for scope in self.known if scope.kind == "team"}


def _exists(view: View, scope: Scope) -> bool:
    if scope.id is None:
        return True
    if scope.kind == "team":
        return scope.id in view.roster.team_names
    return view.is_known_rep(scope.id)

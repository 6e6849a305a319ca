"""Leaderboards: everybody by one metric in one window, kept in order while single people change.

Owns the order and what an entry says. To look at 20,000 people takes seconds, so who has not changed since the last
look is not looked at again. Pure: `now` is an argument.
"""

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from api.read.goal_rows import GoalOfEntry, goal_of_entry
from api.read.view import View, rep_scope
from schemas.catalogue.base import MetricValue
from schemas.people import Person
from schemas.windows import Day, Span

_MOST = 16
"""Leaderboards remembered."""

Json = dict[str, Any]
Place = tuple[bool, Decimal, str, str]
"""Where somebody stands: whether they have nothing to be ranked by, the number (the best is the least), name, id."""
_ZERO = Decimal(0)


class _Entry(NamedTuple):
    """Somebody on a leaderboard, and what that was made of."""

    pane_revision: int
    person: Person | None
    goals_revision: int
    place: Place | None
    """None: they are not shown."""
    value: MetricValue
    goal: GoalOfEntry


@dataclass(frozen=True, slots=True)
class Asked:
    """Which leaderboard."""

    metric: str
    span: Span
    team: str | None
    by_goal: bool
    today: Day


@dataclass
class _Board:
    """One leaderboard, as of two revisions."""

    entries: dict[str, _Entry] = field(default_factory=dict)
    order: list[Place] = field(default_factory=list)
    revision: int = -1
    roster_revision: int = -1


class Leaderboards:
    """Those that were asked for last."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._boards: OrderedDict[Asked, _Board] = OrderedDict()

    def top(self, asked: Asked, limit: int, now: int) -> list[Json]:
        """The first entries: ties share a rank, and are ordered by name; without a number there is no rank."""
        # What counts by the clock alone is looked at anew each time.
        board = _Board() if self._view.moves_by_the_clock(asked.metric) else self._remembered(asked)
        self._refresh(board, asked, now)
        found: list[Json] = []
        rank, before = 0, None
        for number, (is_without, order, _, rep) in enumerate(board.order[:limit], start=1):
            if order != before:
                rank, before = number, order
            found.append(self._shown(rep, None if is_without else rank, board.entries[rep], asked))
        return found

    def _remembered(self, asked: Asked) -> _Board:
        board = self._boards.get(asked)
        if board is None:
            board = self._boards[asked] = _Board()
            if len(self._boards) > _MOST:
                self._boards.popitem(last=False)
        else:
            self._boards.move_to_end(asked)
        return board

    def _refresh(self, board: _Board, asked: Asked, now: int) -> None:
        view = self._view
        if board.roster_revision == view.roster_revision:
            for rep in view.reps_changed_since(board.revision):
                before, after = board.entries.get(rep), self._entry(board, rep, asked, now)
                if before is not None and before.place is not None:
                    del board.order[bisect_left(board.order, before.place)]
                if after is not None and after.place is not None:
                    insort(board.order, after.place)
        else:
            self._look_at_all(board, asked, now, {*view.reps(), *board.entries})
        board.revision, board.roster_revision = view.revision, view.roster_revision

    def _look_at_all(self, board: _Board, asked: Asked, now: int, reps: Iterable[str]) -> None:
        found = [self._entry(board, rep, asked, now) for rep in reps]
        board.order = sorted(entry.place for entry in found if entry is not None and entry.place is not None)

    def _entry(self, board: _Board, rep: str, asked: Asked, now: int) -> _Entry | None:
        """What is shown of somebody now, remembered; None: there is nobody of that name in that team."""
        view = self._view
        if not view.is_known_rep(rep) or (
            asked.team is not None and view.roster.team_on(rep, asked.today) != asked.team
        ):
            board.entries.pop(rep, None)
            return None
        person, goals_revision = view.roster.people.get(rep), view.roster.goals_revision
        pane_revision = view.rep_revision(rep)
        held = board.entries.get(rep)
        has_same_panes = held is not None and held.pane_revision == pane_revision
        if held is not None and has_same_panes and held.person is person and held.goals_revision == goals_revision:
            return held
        value = held.value if held is not None and has_same_panes else self._value(rep, asked, now)
        goal = goal_of_entry(view, asked.metric, rep, asked.span, now)
        place = self._place(rep, person, value, goal, asked)
        made = board.entries[rep] = _Entry(pane_revision, person, goals_revision, place, value, goal)
        return made

    def _value(self, rep: str, asked: Asked, now: int) -> MetricValue:
        return self._view.values(rep_scope(rep), asked.span, now, [asked.metric]).metrics[asked.metric]

    def _place(
        self, rep: str, person: Person | None, value: MetricValue, goal: GoalOfEntry, asked: Asked
    ) -> Place | None:
        # Somebody who has left is shown as long as there is something to show.
        if person is not None and not person.active and not (value is not None and Decimal(str(value))):
            return None
        ranked = goal.attainment if asked.by_goal else value
        is_least_best = not asked.by_goal and self._view.catalogue[asked.metric].better == "lower"
        order = _ZERO if ranked is None else Decimal(str(ranked)) * (1 if is_least_best else -1)
        return ranked is None, order, self._view.roster.name_of(rep), rep

    def _shown(self, rep: str, rank: int | None, entry: _Entry, asked: Asked) -> Json:
        return {
            "rank": rank,
            "rep": rep,
            "name": self._view.roster.name_of(rep),
            "team": self._view.roster.team_on(rep, asked.today),
            "value": entry.value,
            "target": entry.goal.target,
            **({"attainment": entry.goal.attainment} if asked.by_goal else {}),
        }

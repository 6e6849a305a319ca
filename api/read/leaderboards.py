"""Leaderboards: everybody by one metric in one window.

Owns the order and what an entry says. What is read from plain numbers is added up for all people at once, as doubles;
it is read exactly only of those who may be among the first. Of all else the value of each is remembered until a pane of
theirs changes: to look at 20,000 people takes seconds. Pure: `now` is an argument.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from api.read.goal_rows import GoalOfEntry, goal_of_entry
from api.read.piecemeal import Piecemeal, at_once
from api.read.view import View, rep_scope
from schemas.catalogue.base import MetricValue
from schemas.catalogue.rough import Rough
from schemas.columns import Column
from schemas.json_object import Json
from schemas.people import Person
from schemas.windows import Day, Span

_MOST = 16
"""Leaderboards remembered."""
_FEW = 20
"""So many people are looked at one by one where minutes are merged: for more it is cheaper to read all at once."""
_VALUES = 20_000
"""Values remembered by the amounts that they are made of."""
_AT_ONCE = 100
"""People who are looked at in one step of what is made ahead."""
_SHOWN_ERROR = 2.0**-46
"""A double that is shown differs from the exact value by so much of it at most, by far."""

RankKey = tuple[bool, Decimal, str, str]
"""Where somebody stands: whether they have nothing to be ranked by, the number (the best is the least), name, id."""
_ZERO = Decimal(0)
_NOBODY = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class LeaderboardAsked:
    """Which leaderboard."""

    metric: str
    span: Span
    team: str | None
    by_goal: bool
    today: Day


class _Entry(NamedTuple):
    """Of somebody, what is shown, and what that was made of."""

    pane_revision: int
    person: Person | None
    goals_revision: int
    value: MetricValue
    goal: GoalOfEntry


@dataclass
class _Board:
    """What is remembered of everybody on one leaderboard."""

    entries: dict[str, _Entry] = field(default_factory=dict)
    looked_at: int = 0
    """By which clock."""


class _Crowd(NamedTuple):
    """Who may be on a leaderboard, in the order of their names."""

    reps: Sequence[str]
    names: Sequence[str]
    places: NDArray[np.int64]
    away: NDArray[np.bool_]
    """Who has left: shown as long as there is something to show."""


ReadValue = Callable[[int], tuple[MetricValue, MetricValue]]
"""By number in the crowd: the value that is shown, and what ranks it."""


class Leaderboards:
    """Those that were asked for last."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._boards: OrderedDict[LeaderboardAsked, _Board] = OrderedDict()
        self._crowds: dict[tuple[str | None, Day], tuple[tuple[int, int], _Crowd]] = {}
        self._known: dict[tuple[str, tuple[Column, ...], tuple[int, ...]], MetricValue] = {}
        """By metric, columns and what somebody has of these: nothing else makes what is read from plain numbers."""

    def top(self, asked: LeaderboardAsked, limit: int, now: int) -> list[Json]:
        """The first entries: ties share a rank, and are ordered by name; without a number there is no rank."""
        crowd = at_once(self._gathering(asked))
        found = None if asked.by_goal else self._plain(crowd, asked, now)
        rough, read, key_of = found or self._remembered(crowd, asked, now)
        idle = self._view.result({}, now, [asked.metric], asked.span).metrics[asked.metric]
        is_least_best = not asked.by_goal and self._view.catalogue[asked.metric].better == "lower"
        shown: list[tuple[RankKey, MetricValue]] = []
        for number in _best(rough, limit, key_of, crowd.away, is_least_best=is_least_best, slack=self._slack(asked)):
            value, ranked = read(number)
            if crowd.away[number] and value in (None, idle):
                continue
            order = _ZERO if ranked is None else Decimal(str(ranked)) * (1 if is_least_best else -1)
            shown.append(((ranked is None, order, crowd.names[number], crowd.reps[number]), value))
        shown.sort(key=lambda entry: entry[0])
        entries: list[Json] = []
        rank, before = 0, None
        for number, ((is_without, order, name, rep), value) in enumerate(shown[:limit], start=1):
            if order != before:
                rank, before = number, order
            entries.append(self._shown(rep, name, None if is_without else rank, value, asked, now))
        return entries

    def ahead(self, asked: LeaderboardAsked, now: int) -> Piecemeal[None]:
        """Make ahead what `top` reads, with time for others after each step; what changes meanwhile is left to it."""
        yield from self._view.total_ahead(asked.metric, asked.span)
        crowd = yield from self._gathering(asked)
        is_anew = asked not in self._boards or self._view.moves_by_the_clock(asked.metric)
        if is_anew and (asked.by_goal or not self._is_plain(asked, now)):
            board = self._board(asked, now)
            for first in range(0, len(crowd.reps), _AT_ONCE):
                if board.looked_at != now and self._view.moves_by_the_clock(asked.metric):
                    return  # somebody looks at it by another clock, of which this one's values are not
                self._refresh(board, crowd.reps[first : first + _AT_ONCE], asked, now)
                yield

    def _shown(
        self, rep: str, name: str, rank: int | None, value: MetricValue, asked: LeaderboardAsked, now: int
    ) -> Json:
        board = self._boards.get(asked)
        entry = None if board is None else board.entries.get(rep)
        goal = entry.goal if entry is not None and asked.by_goal else self._goal(rep, asked, now)
        return {
            "rank": rank,
            "rep": rep,
            "name": name,
            "team": self._view.roster.team_on(rep, asked.today),
            "value": value,
            "target": goal.target,
            **({"attainment": goal.attainment} if asked.by_goal else {}),
        }

    def _goal(self, rep: str, asked: LeaderboardAsked, now: int) -> GoalOfEntry:
        return goal_of_entry(self._view, asked.metric, rep, asked.span, now)

    def _slack(self, asked: LeaderboardAsked) -> float:
        """By how much a value that is shown may differ from the exact one, whatever its size."""
        is_money = not asked.by_goal and asked.metric in self._view.money
        return 10.0**-self._view.money_digits if is_money else 0.0

    def _gathering(self, asked: LeaderboardAsked) -> Piecemeal[_Crowd]:
        view = self._view
        revision = view.roster_revision, view.store.people_revision
        held = self._crowds.get((asked.team, asked.today))
        if held is not None and held[0] == revision:
            return held[1]
        team_on, name_of, people = view.roster.team_on, view.roster.name_of, view.roster.people
        reps = [rep for rep in view.reps() if asked.team is None or team_on(rep, asked.today) == asked.team]
        yield
        named = sorted((name_of(rep), rep) for rep in reps)
        yield
        persons = [people.get(rep) for _, rep in named]
        crowd = _Crowd(
            [rep for _, rep in named],
            [name for name, _ in named],
            np.array([view.store.place(rep) for _, rep in named], np.int64),
            np.array([person is not None and not person.active for person in persons], np.bool_),
        )
        if len(self._crowds) >= _MOST:
            self._crowds.clear()
        self._crowds[asked.team, asked.today] = revision, crowd
        return crowd

    def _is_plain(self, asked: LeaderboardAsked, now: int) -> bool:
        view = self._view
        if view.store.damage or view.not_kept(asked.span, now, asked.metric) is not None:
            return False
        return view.totals_of(asked.metric, _NOBODY, asked.span) is not None

    def _plain(
        self, crowd: _Crowd, asked: LeaderboardAsked, now: int
    ) -> "tuple[Rough, ReadValue, Callable[[int], object]] | None":
        """From totals of everybody; None where the metric is not read from plain numbers alone."""
        view = self._view
        if not self._is_plain(asked, now):
            return None
        found = view.totals_of(asked.metric, crowd.places, asked.span)
        rough = None if found is None else view.rough(asked.metric, found, len(crowd.reps))
        if found is None or rough is None:
            return None
        columns, totals, known = tuple(found), [*found.values()], self._known
        if len(known) > _VALUES:
            known.clear()

        def amounts_of(number: int) -> tuple[int, ...]:
            return tuple([total.item(number) for total in totals])

        def read(number: int) -> tuple[MetricValue, MetricValue]:
            key = asked.metric, columns, amounts_of(number)
            if key not in known:
                pane: dict[int, Any] = {}
                for (cell, part), amount in zip(columns, key[2], strict=True):
                    if amount and part is None:
                        pane[cell] = amount
                    elif amount:
                        pane.setdefault(cell, {})[part] = amount
                known[key] = view.result(pane, now, [asked.metric], asked.span).metrics[asked.metric]
            return known[key], known[key]

        return rough, read, amounts_of

    def _remembered(
        self, crowd: _Crowd, asked: LeaderboardAsked, now: int
    ) -> "tuple[Rough, ReadValue, Callable[[int], object]]":
        """From what is remembered of each, once it is right again."""
        board = self._board(asked, now)
        self._refresh(board, crowd.reps, asked, now)
        entries = [board.entries[rep] for rep in crowd.reps]
        ranked = [entry.goal.attainment if asked.by_goal else entry.value for entry in entries]
        values = np.array([np.nan if value is None else float(value) for value in ranked], np.float64)

        def read(number: int) -> tuple[MetricValue, MetricValue]:
            return entries[number].value, ranked[number]

        return Rough(values, 0.0), read, lambda number: (entries[number].value, ranked[number])

    def _board(self, asked: LeaderboardAsked, now: int) -> _Board:
        board = self._boards.setdefault(asked, _Board())
        # What counts by the clock alone is looked at anew when that has moved.
        if board.looked_at != now and self._view.moves_by_the_clock(asked.metric):
            board.entries.clear()
        board.looked_at = now
        self._boards.move_to_end(asked)
        while len(self._boards) > _MOST:
            self._boards.popitem(last=False)
        return board

    def _refresh(self, board: _Board, reps: Sequence[str], asked: LeaderboardAsked, now: int) -> None:
        view, entries = self._view, board.entries
        goals_revision, people = view.roster.goals_revision, view.roster.people
        changed: list[str] = []
        for rep in reps:
            held, person = entries.get(rep), people.get(rep)
            if held is None or held.pane_revision != view.rep_revision(rep):
                changed.append(rep)
            elif held.person is not person or held.goals_revision != goals_revision:
                goal = self._goal(rep, asked, now)
                entries[rep] = held._replace(person=person, goals_revision=goals_revision, goal=goal)
        for rep, value in self._values(changed, asked, now):
            entries[rep] = _Entry(
                view.rep_revision(rep), people.get(rep), goals_revision, value, self._goal(rep, asked, now)
            )

    def _values(self, reps: Sequence[str], asked: LeaderboardAsked, now: int) -> Iterator[tuple[str, MetricValue]]:
        view, metrics = self._view, [asked.metric]
        if not asked.span.days and len(reps) <= _FEW:
            for rep in reps:
                yield rep, view.values(rep_scope(rep), asked.span, now, metrics).metrics[asked.metric]
            return
        panes = view.merged_of(reps, asked.span, now, view.cells_of(metrics))
        blank = view.result({}, now, metrics, asked.span).metrics[asked.metric]
        for rep, pane in zip(reps, panes, strict=True):
            yield rep, view.result(pane, now, metrics, asked.span).metrics[asked.metric] if pane else blank


def _best(
    rough: Rough, limit: int, key_of: Callable[[int], object], away: NDArray[np.bool_], *, is_least_best: bool,
    slack: float,
) -> Iterator[int]:  # fmt: skip
    """Everybody who may be among so many of the best, by number; of who have all the same the first of them.

    Those without a value last. Who has left may not be shown: they take nobody's place.
    """
    keys = rough.values if is_least_best else -rough.values
    # Numbers are in the order of names: whoever comes first does so among equals.
    numbers = np.arange(len(keys))
    is_without = np.isnan(keys)
    some, without = numbers[~is_without], numbers[is_without]
    staying = keys[some[~away[some]]]
    if len(staying) >= limit > 0:
        worst = float(np.partition(staying, limit - 1)[limit - 1])
        some = some[keys[some] <= worst + 2 * (rough.error + slack + abs(worst) * _SHOWN_ERROR)]
        without = without[:0]
    same: Counter[object] = Counter()
    for number in some[np.argsort(keys[some], kind="stable")].tolist():
        if not away[number]:
            held = key_of(number)
            same[held] += 1
            if same[held] > limit:
                continue
        yield number
    yield from without[away[without]].tolist()
    yield from without[~away[without]][:limit].tolist()

"""Goals and lists of what is open: recounted beside the rows, fetched, and compared value by value.

Owns which values they have and by which names these are told. Goals themselves are goals.py's, lists open_lists.py's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from deploy.verification.differences import ValueDifference, What, same
from deploy.verification.goal_days import Dates, Whose
from deploy.verification.goals import ORGANISATION, Goals
from deploy.verification.measures import REP_DAYS, Counted, Exact
from deploy.verification.open_lists import Listed, OpenLists
from deploy.verification.rows import Tally
from deploy.verification.spans import Span
from schemas.instants import format_instant

if TYPE_CHECKING:
    from deploy.verification.books import Books, BoundDefinitions
    from deploy.verification.records import Record

GOALS, OPEN_DEALS, OPEN_LEADS = "goals", "open_deals", "open_leads"
"""What the comparison of each is called, beside windows."""
PERIODS = 2
"""Of each goal: the current one and the one before."""
_OF_NEED = ("average_deal_size", "lead_conversion_rate", "deals_won")
_BY_THE_CLOCK = ("expected", "pace", "projection", "needed_per_day")
_OF_GOALS = (
    "target", "actual", "attainment", "gap", "state", "share_at_goal", "fit", "deals_needed", "leads_needed",
    *_BY_THE_CLOCK,
)  # fmt: skip
_CENT, _MILLISECOND = 0.011, 1e-6
"""Answers name their instant in milliseconds: what moves by the clock may differ by that, and by its rounding."""

ListValues = dict[What, Any]


@dataclass(frozen=True, slots=True)
class ServedLists:
    """What is served, and as of when (microseconds)."""

    goals: Sequence[Mapping[str, Any]]
    deals: Sequence[Mapping[str, Any]]
    leads: Sequence[Mapping[str, Any]]
    goals_at: int
    deals_at: int
    leads_at: int


class Lists:
    """Goals and lists in the making: whoever recounts hands over all that counts, and all deals and leads."""

    def __init__(self, reading: BoundDefinitions, goal_records: Iterable[Record], now: int) -> None:
        """`now`: as of when goals are asked for."""
        self._reading, self._now = reading, now
        self._today = reading.people.day_of(now)
        self.goals = Goals(reading, goal_records)
        self.open = OpenLists(reading)
        formulas = reading.formulas
        asked = {goal.metric for goal in self.goals.goals.values()} | set(_OF_NEED) & formulas.by_name.keys()
        leaves = {leaf for name in asked for leaf in formulas.by_name[name].leaves()}
        self._measures = {measure for leaf in leaves for measure in leaf.measures}
        self._spans = {days: Span(None, None, days.first, days.last, now, self._today) for days in self._days_asked()}
        self._tallies: dict[tuple[Dates, Whose], Tally] = {}
        if any(REP_DAYS in measure.sources for measure in self._measures):
            for counted in reading.days_of(min(days.first for days in self._spans), self._today):
                self.add(counted)

    def _days_asked(self) -> set[Dates]:
        found = {Dates(self._today - timedelta(days=back), self._today) for back in (89, 364)}
        return found | {Dates(days.first, min(days.last, self._today)) for _, days in self.periods}

    @cached_property
    def periods(self) -> list[tuple[str, Dates]]:
        """Of each goal, those that are compared."""
        found = []
        for name in self.goals.goals:
            days = self.goals.period(name, self._today)
            for _ in range(PERIODS):
                found.append((name, days))
                days = self.goals.period(name, days.first - timedelta(days=1))
        return found

    def add(self, counted: Counted) -> None:
        """Take in one more, if it is asked for."""
        if counted.measure not in self._measures:
            return
        for days, span in self._spans.items():
            if counted.day is None or span.holds(counted.at, counted.day):
                team = self._reading.team_of(counted, span)
                for whose in (
                    ORGANISATION,
                    *([] if counted.rep is None else [Whose("rep", counted.rep)]),
                    *([] if team is None else [Whose("team", team)]),
                ):
                    self._tally(days, whose).add(counted)

    def _tally(self, days: Dates, whose: Whose) -> Tally:
        key = days, whose
        if key not in self._tallies:
            self._tallies[key] = Tally(self._reading.formulas, self._spans[days])
        return self._tallies[key]

    def _actual(self, metric: str, whose: Whose, days: Dates) -> Exact:
        return self._tally(days, whose).value(metric)

    def values(self, served: ServedLists) -> dict[str, ListValues]:
        """By what they are called, all values as of the instants of what is served."""
        deals = self.open.deals(served.deals_at, self.goals, self._actual)
        return {
            GOALS: self._of_goals(served.goals_at),
            OPEN_DEALS: _of_list("deal", deals),
            OPEN_LEADS: _of_list("lead", self.open.leads(served.leads_at)),
        }

    def _of_goals(self, now: int) -> ListValues:
        reading, found = self._reading, ListValues()
        whose_are = [ORGANISATION, *(Whose("team", team) for team in reading.teams)]
        whose_are += [Whose("rep", rep) for rep in reading.people.roster]
        for name, days in self.periods:
            begins = format_instant(reading.people.start_of(days.first))
            for whose in whose_are:
                row = self.goals.row(name, whose, days, now, self._actual)
                if row is not None:
                    found |= _of_goal(name, whose.scope, whose.id or "", begins, row)
        return found


def lists_of(books: Books, served: ServedLists) -> dict[str, ListValues]:
    """The same of books that hold everything."""
    made = Lists(books.reading, books.records_of("goal"), served.goals_at)
    for counted in books.counted:
        made.add(counted)
    made.open.take_deals(books)
    made.open.take_leads(books)
    return made.values(served)


def served_values(served: ServedLists) -> dict[str, ListValues]:
    """The same of what is served."""
    goals = ListValues()
    for row in served.goals:
        whose = {"rep": row["rep"], "team": row["team"]}.get(row["scope"]) or ""
        goals |= _of_goal(row["goal"], row["scope"], whose, row["period"]["from"], row)
    return {
        GOALS: goals,
        OPEN_DEALS: _of_list("deal", {row["deal"]: _as_read(row) for row in served.deals}),
        OPEN_LEADS: _of_list("lead", {row["lead"]: _as_read(row) for row in served.leads}),
    }


def list_differences(expected: Mapping[What, Any], served: Mapping[What, Any]) -> list[ValueDifference]:
    """Each value in which two of them differ."""
    return [
        ValueDifference(what, expected.get(what), served.get(what))
        for what in sorted({*expected, *served})
        if not _is_same(what, expected, served)
    ]


def _is_same(what: What, expected: Mapping[What, Any], served: Mapping[What, Any]) -> bool:
    if what not in expected or what not in served:
        return False
    ours, theirs = expected[what], served[what]
    if what.value.partition(" ")[0] not in _BY_THE_CLOCK or ours is None or theirs is None:
        return same(ours, theirs)
    return math.isclose(float(ours), float(theirs), rel_tol=_MILLISECOND, abs_tol=_CENT if isinstance(ours, str) else 0)


def _of_goal(goal: str, scope: str, whose: str, begins: str, row: Mapping[str, Any]) -> ListValues:
    return {What(scope, whose, f"{field} of goal {goal} from {begins}"): row[field] for field in _OF_GOALS}


def _of_list(scope: str, listed: Listed) -> ListValues:
    found: ListValues = {What("organisation", "", f"order of open {scope}s"): tuple(listed)}
    for id, row in listed.items():
        for field, value in row.items():
            told = format_instant(value) if isinstance(value, int) and field.endswith("_at") else value
            found[What(scope, id, field)] = tuple(told) if isinstance(told, list) else told
    return found


_NOT_COMPARED = frozenset({"deal", "lead", "rep_name", "currency", "age_seconds"})


def _as_read(row: Mapping[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in row.items() if field not in _NOT_COMPARED}

"""Goals as REST, SSE and Prometheus show them.

Owns names and forms of what is served of goals; where somebody is, schemas/goals says. Pure: `now` is an argument.
"""

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import islice
from typing import NamedTuple

from api.read.piecemeal import Piecemeal
from api.read.view import ORGANISATION, Scope, View
from schemas.catalogue import money_digits
from schemas.catalogue.base import Exact, MetricValue, Reading, shown
from schemas.goals.periods import Days
from schemas.goals.standing import Standing
from schemas.instants import format_instant
from schemas.json_object import Json
from schemas.windows import Span

_GOALS_AT_ONCE = 20
"""Attainments of which a pane has changed, looked at before the event loop turns: a few milliseconds."""

MOVES_BY_THE_CLOCK = frozenset({"expected", "pace", "projection", "needed_per_day"})
"""What of a goal changes though nothing happens."""


def goals_of_row(
    view: View, scope: Scope, span: Span, now: int, metrics: Iterable[str] | None = None, *, every: bool = False
) -> Json:
    """By metric, the goal that is meant in this window (`every`: a list of all); of who has none, nothing."""
    days = view.goals.window(span)
    if days is None:
        return {}
    found: Json = {}
    for metric in view.goals.metrics() if metrics is None else metrics:
        standings = _standings(view, metric, scope, span, days, now)
        told = [goal_json(view, name, standing) for name, standing in (standings if every else islice(standings, 1))]
        if told:
            found[metric] = told if every else told[0]
    return found


class GoalOfEntry(NamedTuple):
    """What a leaderboard shows of a goal."""

    target: MetricValue = None
    attainment: float | None = None


def goal_of_entry(view: View, metric: str, rep: str, span: Span, now: int) -> GoalOfEntry:
    """Of the goal that is meant in this window: nothing here moves by the clock alone."""
    days = view.goals.window(span)
    if days is not None:
        for name in view.goals.goals_for(metric, span.name, days):
            found = view.goals.attained(name, rep, days, now, actual_in=span)
            if found is not None:
                unit, digits = view.catalogue[metric].unit, money_digits(view.config.organisation.currency)
                return GoalOfEntry(_amount(found.target, unit, digits), _share(found.attainment))
    return GoalOfEntry()


def _standings(
    view: View, metric: str, scope: Scope, span: Span, days: Days, now: int
) -> Iterator[tuple[str, Standing]]:
    for name in view.goals.goals_for(metric, span.name, days):
        standing = view.goals.standing(name, scope, days, now, actual_in=span)
        if standing is not None:
            yield name, standing


def goal_json(view: View, name: str, found: Standing) -> Json:
    """A goal in a row of metrics."""
    unit = view.catalogue[view.goals.goals[name].metric].unit
    money = money_digits(view.config.organisation.currency)
    return {
        "goal": name,
        "target": _amount(found.target, unit, money),
        "attainment": _share(found.attainment),
        "gap": _amount(found.gap, unit, money),
        "expected": _amount(found.expected, unit, money),
        "pace": _share(found.pace),
        "projection": _amount(found.projection, unit, money),
        "needed_per_day": _amount(found.needed_per_day, unit, money),
        "state": found.state,
    }


def _amount(value: Exact, unit: str, digits: int) -> MetricValue:
    if isinstance(value, Fraction) and value.denominator == 1:
        value = value.numerator
    return shown(value, unit, Reading(now=0, money_digits=digits))


def _share(value: Exact) -> float | None:
    return None if value is None else float(value)


class GoalRow(NamedTuple):
    """A goal of somebody in a period: what a row of `/v1/goals` is about."""

    scope: Scope
    goal: str
    period: Days


def row_json(view: View, row: GoalRow, found: Standing, now: int) -> Json:
    """A row of `/v1/goals`."""
    scope, name, period = row
    goal = view.goals.goals[name]
    unit = view.catalogue[goal.metric].unit
    people, needed = view.goals.people(name, scope, period, now), view.goals.needed(name, scope, found, now)
    start, end = view.goals.bounds(period)
    money = money_digits(view.config.organisation.currency)
    told = goal_json(view, name, found)
    del told["goal"]
    since = view.goals.not_kept(name, period, now)
    return {
        "goal": name,
        "metric": goal.metric,
        "scope": scope.kind,
        **_who(view, scope, now),
        "period": {"name": goal.period, "from": format_instant(start), "to": format_instant(end)},
        "target": told.pop("target"),
        "actual": _amount(found.actual, unit, money),
        **told,
        "share_at_goal": _share(people.share_at_goal),
        "fit": people.fit,
        "deals_needed": needed.deals,
        "leads_needed": needed.leads,
        "currency": view.config.organisation.currency if unit == "money" else None,
        **({} if since is None else {"unavailable": {goal.metric: since}}),
    }


def _who(view: View, scope: Scope, now: int) -> Json:
    if scope.kind == "rep" and scope.id is not None:
        team = view.roster.team_on(scope.id, view.calendar.day_of(now))
        return {"rep": scope.id, "name": view.roster.name_of(scope.id), "team": team}
    if scope.kind == "team" and scope.id is not None:
        return {"rep": None, "name": view.roster.team_names.get(scope.id, scope.id), "team": scope.id}
    return {"rep": None, "name": view.config.organisation.name, "team": None}


def standings_of(
    view: View, scopes: Iterable[Scope], goals: Iterable[tuple[str, Iterable[Days]]], now: int
) -> Iterator[tuple[GoalRow, Standing]]:
    """Those that have a target, by scope, then goal, then period."""
    wanted = [(name, list(periods)) for name, periods in goals]
    for scope in scopes:
        for name, periods in wanted:
            for period in periods:
                found = view.goals.standing(name, scope, period, now)
                if found is not None:
                    yield GoalRow(scope, name, period), found


class Attainment(NamedTuple):
    """What Prometheus gets of a goal in its current period."""

    goal: str
    scope: str
    rep: str
    team: str
    attainment: float


def exported_goals(view: View, reps: Mapping[str, str | None], now: int) -> Piecemeal[list[Attainment]]:
    """The attainments that a scrape has: of the organisation, all teams and these reps (with their teams of today)."""
    found: list[Attainment] = []
    for looked_at, each in enumerate(_attainments(view, reps, now), 1):
        if each is not None:
            found.append(each)
        if not looked_at % _GOALS_AT_ONCE:
            yield
    return found


def _attainments(view: View, reps: Mapping[str, str | None], now: int) -> Iterator[Attainment | None]:
    """One by one; None of who has none. Empty labels where they do not apply."""
    today = view.calendar.day_of(now)
    wholes = [ORGANISATION, *(Scope("team", team) for team in view.roster.team_names)]
    for name in view.goals.goals:
        period = view.goals.period(name, today)
        for scope in wholes:
            found = view.goals.standing(name, scope, period, now)
            share = None if found is None else _share(found.attainment)
            yield None if share is None else Attainment(name, scope.kind, "", scope.id or "", share)
        for rep, team in reps.items():
            attained = view.goals.attained(name, rep, period, now)
            share = None if attained is None else _share(attained.attainment)
            yield None if share is None else Attainment(name, "rep", rep, team or "", share)

"""Leaderboards: one metric over reps."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.http.description import NOT_FOUND, READ_PROBLEMS, operation_id
from api.http.etag import answer_known
from api.http.models.metrics import LeaderboardAnswer
from api.http.parameters import (
    ReadRequest,
    ReadRoute,
    SpanAsked,
    TeamAsked,
    known_metric,
    known_team,
    reps_asked,
    team_today,
)
from api.read.goal_rows import GoalOfEntry, goal_of_entry
from api.read.response_cache import ResponseCache, known
from api.read.rows import has_money
from api.read.view import View, rep_scope
from schemas.catalogue.base import MetricValue
from schemas.instants import format_instant
from schemas.windows import Span

router = APIRouter(prefix="/v1", route_class=ReadRoute, tags=["metrics"], generate_unique_id_function=operation_id)


@router.get(
    "/leaderboards/{metric}",
    summary="Reps ordered by a metric",
    response_model=LeaderboardAnswer,
    responses=READ_PROBLEMS | NOT_FOUND,
)
async def leaderboard(
    request: ReadRequest, metric: str, span: SpanAsked,
    team: TeamAsked = None, limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
    rank: Annotated[
        Literal["value", "attainment"], Query(description="By what: the metric, or how much of their goal they have.")
    ] = "value",
) -> Response:  # fmt: skip
    """Ties share a rank; who has no value, or no goal to be ranked by, comes last, without a rank."""
    access, view, now = request.access, request.view, request.now
    known_metric(view, metric)
    if team is not None:
        known_team(view, team, access)

    def make(most: int = limit) -> dict[str, Any]:
        start, end = span.bounds(view.calendar)
        reps = reps_asked(view, team, access, now)
        money = {"currency": view.config.organisation.currency} if has_money(view, [metric]) else {}
        return {
            "metric": metric,
            "window": {"name": span.name, "from": format_instant(start), "to": format_instant(end)},
            "as_of": "",
            **money,
            "entries": _entries(view, metric, reps, span, now, by_goal=rank == "attainment")[:most],
        }

    if request.discretion is not None:
        board = make(10_000)
        board["entries"] = request.discretion.listed(board["entries"])[:limit]
        return answer_known(known(board), format_instant(now))
    if view.moves_by_the_clock(metric):
        # Leads without an answer count by the clock.
        found = known(make())
    else:
        # To make the list of 1,000 reps costs fifty times what it costs to send it again. Teams are of the day.
        key = (metric, span, team, access.team, limit, rank, view.calendar.day_of(now))
        response_cache: ResponseCache = request.app.state.read_side.response_cache
        found = response_cache.known(view.revision, key, make)
    return answer_known(found, format_instant(now))


def _entries(view: View, metric: str, reps: list[str], span: Span, now: int, *, by_goal: bool) -> list[dict[str, Any]]:
    found: list[tuple[str, MetricValue]] = []
    goals: dict[str, GoalOfEntry] = {}
    for rep in reps:
        value = view.values(rep_scope(rep), span, now, [metric]).metrics[metric]
        person = view.roster.people.get(rep)
        # Somebody who has left is shown as long as there is something to show.
        if person is None or person.active or (value is not None and Decimal(str(value))):
            found.append((rep, value))
            goals[rep] = goal_of_entry(view, metric, rep, span, now)
    places = ranked(view, found, lower_first=view.catalogue[metric].better == "lower")
    if by_goal:
        values = dict(found)
        by_attainment = ranked(view, [(rep, goals[rep].attainment) for rep, _ in found], lower_first=False)
        places = [(rank, rep, values[rep]) for rank, rep, _ in by_attainment]
    return [
        {
            "rank": rank,
            "rep": rep,
            "name": view.roster.name_of(rep),
            "team": team_today(view, rep, now),
            "value": value,
            "target": goals[rep].target,
            **({"attainment": goals[rep].attainment} if by_goal else {}),
        }
        for rank, rep, value in places
    ]


def ranked(
    view: View, found: list[tuple[str, MetricValue]], *, lower_first: bool
) -> list[tuple[int | None, str, MetricValue]]:
    """(rank, rep, value), best first; equal values share a rank, and are ordered by name."""
    sign = 1 if lower_first else -1
    valued = [(sign * Decimal(str(value)), rep, value) for rep, value in found if value is not None]
    valued.sort(key=lambda item: (item[0], view.roster.name_of(item[1]), item[1]))
    places: list[tuple[int | None, str, MetricValue]] = []
    for place, (order, rep, value) in enumerate(valued, start=1):
        is_tie = place > 1 and valued[place - 2][0] == order
        places.append((places[-1][0] if is_tie else place, rep, value))
    without = sorted((rep for rep, value in found if value is None), key=lambda rep: (view.roster.name_of(rep), rep))
    return places + [(None, rep, None) for rep in without]

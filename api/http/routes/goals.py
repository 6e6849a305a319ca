"""`GET /v1/goals`: goals by period, of the organisation, teams and reps."""

from collections.abc import Iterable, Iterator
from datetime import date
from itertools import dropwhile, islice
from typing import Annotated, NamedTuple

from fastapi import Query
from starlette.responses import Response

from api.http.description import NOT_FOUND, READ_PROBLEMS
from api.http.errors import InvalidParameterError
from api.http.etag import answer_rows
from api.http.identity import Access
from api.http.models.goals import GoalsAnswer
from api.http.parameters import (
    WHOLE_NUMBER,
    Cursor,
    Limit,
    ReadRequest,
    known_date,
    known_rep,
    known_team,
    nobody_named,
    read_cursor,
    read_date,
    read_names,
    read_router,
    reps_asked,
    shown_name,
    team_today,
    write_cursor,
)
from api.read.goal_rows import GoalRow, row_json, standings_of
from api.read.view import ORGANISATION, Scope, View, rep_scope, team_scope
from schemas.goals.periods import Days
from schemas.windows import Day, day_from

router = read_router("goals")

MAX_COUNT = 60
_RANKS = {"organisation": 0, "team": 1, "rep": 2}


@router.get("/goals", summary="Goals by period", response_model=GoalsAnswer, responses=READ_PROBLEMS | NOT_FOUND)
async def goals(
    request: ReadRequest,
    period: Annotated[str, Query(description="`current`, `previous`, or a date in it.")] = "current",
    count: Annotated[int, Query(ge=1, le=MAX_COUNT, description="So many periods, up to that one."), WHOLE_NUMBER] = 1,
    goal: Annotated[str | None, Query(description="Names, with commas; all if left out.")] = None,
    team: Annotated[str | None, Query(description="Only this team, and its reps of today.")] = None,
    rep: Annotated[str | None, Query(description="Only this rep.")] = None,
    limit: Limit = 100, cursor: Cursor = None,
) -> Response:  # fmt: skip
    """A row for each goal, period and scope that has a target: the organisation, then teams, then reps by id.

    Of one scope the goals are in the order of the file, and the periods of each from the earliest on.
    """
    access, view, now = request.access, request.view, request.now
    names = _known_goals(view, goal)
    wanted = [(name, _periods(view, name, period, count, now)) for name in names]
    nobody_named(request, rep)
    scopes = _scopes(view, access, team, rep, now)
    if request.discretion is not None:
        scopes = [scope for scope in scopes if scope.kind != "rep"]
    order = {name: place for place, name in enumerate(view.goals.goals)}

    def key_of(row: GoalRow) -> _Key:
        return _Key(_RANKS[row.scope.kind], row.scope.id or "", order[row.goal], row.period.first)

    after = None if cursor is None else _Key(*read_cursor(cursor, int, str, int, int))
    if after is not None:
        first = after[:2]
        scopes = (scope for scope in scopes if (_RANKS[scope.kind], scope.id or "") >= first)
    found = standings_of(view, scopes, wanted, now)
    if after is not None:
        found = dropwhile(lambda each: key_of(each[0]) <= after, found)
    page = list(islice(found, limit + 1))
    following = write_cursor(key_of(page[limit - 1][0])) if len(page) > limit else None
    rows = [row_json(view, row, standing, now) for row, standing in page[:limit]]
    return answer_rows(request, rows, next=following)


class _Key(NamedTuple):
    """Where a row stands in the list."""

    rank: int
    id: str
    goal: int
    first: Day


def _known_goals(view: View, names: str | None) -> list[str]:
    asked = read_names("goal", names)
    for name in asked or ():
        if name not in view.goals.goals:
            raise InvalidParameterError(field="goal", detail=f"there is no goal {shown_name(name)}")
    return [name for name in view.goals.goals if not asked or name in asked]


def _periods(view: View, name: str, period: str, count: int, now: int) -> list[Days]:
    """The periods of a goal that are asked for, the earliest first."""
    goals, today = view.goals, view.calendar.day_of(now)
    day = today if period in {"current", "previous"} else day_from(_date(period))
    found = [goals.period(name, day)]
    if period == "previous":
        found = [goals.period_before(name, found[0])]
    while len(found) < count:
        found.append(goals.period_before(name, found[-1]))
    return found[::-1]


def _date(text: str) -> date:
    found = read_date(text)
    if found is None:
        raise InvalidParameterError(
            field="period", detail=f"{shown_name(text)} is neither current nor previous nor a date"
        )
    return known_date("period", found)


def _scopes(view: View, access: Access, team: str | None, rep: str | None, now: int) -> Iterable[Scope]:
    """Whose goals are asked for and may be seen, in the order of the list."""
    if team is not None:
        known_team(view, team, access)
    if rep is None and access.rep is not None:
        return [rep_scope(each) for each in reps_asked(view, None, access, now)]
    if rep is not None:
        known_rep(view, rep, access, now)
        return [rep_scope(rep)] if team is None or team_today(view, rep, now) == team else []
    only = team if team is not None else access.team
    return _all_scopes(view, access, only, now)


def _all_scopes(view: View, access: Access, only: str | None, now: int) -> Iterator[Scope]:
    if only is None and access.allows_team(None):
        yield ORGANISATION
    yield from (
        team_scope(team) for team in view.roster.team_names if only in {None, team} and access.allows_team(team)
    )
    reps = sorted(view.roster.people) if only is None else reps_asked(view, only, access, now)
    if access.teams is not None:
        reps = [rep for rep in reps if access.allows_team(team_today(view, rep, now))]
    yield from (rep_scope(rep) for rep in reps)

"""The catalogue, the roster, and rows of metrics of reps, teams and the organisation."""

from typing import Annotated, Any

from fastapi import Query
from starlette.responses import Response

from api.http.description import NOT_FOUND, READ_PROBLEMS
from api.http.errors import InvalidParameterError
from api.http.etag import answer_rows
from api.http.models.metrics import MetricsAnswer, RepsAnswer, RowAnswer, RowsAnswer, TeamsAnswer
from api.http.parameters import (
    WHOLE_NUMBER,
    Cursor,
    ReadRequest,
    TeamAsked,
    known_rep,
    known_team,
    organisation_allowed,
    page,
    read_router,
    reps_asked,
    team_today,
)
from api.http.rows_asked import TABLE, RowsAsked
from api.read.rows import metric_json, person_json
from api.read.view import ORGANISATION, rep_scope, team_scope
from schemas.instants import format_instant
from schemas.windows import date_of

router = read_router("metrics")


@router.get("/metrics", summary="The metric catalogue", response_model=MetricsAnswer, responses=READ_PROBLEMS)
async def metric_catalogue(request: ReadRequest) -> Response:
    """Every metric: what it is called, what it counts, in which unit, which values rank first, by what it can be split.

    `definition` is the same text as `description`.
    """
    view = request.view
    today = date_of(view.calendar.day_of(request.now))
    return answer_rows(request, [metric_json(view.catalogue, name, today) for name in view.catalogue])


@router.get("/reps", summary="The roster", response_model=RepsAnswer, responses=READ_PROBLEMS | NOT_FOUND)
async def roster(request: ReadRequest, team: TeamAsked = None) -> Response:
    """Everybody in the roster, and everybody that records name."""
    access, view, now = request.access, request.view, request.now
    return answer_rows(request, [person_json(view, rep, now) for rep in reps_asked(view, team, access, now)])


@router.get("/teams", summary="The teams", response_model=TeamsAnswer, responses=READ_PROBLEMS)
async def teams(request: ReadRequest) -> Response:
    """Every team, with who is in it today; to a key of one rep their own, with nobody else."""
    access, view, now = request.access, request.view, request.now
    members: dict[str | None, list[str]] = {}
    for rep in reps_asked(view, None, access, now):
        members.setdefault(team_today(view, rep, now), []).append(rep)
    rows = [
        {"team": team, "name": name, "reps": members.get(team, [])}
        for team, name in view.roster.team_names.items()
        if access.allows_team(team) and (access.rep is None or team in members)
    ]
    return answer_rows(request, rows)


@router.get(
    "/reps/metrics",
    summary="Metrics of all reps",
    response_model=RowsAnswer,
    responses=TABLE | READ_PROBLEMS | NOT_FOUND,
)
async def metrics_of_reps(
    request: ReadRequest, asked: RowsAsked, team: TeamAsked = None,
    limit: Annotated[
        int | None, Query(ge=1, le=1000, description="Rows of a page; all rows come if it is left out."), WHOLE_NUMBER
    ] = None,
    cursor: Cursor = None,
) -> Response:  # fmt: skip
    """A row per rep, by their ids. With `limit` a page of them: `next` is the `cursor` of the page after it."""
    access, view, now = request.access, request.view, request.now
    if cursor is not None and limit is None:
        raise InvalidParameterError(field="cursor", detail="is of a page: give limit too")
    reps = reps_asked(view, team, access, now)
    following: dict[str, Any] = {}
    if limit is not None:
        reps, following = page(reps, _by_id, limit, cursor)
    found = await asked.answer_of_reps(reps, {"as_of": format_instant(now), **following})
    if following.get("next") is not None:
        # A table has no other place to say it.
        after = request.url.include_query_params(cursor=following["next"])
        found.headers["link"] = f'<{after.path}?{after.query}>; rel="next"'
    return found


def _by_id(rep: str) -> tuple[int, str]:
    return 0, rep


# `path`: an id may hold slashes, and a percent-encoded one has become a plain one when routes are matched.
@router.get(
    "/reps/{rep:text}/metrics",
    summary="Metrics of a rep",
    response_model=RowAnswer,
    responses=TABLE | READ_PROBLEMS | NOT_FOUND,
)
async def metrics_of_rep(request: ReadRequest, rep: str, asked: RowsAsked) -> Response:
    """One row."""
    return asked.answer("rep", rep_scope(known_rep(request.view, rep, request.access, request.now)))


@router.get(
    "/teams/{team:text}/metrics",
    summary="Metrics of a team",
    response_model=RowAnswer,
    responses=TABLE | READ_PROBLEMS | NOT_FOUND,
)
async def metrics_of_team(request: ReadRequest, team: str, asked: RowsAsked) -> Response:
    """One row: what reps did on days they were in this team."""
    asked.refuse_comparisons_of_reps()
    return asked.answer("team", team_scope(known_team(request.view, team, request.access)))


@router.get(
    "/organisation/metrics",
    summary="Metrics of the organisation",
    response_model=RowAnswer,
    responses=TABLE | READ_PROBLEMS,
)
async def metrics_of_organisation(request: ReadRequest, asked: RowsAsked) -> Response:
    """One row: everything, also what no rep did."""
    organisation_allowed(request.access)
    asked.refuse_comparisons_of_reps()
    return asked.answer("organisation", ORGANISATION)

"""The catalogue, the roster, and rows of metrics of reps, teams and the organisation."""

from collections.abc import Sequence

from fastapi import APIRouter
from starlette.responses import Response

from api.http.description import NOT_FOUND, READ_PROBLEMS, operation_id
from api.http.etag import answer
from api.http.models.metrics import MetricsAnswer, RepsAnswer, RowAnswer, RowsAnswer, TeamsAnswer
from api.http.parameters import (
    ByAsked,
    EveryGoal,
    MetricsAsked,
    ReadRequest,
    ReadRoute,
    SpanAsked,
    TeamAsked,
    known_rep,
    known_team,
    organisation_allowed,
    reps_asked,
    team_today,
)
from api.read.rows import Json, metric_json, metrics_row, person_json
from api.read.segments import segments_of
from api.read.view import ORGANISATION, Scope, rep_scope, team_scope
from schemas.instants import format_instant
from schemas.windows import Span

router = APIRouter(prefix="/v1", route_class=ReadRoute, tags=["metrics"], generate_unique_id_function=operation_id)


@router.get("/metrics", summary="The metric catalogue", response_model=MetricsAnswer, responses=READ_PROBLEMS)
async def metric_catalogue(request: ReadRequest) -> Response:
    """Every metric: what it is called, what it counts, in which unit, which values rank first, by what it can be split.

    `definition` is the same text as `description`.
    """
    view, now = request.view, request.now
    rows = [metric_json(view.catalogue, name) for name in view.catalogue]
    return answer(request, {"rows": rows, "as_of": format_instant(now)})


@router.get("/reps", summary="The roster", response_model=RepsAnswer, responses=READ_PROBLEMS | NOT_FOUND)
async def roster(request: ReadRequest, team: TeamAsked = None) -> Response:
    """Everybody in the roster, and everybody that records name."""
    access, view, now = request.access, request.view, request.now
    rows = [person_json(view, rep, now) for rep in reps_asked(view, team, access, now)]
    return answer(request, {"rows": rows, "as_of": format_instant(now)})


@router.get("/teams", summary="The teams", response_model=TeamsAnswer, responses=READ_PROBLEMS)
async def teams(request: ReadRequest) -> Response:
    """Every team, with who is in it today."""
    access, view, now = request.access, request.view, request.now
    members: dict[str | None, list[str]] = {}
    for rep in view.reps():
        members.setdefault(team_today(view, rep, now), []).append(rep)
    rows = [
        {"team": team, "name": name, "reps": members.get(team, [])}
        for team, name in view.roster.team_names.items()
        if access.allows_team(team)
    ]
    return answer(request, {"rows": rows, "as_of": format_instant(now)})


@router.get(
    "/reps/metrics", summary="Metrics of all reps", response_model=RowsAnswer, responses=READ_PROBLEMS | NOT_FOUND
)
async def metrics_of_reps(
    request: ReadRequest, span: SpanAsked, metrics: MetricsAsked, by: ByAsked,
    team: TeamAsked = None, goals: EveryGoal = None,
) -> Response:  # fmt: skip
    """A row per rep."""
    access, view, now = request.access, request.view, request.now
    rows = [_row(request, rep_scope(rep), span, metrics, by, goals) for rep in reps_asked(view, team, access, now)]
    return answer(request, {"rows": rows, "as_of": format_instant(now)})


# `path`: an id may hold slashes, and a percent-encoded one has become a plain one when routes are matched.
@router.get(
    "/reps/{rep:path}/metrics",
    summary="Metrics of a rep",
    response_model=RowAnswer,
    responses=READ_PROBLEMS | NOT_FOUND,
)
async def metrics_of_rep(
    request: ReadRequest, rep: str, span: SpanAsked, metrics: MetricsAsked, by: ByAsked, goals: EveryGoal = None
) -> Response:
    """One row."""
    access, view, now = request.access, request.view, request.now
    scope = rep_scope(known_rep(view, rep, access, now))
    return answer(request, _row(request, scope, span, metrics, by, goals))


@router.get(
    "/teams/{team:path}/metrics",
    summary="Metrics of a team",
    response_model=RowAnswer,
    responses=READ_PROBLEMS | NOT_FOUND,
)
async def metrics_of_team(
    request: ReadRequest, team: str, span: SpanAsked, metrics: MetricsAsked, by: ByAsked, goals: EveryGoal = None
) -> Response:
    """One row: what reps did on days they were in this team."""
    access, view = request.access, request.view
    scope = team_scope(known_team(view, team, access))
    return answer(request, _row(request, scope, span, metrics, by, goals))


@router.get(
    "/organisation/metrics", summary="Metrics of the organisation", response_model=RowAnswer, responses=READ_PROBLEMS
)
async def metrics_of_organisation(
    request: ReadRequest, span: SpanAsked, metrics: MetricsAsked, by: ByAsked, goals: EveryGoal = None
) -> Response:
    """One row: everything, also what no rep did."""
    organisation_allowed(request.access)
    return answer(request, _row(request, ORGANISATION, span, metrics, by, goals))


def _row(
    request: ReadRequest, scope: Scope, span: Span, metrics: Sequence[str] | None, by: str | None, goals: str | None
) -> Json:
    """A row with the goals of its metrics: `goals` is None for the one that is meant, `all` for a list."""
    view, now = request.view, request.now
    row = metrics_row(view, scope, span, view.values(scope, span, now, metrics), now, every_goal=goals == "all")
    return row if by is None else row | {"segments": segments_of(view, scope, span, now, metrics, by)}

"""Leaderboards and series: one metric over reps, or over time."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.http.description import NOT_FOUND, READ_PROBLEMS, operation_id
from api.http.errors import InvalidParameterError
from api.http.etag import answer, answer_known
from api.http.models.metrics import LeaderboardAnswer, SeriesAnswer
from api.http.parameters import (
    FIRST_DATE,
    Day,
    ReadRequest,
    ReadRoute,
    SpanAsked,
    TeamAsked,
    dates_span,
    known_date,
    known_team,
    one_scope,
    shown,
)
from api.read.leaderboards import Asked
from api.read.read_side import ReadSide
from api.read.response_cache import known
from api.read.rows import has_money
from api.read.view import View
from schemas.instants import MINUTE, format_instant
from schemas.windows import Span, date_of

router = APIRouter(prefix="/v1", route_class=ReadRoute, tags=["metrics"], generate_unique_id_function=operation_id)

MAX_MINUTE_DAYS = 2


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
    read_side: ReadSide = request.app.state.read_side
    whose = team if team is not None else access.team
    asked = Asked(metric, span, whose, by_goal=rank == "attainment", today=view.calendar.day_of(now))

    def make() -> dict[str, Any]:
        start, end = span.bounds(view.calendar)
        money = {"currency": view.config.organisation.currency} if has_money(view, [metric]) else {}
        return {
            "metric": metric,
            "window": {"name": span.name, "from": format_instant(start), "to": format_instant(end)},
            "as_of": "",
            **money,
            "entries": read_side.leaderboards.top(asked, limit, now),
        }

    if view.moves_by_the_clock(metric):
        # Leads without an answer count by the clock.
        found = known(make())
    else:
        found = read_side.response_cache.known(view.revision, (asked, limit), make)
    return answer_known(found, format_instant(now))


@router.get(
    "/series/{metric}",
    summary="A metric over time",
    response_model=SeriesAnswer,
    responses=READ_PROBLEMS | NOT_FOUND,
)
async def series(
    request: ReadRequest, metric: str,
    rep: Annotated[str | None, Query(description="Of this rep; without rep and team, of the organisation.")] = None,
    team: Annotated[str | None, Query(description="Of this team.")] = None,
    from_: Annotated[
        Day | None, Query(alias="from", description="First date. Left out: six days before `to`; `1m`: `to`.")
    ] = None,
    to: Annotated[Day | None, Query(description="Last date, included; today by default.")] = None,
    step: Annotated[Literal["1m", "1d"], Query(description="Minutes are kept for 48 h, days longer.")] = "1d",
) -> Response:  # fmt: skip
    """A point for each step, the values made as those of any window."""
    access, view, now = request.access, request.view, request.now
    known_metric(view, metric)
    scope = one_scope(view, rep, team, access, now)
    last = known_date("to", to) if to else max(date_of(view.calendar.day_of(now)), from_ or FIRST_DATE)
    first = from_ or (last if step == "1m" else max(FIRST_DATE, last - timedelta(days=6)))
    span = dates_span(first, last)
    steps = _minutes(view, span, now) if step == "1m" else _days(span)
    points = []
    for each in steps:
        start, end = each.bounds(view.calendar)
        value = view.values(scope, each, now, [metric]).metrics[metric]
        points.append({"from": format_instant(start), "to": format_instant(end), "value": value})
    payload: dict[str, Any] = {"metric": metric, "step": step, "as_of": format_instant(now), "points": points}
    payload |= {} if scope.id is None else {scope.kind: scope.id}
    if has_money(view, [metric]):
        payload["currency"] = view.config.organisation.currency
    return answer(request, payload)


def known_metric(view: View, metric: str) -> None:
    """422 naming a metric that there is not."""
    if metric not in view.catalogue:
        raise InvalidParameterError(field="metric", detail=f"there is no metric {shown(metric)}")


def _days(span: Span) -> list[Span]:
    return [Span(span.name, days=True, first=day, last=day) for day in range(span.first, span.last + 1)]


def _minutes(view: View, span: Span, now: int) -> list[Span]:
    """The minutes of these days that are still kept and have begun: of others nothing is known, not even 0."""
    if span.last - span.first >= MAX_MINUTE_DAYS:
        raise InvalidParameterError(field="from", detail=f"at most {MAX_MINUTE_DAYS} days of minutes")
    start, end = span.bounds(view.calendar)
    kept = now // MINUTE - view.config.retention.minutes // MINUTE + 1
    if end // MINUTE <= kept:
        raise InvalidParameterError(field="to", detail="minutes of that day are not kept any more")
    first, last = max(start // MINUTE, kept), min(end // MINUTE - 1, now // MINUTE)
    return [Span(span.name, days=False, first=minute, last=minute) for minute in range(first, last + 1)]

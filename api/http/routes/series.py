"""Series: one metric over time."""

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Literal

from fastapi import Query
from starlette.responses import Response

from api.http.description import NOT_FOUND, READ_PROBLEMS
from api.http.errors import InvalidParameterError
from api.http.etag import tagged_answer
from api.http.models.metrics import SeriesAnswer
from api.http.parameters import (
    DateParameter,
    ReadRequest,
    dates_span,
    known_date,
    known_metric,
    nobody_named,
    one_scope,
    read_router,
)
from api.http.rows_asked import By, require_dimension
from api.read.rows import has_money, window_json
from api.read.segments import RowParts
from api.read.view import Scope, View
from schemas.instants import MINUTE, format_instant
from schemas.json_object import Json
from schemas.windows import Span, date_of, day_from, first_day_of, first_minute_kept, periods

router = read_router("metrics")

MAX_MINUTE_DAYS = 2
_PERIODS = {"1d": "today", "1w": "week", "1mo": "month", "1q": "quarter", "1y": "year"}
_POINTS = {"1m": 1, "1y": 2}
"""How many periods (of minutes: days) a series has that nobody says the beginning of; 7 if nothing is said here."""

SeriesStep = Literal["1m", "1d", "1w", "1mo", "1q", "1y"]


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
        DateParameter | None,
        Query(
            alias="from",
            description="First date. Left out: so that there are 7 points (of `1m`: all of `to`; of `1y`: 2).",
        ),
    ] = None,
    to: Annotated[DateParameter | None, Query(description="Last date, included; today by default.")] = None,
    step: Annotated[SeriesStep, Query(description="Weeks, months, quarters and years are whole ones.")] = "1d",
    by: By = None,
) -> Response:  # fmt: skip
    """A point for each step: the value as that of any window, of a level what there is at the end of the step.

    What is not kept is null, and the point says since when it is; minutes that are not kept are left out.
    """
    access, view, now = request.access, request.view, request.now
    known_metric(view, metric)
    if view.catalogue[metric].type == "funnel":
        raise InvalidParameterError(field="metric", detail=f"{metric} is a funnel: it has steps, and no series")
    require_dimension(view, by, [metric])
    nobody_named(request, rep)
    scope = one_scope(view, rep, team, access, now)
    span = _span(view, from_, to, step, now)
    steps = _minutes(view, span, now) if step == "1m" else periods(_PERIODS[step], span.first, span.last, view.calendar)
    points = [*_points(RowParts(view, now, [metric], by), scope, steps)]
    payload: Json = {"metric": metric, "step": step, "as_of": format_instant(now), "points": points}
    payload |= {} if scope.id is None else {scope.kind: scope.id}
    if has_money(view, [metric]):
        payload["currency"] = view.config.organisation.currency
    return tagged_answer(request, payload)


def _points(parts: RowParts, scope: Scope, steps: Iterable[Span]) -> Iterable[Json]:
    (metric,) = parts.metrics
    for each in steps:
        values, window = parts.values(scope, each), window_json(parts.view, each)
        point: Json = {"from": window["from"], "to": window["to"], "value": values.metrics[metric]}
        if metric in values.bounds:
            point["bound"] = values.bounds[metric]
        if metric in values.unavailable:
            point["unavailable"] = values.unavailable[metric]
        if parts.by is not None:
            point["segments"] = [
                {"by": {parts.by: part.label}, "value": parts.values(scope, each, part).metrics[metric]}
                for part in parts.segments(scope, each)
            ]
        yield point


def _span(view: View, from_: date | None, to: date | None, step: SeriesStep, now: int) -> Span:
    """The days asked for."""
    last = known_date("to", to) if to else max(date_of(view.calendar.day_of(now)), from_ or date.min)
    if from_ is not None:
        return dates_span(from_, last)
    first = day_from(last) + 1
    for _ in range(_POINTS.get(step, 7)):
        first = max(0, first_day_of(_PERIODS.get(step, "today"), first - 1, view.calendar))
    return dates_span(date_of(first), last)


def _minutes(view: View, span: Span, now: int) -> list[Span]:
    """The minutes of these days that are still kept and have begun: of others nothing is known, not even 0."""
    if span.last - span.first >= MAX_MINUTE_DAYS:
        raise InvalidParameterError(field="from", detail=f"at most {MAX_MINUTE_DAYS} days of minutes")
    start, end = span.bounds(view.calendar)
    kept = first_minute_kept(now, view.config.retention.minutes)
    if end // MINUTE <= kept:
        raise InvalidParameterError(field="to", detail="minutes of that day are not kept any more")
    first, last = max(start // MINUTE, kept), min(end // MINUTE - 1, now // MINUTE)
    return [Span(span.name, days=False, first=minute, last=minute) for minute in range(first, last + 1)]

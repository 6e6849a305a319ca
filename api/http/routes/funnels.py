"""`GET /v1/funnels/{metric}`: the steps of a funnel, and what became of those that entered them."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.http.description import NOT_FOUND, READ_PROBLEMS
from api.http.errors import InvalidParameterError
from api.http.etag import tagged_answer
from api.http.models.funnels import FunnelAnswer
from api.http.parameters import (
    ReadRequest,
    SpanAsked,
    known_dimension,
    known_metric,
    one_scope,
    read_router,
    shown_name,
)
from api.read.funnels import funnel_json, funnel_segments
from api.read.rows import window_json
from api.read.view import View
from schemas.catalogue.funnel import FunnelReader
from schemas.instants import format_instant
from schemas.json_object import Json

router = read_router("funnels")


@router.get(
    "/funnels/{metric}", summary="The steps of a funnel", response_model=FunnelAnswer,
    responses=READ_PROBLEMS | NOT_FOUND,
)  # fmt: skip
async def funnel(
    request: ReadRequest, metric: str, span: SpanAsked,
    rep: Annotated[str | None, Query(description="Of this rep; without rep and team, of the organisation.")] = None,
    team: Annotated[str | None, Query(description="Of this team.")] = None,
    by: Annotated[str | None, Query(description="A dimension: answers get `segments`.", max_length=200)] = None,
    pipeline: Annotated[str | None, Query(description="One of `pipelines`, else the first.", max_length=256)] = None,
) -> Response:  # fmt: skip
    """Each deal and lead counts in a step at the instant at which it entered that; what became of it is as of now."""
    access, view, now = request.access, request.view, request.now
    reader = _known_funnel(view, metric)
    scope = one_scope(view, rep, team, access, now)
    if pipeline is not None and reader.way(pipeline) is None:
        raise InvalidParameterError(field="pipeline", detail=f"{metric} has no pipeline {shown_name(pipeline)}")
    if by is not None:
        _check_dimension(view, metric, by)
    way = reader.way(pipeline)
    payload: Json = {
        "metric": metric,
        "pipeline": None if way is None else way.pipeline,
        "pipelines": [way.pipeline for way in reader.ways],
        **({} if scope.id is None else {scope.kind: scope.id}),
        "window": window_json(view, span),
        **funnel_json(view, reader, scope, span, now, pipeline),
        "as_of": format_instant(now),
    }
    since = view.not_kept(span, now)
    if since is not None:
        payload["unavailable"] = {metric: since}
    if by is not None:
        payload["segments"] = funnel_segments(view, metric, scope, span, now, pipeline, by)
    return tagged_answer(request, payload)


def _known_funnel(view: View, metric: str) -> FunnelReader:
    known_metric(view, metric)
    found = view.funnel(metric)
    if found is None:
        funnels = ", ".join(name for name in view.catalogue if view.funnel(name) is not None)
        raise InvalidParameterError(field="metric", detail=f"{metric} is not a funnel; there are {funnels}")
    return found


def _check_dimension(view: View, metric: str, by: str) -> None:
    dimension = known_dimension(view, by)
    if dimension is not None and not dimension.is_of_person and view.funnel_parts(metric, by) is None:
        raise InvalidParameterError(field="by", detail=f"{metric} is not counted by {by}")

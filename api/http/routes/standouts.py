"""`GET /v1/standouts`: in what reps differ from their team."""

from starlette.responses import Response

from api.http.description import NOT_FOUND, READ_PROBLEMS
from api.http.etag import tagged_answer
from api.http.models.standouts import StandoutsAnswer
from api.http.parameters import MetricsAsked, ReadRequest, SpanAsked, TeamAsked, read_router, reps_asked
from api.read.rows import has_money, window_json
from api.read.standouts import standouts
from schemas.instants import format_instant
from schemas.json_object import Json

router = read_router("metrics")


@router.get(
    "/standouts",
    summary="In what reps differ from their team",
    response_model=StandoutsAnswer,
    responses=READ_PROBLEMS | NOT_FOUND,
)
async def standouts_of_reps(
    request: ReadRequest, span: SpanAsked, metrics: MetricsAsked, team: TeamAsked = None
) -> Response:
    """The widest first: a quarter or more away from the team's value, which `compare=team` has, and made of 20 cases.

    Cases (`n`) are the divisor of a share or mean, or the sample of a percentile, with unanswered leads that are due;
    of counts and sums the value itself. Employed people with a team only.
    """
    access, view, now = request.access, request.view, request.now
    names = tuple(view.catalogue) if metrics is None else metrics
    # A screen that is not told of everybody is told of nobody who stands out.
    reps = [] if request.discretion is not None else reps_asked(view, team, access, now)
    rows = standouts(view, reps, span, now, names)
    payload: Json = {"window": window_json(view, span), "rows": rows, "as_of": format_instant(now)}
    unavailable = {name: since for name in names if (since := view.not_kept(span, now, name)) is not None}
    if unavailable:
        payload["unavailable"] = unavailable
    if has_money(view, [row["metric"] for row in rows]):
        payload["currency"] = view.config.organisation.currency
    return tagged_answer(request, payload)

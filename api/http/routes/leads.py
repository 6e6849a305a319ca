"""Leads that wait, the clock of one lead, and how fresh all of it is."""

from typing import Annotated, Literal

from fastapi import Query
from starlette.responses import Response

from api.http.description import NOT_FOUND, READ_PROBLEMS, problems
from api.http.errors import InvalidParameterError, NotFoundError
from api.http.etag import answer_rows, tagged_answer
from api.http.models.freshness import FreshnessAnswer
from api.http.models.leads import LeadAnswer, WaitingLeadsAnswer
from api.http.parameters import (
    Cursor,
    Limit,
    ReadRequest,
    TeamAsked,
    nobody_named,
    now_of,
    page,
    read_router,
    screen_filter,
    shown_name,
    team_today,
    whose,
)
from api.read.piecemeal import spread
from api.read.rows import lead_json, of_one, waiting_clocks, waiting_lead, waiting_order
from schemas.instants import format_instant

router = read_router("leads")


@router.get(
    "/leads/waiting",
    summary="Leads without an answer, longest first",
    response_model=WaitingLeadsAnswer,
    responses=READ_PROBLEMS | NOT_FOUND,
)
async def waiting_leads(
    request: ReadRequest,
    team: TeamAsked = None,
    rep: Annotated[str | None, Query(description="Only leads of this rep.")] = None,
    state: Annotated[Literal["waiting", "warned", "breached"] | None, Query()] = None,
    limit: Limit = 100, cursor: Cursor = None,
) -> Response:  # fmt: skip
    """`warned` once most of the SLA has gone, `breached` once it has run out."""
    view, now = request.view, request.now
    nobody_named(request, rep)
    is_theirs = whose(request, team, rep)
    warn_at = view.config.lead_response.warn_at
    clocks = [
        clock
        for clock in waiting_clocks(view, now)
        if is_theirs(clock.rep) and (state is None or clock.state(now, warn_at) == state)
    ]
    found, following = page(clocks, waiting_order, limit, cursor)
    rows = [waiting_lead(view, clock, now) for clock in found]
    if request.discretion is not None:
        broadcaster = request.app.state.read_side.broadcaster
        told = await spread(broadcaster.showing(screen_filter(request), lambda: now_of(request)))
        rows = [request.discretion.lead(row, told) for row in rows]
    return answer_rows(request, rows, total=len(clocks), **following)


# `path`: an id may hold slashes, and a percent-encoded one has become a plain one when routes are matched.
@router.get(
    "/leads/{lead:text}",
    summary="The clock of a lead",
    response_model=LeadAnswer,
    responses=READ_PROBLEMS | NOT_FOUND,
)
async def lead_clock(request: ReadRequest, lead: str) -> Response:
    """With the touch that stopped it."""
    access, view, now = request.access, request.view, request.now
    clock = view.clocks.get(lead)
    if clock is None or not access.allows(clock.rep, team_today(view, clock.rep, now)):
        raise NotFoundError(detail=f"there is no lead {shown_name(lead)}", field="lead")
    told = lead_json(view, clock, now)
    return tagged_answer(
        request, (told if access.rep is None else of_one(told, access.rep)) | {"as_of": format_instant(now)}
    )


@router.get(
    "/freshness",
    tags=["health"],
    summary="How fresh the numbers are",
    response_model=FreshnessAnswer,
    responses=problems(InvalidParameterError),
)
async def freshness(request: ReadRequest) -> Response:
    """Per connection the last delivery and event; latency; what every stage has done. Also while the view loads."""
    return tagged_answer(request, request.app.state.read_side.freshness(request.now))

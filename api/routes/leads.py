"""Leads that wait, the clock of one lead, and how fresh all of it is."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.answers import FreshnessAnswer, LeadAnswer, WaitingLeadsAnswer, answer
from api.errors import NotFoundError
from api.routes.queries import BoardReader, CurrentView, Cursor, Limit, Now, Reader, known_rep, known_team, page
from api.rows import lead_json, waiting_leads
from schemas.instants import format_instant

router = APIRouter(prefix="/v1", tags=["leads"])


@router.get("/leads/waiting", summary="Leads without an answer, longest first", response_model=WaitingLeadsAnswer)
async def waiting(
    request: Request, view: CurrentView, now: Now, access: BoardReader,
    team: str | None = None, rep: str | None = None,
    state: Annotated[Literal["waiting", "warned", "breached"] | None, Query()] = None,
    limit: Limit = 100, cursor: Cursor = None,
) -> Response:  # fmt: skip
    """`warned` once most of the SLA has gone, `breached` once it has run out."""
    if team is not None:
        known_team(view, team, access)
    if rep is not None:
        known_rep(view, rep, access, now)
    rows = [
        lead
        for lead in waiting_leads(view, now)
        if (team is None or lead["team"] == team)
        and (rep is None or lead["rep"] == rep)
        and (state is None or lead["state"] == state)
        and access.allows_team(lead["team"])
    ]
    found, following = page(rows, limit, cursor)
    return answer(request, {"rows": found, "as_of": format_instant(now), "total": len(rows)} | following)


@router.get("/leads/{lead}", summary="The clock of a lead", response_model=LeadAnswer)
async def one(request: Request, lead: str, view: CurrentView, now: Now, access: Reader) -> Response:
    """With the touch that stopped it."""
    clock = view.clocks.get(lead)
    found = None if clock is None else lead_json(view, clock, now)
    if found is None or not access.allows_team(found["team"]):
        msg = f"there is no lead {lead!r}"
        raise NotFoundError(msg, field="lead")
    return answer(request, found | {"as_of": format_instant(now)})


@router.get("/freshness", tags=["health"], summary="How fresh the numbers are", response_model=FreshnessAnswer)
async def freshness(request: Request, now: Now, access: BoardReader) -> Response:
    """Per connection the last delivery and event; latency; what every stage has done."""
    return answer(request, request.app.state.read_side.freshness(now))

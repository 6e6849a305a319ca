"""`GET /v1/deals/open` and `GET /v1/leads/open`: what has not ended, and what speaks against it."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.http.description import NOT_FOUND, READ_PROBLEMS
from api.http.etag import answer_rows
from api.http.models.open_deals import OpenDealsAnswer, OpenLeadsAnswer
from api.http.parameters import Cursor, Limit, ReadRequest, TeamAsked, page, read_router, whose
from api.read.open_deals import DealFlag, LeadFlag, OpenDeals, OpenLeads

router = read_router("deals")

RepAsked = Annotated[str | None, Query(description="Only those of this rep.")]


@router.get(
    "/deals/open", summary="Open deals, the largest first", response_model=OpenDealsAnswer,
    responses=READ_PROBLEMS | NOT_FOUND,
)  # fmt: skip
async def open_deals(
    request: ReadRequest,
    flag: Annotated[DealFlag | None, Query(description="Only those with this flag.")] = None,
    team: TeamAsked = None, rep: RepAsked = None, limit: Limit = 100, cursor: Cursor = None,
) -> Response:  # fmt: skip
    """Amounts are in the organisation's currency, teams those of today."""
    is_theirs = whose(request, team, rep)
    deals = OpenDeals(request.view, request.now)
    listed = [
        deal
        for deal in request.view.deals.open.values()
        if is_theirs(deal.rep) and (flag is None or flag in deals.flags(deal))
    ]
    found, following = page(sorted(listed, key=deals.key), deals.key, limit, cursor)
    return answer_rows(request, [deals.row(deal) for deal in found], **following)


@router.get(
    "/leads/open", summary="Open leads, those that came first are first", response_model=OpenLeadsAnswer,
    responses=READ_PROBLEMS | NOT_FOUND,
)  # fmt: skip
async def open_leads(
    request: ReadRequest,
    flag: Annotated[LeadFlag | None, Query(description="Only those with this flag.")] = None,
    team: TeamAsked = None, rep: RepAsked = None, limit: Limit = 100, cursor: Cursor = None,
) -> Response:  # fmt: skip
    """`quiet`: no human touch for the `quiet_after` of metrics.yaml; `late`: due and unanswered."""
    is_theirs = whose(request, team, rep)
    leads = OpenLeads(request.view, request.now)
    listed = [
        lead
        for lead in request.view.clocks.values()
        if lead.is_open and is_theirs(lead.rep) and (flag is None or flag in leads.flags(lead))
    ]
    found, following = page(sorted(listed, key=leads.key), leads.key, limit, cursor)
    return answer_rows(request, [leads.row(lead) for lead in found], **following)

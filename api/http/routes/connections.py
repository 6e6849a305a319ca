"""Connections: what is known of each way in. For whoever set it up, so that a misspelt field is found by its name."""

from starlette.responses import Response

from api.http.description import READ_PROBLEMS
from api.http.etag import answer_rows
from api.http.models.connections import ConnectionsAnswer
from api.http.parameters import ReadRequest, organisation_allowed, read_router
from api.read.connection_rows import connection_row
from schemas.connection_stats import connection_stats

router = read_router("health")


@router.get("/connections", summary="Connections", response_model=ConnectionsAnswer, responses=READ_PROBLEMS)
async def connections(request: ReadRequest) -> Response:
    """When each last delivered, and which names it sends that floorcast does not know."""
    organisation_allowed(request.access)
    view = request.view
    found = connection_stats(view.config.connections, view.progress)
    return answer_rows(
        request, [connection_row(stats, view.connection_states.get(stats.connection)) for stats in found]
    )

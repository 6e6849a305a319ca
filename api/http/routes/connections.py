"""Connections: what is known of each way in. For whoever set it up, so that a misspelt field is found by its name."""

from dataclasses import asdict

from fastapi import APIRouter
from starlette.responses import Response

from api.http.description import READ_PROBLEMS, operation_id
from api.http.etag import answer
from api.http.models.connections import ConnectionsAnswer
from api.http.parameters import ReadRequest, ReadRoute, organisation_allowed
from api.read.rows import Json, instant, reconciled_json
from schemas.connection_states import ConnectionState
from schemas.connection_stats import ConnectionStats, connection_stats
from schemas.instants import format_instant

router = APIRouter(prefix="/v1", route_class=ReadRoute, tags=["health"], generate_unique_id_function=operation_id)

_NOT_KNOWN = dict.fromkeys(
    (
        "reconciled_at", "missed", "missed_share", "limits", "subscription", "not_visible", "backfill")
)  # fmt: skip
"""What only asking a CRM would tell."""

_OUR_WORDS = frozenset({"generic", "file"})


@router.get("/connections", summary="Connections", response_model=ConnectionsAnswer, responses=READ_PROBLEMS)
async def connections(request: ReadRequest) -> Response:
    """When each last delivered, and which names it sends that floorcast does not know."""
    organisation_allowed(request.access)
    view, now = request.view, request.now
    states = view.connection_states
    found = connection_stats(view.config.connections, view.progress)
    rows = [_row(stats, states.get(stats.connection)) for stats in found]
    return answer(request, {"rows": rows, "as_of": format_instant(now)})


def _row(stats: ConnectionStats, state: ConnectionState | None) -> Json:
    asked = {} if state is None else _asked(state)
    return (
        _NOT_KNOWN
        | asked
        | {
            "connection": stats.connection,
            "kind": stats.kind,
            "last_delivery_at": instant(stats.last_delivery_at),
            "last_event_at": instant(stats.last_event_at),
            "duplicates": stats.duplicates,
            "unknown": [asdict(name) for name in stats.unknown],
            # Who speaks our own words has none that mean nothing here.
            "unmapped": None if stats.kind in _OUR_WORDS else [asdict(word) for word in stats.unmapped],
        }
    )


def _asked(state: ConnectionState) -> Json:
    return {
        **reconciled_json(state),
        "missed_share": {"day": state.share_day, "month": state.share_month},
        "not_visible": state.not_visible,
        "backfill": None if state.backfill is None else {"done": state.backfill.records, "of": state.backfill.of},
    }

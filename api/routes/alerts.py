"""Alerts and dead letters: what needs somebody's eyes."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.answers import AlertsAnswer, DeadLettersAnswer, answer
from api.routes.queries import Administrator, CurrentView, Cursor, Limit, Now, Reader, page
from api.rows import dead_letter_json
from schemas.instants import format_instant

router = APIRouter(prefix="/v1", tags=["alerts"])


@router.get("/alerts", summary="Alerts", response_model=AlertsAnswer)
async def alerts(
    request: Request, view: CurrentView, now: Now, access: Reader,
    state: Annotated[Literal["open", "all"], Query()] = "open", limit: Limit = 100, cursor: Cursor = None,
) -> Response:  # fmt: skip
    """Newest first."""
    rows = [alert for alert in view.alert_rows(state == "open") if access.allows_team(alert["team"])]
    found, following = page(rows, limit, cursor)
    return answer(request, {"rows": found, "as_of": format_instant(now)} | following)


@router.get("/dead-letters", summary="What could not be read", response_model=DeadLettersAnswer)
async def dead_letters(
    request: Request, view: CurrentView, now: Now, access: Administrator, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """Newest first, of the last 10,000."""
    letters = sorted(view.dead_letters.values(), key=lambda letter: letter.received_at, reverse=True)
    found, following = page([dead_letter_json(letter) for letter in letters], limit, cursor)
    return answer(request, {"rows": found, "as_of": format_instant(now)} | following)

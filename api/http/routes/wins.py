"""`GET /v1/wins`: deals that were won, and milestones of goals that were reached."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.http.description import NOT_FOUND, READ_PROBLEMS
from api.http.errors import ForbiddenError
from api.http.etag import answer_rows
from api.http.models.wins import WinsAnswer
from api.http.parameters import Cursor, Limit, ReadRequest, SpanAsked, known_team, page, read_router, screen_filter
from api.read.subscriptions import Filter
from api.read.won import wins_between
from schemas.wins import Win

router = read_router("deals")


@router.get(
    "/wins", summary="What was won, the newest first", response_model=WinsAnswer, responses=READ_PROBLEMS | NOT_FOUND
)
async def wins(
    request: ReadRequest,
    span: SpanAsked,
    team: Annotated[str | None, Query(description="Only what this team has won, with its goals.")] = None,
    limit: Limit = 100, cursor: Cursor = None,
) -> Response:  # fmt: skip
    """Not listed is a deal that was reopened, deleted or lost since, and a milestone that attainment fell below."""
    access, view, discretion = request.access, request.view, request.discretion
    if team is not None:
        known_team(view, team, access)
    wanted = Filter() if access.screen is None else screen_filter(request)
    if not wanted.wins:
        raise ForbiddenError(detail=f"the screen {access.screen!r} tells no wins")
    start, end = span.bounds(view.calendar)
    found = [
        # Before they are in order: a cursor names a win, and so perhaps a person.
        win if discretion is None else Win(win.at, discretion.win(win.row))
        for win in wins_between(view, start, end, request.now)
        if access.allows(win.row["rep"], win.row["team"])
        and team in {None, win.row["team"]}
        and wanted.wants_win(win.row)
    ]
    rows, following = page(sorted(found, key=Win.key), Win.key, limit, cursor)
    return answer_rows(request, [win.row for win in rows], **following)

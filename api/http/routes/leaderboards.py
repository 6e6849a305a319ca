"""Leaderboards: one metric over reps."""

from typing import Annotated, Any, Literal

from fastapi import Query
from starlette.responses import Response

from api.http.description import NOT_FOUND, READ_PROBLEMS
from api.http.etag import answer_known
from api.http.models.metrics import LeaderboardAnswer
from api.http.parameters import WHOLE_NUMBER, ReadRequest, SpanAsked, TeamAsked, known_metric, known_team, read_router
from api.read.leaderboards import LeaderboardAsked
from api.read.piecemeal import spread
from api.read.read_side import ReadSide
from api.read.response_cache import known
from api.read.rows import has_money, window_json
from schemas.instants import format_instant

router = read_router("metrics")

_EVERYBODY = 10_000


@router.get(
    "/leaderboards/{metric}",
    summary="Reps ordered by a metric",
    response_model=LeaderboardAnswer,
    responses=READ_PROBLEMS | NOT_FOUND,
)
async def leaderboard(
    request: ReadRequest, metric: str, span: SpanAsked,
    team: TeamAsked = None, limit: Annotated[int, Query(ge=1, le=_EVERYBODY), WHOLE_NUMBER] = 100,
    rank: Annotated[
        Literal["value", "attainment"], Query(description="By what: the metric, or how much of their goal they have.")
    ] = "value",
) -> Response:  # fmt: skip
    """Ties share a rank; who has no value, or no goal to be ranked by, comes last, without a rank."""
    access, view, now = request.access, request.view, request.now
    known_metric(view, metric)
    if team is not None:
        known_team(view, team, access)
    read_side: ReadSide = request.app.state.read_side
    boards = read_side.leaderboards
    whose = team if team is not None else access.team
    asked = LeaderboardAsked(metric, span, whose, by_goal=rank == "attainment", today=view.calendar.day_of(now))

    def make(most: int = limit) -> dict[str, Any]:
        money = {"currency": view.config.organisation.currency} if has_money(view, [metric]) else {}
        return {
            "metric": metric,
            "window": window_json(view, span),
            "as_of": "",
            **money,
            "entries": boards.top(asked, most, now),
        }

    # The first of its kind takes a while where there are very many people: others have their turn in between.
    await spread(boards.ahead(asked, now))
    if access.rep is not None:
        board = make(_EVERYBODY)
        board["entries"] = [entry for entry in board["entries"] if entry["rep"] == access.rep]
        return answer_known(known(board), format_instant(now))
    if request.discretion is not None or (team is None and access.teams is not None):
        board = make(_EVERYBODY)
        entries = [entry for entry in board["entries"] if access.allows_team(entry["team"])]
        board["entries"] = (entries if request.discretion is None else request.discretion.listed(entries))[:limit]
        return answer_known(known(board), format_instant(now))
    if view.moves_by_the_clock(metric):
        # Leads without an answer count by the clock.
        found = known(make())
    else:
        found = read_side.response_cache.known(view.revision, (asked, limit), make)
    return answer_known(found, format_instant(now))

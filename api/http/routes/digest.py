"""`GET /v1/digest`: what the digest would say now."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.http.description import READ_PROBLEMS
from api.http.errors import InvalidParameterError
from api.http.etag import tagged_answer
from api.http.models.digest import DigestAnswer
from api.http.parameters import ReadRequest, organisation_allowed, read_router, shown_name
from api.read.won import wins_between
from schemas.config import Config
from schemas.digest import digest_so_far
from schemas.digest_words import digest_notice
from schemas.instants import format_instant
from schemas.naming import NameStyle, strictest
from schemas.notices import notice_lines
from schemas.words import words_of

router = read_router("metrics")


@router.get(
    "/digest", summary="What the digest would say now", response_model=DigestAnswer, responses=READ_PROBLEMS
)  # fmt: skip
async def digest(
    request: ReadRequest,
    channel: Annotated[
        str | None, Query(description="As this channel would be told; the first of the digest by default.")
    ] = None,
) -> Response:
    """The day so far, whether or not `digest` is configured."""
    organisation_allowed(request.access)
    view, now = request.view, request.now
    day = view.calendar.day_of(now)
    wins = wins_between(view, view.calendar.day_start(day), now + 1, now)
    found = digest_so_far(view, view.goals, wins, view.waiting.values(), now)
    notice = digest_notice(found, view, words_of(view.config.channel_language), _names(view.config, channel))
    said = {
        "title": notice.title,
        "language": notice.language,
        "table": notice.table,
        "lines": notice.lines,
        "text": "\n".join(notice_lines(notice)),
    }
    return tagged_answer(request, said | {"as_of": format_instant(now)})


def _names(config: Config, channel: str | None) -> NameStyle:
    if channel is None and config.digest is not None:
        channel = config.digest.to[0]
    if channel is None:
        return strictest(screen.privacy.names for screen in config.screens.values())
    if channel not in config.alerts.channels:
        raise InvalidParameterError(field="channel", detail=f"there is no channel {shown_name(channel)}")
    return config.names_told(channel)

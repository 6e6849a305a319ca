"""What read routes share: the parameters `window`, `from`, `to`, `metrics`, `limit`, `cursor`, and what a key may see.

Owns their checks and errors (422 naming the parameter, 404 naming the id, 403 for another team), and how errors are
documented.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import date
from http import HTTPStatus
from typing import Annotated, Any, NamedTuple, TypeVar

import orjson
from fastapi import Depends, Query, Request
from fastapi.routing import APIRoute

from api.http.answers import ProblemAnswer
from api.http.errors import (
    PROBLEM_JSON,
    ApiError,
    ForbiddenError,
    InvalidParameterError,
    NotFoundError,
    UnauthenticatedError,
    UnavailableError,
)
from api.http.identity import Access, require
from api.read.read_side import ReadSide
from api.read.view import View
from schemas.windows import WINDOWS, Span, span_between, span_of

MAX_DAYS = 1100
FIRST_DATE = date(1970, 1, 1)
LAST_DATE = date(2241, 12, 31)
"""Dates that instants can be made of in every time zone."""
MAX_NAMES = 500
Reader = Annotated[Access, Depends(require("read"))]
BoardReader = Annotated[Access, Depends(require("board"))]
Administrator = Annotated[Access, Depends(require("admin"))]

_Row = TypeVar("_Row")


def problems(*errors: type[ApiError]) -> dict[int | str, dict[str, Any]]:
    """These errors, as OpenAPI describes them."""
    return {
        error.status: {
            "description": error.__doc__,
            "content": {
                PROBLEM_JSON: {
                    "schema": ProblemAnswer.model_json_schema(),
                    "example": {
                        "type": f"urn:floorcast:problem:{error.slug}",
                        "title": HTTPStatus(error.status).phrase,
                        "status": error.status,
                        "detail": error.__doc__,
                    },
                }
            },
        }
        for error in errors
    }


READ_PROBLEMS = problems(UnauthenticatedError, ForbiddenError, InvalidParameterError, UnavailableError)
"""What every route that reads the view may answer."""
NOT_FOUND = problems(NotFoundError)


def operation_id(route: APIRoute) -> str:
    """The handler's name: client generators make method names of it."""
    return route.name


def view_of(request: Request) -> View:
    """The process' view. 503 while it loads: half of it would be wrong numbers."""
    read_side: ReadSide = request.app.state.read_side
    if not read_side.is_loaded:
        raise UnavailableError("; ".join(read_side.problems()) or "the view is loading", retry_after=1)
    return read_side.view


def now_of(request: Request) -> int:
    """The process' clock in microseconds, to the millisecond: an answer is exactly as of the instant it names."""
    now: int = request.app.state.clock()
    return to_millisecond(now)


def to_millisecond(now: int) -> int:
    """The instant as answers write it."""
    return now - now % 1000


# Async, because FastAPI would run a plain function in a thread: three of them were most of the time of an answer.
async def _current_view(request: Request) -> View:
    return view_of(request)


async def _now(request: Request) -> int:
    return now_of(request)


CurrentView = Annotated[View, Depends(_current_view)]
Now = Annotated[int, Depends(_now)]


WindowName = Annotated[
    str | None,
    Query(description="`today` if left out.", examples=["today"], json_schema_extra={"enum": [*WINDOWS]}),
]
FirstDate = Annotated[date | None, Query(alias="from", description="First date, with `to` instead of `window`.")]
LastDate = Annotated[date | None, Query(description="Last date, included.")]


class AskedWindow(NamedTuple):
    """What a request says of the span it means: of a window's name, another one each day."""

    name: str | None
    first: date | None
    last: date | None

    def span(self, view: View, now: int) -> Span:
        """The span at `now`; today by default. 422 where this means none."""
        if self.first is None and self.last is None:
            return named_span(view, "today" if self.name is None else self.name, now)
        if self.name is not None:
            raise InvalidParameterError(field="window", detail="give either window or from and to")
        if self.first is None or self.last is None:
            raise InvalidParameterError(
                field="from" if self.first is None else "to", detail="from and to belong together"
            )
        return dates_span(self.first, self.last)


async def read_window(
    view: CurrentView, now: Now, window: WindowName = None, from_: FirstDate = None, to: LastDate = None
) -> AskedWindow:
    """The window asked for, which means a span at `now`."""
    asked = AskedWindow(window, from_, to)
    asked.span(view, now)
    return asked


async def read_span(
    view: CurrentView, now: Now, window: WindowName = None, from_: FirstDate = None, to: LastDate = None
) -> Span:
    """The span asked for; today by default."""
    return AskedWindow(window, from_, to).span(view, now)


def named_span(view: View, window: str, now: int, parameter: str = "window") -> Span:
    """The span of a window's name. 422 naming an unknown one."""
    if window not in WINDOWS:
        raise InvalidParameterError(parameter, f"{shown(window)} is not one of {', '.join(WINDOWS)}")
    return span_of(window, now, view.calendar)


def dates_span(first: date, last: date) -> Span:
    """The span of two dates. 422 where they make none."""
    known_date("from", first)
    known_date("to", last)
    if last < first:
        raise InvalidParameterError(field="to", detail="lies before from")
    if (last - first).days >= MAX_DAYS:
        raise InvalidParameterError(field="to", detail=f"from and to are more than {MAX_DAYS} days")
    return span_between(first, last)


def known_date(parameter: str, given: date) -> date:
    """The date, if instants can be made of it everywhere (422 else)."""
    if not FIRST_DATE <= given <= LAST_DATE:
        raise InvalidParameterError(parameter, f"is not between {FIRST_DATE} and {LAST_DATE}")
    return given


async def read_metrics(
    view: CurrentView,
    metrics: Annotated[str | None, Query(description="Names, with commas; all if left out.")] = None,
) -> tuple[str, ...] | None:
    """The metrics asked for; None for all."""
    return known_metrics(view, metrics)


def known_metrics(view: View, names: str | None) -> tuple[str, ...] | None:
    """Names with commas, each once; None for all. 422 naming an unknown one."""
    found = read_names("metrics", names)
    for name in found or ():
        if name not in view.catalogue:
            raise InvalidParameterError(field="metrics", detail=f"there is no metric {shown(name)}")
    return found or None


def read_names(parameter: str, text: str | None) -> tuple[str, ...] | None:
    """Names with commas, each once; None where the parameter is left out."""
    if text is None:
        return None
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if len(names) > MAX_NAMES:
        raise InvalidParameterError(parameter, f"more than {MAX_NAMES} names")
    return names


def shown(name: str) -> str:
    """What a client asked for, in one line of an error."""
    return repr(name if len(name) <= 300 else name[:300] + "…")


SpanAsked = Annotated[Span, Depends(read_span)]
WindowAsked = Annotated[AskedWindow, Depends(read_window)]
MetricsAsked = Annotated[tuple[str, ...] | None, Depends(read_metrics)]
TeamAsked = Annotated[str | None, Query(description="Only reps of this team, today.")]
Limit = Annotated[int, Query(ge=1, le=1000)]
Cursor = Annotated[str | None, Query(description="`next` of the page before.", max_length=2000)]


def known_team(view: View, team: str, access: Access) -> str:
    """A team that exists (404) and that the key may see (403)."""
    if not access.allows_team(team):
        msg = f"this key is limited to the team {access.team!r}"
        raise ForbiddenError(msg)
    if team not in view.roster.team_names:
        msg = f"there is no team {shown(team)}"
        raise NotFoundError(msg, field="team")
    return team


def known_rep(view: View, rep: str, access: Access, now: int) -> str:
    """A rep that exists (404, also for one of another team than the key's)."""
    if not view.is_known_rep(rep) or not access.allows_team(team_today(view, rep, now)):
        msg = f"there is no rep {shown(rep)}"
        raise NotFoundError(msg, field="rep")
    return rep


def team_today(view: View, rep: str | None, now: int) -> str | None:
    """The team of a rep today."""
    return view.roster.team_on(rep, view.calendar.day_of(now))


def reps_asked(view: View, team: str | None, access: Access, now: int) -> list[str]:
    """Reps of a team today (of the key's own if it is limited), else all."""
    team = team if team is not None else access.team
    if team is None:
        return view.reps()
    known_team(view, team, access)
    return [rep for rep in view.reps() if team_today(view, rep, now) == team]


def organisation_allowed(access: Access) -> None:
    """A key limited to a team does not see the whole organisation."""
    if access.team is not None:
        msg = f"this key is limited to the team {access.team!r}"
        raise ForbiddenError(msg)


def page(
    rows: Sequence[_Row], key: Callable[[_Row], tuple[int, str]], limit: int, cursor: str | None
) -> tuple[list[_Row], dict[str, Any]]:
    """One page of a list that is in the order of `key`, and what says where the next one begins.

    The cursor is the key of the last row: whatever comes or goes in between, no row is left out or shown twice.
    """
    first = 0 if cursor is None else bisect_right(rows, _read_cursor(cursor), key=key)
    found = list(rows[first : first + limit])
    following = _write_cursor(key(found[-1])) if found and first + limit < len(rows) else None
    return found, {"next": following}


def _write_cursor(key: tuple[int, str]) -> str:
    return urlsafe_b64encode(orjson.dumps(key)).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[int, str]:
    try:
        at, id = orjson.loads(urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)))
    except ValueError:
        at = id = None
    except TypeError:
        at = id = None
    if type(at) is not int or type(id) is not str:
        raise InvalidParameterError(field="cursor", detail="is not the `next` of a page")
    return at, id

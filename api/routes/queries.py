"""What read routes share: the parameters `window`, `from`, `to`, `metrics`, `limit`, `cursor`, and what a key may see.

Owns their checks and errors (422 naming the parameter, 404 naming the id, 403 for another team).
"""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query, Request

from api.errors import ForbiddenError, InvalidParameterError, NotFoundError, UnavailableError
from api.read_side import ReadSide
from api.security import Access, require
from api.view import View
from schemas.windows import WINDOWS, Span, span_between, span_of

MAX_DAYS = 1100
Reader = Annotated[Access, Depends(require("read"))]
BoardReader = Annotated[Access, Depends(require("board"))]
Administrator = Annotated[Access, Depends(require("admin"))]

_Row = TypeVar("_Row")


def view_of(request: Request) -> View:
    """The process' view. 503 while it loads: half of it would be wrong numbers."""
    read_side: ReadSide = request.app.state.read_side
    if not read_side.is_loaded:
        raise UnavailableError("; ".join(read_side.problems()) or "the view is loading", retry_after=1)
    return read_side.view


def now_of(request: Request) -> int:
    """The process' clock in microseconds, to the millisecond: an answer is exactly as of the instant it names."""
    now: int = request.app.state.clock()
    return now - now % 1000


CurrentView = Annotated[View, Depends(view_of)]
Now = Annotated[int, Depends(now_of)]


def read_span(
    view: CurrentView,
    now: Now,
    window: Annotated[str | None, Query(description=f"One of {', '.join(WINDOWS)}.", examples=["today"])] = None,
    from_: Annotated[date | None, Query(alias="from", description="First date, with `to` instead of `window`.")] = None,
    to: Annotated[date | None, Query(description="Last date, included.")] = None,
) -> Span:
    """The span asked for; today by default."""
    if from_ is None and to is None:
        return named_span(view, window or "today", now)
    if window is not None:
        msg = "window: give either window or from and to"
        raise InvalidParameterError(msg, field="window")
    if from_ is None or to is None:
        missing = "from" if from_ is None else "to"
        msg = f"{missing}: from and to belong together"
        raise InvalidParameterError(msg, field=missing)
    return dates_span(from_, to)


def named_span(view: View, window: str, now: int) -> Span:
    """The span of a window's name. 422 naming an unknown one."""
    if window not in WINDOWS:
        msg = f"window: {window!r} is not one of {', '.join(WINDOWS)}"
        raise InvalidParameterError(msg, field="window")
    return span_of(window, now, view.calendar)


def dates_span(first: date, last: date) -> Span:
    """The span of two dates. 422 where they make none."""
    if last < first:
        msg = "to: lies before from"
        raise InvalidParameterError(msg, field="to")
    if (last - first).days >= MAX_DAYS:
        msg = f"to: more than {MAX_DAYS} days after from"
        raise InvalidParameterError(msg, field="to")
    return span_between(first, last)


def read_metrics(
    view: CurrentView,
    metrics: Annotated[str | None, Query(description="Names, with commas; all if left out.")] = None,
) -> tuple[str, ...] | None:
    """The metrics asked for; None for all."""
    return None if not metrics else known_metrics(view, metrics)


def known_metrics(view: View, names: str) -> tuple[str, ...]:
    """Names with commas. 422 naming an unknown one."""
    found = tuple(name.strip() for name in names.split(",") if name.strip())
    for name in found:
        if name not in view.catalogue:
            msg = f"metrics: there is no metric {name!r}"
            raise InvalidParameterError(msg, field="metrics")
    return found


SpanAsked = Annotated[Span, Depends(read_span)]
MetricsAsked = Annotated[tuple[str, ...] | None, Depends(read_metrics)]
TeamAsked = Annotated[str | None, Query(description="Only reps of this team, today.")]
Limit = Annotated[int, Query(ge=1, le=1000)]
Cursor = Annotated[str | None, Query(description="`next` of the page before.", pattern=r"^\d{1,9}$")]


def known_team(view: View, team: str, access: Access) -> str:
    """A team that exists (404) and that the key may see (403)."""
    if not access.allows_team(team):
        msg = f"this key is limited to the team {access.team!r}"
        raise ForbiddenError(msg)
    if team not in view.roster.team_names:
        msg = f"there is no team {team!r}"
        raise NotFoundError(msg, field="team")
    return team


def known_rep(view: View, rep: str, access: Access, now: int) -> str:
    """A rep that exists (404, also for one of another team than the key's)."""
    if not view.is_known_rep(rep) or not access.allows_team(team_today(view, rep, now)):
        msg = f"there is no rep {rep!r}"
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


def page(rows: Sequence[_Row], limit: int, cursor: str | None) -> tuple[list[_Row], dict[str, Any]]:
    """One page of a list, and what says where the next one begins."""
    first = int(cursor) if cursor is not None else 0
    following = first + limit
    return list(rows[first:following]), {"next": str(following) if following < len(rows) else None}



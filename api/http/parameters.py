"""What read routes share: the parameters `window`, `from`, `to`, `metrics`, `limit`, `cursor`, and what a key may see.

Owns their checks and errors: 422 naming the parameter (also one that a route does not have), 404 naming the id, 403 for
another team.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_right
from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import date
from functools import cached_property
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import APIRouter, Depends, Query, Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query as QueryParameter
from fastapi.routing import APIRoute
from pydantic import BeforeValidator
from starlette.responses import Response

from api.http.bodies import bounded
from api.http.description import operation_id
from api.http.errors import ForbiddenError, InvalidParameterError, NotFoundError, UnavailableError
from api.http.identity import Access, access_of
from api.read.discretion import Discretion, discretion_of, windows_of
from api.read.read_side import ReadSide
from api.read.segments import TEAM
from api.read.subscriptions import Filter
from api.read.view import ORGANISATION, Scope, View, rep_scope, team_scope
from schemas.catalogue.dimensions import Dimension
from schemas.windows import WINDOWS, Span, span_between, span_of

MAX_DAYS = 1100
FIRST_DATE = date(1970, 1, 1)
LAST_DATE = date(2241, 12, 31)
"""Dates that instants can be made of in every time zone."""
MAX_NAMES = 500

_EVERYWHERE = frozenset({"screen", "page"})
"""Parameters of every route: pages say with them whose cookie counts."""

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)")

_Row = TypeVar("_Row")


class ReadRequest(Request):
    """A request under `/v1`, with what every route there needs: found at the first look, and then the same for all."""

    @cached_property
    def access(self) -> Access:
        """What it may see."""
        return access_of(self)

    @cached_property
    def view(self) -> View:
        """What it is answered from. 503 while that loads: half of it would be wrong numbers."""
        return view_of(self)

    @cached_property
    def discretion(self) -> Discretion | None:
        """What of people is kept from it; None: nothing."""
        screen = self.access.screen
        found = None if screen is None else discretion_of(self.view.config, screen)
        return None if found is None or found.tells_all else found

    @cached_property
    def now(self) -> int:
        """The instant that the answer is as of."""
        return now_of(self)


def read_router(tag: str) -> APIRouter:
    """For routes under `/v1`, which are described under a tag."""
    return APIRouter(prefix="/v1", route_class=ReadRoute, tags=[tag], generate_unique_id_function=operation_id)


class ReadRoute(APIRoute):
    """A route under `/v1`: what it is asked and does not know is refused, so that a misspelt filter filters.

    So is what it is asked twice: one of the two would be passed over.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The framework's own, behind a look at the names of the parameters.

        Access, view and clock are no dependencies of the framework, each of which costs as much as a small answer.
        """
        handle = super().get_route_handler()
        known = _EVERYWHERE | {
            field.alias for field in get_flat_params(self.dependant) if isinstance(field.field_info, QueryParameter)
        }

        async def handle_known(request: Request) -> Response:
            if request.scope["query_string"]:
                seen = set()
                for name, _ in request.query_params.multi_items():
                    if name not in known:
                        raise InvalidParameterError(field=name[:100], detail="is no parameter of this address")
                    if name in seen:
                        raise InvalidParameterError(field=name, detail="is given twice")
                    seen.add(name)
            return await handle(ReadRequest(request.scope, bounded(request.scope, request.receive)))

        return handle_known


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


WindowParameter = Annotated[
    str | None,
    Query(description="`today` if left out.", examples=["today"], json_schema_extra={"enum": [*WINDOWS]}),
]


def _as_written(given: str) -> str:
    if not _DATE.fullmatch(given):
        msg = "is not a date like 2026-03-18"
        raise ValueError(msg)
    return given


def _as_a_number_is_written(given: str) -> str:
    if not _WHOLE.fullmatch(given):
        msg = "is not a whole number like 50"
        raise ValueError(msg)
    return given


WHOLE_NUMBER = BeforeValidator(_as_a_number_is_written)
"""Of a parameter that is a whole number: pydantic would also take `1_0`, `1.0` and ` 1` for one."""
DateParameter = Annotated[date, BeforeValidator(_as_written)]
"""A date in full: pydantic would also take a number of seconds for one."""
FirstDate = Annotated[
    DateParameter | None, Query(alias="from", description="First date, with `to` instead of `window`.")
]
LastDate = Annotated[DateParameter | None, Query(description="Last date, included.")]


# Async, because FastAPI would run a plain function in a thread.
async def span_parameter(
    request: ReadRequest, window: WindowParameter = None, from_: FirstDate = None, to: LastDate = None
) -> Span:
    """The span asked for, by a window's name or two dates; today by default. 422 where this means none."""
    view, now = request.view, request.now
    if from_ is None and to is None:
        return named_span(view, "today" if window is None else window, now)
    if window is not None:
        raise InvalidParameterError(field="window", detail="give either window or from and to")
    if from_ is None or to is None:
        raise InvalidParameterError(field="from" if from_ is None else "to", detail="from and to belong together")
    return dates_span(from_, to)


def named_span(view: View, window: str, now: int, parameter: str = "window") -> Span:
    """The span of a window's name. 422 naming an unknown one."""
    return span_of(one_of(parameter, window, WINDOWS), now, view.calendar)


def one_of(parameter: str, asked: str, known: Iterable[str]) -> str:
    """What is asked for, one of these. 422 naming what else there is."""
    if asked not in known:
        raise InvalidParameterError(parameter, f"{shown_name(asked)} is not one of {', '.join(known)}")
    return asked


def dates_span(first: date, last: date) -> Span:
    """The span of two dates. 422 where they make none."""
    known_date("from", first)
    known_date("to", last)
    if last < first:
        raise InvalidParameterError(field="to", detail="lies before from")
    if (last - first).days >= MAX_DAYS:
        raise InvalidParameterError(field="to", detail=f"from and to are more than {MAX_DAYS} days")
    return span_between(first, last)


def read_date(text: str) -> date | None:
    """A date in full, such as 2026-03-18; None: it is none."""
    if not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def known_date(parameter: str, given: date) -> date:
    """The date, if instants can be made of it everywhere (422 else)."""
    if not FIRST_DATE <= given <= LAST_DATE:
        raise InvalidParameterError(parameter, f"is not between {FIRST_DATE} and {LAST_DATE}")
    return given


async def metrics_parameter(
    request: ReadRequest,
    metrics: Annotated[str | None, Query(description="Names, with commas; all if left out.")] = None,
) -> tuple[str, ...] | None:
    """The metrics asked for; None for all."""
    return known_metrics(request.view, metrics)


def known_metrics(view: View, names: str | None) -> tuple[str, ...] | None:
    """Names with commas, each once; None for all. 422 naming an unknown one."""
    found = read_names("metrics", names)
    for name in found or ():
        known_metric(view, name, "metrics")
    return found or None


def known_metric(view: View, metric: str, parameter: str = "metric") -> None:
    """422 naming a metric that there is not."""
    if metric not in view.catalogue:
        raise InvalidParameterError(parameter, f"there is no metric {shown_name(metric)}")


def read_names(parameter: str, text: str | None) -> tuple[str, ...] | None:
    """Names with commas, each once; None where the parameter is left out."""
    if text is None:
        return None
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if len(names) > MAX_NAMES:
        raise InvalidParameterError(parameter, f"more than {MAX_NAMES} names")
    return names


def shown_name(name: str) -> str:
    """What a client asked for, in one line of an error."""
    return repr(name if len(name) <= 300 else name[:300] + "…")


SpanAsked = Annotated[Span, Depends(span_parameter)]
MetricsAsked = Annotated[tuple[str, ...] | None, Depends(metrics_parameter)]


def known_dimension(view: View, by: str) -> Dimension | None:
    """A dimension by which something may be told apart (422 else); None: the team, which is always there."""
    if by == TEAM:
        return None
    dimension = view.dimensions.get(by)
    if dimension is None:
        raise InvalidParameterError(
            field="by",
            detail=f"there is no dimension {shown_name(by)}; there are {', '.join([TEAM, *view.dimensions])}",
        )
    if not dimension.labels and not dimension.is_of_person:
        lacking = "metrics.yaml lists no values of it"
        if dimension.is_of_stages:
            lacking = "pipelines of floorcast.yaml name no steps"
        raise InvalidParameterError(field="by", detail=f"{by} is not kept: {lacking}")
    return dimension


TeamAsked = Annotated[str | None, Query(description="Only reps of this team, today.")]
Limit = Annotated[int, Query(ge=1, le=1000), WHOLE_NUMBER]
Cursor = Annotated[str | None, Query(description="`next` of the page before.", max_length=2000)]


def known_team(view: View, team: str, access: Access) -> str:
    """A team that exists (404) and that the key may see (403)."""
    organisation_refused_to_reps(access)
    if not access.allows_team(team):
        raise _limited(access)
    if team not in view.roster.team_names:
        raise NotFoundError(detail=f"there is no team {shown_name(team)}", field="team")
    return team


def _limited(access: Access) -> ForbiddenError:
    if access.teams is None:
        return ForbiddenError(f"this key is limited to the team {access.team!r}", field="team")
    return ForbiddenError(f"this screen is for the teams {', '.join(map(repr, sorted(access.teams)))}")


def known_rep(view: View, rep: str, access: Access, now: int) -> str:
    """A rep that exists (404, also for another one than the key's, and for one of another team)."""
    if not view.is_known_rep(rep) or not access.allows(rep, team_today(view, rep, now)):
        raise NotFoundError(detail=f"there is no rep {shown_name(rep)}", field="rep")
    return rep


def screen_filter(request: ReadRequest) -> Filter:
    """What the stream of the screen that asks holds. Called only where a screen of the configuration does."""
    access, config = request.access, request.view.config
    screen = config.screens[access.screen or ""]
    return Filter(
        windows=windows_of(screen),
        teams=access.teams if access.team is None else frozenset({access.team}),
        discretion=request.discretion,
        device=access.device,
        wins=screen.tells_wins,
    )


def nobody_named(request: ReadRequest, rep: str | None) -> None:
    """What is about one person alone is nothing for a screen that is not told of everybody (403)."""
    if rep is not None and request.discretion is not None:
        raise ForbiddenError(detail=f"the screen {request.discretion.screen!r} is not told of single people")


def team_today(view: View, rep: str | None, now: int) -> str | None:
    """The team of a rep today."""
    return view.roster.team_on(rep, view.calendar.day_of(now))


def whose(request: ReadRequest, team: str | None, rep: str | None) -> Callable[[str | None], bool]:
    """Whether what somebody owns is asked for, by team and rep, and may be seen. 404 and 403 as `known_team`."""
    access, view, now = request.access, request.view, request.now
    if team is not None:
        known_team(view, team, access)
    if rep is not None:
        known_rep(view, rep, access, now)

    def is_theirs(owner: str | None) -> bool:
        if rep is not None and owner != rep:
            return False
        if team is None and access.team is None and access.teams is None:
            return access.rep in {None, owner}
        held = team_today(view, owner, now)
        return team in {None, held} and access.allows(owner, held)

    return is_theirs


def reps_asked(view: View, team: str | None, access: Access, now: int) -> list[str]:
    """Reps of a team today (of the key's own if it is limited), else all; of a key of one rep that one."""
    if access.rep is not None and team is None:
        return [access.rep] if view.is_known_rep(access.rep) else []
    team = team if team is not None else access.team
    if team is None:
        return view.reps()
    known_team(view, team, access)
    return [rep for rep in view.reps() if team_today(view, rep, now) == team]


def organisation_refused_to_reps(access: Access) -> None:
    """A key of one rep sees neither a team nor the organisation (403): with few people they tell who has what."""
    if access.rep is not None:
        raise ForbiddenError(detail="this key shows one rep alone")


def organisation_allowed(access: Access) -> None:
    """A key limited to a team does not see the whole organisation, and one of a rep neither."""
    organisation_refused_to_reps(access)
    if not access.allows_team(None):
        raise _limited(access)


def one_scope(view: View, rep: str | None, team: str | None, access: Access, now: int) -> Scope:
    """Of whom numbers are asked: a rep, a team, or the organisation, as far as the key may see them."""
    if rep is not None and team is not None:
        raise InvalidParameterError(field="team", detail="give either rep or team")
    if rep is not None:
        return rep_scope(known_rep(view, rep, access, now))
    if team is not None:
        return team_scope(known_team(view, team, access))
    organisation_allowed(access)
    return ORGANISATION


def page(
    rows: Sequence[_Row], key: Callable[[_Row], tuple[int, str]], limit: int, cursor: str | None
) -> tuple[list[_Row], dict[str, Any]]:
    """One page of a list that is in the order of `key`, and what says where the next one begins.

    The cursor is the key of the last row: whatever comes or goes in between, no row is left out or shown twice.
    """
    first = 0 if cursor is None else bisect_right(rows, tuple(read_cursor(cursor, int, str)), key=key)
    found = list(rows[first : first + limit])
    following = write_cursor(key(found[-1])) if found and first + limit < len(rows) else None
    return found, {"next": following}


def write_cursor(key: tuple[int | str, ...]) -> str:
    """The key of a row, as `read_cursor` reads it."""
    return urlsafe_b64encode(orjson.dumps([*key])).decode().rstrip("=")


def read_cursor(cursor: str, *kinds: type[int | str]) -> list[Any]:
    """The key of the last row that was shown, of parts of these kinds (422 else)."""
    try:
        found = orjson.loads(urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)))
    except ValueError:
        found = None
    if not isinstance(found, list) or [*map(type, found)] != [*kinds]:
        raise InvalidParameterError(field="cursor", detail="is not the `next` of a page")
    return found

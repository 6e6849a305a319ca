"""`/floor`, the manager's page, and `/me`, a rep's own: made here, readable without any script."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.http.description import NOT_FOUND, operation_id, problems
from api.http.errors import (
    BodyTooLargeError,
    ForbiddenError,
    InvalidParameterError,
    NotFoundError,
    UnauthenticatedError,
    UnavailableError,
)
from api.http.identity import redirect_without_token
from api.http.parameters import ReadRequest, known_rep, reps_asked, team_today
from api.http.people.asked import NO_COMPARISON, PageAsked, canonical_address, comparisons_of, read_asked
from api.http.people.lists import PageLists
from api.http.people.numbers import REPS_A_PAGE, PageNumbers, dates_before
from api.http.people.page import (
    PeopleRoute,
    address_of,
    look_of,
    read_form,
    redirect_to,
    require_own,
    take_key,
)
from api.http.people.rendering import rendered
from api.http.routes.alerts import act_on, held_alert, snoozed_until
from api.http.scopes import PAGES
from api.read.comparison import COMPARISONS
from api.read.read_side import ReadSide
from api.read.segments import TEAM
from api.read.view import ORGANISATION, View, rep_scope, team_scope
from api.words.texts import ReaderWords, languages
from schemas.alerts import AlertAction
from schemas.formats import Formats
from schemas.keys import ApiScope
from schemas.windows import WINDOWS, date_of

router = APIRouter(route_class=PeopleRoute, tags=["pages"], generate_unique_id_function=operation_id)

_KNOWN_WITHIN_SECONDS = 1.5
_BETWEEN_LOOKS_SECONDS = 0.05

_PAGE: dict[int | str, dict[str, Any]] = problems(InvalidParameterError, UnavailableError) | {
    200: {"content": {"text/html": {"schema": {"type": "string"}, "example": "<!doctype html>…"}}},
    303: {"description": "With `?token=…`: the key is kept in a cookie, and taken out of the address."},
}
WindowAsked = Annotated[
    str | None, Query(description="A named window; `today` if left out.", json_schema_extra={"enum": [*WINDOWS]})
]
FirstDateText = Annotated[str | None, Query(alias="from", description="First date, with `to` instead of `window`.")]
LastDateText = Annotated[str | None, Query(description="Last date, included.")]
MetricsText = Annotated[str | None, Query(description="Names, with commas; what this floor counts if left out.")]
CompareAsked = Annotated[
    str | None,
    Query(
        description=f"`{NO_COMPARISON}`, or with what; the time before if left out.",
        json_schema_extra={"enum": [NO_COMPARISON, *COMPARISONS]},
    ),
]


@router.get("/floor", summary="The manager's page", response_class=Response, responses=_PAGE | NOT_FOUND)
async def floor(
    request: ReadRequest,
    window: WindowAsked = None,
    from_: FirstDateText = None,
    to: LastDateText = None,
    team: Annotated[str | None, Query(description="Only this team, today.")] = None,
    by: Annotated[str | None, Query(description="A dimension: the numbers are divided by it.")] = None,
    compare: CompareAsked = None,
    metrics: MetricsText = None,
) -> Response:
    """Reps, figures, waiting leads, open deals and leads, funnel and goals, as HTML; every view has its own address.

    Also in the address: `sort` (a metric), `start`, `pipeline`, `flag`, `lead_flag` and `language`. `?token=…` is kept
    in a cookie and taken out of the address; so is what the page does not know, by a redirect.
    """
    query, is_other = canonical_address(request)
    answer = redirect_without_token(request, "/floor", PAGES["floor"])
    if answer is not None:
        return answer
    access, view, now = request.access, request.view, request.now
    asked = read_asked("/floor", query, view, access, now)
    if is_other:
        return redirect_to(asked.link())
    words, formats = look_of(request, view)
    return await _floor(request, asked, words, formats)


async def _floor(request: ReadRequest, asked: PageAsked, words: ReaderWords, formats: Formats) -> Response:
    access, view, now = request.access, request.view, request.now
    read_side: ReadSide = request.app.state.read_side
    scope = ORGANISATION if asked.team is None else team_scope(asked.team)
    reps = reps_asked(view, asked.team, access, now)
    numbers = PageNumbers(view, asked, now, scope=scope, words=words, formats=formats, sees_all=access.team is None)
    lists = PageLists(view, asked, now, None if asked.team is None else frozenset(reps), words, formats)
    shown = await _in_turns(
        {
            "people": lambda: numbers.people(read_side.leaderboards),
            "figures": numbers.figures,
            "segments": numbers.segments,
            "waited": lists.waiting,
            "limits": lists.limits,
            "standouts": lambda: numbers.standouts(reps),
            "funnel": numbers.funnel,
            "goals": numbers.goals,
            "deals": lists.deals,
            "leads": lists.leads,
            "everything": numbers.everything,
        }
    )
    people, (waiting, counts) = shown["people"], shown.pop("waited")
    teams = {id: name for id, name in view.roster.team_names.items() if access.allows_team(id)}
    return rendered(
        "floor",
        words,
        **_common(request, asked, words, formats),
        **shown,
        title=view.config.organisation.name if asked.team is None else teams.get(asked.team, asked.team),
        stream=_stream("floor", asked, numbers, team=asked.team),
        sees_all_teams=access.team is None,
        teams=[*teams.items()],
        dimensions=[(name, _dimension(words, name)) for name in _dimensions(view)],
        catalogue=[(name, numbers.cells.label(name)) for name in view.catalogue if view.funnel(name) is None],
        lower_first={name for name in numbers.metrics if view.catalogue[name].better == "lower"},
        label_of=numbers.cells.label,
        sorted_by=numbers.cells.label(people.sort),
        previous_start=str(people.first - REPS_A_PAGE) if people.first > REPS_A_PAGE else None,
        next_start=str(people.first + REPS_A_PAGE),
        by_name=None if asked.by is None else _dimension(words, asked.by),
        waiting=waiting,
        counts=counts,
        can_act=access.scope.includes(ApiScope.ADMIN),
        csv=_csv("reps", asked, metrics=",".join(numbers.metrics), team=asked.team),
        csv_segments=_csv(_whole(asked), asked, metrics=",".join(shown["segments"][0]), by=asked.by),
        csv_everything=_csv(_whole(asked), asked),
        is_new=_is_new(view) and numbers.is_empty,
        webhooks=[f"{request.base_url}webhooks/{quote(name, safe='')}" for name in view.config.connections],
    )


@router.get("/me", summary="A rep's own page", response_class=Response, responses=_PAGE | NOT_FOUND)
async def me(
    request: ReadRequest,
    window: WindowAsked = None,
    from_: FirstDateText = None,
    to: LastDateText = None,
    compare: CompareAsked = None,
    metrics: MetricsText = None,
) -> Response:
    """Their numbers, goals, waiting leads, open deals and leads and wins, as HTML. With a key of scope `rep`."""
    query, is_other = canonical_address(request)
    answer = redirect_without_token(request, "/me", PAGES["me"])
    if answer is not None:
        return answer
    access, view, now = request.access, request.view, request.now
    rep = known_rep(view, access.rep or "", access, now)
    asked = read_asked("/me", query, view, access, now)
    if is_other:
        return redirect_to(asked.link())
    words, formats = look_of(request, view)
    numbers = PageNumbers(view, asked, now, scope=rep_scope(rep), words=words, formats=formats, sees_all=False)
    lists = PageLists(view, asked, now, frozenset({rep}), words, formats)
    shown = await _in_turns(
        {
            "figures": numbers.figures,
            "waited": lists.waiting,
            "wins": lists.wins,
            "goals": numbers.goals,
            "deals": lists.deals,
            "leads": lists.leads,
            "everything": numbers.everything,
        }
    )
    waiting, counts = shown.pop("waited")
    team, name = team_today(view, rep, now), view.roster.name_of(rep)
    return rendered(
        "me",
        words,
        **_common(request, asked, words, formats),
        **shown,
        title=name,
        name=name,
        team=None if team is None else view.roster.team_names.get(team, team),
        stream=_stream("me", asked, numbers),
        waiting=waiting,
        counts=counts,
    )


async def _in_turns(parts: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """What each part of a page shows, with the event loop free between two of them: others have their turn."""
    found = {}
    for name, make in parts.items():
        found[name] = make()
        await asyncio.sleep(0)
    return found


@router.post("/floor/key", include_in_schema=False)
async def floor_key(request: ReadRequest) -> Response:
    """The door of the floor: a key that was typed in."""
    return await take_key(request, "floor")


@router.post("/me/key", include_in_schema=False)
async def me_key(request: ReadRequest) -> Response:
    """The door of a rep's page."""
    return await take_key(request, "me")


@router.post(
    "/floor/alerts", include_in_schema=False,
    responses=problems(UnauthenticatedError, ForbiddenError, NotFoundError, BodyTooLargeError),
)  # fmt: skip
async def act_from_page(request: ReadRequest) -> Response:
    """What somebody does about an alert on the page: acknowledged, or snoozed for a while."""
    form = await read_form(request)
    require_own(request)
    access, view, now = request.access, request.view, request.now
    alert = held_alert(view, form.get("alert", ""), access)
    before = view.acknowledgement(alert.id)
    match form.get("do"):
        case "acknowledge":
            action = AlertAction(alert.id, alert.cared_for, now, access.key)
        case "snooze":
            until = snoozed_until(form.get("for", ""), now)
            action = AlertAction(alert.id, alert.subject, now, access.key, until)
        case _:
            raise InvalidParameterError(field="do", detail="is neither acknowledge nor snooze")
    await act_on(request, action)
    # It comes back by way of Kafka: a moment later the page shows it.
    for _ in range(round(_KNOWN_WITHIN_SECONDS / _BETWEEN_LOOKS_SECONDS)):
        if view.acknowledgement(alert.id) != before:
            break
        await asyncio.sleep(_BETWEEN_LOOKS_SECONDS)
    return redirect_to(f"{address_of(form.get('next', ''), 'floor')}#waiting")


def _common(request: ReadRequest, asked: PageAsked, words: ReaderWords, formats: Formats) -> dict[str, Any]:
    """What both pages have."""
    view, now = request.view, request.now
    return {
        "asked": asked,
        "here": asked.link(),
        "comparisons": comparisons_of(request.access),
        "before": dict(dates_before(view, now)),
        "dates": _dates(asked, words, formats),
        "as_of": formats.time(now),
        "languages": languages(),
    }


def _dates(asked: PageAsked, words: ReaderWords, formats: Formats) -> str:
    """The window in words."""
    span = asked.span
    if not span.days:
        return words.window(span.name)
    days = formats.dates(date_of(span.first), date_of(span.last))
    return days if asked.window is None else f"{words.window(asked.window)} · {days}"


def _dimension(words: ReaderWords, name: str) -> str:
    key = f"dimension.{name}"
    return words.say(key) if words.has(key) else name.replace("_", " ").capitalize()


def _dimensions(view: View) -> list[str]:
    """Those by which something can be divided here."""
    return [TEAM, *(name for name, found in view.dimensions.items() if found.labels or found.is_of_person)]


def _whole(asked: PageAsked) -> str:
    return "organisation" if asked.team is None else f"teams/{quote(asked.team, safe='')}"


def _csv(what: str, asked: PageAsked, **more: str | None) -> str:
    """The address of the same numbers as a table."""
    window = (
        {"window": asked.window} if asked.window is not None else {name: asked.query[name] for name in ("from", "to")}
    )
    wanted: Mapping[str, str | None] = {**window, **more, "format": "csv", "page": "floor"}
    return f"/v1/{what}/metrics?{urlencode({name: value for name, value in wanted.items() if value})}"


def _stream(page: str, asked: PageAsked, numbers: PageNumbers, *, team: str | None = None) -> str:
    """The address of what changes while the page is open."""
    wanted = {
        "windows": asked.window or "today",
        "metrics": ",".join(numbers.metrics),
        "teams": team,
        "page": page,
    }
    return f"/v1/stream?{urlencode({name: value for name, value in wanted.items() if value})}"


def _is_new(view: View) -> bool:
    """Whether nothing has been delivered yet."""
    return not any(progress.connections for progress in view.progress.values())

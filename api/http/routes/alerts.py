"""Alerts and dead letters: what needs somebody's eyes. Alerts are acknowledged and snoozed here.

An action goes to Kafka, and comes back from there as what was done about the alert: in a moment every api knows it.
"""

import re
from typing import Annotated, Any, Literal

from fastapi import Depends, Query, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.responses import Response

from api.http.description import NOT_FOUND, READ_PROBLEMS, problems
from api.http.errors import ContentTypeRefusedError, InvalidParameterError, NotFoundError
from api.http.etag import answer_rows
from api.http.identity import Access
from api.http.models.alerts import ActionAnswer, AlertsAnswer, DeadLettersAnswer
from api.http.parameters import Cursor, Limit, ReadRequest, organisation_allowed, page, read_router
from api.read.rows import alert_json, dead_letter_json, newest_alert_first
from api.read.view import View
from api.write.ingest import Ingest
from schemas.alerts import Alert, AlertAction, encode_action
from schemas.dead_letters import DeadLetter
from schemas.instants import DAY, format_instant, parse_duration

router = read_router("alerts")

LONGEST_SNOOZE = 30 * DAY


_LENGTH = re.compile(r"^[0-9]{1,6}[smhd]$")


def _length(value: Any) -> Any:
    if not isinstance(value, str) or _LENGTH.fullmatch(value) is None:
        msg = "must be a duration such as 30s, 5m, 1h or 2d"
        raise ValueError(msg)
    return value


class Snooze(BaseModel):
    """How long nobody is to be told about the alert's lead or limit."""

    model_config = ConfigDict(extra="forbid")

    for_: Annotated[
        str,
        BeforeValidator(_length),
        Field(alias="for", description="At most 30d.", examples=["1h"], json_schema_extra={"pattern": _LENGTH.pattern}),
    ]


def _only_json(request: Request) -> None:
    """Refuse what a page of another site could send from a browser without asking first."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ContentTypeRefusedError(detail="content-type: must be application/json", field="content-type")


def _json_or_no_page(request: Request) -> None:
    """Likewise where there is nothing to say: a program need not call that JSON.

    No page can show a key in a header without asking first, and a browser names the site with what a page posts.
    """
    said = request.headers
    is_bare = "content-type" not in said and "origin" not in said and "sec-fetch-site" not in said
    if not is_bare and "authorization" not in said:
        _only_json(request)


OnlyJson = Depends(_only_json)
_ANYTHING = {
    "description": "May be left out: it is not read. Without `Authorization`, what comes from a page, or says what it "
    "is, must be called JSON.",
    "required": False,
    "content": {"application/json": {"schema": {}, "example": {}}},
}


@router.get("/alerts", summary="Alerts, newest first", response_model=AlertsAnswer, responses=READ_PROBLEMS)
async def alerts(
    request: ReadRequest,
    state: Annotated[Literal["open", "all"], Query()] = "open", limit: Limit = 100, cursor: Cursor = None,
) -> Response:  # fmt: skip
    """`open`: raised and not resolved."""
    access, view = request.access, request.view
    held = (view.open_alerts if state == "open" else view.alerts).values()
    rows = sorted((alert for alert in held if access.allows(alert.rep, alert.team)), key=newest_alert_first)
    found, following = page(rows, newest_alert_first, limit, cursor)
    return answer_rows(request, [alert_json(view, alert) for alert in found], **following)


@router.get(
    "/dead-letters", summary="What could not be read", response_model=DeadLettersAnswer, responses=READ_PROBLEMS
)
async def dead_letters(request: ReadRequest, limit: Limit = 100, cursor: Cursor = None) -> Response:
    """Newest first, of the last 10,000."""
    organisation_allowed(request.access)
    letters = sorted(request.view.dead_letters.values(), key=_newest_letter_first)
    found, following = page(letters, _newest_letter_first, limit, cursor)
    return answer_rows(request, [dead_letter_json(letter) for letter in found], **following)


@router.post(
    "/alerts/{alert:text}/acknowledge", summary="Acknowledge an alert", dependencies=[Depends(_json_or_no_page)],
    openapi_extra={"requestBody": _ANYTHING},
    response_model=ActionAnswer, responses=READ_PROBLEMS | NOT_FOUND | problems(ContentTypeRefusedError),
)  # fmt: skip
async def acknowledge_alert(request: ReadRequest, alert: str) -> dict[str, str | None]:
    """Somebody takes care of it: channels are told no further levels of this lead, only that it waits no longer.

    Of a metric this crossing alone is taken care of; the next one is told again.
    """
    access, view, now = request.access, request.view, request.now
    held = held_alert(view, alert, access)
    await act_on(request, AlertAction(held.id, held.cared_for, now, access.key))
    return {"alert": held.id, "acknowledged_at": format_instant(now), "snoozed_until": None}


@router.post(
    "/alerts/{alert:text}/snooze", summary="Snooze an alert", dependencies=[OnlyJson],
    response_model=ActionAnswer, responses=READ_PROBLEMS | NOT_FOUND | problems(ContentTypeRefusedError),
)  # fmt: skip
async def snooze_alert(request: ReadRequest, alert: str, snooze: Snooze) -> dict[str, str | None]:
    """Channels are told nothing of this lead, or of this limit for the same rep or team, until then.

    What is still so is told afterwards.
    """
    access, view, now = request.access, request.view, request.now
    held = held_alert(view, alert, access)
    until = snoozed_until(snooze.for_, now)
    await act_on(request, AlertAction(held.id, held.subject, now, access.key, until))
    return {"alert": held.id, "acknowledged_at": None, "snoozed_until": format_instant(until)}


def held_alert(view: View, id: str, access: Access) -> Alert:
    """The alert of that id, if it may be seen (404 else)."""
    held = view.alerts.get(id)
    if held is None or not access.allows(held.rep, held.team):
        raise NotFoundError(detail=f"there is no alert {id[:300]!r}")
    return held


def snoozed_until(length: str, now: int) -> int:
    """Until when an alert is snoozed for so long (422 where that is no length)."""
    try:
        found = parse_duration(length)
    except ValueError as error:
        field = "for"
        raise InvalidParameterError(field, str(error)) from None
    if not 0 < found <= LONGEST_SNOOZE:
        field, reason = "for", "must be longer than 0 and at most 30d"
        raise InvalidParameterError(field, reason)
    return now + found


async def act_on(request: Request, action: AlertAction) -> None:
    """Tell everybody what somebody did about an alert. Raises StoreRefusedError."""
    log: Ingest = request.app.state.alert_actions
    await log.append(encode_action(action))


def _newest_letter_first(letter: DeadLetter) -> tuple[int, str]:
    return -letter.received_at, letter.id

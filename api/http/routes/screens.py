"""Screens on the walls: paired by a code, listed with what they say of themselves, and told what to do.

What happens here goes to the topic `access`, and comes back from there to every api.
"""

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse

from api.http.description import NOT_FOUND, READ_PROBLEMS, operation_id, problems
from api.http.errors import (
    ContentTypeRefusedError,
    InvalidParameterError,
    NotFoundError,
    TooManyRequestsError,
    UnavailableError,
)
from api.http.identity import access_of, cookie_of, keep_token
from api.http.models.screens import (
    ClaimedAnswer,
    CodeAnswer,
    CommandSaid,
    DeliveredAnswer,
    DeviceAnswer,
    HeartbeatSaid,
    NewCode,
    Pairing,
    ScreensAnswer,
    WaitingAnswer,
)
from api.http.parameters import ReadRequest, ReadRoute, shown_name
from api.http.routes.alerts import OnlyJson
from api.http.served import config_of
from api.write.access_log import AccessLog
from schemas.devices import (
    AccessBook,
    AccessEntry,
    Command,
    Device,
    Heartbeat,
    key_of,
    new_code,
    new_device,
    with_token,
    written_code,
)
from schemas.instants import format_instant

router = APIRouter(
    prefix="/v1/screens", route_class=ReadRoute, tags=["screens"], generate_unique_id_function=operation_id
)

CODES_A_MINUTE = 6
OPEN_CODES = 100
WRONG_CODES_A_MINUTE = 10
_MINUTE = 60.0
_MOST_ADDRESSES = 10_000


@dataclass(slots=True)
class AttemptLimits:
    """How often something was done in the last minute, by whom."""

    most: int
    done: dict[str, deque[float]] = field(default_factory=dict)

    def wait(self, who: str, now: float) -> int:
        """Seconds until it may be done again; 0: now."""
        times = self.done.get(who, deque())
        while times and now - times[0] >= _MINUTE:
            times.popleft()
        return 0 if len(times) < self.most else max(1, round(_MINUTE - (now - times[0]) + 0.5))

    def note(self, who: str, now: float) -> None:
        """It was done."""
        if len(self.done) >= _MOST_ADDRESSES:
            self.done.clear()
        self.done.setdefault(who, deque()).append(now)


@dataclass(slots=True)
class Screens:
    """What these routes stand on; one for each api."""

    book: AccessBook
    log: AccessLog
    asked: AttemptLimits = field(default_factory=lambda: AttemptLimits(CODES_A_MINUTE))
    wrong: AttemptLimits = field(default_factory=lambda: AttemptLimits(WRONG_CODES_A_MINUTE))
    heard_here: set[str] = field(default_factory=set)
    """Devices that have said something to this api: their streams come here too, and it knows whether one is open."""

    async def put(self, entry: AccessEntry) -> None:
        """Tell every api; this one knows it at once."""
        key, value = key_of(entry), msgspec.json.encode(entry)
        await self.log.put(key, value)
        if not isinstance(entry, Command):
            self.book.apply(key, value)

    async def forget(self, entry: AccessEntry) -> None:
        """Take it away everywhere."""
        await self.log.put(key_of(entry), None)
        self.book.apply(key_of(entry), None)


def _screens(request: Request) -> Screens:
    found: Screens | None = getattr(request.app.state, "screens", None)
    if found is None:
        raise UnavailableError(detail="this process pairs no screens")
    return found


@router.post(
    "/codes",
    status_code=201,
    summary="A code for a screen that wants to be paired",
    dependencies=[OnlyJson],
    response_model=CodeAnswer,
    responses=problems(InvalidParameterError, TooManyRequestsError, UnavailableError, ContentTypeRefusedError),
)
async def codes(request: ReadRequest, _asked: NewCode) -> dict[str, str]:
    """Needs no key. The code stands on the screen for five minutes; `claim` stays with the browser."""
    screens, now = _screens(request), request.now
    address, moment = (request.client.host if request.client else ""), time.monotonic()
    wait = screens.asked.wait(address, moment)
    if wait:
        raise TooManyRequestsError(detail=f"at most {CODES_A_MINUTE} codes a minute", retry_after=wait)
    if len(screens.book.open_codes(now)) >= OPEN_CODES:
        raise TooManyRequestsError(detail="too many screens wait to be paired", retry_after=60)
    screens.asked.note(address, moment)
    code, claim = new_code(now)
    for old in [each for each in screens.book.codes.values() if now >= each.expires_at]:
        await screens.forget(old)
    await screens.put(code)
    return {"code": code.code, "claim": claim, "expires_at": format_instant(code.expires_at)}


@router.get(
    "/codes/{code}",
    summary="Whether a code was paired",
    responses=NOT_FOUND
    | problems(InvalidParameterError, UnavailableError)
    | {200: {"model": ClaimedAnswer}, 202: {"model": WaitingAnswer, "description": "Not yet."}},
    response_model=None,
)
async def claimed(request: ReadRequest, code: str) -> Response:
    """202 while it waits; once 200, with the cookie of the screen; afterwards 404."""
    screens, now = _screens(request), request.now
    found = screens.book.codes.get(written_code(code))
    scheme, _, claim = request.headers.get("authorization", "").partition(" ")
    if found is None or now >= found.expires_at or scheme.lower() != "bearer" or not found.is_claim(claim.strip()):
        raise NotFoundError(detail="there is no such code; it may have expired", field="code")
    headers = {"cache-control": "no-store"}
    device = screens.book.devices.get(found.device or "")
    if device is None:
        return JSONResponse({"state": "waiting"}, status_code=202, headers=headers)
    device, token = with_token(device)
    await screens.put(device)
    await screens.forget(found)
    answer = JSONResponse({"device": device.id, "screen": device.screen}, headers=headers)
    keep_token(answer, request, cookie_of(device.screen), token, expires_at=None)
    return answer


@router.post(
    "/pair",
    status_code=201,
    summary="Pair the screen that shows a code",
    dependencies=[OnlyJson],
    response_model=DeviceAnswer,
    responses=READ_PROBLEMS | NOT_FOUND | problems(TooManyRequestsError, ContentTypeRefusedError),
)
async def pair(request: ReadRequest, pairing: Pairing) -> dict[str, Any]:
    """The screen fetches its token itself, within seconds. `team`: it shows this team alone."""
    screens, now, moment = _screens(request), request.now, time.monotonic()
    wait = screens.wrong.wait("", moment)
    if wait:
        raise TooManyRequestsError(detail="too many wrong codes", retry_after=wait)
    code = screens.book.open_code(pairing.code, now)
    if code is None:
        screens.wrong.note("", moment)
        raise NotFoundError(detail="there is no such code; it may be used or expired", field="code")
    config = config_of(request.scope)
    if pairing.screen not in config.screen_names:
        there = ", ".join(config.screen_names)
        raise InvalidParameterError(
            field="screen", detail=f"there is no screen {shown_name(pairing.screen)}; there are {there}"
        )
    if pairing.team is not None and pairing.team not in request.view.roster.team_names:
        raise InvalidParameterError(field="team", detail=f"there is no team {shown_name(pairing.team)}")
    code, device = new_device(code, pairing.screen, team=pairing.team, name=pairing.name, now=now)
    await screens.put(device)
    await screens.put(code)
    return _device_json(device)


def _device_json(device: Device) -> dict[str, Any]:
    return {"device": device.id, "screen": device.screen, "team": device.team, "name": device.name}


@router.post(
    "/heartbeat",
    status_code=204,
    summary="What a board says of itself",
    dependencies=[OnlyJson],
    responses=READ_PROBLEMS | problems(ContentTypeRefusedError),
)
async def heartbeat(request: ReadRequest, said: HeartbeatSaid) -> Response:
    """Every 10 s. Only of a screen that was paired anything is kept."""
    device = access_of(request).device
    if device is not None:
        screens = _screens(request)
        screens.heard_here.add(device)
        await screens.put(Heartbeat(device, request.now, said.build, said.scene, said.size))
    return Response(status_code=204)


@router.get("", summary="The screens that were paired", response_model=ScreensAnswer, responses=READ_PROBLEMS)
async def listed(request: ReadRequest) -> dict[str, Any]:
    """With what each said of itself last."""
    screens, now = _screens(request), request.now
    devices = sorted(screens.book.devices.values(), key=lambda device: (device.paired_at, device.id))
    return {"rows": [_row(screens.book, device, now) for device in devices], "as_of": format_instant(now)}


def _row(book: AccessBook, device: Device, now: int) -> dict[str, Any]:
    heard = book.heartbeats.get(device.id)
    return {
        **_device_json(device),
        "paired_at": format_instant(device.paired_at),
        "last_seen_at": None if heard is None else format_instant(heard.at),
        "online": book.is_online(device.id, now),
        "build": None if heard is None else heard.build,
        "scene": None if heard is None else heard.scene,
        "size": None if heard is None else heard.size,
    }


@router.post(
    "/{device}",
    status_code=202,
    summary="Tell a screen what to do",
    dependencies=[OnlyJson],
    response_model=DeliveredAnswer,
    responses=READ_PROBLEMS | NOT_FOUND | problems(ContentTypeRefusedError),
)
async def command(request: ReadRequest, device: str, said: CommandSaid) -> dict[str, bool]:
    """`identify` shows its name on it, `reload` loads its page anew, `scene` shows that scene."""
    screens, now = _screens(request), request.now
    found = screens.book.devices.get(device)
    if found is None:
        raise NotFoundError(detail=f"there is no screen {shown_name(device)}", field="device")
    if sum(each is not None for each in (said.identify, said.reload, said.scene)) != 1:
        raise InvalidParameterError(field="body", detail="needs one of identify, reload and scene")
    screen = config_of(request.scope).screens.get(found.screen)
    if said.scene is not None and (screen is None or screen.scene(said.scene) is None):
        there = "" if screen is None else f"; there are {', '.join(scene.name for scene in screen.scenes)}"
        raise InvalidParameterError(field="scene", detail=f"there is no scene {shown_name(said.scene)}{there}")
    broadcaster = request.app.state.read_side.broadcaster
    is_elsewhere = device not in screens.heard_here and screens.book.is_online(device, now)
    delivered = broadcaster.has_device(device) or is_elsewhere
    await screens.put(Command(device, now, identify=bool(said.identify), reload=bool(said.reload), scene=said.scene))
    return {"delivered": delivered}

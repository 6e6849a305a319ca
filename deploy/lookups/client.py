"""Requests to a CRM's API: whoever wants to ask drives its steps through here.

Owns the connection, the token (renewed once for all), the limits and the back-off. Does not know what is asked. Nothing
of a request but its path is ever told, and no header of it.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self, TypeVar

import httpx
import orjson
import structlog

from deploy.lookups.pacing import LONGEST, SharedPace, backoff
from schemas.connection_states import LimitsState
from schemas.connectors.asking import Ask, BadAnswerError, CrmAnswer, CrmSource, NotLetInError, Steps
from schemas.connectors.json_text import NotJsonError, read_json_mended
from schemas.connectors.quotas import DailyQuota, day_told, limits_told, wait_told
from schemas.instants import HOUR, SECOND
from schemas.machine_clock import machine_clock

_T = TypeVar("_T")
log = structlog.get_logger("lookups")

ATTEMPTS = 8
"""Of a request that fails, or is refused for asking too much, before it is given up for now."""
TIMEOUT_SECONDS = 30.0
LONGEST_ANSWER_SECONDS = LONGEST / SECOND
"""From the question to the end of the answer: one that comes byte by byte would else be waited for without end."""
_MAY_PASS = frozenset({423, 429, 477})
"""Refusals beside 5xx that are for now."""
_LOOK_AGAIN = SECOND
_LONGEST_WAIT = 300.0
"""What a vendor tells to wait beyond it is for the next try of whoever asks."""
RESERVE = 0.2
"""The part of a day's requests that is left to look-ups: without them what a webhook names is not known."""
_RESERVE_FOR = HOUR
"""So long after an answer has told that no more is left than the reserve, one that may wait asks again."""


class CrmApiError(Exception):
    """The API cannot be asked. `reason` is a word: `unreachable`, `credentials`, `forbidden`, `limit`, `refused`."""

    def __init__(self, *, reason: str, problem: str, wait: float | None = None) -> None:
        self.reason = reason
        self.wait = wait
        """Seconds, where the vendor says that asking again before is in vain."""
        super().__init__(problem)


@contextmanager
def of_one_object(name: str, refused: dict[str, CrmApiError | BadAnswerError]) -> Iterator[None]:
    """Note what an API refuses to tell of one object: others may be asked for all the same. Not of the whole API."""
    try:
        yield
    except (CrmApiError, BadAnswerError) as error:
        if isinstance(error, CrmApiError) and error.reason not in ("forbidden", "refused"):
            raise
        refused[name] = error


class Client:
    """One connection's API. Use as an async context manager. Safe for several tasks at once."""

    def __init__(
        self,
        source: CrmSource,
        pace: SharedPace,
        *,
        daily: int | None = None,
        clock: Callable[[], int] = machine_clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`daily`: how many requests a day has by the settings, where the vendor only says how many are left."""
        self.source = source
        self._pace = pace
        self._daily = daily
        self._clock = clock
        self._sleep = sleep
        self._chance = chance
        self._limits = dict(source.paces)
        self._headers: Mapping[str, str] | None = None
        self._logging_in = asyncio.Lock()
        # The environment's proxies are those of whoever started us: an API is reached as the machine reaches anything.
        self._http = httpx.AsyncClient(base_url=source.address, timeout=TIMEOUT_SECONDS, follow_redirects=False)
        self._asks_again_at = 0
        self._most_left = 0
        """The most that an answer said to be left of a day: where nothing tells how much a day has."""
        self._may_ask_again_at = 0
        """For what may wait."""
        self.requests = 0
        """Sent so far."""
        self.limits: LimitsState | None = None
        """As the last answer that spoke of them said."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._http.aclose()

    async def run(self, steps: Steps[_T], *, may_wait: bool = True, is_login: bool = False) -> _T:
        """What the steps find. Raises ApiError, BadAnswerError.

        What may wait is refused while no more is left of the day than the reserve of look-ups, which may not.
        """
        answer: CrmAnswer | None = None
        try:
            while True:
                ask = _following(steps, answer)
                if may_wait and not is_login:
                    self._check_reserve()
                answer = await self._ask(ask, is_login=is_login)
        except StopIteration as end:
            found: _T = end.value
            return found
        except NotLetInError as error:
            raise CrmApiError(reason="credentials", problem=f"{ask.path}: {error}") from None

    def _check_reserve(self) -> None:
        if (wait := self._may_ask_again_at - self._clock()) > 0:
            problem = "what is left of the day's requests is kept for look-ups"
            raise CrmApiError(reason="limit", problem=problem, wait=wait / SECOND)

    async def _ask(self, ask: Ask, *, is_login: bool) -> CrmAnswer:
        renewed = False
        problem = ""
        wait: float | None = None
        for attempt in range(ATTEMPTS):
            headers = {} if is_login else await self._login()
            response = await self._send(ask, headers)
            if response is None:
                problem, wait = "does not answer", None
            elif response.is_success or response.status_code in ask.expected:
                try:
                    return CrmAnswer(response.status_code, _json(response))
                except NotJsonError:  # a page of whoever stands in between, or cut off: it may be the next time
                    problem, wait = "answered what is not JSON", None
            else:
                status = response.status_code
                wait = self._told_to_wait(response)
                problem = f"answered {status}"
                if status == 401 and not (renewed or is_login):
                    renewed = True
                    await self._renew(headers)
                    continue
                if not may_pass(status) and not (status == 403 and wait is not None):
                    raise refused_by(ask, response, is_login=is_login)
            if wait is not None and wait > _LONGEST_WAIT:
                raise CrmApiError(reason="limit", problem=f"the limit of requests is reached ({problem})", wait=wait)
            if attempt + 1 < ATTEMPTS:
                await self._sleep(max(wait or 0.0, backoff(attempt, self._chance())))
        reason = "limit" if problem.endswith("429") else "unreachable"
        raise CrmApiError(reason=reason, problem=f"{ask.path}: {problem}, {ATTEMPTS} times", wait=wait)

    async def _send(self, ask: Ask, headers: Mapping[str, str]) -> httpx.Response | None:
        """The response; None: there was none. A request counts whatever becomes of it."""
        if (wait := self._asks_again_at - self._clock()) > 0:
            raise CrmApiError(reason="limit", problem="the limit of requests is all but reached", wait=wait / SECOND)
        limits = {name: self._limits[name] for name in ({"", ask.pace} if ask.pace else {""}) if name in self._limits}
        while isinstance(place := self._pace.take(limits, self._clock()), int):
            # A place that is taken is free sooner than it says, once its request is answered.
            await self._sleep(min(place, _LOOK_AGAIN) / 1e6)
        self.requests += 1
        try:
            async with asyncio.timeout(LONGEST_ANSWER_SECONDS):
                response = await self._http.request(
                    ask.method,
                    ask.path,
                    params=dict(ask.query) or None,
                    content=None if ask.body is None else orjson.dumps(ask.body),
                    data=None if ask.form is None else dict(ask.form),
                    headers={
                        **headers,
                        **ask.headers,
                        **({} if ask.body is None else {"content-type": "application/json"}),
                    },
                )
        except (httpx.RequestError, TimeoutError) as error:
            log.warning("api.failed", path=ask.path, error=type(error).__name__)
            return None
        finally:
            self._pace.give_back(place, limits, self._clock())
        self._limits.update(self.source.limits(response.headers))
        self.limits = limits_told(response.headers, self._clock(), self._daily) or self.limits
        if (day := day_told(response.headers)) is not None:
            self._note_day(day)
        exhausted = self.source.exhausted(response.headers)
        if exhausted is not None:
            self._asks_again_at = self._clock() + round(exhausted * SECOND)
        return response

    def _note_day(self, day: DailyQuota) -> None:
        self._most_left = max(self._most_left, day.left)
        is_low = day.left <= RESERVE * (day.of or self._daily or self._most_left)
        self._may_ask_again_at = self._clock() + _RESERVE_FOR if is_low else 0

    async def _login(self) -> Mapping[str, str]:
        if self._headers is None:
            await self._renew(None)
        return self._headers or {}

    async def _renew(self, stale: Mapping[str, str] | None) -> None:
        """Once for all who wait: who comes with headers that are no longer in use has others already."""
        async with self._logging_in:
            if self._headers is stale or self._headers is None:
                self._headers = await self.run(self.source.login(), is_login=True)

    def _told_to_wait(self, response: httpx.Response) -> float | None:
        """By the header that is everybody's, else as the vendor says it."""
        if (told := wait_told(response.headers, self._clock())) is not None:
            return told
        try:
            data = _json(response)
        except NotJsonError:
            data = None
        return self.source.wait(response.status_code, response.headers, data)


def _following(steps: Steps[_T], answer: CrmAnswer | None) -> Ask:
    """What is asked next, after an answer if there was one. Raises StopIteration, BadAnswerError.

    What a vendor answers never ends all asking, whatever its reader took for granted.
    """
    try:
        return next(steps) if answer is None else steps.send(answer)
    except (StopIteration, BadAnswerError):
        raise
    except Exception as error:
        msg = f"an answer is not as it is documented ({type(error).__name__})"
        raise BadAnswerError(msg) from error


def may_pass(status: int) -> bool:
    """Whether a refusal is for now: the same may be answered later."""
    return status in _MAY_PASS or status >= 500


def refused_by(ask: Ask, response: httpx.Response, *, is_login: bool) -> CrmApiError:
    """Of an answer that is the same however often it is asked for."""
    status = response.status_code
    if response.has_redirect_location:
        problem = f"{ask.path}: answered {status}: it lies elsewhere; is api.url right?"
        return CrmApiError(reason="refused", problem=problem)
    if is_login:
        return CrmApiError(reason="credentials", problem=f"{ask.path}: answered {status}: no token for api")
    if status == 401:
        return CrmApiError(reason="credentials", problem="does not take the credentials of api: new ones are needed")
    if status == 403:
        return CrmApiError(reason="forbidden", problem=f"{ask.path}: the credentials of api lack the right to it (403)")
    return CrmApiError(reason="refused", problem=f"{ask.path}: answered {status}")


def _json(response: httpx.Response) -> Any:
    """Raises NotJsonError."""
    return read_json_mended(response.content) if response.content else None

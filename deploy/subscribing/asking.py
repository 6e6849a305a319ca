"""Requests to a CRM's API for its set-up, one after the other: few, and each told in words if it fails.

Owns the client and what stands in the way. No secret, header nor body of a request is ever told.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import httpx
import msgspec

from schemas.connectors.quotas import wait_told
from schemas.machine_clock import machine_clock

TIMEOUT_SECONDS = 20.0
_TRIES = 4
_LONGEST_WAIT = 30.0


class OnlineError(Exception):
    """The API does not do what it is asked for. `is_away`: it could not be reached."""

    def __init__(self, problem: str, *, is_away: bool = False) -> None:
        self.is_away = is_away
        super().__init__(problem)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    words: str
    is_wrong: bool = False
    is_away: bool = False


class Asker:
    """One API. Use as a context manager."""

    def __init__(
        self,
        address: str,
        *,
        headers: Mapping[str, str] | None = None,
        basic: tuple[str, str] | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sleep = sleep
        self._client = httpx.Client(
            base_url=address, headers=headers, auth=basic, transport=transport, timeout=TIMEOUT_SECONDS
        )
        self.headers: Mapping[str, str] = {}
        """Of the last answer: limits are told in them."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._client.close()

    def carry(self, name: str, value: str) -> None:
        """Send a header with each request from now on."""
        self._client.headers[name] = value

    def move(self, address: str) -> None:
        """Ask there from now on."""
        self._client.base_url = httpx.URL(address)

    def ask(self, method: str, path: str, *, json: Any = None, form: Mapping[str, str] | None = None) -> Any:
        """The answer's JSON; None: it is empty. Raises OnlineError."""
        for attempt in range(1, _TRIES + 1):
            answer = self._send(method, path, json, form)
            self.headers = answer.headers
            if answer.status_code != httpx.codes.TOO_MANY_REQUESTS and answer.status_code < 500:
                break
            if attempt < _TRIES:
                told = wait_told(answer.headers, machine_clock())
                self._sleep(min(2.0**attempt if told is None else told, _LONGEST_WAIT))
        if answer.is_error:
            # A form is what tokens are asked for by: RFC 6749 refuses a client with 400.
            code = 401 if form is not None and answer.status_code == httpx.codes.BAD_REQUEST else answer.status_code
            msg = f"{method} {path}: {_WORDS.get(code, 'refused')} ({answer.status_code})"
            raise OnlineError(msg, is_away=answer.status_code >= 500)
        if not answer.content:
            return None
        try:
            return msgspec.json.decode(answer.content)
        except msgspec.MsgspecError:
            msg = f"{method} {path}: the answer is no JSON"
            raise OnlineError(msg) from None

    def _send(self, method: str, path: str, json: Any, form: Mapping[str, str] | None) -> httpx.Response:
        try:
            return self._client.request(method, path, json=json, data=form)
        except httpx.HTTPError as error:
            msg = f"{method} {path}: {self._client.base_url.host} cannot be reached ({type(error).__name__})"
            raise OnlineError(msg, is_away=True) from None


_WORDS = {
    401: "the credentials are not taken",
    402: "the account is not paid for",
    403: "a right or scope is missing",
    404: "there is no such thing",
    429: "asked too much",
}


def members(answer: Any, *path: str) -> list[dict[str, Any]]:
    """A list of objects within an answer; Pipedrive writes an empty one as null. Raises OnlineError: there is none."""
    found, is_there = answer, True
    for name in path:
        is_there = isinstance(found, dict) and name in found
        found = found[name] if is_there else None
    if found is None and is_there:
        return []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        msg = f"the answer has no list {'.'.join(path)}"
        raise OnlineError(msg)
    return found

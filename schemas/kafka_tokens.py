"""Tokens for a Kafka that asks for OAUTHBEARER: read from a file that somebody else renews, or fetched for a client.

Owns how a token is got and how long it is used. aiokafka asks for one at each connection that it opens; a Kafka that
closes connections whose token has run out gets the next one then. Nothing of a token or a secret is in any error.

Client credentials: https://datatracker.ietf.org/doc/html/rfc6749#section-4.4
"""

import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx
from aiokafka.abc import AbstractTokenProvider

from schemas.kafka import OAuth, TokenError

_LARGEST_BYTES = 64 * 1024
_TIMEOUT_SECONDS = 4.0  # Below what Kafka waits for a login, so that the cause is told and not the time-out.
_USED = 0.8  # Of its life a token is used, so that none runs out on its way.
_LIFE_SECONDS = 60.0  # Of a token whose issuer does not say.


class FileTokens(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka has no types
    """The token is what stands in a file, read at each login: whoever renews it replaces the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def token(self) -> str:
        """The token. Raises TokenError."""
        setting = "FLOORCAST_KAFKA_SASL_OAUTH_TOKEN_FILE"
        try:
            with self._path.open(encoding="ascii") as file:
                text = file.read(_LARGEST_BYTES)
        except (OSError, UnicodeDecodeError) as error:
            msg = f"{setting}: no token can be read there ({type(error).__name__})"
            raise TokenError(msg) from None
        return _checked(text, setting)


class FetchedTokens(AbstractTokenProvider):  # type: ignore[misc]
    """The token is asked for at an address with a client's name and secret, and used for four fifths of its life."""

    def __init__(self, oauth: OAuth, clock: Callable[[], float] = time.monotonic) -> None:
        self._oauth = oauth
        self._clock = clock
        self._token = ""
        self._until = 0.0

    async def token(self) -> str:
        """The token. Raises TokenError."""
        now = self._clock()
        if now >= self._until:
            answer = await self._ask()
            self._token = _checked(answer.get("access_token"), _URL)
            life = answer.get("expires_in")
            lasts = float(life) if isinstance(life, int | float | str) and str(life).isdecimal() else _LIFE_SECONDS
            self._until = now + _USED * lasts
        return self._token

    async def _ask(self) -> dict[str, Any]:
        oauth = self._oauth
        client_of_it = httpx.BasicAuth(oauth.client_id, oauth.client_secret)
        form = {"grant_type": "client_credentials"} | ({"scope": oauth.scope} if oauth.scope else {})
        try:
            async with (
                httpx.AsyncClient(timeout=_TIMEOUT_SECONDS) as client,
                client.stream("POST", oauth.token_url, data=form, auth=client_of_it) as answer,
            ):
                body = b""
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > _LARGEST_BYTES:
                        msg = f"{_URL}: the answer is too large"
                        raise TokenError(msg)
        except httpx.HTTPError as error:
            msg = f"{_URL}: no token can be fetched there ({type(error).__name__})"
            raise TokenError(msg) from None
        if answer.status_code in (400, 401, 403):
            msg = f"{_URL}: refuses the client of FLOORCAST_KAFKA_CLIENT_ID ({answer.status_code})"
            raise TokenError(msg)
        try:
            found = httpx.Response(answer.status_code, content=body).json() if answer.is_success else None
        except ValueError:
            found = None
        if not isinstance(found, dict):
            msg = f"{_URL}: answers {answer.status_code}, and no token"
            raise TokenError(msg)
        return found


@lru_cache(maxsize=4)
def tokens(oauth: OAuth) -> AbstractTokenProvider:
    """Where clients of Kafka take tokens from: one place for all of a process, so that a token is fetched once."""
    return FileTokens(oauth.token_file) if oauth.token_file is not None else FetchedTokens(oauth)


_URL = "FLOORCAST_KAFKA_SASL_OAUTH_TOKEN_URL"


def _checked(token: object, setting: str) -> str:
    """The token, which stands in a line of its own at the login: no other character may be in it (RFC 6750, 2.1)."""
    text = token.strip() if isinstance(token, str) else ""
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        msg = f"{setting}: there is no token"
        raise TokenError(msg)
    return text

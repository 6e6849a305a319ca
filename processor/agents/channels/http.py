"""HTTP as the channels use it: one address, bounded time, no redirects, no addresses that are not public.

Owns the client and the reading of answers. Does not know what is posted.
"""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from processor.agents.channels.base import ChannelUnavailableError, RefusedError
from processor.agents.channels.guard import guarded_socket
from schemas.instants import SECOND, from_datetime

if TYPE_CHECKING:
    import aiohttp

TIMEOUT_SECONDS = 5.0
_PASSING = frozenset({408, 425, 429})
_LONGEST_WAIT_SECONDS = 3600.0


class AlertPoster:
    """Posts to one address."""

    def __init__(self, url: str, *, allow_private: bool, parallel: int) -> None:
        self._url = url
        self._allow_private = allow_private
        self._parallel = parallel
        self._session: aiohttp.ClientSession | None = None

    async def post(self, body: bytes, headers: Mapping[str, str], now: int) -> None:
        """Post once. Raises UnavailableError, RefusedError."""
        # Here, and only here: most of what knows of channels never posts.
        import aiohttp  # noqa: PLC0415

        if self._session is None:
            self._session = self._open()
        try:
            async with self._session.post(
                self._url, data=body, headers={"content-type": "application/json", **headers}, allow_redirects=False
            ) as answer:
                status, wait = answer.status, answer.headers.get("retry-after")
        except aiohttp.InvalidURL:
            raise RefusedError(reason="the address cannot be used") from None
        except TimeoutError:
            raise ChannelUnavailableError(reason=f"no answer within {TIMEOUT_SECONDS:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            # Only its kind: the text may hold the address, which is a credential for some services.
            raise ChannelUnavailableError(reason=f"no connection ({type(error).__name__})") from None
        if 200 <= status < 300:
            return
        if status >= 500 or status in _PASSING:
            raise ChannelUnavailableError(reason=f"answered {status}", retry_after=_seconds(wait, now))
        raise RefusedError(reason=f"answered {status}")

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> "aiohttp.ClientSession":
        import aiohttp  # noqa: PLC0415

        connector = aiohttp.TCPConnector(
            limit=self._parallel,
            socket_factory=None if self._allow_private else guarded_socket,
        )
        return aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
            # No proxy from the environment: it would make the connection instead of us, past the guard.
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"user-agent": "floorcast"},
        )


def _seconds(text: str | None, now: int) -> float | None:
    """`Retry-After`: seconds or a date."""
    if text is None:
        return None
    try:
        wait = float(text)
    except ValueError:
        try:
            wait = (from_datetime(parsedate_to_datetime(text)) - now) / SECOND
        except (ValueError, TypeError):
            return None
    return min(_LONGEST_WAIT_SECONDS, max(0.0, wait))

"""What a channel is: a place where people or programs are told of alerts.

Owns the protocol, what may go wrong, and the key by which a receiver knows a repetition. A channel tells and returns,
or says why it could not; when to try again is not its business.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Protocol

from schemas.alerts import Alert


class ChannelError(Exception):
    """Something was not told. The reason names no address and no secret: both may be credentials."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ChannelUnavailableError(ChannelError):
    """The receiver takes nothing at the moment; `retry_after` in seconds, if it said so."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class RefusedError(ChannelError):
    """The receiver does not take this; others may still go."""


class Channel(Protocol):
    """Where alerts go."""

    @property
    def at_once(self) -> int:
        """How many turns one message may tell."""

    @property
    def parallel(self) -> int:
        """How many messages may be under way."""

    @property
    def spacing_seconds(self) -> float:
        """Between the beginnings of two messages, so that a burst becomes one message instead of many."""

    @property
    def repeat_seconds(self) -> float | None:
        """How often it wants to hear of the alerts that are still open, if it forgets them otherwise."""

    async def send(self, alerts: Sequence[Alert], now: int) -> None:
        """Tell; `now` in microseconds. Raises UnavailableError, RefusedError."""

    async def announce(self, told: Sequence[Alert], now: int) -> None:
        """Tell of a day, or of wins (in one message): what `notice` of each says. Raises as `send` does."""

    async def summarize(self, alerts: Sequence[Alert], now: int) -> None:
        """Tell in one message of alerts that were first told long after their instants. Raises as `send` does."""

    async def close(self) -> None:
        """Let go of connections."""


def idempotency_key(channel: str, alerts: Sequence[Alert]) -> str:
    """The same for every repetition of the same message."""
    digest = blake2b(digest_size=16)
    for part in (channel, *(f"{alert.id} {alert.turn}" for alert in alerts)):
        digest.update(part.encode())
        digest.update(b"\0")
    return f"alert_{digest.hexdigest()}"

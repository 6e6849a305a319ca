"""What channels of chats have in common: one message for several alerts, now and then, to one address."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import msgspec

from processor.agents.channels.announcing import joined
from processor.agents.channels.http import Poster
from processor.agents.channels.wording import for_people, headline, lines, summary_headline, summary_lines
from schemas.alerts import Alert
from schemas.config import SlackChannel, TeamsChannel
from schemas.notices import Notice


class ChatChannel(ABC):
    """One channel of a chat, which takes a few messages a second at most. A subclass writes the message."""

    at_once = 500
    parallel = 1
    spacing_seconds = 2.0
    repeat_seconds = None

    def __init__(self, name: str, settings: SlackChannel | TeamsChannel, zone: ZoneInfo) -> None:
        self._zone = zone
        self._poster = Poster(
            settings.url.get_secret_value(), allow_private=settings.allow_private, parallel=self.parallel
        )

    @abstractmethod
    def body(self, headline: str, lines: Sequence[str]) -> dict[str, object]:
        """The message as the chat's address takes it, in JSON."""

    @abstractmethod
    def notice_body(self, notice: Notice) -> dict[str, object]:
        """The same for what is no alert."""

    async def send(self, alerts: Sequence[Alert], now: int) -> None:
        """Post one message for all of them."""
        told = for_people(alerts)
        if told:
            await self._post(headline(told), lines(told, self._zone), now)

    async def announce(self, told: Sequence[Alert], now: int) -> None:
        """Post one message for all of them."""
        await self._poster.post(msgspec.json.encode(self.notice_body(joined(told))), {}, now)

    async def summarize(self, alerts: Sequence[Alert], now: int) -> None:
        """Post one message that counts them."""
        await self._post(summary_headline(alerts), summary_lines(alerts, self._zone), now)

    async def close(self) -> None:
        """Let go of connections."""
        await self._poster.close()

    async def _post(self, headline: str, lines: Sequence[str], now: int) -> None:
        await self._poster.post(msgspec.json.encode(self.body(headline, lines)), {}, now)

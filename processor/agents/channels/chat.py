"""What channels of chats have in common: one message for several alerts, now and then, to one address."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import msgspec

from processor.agents.channels.announcing import joined_message
from processor.agents.channels.http import AlertPoster
from processor.agents.channels.wording import AlertMessage, Wording, for_people
from schemas.alerts import Alert
from schemas.config.alerts import SlackSettings, TeamsSettings
from schemas.notices import Notice


class ChatChannel(ABC):
    """One channel of a chat, which takes a few messages a second at most. A subclass writes the message."""

    at_once = 500
    parallel = 1
    spacing_seconds = 2.0
    repeat_seconds = None

    def __init__(self, name: str, settings: SlackSettings | TeamsSettings, wording: Wording) -> None:
        self._wording = wording
        self._poster = AlertPoster(
            settings.url.get_secret_value(), allow_private=settings.allow_private, parallel=self.parallel
        )

    @abstractmethod
    def body(self, notice: Notice) -> dict[str, object]:
        """The message as the chat's address takes it, in JSON."""

    async def send(self, alerts: Sequence[Alert], now: int) -> None:
        """Post one message for all of them."""
        told = for_people(alerts)
        if told:
            await self._post(self._notice(self._wording.told(told)), now)

    async def announce(self, told: Sequence[Alert], now: int) -> None:
        """Post one message for all of them."""
        await self._post(joined_message(told), now)

    async def summarize(self, alerts: Sequence[Alert], now: int) -> None:
        """Post one message that counts them."""
        await self._post(self._notice(self._wording.summary(alerts)), now)

    async def close(self) -> None:
        """Let go of connections."""
        await self._poster.close()

    def _notice(self, told: AlertMessage) -> Notice:
        is_right_to_left = self._wording.is_right_to_left
        return Notice("alerts", told.headline, lines=tuple(told.lines), is_right_to_left=is_right_to_left)

    async def _post(self, notice: Notice, now: int) -> None:
        await self._poster.post(msgspec.json.encode(self.body(notice)), {}, now)
